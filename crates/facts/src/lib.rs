//! What every other part speaks of: packages and what names them, digests, the bytes
//! of a file, errors that say who has to act, names made safe to show, and JSON as Go
//! writes it. It depends on no other part of inscan, does no input or output and keeps
//! no state.

pub mod content;
pub mod digest;
pub mod distribution;
pub mod encoding;
pub mod entropy;
pub mod error;
pub mod escape;
pub mod format;
pub mod harmless;
pub mod history;
pub mod json;
pub mod package;
pub mod package_type;
pub mod part;
pub mod path;
pub mod percent;
pub mod problem;
pub mod progress;
pub mod purl;
pub mod secret;
pub mod window;
