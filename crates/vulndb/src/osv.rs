//! Records in OSV's form: <https://ossf.github.io/osv-schema/>.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::advisory::{
    Advisory, Affected, Event, Import, Range, RangeKind, Reference, Severity, Specific, Status,
};
use super::json::{as_text, list, text_of, texts, time_of};

/// Whether an object looks like a record in OSV's form.
pub(super) fn is_record(value: &Value) -> bool {
    value.get("id").is_some_and(Value::is_string)
        && ["modified", "affected", "withdrawn"].iter().any(|field| value.get(field).is_some())
}

/// The advisory of a record, or why there is none.
pub(super) fn advisory(record: &Value) -> Result<Advisory, &'static str> {
    let id = text_of(record, "id").ok_or("without an id")?;
    let modified = time_of(record, "modified");
    let published = time_of(record, "published");
    let database = record.get("database_specific").unwrap_or(&Value::Null);
    let affected: Vec<Affected> =
        list(record, "affected").iter().filter_map(affected_package).collect();
    if has_too_much(&affected) {
        return Err("with more versions or events of one package than are read");
    }
    let source = match affected.first() {
        Some(first) => format!("osv:{}", family(&first.ecosystem)),
        None => "osv".to_owned(),
    };
    let mut severities = severities(record);
    // RubySec has no vectors, and the numbers here.
    for (field, kind) in
        [("cvss_v4_score", "CVSS_V4"), ("cvss_v3_score", "CVSS_V3"), ("cvss_v2_score", "CVSS_V2")]
    {
        if let Some(score) = text_of(database, field)
            && !severities.iter().any(|known| known.kind == kind)
        {
            severities.push(Severity { kind: kind.into(), score });
        }
    }
    Ok(Advisory {
        aliases: others(record, "aliases", &id),
        upstream: others(record, "upstream", &id),
        related: others(record, "related", &id),
        summary: text_of(record, "summary").unwrap_or_default(),
        details: text_of(record, "details").unwrap_or_default(),
        first_seen: None,
        published,
        modified,
        withdrawn: withdrawn(record, modified.or(published)),
        severities,
        severity_word: text_of(database, "severity"),
        cwes: [texts(database, "cwe_ids"), texts(database, "cwes")].concat(),
        references: list(record, "references").iter().filter_map(reference).collect(),
        affected,
        source,
        id,
    })
}

/// Versions and events of one package in one record. The longest of public data have some thousand
/// versions and some dozen events; each is compared with every installed version.
const MAX_VERSIONS: usize = 20_000;
const MAX_EVENTS: usize = 1_000;

fn has_too_much(affected: &[Affected]) -> bool {
    let mut of_package: HashMap<(&str, &str), (usize, usize)> = HashMap::new();
    affected.iter().any(|one| {
        let (versions, events) = of_package.entry((&one.ecosystem, &one.name)).or_default();
        *versions += one.versions.len();
        *events += one.ranges.iter().map(|range| range.events.len()).sum::<usize>();
        *versions > MAX_VERSIONS || *events > MAX_EVENTS
    })
}

/// `Debian:12` is of the family `Debian`.
pub(super) fn family(ecosystem: &str) -> &str {
    ecosystem.split(':').next().unwrap_or_default()
}

/// Other ids than the record's own.
fn others(record: &Value, field: &str, id: &str) -> Vec<String> {
    let mut ids = texts(record, field);
    ids.retain(|other| other != id);
    ids
}

/// What has been taken back stays so, with whatever date.
fn withdrawn(record: &Value, otherwise: Option<Timestamp>) -> Option<Timestamp> {
    match record.get("withdrawn") {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(_) => time_of(record, "withdrawn").or(otherwise).or(Some(Timestamp::UNIX_EPOCH)),
    }
}

fn reference(reference: &Value) -> Option<Reference> {
    let url = text_of(reference, "url").or_else(|| as_text(reference))?;
    Some(Reference { kind: text_of(reference, "type").unwrap_or_else(|| "WEB".into()), url })
}

