//! What is vulnerable in an image, as the legacy engine lists it: one item for
//! each advisory that holds for a package, under the advisory's own id, with its
//! own severity and dates. Policies ask for it, and its JSON is in [`listing`].
//!
//! It is made of our own evaluation. With a database of the engine's feeds it is
//! the engine's list; with one of OSV's records, whose advisories of one
//! vulnerability are many, an item is a vulnerability.

mod cpe;
pub mod listing;
mod scores;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use jiff::Timestamp;

pub use scores::Scores;

use cpe::Cpe;
use inscan_document::section::PackageRow;
use inscan_document::{self as document, Section};
use inscan_evaluate::versions::{self, Scheme};
use inscan_evaluate::{
    self as evaluate, Data, Evaluation, Finding, Match, NameOf, Options, Severity, Suppression,
    SuppressionCode,
};
use inscan_vulndb::{self as vulndb, Advisory, Database, Freshness, Status};

/// What is vulnerable in one image, and what that is known from.
#[derive(Clone, Debug)]
pub struct VulnerabilityList {
    /// Those of the operating system first.
    pub items: Vec<Item>,
    /// `debian:10`, as the image says it.
    pub distribution: String,
    /// Of the list of the distribution's release.
    pub freshness: Freshness,
    /// What ages are counted from.
    pub when: Timestamp,
}

/// One advisory that holds for one package.
#[derive(Clone, Debug)]
pub struct Item {
    /// Position of its package in the document.
    pub index: usize,
    pub id: String,
    /// All names of the vulnerability.
    pub aliases: Vec<String>,
    pub severity: Severity,
    pub package: Package,
    /// Set where nothing but a CPE name says so.
    pub cpe: Option<Cpe>,
    /// The version that fixes it.
    pub fix: Option<String>,
    /// Its vendor will not fix it.
    pub refused: bool,
    pub url: String,
    pub feed: &'static str,
    pub group: String,
    /// Of the CVEs that it is about.
    pub nvd: Vec<Scores>,
    /// Of the advisory itself.
    pub vendor: Vec<Scores>,
    pub created: Timestamp,
    /// When the fix was first there.
    pub fix_seen: Option<Timestamp>,
    /// Why it is not held against the image: an exception or a statement of somebody's.
    pub excused: Option<Suppression>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// `dpkg`, `APKG`, `java`.
    pub kind: String,
    pub is_os: bool,
    pub name: String,
    pub version: String,
    /// `pkgdb` for a package of the operating system.
    pub path: String,
}

/// Judges a document without leaving out what was not asked to be reported, and lists what is
/// vulnerable.
pub fn judge(
    section: &Section,
    data: Data<'_>,
    options: &Options,
    when: Timestamp,
) -> vulndb::Result<VulnerabilityList> {
    let options = Options { severity: Severity::Unknown, only_fixable: false, ..options.clone() };
    let evaluation = evaluate::evaluate(section, Some(data), &options, None)?;
    of(section, &evaluation, data.database, when)
}

/// Lists what is vulnerable by an evaluation that left nothing out.
pub fn of(
    section: &Section,
    evaluation: &Evaluation,
    database: &Database,
    when: Timestamp,
) -> vulndb::Result<VulnerabilityList> {
    let held = evaluation.findings.iter().map(|finding| (finding, None));
    let excused = evaluation.suppressed.iter().filter_map(|one| {
        let by_somebody = matches!(one.by.code, SuppressionCode::Ignored | SuppressionCode::Vex);
        by_somebody.then_some((&one.finding, Some(&one.by)))
    });
    let mut records = Records {
        database,
        // A document and a feed of the engine: what it said is said again.
        compares_letters: section.tool.name == document::LEGACY_TOOL,
        known: BTreeMap::new(),
        freshness: BTreeMap::new(),
    };
    let mut items: BTreeMap<Key, Item> = BTreeMap::new();
    for (finding, by) in held.chain(excused) {
        let Some(package) = section.packages.get(finding.package.index) else { continue };
        for (key, item) in of_finding(package, finding, by, &mut records)? {
            match items.entry(key) {
                Entry::Vacant(entry) => drop(entry.insert(item)),
                // Another of the CVEs that an erratum is about, or another entry of the advisory.
                Entry::Occupied(mut entry) => entry.get_mut().add(item, package),
            }
        }
    }
    let (distribution, list) = distribution(section, evaluation);
    Ok(VulnerabilityList {
        items: items.into_values().collect(),
        distribution,
        freshness: match list {
            Some(list) => database.freshness(list)?,
            None => Freshness::Missing,
        },
        when,
    })
}

/// Items are in this order. The engine lists those of the operating system first.
type Key = (bool, Package, usize, String, String);

