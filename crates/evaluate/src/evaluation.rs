//! The types of an evaluation: what `-o json` writes, and all that reports are
//! made from (with the document's own part).
//!
//! Rules of its form, as for the document: a field may be added in any release;
//! one that is taken away or changes its meaning raises the first number of
//! `format`. What is not known is absent. Its schema:
//! `docs/evaluation.schema.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::severity::Severity;

/// Of the form described here.
pub const FORMAT: &str = "1.0";

/// What one document is worth on one day, with one database and one gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// `1.0`: the first number is of the form, the second of additions.
    pub format: String,
    pub tool: Tool,
    pub image: Image,
    /// The day it holds for, `2026-11-25`: ages, expiry dates and ends of life are counted from it.
    pub date: String,
    /// Absent: there was no database, and nothing is known of vulnerabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// What was asked to be stopped.
    pub gate: Gate,
    pub verdict: Verdict,
    pub counts: Counts,
    /// Base first, each with what it brought.
    pub layers: Vec<Layer>,
    /// The layers from a base image, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// By risk, the worst first: see `Finding::rank`.
    pub findings: Vec<Finding>,
    /// What matched and is not held against the image, each with its reason; in the same order.
    pub suppressed: Vec<Suppressed>,
    /// Secrets that lie in the image, the worst first; never with their text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretFinding>,
    /// Secrets that an exception lets pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed_secrets: Vec<SuppressedSecret>,
    /// What nobody can judge: never to be taken for clean.
    pub uncovered: Vec<Uncovered>,
    /// The upgrades that fix findings, the one that fixes the most first.
    pub upgrades: Vec<Upgrade>,
    /// What the user should know: an old database, exceptions that expired or match nothing.
    pub warnings: Vec<Warning>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

/// Which image was judged, as its document says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Registry, repository and tag under which it is reported.
    pub reference: String,
    /// Digest of the manifest: `sha256:…`.
    pub digest: String,
    /// Digest of the configuration: 64 hex digits.
    pub id: String,
    /// What the user named, with its transport.
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// How many packages the document lists.
    pub packages: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    pub id: String,
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is called in the database: `Debian:12`. Absent: it is in no list of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecosystem: Option<String>,
    /// When security updates end or ended, where the database knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_life: Option<String>,
}

/// Which data it was judged with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Where it lies.
    pub source: String,
    /// Identifies its content, where it states that: `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The newest change of any advisory in it: the day its data is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Whole days from then to `Evaluation::date`; 0 where it is of the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<u64>,
    pub advisories: u64,
    /// Whether it has CISA's list of exploited vulnerabilities.
    #[serde(default)]
    pub has_kev: bool,
    /// Whether it has probabilities of exploitation.
    #[serde(default)]
    pub has_epss: bool,
}

/// What was asked for, so that a report can say it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Fail from this severity on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Severity>,
    /// Fail from this severity of a secret on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_on_secrets: Option<Severity>,
    /// What a finding that nobody rated means for `fail_on`.
    #[serde(default)]
    pub unrated: Unrated,
    /// Only what has a fixed version fails.
    pub only_fixed: bool,
    /// Anything known to be exploited fails.
    pub fail_on_kev: bool,
    /// Anything whose probability of exploitation is above this fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss_above: Option<f64>,
    /// What happens where something could not be judged.
    pub on_uncovered: OnUncovered,
    /// Policies are asked as well: they are a gate, too, for what could not be looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub policies: bool,
    /// The oldest database that is believed, in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_database_age_days: Option<u64>,
    /// What happens where it is older.
    pub on_old_database: OnOldDatabase,
    /// Only what is not in that document fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
}

