//! Reports of an evaluation: one file for each format, and one line of each in
//! [`Format`] and in [`write`].

use std::io::{self, Write};

use clap::ValueEnum;

use super::{
    Style, Template, csv, cyclonedx, github, gitlab, html, junit, markdown, openvex, sarif, spdx,
    table,
};
use crate::document::Section;
use crate::evaluate::Evaluation;

/// What a report is made from.
pub struct Report<'a> {
    pub evaluation: &'a Evaluation,
    /// The document's own part; from a scan, only with those files that are a package.
    pub section: &'a Section,
    /// For formats that people read on a terminal.
    pub style: &'a Style,
    /// Tell also of what matched and is not held against the image.
    pub show_suppressed: bool,
    /// What `-o template` fills in.
    pub template: Option<&'a Template>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Vulnerabilities and verdict, for people
    Table,
    /// The whole evaluation: JSON (docs/evaluation.schema.json)
    Json,
    /// SARIF 2.1.0, for GitHub code scanning
    Sarif,
    /// CycloneDX 1.6: all packages and their vulnerabilities; JSON
    Cyclonedx,
    /// SPDX 2.3: all packages; JSON
    Spdx,
    /// JUnit's XML: a test for each finding
    Junit,
    /// GitLab's container scanning report
    Gitlab,
    /// Annotations of a GitHub workflow
    Github,
    /// A row for each finding
    Csv,
    /// For the comment of a pull request
    Markdown,
    /// One page with filters, that works offline
    Html,
    /// OpenVEX 0.2.0, to be filled in
    Openvex,
    /// What `--template FILE` makes of the evaluation
    Template,
}

pub fn write(format: Format, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Report { evaluation, section, show_suppressed, template, .. } = report;
    let text = match format {
        Format::Table => table::render(report),
        Format::Json => return json(evaluation, out),
        Format::Sarif => sarif::render(evaluation, *show_suppressed),
        Format::Cyclonedx => cyclonedx::render(evaluation, section),
        Format::Spdx => spdx::render(evaluation, section),
        Format::Junit => junit::render(evaluation),
        Format::Gitlab => gitlab::render(evaluation),
        Format::Github => github::render(evaluation),
        Format::Csv => csv::render(evaluation),
        Format::Markdown => markdown::render(evaluation),
        Format::Html => html::render(evaluation),
        Format::Openvex => openvex::render(evaluation, section),
        Format::Template => {
            let template = template.ok_or_else(|| io::Error::other("there is no template"))?;
            template.render(evaluation).map_err(io::Error::other)?
        }
    };
    out.write_all(text.as_bytes())
}

fn json(evaluation: &Evaluation, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, evaluation)?;
    out.write_all(b"\n")
}