fn of_finding(
    package: &PackageRow,
    finding: &Finding,
    by: Option<&Suppression>,
    records: &mut Records<'_>,
) -> vulndb::Result<Vec<(Key, Item)>> {
    let mut items = Vec::new();
    for detail in &finding.matches {
        let Some(record) = records.advisory(detail)? else { continue };
        if records.compares_letters && !is_named_so(package, &record) {
            continue;
        }
        let item = item(package, finding, detail, &record, records)?;
        let item = Item { excused: by.cloned(), ..item };
        let key = (
            !item.package.is_os,
            item.package.clone(),
            finding.package.index,
            item.id.clone(),
            item.group.clone(),
        );
        items.push((key, item));
    }
    Ok(items)
}

/// Whether the record names the package in the same letters, where names are the same in any:
/// COMPATIBILITY.md says why it is asked.
fn is_named_so(package: &PackageRow, record: &Advisory) -> bool {
    let is_python = record.source == "feed:github:python";
    !is_python || record.affected.iter().any(|entry| entry.name == package.name)
}

fn item(
    package: &PackageRow,
    finding: &Finding,
    detail: &Match,
    record: &Advisory,
    records: &mut Records<'_>,
) -> vulndb::Result<Item> {
    let group = record.source.strip_prefix("feed:");
    let is_guess = detail.name_of == NameOf::Cpe;
    let mut named = self::package(package);
    let mut guess = None;
    if is_guess {
        guess = Some(Cpe::new(&named.kind, &detail.name, &detail.version));
        named.name.clone_from(&detail.name);
        named.version.clone_from(&detail.version);
    }
    let entries = || record.affected.iter();
    let fixing = entries().rfind(|entry| {
        let fixes = entry.specific.fix.as_ref().into_iter().chain(fixed(entry));
        detail.fixed.is_some() && fixes.into_iter().any(|fix| Some(fix) == detail.fixed.as_ref())
    });
    let first_seen = record.first_seen.and_then(|seen| Timestamp::from_second(seen).ok());
    let created = match record.published.or(first_seen) {
        Some(created) => created,
        None => records.day_of(&detail.ecosystem)?,
    };
    let seen = fixing.and_then(|entry| Timestamp::from_second(entry.specific.fix_seen?).ok());
    let cves = cves(record, finding);
    Ok(Item {
        index: finding.package.index,
        id: if group.is_some() { record.id.clone() } else { finding.id.clone() },
        aliases: finding.aliases.clone(),
        severity: match group {
            Some(_) => {
                let word = record.severity_word.as_deref().and_then(Severity::of_word);
                word.unwrap_or_default()
            }
            None => finding.severity.level,
        },
        package: named,
        cpe: guess,
        fix: detail.fixed.clone(),
        refused: !entries().any(|entry| entry.status != Status::WillNotFix),
        url: match is_guess {
            true => format!("https://nvd.nist.gov/vuln/detail/{}", record.id),
            false => records.url(record)?,
        },
        feed: if is_guess { "nvdv2" } else { "vulnerabilities" },
        group: group.unwrap_or(&detail.ecosystem).to_owned(),
        nvd: scores::of_cves(&cves, record, records.database)?,
        vendor: if group.is_some() { Vec::new() } else { scores::of_advisory(record) },
        created,
        fix_seen: detail.fixed.is_some().then(|| seen.unwrap_or(created)),
        excused: None,
    })
}

impl Item {
    /// The version that fixes all of it is the latest one; who is excused has to be for all of it.
    fn add(&mut self, other: Item, package: &PackageRow) {
        if self.excused.is_some() {
            self.excused = other.excused;
        }
        self.refused &= other.refused;
        self.severity = self.severity.max(other.severity);
        let scheme = versions::of_package(&package.kind, &package.name).unwrap_or(Scheme::Semver);
        let is_later = match (&self.fix, &other.fix) {
            (Some(known), Some(fix)) => {
                versions::compare(scheme, fix, known).is_ok_and(std::cmp::Ordering::is_gt)
            }
            (known, _) => known.is_none(),
        };
        if is_later {
            self.fix = other.fix;
            self.fix_seen = other.fix_seen;
        }
        for scores in other.nvd {
            if !self.nvd.iter().any(|known| known.id == scores.id) {
                self.nvd.push(scores);
            }
        }
    }

    /// Whether it has the name; any that its vulnerability has.
    pub fn is_called(&self, id: &str) -> bool {
        self.id == id || self.aliases.iter().any(|alias| alias == id)
    }
}

