//! STUB until the document lands.

use std::io::{self, Write};

use crate::analyze::Analysis;
use crate::image::Image;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub full_tag: String,
    pub image_digest: String,
    pub image_id: String,
    pub dockerfile: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub tag: Option<String>,
    pub image_digest: Option<String>,
    pub image_id: Option<String>,
    pub dockerfile: Option<String>,
}

impl Identity {
    pub fn new(image: &Image, said: Overrides) -> Self {
        Identity {
            full_tag: said.tag.unwrap_or_else(|| image.source.clone()),
            image_digest: said.image_digest.unwrap_or_else(|| image.manifest_digest.to_string()),
            image_id: said.image_id.unwrap_or_else(|| image.config_digest.hex()),
            dockerfile: said.dockerfile,
        }
    }
}

pub fn write(_: &Analysis<'_>, _: &Identity, mut to: impl Write) -> io::Result<()> {
    writeln!(to, "{{}}")
}
