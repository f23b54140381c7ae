//! The packages of documents one by one. What is vulnerable in a package depends on the package, on
//! the distribution around it, and on the package that brought it, and on nothing else of its
//! image: so a package that a thousand images have is matched once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use inscan_document::section::{DistributionInfo, ImageInfo, PackageRow, Tool};
use inscan_document::{self as document, Section};
use inscan_evaluate::{Data, Options};
use inscan_facts::package::Evidence;
use inscan_facts::package_type;
use inscan_vulndb as vulndb;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::vulnerable::{self, Item, Package};

/// All that decides what is vulnerable in a package. Equal ones have the same matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    around: Around,
    package: PackageRow,
    /// The package of the operating system that brought its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<PackageRow>,
}

/// What is the same for all packages of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Around {
    /// The legacy scanner wrote the document.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    legacy: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    os: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distribution: Option<DistributionInfo>,
}

impl Subject {
    /// The package in the words of the legacy engine; without a path.
    pub fn package(&self) -> Package {
        Package { path: String::new(), ..vulnerable::package(&self.package) }
    }
}

/// The packages of a document that are judged where lock files are not: each once.
pub fn of_document(section: &Section) -> Vec<Subject> {
    let mut distribution = section.distribution.clone();
    if let Some(found) = &mut distribution {
        found.location.clear();
    }
    let legacy = section.tool.name == document::LEGACY_TOOL;
    let around = Around { legacy, os: section.image.os.clone(), distribution };
    let judged = section
        .packages
        .iter()
        .filter(|package| !matches!(package.evidence, Evidence::Lockfile | Evidence::Manifest));
    let subjects = judged.map(|package| {
        let owner = package.owned_by.and_then(|owner| section.packages.get(owner)).map(plain);
        let mut around = around.clone();
        // A language has one list wherever its packages are.
        if owner.is_none() && !package_type::has_release_advisories(&package.kind) {
            around.distribution = None;
        }
        Subject { around, package: plain(package), owner }
    });
    let mut all: Vec<Subject> = subjects.collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|subject| seen.insert(text(subject)));
    all
}

/// Without what no advisory is compared with: where it lies, which layer brought it, its licences.
fn plain(package: &PackageRow) -> PackageRow {
    let location = match package.kind.as_str() {
        // Names by which NVD may call it are made of the archive's.
        "maven" => package.location.rsplit([':', '/']).next().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    PackageRow {
        kind: package.kind.clone(),
        namespace: package.namespace.clone(),
        name: package.name.clone(),
        version: package.version.clone(),
        epoch: package.epoch,
        arch: package.arch.clone(),
        source: package.source.clone(),
        origin: package.origin.clone(),
        evidence: package.evidence,
        analyzer: package.analyzer.clone(),
        location,
        distribution: package.distribution.clone(),
        attributes: package.attributes.clone(),
        identity: package.identity.clone(),
        role: package.role,
        ..PackageRow::default()
    }
}

fn text(value: &impl Serialize) -> String {
    // Maps of theirs have texts as keys, so that this does not fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// What is vulnerable in each of the packages, in their order.
///
/// # Errors
/// Where the database cannot be read.
pub fn matches(
    subjects: &[Subject],
    data: Data<'_>,
    options: &Options,
    when: Timestamp,
) -> vulndb::Result<Vec<Vec<Item>>> {
    let mut by_place: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (position, subject) in subjects.iter().enumerate() {
        by_place.entry(text(&subject.around)).or_default().push(position);
    }
    let mut found = vec![Vec::new(); subjects.len()];
    for positions in by_place.values() {
        let of_place: Vec<&Subject> = positions.iter().filter_map(|at| subjects.get(*at)).collect();
        let Some(section) = section(&of_place) else { continue };
        for item in vulnerable::judge(&section, data, options, when)?.items {
            // Those behind them are their owners, which stand for themselves elsewhere.
            let place = positions.get(item.index).and_then(|at| found.get_mut(*at));
            place.into_iter().for_each(|place| place.push(item.clone()));
        }
    }
    Ok(found)
}

/// A document of packages of one place, with their owners behind them.
fn section(subjects: &[&Subject]) -> Option<Section> {
    let around = &subjects.first()?.around;
    let name = if around.legacy { document::LEGACY_TOOL } else { "" };
    let mut section = Section {
        tool: Tool { name: name.to_owned(), ..Tool::default() },
        image: ImageInfo { os: around.os.clone(), ..ImageInfo::default() },
        distribution: around.distribution.clone(),
        packages: subjects.iter().map(|subject| subject.package.clone()).collect(),
        ..Section::default()
    };
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for (position, subject) in subjects.iter().enumerate() {
        let Some(owner) = &subject.owner else { continue };
        let place = match owners.entry(text(owner)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                section.packages.push(owner.clone());
                *place.insert(section.packages.len() - 1)
            }
        };
        section.packages[position].owned_by = Some(place);
    }
    Some(section)
}
