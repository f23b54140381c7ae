//! Runs the analyzers over the flattened image, and stamps what they find.

use inscan_analyzers::{Distribution, Fact, Package, Secret};

use crate::flatten::ImageFs;
use crate::image::Image;
use crate::layer::LayerScan;

/// All that is known about an image: what the document is written from.
pub struct Analysis<'a> {
    pub image: &'a Image,
    pub layers: &'a [LayerScan],
    pub fs: ImageFs<'a>,
    /// Names of the analyzers that ran, by position.
    pub analyzers: Vec<&'static str>,
    pub distribution: Option<Distribution>,
    /// Sorted by kind, name, version, location.
    pub packages: Vec<FoundPackage>,
    /// Secrets of all layers, also of files that later layers replace or delete.
    pub secrets: Vec<FoundSecret>,
    /// Values for the legacy part, from `analyze` and from the visible files: `(analyzer, fact)`.
    pub legacy: Vec<Fact>,
    pub problems: Vec<FoundProblem>,
    pub skipped: Vec<FoundSkip>,
}

pub struct FoundPackage {
    pub analyzer: &'static str,
    /// The layer that brought it: position in `layers`.
    pub layer: Option<usize>,
    pub package: Package,
}

pub struct FoundSecret {
    pub analyzer: &'static str,
    pub layer: Option<usize>,
    /// `None`: in the image's configuration.
    pub path: Option<Vec<u8>>,
    /// False: a later layer replaces or deletes the file; it can still be taken from the image.
    pub visible: bool,
    pub secret: Secret,
}

pub struct FoundProblem {
    pub analyzer: Option<&'static str>,
    pub layer: Option<usize>,
    pub path: Option<Vec<u8>>,
    pub message: String,
}

/// A file that an analyzer wanted and did not get.
pub struct FoundSkip {
    pub analyzer: &'static str,
    pub layer: usize,
    pub path: Vec<u8>,
    pub reason: String,
}
