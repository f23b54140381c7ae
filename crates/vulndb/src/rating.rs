//! Severities of CVEs from who publishes no affected packages, one JSON object
//! a line: `{"cve": …, "cvss": {"cvssV3_1": VECTOR}, "cwe": […], "ssvc": {…}}`,
//! as reduced from CISA's enrichment of CVE records (vulnrichment, CC0); the records of
//! the CVE programme themselves; and NVD's.

use serde_json::Value;

use super::advisory::Severity;
use super::facts::Rating;
use super::json::{as_text, list, object, text_of, texts};

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

/// A record of the CVE programme, in its JSON 5: <https://github.com/CVEProject/cve-schema>.
pub(super) fn is_cve_record(value: &Value) -> bool {
    value["dataType"] == "CVE_RECORD" && value["cveMetadata"]["cveId"].is_string()
}

/// Severities and weaknesses: which packages it is about, such a record says in prose. `None` where
/// it has neither, or was rejected.
pub(super) fn of_cve_record(value: &Value) -> Option<(String, Rating)> {
    let metadata = &value["cveMetadata"];
    if metadata["state"] == "REJECTED" {
        return None;
    }
    let containers = &value["containers"];
    let all = [&containers["cna"]].into_iter().chain(list(containers, "adp"));
    let mut rating = Rating::default();
    for container in all {
        for metric in list(container, "metrics") {
            let vectors = metric.as_object().into_iter().flatten();
            let vectors = vectors.filter_map(|(name, metric)| vector(name, metric));
            rating.severities.extend(vectors);
        }
        let descriptions =
            list(container, "problemTypes").iter().flat_map(|it| list(it, "descriptions"));
        rating.cwes.extend(descriptions.filter_map(|it| text_of(it, "cweId")));
    }
    finished(text_of(metadata, "cveId")?, rating)
}

/// NVD's answers and feeds, version 2.0: <https://nvd.nist.gov/developers/vulnerabilities>.
pub(super) fn is_nvd(value: &Value) -> bool {
    let is_entry = |entry: &Value| entry["cve"]["id"].is_string();
    value["format"] == "NVD_CVE" || list(value, "vulnerabilities").first().is_some_and(is_entry)
}

/// Severities and weaknesses; its CPE names are no packages.
pub(super) fn of_nvd(value: &Value) -> impl Iterator<Item = (String, Rating)> {
    list(value, "vulnerabilities").iter().filter_map(|entry| {
        let cve = &entry["cve"];
        if cve["vulnStatus"] == "Rejected" {
            return None;
        }
        let mut rating = Rating::default();
        for (name, metrics) in cve["metrics"].as_object().into_iter().flatten() {
            let kind = name.replace("Metric", "");
            let metrics = metrics.as_array().into_iter().flatten();
            rating.severities.extend(metrics.filter_map(|it| vector(&kind, &it["cvssData"])));
        }
        let weaknesses = list(cve, "weaknesses").iter().flat_map(|it| list(it, "description"));
        let cwes = weaknesses.filter_map(|it| text_of(it, "value"));
        rating.cwes.extend(cwes.filter(|it| it.starts_with("CWE-")));
        finished(text_of(cve, "id")?, rating)
    })
}

/// `cvssV3_1` or `cvssV31`, with its vector.
fn vector(name: &str, metric: &Value) -> Option<Severity> {
    let kind = match name.get(..6)? {
        "cvssV2" => "CVSS_V2",
        "cvssV3" => "CVSS_V3",
        "cvssV4" => "CVSS_V4",
        _ => return None,
    };
    Some(Severity { kind: kind.to_owned(), score: text_of(metric, "vectorString")? })
}

fn finished(cve: String, mut rating: Rating) -> Option<(String, Rating)> {
    rating.severities.sort();
    rating.severities.dedup();
    rating.cwes.sort();
    rating.cwes.dedup();
    let says_something = !rating.severities.is_empty() || !rating.cwes.is_empty();
    says_something.then_some((cve, rating))
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

    #[test]
    fn reads_records_of_the_cve_programme_and_of_nvd() {
        let v3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let record = serde_json::json!({"dataType": "CVE_RECORD", "cveMetadata": {"cveId": "CVE-2024-1", "state": "PUBLISHED"},
            "containers": {"cna": {"problemTypes": [{"descriptions": [{"cweId": "CWE-79"}]}]},
                "adp": [{"metrics": [{"format": "CVSS", "cvssV3_1": {"vectorString": v3}}, {"other": {}}]}]}});
        assert!(is_cve_record(&record) && !is_nvd(&record));
        let nvd = serde_json::json!({"format": "NVD_CVE", "version": "2.0", "vulnerabilities": [
            {"cve": {"id": "CVE-2024-1", "metrics": {"cvssMetricV31": [{"cvssData": {"vectorString": v3}}]},
                "weaknesses": [{"description": [{"value": "CWE-79"}, {"value": "NVD-CWE-Other"}]}]}},
            {"cve": {"id": "CVE-2024-2", "vulnStatus": "Rejected", "metrics": {}}}]});
        assert!(is_nvd(&nvd) && !is_cve_record(&nvd));
        let expected = Rating {
            severities: vec![Severity { kind: "CVSS_V3".into(), score: v3.into() }],
            cwes: vec!["CWE-79".into()],
            ..Rating::default()
        };
        let expected = ("CVE-2024-1".to_owned(), expected);
        assert_eq!(of_cve_record(&record).as_ref(), Some(&expected));
        assert_eq!(of_nvd(&nvd).collect::<Vec<_>>(), [expected]);
        let mut rejected = record;
        rejected["cveMetadata"]["state"] = "REJECTED".into();
        assert_eq!(of_cve_record(&rejected), None);
    }
}
