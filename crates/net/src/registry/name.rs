//! Names of images in registries, `HOST/REPOSITORY:TAG@DIGEST`, as the reference grammar has
//! them (<https://github.com/distribution/reference/blob/main/reference.go>), with
//! Docker's defaults: `docker.io`, `library/`, `latest`.

use std::fmt;

use inscan_facts::digest::BlobDigest;
use inscan_facts::error::{shown, usage};

pub(super) const DOCKER_HUB: &str = "docker.io";
/// Docker Hub's name is not where its API is.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
const MAX_NAME_LENGTH: usize = 255;
const MAX_TAG_LENGTH: usize = 128;

/// A full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// With its port, where there is one.
    pub(super) host: String,
    pub(super) repository: String,
    /// There is a tag, a digest, or both; a digest is what counts then.
    pub(super) tag: Option<String>,
    pub(super) digest: Option<BlobDigest>,
}

impl Name {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        parse(text).map_err(|why| {
            usage(format!(
                "`{}` is not a name of an image: {why}; a name is [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]",
                shown(text)
            ))
        })
    }

    /// What the registry is asked for: a digest, or a tag.
    pub(super) fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// `docker.io/library/alpine:3.20`, `docker.io/library/alpine@sha256:…`: of these what it has.
    pub(super) fn names(&self) -> Vec<String> {
        let Name { host, repository, .. } = self;
        let tagged = self.tag.iter().map(|tag| format!("{host}/{repository}:{tag}"));
        let digest = self.digest.iter().map(|digest| format!("{host}/{repository}@{digest}"));
        tagged.chain(digest).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Where the API of a host is.
pub(super) fn api_host(host: &str) -> &str {
    if host == DOCKER_HUB { DOCKER_HUB_API } else { host }
}

fn parse(text: &str) -> Result<Name, String> {
    if text.contains("://") {
        return Err("leave the scheme out (`--plain-http` is for http)".to_owned());
    }
    let (rest, digest) = match text.split_once('@') {
        None => (text, None),
        Some((rest, digest)) => {
            let digest = digest.parse().map_err(|_| {
                "behind `@` there must be `sha256:` and 64 lower-case hex digits, or `sha512:` and 128".to_owned()
            })?;
            (rest, Some(digest))
        }
    };
    // A colon before the last slash is a port's.
    let (rest, tag) = match rest.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => (before, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (host, repository) = host_and_repository(rest)?;
    let tag = match (tag, &digest) {
        (Some(tag), _) => Some(tag.to_owned()),
        (None, Some(_)) => None,
        (None, None) => Some("latest".to_owned()),
    };
    Ok(Name { host, repository, tag, digest })
}

/// Splits `localhost:5000/app` and completes `alpine`.
fn host_and_repository(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((first, rest)) if is_host(first) => completed(first, rest),
        _ => completed(DOCKER_HUB, text),
    }
}

/// Checks both, and completes what Docker Hub has by default.
pub(super) fn completed(host: &str, repository: &str) -> Result<(String, String), String> {
    check_host(host)?;
    let host = match host.to_ascii_lowercase().as_str() {
        "index.docker.io" | DOCKER_HUB_API => DOCKER_HUB.to_owned(),
        host => host.to_owned(),
    };
    let repository = if host == DOCKER_HUB && !repository.contains('/') {
        format!("library/{repository}")
    } else {
        repository.to_owned()
    };
    check_repository(&repository)?;
    if host.len() + repository.len() + 1 > MAX_NAME_LENGTH {
        return Err(format!("it is longer than {MAX_NAME_LENGTH} characters"));
    }
    Ok((host, repository))
}

/// As Docker tells a host from the first part of a repository's name.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':'])
        || first == "localhost"
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn check_host(host: &str) -> Result<(), String> {
    let wrong = || format!("`{}` is not a host", shown(host));
    let (address, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(wrong)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            (None, port.strip_prefix(':'))
        }
        None => match host.split_once(':') {
            Some((address, port)) => (Some(address), Some(port)),
            None => (Some(host), None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if address.is_some_and(|address| !address.split('.').all(label)) {
        return Err(wrong());
    }
    match port {
        Some(port) if port.parse::<u16>().is_err() || port.starts_with('+') => {
            Err(format!("`{}` is not a port", shown(port)))
        }
        _ => Ok(()),
    }
}

fn check_repository(repository: &str) -> Result<(), String> {
    if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let right = shown(repository.to_ascii_lowercase());
        return Err(format!("repositories are written in lower case: `{right}`"));
    }
    if repository.split('/').all(is_component) {
        return Ok(());
    }
    Err(format!("`{}` is not a repository", shown(repository)))
}

/// Letters and digits, with single separators between them: `.`, `_`, `__`, any number of `-`.
fn is_component(component: &str) -> bool {
    let separator = |byte: u8| matches!(byte, b'.' | b'_' | b'-');
    let words_and_separators = component.as_bytes().chunk_by(|a, b| separator(*a) == separator(*b));
    let mut first_and_last = [component.bytes().next(), component.bytes().next_back()].into_iter();
    first_and_last.all(|byte| byte.is_some_and(|byte| !separator(byte)))
        && component.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || separator(b))
        && words_and_separators
            .filter(|part| part.first().copied().is_some_and(separator))
            .all(|part| matches!(part, b"." | b"_" | b"__") || part.iter().all(|b| *b == b'-'))
}

fn check_tag(tag: &str) -> Result<(), String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let right = tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
        && tag.len() <= MAX_TAG_LENGTH;
    if right { Ok(()) } else { Err(format!("`{}` is not a tag", shown(tag))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Name::parse(text).unwrap().to_string(), expected);
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = Name::parse(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn names_are_completed_as_docker_does() {
        check("alpine", "docker.io/library/alpine:latest");
        check("alpine:3.20", "docker.io/library/alpine:3.20");
        check("me/app", "docker.io/me/app:latest");
        check("docker.io/alpine", "docker.io/library/alpine:latest");
        check("index.docker.io/library/alpine", "docker.io/library/alpine:latest");
        check("localhost/app", "localhost/app:latest");
        check("localhost:5000/app", "localhost:5000/app:latest");
        check("Registry.example/a/b__c/d--e:V1", "registry.example/a/b__c/d--e:V1");
        check("[::1]:5000/app:1", "[::1]:5000/app:1");
        check(&format!("alpine@{DIGEST}"), &format!("docker.io/library/alpine@{DIGEST}"));
        check(&format!("a.b/c:1@{DIGEST}"), &format!("a.b/c:1@{DIGEST}"));
    }

    #[test]
    fn a_digest_counts_more_than_a_tag() {
        let name = Name::parse(&format!("registry.example/app:1@{DIGEST}")).unwrap();
        assert_eq!(name.wanted(), DIGEST);
        let with_digest = format!("registry.example/app@{DIGEST}");
        assert_eq!(name.names(), ["registry.example/app:1", &with_digest]);
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        refused("", "`library/` is not a repository");
        refused("https://registry.example/app", "leave the scheme out");
        refused("me/App", "in lower case: `me/app`");
        refused("app:", "`` is not a tag");
        refused("app:-x", "`-x` is not a tag");
        refused("app@sha256:12", "64 lower-case hex digits");
        refused("app@sha512:12", "sha256");
        refused("registry.example:port/app", "`port` is not a port");
        refused("registry.example:70000/app", "`70000` is not a port");
        refused("-x.example/app", "`-x.example` is not a host");
        refused("[::1/app", "is not a host");
        for repository in ["a//b", "a/", "a/.b", "a/b_", "a/b..c", "a/b___c", "a/b c", "a/../b"] {
            refused(&format!("registry.example/{repository}"), "is not a repository");
        }
        refused(&format!("registry.example/{}", "a".repeat(300)), "longer than 255");
        refused(&format!("app:{}", "a".repeat(129)), "is not a tag");
    }
}
