//! VEX in: what somebody states about vulnerabilities in products, so that what does
//! not affect them need not be looked at again.
//!
//! OpenVEX, CSAF and CycloneDX, also as attestations, are read into one kind of statement. A statement holds
//! only for what it names: a package by its package URL, or an image, or a package
//! within one of them. What names its products otherwise is counted, and holds for
//! nothing.

mod csaf;
mod cyclonedx;
mod openvex;
mod target;

use inscan_facts::encoding;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

pub use target::{Condition, Subject, Target, Version};

/// The statements of one file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its name, for messages.
    pub source: String,
    pub statements: Vec<Statement>,
    /// Products that are named by no package URL: nothing can be matched with them.
    pub unnamed_products: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The vulnerability, by each of its names.
    pub names: Vec<String>,
    pub targets: Vec<Target>,
    pub status: Status,
    /// In the format's own words: `vulnerable_code_not_present`.
    pub justification: Option<String>,
    /// In the author's.
    pub note: Option<String>,
    /// Of two statements that hold, the later counts.
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    NotAffected,
    Fixed,
    Affected,
    #[default]
    UnderInvestigation,
}

impl Status {
    /// In OpenVEX's words.
    pub fn name(self) -> &'static str {
        match self {
            Status::NotAffected => "not_affected",
            Status::Fixed => "fixed",
            Status::Affected => "affected",
            Status::UnderInvestigation => "under_investigation",
        }
    }

    /// Nothing is left to do.
    pub fn is_settled(self) -> bool {
        matches!(self, Status::NotAffected | Status::Fixed)
    }
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is no VEX: expected an OpenVEX, a CSAF or a CycloneDX document in JSON")]
    Unknown,
    #[error("statement {number}: {reason}")]
    Statement {
        /// Counts from 1.
        number: usize,
        reason: String,
    },
}

/// What a file states; the form is told by its content.
pub fn read(source: &str, text: &[u8]) -> Result<Document, Error> {
    let text = encoding::in_utf8(text);
    let document = match serde_json::from_slice(&text) {
        Ok(json) => one(&json),
        Err(error) => Err(Error::Json(error)),
    };
    let document = match document {
        // Attested, and perhaps one attestation a line.
        Err(error @ (Error::Unknown | Error::Json(_))) => attested(&text, error)?,
        document => document?,
    };
    Ok(Document { source: source.to_owned(), ..document })
}

fn one(json: &Value) -> Result<Document, Error> {
    if is_openvex(json) {
        openvex::read(json)
    } else if is_csaf(json) {
        csaf::read(json)
    } else if json["bomFormat"] == "CycloneDX" {
        cyclonedx::read(json)
    } else {
        Err(Error::Unknown)
    }
}

/// What all attestations of a file state; without any, it is what was wrong before.
fn attested(text: &[u8], error: Error) -> Result<Document, Error> {
    let is_vex =
        |json: &Value| is_openvex(json) || is_csaf(json) || json["bomFormat"] == "CycloneDX";
    let found = inscan_document::attested(text, &is_vex).unwrap_or_default();
    let mut whole: Option<Document> = None;
    for json in &found {
        let next = one(json)?;
        let whole = whole.get_or_insert_default();
        whole.statements.extend(next.statements);
        whole.unnamed_products += next.unnamed_products;
    }
    whole.ok_or(error)
}

fn is_csaf(json: &Value) -> bool {
    json["document"]["csaf_version"].is_string()
}

fn is_openvex(json: &Value) -> bool {
    let context = json["@context"].as_str().unwrap_or_default();
    context.contains("openvex") && json["statements"].is_array()
}

impl Document {
    /// The statement that counts for a vulnerability in a package, by its position: of all that
    /// hold, the latest; of two of one time, the one further behind. Names are compared without
    /// case.
    pub fn statement(&self, names: &[String], subject: &Subject) -> Option<(usize, &Statement)> {
        let holding = self.holding(names, subject).map(|at| (at, &self.statements[at]));
        holding.max_by(|(_, a), (_, b)| a.timestamp.cmp(&b.timestamp))
    }

    /// The positions of all that hold.
    pub(crate) fn holding(
        &self,
        names: &[String],
        subject: &Subject,
    ) -> impl Iterator<Item = usize> {
        let all = self.statements.iter().enumerate();
        all.filter(|(_, it)| it.holds(names, subject)).map(|(position, _)| position)
    }
}

impl Statement {
    fn holds(&self, names: &[String], subject: &Subject) -> bool {
        let is_meant = |name: &String| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        self.names.iter().any(is_meant) && self.targets.iter().any(|target| target.is(subject))
    }
}

/// A moment, whatever offset it is written with. A day begins at midnight in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(day()?.timestamp()))
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// As a list, also what stands alone: what is stated and not understood is not left out.
fn one_or_several<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match value.get(key) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
    }
}

/// Absent where it is no text, or empty.
fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
