//! Who we are to a registry: what was said on the command line, else what `docker login` and
//! `podman login` left behind
//! (<https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>).

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

use super::helper;
use super::name::DOCKER_HUB;
use crate::Secret;
use inscan_facts::error::shown;
use inscan_facts::json::{self, Form};

/// As `docker login` names Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
const MAX_BYTES: u64 = 4 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Basic {
        user: String,
        password: Secret,
    },
    /// What a token for the registry is got with, in the place of a password.
    Identity(Secret),
    /// A token for the registry itself.
    Token(Secret),
}

/// A file that may have credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthFile {
    pub path: PathBuf,
    /// Named by the user: it has to be there.
    pub named: bool,
}

/// What was found for one repository, and where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) credential: Option<Credential>,
    /// `--registry-user`, or the name of a file.
    pub(super) origin: String,
    /// Helpers that failed: told only if the registry refuses us.
    pub(super) problems: Vec<String>,
}

const ENTRY: Form = Form::Object(&[
    ("auth", Form::Text),
    ("username", Form::Text),
    ("password", Form::Text),
    ("identitytoken", Form::Text),
    ("registrytoken", Form::Text),
]);
const CONFIG: Form = Form::Object(&[
    ("auths", Form::Map(&ENTRY)),
    ("credsStore", Form::Text),
    ("credHelpers", Form::Map(&Form::Text)),
]);
/// A file of before 2015 (`.dockercfg`) is what is in `auths` since.
const DOCKERCFG: Form = Form::Map(&Form::Any);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: BTreeMap<String, Entry>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(…)")
    }
}

/// The first file that has something for the repository counts.
pub(super) fn find(
    files: &[AuthFile],
    host: &str,
    repository: &str,
    patience: Duration,
) -> Result<Found, String> {
    let mut problems = Vec::new();
    for file in files {
        let config = match read(file) {
            Ok(Some(config)) => config,
            Ok(None) => continue,
            Err(problem) if file.named => return Err(problem),
            // Most images need none: docker warns and goes on.
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let found = config.find(host, repository, patience, &mut problems);
        let credential = found.map_err(|why| format!("in `{}`: {why}", file.path.display()))?;
        if credential.is_some() {
            let origin = format!("`{}`", file.path.display());
            return Ok(Found { credential, origin, problems });
        }
    }
    Ok(Found { problems, ..Found::default() })
}

fn read(file: &AuthFile) -> Result<Option<Config>, String> {
    let path = &file.path;
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !file.named => return Ok(None),
        Err(error) => return Err(format!("could not read `{}`: {error}", path.display())),
    };
    // The error's own words might show a piece of the file.
    Config::parse(&bytes).map(Some).map_err(|error| {
        let place = match (error.line(), error.column()) {
            (0, _) => String::new(),
            (line, column) => format!(", line {line}, column {column}"),
        };
        format!("`{}`{place}: it is not a configuration of docker or podman", path.display())
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let without_waiting = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(without_waiting).open(path)?;
    let kind = file.metadata()?.file_type();
    // Where a file is to have nothing in it, /dev/null is put in its place.
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Config {
    /// A file without anything in it says nothing.
    fn parse(bytes: &[u8]) -> serde_json::Result<Config> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii();
        if matches!(bytes, b"" | b"null") {
            return Ok(Config::default());
        }
        let mut config: Config = json::parse(bytes, &CONFIG)?;
        if config.auths.is_empty() {
            let others: serde_json::Map<_, _> = json::parse(bytes, &DOCKERCFG)?;
            let entry = |(key, value): (String, serde_json::Value)| {
                let text = value.is_object().then(|| value.to_string())?;
                Some((key, json::parse(text.as_bytes(), &ENTRY).ok()?))
            };
            config.auths = others.into_iter().filter_map(entry).collect();
        }
        Ok(config)
    }

    fn find(
        &self,
        host: &str,
        repository: &str,
        patience: Duration,
        problems: &mut Vec<String>,
    ) -> Result<Option<Credential>, String> {
        // Names of hosts have no case.
        let lower = host.to_ascii_lowercase();
        let mut ask = |name: &str| match helper::get(name, server(host), patience) {
            Ok(found) => found,
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        if let Some(found) = self.helper(&lower).and_then(&mut ask) {
            return Ok(Some(found));
        }
        for wanted in scopes(&lower, repository) {
            // As written before what merely means the same.
            let written = self.auths.get_key_value(&wanted);
            let same = self.auths.iter().filter(|(key, _)| normal(key) == wanted);
            for (key, entry) in written.into_iter().chain(same) {
                if let Some(found) = entry.credential(key)? {
                    return Ok(Some(found));
                }
            }
        }
        if !self.creds_store.is_empty()
            && let Some(found) = ask(&self.creds_store)
        {
            return Ok(Some(found));
        }
        // Docker goes by the host alone, whatever path is behind it.
        let (with_scheme, others): (Vec<_>, Vec<_>) = self
            .auths
            .iter()
            .filter(|(key, _)| host_of(&normal(key)) == lower)
            .partition(|(key, _)| key.contains("://"));
        for (key, entry) in with_scheme.into_iter().chain(others) {
            if let Some(found) = entry.credential(key)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The helper for a host; `*.example.com` is for all below it.
    fn helper(&self, host: &str) -> Option<&str> {
        let exact = self.cred_helpers.iter().find(|(key, _)| normal(key) == host);
        let below = |key: &str| {
            key.strip_prefix('*').is_some_and(|end| end.starts_with('.') && host.ends_with(end))
        };
        let found = exact.or_else(|| self.cred_helpers.iter().find(|(key, _)| below(key)))?;
        Some(found.1.as_str()).filter(|name| !name.is_empty())
    }
}

impl Entry {
    /// `None` for the empty entry that docker leaves where a helper has the password.
    fn credential(&self, key: &str) -> Result<Option<Credential>, String> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::Identity(Secret::new(&self.identitytoken))));
        }
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::Token(Secret::new(&self.registrytoken))));
        }
        let wrong = || format!("`auth` of `{}` is not base64 of `user:password`", shown(key));
        let (user, password) = if self.auth.is_empty() {
            (self.username.clone(), self.password.clone())
        } else {
            // Encoders break long lines.
            let text = self.auth.replace(|char: char| char.is_ascii_whitespace(), "");
            let bytes = STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text));
            let pair = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = pair.ok_or_else(wrong)?;
            let (user, password) = pair.split_once(':').ok_or_else(wrong)?;
            // Old Dockers pad with zeros.
            (user.to_owned(), password.trim_matches('\0').to_owned())
        };
        if user.is_empty() && password.is_empty() {
            return Ok(None);
        }
        Ok(Some(Credential::Basic { user, password: Secret::new(password) }))
    }
}

