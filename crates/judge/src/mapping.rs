//! Which image is meant: patterns of registries, repositories and tags, digests
//! and ids, in mappings and in the lists of images that pass or fail anyway.

use std::fmt;

use inscan_python_regex::{PatternError, text::Pattern};

/// The image that is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// With registry and repository, as `docker.io/library/debian:12`.
    pub tag: String,
    /// `sha256:` and so on, of its manifest.
    pub digest: String,
    /// The digits of the digest of its configuration.
    pub id: String,
}

/// What all hold for the image.
#[derive(Debug)]
pub struct Selector {
    pub registry: NamePattern,
    pub repository: NamePattern,
    pub image: ImageSelector,
}

#[derive(Debug)]
pub enum ImageSelector {
    Tag(NamePattern),
    Digest(String),
    Id(String),
}

/// A name where `*` stands for anything, or behind `regexp:` a regular expression that matches
/// at the start.
pub enum NamePattern {
    Glob(String),
    Regex(Box<Pattern>),
}

impl fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NamePattern::Glob(text) => write!(f, "{text:?}"),
            NamePattern::Regex(pattern) => write!(f, "regexp:{pattern:?}"),
        }
    }
}

const REGEXP: &str = "regexp:";

impl NamePattern {
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Ok(match text.strip_prefix(REGEXP) {
            Some(regex) => NamePattern::Regex(Box::new(Pattern::new(regex)?)),
            None => NamePattern::Glob(text.to_owned()),
        })
    }

    /// An expression that takes too many steps does not match.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            NamePattern::Glob(glob) => matches(glob, text),
            NamePattern::Regex(pattern) => pattern.is_match_at_start(text).unwrap_or(false),
        }
    }
}

/// In time that is the product of both lengths at most: after a `*` the first place that fits is
/// as good as any other.
fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A full tag in its parts, as mappings see it.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    registry: &'a str,
    repository: &'a str,
    /// None where the image is named by its digest.
    tag: Option<&'a str>,
}

/// Without a registry it is Docker Hub's; without a tag, `latest`.
fn reference(text: &str) -> Reference<'_> {
    let (registry, rest) = match text.split_once('/') {
        Some(("dockerhub", rest)) => (DOCKER_HUB, rest),
        Some((host, rest)) if host.contains(['.', ':']) || LOCAL.contains(&host) => (host, rest),
        _ => (DOCKER_HUB, text),
    };
    if let Some((repository, _)) = rest.split_once('@') {
        let repository = repository.split(':').next().unwrap_or_default();
        return Reference { registry, repository, tag: None };
    }
    match rest.split_once(':') {
        Some((repository, tag)) => Reference { registry, repository, tag: Some(tag) },
        None => Reference { registry, repository: rest, tag: Some("latest") },
    }
}

const DOCKER_HUB: &str = "docker.io";

/// Registries without a dot in their name.
const LOCAL: [&str; 2] = ["localhost", "localbuild"];

/// What keeps a selector from being for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// `registry`, `repository`, `tag`, `digest` or `id`.
    pub what: &'static str,
    /// What the image has there.
    pub found: String,
}

impl Selector {
    pub fn matches(&self, image: &Image) -> bool {
        self.mismatch(image).is_none()
    }

    /// The first part that does not fit.
    pub fn mismatch(&self, image: &Image) -> Option<Mismatch> {
        let Reference { registry, repository, tag } = reference(&image.tag);
        let tag = tag.unwrap_or_default();
        let (what, found, fits) = match &self.image {
            ImageSelector::Digest(digest) => ("digest", &*image.digest, *digest == image.digest),
            ImageSelector::Id(id) => ("id", &*image.id, *id == image.id),
            ImageSelector::Tag(pattern) => ("tag", tag, pattern.matches(tag)),
        };
        let parts = [
            ("registry", registry, self.registry.matches(registry)),
            ("repository", repository, self.repository.matches(repository)),
            (what, found, fits),
        ];
        let (what, found, _) = parts.into_iter().find(|(_, _, fits)| !fits)?;
        Some(Mismatch { what, found: found.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_tags_are_taken_apart() {
        for (text, expected) in [
            ("docker.io/oracle/alpine:1.0", ("docker.io", "oracle/alpine", Some("1.0"))),
            ("alpine", ("docker.io", "alpine", Some("latest"))),
            ("dockerhub/alpine:3", ("docker.io", "alpine", Some("3"))),
            ("a/b/c:1", ("docker.io", "a/b/c", Some("1"))),
            ("localhost/x:1", ("localhost", "x", Some("1"))),
            ("localbuild/x/y:1", ("localbuild", "x/y", Some("1"))),
            ("localhost:5000/team/app:v1", ("localhost:5000", "team/app", Some("v1"))),
            ("quay.io/org/app@sha256:11", ("quay.io", "org/app", None)),
            ("quay.io/org/app:1@sha256:11", ("quay.io", "org/app", None)),
            ("", ("docker.io", "", Some("latest"))),
        ] {
            let Reference { registry, repository, tag } = reference(text);
            assert_eq!((registry, repository, tag), expected, "{text}");
        }
    }

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*.io", "docker.io", true),
            ("oracle", "oracle/alpine", false),
            ("1?0", "1.0", false),
            ("1.0", "1x0", false),
            ("f8*b4", "f8x4b4", true),
            ("f8*b4", "f8b", false),
            ("a*a", "a", false),
            ("a**b*", "a-b-c", true),
            ("regexp:ora.*", "oracle/alpine", true),
            ("regexp:ora", "oracle", true),
            ("regexp:racle", "oracle", false),
        ] {
            assert_eq!(NamePattern::new(pattern).unwrap().matches(text), expected, "{pattern}");
        }
        assert!(NamePattern::new("regexp:(").is_err());
    }

    #[test]
    fn images_are_chosen_by_tag_digest_or_id() {
        let image =
            Image { tag: "quay.io/a/b:1".into(), digest: "sha256:d".into(), id: "1d".into() };
        let any = || NamePattern::Glob("*".into());
        let by = |selector| Selector { registry: any(), repository: any(), image: selector };
        assert!(by(ImageSelector::Tag(NamePattern::Glob("1".into()))).matches(&image));
        assert!(!by(ImageSelector::Tag(NamePattern::Glob("sha256:d".into()))).matches(&image));
        assert!(by(ImageSelector::Digest("sha256:d".into())).matches(&image));
        assert!(!by(ImageSelector::Digest("sha256:e".into())).matches(&image));
        assert!(by(ImageSelector::Id("1d".into())).matches(&image));
        let other = Selector {
            registry: NamePattern::Glob("docker.io".into()),
            ..by(ImageSelector::Id("1d".into()))
        };
        let mismatch = Mismatch { what: "registry", found: "quay.io".into() };
        assert_eq!(other.mismatch(&image), Some(mismatch));
        let named_by_digest = Image { tag: "quay.io/a/b@sha256:d".into(), ..image };
        assert!(by(ImageSelector::Tag(any())).matches(&named_by_digest));
    }
}
