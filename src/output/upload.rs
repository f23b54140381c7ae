//! What a backend says of an image.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::backend::{Check, ImageNames, Row, Verdict};
use inscan_report::Style;
use inscan_report::page::{Page, wrapped};
use inscan_report::text::shown;

/// The verdict, and what belongs to it.
pub struct UploadResult<'a> {
    /// Its host.
    pub backend: &'a str,
    pub names: &'a ImageNames,
    pub check: &'a Check,
    /// Whether an archive was sent; else the image was known.
    pub was_sent: bool,
    /// Where people see it.
    pub page: Option<&'a str>,
    /// The backend's answer, where it was asked for.
    pub vulnerabilities: Option<&'a Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The verdict and what it comes from, for people
    Table,
    /// The same: JSON
    Json,
    /// The evaluation as the backend answers it: JSON of Anchore's API
    Anchore,
    /// Which vulnerabilities the backend knows: JSON of Anchore's API
    Vulnerabilities,
}

pub fn write(
    format: Format,
    judged: &UploadResult<'_>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Table => return out.write_all(table(judged, style).as_bytes()),
        Format::Json => serde_json::to_writer_pretty(&mut *out, &report(judged))?,
        Format::Anchore => serde_json::to_writer(&mut *out, &judged.check.raw)?,
        Format::Vulnerabilities => serde_json::to_writer(&mut *out, &judged.vulnerabilities)?,
    }
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct UploadReport<'a> {
    status: &'static str,
    image: Image<'a>,
    backend: &'a str,
    /// Whether an archive was sent; else the image was known.
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a str>,
    /// Absent where the backend does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Finding>>,
}

#[derive(Serialize)]
struct Image<'a> {
    digest: &'a str,
    id: &'a str,
    reference: &'a str,
}

#[derive(Serialize)]
struct Finding {
    action: String,
    gate: String,
    trigger: String,
    message: String,
    whitelisted: bool,
}

fn report<'a>(judged: &'a UploadResult<'_>) -> UploadReport<'a> {
    let UploadResult { check, names, .. } = judged;
    let finding = |row: Row| Finding {
        action: row.action,
        gate: row.gate,
        trigger: row.trigger,
        message: row.message,
        whitelisted: row.whitelisted,
    };
    UploadReport {
        status: status(check.verdict),
        image: Image { digest: &names.digest, id: &names.id, reference: &names.full_tag },
        backend: judged.backend,
        sent: judged.was_sent,
        last_evaluation: check.last_evaluation.as_deref(),
        policy_id: check.policy_id.as_deref(),
        final_action: check.final_action(),
        page: judged.page,
        findings: check.rows().map(|rows| rows.into_iter().map(finding).collect()),
    }
}

fn status(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
    }
}

fn table(judged: &UploadResult<'_>, style: &Style) -> String {
    let UploadResult { check, names, .. } = judged;
    let mut page = Page::new(style);
    let text = |text: &str| shown(text.as_bytes());
    page.heading("Backend", "");
    page.field("image", &text(&names.full_tag));
    page.field("digest", &text(&names.digest));
    page.field("backend", &text(judged.backend));
    if let Some(when) = &check.last_evaluation {
        page.field("evaluated", &text(when));
    }
    if let Some(policy) = &check.policy_id {
        page.field("policy", &text(policy));
    }
    if let Some(place) = judged.page {
        page.field("see", &text(place));
    }
    match check.rows() {
        None => page.field("findings", "the backend does not tell in a way that is understood"),
        Some(rows) if rows.is_empty() => page.field("findings", "none"),
        Some(mut rows) => {
            page.heading("Findings", &rows.len().to_string());
            rows.sort_by_key(|row| order(&row.action));
            rows.iter().for_each(|row| finding(row, &mut page));
        }
    }
    let (word, code) = match check.verdict {
        Verdict::Pass => ("PASS", "32"),
        Verdict::Fail => ("FAIL", "1;31"),
    };
    let why =
        check.final_action().map_or_else(String::new, |it| format!("final action {}", text(it)));
    page.heading(&style.paint(code, word), &why);
    page.text
}

/// What decides comes first; otherwise the backend's order stays.
fn order(action: &str) -> u8 {
    match action {
        "stop" => 0,
        "warn" => 1,
        _ => 2,
    }
}

fn finding(row: &Row, page: &mut Page<'_>) {
    let text = |text: &str| shown(text.as_bytes());
    let whitelisted = if row.whitelisted { "  (whitelisted)" } else { "" };
    let action = format!("{:<5}", text(&row.action));
    let action = if row.action == "stop" { page.style.paint("31", &action) } else { action };
    page.line(&format!("  {action} {}:{}{whitelisted}", text(&row.gate), text(&row.trigger)));
    let columns = page.style.columns.saturating_sub(8);
    for line in wrapped(&text(&row.message), columns) {
        page.line(&format!("        {line}"));
    }
}
