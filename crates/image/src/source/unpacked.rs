//! Images in directories that are no OCI layouts: an unpacked archive of `docker save`, and what
//! skopeo writes for `dir:`
//! (<https://github.com/containers/image/blob/main/docs/containers-transports.5.md>).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use inscan_facts::digest::{BlobDigest, Digest};
use inscan_facts::error::shown;
use inscan_tar::Packing;
use serde_json::json;

use super::beneath::Beneath;
use super::documents::{Documents, MAX_DOCUMENT_BYTES, digest_in, digest_of, too_large};
use super::{Blobs, LayerRef};
use crate::fault;

/// The files of an archive by their names in it. No name leads out of the directory, nor any link.
pub(super) struct Unpacked(PathBuf);

impl Unpacked {
    pub(super) fn new(directory: &Path) -> Self {
        Unpacked(directory.to_owned())
    }

    fn open(&self, name: &str) -> anyhow::Result<Option<File>> {
        let opened = Beneath::new(&self.0).and_then(|mut files| files.open(name.as_bytes()));
        match opened {
            Ok(file) => Ok(Some(file)),
            // A link that leads nowhere, or to no file, is none.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(error).with_context(|| format!("could not open `{}`", shown(name))),
        }
    }
}

impl Documents for Unpacked {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(file) = self.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 {
            size if size > MAX_DOCUMENT_BYTES => Err(too_large(name, size)),
            _ => Ok(Some(bytes)),
        }
    }

    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        Ok(self.open(name)?.map(|file| file.metadata()).transpose()?.map(|it| it.len()))
    }

    fn start(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut start = Vec::new();
        if let Some(file) = self.open(name)? {
            file.take(Packing::START_LEN as u64).read_to_end(&mut start)?;
        }
        Ok(start)
    }
}

impl Blobs for Unpacked {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let file = Unpacked::open(self, &layer.location)?;
        let missing = || fault::incomplete(format!("`{}` is missing", shown(&layer.location)));
        Ok(Box::new(file.ok_or_else(missing)?))
    }
}

/// skopeo's directory as the OCI layout that it stands for.
pub(super) struct TransportDirectory {
    files: Unpacked,
    /// Of `manifest.json`.
    manifest: Digest,
    index: Vec<u8>,
}

impl TransportDirectory {
    pub(super) fn read(directory: &Path) -> anyhow::Result<Self> {
        let files = Unpacked::new(directory);
        let bytes = files.read("manifest.json")?.ok_or_else(|| {
            fault::incomplete("it has no `manifest.json`: the copy is not complete; make it again")
        })?;
        let manifest = digest_of(&bytes);
        let entry = json!({"digest": manifest.to_string(), "size": bytes.len()});
        let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string().into_bytes();
        Ok(TransportDirectory { files, manifest, index })
    }

    /// The file of a blob. Of an image for several platforms each manifest has one of its own.
    fn file(&self, name: &str) -> anyhow::Result<String> {
        let Some(digest) = digest_in(name) else { return Ok(name.to_owned()) };
        if digest == self.manifest.into() {
            return Ok("manifest.json".to_owned());
        }
        let plain = match digest {
            BlobDigest::Sha256(digest) => digest.hex(),
            BlobDigest::Sha512(_) => format!("{}-{}", digest.algorithm(), digest.hex()),
        };
        Ok(match self.files.size(&plain)? {
            Some(_) => plain,
            None => format!("{plain}.manifest.json"),
        })
    }
}

impl Documents for TransportDirectory {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match name {
            "index.json" => Ok(Some(self.index.clone())),
            _ => self.files.read(&self.file(name)?),
        }
    }

    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        self.files.size(&self.file(name)?)
    }

    fn start(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        self.files.start(&self.file(name)?)
    }
}

impl Blobs for TransportDirectory {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let location = self.file(&layer.location)?;
        Blobs::open(&self.files, &LayerRef { location, ..layer.clone() })
    }
}
