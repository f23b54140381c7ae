//! The lines of the legacy scanner for people, of both its generations. Plugins and people look
//! for some of them; so they are its own, word by word.

use serde_json::Value;

use super::checked::{Checked, NO_ROWS};

/// Whose lines they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// Of `inline_scan.sh`.
    First,
    /// Of `sysdig-inline-scan.sh`.
    Second,
}

/// What is said of the image before it is analyzed.
#[derive(Clone, Copy, Debug)]
pub struct ImageNames<'a> {
    /// Registry and repository.
    pub image: &'a str,
    pub full_tag: &'a str,
    pub digest: &'a str,
    /// 64 hex digits.
    pub id: &'a str,
}

impl Wording {
    /// `source`: what kind of place it is read from; `place`: which.
    pub fn inspecting(self, source: &str, place: &str) -> Vec<String> {
        match self {
            Wording::First if source == "remote repository" => {
                vec![format!("Pulling image -- {place}")]
            }
            Wording::First => Vec::new(),
            Wording::Second => vec![format!("Inspecting image from {source} -- {place}")],
        }
    }

    pub fn names(self, names: ImageNames<'_>) -> Vec<String> {
        let ImageNames { image, full_tag, digest, id } = names;
        match self {
            Wording::First => {
                let (folder, name) = image.rsplit_once('/').unwrap_or(("", image));
                let repository = folder.rsplit('/').next().unwrap_or_default();
                let tag = full_tag.rsplit(':').next().unwrap_or_default();
                vec![
                    String::new(),
                    format!("Repo name: {repository}"),
                    format!("Base image name: {name}"),
                    format!("Tag name: {tag}"),
                    String::new(),
                    format!("Image id: {id}"),
                    String::new(),
                    format!("using full image name: {full_tag}"),
                ]
            }
            Wording::Second => vec![
                format!("  Full image:  {image}"),
                format!("  Full tag:    {full_tag}"),
                format!("  Repo digest: {digest}"),
                format!("  Image id:    {id}"),
            ],
        }
    }

    /// The backend has judged the image already.
    pub fn known(self) -> &'static str {
        "Image digest found on Sysdig Secure, skipping analysis."
    }

    /// `in_place`: as it lies, which is how the legacy scanner analyzes a layout.
    pub fn analyzing(self, full_tag: &str, in_place: bool) -> Vec<String> {
        match (self, in_place) {
            (Wording::First, _) => {
                let name = full_tag.rsplit('/').next().unwrap_or(full_tag);
                vec![format!("Saving {name} for local analysis")]
            }
            (Wording::Second, true) => vec!["Analyzing image...".into()],
            (Wording::Second, false) => {
                vec!["Converting image...".into(), "Analyzing image...".into()]
            }
        }
    }

    pub fn analyzed(self) -> &'static str {
        match self {
            Wording::First => " Analysis complete!",
            Wording::Second => "Analysis complete!",
        }
    }

    /// `address`: where the API is.
    pub fn sending(self, address: &str) -> Vec<String> {
        match self {
            Wording::First => vec![
                String::new(),
                format!("Sending analysis archive to {address}"),
                " Calling sync import endpoint".into(),
            ],
            Wording::Second => vec!["Sending analysis result to Secure backend".into()],
        }
    }

    pub fn sending_asynchronously(self) -> &'static str {
        match self {
            Wording::First => " Calling async import endpoint",
            Wording::Second => "  Calling async import endpoint",
        }
    }

    /// What was judged, as far as it is said before the status.
    pub fn report(self, answer: &Value, with_details: bool) -> Vec<String> {
        if self == Wording::First {
            let shown = if with_details { answer.clone() } else { without_details(answer) };
            return std::iter::once("Scan Report - ".to_owned()).chain(pretty(&shown)).collect();
        }
        let mut lines = vec![String::new(), "Scan Report".to_owned()];
        if with_details {
            lines.extend(pretty(answer).into_iter().map(|line| format!("  {line}")));
        }
        let checked = Checked::read(answer);
        let no_rows = || vec![NO_ROWS.to_owned()];
        lines.extend(checked.and_then(Checked::summary).unwrap_or_else(no_rows));
        let findings = checked.and_then(Checked::findings).unwrap_or_else(no_rows);
        if findings.is_empty() {
            lines.push(String::new());
        }
        lines.extend(findings);
        lines.push(String::new());
        lines
    }

    pub fn downloading_pdf(self, names: ImageNames<'_>) -> String {
        match self {
            Wording::First => format!(
                "Downloading PDF Scan result for image id: {} / digest: {}",
                names.id, names.digest
            ),
            Wording::Second => {
                format!("Downloading PDF Scan result for image digest: {}", names.digest)
            }
        }
    }

    /// The details of an image that fails, where they were not in the report.
    pub fn details(self, answer: &Value) -> Vec<String> {
        match self {
            Wording::First => {
                std::iter::once("Result Details: ".to_owned()).chain(pretty(answer)).collect()
            }
            Wording::Second => Vec::new(),
        }
    }

    pub fn pdf_hint(self) -> &'static str {
        match self {
            Wording::First => "PDF report of the scan results can be generated with -R option.",
            Wording::Second => "PDF report of the scan results can be generated with -r option.",
        }
    }
}

fn pretty(value: &Value) -> Vec<String> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// As the backend answers where details are not asked for.
fn without_details(answer: &Value) -> Value {
    let mut answer = answer.clone();
    let evaluations = answer
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .flat_map(serde_json::Map::values_mut)
        .filter_map(Value::as_object_mut)
        .flat_map(serde_json::Map::values_mut)
        .filter_map(Value::as_array_mut)
        .flatten();
    for evaluation in evaluations.filter_map(Value::as_object_mut) {
        if let Some(detail) = evaluation.get_mut("detail") {
            *detail = Value::Object(serde_json::Map::new());
        }
    }
    answer
}

/// `day`: `2026-11-26`.
pub fn pdf_name(day: &str, full_tag: &str) -> String {
    let name = full_tag.rsplit('/').next().unwrap_or(full_tag);
    format!("{day}-{name}-scan-result.pdf")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_pdf_is_named_after_day_and_image() {
        let name = pdf_name("2026-11-26", "quay.io/org/app:1");
        assert_eq!(name, "2026-11-26-app:1-scan-result.pdf");
    }

    #[test]
    fn the_first_generation_prints_the_answer_itself() {
        let answer = json!([{"d": {"t": [{"detail": {"policy": {"id": "x"}}, "status": "pass"}]}}]);
        let lines = Wording::First.report(&answer, false).join("\n");
        assert!(lines.contains("\"status\": \"pass\"") && !lines.contains("policy"), "{lines}");
        assert!(Wording::First.report(&answer, true).join("\n").contains("policy"));
    }

    #[test]
    fn a_report_without_rows_says_so() {
        let answer = json!([{"d": {"t": [{"detail": {}, "status": "pass"}]}}]);
        let expected = ["", "Scan Report", NO_ROWS, NO_ROWS, ""];
        assert_eq!(Wording::Second.report(&answer, false), expected);
    }
}
