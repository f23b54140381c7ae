//! What an advisory says, in one shape for every source. The shape is OSV's
//! (<https://ossf.github.io/osv-schema/>), with what the matching needs of a
//! source's own fields as named fields.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One advisory of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Advisory {
    pub id: String,
    /// The same vulnerability, as others name it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The vulnerabilities that a distribution's advisory is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<String>,
    /// Alike, not the same. AlmaLinux names the CVEs of an erratum here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub details: String,
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// When it was first in a database, where the source does not say when it was published:
    /// seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<i64>,
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Set where it was taken back: such an advisory never matches. Where the
    /// source gives no date that can be read, this is the date of the last change.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
    /// CVSS vectors and vendors' own grades.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Severity>,
    /// The source's own word, as it is written there (`MODERATE`, `Critical`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity_word: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cwes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affected: Vec<Affected>,
    /// Whose record it is: `osv` and the family of its ecosystem (`osv:Debian`),
    /// `alpine-secdb`, or `feed` and the group of a feed service (`feed:rhel:7`).
    pub source: String,
}

/// One grade of severity.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Severity {
    /// `CVSS_V2`, `CVSS_V3`, `CVSS_V4`, or a vendor's name (`Ubuntu`).
    pub kind: String,
    /// A vector, a number, or a word.
    pub score: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// `ADVISORY`, `FIX`, `WEB`, …
    pub kind: String,
    pub url: String,
}

/// Which versions of one package are affected. A package may be listed several
/// times in one advisory: a version is affected where any entry says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Affected {
    #[serde(skip_serializing_if = "String::is_empty")]
    /// With its release: `Debian:12`, `Alpine:v3.20`, `PyPI`. A feed service's
    /// records keep their namespace: `rhel:7`, `github:python`, `nvdv2:cves`.
    pub ecosystem: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    /// As the source writes it. Looking up does not mind how: see [`super::name`].
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// Affected versions one by one, beside the ranges.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Grades for this package alone; they stand above the advisory's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity_word: Option<String>,
    /// Debian's and Ubuntu's word for how much they hurry, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<String>,
    #[serde(skip_serializing_if = "Status::is_affected")]
    pub status: Status,
    /// The module stream of a modular rpm (`nodejs:18`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modularity: Option<String>,
    #[serde(skip_serializing_if = "Specific::is_empty")]
    pub specific: Specific,
}

/// What the source says about its own package, where it says more than versions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As the versions say.
    #[default]
    Affected,
    Fixed,
    /// Stated by the source, against what others say of the same package.
    NotAffected,
    WillNotFix,
    Deferred,
    /// Debian: of no security interest.
    Unimportant,
    UnderInvestigation,
    EndOfLife,
}

impl Status {
    fn is_affected(&self) -> bool {
        *self == Status::Affected
    }
}

/// Facts of single ecosystems that the matching or a report needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Specific {
    /// The part of the distribution (`main`, `community`), or its archive (`Pro`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Rust: no vulnerability but a remark (`unmaintained`, `unsound`, `notice`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub informational: Option<String>,
    /// Systems and processors that are affected; none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<String>,
    /// Go: the packages of the module that hold the vulnerable code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<Import>,
    /// What lies within the package and is vulnerable (Chainguard, Wolfi), as purls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// The binary packages that a source package's entry is about (Ubuntu).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<String>,
    /// Affected versions as an expression in the feed's notation
    /// (`>= 1.0, < 1.2 || = 2.0`), in place of ranges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The version that repairs an expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// When that version, or the one that ends a range, was first there: seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix_seen: Option<i64>,
    /// How the feed wants versions compared: `dpkg`, `rpm`, `apk`, `semver`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_format: Option<String>,
    /// Go: ranges over versions that are none of the module's own, beside `ranges`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_ranges: Vec<Range>,
    /// The CPE that the versions are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpe: Option<String>,
}

impl Specific {
    fn is_empty(&self) -> bool {
        *self == Specific::default()
    }
}

/// A package of a Go module, with the symbols that are vulnerable (none: all).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Import {
    pub path: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Range {
    pub kind: RangeKind,
    pub events: Vec<Event>,
}

/// In which order the versions of a range are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum RangeKind {
    Semver,
    #[default]
    Ecosystem,
    /// Commits: nothing that a version can be compared with.
    Git,
    /// A kind that this program does not know.
    Other,
}

/// In the order in which the source has them, which need not be that of versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// `0` is before every version.
    Introduced(String),
    Fixed(String),
    LastAffected(String),
    Limit(String),
}

/// Dates as whole seconds since 1970.
mod seconds {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        date: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match date {
            Some(date) => serializer.serialize_some(&date.as_second()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let seconds = Option::<i64>::deserialize(deserializer)?;
        Ok(seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()))
    }
}
