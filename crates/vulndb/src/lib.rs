//! The vulnerability database: one immutable file, built from the records of
//! many sources ([`build`] and its importers), opened read-only (`read`).
//!
//! docs/database.md describes the file, the sources and how it is carried.

pub mod advisory;
pub mod build;
mod changes;
mod compression;
mod digest;
pub mod download;
mod end_of_life;
mod epss;
pub mod facts;
mod family;
mod feed;
mod fetch;
mod gathered;
mod input;
mod json;
mod kev;
pub mod max_age;
pub mod name;
mod osv;
pub mod place;
pub mod public;
mod rating;
mod read;
pub mod schema;
mod secdb;
mod seen;
pub mod signature;
mod staging;
#[cfg(test)]
mod tests;
pub mod update;
mod write;

pub use advisory::{
    Advisory, Affected, Event, Import, Range, RangeKind, Reference, Severity, Specific, Status,
};
pub use changes::{Change, Changes};
pub use facts::{About, Coverage, EndOfLife, Epss, Freshness, Kev, Rating, SourceFacts};
pub use gathered::Skipped;
pub use read::{Database, Error, Result, Sources};
