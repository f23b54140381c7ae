//! CISA's catalog of known exploited vulnerabilities:
//! <https://www.cisa.gov/known-exploited-vulnerabilities-catalog>.

use jiff::Timestamp;
use serde_json::Value;

use super::facts::Kev;
use super::json::{list, text_of, time_of};

pub(super) fn is_catalog(value: &Value) -> bool {
    list(value, "vulnerabilities").iter().any(|entry| entry.get("cveID").is_some())
        || (value.get("catalogVersion").is_some() && value.get("vulnerabilities").is_some())
}

/// When the catalog was made.
pub(super) fn released(value: &Value) -> Option<Timestamp> {
    time_of(value, "dateReleased")
}

pub(super) fn entries(value: &Value) -> impl Iterator<Item = Kev> {
    list(value, "vulnerabilities").iter().filter_map(|entry| {
        let text = |field: &str| text_of(entry, field).unwrap_or_default();
        Some(Kev {
            cve: text_of(entry, "cveID")?,
            name: text("vulnerabilityName"),
            added: text("dateAdded"),
            due: text("dueDate"),
            action: text("requiredAction"),
            ransomware: text("knownRansomwareCampaignUse").eq_ignore_ascii_case("known"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_catalog() {
        let catalog = json!({ "dateReleased": "2025-08-25T17:04:19.9796Z", "vulnerabilities": [
            { "cveID": "CVE-2025-48384", "vulnerabilityName": "Git Link Following", "dateAdded": "2025-08-25",
              "dueDate": "2025-09-15", "knownRansomwareCampaignUse": "Known" },
            { "cveID": null },
        ] });
        assert!(is_catalog(&catalog));
        assert_eq!(released(&catalog).unwrap().to_string(), "2025-08-25T17:04:19.9796Z");
        let entries: Vec<Kev> = entries(&catalog).collect();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].due.as_str(), entries[0].ransomware), ("2025-09-15", true));
    }
}
