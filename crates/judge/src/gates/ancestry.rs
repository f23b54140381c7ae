//! What the image is built on: a gate of later versions of the engine, which
//! knows the images it has analyzed. Here it is taken from what the image says:
//! the labels that builders write
//! (<https://github.com/opencontainers/image-spec/blob/main/annotations.md>), or
//! the last `FROM` of the Dockerfile that was given.

use super::dockerfile;
use crate::facts::{DockerfileMode, DocumentFacts, ImageFacts};
use crate::params::Params;
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};

const DIGESTS: &str = "sha256:9f3d0e2f5c43d6f6b5a3f07a0a8b6a1a0c94d3a4dd8e0b6a9d2a3f7c1e5b4a60";
const TAGS: &str = "docker.io/library/debian:12-slim,registry.example/base:1";

pub(super) static GATE: Gate = Gate {
    name: "ancestry",
    about: "The image that this one is built on, as its labels or its Dockerfile name it",
    triggers: &[
        Trigger {
            name: "allowed_base_image_digest",
            aliases: &[],
            about: "Fires where the base image is not one of these, or not known; build on one that \
                    is approved",
            params: &[Param::required(
                "base_digest",
                Kind::List,
                DIGESTS,
                "Digests of base images",
            )],
            check: None,
            fire: allowed_digest,
        },
        Trigger {
            name: "allowed_base_image_tag",
            aliases: &[],
            about: "Fires where the base image is not one of these, or not known; build on one that \
                    is approved",
            params: &[Param::required(
                "base_tag",
                Kind::List,
                TAGS,
                "Names of base images with tags",
            )],
            check: None,
            fire: allowed_tag,
        },
        Trigger {
            name: "denylist_ancestor_image_digest",
            aliases: &["denied_ancestor_image_digest"],
            about: "Fires where the image is built on one of these; build on another",
            params: &[Param::required("ancestor_digest", Kind::List, DIGESTS, "Digests of images")],
            check: None,
            fire: denied_digest,
        },
        Trigger {
            name: "denylist_ancestor_image_tag",
            aliases: &["denied_ancestor_image_tag"],
            about: "Fires where the image is built on one of these; build on another",
            params: &[Param::required(
                "ancestor_tag",
                Kind::List,
                TAGS,
                "Names of images with tags",
            )],
            check: None,
            fire: denied_tag,
        },
        Trigger {
            name: "no_ancestors_analyzed",
            aliases: &[],
            about: "Fires where the image does not say what it is built on; label it \
                    (`org.opencontainers.image.base.name`), or analyze it with `--dockerfile`",
            params: &[],
            check: None,
            fire: unknown,
        },
    ],
};

fn allowed_digest(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let base = Base::of(facts.image()?);
    Ok(not_among(base.digest, "digest", params.list("base_digest").unwrap_or_default()))
}

fn allowed_tag(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let base = Base::of(facts.image()?);
    Ok(not_among(base.tag, "tag", &completed(params.list("base_tag"))))
}

fn not_among(base: Option<String>, what: &str, allowed: &[String]) -> Vec<Match> {
    match base {
        Some(base) if allowed.contains(&base) => Vec::new(),
        Some(base) => vec![Match::of(format!("Base image {what} is not approved: {base}"))],
        None => vec![Match::of(format!("Base image {what} is not known, and so not approved"))],
    }
}

fn denied_digest(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let base = Base::of(facts.image()?);
    among(base.digest, "digest", params.list("ancestor_digest").unwrap_or_default())
}

fn denied_tag(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let base = Base::of(facts.image()?);
    among(base.tag, "tag", &completed(params.list("ancestor_tag")))
}

fn among(base: Option<String>, what: &str, denied: &[String]) -> Result<Vec<Match>, TriggerError> {
    let Some(base) = base else {
        return Err(TriggerError::NotAnswerable(format!(
            "the {what} of the base image is not known: label the image \
             (`org.opencontainers.image.base.*`), or analyze it with `--dockerfile`"
        )));
    };
    let message = format!("Ancestor image {what} is denied: {base}");
    Ok(if denied.contains(&base) { vec![Match::of(message)] } else { Vec::new() })
}

fn unknown(facts: &DocumentFacts<'_>, _: &Params) -> Result<Vec<Match>, TriggerError> {
    Ok(match Base::of(facts.image()?) {
        Base { tag: None, digest: None } => vec![Match::of("No known ancestor of the image")],
        _ => Vec::new(),
    })
}

/// What the image is built on, as far as it is said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Base {
    /// In full: `docker.io/library/debian:12`.
    tag: Option<String>,
    digest: Option<String>,
}

impl Base {
    fn of(image: &ImageFacts) -> Self {
        let label = |name: &str| {
            let label = image.labels.get(&format!("org.opencontainers.image.base.{name}"));
            label.filter(|value| !value.is_empty())
        };
        let from = label("name").cloned().or_else(|| last_from(image));
        let mut base = from.map(|from| Base::named(&from)).unwrap_or_default();
        if let Some(digest) = label("digest") {
            base.digest = Some(digest.clone());
        }
        base
    }

    /// `name[:tag][@digest]`.
    fn named(reference: &str) -> Self {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (reference, None),
        };
        let has_tag = has_tag(name);
        // Of a name with a digest alone the tag is not known.
        let tag = (has_tag || digest.is_none()).then(|| complete(name));
        Base { tag, digest }
    }
}

