//! The analysis document: what one scan found, in one JSON file. Everything
//! that comes after (evaluation, reports, upload) sees this file only.
//!
//! It has two top-level keys: `document` is the part that backends of the
//! legacy engine understand (see [`legacy`]), `inscan` is our own (see
//! [`section`]). Both are written as a stream: an image has hundreds of
//! thousands of files, and their rows are never in memory together.

mod capability;
mod config;
mod identity;
mod legacy;
mod text;

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::analyze::Analysis;
use legacy::Legacy;

pub use config::{ContainerConfig, Healthcheck, HistoryItem, ImageConfig};
pub use identity::{Identity, Overrides};

#[derive(Serialize)]
struct Document<'a> {
    document: Legacy<'a>,
}

/// Writes the whole document, with a line feed at its end.
pub fn write(analysis: &Analysis<'_>, identity: &Identity, to: impl Write) -> io::Result<()> {
    let config = ImageConfig::parse(&analysis.image.config);
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let legacy = Legacy { analysis, config: &config, identity };
    serde_json::to_writer(&mut to, &Document { document: legacy })?;
    to.write_all(b"\n")?;
    to.flush()
}
