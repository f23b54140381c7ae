//! What the image is called in the document: from the command line, or derived from the image.

use inscan_document::identity::full_tag;
use inscan_document::{Identity, Overrides};

use crate::source::Image;

/// What was not said is taken from the image.
pub fn identity(image: &Image, said: Overrides) -> Identity {
    Identity {
        full_tag: full_tag(said.tag.as_deref().unwrap_or_else(|| own_name(image))),
        image_digest: said.image_digest.unwrap_or_else(|| image.manifest_digest.to_string()),
        image_id: said.image_id.unwrap_or_else(|| image.config_digest.hex()),
        dockerfile: said.dockerfile,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_name_is_called_after_its_file() {
        for (source, expected) in [
            ("oci-archive:/tmp/app.tar", "localbuild/app:latest"),
            ("oci:/tmp/layout/", "localbuild/layout:latest"),
            ("oci:/tmp/layout:2.0", "localbuild/layout:2.0"),
            ("", "localbuild/image:latest"),
        ] {
            let image = Image { source: source.into(), ..Image::default() };
            let identity = identity(&image, Overrides::default());
            assert_eq!(identity.full_tag, expected);
        }
    }
}
