//! What several analyzers need: readers of formats (executables, control files,
//! headers, JSON, addresses), and what keeps a reader within limits.

pub(crate) mod allowance;
pub(crate) mod control;
pub(crate) mod counted;
pub(crate) mod executable;
pub(crate) mod fixtures;
pub(crate) mod headers;
pub(crate) mod json;
pub mod legacy_files;
pub(crate) mod tally;
pub(crate) mod url;
