//! The analysis document: what one scan found, in one JSON file. Everything
//! that comes after (evaluation, reports, upload) sees this file only.
//!
//! It has two top-level keys: `document` is the part that backends of the
//! legacy engine understand, `inscan` is our own (its types: [`section`](mod@section)).
//! Both are written as a stream: an image has hundreds of thousands of files,
//! and their rows are never in memory together.

pub mod archive;
mod capability;
mod identity;
mod legacy;
mod legacy_packages;
mod licence;
mod purl;
mod read;
mod rows;
mod run;
mod sbom;
pub mod section;
mod text;
mod write_section;

use std::io::{self, BufWriter, Write};

use std::time::Instant;

use serde::Serialize;

use crate::analyze::Analysis;
use crate::image::ImageConfig;
use legacy::Legacy;
use write_section::SectionOf;

pub use identity::{Identity, Overrides};
pub use legacy::{OutputFile, Outputs};
pub(crate) use legacy_packages::LANGUAGES as LEGACY_LANGUAGES;
pub(crate) use licence::expression as licence_expression;
pub(crate) use purl::encode as encode_purl;
pub(crate) use read::LEGACY_TOOL;
pub use read::ReadError;
pub use run::rfc3339;
pub use sbom::read;
pub use section::{Run, Section, Timings};

#[derive(Serialize)]
struct Document<'a> {
    document: Legacy<'a>,
    inscan: SectionOf<'a>,
}

/// Writes the whole document, with a line feed at its end.
pub fn write(
    analysis: &Analysis<'_>,
    identity: &Identity,
    run: &Run,
    to: impl Write,
) -> io::Result<()> {
    let begun = Instant::now();
    let config = ImageConfig::read(&analysis.image.config);
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let document = Document {
        document: Legacy { analysis, config: &config, identity },
        inscan: SectionOf { analysis, config: &config, identity, run, begun, with_files: true },
    };
    serde_json::to_writer(&mut to, &document)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// What a reader of the document would have of our own part, but for the files that are no
/// package: there may be millions of them, and they are not all held in memory.
pub fn section(analysis: &Analysis<'_>, identity: &Identity, run: &Run) -> io::Result<Section> {
    let config = ImageConfig::read(&analysis.image.config);
    let begun = Instant::now();
    let section = SectionOf { analysis, config: &config, identity, run, begun, with_files: false };
    Ok(serde_json::from_slice(&serde_json::to_vec(&section)?)?)
}

#[cfg(test)]
mod tests;
