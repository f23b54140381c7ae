//! The upgrades that fix findings, the one that fixes the most first.

use std::collections::BTreeMap;

use super::evaluation::{Finding, Upgrade};
use super::severity::Severity;

/// A candidate: what is upgraded, from where. Binary packages of one source are upgraded together.
type Key<'a> = (&'a str, &'a str, &'a str);

/// `is_free` says whether a package is rid of its findings with a version; `order` sorts versions.
pub(super) fn of(
    findings: &[Finding],
    smallest: impl Fn(&[&Finding]) -> Option<String>,
) -> Vec<Upgrade> {
    let mut packages: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
    for (position, finding) in findings.iter().enumerate() {
        if finding.upgrade.is_some() {
            let package = &finding.package;
            let name = package.source.as_deref().unwrap_or(&package.name);
            let version = finding.matches.first().map_or("", |one| one.version.as_str());
            packages.entry((&package.kind, name, version)).or_default().push(position);
        }
    }
    let upgrade = |((kind, package, from), positions): (Key<'_>, Vec<usize>)| {
        let its: Vec<&Finding> = positions.iter().map(|at| &findings[*at]).collect();
        Some(Upgrade {
            package: package.to_owned(),
            kind: kind.to_owned(),
            from: from.to_owned(),
            to: smallest(&its)?,
            worst: its.iter().map(|one| one.severity.level).max().unwrap_or(Severity::Unknown),
            findings: positions,
        })
    };
    let mut upgrades: Vec<Upgrade> = packages.into_iter().filter_map(upgrade).collect();
    upgrades.sort_by(|a, b| {
        let weight = |upgrade: &Upgrade| (upgrade.findings.len(), upgrade.worst);
        weight(b).cmp(&weight(a)).then_with(|| (&a.kind, &a.package).cmp(&(&b.kind, &b.package)))
    });
    upgrades
}
