//! Records of the Anchore feed service, so that mirrors of it can go on being
//! used: pages of `{"data": […], "next_token": …}` for each group of a feed.
//!
//! The groups stay what they are: an affected package's ecosystem is its group
//! (`alpine:3.12`, `github:python`, `nvdv2:cves`), and the same id may be in
//! many groups with other severities.

use jiff::Timestamp;
use serde_json::Value;

use super::advisory::{
    Advisory, Affected, Event, Range, RangeKind, Reference, Severity, Specific, Status,
};
use super::facts::Rating;
use super::json::{as_text, list, text_of, time_of};

/// The feed of lists of all packages.
pub(super) const PACKAGES: &str = "packages";

/// One record of a page.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    Advisory(Box<Advisory>),
    /// From NVD: the CPEs that match, and what the severity is.
    Rated(Box<Advisory>, Rating),
    /// A package of a list of all: its name, and what is known of it.
    Listed(String, Value),
}

pub(super) fn is_page(value: &Value) -> bool {
    value.get("data").is_some_and(Value::is_array) && value.get("next_token").is_some()
}

/// `feed_groups.json`: names of groups, with how many records each has.
pub(super) fn is_group_list(value: &Value) -> bool {
    value.as_array().is_some_and(|groups| groups.iter().any(|group| group_name(group).is_some()))
}

/// Lists of all packages are told from the ecosystems that OSV calls the same (`npm`).
fn group_name(group: &Value) -> Option<String> {
    let feed = text_of(group, "feed_name")?;
    let name = text_of(group, "name")?;
    Some(if feed == PACKAGES { format!("{PACKAGES}:{name}") } else { name })
}

/// The groups that a list names, which exist also where they have no records, and when each
/// was last brought up to date: at the beginning of time where it never was.
pub(super) fn groups(value: &Value) -> impl Iterator<Item = (String, Option<Timestamp>)> {
    let groups = value.as_array().into_iter().flatten();
    groups.filter_map(|group| {
        let never = group.get("last_sync").is_some_and(Value::is_null);
        let synced = time_of(group, "last_sync").or(never.then_some(Timestamp::UNIX_EPOCH));
        Some((group_name(group)?, synced))
    })
}

/// The record, or none where its kind is not known.
pub(super) fn record(value: &Value) -> Option<Record> {
    if let Some(vulnerability) = value.get("Vulnerability") {
        return Some(Record::Advisory(Box::new(of_distribution(vulnerability)?)));
    }
    if let Some(advisory) = value.get("Advisory") {
        return Some(Record::Advisory(Box::new(of_github(advisory)?)));
    }
    if value.get("cve").is_some() && value.get("vulnerable_cpes").is_some() {
        let (advisory, rating) = of_nvd(value)?;
        return Some(Record::Rated(Box::new(advisory), rating));
    }
    let mut entries = value.as_object()?.iter();
    match (entries.next(), entries.next()) {
        (Some((name, entry)), None) if entry.get("latest").or(entry.get("versions")).is_some() => {
            Some(Record::Listed(name.clone(), entry.clone()))
        }
        _ => None,
    }
}

