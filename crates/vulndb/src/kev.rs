//! CISA's catalog of known exploited vulnerabilities:
//! <https://www.cisa.gov/known-exploited-vulnerabilities-catalog>. It is offered in JSON and as CSV.

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

/// By the names of its columns.
pub(super) fn is_csv(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let has = |name: &str| first.split(',').any(|column| column.trim_matches('"') == name);
    has("cveID") && has("dateAdded")
}

pub(super) fn entries_of_csv(text: &str) -> Vec<Kev> {
    let mut rows = rows(text).into_iter();
    let columns = rows.next().unwrap_or_default();
    let of_row = |row: Vec<String>| {
        let text = |name: &str| {
            let at = columns.iter().position(|column| column == name)?;
            row.get(at).map(|field| field.trim().to_owned())
        };
        let known = text("knownRansomwareCampaignUse").unwrap_or_default();
        Some(Kev {
            cve: text("cveID").filter(|cve| cve.starts_with("CVE-"))?,
            name: text("vulnerabilityName").unwrap_or_default(),
            added: text("dateAdded").unwrap_or_default(),
            due: text("dueDate").unwrap_or_default(),
            action: text("requiredAction").unwrap_or_default(),
            ransomware: known.eq_ignore_ascii_case("known"),
        })
    };
    rows.filter_map(of_row).collect()
}

/// Fields in quotes may hold commas, line ends, and quotes twice: RFC 4180.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut in_quotes = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let row = rows.last_mut().expect("there is one");
        match char {
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                row.last_mut().expect("there is one").push('"');
            }
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => row.push(String::new()),
            '\n' if !in_quotes => rows.push(vec![String::new()]),
            '\r' if !in_quotes => {}
            char => row.last_mut().expect("there is one").push(char),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_catalog_as_csv() {
        let text = "cveID,vendorProject,vulnerabilityName,dateAdded,requiredAction,dueDate,knownRansomwareCampaignUse\r\n\
            CVE-2021-1,x,\"A, \"\"B\"\"\nC\",2021-11-03,act,2021-11-17,Known\r\nbroken\r\n";
        assert!(is_csv(text) && !is_csv("cve,epss,percentile\n"));
        let entries = entries_of_csv(text);
        assert_eq!(entries.len(), 1);
        let first = &entries[0];
        assert_eq!((first.cve.as_str(), first.name.as_str()), ("CVE-2021-1", "A, \"B\"\nC"));
        assert_eq!((first.due.as_str(), first.ransomware), ("2021-11-17", true));
    }

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
