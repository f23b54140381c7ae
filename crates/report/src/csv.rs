//! CSV (RFC 4180): one row for each finding, suppressed ones and what could not
//! be judged included, each told apart in the column `State`.
//!
//! <https://www.rfc-editor.org/rfc/rfc4180>

use super::text::printable;
use super::wording;
use inscan_evaluate::{Evaluation, Finding, SecretFinding, Suppression, Uncovered};

const COLUMNS: [&str; 32] = [
    "State",
    "Id",
    "Severity",
    "Score",
    "Vector",
    "Package",
    "Version",
    "Type",
    "Status",
    "Upgrade to",
    "Fixed versions",
    "Exploited",
    "EPSS",
    "EPSS percentile",
    "Fails gate",
    "New",
    "Location",
    "Layer",
    "Layer made by",
    "Base image",
    "Purl",
    "Aliases",
    "Summary",
    "Link",
    "Published",
    "Severity by",
    "Reason",
    "Expires",
    "Rank",
    "By CPE name only",
    "Image",
    "Image digest",
];

pub(super) fn render(evaluation: &Evaluation) -> String {
    let mut csv = String::new();
    row(COLUMNS.map(str::to_owned), &mut csv);
    for finding in &evaluation.findings {
        row(cells(finding, None, evaluation), &mut csv);
    }
    for suppressed in &evaluation.suppressed {
        row(cells(&suppressed.finding, Some(&suppressed.by), evaluation), &mut csv);
    }
    for secret in &evaluation.secrets {
        row(secret_cells(secret, None, evaluation), &mut csv);
    }
    for suppressed in &evaluation.suppressed_secrets {
        row(secret_cells(&suppressed.secret, Some(&suppressed.by), evaluation), &mut csv);
    }
    for uncovered in &evaluation.uncovered {
        row(not_evaluated(uncovered, evaluation), &mut csv);
    }
    csv
}

fn cells(finding: &Finding, by: Option<&Suppression>, evaluation: &Evaluation) -> [String; 32] {
    let Finding { package, severity, layer, .. } = finding;
    let layer = layer.as_ref();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<f64>| number.map(|it| it.to_string()).unwrap_or_default();
    let epss = finding.epss.as_ref();
    let status = serde_json::to_value(finding.status).unwrap_or_default();
    [
        if by.is_some() { "suppressed" } else { "open" }.to_owned(),
        finding.id.clone(),
        severity.level.name().to_owned(),
        number(severity.score),
        text(&severity.vector),
        package.name.clone(),
        package.version.clone(),
        package.kind.clone(),
        status.as_str().unwrap_or_default().to_owned(),
        text(&finding.upgrade),
        finding.fixed_versions.join(" "),
        yes(finding.kev.is_some()),
        number(epss.map(|epss| epss.score)),
        number(epss.map(|epss| epss.percentile)),
        yes(finding.fails),
        finding.new.map(yes).unwrap_or_default(),
        format!("/{}", package.location),
        layer.map(|layer| (layer.index + 1).to_string()).unwrap_or_default(),
        layer.map(|layer| layer.created_by.clone()).unwrap_or_default(),
        layer.and_then(|layer| layer.base).map(yes).unwrap_or_default(),
        package.purl.clone(),
        finding.aliases.join(" "),
        finding.summary.clone(),
        wording::page(finding).unwrap_or_default().to_owned(),
        text(&finding.published),
        severity.source.clone(),
        by.map(|by| by.reason.clone()).unwrap_or_default(),
        by.and_then(|by| by.expires.clone()).unwrap_or_default(),
        finding.rank.to_string(),
        yes(finding.cpe_only),
        wording::image(evaluation).to_owned(),
        evaluation.image.digest.clone(),
    ]
}

