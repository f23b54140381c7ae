//! Images in registries, read without being stored: the manifest that is asked for stands as the
//! index of a layout, whose documents are fetched when they are needed and whose layers stream
//! into whoever reads them. The protocol is [`inscan_net::registry`]'s.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};

use inscan_facts::digest::BlobDigest;
use inscan_facts::error::shown;
use inscan_net::registry::{self, Failed, Found, Registry, RegistryOptions};
use inscan_net::{NetOptions, Url};
use serde_json::json;

use super::documents::{self, Documents, MAX_DOCUMENT_BYTES, blob_name, digest_of, too_large};
use super::manifest::{Descriptor, Manifest};
use super::{Blobs, Choice, Image, LayerRef, oci_layout};
use crate::fault;

/// An image in a registry, as a layout.
pub(super) struct RegistryImage {
    registry: Registry,
    allow_foreign_layers: bool,
    known: Mutex<Fetched>,
}

/// What the manifests read so far say.
#[derive(Default)]
struct Fetched {
    /// Documents that were read, by their names in a layout.
    documents: HashMap<String, Vec<u8>>,
    blobs: HashMap<String, Described>,
}

/// A blob or manifest that something refers to.
#[derive(Clone)]
struct Described {
    size: Option<u64>,
    is_manifest: bool,
    /// Where else it is said to be.
    urls: Vec<String>,
}

/// Reads everything of an image but its layers.
pub(super) fn open(
    name: &str,
    choice: &Choice,
    net: &NetOptions,
    options: &RegistryOptions,
) -> anyhow::Result<(Image, RegistryImage)> {
    let Found { registry, name, names, manifest } = registry::open(name, net, options)?;
    let allow_foreign_layers = options.allow_foreign_layers;
    let image = RegistryImage { registry, allow_foreign_layers, known: Mutex::default() };
    image.enter_top(manifest)?;
    let read = oci_layout::read(&image, choice, &format!("docker://{name}"))?;
    Ok((Image { names, ..read }, image))
}

impl RegistryImage {
    /// Enters the manifest as what the index of a layout names.
    fn enter_top(&self, manifest: Vec<u8>) -> anyhow::Result<()> {
        let digest = digest_of(&manifest);
        let index = json!({"schemaVersion": 2, "manifests": [
            {"digest": digest.to_string(), "size": manifest.len()}
        ]});
        let mut known = self.known();
        known.documents.insert("index.json".to_owned(), index.to_string().into_bytes());
        let described =
            Described { size: Some(manifest.len() as u64), is_manifest: true, urls: Vec::new() };
        let name = blob_name(&digest.into());
        known.blobs.insert(name.clone(), described);
        known.enter(name, manifest)
    }

    fn known(&self) -> MutexGuard<'_, Fetched> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses outside the registry that a layer is at, if they may be asked.
    fn foreign(&self, name: &str) -> Vec<Url> {
        let urls = self.known().blobs.get(name).map(|it| it.urls.clone()).unwrap_or_default();
        let may = |url: &Url| match url.scheme() {
            "https" => true,
            "http" => self.registry.net().plain_http,
            _ => false,
        };
        urls.iter().filter_map(|url| Url::parse(url).ok()).filter(may).collect()
    }

    /// Where a layer with addresses of its own is: the registry is asked before any of them.
    fn check_foreign(
        &self,
        name: &str,
        digest: &BlobDigest,
        described: &Described,
    ) -> anyhow::Result<()> {
        if described.urls.is_empty() || self.registry.has_blob(digest).map_err(Failed::told)? {
            return Ok(());
        }
        if !self.allow_foreign_layers {
            let hosts: Vec<_> =
                described.urls.iter().filter_map(|url| Url::parse(url).ok()).collect();
            let hosts: Vec<_> = hosts.iter().map(|url| shown(inscan_net::origin(url))).collect();
            return Err(fault::incomplete(format!(
                "the layer {digest} is foreign: it is not in the registry, but at {}; if you trust that place, add `--allow-foreign-layers`",
                hosts.join(", ")
            )));
        }
        if self.foreign(name).is_empty() {
            return Err(fault::incomplete(format!(
                "the layer {digest} is foreign, and none of its addresses is an https address"
            )));
        }
        Ok(())
    }
}

impl Fetched {
    /// Keeps a document, and what it refers to. What is no manifest refers to nothing.
    fn enter(&mut self, name: String, bytes: Vec<u8>) -> anyhow::Result<()> {
        if self.blobs.get(&name).is_some_and(|described| described.is_manifest) {
            let manifest = Manifest::parse(&bytes, "manifest")?;
            let below = manifest.manifests.iter().flatten().map(|below| (below, true));
            let parts = manifest.config.iter().chain(manifest.layers.iter().flatten());
            for (descriptor, is_manifest) in below.chain(parts.map(|part| (part, false))) {
                self.describe(descriptor, is_manifest);
            }
        }
        self.documents.insert(name, bytes);
        Ok(())
    }

    fn describe(&mut self, descriptor: &Descriptor, is_manifest: bool) {
        // One of another algorithm is refused where it is used.
        let Ok(digest) = descriptor.digest("blob") else { return };
        let size = descriptor.size.and_then(|size| size.try_into().ok());
        let urls = descriptor.urls.clone();
        self.blobs.entry(blob_name(&digest)).or_insert(Described { size, is_manifest, urls });
    }
}

impl Documents for RegistryImage {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.known().documents.get(name) {
            return Ok(Some(bytes.clone()));
        }
        let Some(described) = self.known().blobs.get(name).cloned() else { return Ok(None) };
        if let Some(size) = described.size.filter(|&size| size > MAX_DOCUMENT_BYTES) {
            return Err(too_large(name, size));
        }
        let Some(digest) = documents::digest_in(name) else { return Ok(None) };
        let bytes = self.registry.document(&digest, described.is_manifest).map_err(Failed::told)?;
        self.known().enter(name.to_owned(), bytes.clone())?;
        Ok(Some(bytes))
    }

    /// As described: nothing is asked for it, but where a layer that may be elsewhere is.
    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        let Some(described) = self.known().blobs.get(name).cloned() else { return Ok(None) };
        let digest = documents::digest_in(name);
        if let Some(digest) = digest.filter(|_| !described.is_manifest) {
            self.check_foreign(name, &digest, &described)?;
        }
        // Without a size nothing would end a layer that a server sends.
        let size = described.size.ok_or_else(|| {
            fault::damaged(format!("the manifest gives no size for `{}`", shown(name)))
        });
        size.map(Some)
    }

    fn start(&self, _: &str) -> anyhow::Result<Vec<u8>> {
        // Asked for layers of Docker archives only.
        Ok(Vec::new())
    }

    fn is_remote(&self) -> bool {
        true
    }
}

impl Blobs for RegistryImage {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let digest = documents::digest_in(&layer.location);
        let (Some(digest), Some(size)) = (digest, layer.size) else {
            return Err(fault::damaged("the manifest gives no digest and size for the layer"));
        };
        let from_registry = self.registry.blob(digest, size);
        let failed = match from_registry {
            Ok(reader) => return Ok(Box::new(reader)),
            Err(failed) => failed,
        };
        if self.allow_foreign_layers && failed.is_not_found() {
            for url in self.foreign(&layer.location) {
                if let Ok(reader) = self.registry.foreign_blob(url, digest, size) {
                    return Ok(Box::new(reader));
                }
            }
        }
        Err(failed.told())
    }
}