/// `Version: "None"` is no repair at all, and `NoAdvisory` that there will be none.
fn of_distribution(record: &Value) -> Option<Advisory> {
    let id = text_of(record, "Name")?;
    let group = text_of(record, "NamespaceName")?;
    let metadata = record.get("Metadata").unwrap_or(&Value::Null);
    let affected = list(record, "FixedIn").iter().filter_map(|fixed| {
        let format = text_of(fixed, "VersionFormat");
        let version = text_of(fixed, "Version").filter(|version| version != "None");
        let version = version.map(|version| match format.as_deref() {
            Some("apk") => without_epoch(&version).to_owned(),
            _ => version,
        });
        let mut events = vec![Event::Introduced("0".into())];
        events.extend(version.map(Event::Fixed));
        let advisory = fixed.get("VendorAdvisory").unwrap_or(&Value::Null);
        let refused = advisory.get("NoAdvisory").and_then(Value::as_bool).unwrap_or(false);
        let expression = text_of(fixed, "VulnerableRange");
        let ranges = match expression {
            Some(_) => Vec::new(),
            None => vec![Range { kind: RangeKind::Ecosystem, events }],
        };
        Some(Affected {
            ecosystem: group.clone(),
            name: text_of(fixed, "Name")?,
            ranges,
            status: if refused { Status::WillNotFix } else { Status::Affected },
            modularity: text_of(fixed, "Module"),
            specific: Specific {
                version_format: format,
                expression,
                fix_seen: fix_seen(fixed),
                ..Specific::default()
            },
            ..Affected::default()
        })
    });
    let mut severities = Vec::new();
    for (field, kind) in [("CVSSv3", "CVSS_V3"), ("CVSSv2", "CVSS_V2")] {
        if let Some(cvss) = metadata.get("NVD").and_then(|nvd| nvd.get(field)) {
            let number = |field: &str| text_of(cvss, field);
            scores(
                kind,
                [number("Score"), number("ExploitabilityScore"), number("ImpactScore")],
                &mut severities,
            );
        }
    }
    let affected: Vec<Affected> = affected.collect();
    Some(Advisory {
        upstream: cves(metadata, &id),
        published: first_time(metadata, &["Issued", "IssuedDate"]),
        modified: first_time(metadata, &["Updated", "UpdatedDate"]),
        details: text_of(record, "Description").unwrap_or_default(),
        severities,
        severity_word: text_of(record, "Severity"),
        references: reference(text_of(record, "Link")),
        source: format!("feed:{group}"),
        affected,
        id,
        ..Advisory::default()
    })
}

fn of_github(record: &Value) -> Option<Advisory> {
    let id = text_of(record, "ghsaId")?;
    let group = text_of(record, "namespace")?;
    let affected = list(record, "FixedIn").iter().filter_map(|fixed| {
        Some(Affected {
            ecosystem: group.clone(),
            name: text_of(fixed, "name")?,
            specific: Specific {
                version_format: Some("semver".into()),
                // Also where it is empty: then nothing is affected.
                expression: Some(text_of(fixed, "range").unwrap_or_default()),
                fix: text_of(fixed, "identifier"),
                fix_seen: fix_seen(fixed),
                ..Specific::default()
            },
            ..Affected::default()
        })
    });
    let affected: Vec<Affected> = affected.collect();
    let published = time_of(record, "published");
    let modified = time_of(record, "updated").or(published);
    let withdrawn = match record.get("withdrawn") {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(_) => time_of(record, "withdrawn").or(modified).or(Some(Timestamp::UNIX_EPOCH)),
    };
    let mut aliases: Vec<String> = list(record, "CVE").iter().filter_map(cve).collect();
    aliases.extend(cves(record.get("Metadata").unwrap_or(&Value::Null), &id));
    aliases.sort();
    aliases.dedup();
    Some(Advisory {
        aliases,
        summary: text_of(record, "Summary").unwrap_or_default(),
        published,
        modified,
        withdrawn,
        severity_word: text_of(record, "Severity"),
        references: reference(text_of(record, "url")),
        source: format!("feed:{group}"),
        affected,
        id,
        ..Advisory::default()
    })
}

/// The group of NVD's records, which do not name it.
pub(super) const NVD: &str = "nvdv2:cves";

fn of_nvd(record: &Value) -> Option<(Advisory, Rating)> {
    let cve = record.get("cve")?;
    let id = text_of(cve.get("CVE_data_meta")?, "ID")?;
    let mut severities = Vec::new();
    for (field, kind) in [("cvss_v3", "CVSS_V3"), ("cvss_v2", "CVSS_V2")] {
        let Some(cvss) = record.get(field) else { continue };
        let metrics = cvss.get("base_metrics").unwrap_or(&Value::Null);
        let vector = text_of(cvss, "vector_string").filter(|vector| vector.contains('/'));
        severities.extend(vector.map(|score| Severity { kind: kind.into(), score }));
        let number = |field: &str| text_of(metrics, field);
        let three = ["base_score", "exploitability_score", "impact_score"].map(number);
        scores(kind, three, &mut severities);
    }
    let affected = list(record, "vulnerable_cpes").iter().filter_map(|cpe| {
        let cpe = as_text(cpe)?;
        let (name, version) = product(&cpe)?;
        Some(Affected {
            ecosystem: NVD.to_owned(),
            name,
            versions: vec![version],
            specific: Specific { cpe: Some(cpe), ..Specific::default() },
            ..Affected::default()
        })
    });
    let description = cve.get("description").map(|text| list(text, "description_data"));
    let references = list(record, "external_references").iter();
    let rating = Rating {
        severities: severities.clone(),
        severity_word: text_of(record, "severity"),
        ..Rating::default()
    };
    let advisory = Advisory {
        details: description.and_then(|texts| text_of(texts.first()?, "value")).unwrap_or_default(),
        severities,
        severity_word: text_of(record, "severity"),
        references: references.flat_map(|link| reference(text_of(link, "url"))).collect(),
        affected: affected.collect(),
        published: first_time(record, &["publishedDate", "published"]),
        modified: first_time(record, &["lastModifiedDate", "lastModified"]),
        source: format!("feed:{NVD}"),
        id,
        ..Advisory::default()
    };
    Some((advisory, rating))
}

