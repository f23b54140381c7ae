//! Where images come from. Each transport ends in one of the three forms of
//! [`Opened`]; what comes after does not know where the bytes came from.

use std::io::Read;
use std::path::PathBuf;

use crate::digest::Digest;

/// An image whose configuration and layer list are known.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// What the user named, with its transport: `oci:/tmp/layout:latest`.
    pub source: String,
    /// The manifest as stored. `None` for a root file system.
    pub manifest: Option<Vec<u8>>,
    /// Digest of `manifest`; where there is none, of what stands for it.
    pub manifest_digest: Digest,
    /// The configuration as stored (JSON), verified against its digest.
    pub config: Vec<u8>,
    /// The image id.
    pub config_digest: Digest,
    /// Base first.
    pub layers: Vec<LayerRef>,
    /// Names the image carries where it lies, full as written: `localhost/app:1.0`.
    pub names: Vec<String>,
}

/// One layer as the manifest and the configuration name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerRef {
    /// Where its bytes are, in the words of its transport: a member's name, a path, a digest.
    pub location: String,
    /// Digest and size of the stored blob, where the transport knows them before reading.
    pub digest: Option<Digest>,
    pub size: Option<u64>,
    pub media_type: Option<String>,
    /// Digest of the uncompressed tar, from the configuration's `rootfs.diff_ids`.
    pub diff_id: Digest,
}

/// Bytes of layers, in any order, from several threads at once.
pub trait Blobs: Send + Sync {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>>;
}

/// An image that can be read.
pub enum Opened {
    /// The layer list is known, and layers can be read in any order.
    Image { image: Image, blobs: Box<dyn Blobs> },
    /// An archive that can be read only once, from front to back.
    Stream(Box<dyn Read + Send>),
    /// A root file system.
    Directory(PathBuf),
}