/// A secret has the rule for its id, and no package.
fn secret_cells(
    secret: &SecretFinding,
    by: Option<&Suppression>,
    evaluation: &Evaluation,
) -> [String; 32] {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let layer = secret.layer.as_ref();
    let mut cells = [const { String::new() }; 32];
    for (column, cell) in COLUMNS.iter().zip(&mut cells) {
        *cell = match *column {
            "State" if by.is_some() => "suppressed".to_owned(),
            "State" => "secret".to_owned(),
            "Id" => secret.rule.clone(),
            "Severity" => secret.severity.name().to_owned(),
            "Type" => "secret".to_owned(),
            "Fails gate" => yes(secret.fails),
            "New" => secret.new.map(yes).unwrap_or_default(),
            "Location" => wording::place_of_secret(secret),
            "Layer" => layer.map(|layer| (layer.index + 1).to_string()).unwrap_or_default(),
            "Layer made by" => layer.map(|layer| layer.created_by.clone()).unwrap_or_default(),
            "Base image" => layer.and_then(|layer| layer.base).map(yes).unwrap_or_default(),
            "Aliases" => secret.fingerprint.clone(),
            "Summary" => wording::about_secret(secret),
            "Reason" => by.map(|by| by.reason.clone()).unwrap_or_default(),
            "Expires" => by.and_then(|by| by.expires.clone()).unwrap_or_default(),
            "Image" => wording::image(evaluation).to_owned(),
            "Image digest" => evaluation.image.digest.clone(),
            _ => continue,
        };
    }
    cells
}

fn not_evaluated(uncovered: &Uncovered, evaluation: &Evaluation) -> [String; 32] {
    let mut cells = [const { String::new() }; 32];
    let [state, .., image, digest] = &mut cells;
    *state = "not evaluated".to_owned();
    *image = wording::image(evaluation).to_owned();
    *digest = evaluation.image.digest.clone();
    for (column, cell) in COLUMNS.iter().zip(&mut cells) {
        match *column {
            "Package" => *cell = uncovered.subject.clone(),
            "Reason" => *cell = uncovered.message.clone(),
            _ => {}
        }
    }
    cells
}

fn row(cells: [String; 32], csv: &mut String) {
    let cells: Vec<String> = cells.iter().map(|cell| field(cell)).collect();
    csv.push_str(&cells.join(","));
    csv.push_str("\r\n");
}

/// Quoted where it has to be. A spreadsheet takes what begins with one of these characters for a
/// formula, and runs it: an apostrophe before it makes it text
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn field(text: &str) -> String {
    // On one line: a log takes what begins a line for a command.
    let text = printable(text);
    let is_formula = text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let text = if is_formula { format!("'{text}") } else { text };
    match text.contains([',', '"', ';']) || text.trim() != text {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation};

    /// Rows and fields by the grammar of the RFC, read by an independent few lines.
    fn rows(csv: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut field, mut quoted) =
            (Vec::new(), Vec::new(), String::new(), false);
        let mut chars = csv.chars().peekable();
        while let Some(char) = chars.next() {
            match (quoted, char) {
                (true, '"') if chars.peek() == Some(&'"') => field.extend(chars.next()),
                (_, '"') => quoted = !quoted,
                (false, ',') => row.push(std::mem::take(&mut field)),
                (false, '\r') => {
                    assert_eq!(chars.next(), Some('\n'));
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                (_, char) => field.push(char),
            }
        }
        rows
    }

    #[test]
    fn every_row_has_every_column() {
        for evaluation in [evaluation(), testing::hostile(), testing::without_database()] {
            let rows = rows(&render(&evaluation));
            assert!(rows.iter().all(|row| row.len() == COLUMNS.len()), "{rows:?}");
        }
    }

    #[test]
    fn a_finding_is_a_row() {
        let rows = rows(&render(&evaluation()));
        let cell = |row: usize, column: &str| {
            let position = COLUMNS.iter().position(|name| *name == column).unwrap();
            rows[row][position].as_str()
        };
        assert_eq!(rows.len(), 1 + 3 + 1 + 1);
        assert_eq!((cell(1, "Id"), cell(1, "Upgrade to")), ("CVE-2022-28346", "3.2.13"));
        assert_eq!((cell(1, "Layer"), cell(1, "Fails gate")), ("2", "yes"));
        assert_eq!(
            (cell(4, "State"), cell(4, "Reason")),
            ("suppressed", "accepted in exceptions.yaml")
        );
        assert_eq!((cell(5, "State"), cell(5, "Package")), ("not evaluated", "conda"));
    }

    #[test]
    fn no_field_is_a_formula() {
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("@a, \"b\""), "\"'@a, \"\"b\"\"\"");
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a\n::error::b\x1b[m\u{9b}"), r"a\n::error::b\x1b[m\u{9b}");
        for row in rows(&render(&testing::hostile())) {
            for cell in row {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
            }
        }
    }
}
