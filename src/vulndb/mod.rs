//! The vulnerability database: one immutable file, built from the records of
//! many sources ([`build`] and its importers), opened read-only ([`read`]).
//!
//! docs/database.md describes the file, the sources and how it is carried.

pub mod advisory;
mod compression;
pub mod facts;
pub mod name;
mod read;
pub mod schema;

pub use advisory::{
    Advisory, Affected, Event, Import, Range, RangeKind, Reference, Severity, Specific, Status,
};
pub use facts::{About, Coverage, EndOfLife, Epss, Kev, Rating, SourceFacts};
pub use read::{Database, Error, Result};
