//! Bundles: policies, exceptions to them (whitelists), and which of them holds
//! for which image (mappings). A file of JSON or YAML becomes a [`Bundle`] with
//! all its rules compiled, or all that is wrong with it, each with its place.
//!
//! What the engine refuses to read is an error of the whole bundle. What it
//! finds while it puts together the policies of one image is a [`Fault`]: it
//! counts when that part is used, and in [`Mode::Strict`] always.

mod compile;
mod fault;
mod fields;
mod problem;
mod python;
mod read;
mod retired;
mod tree;

use jiff::Timestamp;
use serde_json::Value;

pub use compile::{Compiled, Given, Rule};
pub use fault::{Fault, FaultKind};
pub use problem::{Place, Problem};
pub use tree::Position;

use super::mapping::Selector;

/// How to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything has to be right, also what no image uses: for those who write bundles.
    Strict,
    /// What is used for an image has to be right, as for the engine.
    Tolerant,
}

/// The versions of bundles, policies and whitelists that can be read.
pub(crate) const VERSIONS: [&str; 1] = ["1_0"];

#[derive(Debug)]
pub struct Bundle {
    pub id: String,
    pub name: Option<String>,
    pub comment: Option<String>,
    pub policies: Vec<Policy>,
    pub whitelists: Vec<Whitelist>,
    pub mappings: Vec<Mapping>,
    pub whitelisted_images: Vec<ImageRule>,
    pub blacklisted_images: Vec<ImageRule>,
    /// The whole of it as it was given, for results that repeat it.
    pub document: Value,
    /// What is odd and not wrong, and faults of any part.
    pub warnings: Vec<Problem>,
}

#[derive(Debug)]
pub struct Policy {
    pub id: String,
    pub name: Option<String>,
    pub comment: Option<String>,
    pub rules: Vec<Rule>,
    /// Of the policy itself, not of its rules.
    pub faults: Vec<Fault>,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Stop,
    Warn,
    Go,
}

#[derive(Debug)]
pub struct Whitelist {
    pub id: String,
    pub name: Option<String>,
    pub items: Vec<Item>,
    pub faults: Vec<Fault>,
    pub place: Place,
}

/// One exception: matches of the gate whose id it names do not count.
#[derive(Debug)]
pub struct Item {
    pub id: Option<String>,
    pub gate: String,
    /// An id, or a pattern of ids.
    pub trigger_id: String,
    pub enabled: bool,
    /// From then on it does not hold.
    pub expires: Option<Timestamp>,
    /// Why it is there.
    pub notes: Option<String>,
    pub place: Place,
}

/// Which policies hold for which images; the first that fits counts.
#[derive(Debug)]
pub struct Mapping {
    pub name: String,
    pub selector: Selector,
    pub policy_ids: Vec<String>,
    pub whitelist_ids: Vec<String>,
    pub faults: Vec<Fault>,
    /// As it was given.
    pub document: Value,
    pub place: Place,
}

/// An image that passes, or fails, whatever the policies say.
#[derive(Debug)]
pub struct ImageRule {
    pub selector: Selector,
    /// As it was given.
    pub document: Value,
}

impl Bundle {
    /// All that is wrong is told together.
    pub fn read(bytes: &[u8], mode: Mode) -> Result<Bundle, Vec<Problem>> {
        read::bundle(bytes, mode)
    }

    /// What is wrong with parts that may or may not be used.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let policies = self.policies.iter().flat_map(Policy::faults);
        let whitelists = self.whitelists.iter().flat_map(|whitelist| &whitelist.faults);
        let mappings = self.mappings.iter().flat_map(|mapping| &mapping.faults);
        policies.chain(whitelists).chain(mappings)
    }
}

impl Policy {
    /// Its own, and those of its rules.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().chain(self.rules.iter().flat_map(|rule| &rule.faults))
    }
}

impl Action {
    /// As rules have it.
    pub fn written(self) -> &'static str {
        match self {
            Action::Stop => "STOP",
            Action::Warn => "WARN",
            Action::Go => "GO",
        }
    }

    /// As results have it.
    pub fn shown(self) -> &'static str {
        match self {
            Action::Stop => "stop",
            Action::Warn => "warn",
            Action::Go => "go",
        }
    }
}

#[cfg(test)]
mod tests;