/// A server's name as helpers know it.
fn server(host: &str) -> &str {
    if host == DOCKER_HUB { DOCKER_HUB_KEY } else { host }
}

/// `host/a/b`, `host/a`, `host`: the closest first.
fn scopes(host: &str, repository: &str) -> Vec<String> {
    let whole = format!("{host}/{repository}");
    let ends = whole.char_indices().rev().filter(|(_, char)| *char == '/').map(|(at, _)| at);
    let ends = std::iter::once(whole.len()).chain(ends);
    ends.filter_map(|end| whole.get(..end).map(str::to_owned)).collect()
}

/// A key as written by one of the many programs: with scheme, path of the API, closing slash.
fn normal(key: &str) -> String {
    let key = key.strip_prefix("https://").or(key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or(key.strip_suffix("/v2")).unwrap_or(key);
    let (host, rest) = key.split_once('/').map_or((key, None), |(host, rest)| (host, Some(rest)));
    let host = match host.to_ascii_lowercase().as_str() {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        host => host.to_owned(),
    };
    match rest {
        Some(rest) => format!("{host}/{rest}"),
        None => host,
    }
}

fn host_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &str, host: &str, repository: &str) -> Result<Option<Credential>, String> {
        let config = Config::parse(config.as_bytes()).unwrap();
        config.find(host, repository, Duration::from_secs(1), &mut Vec::new())
    }

    fn basic(user: &str, password: &str) -> Credential {
        Credential::Basic { user: user.to_owned(), password: Secret::new(password) }
    }

    #[track_caller]
    fn check(config: &str, name: &str, expected: Option<Credential>) {
        let (host, repository) = name.split_once('/').unwrap();
        assert_eq!(find(config, host, repository).unwrap(), expected);
    }

    // `me:secret`, `ns:secret` and `one:two:three` in base64.
    const AUTHS: &str = r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0"},
        "registry.example:5000": {"auth": "bWU6c2VjcmV0"},
        "registry.example:5000/team": {"auth": "bnM6c2VjcmV0"},
        "https://old.example/v2/": {"username": "me", "password": "secret"},
        "colons.example": {"auth": "b25lOnR3bzp0aHJlZQ"},
        "token.example": {"auth": "bWU6c2VjcmV0", "identitytoken": "id"},
        "bearer.example": {"registrytoken": "token"},
        "empty.example": {}
    }}"#;

    #[test]
    fn the_closest_key_counts_however_it_is_written() {
        check(AUTHS, "docker.io/library/alpine", Some(basic("me", "secret")));
        check(AUTHS, "registry.example:5000/app", Some(basic("me", "secret")));
        check(AUTHS, "registry.example:5000/team/app", Some(basic("ns", "secret")));
        check(AUTHS, "registry.example:5000/teams/app", Some(basic("me", "secret")));
        check(AUTHS, "registry.example/app", None);
        check(AUTHS, "old.example/app", Some(basic("me", "secret")));
        check(AUTHS, "colons.example/app", Some(basic("one", "two:three")));
        check(AUTHS, "empty.example/app", None);
    }

    #[test]
    fn a_key_with_a_path_is_the_last_resort() {
        for key in [
            "https://a.b/v1/",
            "https://a.b/v1/users/",
            "https://a.b/api/docker/x/",
            "a.b/",
            "A.b/x",
        ] {
            let config = format!(r#"{{"auths": {{"{key}": {{"auth": "bWU6c2VjcmV0"}}}}}}"#);
            check(&config, "a.b/team/app", Some(basic("me", "secret")));
            check(&config, "b/team/app", None);
        }
        let both = r#"{"auths": {"https://a.b/x/": {"auth": "bnM6c2VjcmV0"}, "a.b/team": {"auth": "bWU6c2VjcmV0"}}}"#;
        check(both, "a.b/team/app", Some(basic("me", "secret")));
        check(both, "a.b/app", Some(basic("ns", "secret")));
    }

    #[test]
    fn a_file_without_anything_in_it_says_nothing() {
        for config in [
            "",
            " \n",
            "null",
            "{}",
            "\u{feff}{}",
            r#"{"auths": {"a.b": null, "c.d": {"auth": null}}}"#,
        ] {
            check(config, "a.b/c", None);
            check(config, "c.d/c", None);
        }
        let dev_null = AuthFile { path: "/dev/null".into(), named: true };
        assert_eq!(super::find(&[dev_null], "a.b", "c", Duration::ZERO), Ok(Found::default()));
    }

    #[test]
    fn long_credentials_may_be_in_lines() {
        for line_end in ["\\n", "\\r\\n"] {
            let config = format!(
                r#"{{"Auths": {{"a.b": {{"AUTH": "bWU6c2{line_end}VjcmV0{line_end}"}}}}}}"#
            );
            check(&config, "a.b/c", Some(basic("me", "secret")));
        }
    }

    #[test]
    fn a_broken_file_that_nobody_named_is_told_only_where_it_matters() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, "{\"auths\": hunter2").unwrap();
        let find = |named| {
            super::find(&[AuthFile { path: path.clone(), named }], "a.b", "c", Duration::ZERO)
        };
        let problems = find(false).unwrap().problems;
        assert!(
            problems[0].contains("line 1, column 11") && !problems[0].contains("hunter2"),
            "{problems:?}"
        );
        assert!(find(true).is_err());
    }

    #[test]
    fn a_dockercfg_is_a_list_of_hosts_and_no_more() {
        let dockercfg = r#"{"https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0", "email": "a@b"},
            "registry.example": {"auth": "bnM6c2VjcmV0"}, "HttpHeaders": {"User-Agent": "x"}}"#;
        check(dockercfg, "docker.io/library/alpine", Some(basic("me", "secret")));
        check(dockercfg, "registry.example/app", Some(basic("ns", "secret")));
        check(dockercfg, "other.example/app", None);
    }

    #[test]
    fn tokens_count_more_than_passwords() {
        check(AUTHS, "token.example/app", Some(Credential::Identity(Secret::new("id"))));
        check(AUTHS, "bearer.example/app", Some(Credential::Token(Secret::new("token"))));
    }

    #[test]
    fn a_broken_entry_is_named_and_not_shown() {
        let error =
            find(r#"{"auths": {"a.b": {"auth": "aHVudGVyMg=="}}}"#, "a.b", "c").unwrap_err();
        assert_eq!(error, "`auth` of `a.b` is not base64 of `user:password`");
        check(r#"{"auths": null, "credsStore": null}"#, "a.b/c", None);
    }

    #[test]
    fn helpers_are_chosen_by_host() {
        let config =
            r#"{"credHelpers": {"a.example": "a", "*.ecr.example": "ecr"}, "credsStore": "all"}"#;
        let config = Config::parse(config.as_bytes()).unwrap();
        assert_eq!(config.helper("a.example"), Some("a"));
        assert_eq!(config.helper("1.ecr.example"), Some("ecr"));
        assert_eq!(config.helper("ecr.example"), None);
        let mut problems = Vec::new();
        let found = config.find("b.example", "app", Duration::from_secs(1), &mut problems);
        assert_eq!(found, Ok(None));
        assert!(problems[0].contains("could not run `docker-credential-all`"), "{problems:?}");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let path = PathBuf::from("/no/auth.json");
        let find = |named| {
            let files = [AuthFile { path: path.clone(), named }];
            super::find(&files, "a.b", "c", Duration::ZERO)
        };
        assert_eq!(find(false), Ok(Found::default()));
        assert!(find(true).unwrap_err().contains("could not read `/no/auth.json`"));
    }
}
