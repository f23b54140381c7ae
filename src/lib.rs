//! inscan: an inline scanner for container images.
//!
//! The way of the data, from top to bottom: [`image`] opens an image wherever
//! it lies; [`layer`] reads each layer once; [`flatten`] makes the file system a
//! container would see; [`analyze`] runs the analyzers over it; [`document`]
//! writes what was found; [`evaluate`] and [`policy`] judge it; [`output`] shows it to people. [`cli`] ties them together.

pub mod allocator;
pub mod analyze;
pub mod backend;
pub mod cli;
pub mod digest;
pub mod document;
pub mod evaluate;
pub mod flatten;
pub mod image;
pub mod interrupt;
pub mod layer;
pub mod malware;
pub mod net;
pub mod output;
pub mod policy;
pub mod progress;
pub mod timings;
pub mod versions;
pub mod vex;
pub mod vulndb;