/// What becomes of findings that have no severity yet: scores lag behind disclosure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unrated {
    /// They pass, and nothing is said but their number.
    Pass,
    /// They pass, with a warning.
    #[default]
    Warn,
    /// Each fails.
    Fail,
    /// Each counts as this severity.
    As(Severity),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUncovered {
    /// What was hidden fails where there is any gate, and what is without data is a warning.
    #[default]
    FailIfHidden,
    /// Said, and no more.
    Warn,
    Fail,
    Ignore,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnOldDatabase {
    #[default]
    Fail,
    Warn,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Why it failed or could not be said; empty for a pass.
    pub reasons: Vec<Reason>,
    /// What it does not count, in one line: findings without a severity, packages of lock files,
    /// suppressed findings, packages that could not be evaluated. Absent: it counts everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_counted: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Pass,
    Fail,
    /// Nothing was asked to be stopped: a report, and no judgement.
    #[default]
    NoGate,
    /// A gate was asked for, and there is nothing to judge with.
    NotJudged,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `severity`, `unrated`, `kev`, `epss`, `hidden`, `secrets`, `secrets-not-searched`,
    /// `uncovered`, `database-age`, `policy`; why nothing could be said: `no-database`,
    /// `no-kev-data`, `no-epss-data`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Positions in `Evaluation::findings`.
    pub findings: Vec<usize>,
}

/// Of the findings that are reported; suppressed ones are counted apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub findings: usize,
    /// Every severity, also with 0.
    pub severity: BTreeMap<Severity, usize>,
    /// Vulnerabilities, each once however many packages have it.
    pub vulnerabilities: usize,
    /// Packages with a finding.
    pub packages: usize,
    /// With a fixed version.
    pub fixable: usize,
    /// Known to be exploited.
    pub kev: usize,
    /// Findings that fail the gate.
    pub failing: usize,
    /// Secrets that are held against the image, and of them those that fail the gate.
    #[serde(default)]
    pub secrets: usize,
    #[serde(default)]
    pub failing_secrets: usize,
    /// Not in the baseline; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<usize>,
    /// Suppressed ones, by the code of the reason.
    pub suppressed: BTreeMap<SuppressionCode, usize>,
    /// Findings that were left out of `findings` as the user asked (`--severity`, …).
    pub not_shown: usize,
    /// Packages that were compared with the database.
    pub judged_packages: usize,
    /// Packages that could not be.
    pub uncovered_packages: usize,
    /// Findings that nobody rated, and that the gate did not weigh.
    #[serde(default)]
    pub unrated: usize,
    /// Packages that only lock files and manifests name, and that were not evaluated.
    #[serde(default)]
    pub not_installed: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Counts from 0, base first.
    pub index: usize,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// The line of the image's history that made it; empty where it has none.
    pub created_by: String,
    /// True: of the base image. Absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<bool>,
    /// Findings in packages that it brought.
    pub findings: usize,
    /// Of them, by severity; only those there are.
    pub severity: BTreeMap<Severity, usize>,
}

/// Where the base image ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// How many layers, from the first on, are of it.
    pub layers: usize,
    /// Its name, where the image's labels state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How that is known, in words: a guess says so.
    pub how: String,
}

/// One vulnerability in one package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The name it is shown under: a CVE's where it has one.
    pub id: String,
    /// All its names, that one included: first CVE, then GHSA, then the others by name.
    pub aliases: Vec<String>,
    pub package: Package,
    /// The layer that brought the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerOf>,
    pub severity: Rating,
    pub status: Status,
    /// Every version that fixes it, smallest first, as the advisories name them.
    pub fixed_versions: Vec<String>,
    /// The smallest of them above the installed one: what to upgrade to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<String>,
    /// In CISA's catalogue of exploited vulnerabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kev: Option<Kev>,
    /// How probable it is that somebody exploits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Epss>,
    /// One line.
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// The advisories that say so, by id.
    pub advisories: Vec<Advisory>,
    /// Each address once.
    pub references: Vec<Reference>,
    /// `CWE-79`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwes: Vec<String>,
    /// What was compared with what, one for each advisory that matches.
    pub matches: Vec<Match>,
    /// Only by a CPE name, which has no vendor that could be compared: it may be about something
    /// else of the same name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cpe_only: bool,
    /// Counts from 1: its place by risk among all findings. Exploited ones first, then by severity,
    /// by probability of exploitation, by score, fixable ones first, by id and package. 0 of
    /// suppressed ones.
    pub rank: usize,
    /// True: it fails the gate.
    pub fails: bool,
    /// False: the baseline has it already. Absent without a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<bool>,
}

/// A secret in a file of the image or in its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFinding {
    /// `github-token`.
    pub rule: String,
    /// What the rule finds, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    pub severity: Severity,
    /// Without a leading slash. Absent: in the image's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerOf>,
    /// False: a later layer replaces or deletes the file; it can still be taken from the image.
    pub visible: bool,
    /// The published package whose file it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Count from 1.
    pub line: u32,
    pub column: u32,
    /// The line with all secrets masked.
    pub excerpt: String,
    /// Tells it from another secret at its place, and does not tell what it is.
    pub fingerprint: String,
    /// True: it fails the gate.
    pub fails: bool,
    /// False: the baseline has it already. Absent without a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressedSecret {
    pub secret: SecretFinding,
    pub by: Suppression,
}

impl Finding {
    /// Whether a record of known malicious packages says so: of OSV, `MAL-…`, or one that names it.
    pub fn is_malicious(&self) -> bool {
        let advisories = self.advisories.iter().map(|advisory| &advisory.id);
        advisories.chain(&self.aliases).any(|name| is_report_of_malware(name))
    }
}

pub(crate) fn is_report_of_malware(name: &str) -> bool {
    name.starts_with("MAL-")
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The package, and where it lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Position in the document's list.
    pub index: usize,
    pub purl: String,
    /// The type of its purl.
    #[serde(rename = "type")]
    pub kind: String,
    /// As people call it: with npm's scope and Maven's group.
    pub name: String,
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The source package it was built from, where it has another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The file that proves it, without a leading slash.
    pub location: String,
    /// `installed-db`, `lockfile`, …: what kind of proof that is.
    pub evidence: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerOf {
    /// Position in `Evaluation::layers`.
    pub index: usize,
    pub diff_id: String,
    pub created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<bool>,
}

/// A severity, and who says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    pub level: Severity,
    /// `DEBIAN-CVE-2024-1 (urgency)`, `GHSA-… (CVSS 3.1)`; empty where nobody rates it.
    pub source: String,
    /// Base score of the vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
}

