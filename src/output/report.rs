//! Reports of an evaluation: one file for each format, and one line of each in
//! [`Format`] and in [`write`].

use std::io::{self, Write};

use clap::ValueEnum;

use super::Style;
use super::table;
use crate::document::Section;
use crate::evaluate::Evaluation;

/// What a report is made from.
pub struct Report<'a> {
    pub evaluation: &'a Evaluation,
    /// The document's own part; from a scan, without its files.
    pub section: &'a Section,
    /// For formats that people read on a terminal.
    pub style: &'a Style,
    /// Tell also of what matched and is not held against the image.
    pub show_suppressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Vulnerabilities and verdict, for people
    Table,
    /// The whole evaluation: JSON (docs/evaluation.schema.json)
    Json,
}

pub fn write(format: Format, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => out.write_all(table::render(report).as_bytes()),
        Format::Json => json(report, out),
    }
}

fn json(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report.evaluation)?;
    out.write_all(b"\n")
}
