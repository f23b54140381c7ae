//! What a user may configure about the analyzers. The three sections of the
//! legacy engine's `analyzer_config.yaml` are read as they are.

use serde::{Deserialize, Serialize};

/// The analyzer configuration. `Config::default()` is the legacy engine's
/// default file; a section that a given file lacks is switched off, as there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Which files are stored whole.
    pub retrieve_files: Option<RetrieveFiles>,
    /// Expressions that find secrets.
    pub secret_search: Option<Search>,
    /// Expressions that find anything else.
    pub content_search: Option<Search>,
    /// Which malware scanner is asked. The analyzers do not look at it.
    pub malware: Option<Malware>,
    /// Whether packages that the image's maker lists by hand are believed.
    pub hints: bool,
    /// The modern rule pack (ours, unknown to the legacy engine). On unless switched off.
    pub secrets: Secrets,
}

/// Files whose content is stored in the document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetrieveFiles {
    /// In KiB. `None`: 16 MiB.
    pub max_file_size_kb: Option<u64>,
    /// As written by the user: absolute or relative, this text is the key in the document.
    pub file_list: Option<Vec<String>>,
}

/// A search for regular expressions, line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Search {
    /// `MAXFILESIZE=10000`, `STOREONMATCH=n`.
    pub match_params: Option<Vec<String>>,
    /// `NAME=regex` in Python's dialect.
    pub regexp_match: Option<Vec<String>>,
}

/// The section `malware`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Malware {
    /// `None`: switched off.
    pub clamav: Option<ClamAv>,
}

/// The section `malware.clamav`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClamAv {
    /// Whether files are sent to clamd.
    pub enabled: bool,
    /// Stated in the legacy document. It has no other effect: clamd updates itself.
    pub db_update_enabled: Option<bool>,
}

/// Settings of the rule pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// Whether files are searched.
    pub enabled: bool,
    /// Texts larger than this many bytes are not searched, which is a problem of each.
    pub max_file_size: u64,
}

impl Default for Secrets {
    fn default() -> Self {
        Secrets { enabled: true, max_file_size: 1 << 30 }
    }
}

impl Config {
    /// What is said of ClamAV, where anything is.
    pub fn clamav(&self) -> Option<&ClamAv> {
        self.malware.as_ref()?.clamav.as_ref()
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            retrieve_files: Some(RetrieveFiles {
                max_file_size_kb: Some(1000),
                file_list: Some(vec!["/etc/passwd".into()]),
            }),
            secret_search: Some(Search {
                match_params: Some(vec!["MAXFILESIZE=10000".into(), "STOREONMATCH=n".into()]),
                regexp_match: Some(SECRET_EXPRESSIONS.map(Into::into).into()),
            }),
            content_search: None,
            malware: None,
            hints: false,
            secrets: Secrets::default(),
        }
    }
}

// The default expressions of `secret_search`. The analyzer knows their text, and matches
// them without a regular expression engine.
/// A default search of the legacy engine: an AWS access key.
pub const AWS_ACCESS_KEY: &str =
    "AWS_ACCESS_KEY=(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*";
/// Likewise: an AWS secret key.
pub const AWS_SECRET_KEY: &str = "AWS_SECRET_KEY=(?i).*aws_secret_access_key( *=+ *).*(?<![A-Za-z0-9/+=])[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=]).*";
/// Likewise: a private key.
pub const PRIVATE_KEY: &str = "PRIV_KEY=(?i)-+BEGIN(.*)PRIVATE KEY-+";
/// Likewise: a credential of Docker.
pub const DOCKER_AUTH: &str = r#"DOCKER_AUTH=(?i).*"auth": *".+""#;
/// Likewise: an API key.
pub const API_KEY: &str =
    "API_KEY=(?i).*api(-|_)key( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20,60}(?![A-Z0-9]).*";
const SECRET_EXPRESSIONS: [&str; 5] =
    [AWS_ACCESS_KEY, AWS_SECRET_KEY, PRIVATE_KEY, DOCKER_AUTH, API_KEY];
