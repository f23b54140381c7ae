//! Source packages of packages that do not state theirs, as those that chisel installed:
//! Ubuntu's advisories go by source package and say which binary packages each is about.

use std::collections::{BTreeMap, BTreeSet};

use inscan_document::Section;
use inscan_document::section::{PackageRow, SourcePackage};
use inscan_facts::package::Certainty;
use inscan_facts::package_type;
use inscan_vulndb::{Database, Result, Sources};

use super::names::Places;

/// The name of the rule.
const RULE: &str = "binaries-of-advisories";

/// The section with source packages where they can be concluded. `None`: nothing changes.
pub(super) fn derived(
    section: &Section,
    database: &Database,
    covered: &BTreeSet<String>,
) -> Result<Option<Section>> {
    let places = Places::new(section, covered, false);
    let lacking = section.packages.iter().filter(|it| lacks_source(it));
    let mut by_lists: BTreeMap<Vec<&str>, BTreeSet<&str>> = BTreeMap::new();
    for package in lacking {
        by_lists.entry(places.of(package).lists()).or_default().insert(&package.name);
    }
    if by_lists.is_empty() {
        return Ok(None);
    }
    let mut sources: BTreeMap<Vec<&str>, Sources> = BTreeMap::new();
    for (lists, names) in by_lists {
        let mut all = Sources { is_complete: !lists.is_empty(), ..Sources::default() };
        for list in &lists {
            let found = database.sources_of(list, &names)?;
            all.is_complete &= found.is_complete;
            for (binary, of) in found.of {
                all.of.entry(binary).or_default().extend(of);
            }
        }
        sources.insert(lists, all);
    }
    let mut derived = section.clone();
    for (package, row) in section.packages.iter().zip(&mut derived.packages) {
        if lacks_source(package)
            && let Some(sources) = sources.get(&places.of(package).lists())
        {
            derive(row, sources);
        }
    }
    Ok(Some(derived))
}

/// Whether advisories would go by a source package that nobody states.
pub(super) fn lacks_source(package: &PackageRow) -> bool {
    package_type::has_release_advisories(&package.kind)
        && package.identity.source == Certainty::Unknown
}

fn derive(package: &mut PackageRow, sources: &Sources) {
    let known = sources.of.get(&package.name);
    let name = match known.map(|of| of.iter().collect::<Vec<_>>()).as_deref() {
        Some([one]) => (*one).clone(),
        // It was of one source and is of another.
        Some([_, ..]) => return,
        // No advisory is about it, or the list does not say what it is about.
        _ if sources.is_complete => package.name.clone(),
        _ => return,
    };
    package.source = Some(SourcePackage { name, version: None });
    package.identity.source = Certainty::derived(RULE);
}
