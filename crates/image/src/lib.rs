//! From an image to its analysis: [`source`] opens an image wherever it lies; [`layer`] reads
//! each layer once; [`flatten`] makes the file system that a container would see; [`analyze`]
//! runs the analyzers over it; [`document`] writes what was found; [`layout`] keeps the image
//! for other tools.

pub mod allocator;
pub mod analyze;
pub mod budget;
pub mod document;
mod fault;
pub mod flatten;
pub mod interrupt;
pub mod layer;
pub mod layout;
pub mod malware;
pub mod names;
pub mod progress;
mod scan;
pub mod source;
pub mod threads;
pub mod timings;

pub use scan::{
    CacheRequest, Malware, Request, Scan, ScanError, identity, open, read, scan, scanner,
};
