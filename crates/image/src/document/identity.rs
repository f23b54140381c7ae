//! What the image is called in the document: from the command line, or derived from the image.

use std::borrow::Cow;

use inscan_document::identity::full_tag;
use inscan_document::{Identity, Overrides};

use crate::source::Image;
use inscan_facts::digest::BlobDigest;

/// What was not said is taken from the image.
pub fn identity(image: &Image, said: Overrides) -> Identity {
    Identity {
        full_tag: full_tag(&said.tag.map_or_else(|| own_name(image), Cow::Owned)),
        image_digest: said.image_digest.unwrap_or_else(|| image.manifest_digest.to_string()),
        image_id: said.image_id.unwrap_or_else(|| image.config_digest.hex()),
        dockerfile: said.dockerfile,
    }
}

/// The first name the image carries; else the end of where it was read from.
fn own_name(image: &Image) -> Cow<'_, str> {
    if let Some(name) = image.names.first() {
        return name.into();
    }
    let place = image.source.split_once(':').map_or(&*image.source, |(_, place)| place);
    let end = place.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
    // Behind the path, what was asked for of it: a tag, a digest, or a position (`@0`).
    let (path, asked) = end.split_once('@').unwrap_or((end, ""));
    let path = path.trim_end_matches(':');
    let stem = path.split(".tar").next().filter(|stem| !stem.is_empty()).unwrap_or(path);
    let name = match stem.split_once(':') {
        Some((name, tag)) => format!("{}:{tag}", repository(name)),
        None => repository(stem),
    };
    match asked.parse::<BlobDigest>() {
        Ok(digest) => format!("{name}@{digest}").into(),
        Err(_) => name.into(),
    }
}

/// A file's name as one of a repository, which has small letters, digits and few signs.
fn repository(file: &str) -> String {
    let sign = |char: char| match char.to_ascii_lowercase() {
        char @ ('a'..='z' | '0'..='9' | '.' | '_' | '-') => char,
        _ => '-',
    };
    let name: String = file.chars().map(sign).collect();
    let name = name.trim_matches(['.', '_', '-']);
    if name.is_empty() { "image".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_name_is_called_after_its_file() {
        for (source, expected) in [
            ("oci-archive:/tmp/app.tar", "localbuild/app:latest"),
            ("oci:/tmp/layout/", "localbuild/layout:latest"),
            ("oci:/tmp/layout:2.0", "localbuild/layout:2.0"),
            ("oci:/tmp/layout:@0", "localbuild/layout:latest"),
            ("docker-archive:/tmp/My App.tar:@1", "localbuild/my-app:latest"),
            ("", "localbuild/image:latest"),
        ] {
            let image = Image { source: source.into(), ..Image::default() };
            let identity = identity(&image, Overrides::default());
            assert_eq!(identity.full_tag, expected);
        }
    }

    #[test]
    fn an_image_without_a_name_that_was_asked_for_by_its_digest_has_no_tag() {
        let digest = BlobDigest::Sha256(Default::default());
        let image = Image { source: format!("oci:/tmp/layout@{digest}"), ..Image::default() };
        let identity = identity(&image, Overrides::default());
        assert_eq!(identity.full_tag, format!("localbuild/layout@{digest}"));
    }
}
