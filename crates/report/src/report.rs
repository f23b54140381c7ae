//! Reports of an evaluation: one file for each format, and one line of each in
//! [`Format`] and in [`write`](fn@write).

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Style, Template, anchore, csv, cyclonedx, github, gitlab, html, junit, markdown, openvex,
    policy, sarif, spdx, sysdig, table,
};
use inscan_document::Section;
use inscan_evaluate::Evaluation;
use inscan_facts::harmless::Harmless;

/// What a report is made from.
pub struct Report<'a> {
    pub evaluation: &'a Evaluation,
    /// What the policies say, where a bundle was given.
    pub policy: Option<&'a inscan_judge::Evaluation>,
    /// The document's own part; from a scan, only with those files that are a package.
    pub section: &'a Section,
    /// For formats that people read on a terminal.
    pub style: &'a Style,
    /// Tell also of what matched and is not held against the image.
    pub show_suppressed: bool,
    /// Every match of the policies' rules, for people.
    pub every_match: bool,
    /// What `-o template` fills in.
    pub template: Option<&'a Template>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Sarif,
    Cyclonedx,
    Spdx,
    Junit,
    Gitlab,
    Github,
    Csv,
    Markdown,
    Html,
    Openvex,
    Template,
    Anchore,
    Sysdig,
}

impl Format {
    /// In the order in which they are listed.
    pub const ALL: [Format; 15] = [
        Format::Table,
        Format::Json,
        Format::Sarif,
        Format::Cyclonedx,
        Format::Spdx,
        Format::Junit,
        Format::Gitlab,
        Format::Github,
        Format::Csv,
        Format::Markdown,
        Format::Html,
        Format::Openvex,
        Format::Template,
        Format::Anchore,
        Format::Sysdig,
    ];

    /// What it is called on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Sarif => "sarif",
            Format::Cyclonedx => "cyclonedx",
            Format::Spdx => "spdx",
            Format::Junit => "junit",
            Format::Gitlab => "gitlab",
            Format::Github => "github",
            Format::Csv => "csv",
            Format::Markdown => "markdown",
            Format::Html => "html",
            Format::Openvex => "openvex",
            Format::Template => "template",
            Format::Anchore => "anchore",
            Format::Sysdig => "sysdig",
        }
    }

    /// What it is, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Format::Table => "Vulnerabilities and verdict, for people",
            Format::Json => "The whole evaluation: JSON (docs/evaluation.schema.json)",
            Format::Sarif => "SARIF 2.1.0, for GitHub code scanning",
            Format::Cyclonedx => "CycloneDX 1.6: all packages and their vulnerabilities; JSON",
            Format::Spdx => "SPDX 2.3: all packages; JSON",
            Format::Junit => "JUnit's XML: a test for each finding",
            Format::Gitlab => "GitLab's container scanning report",
            Format::Github => "Annotations of a GitHub workflow",
            Format::Csv => "A row for each finding",
            Format::Markdown => "For the comment of a pull request",
            Format::Html => "One page with filters, that works offline",
            Format::Openvex => "OpenVEX 0.2.0, to be filled in",
            Format::Template => "What `--template FILE` makes of the evaluation",
            Format::Anchore => {
                "The policies' result as Anchore Engine's API gives it (with --policy)"
            }
            Format::Sysdig => "The policies' result as Sysdig's API gives it (with --policy)",
        }
    }

    /// Whether it tells of policies and of nothing else.
    pub fn needs_policy(self) -> bool {
        matches!(self, Format::Anchore | Format::Sysdig)
    }
}

pub fn write(format: Format, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Report { evaluation, section, show_suppressed, template, .. } = report;
    let text = match format {
        Format::Table => table::render(report),
        Format::Json => return json(report, out),
        Format::Sarif => sarif::render(evaluation, *show_suppressed),
        Format::Cyclonedx => cyclonedx::render(evaluation, section),
        Format::Spdx => spdx::render(evaluation, section),
        Format::Junit => junit::render(evaluation, report.policy),
        Format::Gitlab => gitlab::render(evaluation),
        Format::Github => github::render(evaluation, report.policy),
        Format::Csv => csv::render(evaluation),
        Format::Markdown => markdown::render(evaluation, report.policy),
        Format::Html => html::render(evaluation, report.policy),
        Format::Openvex => openvex::render(evaluation, section),
        Format::Template => {
            let template = template.ok_or_else(|| io::Error::other("there is no template"))?;
            template.render(evaluation).map_err(io::Error::other)?
        }
        Format::Anchore => anchore::render(judged(report)?),
        Format::Sysdig => sysdig::render(judged(report)?),
    };
    out.write_all(text.as_bytes())
}

fn judged<'a>(report: &Report<'a>) -> io::Result<&'a inscan_judge::Evaluation> {
    report.policy.ok_or_else(|| io::Error::other("there is no policy"))
}

fn json(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        evaluation: &'a Evaluation,
        policy: serde_json::Value,
    }
    let evaluation = report.evaluation;
    let to = Harmless::new(&mut *out);
    match report.policy.map(policy::json) {
        Some(policy) => serde_json::to_writer_pretty(to, &Whole { evaluation, policy })?,
        None => serde_json::to_writer_pretty(to, evaluation)?,
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use inscan_document::Section;

    use super::*;
    use crate::testing;

    #[test]
    fn every_report_of_findings_names_the_secrets_and_their_places() {
        let evaluation = testing::with_secrets();
        let style = Style::plain();
        let report = Report {
            evaluation: &evaluation,
            policy: None,
            section: &Section::default(),
            style: &style,
            show_suppressed: true,
            every_match: false,
            template: None,
        };
        let all = [
            Format::Table,
            Format::Json,
            Format::Sarif,
            Format::Junit,
            Format::Gitlab,
            Format::Github,
            Format::Csv,
            Format::Markdown,
            Format::Html,
        ];
        for format in all {
            let mut out = Vec::new();
            write(format, &report, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            for expected in ["github-token", "srv/app/.env"] {
                assert!(text.contains(expected), "{}: no `{expected}`:\n{text}", format.name());
            }
            assert!(!text.contains("<i>") || format != Format::Html, "{text}");
        }
    }
}