fn severities(object: &Value) -> Vec<Severity> {
    let one = |severity: &Value| {
        let score = text_of(severity, "score")?;
        Some(Severity { kind: text_of(severity, "type").unwrap_or_default(), score })
    };
    list(object, "severity").iter().filter_map(one).collect()
}

fn affected_package(entry: &Value) -> Option<Affected> {
    let null = Value::Null;
    let package = entry.get("package").unwrap_or(&null);
    let ecosystem = text_of(package, "ecosystem")?;
    let name = text_of(package, "name")?;
    let eco = entry.get("ecosystem_specific").unwrap_or(&null);
    let database = entry.get("database_specific").unwrap_or(&null);
    let urgency = text_of(eco, "urgency").or_else(|| text_of(eco, "ubuntu_priority"));
    let modularity = text_of(eco, "rpmmod")
        .or_else(|| text_of(eco, "modularity"))
        .or_else(|| text_of(database, "modularity"));
    Some(Affected {
        purl: text_of(package, "purl"),
        ranges: list(entry, "ranges").iter().filter_map(range).collect(),
        versions: texts(entry, "versions"),
        severities: severities(entry),
        severity_word: text_of(eco, "severity").or_else(|| text_of(database, "severity")),
        status: status(eco, database, urgency.as_deref()),
        urgency,
        modularity,
        specific: specific(eco, database),
        ecosystem,
        name,
    })
}

fn range(range: &Value) -> Option<Range> {
    let kind = match range.get("type").and_then(Value::as_str) {
        Some("SEMVER") => RangeKind::Semver,
        Some("ECOSYSTEM") => RangeKind::Ecosystem,
        Some("GIT") => RangeKind::Git,
        _ => RangeKind::Other,
    };
    let mut events = Vec::new();
    for event in list(range, "events") {
        let mut add = |field: &str, make: fn(String) -> Event| {
            if let Some(version) = text_of(event, field) {
                events.push(make(version));
            }
        };
        // One event has one of them; where it has several, each counts.
        add("introduced", Event::Introduced);
        add("fixed", Event::Fixed);
        add("last_affected", Event::LastAffected);
        add("limit", Event::Limit);
    }
    // Commits are compared with nothing: that there were some is enough.
    if kind == RangeKind::Git {
        events.clear();
    } else if events.is_empty() {
        return None;
    }
    Some(Range { kind, events })
}

/// Debian's urgencies say more than how urgent it is:
/// <https://security-team.debian.org/security_tracker.html#severity-levels>.
fn status(eco: &Value, database: &Value, urgency: Option<&str>) -> Status {
    let stated = text_of(eco, "status").or_else(|| text_of(database, "status"));
    let word = stated.as_deref().or(urgency).unwrap_or_default().to_lowercase();
    status_of_word(&word).unwrap_or_default()
}

/// A source's word for a status, in lower case.
pub(super) fn status_of_word(word: &str) -> Option<Status> {
    Some(match word.replace(['_', ' '], "-").as_str() {
        "fixed" | "resolved" | "released" => Status::Fixed,
        "not-affected" | "known-not-affected" | "false-positive" | "dne" => Status::NotAffected,
        "wont-fix" | "will-not-fix" | "won't-fix" | "ignored" => Status::WillNotFix,
        "deferred" | "fix-deferred" | "postponed" => Status::Deferred,
        "unimportant" => Status::Unimportant,
        "under-investigation" | "investigating" | "undetermined" | "needs-triage" => {
            Status::UnderInvestigation
        }
        "end-of-life" | "eol" | "out-of-support-scope" => Status::EndOfLife,
        "affected" | "known-affected" => Status::Affected,
        _ => return None,
    })
}

fn specific(eco: &Value, database: &Value) -> Specific {
    let affects = eco.get("affects").unwrap_or(&Value::Null);
    Specific {
        repository: text_of(database, "repo").or_else(|| text_of(eco, "availability")),
        informational: text_of(database, "informational"),
        systems: texts(affects, "os"),
        processors: texts(affects, "arch"),
        imports: list(eco, "imports").iter().filter_map(import).collect(),
        components: list(eco, "components")
            .iter()
            .filter_map(|component| text_of(component, "component_purl"))
            .collect(),
        binaries: binaries(eco),
        custom_ranges: list(eco, "custom_ranges").iter().filter_map(range).collect(),
        ..Specific::default()
    }
}

