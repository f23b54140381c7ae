//! Who we are to a registry: what was said on the command line, else what `docker login` and
//! `podman login` left behind
//! (<https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::helper;
use super::name::DOCKER_HUB;
use crate::Secret;
use inscan_facts::error::shown;
use inscan_facts::json::or_empty;

/// As `docker login` names Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
const MAX_BYTES: u64 = 4 << 20;

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

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    #[serde(deserialize_with = "or_empty")]
    auths: BTreeMap<String, Entry>,
    #[serde(deserialize_with = "or_empty")]
    creds_store: String,
    #[serde(deserialize_with = "or_empty")]
    cred_helpers: BTreeMap<String, String>,
    /// Other settings; in a file of before 2015 (`.dockercfg`) what is in `auths` since.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "or_empty")]
    auth: String,
    #[serde(deserialize_with = "or_empty")]
    username: String,
    #[serde(deserialize_with = "or_empty")]
    password: String,
    #[serde(deserialize_with = "or_empty")]
    identitytoken: String,
    #[serde(deserialize_with = "or_empty")]
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
        let Some(config) = read(file)? else { continue };
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
    // serde's own words might show a piece of the file.
    Config::parse(&bytes).map(Some).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!(
            "`{}`, line {line}, column {column}: it is not a configuration of docker or podman",
            path.display()
        )
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Config {
    fn parse(bytes: &[u8]) -> serde_json::Result<Config> {
        let mut config: Config = serde_json::from_slice(bytes)?;
        let others = std::mem::take(&mut config.others);
        if config.auths.is_empty() {
            let entry = |(key, value)| Some((key, serde_json::from_value(value).ok()?));
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
        let mut ask = |name: &str| match helper::get(name, server(host), patience) {
            Ok(found) => found,
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        if let Some(found) = self.helper(host).and_then(&mut ask) {
            return Ok(Some(found));
        }
        for wanted in scopes(host, repository) {
            // As written before what merely means the same.
            let written = self.auths.get_key_value(&wanted);
            let same = self.auths.iter().filter(|(key, _)| normal(key) == wanted);
            for (key, entry) in written.into_iter().chain(same) {
                if let Some(found) = entry.credential(key)? {
                    return Ok(Some(found));
                }
            }
        }
        if self.creds_store.is_empty() {
            return Ok(None);
        }
        Ok(ask(&self.creds_store))
    }

    /// The helper for a host; `*.example.com` is for all below it.
    fn helper(&self, host: &str) -> Option<&str> {
        let exact = self.cred_helpers.iter().find(|(key, _)| normal(key) == host);
        let below = |key: &str| {
            key.strip_prefix('*').is_some_and(|end| end.starts_with('.') && host.ends_with(end))
        };
        let found = exact.or_else(|| self.cred_helpers.iter().find(|(key, _)| below(key)))?;
        Some(found.1)
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
            let text = self.auth.trim();
            let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
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
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    };
    match rest {
        Some(rest) => format!("{host}/{rest}"),
        None => host.to_owned(),
    }
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
        let config: Config = serde_json::from_str(config).unwrap();
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
