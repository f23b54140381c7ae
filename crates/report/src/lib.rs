//! What is shown of an evaluation and of policies: one file for each format. Nothing here
//! knows the command line, and nothing is written but to what is handed in.

mod address;
pub mod anchore;
pub mod bundle;
mod content_id;
mod csv;
mod cyclonedx;
pub mod explain;
pub mod explanation;
pub mod gates;
mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod markdown;
mod openvex;
pub mod page;
mod policy;
pub mod report;
mod sarif;
mod sbom;
mod spdx;
pub mod sysdig;
mod table;
mod template;
#[cfg(test)]
mod testing;
pub mod text;
pub mod wording;

pub use page::Style;
pub use template::{Template, TemplateError};
