//! Why a vulnerability is held against an image, or is not: everything that was
//! compared for it, package by package.

use std::collections::BTreeSet;

use super::evaluation::{Match, Package, Uncovered};
use super::matching::{self, Compared, Lists};
use super::names::{LookUp, Places, Subject};
use super::{Data, Options, finding, identity};
use inscan_document::Section;
use inscan_document::section::PackageRow;
use inscan_vulndb::{self as vulndb, Advisory};

/// What is known of one vulnerability, and what became of it in one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// All its names; empty where no advisory has the one that was asked for.
    pub names: Vec<String>,
    /// The advisories about it, by id.
    pub advisories: Vec<Advisory>,
    /// Every comparison with a package of the image.
    pub comparisons: Vec<Comparison>,
    /// What it concerns: ecosystem and package.
    pub concerned: Vec<(String, String)>,
}

/// One package against one entry of one advisory.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub package: Package,
    pub advisory: String,
    /// What was looked up, and what the version was compared with.
    pub detail: Match,
    pub result: Compared,
}

/// Everything that is compared for one vulnerability; with a package, for that one alone.
pub fn explain(
    section: &Section,
    data: Data<'_>,
    options: &Options,
    id: &str,
    package: Option<&str>,
) -> vulndb::Result<Explanation> {
    let names = names(id, data)?;
    let mut explanation = Explanation::default();
    for name in &names {
        explanation.advisories.extend(data.database.advisory(name)?);
    }
    let covered = super::covered(data.database)?;
    let derived = super::with_sources(section, data.database)?;
    let section = derived.as_ref().unwrap_or(section);
    let places = Places::new(section, &covered, options.lockfiles);
    let mut lists = Lists::new(data.database);
    for (index, row) in section.packages.iter().enumerate() {
        let described = finding::described(index, row);
        let is_meant = package.is_none_or(|name| {
            let names = [Some(described.name.as_str()), described.source.as_deref()];
            let is_named = |known: &str| known.eq_ignore_ascii_case(name);
            described.purl == name || names.into_iter().flatten().any(is_named)
        });
        if !is_meant {
            continue;
        }
        let place = places.of(row);
        let subject = place.subject(row);
        let (look_ups, cpes) = match &subject {
            Subject::LookUp(look_ups) => (look_ups.as_slice(), place.cpes(row)),
            Subject::Uncovered(_) => (&[][..], place.cpes(row)),
            Subject::NotInstalled | Subject::NoPackage => continue,
        };
        for look_up in lists.asked(look_ups)?.into_iter().chain(&cpes) {
            for advisory in lists.advisories(look_up)?.iter() {
                let about = identity::vulnerabilities(advisory).into_iter().flatten();
                let mut about = about.chain([advisory.id.clone()]);
                if about.any(|name| names.contains(&name)) {
                    if !explanation.advisories.iter().any(|known| known.id == advisory.id) {
                        explanation.advisories.extend(data.database.advisory(&advisory.id)?);
                    }
                    compare(row, &described, advisory, look_up, &mut explanation.comparisons);
                }
            }
        }
    }
    let entries = explanation.advisories.iter().flat_map(|advisory| &advisory.affected);
    let concerned: BTreeSet<(String, String)> =
        entries.map(|affected| (affected.ecosystem.clone(), affected.name.clone())).collect();
    explanation.concerned = concerned.into_iter().collect();
    if !explanation.advisories.is_empty() {
        explanation.names = names.into_iter().collect();
        explanation.names.sort_by(|a, b| identity::order(a, b));
    }
    Ok(explanation)
}

/// All names of what was asked for.
fn names(id: &str, data: Data<'_>) -> vulndb::Result<BTreeSet<String>> {
    let id = match id.split_once('-') {
        // Typed by people.
        Some(("cve", number)) => format!("CVE-{number}"),
        _ => id.to_owned(),
    };
    identity::completed(vec![id], data.database)
}

fn compare(
    row: &PackageRow,
    described: &Package,
    advisory: &Advisory,
    look_up: &LookUp,
    comparisons: &mut Vec<Comparison>,
) {
    for affected in &advisory.affected {
        comparisons.push(Comparison {
            package: described.clone(),
            advisory: advisory.id.clone(),
            detail: look_up.detail(advisory),
            result: matching::compared(row, advisory, affected, look_up),
        });
    }
}

/// The gap a package fell into, where it was not judged.
pub fn gap(uncovered: &[Uncovered], package: usize) -> Option<&Uncovered> {
    uncovered.iter().find(|one| one.packages.contains(&package))
}