/// Base score, and the two it is made of: those have a kind of their own, which no
/// vector has, since their vectors are not always there.
fn scores(kind: &str, numbers: [Option<String>; 3], severities: &mut Vec<Severity>) {
    for (suffix, score) in ["", "/exploitability", "/impact"].iter().zip(numbers) {
        severities.extend(score.map(|score| Severity { kind: format!("{kind}{suffix}"), score }));
    }
}

/// apk has no epochs; some records write one all the same.
fn without_epoch(version: &str) -> &str {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => version,
    }
}

/// Not all publish when something came about, and some of their mirrors do.
fn first_time(object: &Value, fields: &[&str]) -> Option<Timestamp> {
    fields.iter().find_map(|field| time_of(object, field))
}

/// When the version that repairs it was first there: `"Available": {"Date": "2026-11-12"}`.
fn fix_seen(fixed: &Value) -> Option<i64> {
    let available = fixed.get("Available").or_else(|| fixed.get("available"))?;
    first_time(available, &["Date", "date"]).map(Timestamp::as_second)
}

fn cves(metadata: &Value, id: &str) -> Vec<String> {
    let mut cves: Vec<String> = list(metadata, "CVE").iter().filter_map(cve).collect();
    cves.retain(|cve| cve != id);
    cves
}

/// A name, or an object with one.
fn cve(value: &Value) -> Option<String> {
    as_text(value).or_else(|| text_of(value, "Name"))
}

fn reference(url: Option<String>) -> Vec<Reference> {
    url.map(|url| Reference { kind: "ADVISORY".into(), url }).into_iter().collect()
}

/// Product and version of a CPE: `cpe:2.3:a:vendor:product:version:…`, or `cpe:/a:vendor:product:version`.
fn product(cpe: &str) -> Option<(String, String)> {
    let rest = cpe.strip_prefix("cpe:2.3:").or_else(|| cpe.strip_prefix("cpe:/"))?;
    // A colon that belongs to a part has a backslash before it.
    let mut parts = vec![String::new()];
    let mut chars = rest.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => parts.last_mut()?.extend(chars.next()),
            ':' => parts.push(String::new()),
            char => parts.last_mut()?.push(char),
        }
    }
    let product = parts.get(2).filter(|product| !product.is_empty())?.clone();
    Some((product, parts.get(3).cloned().unwrap_or_else(|| "*".to_owned())))
}

/// The group that a page's file is named after, where it has no record to say it.
pub(super) fn group_of_file(stem: &str) -> Option<&str> {
    let (first, last) = stem.split_once(':')?;
    (!first.is_empty() && !last.is_empty()).then_some(stem)
}

/// Whether a value is of the service, and of no use here: the list of which
/// distribution's records hold for which other.
pub(super) fn is_mapping_list(value: &Value) -> bool {
    let maps = |entry: &Value| object_has(entry, "from_distro") && object_has(entry, "to_distro");
    value.as_array().is_some_and(|entries| entries.iter().any(maps))
}

