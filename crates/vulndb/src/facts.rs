//! What the database knows beside advisories.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::advisory::Severity;

/// What of an ecosystem (with its release) is in the database: so that "no
/// records" is told apart from "no vulnerabilities".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    pub ecosystem: String,
    /// Advisories that name a package of it.
    pub records: u64,
    /// Packages that some advisory names.
    pub packages: u64,
    /// The newest change of such an advisory, where any has a date.
    pub newest: Option<Timestamp>,
}

/// An entry of CISA's catalog of known exploited vulnerabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kev {
    pub cve: String,
    pub name: String,
    /// `YYYY-MM-DD`.
    pub added: String,
    /// When United States agencies have to have acted.
    pub due: String,
    pub action: String,
    /// Known to be used in ransomware campaigns.
    pub ransomware: bool,
}

/// How likely a vulnerability is to be exploited within 30 days: <https://www.first.org/epss/>.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epss {
    pub probability: f64,
    /// The share of all scored vulnerabilities with the same or a lower probability.
    pub percentile: f64,
}

/// Grades of a CVE by somebody who publishes no affected packages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rating {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity_word: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cwes: Vec<String>,
    /// SSVC's word: `none`, `poc`, `active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exploitation: Option<String>,
}

/// Until when a release is cared for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndOfLife {
    /// The release that the dates are of: `3.18` where `3.18.4` was asked for.
    pub release: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
    #[serde(with = "day", skip_serializing_if = "Option::is_none")]
    pub released: Option<Date>,
    #[serde(with = "day", skip_serializing_if = "Option::is_none")]
    pub ends: Option<Date>,
    /// Known to be over, or not to be, without a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<bool>,
    /// Until when there is extended care: Debian's LTS, Ubuntu's and others' for customers.
    #[serde(with = "day", skip_serializing_if = "Option::is_none")]
    pub extended: Option<Date>,
}

impl EndOfLife {
    /// Whether it is over on that day; none where nothing says.
    pub fn is_over(&self, day: Date) -> Option<bool> {
        self.ends.map(|ends| day > ends).or(self.ended)
    }
}

/// What the database says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    pub schema: u32,
    /// The newest change of what it was built from.
    pub built: Timestamp,
    /// Of the content: two databases with the same content have the same.
    pub digest: String,
    pub advisories: u64,
    pub sources: Vec<SourceFacts>,
}

impl About {
    /// How old the newest of its data is.
    pub fn age(&self, now: Timestamp) -> Duration {
        Duration::from_secs(now.as_second().saturating_sub(self.built.as_second()).max(0) as u64)
    }
}

/// What came from one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceFacts {
    /// `osv:PyPI`, `alpine-secdb`, `cisa-kev`, `epss`, …
    pub name: String,
    pub records: u64,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<i64>,
    /// When a feed's group was last brought up to date; 0: it exists, and never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced: Option<i64>,
}

/// How fresh what the database knows of an ecosystem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is not in the database.
    Missing,
    /// A feed has a group of it, which was never filled.
    Never,
    /// Of that time: a group's last synchronisation, else the day of the database.
    Of(Timestamp),
}

/// Days as `YYYY-MM-DD`.
mod day {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        day: &Option<Date>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match day {
            Some(day) => serializer.collect_str(day),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Date>, D::Error> {
        let day = Option::<String>::deserialize(deserializer)?;
        Ok(day.and_then(|day| day.parse().ok()))
    }
}
