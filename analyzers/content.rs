//! What any file may hold, whoever installed it (secrets: `inscan_secrets`): lines that the
//! configuration asks for, SBOMs, lists of packages, well-known programs. One file
//! (and folder) an analyzer.

pub(crate) mod archives;
pub(crate) mod binary_classifier;
pub(crate) mod hints;
pub(crate) mod native_image;
pub(crate) mod opaque_program;
pub(crate) mod retrieve_files;
pub(crate) mod sbom;
pub mod search;
