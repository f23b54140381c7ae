//! What the image is called in the document: from the command line, or derived from the image.

use crate::image::Image;

/// The names and ids under which the image is reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Registry, repository and tag: `docker.io/library/alpine:3.12`. Images
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
    /// What was not said is taken from the image.
    pub fn new(image: &Image, said: Overrides) -> Self {
        Identity {
            full_tag: full_tag(said.tag.as_deref().unwrap_or_else(|| own_name(image))),
            image_digest: said.image_digest.unwrap_or_else(|| image.manifest_digest.to_string()),
            image_id: said.image_id.unwrap_or_else(|| image.config_digest.hex()),
            dockerfile: said.dockerfile,
        }
    }

    /// Registry and repository without the tag.
    pub fn repository(&self) -> &str {
        split_tag(&self.full_tag).0
    }
}

/// The first name the image carries; else the end of where it was read from.
fn own_name(image: &Image) -> &str {
    if let Some(name) = image.names.first() {
        return name;
    }
    let place = image.source.split_once(':').map_or(&*image.source, |(_, place)| place);
    let end = place.rsplit('/').find(|part| !part.is_empty()).unwrap_or("image");
    end.split(".tar").next().filter(|stem| !stem.is_empty()).unwrap_or(end)
}

/// Completes a reference as the legacy engine did: the tag `latest` where none
/// is given, and in place of a digest; `localbuild/` in front of a name that
/// does not say `docker.io/` and has no registry of its own.
pub(super) fn full_tag(reference: &str) -> String {
    let name = reference.split('@').next().unwrap_or(reference);
    let (repository, tag) = split_tag(name);
    let tag = tag.unwrap_or("latest");
    let registry = match repository.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => "",
        Some(("localbuild", _)) => "",
        _ => "localbuild/",
    };
    format!("{registry}{repository}:{tag}")
}

/// A colon before the last slash belongs to a port.
pub(super) fn split_tag(name: &str) -> (&str, Option<&str>) {
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
            ("registry.example/a@sha256:00", "registry.example/a:latest"),
            ("registry.example/a:1@sha256:00", "registry.example/a:1"),
        ] {
            assert_eq!(full_tag(reference), expected);
        }
    }

    #[test]
    fn an_image_without_a_name_is_called_after_its_file() {
        for (source, expected) in [
            ("oci-archive:/tmp/app.tar", "localbuild/app:latest"),
            ("oci:/tmp/layout/", "localbuild/layout:latest"),
            ("oci:/tmp/layout:2.0", "localbuild/layout:2.0"),
            ("", "localbuild/image:latest"),
        ] {
            let image = Image { source: source.into(), ..Image::default() };
            let identity = Identity::new(&image, Overrides::default());
            assert_eq!(identity.full_tag, expected);
        }
    }
}
