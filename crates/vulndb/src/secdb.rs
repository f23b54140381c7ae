//! Alpine's security database, as Wolfi and Chainguard publish theirs too: for
//! each package, the versions and what each of them repairs.
//! <https://security.alpinelinux.org/>, one file for each release and repository.

use std::collections::BTreeMap;

use serde_json::Value;

use super::advisory::{Advisory, Affected, Event, Range, RangeKind, Specific, Status};
use super::json::{as_text, list, object, text_of};

pub(super) fn is_secdb(value: &Value) -> bool {
    list(value, "packages").iter().any(|package| package.get("pkg").is_some())
        || (value.get("packages").is_some_and(Value::is_array)
            && value.get("reponame").is_some()
            && value.get("urlprefix").is_some())
}

/// The ecosystem of a file: `Alpine:v3.20`, `Wolfi`.
pub(super) fn ecosystem(value: &Value) -> String {
    let release = text_of(value, "distroversion").unwrap_or_default();
    let hint = [text_of(value, "urlprefix"), text_of(value, "apkurl"), text_of(value, "reponame")];
    let hint = hint.into_iter().flatten().collect::<String>().to_lowercase();
    match () {
        _ if hint.contains("wolfi") => "Wolfi".to_owned(),
        _ if hint.contains("chainguard") => "Chainguard".to_owned(),
        _ if release.is_empty() => "Alpine".to_owned(),
        _ => format!("Alpine:{release}"),
    }
}

/// One advisory for each vulnerability that the file names.
pub(super) fn advisories(value: &Value) -> Vec<Advisory> {
    let ecosystem = ecosystem(value);
    let repository = text_of(value, "reponame");
    let mut found: BTreeMap<String, Advisory> = BTreeMap::new();
    for package in list(value, "packages") {
        let package = package.get("pkg").unwrap_or(package);
        let Some(name) = text_of(package, "name") else { continue };
        for (version, repaired) in object(package, "secfixes").into_iter().flatten() {
            let Some(repaired) = repaired.as_array() else { continue };
            for ids in repaired.iter().filter_map(as_text) {
                let mut ids = ids.split_whitespace().filter(|word| is_id(word));
                let Some(id) = ids.next() else { continue };
                let affected = affected(&ecosystem, &name, version, repository.clone());
                let advisory =
                    found.entry(id.to_owned()).or_insert_with(|| advisory(&ecosystem, id));
                advisory.affected.push(affected);
                // `CVE-2020-1 XSA-1`: the same, as others name it.
                for other in ids.filter(|other| *other != id) {
                    if !advisory.upstream.iter().any(|known| known == other) {
                        advisory.upstream.push(other.to_owned());
                    }
                }
            }
        }
    }
    found.into_values().collect()
}

/// Words that are no id: `(+`, `regression`, `fix)`.
fn is_id(word: &str) -> bool {
    word.contains(['-', '_'])
        && word.starts_with(|char: char| char.is_ascii_uppercase())
        && word.chars().all(|char| char.is_ascii_alphanumeric() || "-_:.".contains(char))
}

fn advisory(ecosystem: &str, id: &str) -> Advisory {
    // As OSV names the same records.
    let id_of_its_own = match super::osv::family(ecosystem) {
        "Alpine" => format!("ALPINE-{id}"),
        family => format!("{}-{id}", family.to_uppercase()),
    };
    Advisory {
        id: id_of_its_own,
        upstream: vec![id.to_owned()],
        source: "alpine-secdb".to_owned(),
        ..Advisory::default()
    }
}

/// Version `0` says that the package never was affected.
fn affected(ecosystem: &str, name: &str, version: &str, repository: Option<String>) -> Affected {
    let version = version.trim();
    let never = version == "0";
    let events = vec![Event::Introduced("0".into()), Event::Fixed(version.to_owned())];
    let ranges =
        if never { Vec::new() } else { vec![Range { kind: RangeKind::Ecosystem, events }] };
    Affected {
        ecosystem: ecosystem.to_owned(),
        name: name.to_owned(),
        ranges,
        status: if never { Status::NotAffected } else { Status::Affected },
        specific: Specific { repository, ..Specific::default() },
        ..Affected::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_vulnerability_is_an_advisory_with_all_its_packages() {
        let file = json!({
            "distroversion": "v3.20", "reponame": "main", "urlprefix": "https://mirror.example/alpine",
            "packages": [
                { "pkg": { "name": "xen", "secfixes": {
                    "4.1-r0": ["CVE-2020-1 XSA-1", "CVE-2020-2 (+ regression fix)"], "0": ["CVE-2020-3"], "5": null } } },
                { "pkg": { "name": "xen-old", "secfixes": { "3-r1": ["CVE-2020-1"] } } },
                { "pkg": { "name": null } }, { "pkg": { "name": "none", "secfixes": null } },
            ],
        });
        assert!(is_secdb(&file));
        let found = advisories(&file);
        let ids: Vec<&str> = found.iter().map(|advisory| advisory.id.as_str()).collect();
        assert_eq!(ids, ["ALPINE-CVE-2020-1", "ALPINE-CVE-2020-2", "ALPINE-CVE-2020-3"]);
        assert_eq!(found[0].upstream, ["CVE-2020-1", "XSA-1"]);
        let names: Vec<&str> = found[0].affected.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["xen", "xen-old"]);
        assert_eq!(found[0].affected[0].ecosystem, "Alpine:v3.20");
        assert_eq!(found[1].upstream, ["CVE-2020-2"]);
        assert_eq!(found[2].affected[0].status, Status::NotAffected);
        assert!(found[2].affected[0].ranges.is_empty());
    }
}