/// What can be done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// No version without it is known.
    #[default]
    Affected,
    /// A later version is without it.
    Fixed,
    WillNotFix,
    FixDeferred,
    UnderInvestigation,
    /// The release gets no updates any more.
    EndOfLife,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kev {
    /// When it came into the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<String>,
    /// When it has to be fixed, for those the catalogue binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Known to be used by ransomware.
    pub ransomware: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epss {
    /// 0 to 1: within the next 30 days.
    pub score: f64,
    /// 0 to 1: the share of all vulnerabilities with a lower score.
    pub percentile: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Advisory {
    pub id: String,
    /// Its own page, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    pub url: String,
    /// As OSV names them: `ADVISORY`, `FIX`, `WEB`, …
    #[serde(rename = "type")]
    pub kind: String,
}

/// Why a package is held to be affected: what was compared with what.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Match {
    pub advisory: String,
    /// The list it is in: `Debian:12`, `PyPI`.
    pub ecosystem: String,
    /// The name that was looked up.
    pub name: String,
    /// What that name is of.
    pub name_of: NameOf,
    /// The version that was compared.
    pub version: String,
    /// The order of versions it was compared by: `dpkg`, `pep440`; `exact` where it has to be
    /// the same letter by letter.
    pub scheme: String,
    /// What it lies in: `>= 3.2, < 3.2.4`, or `= 3.2.0`, or the CPE name that has it.
    pub range: String,
    /// The version that ends this range, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameOf {
    #[default]
    Package,
    /// The source package it was built from.
    Source,
    /// The artifact's alone: its group was derived, and advisories of any group are taken.
    AnyGroup,
    /// A guess by which product of a CPE name it is meant.
    Cpe,
}

/// What matched and is not held against the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suppressed {
    pub finding: Finding,
    pub by: Suppression,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    pub code: SuppressionCode,
    /// One sentence: by which rule of which file, or by which package.
    pub reason: String,
    /// The file of the exception or of the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which of the file's: what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The note of the exception, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionCode {
    /// An entry of a file of exceptions.
    #[default]
    Ignored,
    /// A VEX statement says it is not affected or fixed.
    Vex,
    /// The file belongs to an OS package, which is judged by the distribution's own advisories.
    OwnedByOsPackage,
    /// Debian's word for what is no practical risk.
    Unimportant,
    /// Bug fixes and enhancements that a distribution announces in the same lists.
    NotSecurity,
    /// The distribution says that its package is not affected.
    NotAffected,
    /// About who maintains it, not about a weakness.
    Informational,
    /// It concerns another operating system or processor.
    OtherPlatform,
    /// The record calls a registry's package malicious, and this one is not from there.
    NotFromRegistry,
    /// Nothing but a CPE name says so, and these were not asked for.
    CpeOnly,
    /// An example or test fixture of another package, a compile-time reference, or for
    /// development only: nothing of it runs.
    NotInstalled,
}

/// What cannot be judged, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncovered {
    pub code: UncoveredCode,
    /// Whether it could not be seen, or is only without data.
    #[serde(default)]
    pub kind: UncoveredKind,
    /// Of what is hidden, the code of the problem: `unreadable`, `over-limit`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
    /// Of what is hidden, how many problems there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: usize,
    /// Where they are, the first hundred of them: paths without a leading slash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// One sentence.
    pub message: String,
    /// What it is about: `debian 14`, `conda`, a package's name.
    pub subject: String,
    /// Positions in the document's list.
    pub packages: Vec<usize>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UncoveredKind {
    /// It was seen, and nothing is known of it.
    #[default]
    WithoutData,
    /// It could not be read or understood: there may be anything in it.
    Hidden,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UncoveredCode {
    /// There is no database at all.
    NoDatabase,
    /// OS packages of an image that does not say which distribution it is.
    #[default]
    NoDistribution,
    /// The database has nothing about this release.
    NoDataForDistribution,
    /// The database has nothing about packages of this type.
    NoDataForEcosystem,
    /// The release gets no updates and no advisories any more: what is found is a part of the truth.
    EndOfLife,
    /// Components of an SBOM that no package URL identifies.
    Unidentified,
    /// The package states no version, or one that its ecosystem's order does not know.
    VersionNotComparable,
    /// From a repository of somebody else than the distribution, whose advisories are not there.
    ThirdParty,
    /// Something that may hold packages could not be looked at.
    NotAnalyzed,
}

/// One package that, upgraded, is rid of findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgrade {
    pub package: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub from: String,
    /// The smallest version that fixes all that can be fixed.
    pub to: String,
    /// Positions in `Evaluation::findings`.
    pub findings: Vec<usize>,
    pub worst: Severity,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// `no-database`, `database-age`, `exception-expired`, `exception-unused`, …
    pub code: String,
    pub message: String,
}
