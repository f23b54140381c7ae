//! Writes the analysis document: what one scan found, in one JSON file.
//!
//! It has two top-level keys: `document` is the part that backends of the
//! legacy engine understand, `inscan` is our own (its types: [`inscan_document::section`]).
//! Both are written as a stream: an image has hundreds of thousands of files,
//! and their rows are never in memory together.

pub mod archive;
mod capability;
mod identity;
mod legacy;
mod rows;
mod timings;
mod write_section;

use std::io::{self, BufWriter, Write};

use std::time::Instant;

use inscan_analyzers::Part;
use inscan_document::{Identity, Run, Section};
use inscan_facts::harmless::Harmless;
use serde::Serialize;

use crate::analyze::Analysis;
use legacy::Legacy;
use write_section::SectionOf;

pub use identity::identity;
pub use legacy::Outputs;
pub use timings::{ended, of as timings};

#[derive(Serialize)]
struct Document<'a> {
    /// It is made of all files.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Legacy<'a>>,
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
    let config = &analysis.config;
    let mut to = BufWriter::with_capacity(1 << 16, Harmless::new(to));
    let has_files = !analysis.left_out.contains(&Part::Files);
    let document = Document {
        document: has_files.then_some(Legacy { analysis, config, identity }),
        inscan: SectionOf { analysis, config: &analysis.shown, identity, run, begun },
    };
    serde_json::to_writer(&mut to, &document)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// What a reader of the document would have of our own part, but for the files that are no
/// package: there may be millions of them, and they are not all held in memory.
pub fn section(analysis: &Analysis<'_>, identity: &Identity, run: &Run) -> Section {
    let config = &analysis.shown;
    SectionOf { analysis, config, identity, run, begun: Instant::now() }.without_other_files()
}

#[cfg(test)]
mod tests;