/// The versions at which it ends.
fn fixed(entry: &vulndb::Affected) -> Vec<&String> {
    let events = entry.ranges.iter().flat_map(|range| &range.events);
    let fixed = events.filter_map(|event| match event {
        vulndb::Event::Fixed(version) => Some(version),
        _ => None,
    });
    fixed.collect()
}

fn cves(record: &Advisory, finding: &Finding) -> Vec<String> {
    let own = [&record.id].into_iter().chain(&record.aliases).chain(&record.upstream);
    let is_cve = |id: &&String| id.starts_with("CVE-");
    let mut cves: Vec<String> = own.filter(is_cve).cloned().collect();
    if cves.is_empty() {
        cves = finding.aliases.iter().filter(is_cve).cloned().collect();
    }
    cves.sort();
    cves.dedup();
    cves
}

/// The package in the engine's words.
pub(crate) fn package(row: &PackageRow) -> Package {
    let (kind, is_os) = match row.kind.as_str() {
        "deb" => ("dpkg", true),
        "apk" => ("APKG", true),
        "rpm" => ("rpm", true),
        "maven" => ("java", false),
        "pypi" => ("python", false),
        "golang" => ("go", false),
        "generic" => ("binary", false),
        other => (other, false),
    };
    let name = match row.kind.as_str() {
        "maven" => row.name.clone(),
        _ => evaluate::full_name(row),
    };
    let path = if is_os { "pkgdb".to_owned() } else { path(row) };
    Package { kind: kind.to_owned(), is_os, name, version: row.version.clone(), path }
}

/// Under which key the engine has the package.
fn path(row: &PackageRow) -> String {
    let location = row.location.trim_start_matches('/');
    match row.kind.as_str() {
        "pypi" if row.analyzer != "legacy" => {
            // The directory that holds the metadata: `…/x-1.0.dist-info/METADATA`.
            let parts: Vec<&str> = location.split('/').collect();
            let is_metadata = |part: &&str| {
                [".dist-info", ".egg-info", ".egg"].iter().any(|end| part.ends_with(end))
            };
            let end = parts.iter().position(is_metadata).unwrap_or(parts.len().saturating_sub(1));
            let folder: String = parts[..end].iter().map(|part| format!("/{part}")).collect();
            format!("{folder}/{}", row.name)
        }
        // Merged into an archive of another name.
        "maven" if row.analyzer == "java" && !row.attributes.contains_key("identified-by") => {
            format!("/{location}:{}", row.name)
        }
        _ => format!("/{location}"),
    }
}

/// As the image says it, and what it is called in the database.
fn distribution<'a>(section: &Section, evaluation: &'a Evaluation) -> (String, Option<&'a str>) {
    let Some(found) = &section.distribution else { return ("Unknown:0".to_owned(), None) };
    let version = match (found.version.as_str(), found.codename.as_deref()) {
        ("", Some(_)) if found.id == "debian" => "unstable",
        ("", _) => "0",
        (version, _) => version,
    };
    let list = evaluation.image.distribution.as_ref().and_then(|it| it.ecosystem.as_deref());
    (format!("{}:{version}", found.id), list)
}

/// The database's records, each looked up once.
struct Records<'a> {
    database: &'a Database,
    /// Names of packages of a language are compared as they are written.
    compares_letters: bool,
    known: BTreeMap<(String, String), Vec<Rc<Advisory>>>,
    freshness: BTreeMap<String, Timestamp>,
}

impl Records<'_> {
    fn advisory(&mut self, detail: &Match) -> vulndb::Result<Option<Rc<Advisory>>> {
        let key = (detail.ecosystem.clone(), detail.name.clone());
        let known = match self.known.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let found = self.database.advisories_for(&detail.ecosystem, &detail.name)?;
                place.insert(found.into_iter().map(Rc::new).collect())
            }
        };
        Ok(known.iter().find(|advisory| advisory.id == detail.advisory).cloned())
    }

    /// Of what has no date of its own.
    fn day_of(&mut self, ecosystem: &str) -> vulndb::Result<Timestamp> {
        if let Some(day) = self.freshness.get(ecosystem) {
            return Ok(*day);
        }
        let day = match self.database.freshness(ecosystem)? {
            Freshness::Of(day) => day,
            Freshness::Missing | Freshness::Never => self.database.about()?.built,
        };
        self.freshness.insert(ecosystem.to_owned(), day);
        Ok(day)
    }

    fn url(&self, record: &Advisory) -> vulndb::Result<String> {
        let references = self.database.references(&record.id, &record.source)?;
        let own = references.iter().find(|it| it.kind == "ADVISORY");
        Ok(match own {
            Some(own) => own.url.clone(),
            None if record.source.starts_with("osv:") => {
                format!("https://osv.dev/vulnerability/{}", record.id)
            }
            None => "None".to_owned(),
        })
    }
}