/// What the last stage of an actual Dockerfile is built on; a guessed one does not know.
fn last_from(image: &ImageFacts) -> Option<String> {
    if image.dockerfile_mode != DockerfileMode::Actual {
        return None;
    }
    let lines = dockerfile::parsed(image);
    let stages: Vec<(&str, Option<&str>)> = lines
        .iter()
        .filter(|line| line.instruction == "FROM")
        .filter_map(|line| {
            let mut words = line.rest.split_whitespace().filter(|word| !word.starts_with("--"));
            let from = words.next()?;
            let is_named = words.next().is_some_and(|word| word.eq_ignore_ascii_case("as"));
            Some((from, words.next().filter(|_| is_named)))
        })
        .collect();
    // A stage may be built on one before it.
    let (mut from, _) = *stages.last()?;
    for (earlier, name) in stages.iter().rev().skip(1) {
        if name.is_some_and(|name| name.eq_ignore_ascii_case(from)) {
            from = earlier;
        }
    }
    (!from.contains('$')).then(|| from.to_owned())
}

fn completed(names: Option<&[String]>) -> Vec<String> {
    names.unwrap_or_default().iter().map(|name| complete(name)).collect()
}

/// A name without a registry is of Docker Hub; one without a tag is the latest.
fn complete(name: &str) -> String {
    if name == "scratch" {
        return name.to_owned();
    }
    let registry = match name.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => "",
        Some(_) => "docker.io/",
        None => "docker.io/library/",
    };
    let tag = if has_tag(name) { "" } else { ":latest" };
    format!("{registry}{name}{tag}")
}

/// A colon before the last slash belongs to a port.
fn has_tag(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::testing::{failure, fired, image};

    fn base(dockerfile: &str, labels: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let label = |(name, value): &(&str, &str)| {
            (format!("org.opencontainers.image.base.{name}"), (*value).to_owned())
        };
        let image = ImageFacts {
            dockerfile: dockerfile.to_owned(),
            dockerfile_mode: DockerfileMode::Actual,
            labels: labels.iter().map(label).collect(),
            ..ImageFacts::default()
        };
        let Base { tag, digest } = Base::of(&image);
        (tag, digest)
    }

    #[test]
    fn the_base_is_that_of_the_last_stage_or_of_the_labels() {
        let (debian, build) = ("docker.io/library/debian:12", "registry.example:5000/a/b:latest");
        for (dockerfile, labels, tag, digest) in [
            ("FROM debian:12", &[][..], Some(debian), None),
            ("FROM --platform=linux/arm64 debian:12 AS x", &[], Some(debian), None),
            ("FROM registry.example:5000/a/b", &[], Some(build), None),
            ("FROM debian:12 AS a\nFROM a AS b\nFROM B", &[], Some(debian), None),
            ("FROM debian:12 AS a\nFROM scratch", &[], Some("scratch"), None),
            ("FROM debian:12@sha256:1", &[], Some(debian), Some("sha256:1")),
            ("FROM debian@sha256:1", &[], None, Some("sha256:1")),
            ("FROM $BASE", &[], None, None),
            ("RUN a", &[], None, None),
            (
                "FROM b",
                &[("name", "debian:12"), ("digest", "sha256:2")],
                Some(debian),
                Some("sha256:2"),
            ),
            ("", &[("digest", "sha256:2")], None, Some("sha256:2")),
        ] {
            let expected = (tag.map(str::to_owned), digest.map(str::to_owned));
            assert_eq!(base(dockerfile, labels), expected, "{dockerfile}");
        }
    }

    #[test]
    fn a_base_that_is_not_known_is_never_approved() {
        let known = image(&[], ("Actual", "FROM debian:12@sha256:1"));
        let unknown = image(&[], ("Guessed", "FROM scratch"));
        for (trigger, param, value, of_known, of_unknown) in [
            ("allowed_base_image_tag", "base_tag", "debian:12, x", None, Some("tag is not known")),
            (
                "allowed_base_image_tag",
                "base_tag",
                "x",
                Some("library/debian:12"),
                Some("not known"),
            ),
            ("allowed_base_image_digest", "base_digest", "sha256:1", None, Some("not known")),
            (
                "allowed_base_image_digest",
                "base_digest",
                "sha256:2",
                Some("sha256:1"),
                Some("known"),
            ),
        ] {
            for (image, expected) in [(&known, of_known), (&unknown, of_unknown)] {
                let found = fired(&GATE, trigger, &[(param, value)], image);
                let is_expected = match expected {
                    None => found.is_empty(),
                    Some(text) => found.len() == 1 && found[0].contains(text),
                };
                assert!(is_expected, "{trigger} {value}: {found:?}");
            }
        }
        assert_eq!(fired(&GATE, "no_ancestors_analyzed", &[], &unknown).len(), 1);
        assert!(fired(&GATE, "no_ancestors_analyzed", &[], &known).is_empty());
        for (trigger, param, value) in [
            ("denylist_ancestor_image_tag", "ancestor_tag", "docker.io/library/debian:12"),
            ("denylist_ancestor_image_digest", "ancestor_digest", "sha256:1"),
        ] {
            assert_eq!(fired(&GATE, trigger, &[(param, value)], &known).len(), 1);
            assert!(fired(&GATE, trigger, &[(param, "other")], &known).is_empty());
            let failure = failure(&GATE, trigger, &[(param, value)], &unknown);
            assert!(failure.contains("label the image"), "{failure}");
        }
    }
}
