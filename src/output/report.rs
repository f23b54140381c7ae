//! Reports of an evaluation: one file for each format, and one line of each in
//! [`Format`] and in [`write`].

use std::io::{self, Write};

use clap::ValueEnum;

use super::{
    Style, csv, cyclonedx, github, gitlab, html, junit, markdown, openvex, sarif, spdx, table,
};
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
    /// One line for each finding
    Csv,
    /// An SBOM with its vulnerabilities: CycloneDX 1.6, JSON
    Cyclonedx,
    /// Annotations in the log of a GitHub workflow
    Github,
    /// GitLab's container scanning report
    Gitlab,
    /// One page for a browser, without anything from elsewhere
    Html,
    /// A test report, one test for each package
    Junit,
    /// For a merge request or a wiki
    Markdown,
    /// A skeleton of statements to be filled in: OpenVEX
    Openvex,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// An SBOM: SPDX 2.3, JSON
    Spdx,
}

pub fn write(format: Format, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Report { evaluation, section, show_suppressed, .. } = *report;
    let text = match format {
        Format::Json => return json(evaluation, out),
        Format::Table => table::render(report),
        Format::Csv => csv::render(evaluation),
        Format::Cyclonedx => cyclonedx::render(evaluation, section),
        Format::Github => github::render(evaluation),
        Format::Gitlab => gitlab::render(evaluation),
        Format::Html => html::render(evaluation),
        Format::Junit => junit::render(evaluation),
        Format::Markdown => markdown::render(evaluation),
        Format::Openvex => openvex::render(evaluation, section),
        Format::Sarif => sarif::render(evaluation, show_suppressed),
        Format::Spdx => spdx::render(evaluation, section),
    };
    out.write_all(text.as_bytes())
}

fn json(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, evaluation)?;
    out.write_all(b"\n")
}