fn object_has(value: &Value, field: &str) -> bool {
    value.as_object().is_some_and(|object| object.contains_key(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn advisory(value: Value) -> Advisory {
        match record(&value).expect("a record") {
            Record::Advisory(advisory) | Record::Rated(advisory, _) => *advisory,
            Record::Listed(name, _) => panic!("{name}"),
        }
    }

    #[test]
    fn a_distribution_s_record_says_what_repairs_or_that_nothing_does() {
        let advisory = advisory(json!({ "Vulnerability": {
            "Name": "RHSA-2020:0001", "NamespaceName": "rhel:8", "Severity": "High", "Link": "https://x.example",
            "Metadata": { "CVE": [{ "Name": "CVE-2020-7777" }], "NVD": { "CVSSv2": { "Score": 5.0, "Vectors": "AV:N" } } },
            "FixedIn": [
                { "Name": "a", "Version": "0:9-1.el8", "VersionFormat": "rpm", "VendorAdvisory": { "NoAdvisory": false } },
                { "Name": "b", "Version": "None", "VersionFormat": "rpm", "VendorAdvisory": { "NoAdvisory": true } },
            ] } }));
        assert_eq!(
            (advisory.source.as_str(), &advisory.upstream[..]),
            ("feed:rhel:8", &["CVE-2020-7777".into()][..])
        );
        assert_eq!(advisory.severities, [Severity { kind: "CVSS_V2".into(), score: "5.0".into() }]);
        let [a, b] = &advisory.affected[..] else { panic!("{:?}", advisory.affected) };
        let fixed = vec![Event::Introduced("0".into()), Event::Fixed("0:9-1.el8".into())];
        assert_eq!((&a.ranges[0].events, a.status), (&fixed, Status::Affected));
        assert_eq!((&b.ranges[0].events[..], b.status), (&fixed[..1], Status::WillNotFix));
        assert_eq!(a.ecosystem, "rhel:8");
    }

    #[test]
    fn a_github_record_keeps_its_expression() {
        let advisory = advisory(json!({ "Advisory": {
            "ghsaId": "GHSA-1", "namespace": "github:python", "Severity": "Low", "CVE": ["CVE-2020-1"],
            "Metadata": { "CVE": [{ "Name": "CVE-2020-1" }] }, "withdrawn": null,
            "FixedIn": [{ "name": "x", "range": "< 1.14.0", "identifier": "9.9.9" }] } }));
        let specific = &advisory.affected[0].specific;
        assert_eq!(
            (specific.expression.as_deref(), specific.fix.as_deref()),
            (Some("< 1.14.0"), Some("9.9.9"))
        );
        assert_eq!((advisory.aliases, advisory.withdrawn), (vec!["CVE-2020-1".into()], None));
    }

    #[test]
    fn nvd_s_record_is_kept_by_product() {
        let advisory = advisory(json!({
            "cve": { "CVE_data_meta": { "ID": "CVE-2099-1" }, "description": { "description_data": [{ "value": "d" }] } },
            "cvss_v3": { "vector_string": "CVSS", "base_metrics": { "base_score": 7.5, "impact_score": 3.6 } },
            "vulnerable_cpes": ["cpe:2.3:a:python-requests:requests\\:x:2.23.0:*:*:*:*:*:*:*", "nonsense"] }));
        let kinds: Vec<&str> = advisory.severities.iter().map(|one| one.kind.as_str()).collect();
        assert_eq!(kinds, ["CVSS_V3", "CVSS_V3/impact"]);
        assert_eq!(advisory.affected.len(), 1);
        assert_eq!(
            (advisory.affected[0].name.as_str(), &advisory.affected[0].versions[..]),
            ("requests:x", &["2.23.0".into()][..])
        );
    }

    #[test]
    fn lists_of_packages_and_unknown_records_are_told_apart() {
        let listed = record(&json!({ "rake": { "versions": ["13"], "latest": "13" } }));
        assert!(matches!(listed, Some(Record::Listed(name, _)) if name == "rake"));
        assert_eq!(record(&json!({ "rake": {} })), None);
        assert_eq!(record(&json!("x")), None);
        assert_eq!(
            groups(
                &json!([{ "name": "ubuntu:18.04", "feed_name": "v", "last_sync": "2026-11-22" },
                { "name": "npm", "feed_name": "packages", "last_sync": null }, {}])
            )
            .collect::<Vec<_>>(),
            [
                ("ubuntu:18.04".to_owned(), super::super::json::time("2026-11-22")),
                ("packages:npm".to_owned(), Some(Timestamp::UNIX_EPOCH))
            ]
        );
    }
}
