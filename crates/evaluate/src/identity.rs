//! Which vulnerability an advisory is about, under all its names.
//!
//! Two advisories are about the same one where they share a name. A
//! distribution's erratum that fixes several is about each of them: its findings
//! are one for each CVE, so that each has its own severity, probability and
//! exception.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use inscan_vulndb::{Advisory, Database, Result};

/// The names of one vulnerability, the one to show first.
pub(super) type Aliases = Vec<String>;

/// What an advisory is about: several only where it is an erratum.
pub(super) fn vulnerabilities(advisory: &Advisory) -> Vec<Aliases> {
    let is_cve = |id: &&String| id.starts_with("CVE-");
    let mut cves: Vec<&String> = advisory.upstream.iter().filter(is_cve).collect();
    // AlmaLinux and Rocky name the CVEs of an erratum as related.
    if cves.is_empty() && is_erratum(&advisory.id) {
        cves = advisory.related.iter().filter(is_cve).collect();
    }
    cves.sort();
    cves.dedup();
    if cves.len() > 1 {
        return cves.into_iter().map(|cve| vec![cve.clone()]).collect();
    }
    let own = [&advisory.id].into_iter().chain(&advisory.aliases).chain(&advisory.upstream);
    vec![own.chain(cves).cloned().collect()]
}

/// The names of a vulnerability with those that other advisories in the database
/// have for it. Another CVE is another vulnerability, though some advisory be
/// about both.
pub(super) fn completed(names: Aliases, database: &Database) -> Result<BTreeSet<String>> {
    let mut all: BTreeSet<String> = names.iter().cloned().collect();
    let has_cve = names.iter().any(|name| name.starts_with("CVE-"));
    for name in names {
        let known = database.aliases(&name)?.into_iter();
        all.extend(known.filter(|name| !(has_cve && name.starts_with("CVE-"))));
    }
    Ok(all)
}

/// Those that share a name become one; each with the positions it was made from.
pub(super) fn merged(all: Vec<BTreeSet<String>>) -> Vec<(Aliases, Vec<usize>)> {
    let mut groups: Vec<(BTreeSet<String>, Vec<usize>)> = Vec::new();
    for (position, names) in all.into_iter().enumerate() {
        let mut group = (names, vec![position]);
        let (same, others): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(known, _)| !known.is_disjoint(&group.0));
        for (names, positions) in same {
            group.0.extend(names);
            group.1.extend(positions);
        }
        groups = others;
        groups.push(group);
    }
    let sorted = |(names, mut positions): (BTreeSet<String>, Vec<usize>)| {
        positions.sort_unstable();
        let mut names: Aliases = names.into_iter().collect();
        names.sort_by(|a, b| order(a, b));
        (names, positions)
    };
    groups.into_iter().map(sorted).collect()
}

/// CVE, then GHSA, then the rest; numbers by their value.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    let class = |id: &str| match id.split('-').next() {
        Some("CVE") => 0,
        Some("GHSA") => 1,
        Some("GO" | "OSV" | "PYSEC" | "RUSTSEC") => 2,
        _ => 3,
    };
    let parts = |id: &str| -> Vec<(u64, String)> {
        let part = |part: &str| (part.parse().unwrap_or(u64::MAX), part.to_owned());
        id.split('-').map(part).collect()
    };
    class(a).cmp(&class(b)).then_with(|| parts(a).cmp(&parts(b))).then_with(|| a.cmp(b))
}

/// `ALSA-2023:4520`, `RHBA-2019:1234`, `DSA-4956-1`.
fn is_erratum(id: &str) -> bool {
    kind_of_erratum(id).is_some()
}

/// `S`, `B` or `E` of those that Red Hat began with; `S` of the others.
fn kind_of_erratum(id: &str) -> Option<char> {
    let (prefix, rest) = id.split_once('-')?;
    match prefix {
        "ALSA" | "ELSA" | "RHSA" | "RLSA" | "RXSA" | "DSA" | "DLA" | "ELA" | "USN" => Some('S'),
        "ALBA" | "ELBA" | "RHBA" | "RLBA" | "RXBA" => Some('B'),
        "ALEA" | "ELEA" | "RHEA" | "RLEA" | "RXEA" => Some('E'),
        // `SUSE-RU-2023:1`: recommended, optional and feature updates.
        "SUSE" | "openSUSE" => match rest.split('-').next()? {
            "SU" => Some('S'),
            "RU" => Some('B'),
            "FU" | "OU" => Some('E'),
            _ => None,
        },
        _ => None,
    }
}

/// What kind of change it announces, where that is none of security.
pub(super) fn not_security(names: &[String]) -> Option<&'static str> {
    if names.iter().any(|name| name.starts_with("CVE-") || name.starts_with("GHSA-")) {
        return None;
    }
    let kinds: Vec<char> = names.iter().filter_map(|name| kind_of_erratum(name)).collect();
    match kinds.iter().max()? {
        'E' if kinds.len() == names.len() => Some("an enhancement"),
        'B' if kinds.len() == names.len() => Some("a bug fix"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_erratum_is_about_each_of_its_cves() {
        let mut advisory = Advisory {
            id: "DSA-1-1".into(),
            upstream: texts(&["CVE-2021-2", "CVE-2021-1"]),
            ..Default::default()
        };
        assert_eq!(vulnerabilities(&advisory), [["CVE-2021-1"], ["CVE-2021-2"]]);
        advisory.upstream.pop();
        assert_eq!(vulnerabilities(&advisory), [["DSA-1-1", "CVE-2021-2", "CVE-2021-2"]]);
        advisory.id = "ALSA-2023:1".into();
        advisory.upstream.clear();
        advisory.related = texts(&["CVE-1-1", "CVE-1-2"]);
        assert_eq!(vulnerabilities(&advisory).len(), 2);
        // What is related to a language's advisory is something else.
        advisory.id = "PYSEC-1".into();
        assert_eq!(vulnerabilities(&advisory), [["PYSEC-1"]]);
    }

    #[test]
    fn those_that_share_a_name_are_one() {
        let sets = [
            &["PYSEC-2021-9", "CVE-2021-10"][..],
            &["GHSA-x"],
            &["CVE-2021-9"],
            &["GHSA-x", "CVE-2021-10"],
        ];
        let sets = sets.map(|names| texts(names).into_iter().collect()).to_vec();
        let mut merged = merged(sets);
        merged.sort();
        assert_eq!(
            merged,
            [
                (texts(&["CVE-2021-10", "GHSA-x", "PYSEC-2021-9"]), vec![0, 1, 3]),
                (texts(&["CVE-2021-9"]), vec![2]),
            ]
        );
        assert_eq!(order("CVE-2021-9", "CVE-2021-10"), Ordering::Less);
    }

    #[test]
    fn bug_fixes_are_told_apart() {
        assert_eq!(not_security(&texts(&["ALBA-2019:1"])), Some("a bug fix"));
        assert_eq!(not_security(&texts(&["RHEA-2019:1"])), Some("an enhancement"));
        assert_eq!(not_security(&texts(&["ALBA-2019:1", "CVE-2019-1"])), None);
        assert_eq!(not_security(&texts(&["ALSA-2019:1"])), None);
        assert_eq!(not_security(&texts(&["PYSEC-2019-1"])), None);
    }
}
