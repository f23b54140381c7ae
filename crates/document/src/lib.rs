//! The analysis document as its readers see it: the types of our own part
//! ([`section`]), reading it back from any document or SBOM ([`read`]), and what
//! the image is called in it ([`identity`]).
//!
//! It is written where images are read, in `inscan-image`. Everything that comes
//! after (evaluation, policies, reports) sees the document only.

pub mod config;
pub mod identity;
pub mod legacy;
mod legacy_packages;
pub mod licence;
mod read;
mod run;
mod sbom;
pub mod section;
pub mod text;

pub use inscan_sbom::attested;

pub use identity::{Identity, Overrides};
pub use legacy::{LegacyPart, OutputFile};
pub use legacy_packages::LANGUAGES as LEGACY_LANGUAGES;
pub use licence::expression as licence_expression;
pub use read::{LEGACY_TOOL, ReadError};
pub use run::rfc3339;
pub use sbom::read;
pub use section::{Run, Section, Timings};
