//! What a name names: an image, or what was made of one before.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Failure, Result};
use crate::output::packing;
use inscan_document::{Identity, Overrides};
use inscan_image::document::archive::{self, is_archive};
use inscan_image::source::Reference;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Image,
    /// An analysis document.
    Document(PathBuf),
    /// An analysis archive.
    Archive(PathBuf),
}

/// Recognised by its first bytes. What cannot be read is an image, whose reader says why.
pub(super) fn recognise(place: &str) -> Source {
    let path = Path::new(place);
    // Where a path may be an image as well, its reader says so.
    if Reference::parse(place).is_err() {
        return Source::Image;
    }
    let start = || -> io::Result<Vec<u8>> {
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let mut start = Vec::new();
        File::open(path)?.take(64 << 10).read_to_end(&mut start).map(|_| start)
    };
    let start = start().unwrap_or_default();
    if is_archive(&start) {
        return Source::Archive(path.to_owned());
    }
    // The rest of it may be missing here.
    let mut unpacked = Vec::new();
    if let Ok(reader) = packing::reader(&*start) {
        let _ = reader.take(64 << 10).read_to_end(&mut unpacked);
    }
    match unpacked.trim_ascii_start().first() {
        Some(b'{') => Source::Document(path.to_owned()),
        _ => Source::Image,
    }
}

/// The file of a document or an analysis archive, where the name is one's.
pub(super) fn document(place: &str) -> Option<PathBuf> {
    match recognise(place) {
        Source::Document(path) | Source::Archive(path) => Some(path),
        Source::Image => None,
    }
}

/// Writes the archive of a document in a file.
pub(super) fn pack_document(
    path: &Path,
    overrides: &Overrides,
    options: &archive::Options,
    to: &mut dyn io::Write,
) -> Result<Identity, archive::Error> {
    archive::write_document(packing::open(path)?, overrides, options, to)
}

/// What the image of an archive in a file is called.
pub(super) fn archive_names(path: &Path) -> Result<Identity> {
    let names = File::open(path).map_err(archive::Error::from);
    names.and_then(archive::names).map_err(|error| {
        let message = format!("could not read the archive `{}`", path.display());
        Failure::usage(anyhow::Error::new(error).context(message))
            .hint("an archive is what `inscan archive IMAGE` writes, and the legacy scanner")
    })
}
