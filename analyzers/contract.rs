//! What an analyzer's author reads: what an analyzer is, which files it may want,
//! what it is given, and which facts it may state.

pub mod config;
pub(crate) mod content;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod files;
pub mod path;
pub mod purl;
pub(crate) mod want;