fn import(import: &Value) -> Option<Import> {
    Some(Import {
        path: text_of(import, "path")?,
        symbols: texts(import, "symbols"),
        systems: texts(import, "goos"),
        processors: texts(import, "goarch"),
    })
}

/// Ubuntu: `[{"binary_name": "libc6", "binary_version": "2.35-0ubuntu3.1"}, …]`,
/// and in older records `[{"libc6": "2.35-0ubuntu3.1"}, …]`.
fn binaries(eco: &Value) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for binary in list(eco, "binaries") {
        match text_of(binary, "binary_name") {
            Some(name) => names.push(name),
            None => {
                names.extend(binary.as_object().into_iter().flat_map(|map| map.keys().cloned()))
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(record: Value) -> Advisory {
        advisory(&record).expect("an advisory")
    }

    #[test]
    fn takes_what_a_record_says() {
        let advisory = check(json!({
            "id": "DEBIAN-CVE-2024-1", "upstream": ["CVE-2024-1"], "modified": "2024-05-01T00:00:00Z",
            "affected": [{
                "package": { "ecosystem": "Debian:12", "name": "zlib", "purl": "pkg:deb/debian/zlib" },
                "ranges": [
                    { "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "1:1.3" }] },
                    { "type": "GIT", "repo": "x", "events": [{ "introduced": "0" }] },
                ],
                "ecosystem_specific": { "urgency": "unimportant" },
            }],
        }));
        let affected = &advisory.affected[0];
        assert_eq!(advisory.source, "osv:Debian");
        assert_eq!(
            (affected.status, affected.urgency.as_deref()),
            (Status::Unimportant, Some("unimportant"))
        );
        let events = vec![Event::Introduced("0".into()), Event::Fixed("1:1.3".into())];
        let git = Range { kind: RangeKind::Git, events: Vec::new() };
        assert_eq!(affected.ranges, [Range { kind: RangeKind::Ecosystem, events }, git]);
    }

    #[test]
    fn takes_what_is_there_of_a_broken_record() {
        let advisory = check(json!({
            "id": "X-1", "modified": "not yet", "aliases": null, "related": "X-2",
            "severity": [null, { "type": "CVSS_V3" }, { "score": 7.5 }],
            "references": ["https://one.example", { "url": null }, { "url": "https://two.example" }],
            "affected": [
                null, {}, { "package": { "name": "no ecosystem" } },
                { "package": { "ecosystem": "npm", "name": "a" }, "ranges": [{ "type": "SEMVER" }, 3],
                  "versions": [1.5, "2"] },
            ],
        }));
        assert_eq!((advisory.modified, advisory.aliases.len()), (None, 0));
        assert_eq!(advisory.severities, [Severity { kind: String::new(), score: "7.5".into() }]);
        assert_eq!(advisory.references.len(), 2);
        assert_eq!(advisory.affected.len(), 1);
        assert_eq!(advisory.affected[0].versions, ["1.5", "2"]);
        assert!(advisory.affected[0].ranges.is_empty());
        assert!(super::advisory(&json!({ "id": "", "affected": [] })).is_err());
    }

    #[test]
    fn what_was_taken_back_stays_so_whatever_its_date() {
        let withdrawn = |value: Value| {
            check(json!({ "id": "X-1", "modified": "2024-05-01", "withdrawn": value })).withdrawn
        };
        assert_eq!(
            withdrawn(json!("2024-06-01T00:00:00Z")).unwrap().to_string(),
            "2024-06-01T00:00:00Z"
        );
        assert_eq!(withdrawn(json!("soon")).unwrap().to_string(), "2024-05-01T00:00:00Z");
        assert!(withdrawn(json!(true)).is_some());
        assert!(withdrawn(json!(null)).is_none() && withdrawn(json!("")).is_none());
    }
}
