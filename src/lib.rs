//! The command line of inscan, the client of backends, and what it writes to terminals and
//! files. What it ties together are crates of their own: `inscan-image` (from an image to its
//! analysis), `inscan-evaluate` and `inscan-judge` (from a document to a verdict),
//! `inscan-report` (what is shown of it).

pub mod backend;
pub mod cli;
pub mod output;

// For the tests, until they name the crates themselves.
pub use inscan_document as document;
pub use inscan_evaluate as evaluate;
pub use inscan_evaluate::{versions, vex};
pub use inscan_facts::digest;
pub use inscan_image::{analyze, flatten, layer, progress, source as image};
pub use inscan_judge as policy;
pub use inscan_net as net;
pub use inscan_vulndb as vulndb;
