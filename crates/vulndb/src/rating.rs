//! Severities of CVEs from who publishes no affected packages, one JSON object
//! a line: `{"cve": …, "cvss": {"cvssV3_1": VECTOR}, "cwe": […], "ssvc": {…}}`,
//! as reduced from CISA's enrichment of CVE records (vulnrichment, CC0).

use serde_json::Value;

use super::advisory::Severity;
use super::facts::Rating;
use super::json::{as_text, object, text_of, texts};

pub(super) fn is_rating(value: &Value) -> bool {
    value.get("cve").is_some_and(Value::is_string)
        && value.get("cvss").is_some_and(Value::is_object)
}

/// The CVE and its rating.
pub(super) fn rating(value: &Value) -> Option<(String, Rating)> {
    let kind = |field: &str| match field.get(..6) {
        Some("cvssV2") => Some("CVSS_V2"),
        Some("cvssV3") => Some("CVSS_V3"),
        Some("cvssV4") => Some("CVSS_V4"),
        _ => None,
    };
    let mut severities: Vec<Severity> = object(value, "cvss")
        .into_iter()
        .flatten()
        .filter_map(|(field, score)| {
            Some(Severity { kind: kind(field)?.into(), score: as_text(score)? })
        })
        .collect();
    severities.sort();
    let exploitation = value.get("ssvc").and_then(|ssvc| text_of(ssvc, "Exploitation"));
    let cwes = texts(value, "cwe");
    Some((text_of(value, "cve")?, Rating { severities, severity_word: None, cwes, exploitation }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line() {
        let line = r#"{"cve":"CVE-1999-0006","cvss":{"cvssV3_1":"CVSS:3.1/AV:N","other":"x"},
            "cwe":["CWE-121"],"ssvc":{"Exploitation":"poc","Automatable":"yes"}}"#;
        let value = serde_json::from_str(line).unwrap();
        assert!(is_rating(&value));
        let (cve, rating) = rating(&value).unwrap();
        let severity = Severity { kind: "CVSS_V3".into(), score: "CVSS:3.1/AV:N".into() };
        assert_eq!((cve.as_str(), rating.severities), ("CVE-1999-0006", vec![severity]));
        assert_eq!(
            (rating.cwes, rating.exploitation.as_deref()),
            (vec!["CWE-121".into()], Some("poc"))
        );
    }
}
