//! What the image is called in the document.

/// The names and ids under which the image is reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Registry, repository and tag: `docker.io/library/alpine:3.12`; with a digest in place of the
    /// tag (`…/alpine@sha256:…`), where the image was asked for so. Images
    /// without a registry of their own are in `localbuild/`.
    pub full_tag: String,
    /// Digest of the manifest: `sha256:…`.
    pub image_digest: String,
    /// Digest of the configuration: 64 hex digits.
    pub image_id: String,
    /// The text of the Dockerfile, where one was given.
    pub dockerfile: Option<String>,
}

/// What the command line said about it.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub tag: Option<String>,
    pub image_digest: Option<String>,
    pub image_id: Option<String>,
    pub dockerfile: Option<String>,
}

impl Overrides {
    /// Whether it said anything.
    pub fn is_set(&self) -> bool {
        let Overrides { tag, image_digest, image_id, dockerfile } = self;
        [tag, image_digest, image_id, dockerfile].into_iter().any(Option::is_some)
    }
}

impl Identity {
    /// Registry and repository without the tag.
    pub fn repository(&self) -> &str {
        split_tag(&self.full_tag).0
    }
}

/// Completes a reference as the legacy engine did: the tag `latest` where neither tag nor digest
/// is given, and `localbuild/` in front of a name that does not say `docker.io/` and has no registry
/// of its own. What is named by its digest alone has no tag.
pub fn full_tag(reference: &str) -> String {
    let (repository, tag) = split_tag(reference);
    let registry = match repository.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => "",
        Some(("localbuild", _)) => "",
        _ => "localbuild/",
    };
    match (tag, reference.split_once('@')) {
        (Some(tag), _) => format!("{registry}{repository}:{tag}"),
        (None, Some((_, digest))) => format!("{registry}{repository}@{digest}"),
        (None, None) => format!("{registry}{repository}:latest"),
    }
}

/// Registry and repository, and the tag. A digest belongs to neither.
/// A colon before the last slash belongs to a port.
pub fn split_tag(name: &str) -> (&str, Option<&str>) {
    let name = name.split_once('@').map_or(name, |(name, _digest)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_completed() {
        for (reference, expected) in [
            ("docker.io/oracle/files:1.0", "docker.io/oracle/files:1.0"),
            ("localhost:5000/team/app", "localhost:5000/team/app:latest"),
            ("registry.example/org/repo/sub", "registry.example/org/repo/sub:latest"),
            ("myapp:1", "localbuild/myapp:1"),
            ("library/alpine", "localbuild/library/alpine:latest"),
            ("localbuild/app:2", "localbuild/app:2"),
            ("registry.example/a@sha256:00", "registry.example/a@sha256:00"),
            ("registry.example/a:1@sha256:00", "registry.example/a:1"),
        ] {
            assert_eq!(full_tag(reference), expected);
        }
    }
}
