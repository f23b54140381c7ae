//! Images in the storage that podman, buildah and CRI-O share
//! (<https://github.com/containers/storage>), read from its own files: nothing
//! runs, nothing is locked, nothing is changed. The storage keeps no blobs but the
//! unpacked files of each layer, and what it takes to make the layer's tar of them.

mod records;
mod stores;
mod tar_split;

use std::collections::HashMap;
use std::io::{self, Read};

use anyhow::Context;

use super::beneath::Beneath;
use super::choice::{Candidate, Choice};
use super::config::ImageConfig;
use super::documents;
use super::known_names::{self, StoredImage};
use super::manifest::{Manifest, pair, place};
use super::regular::open_regular;
use super::{Blobs, Image, LayerRef, OpenOptions, Opened};
use crate::fault;
use inscan_facts::digest::Digest;
use inscan_facts::error::{shown, usage};
use records::{ImageRecord, LayerRecord, big_data};
use stores::{Store, no_permission};
use tar_split::Assembled;

/// Opens an image by what was typed behind `containers-storage:`.
pub(super) fn open(text: &str, options: &OpenOptions) -> anyhow::Result<Opened> {
    let (stores, name) = stores::find(text, &options.environment)?;
    if name.is_empty() {
        return Err(usage(format!("`{}` names no image", shown(text))));
    }
    let images = records::images(&stores)?;
    let known: Vec<StoredImage> = images.iter().map(ImageRecord::known).collect();
    let at =
        known_names::find(name, &known)?.ok_or_else(|| known_names::not_there(name, &known))?;
    let choice = Choice { name: Some(name.to_owned()), platform: options.platform.clone() };
    let found = &images[at];
    let (record, digest, bytes, manifest) = for_platform(&stores, &images, found, &choice)?;
    let config = configuration(&stores, record, &manifest)?;
    let parsed = ImageConfig::parse(&config.1)?;
    choice.check_platform(parsed.platform().as_ref())?;
    let all_layers = records::layers(&stores)?;
    let (layers, stored) = layers(&manifest, &parsed, record, all_layers)?;
    let mut names = found.names.clone();
    names.extend(record.names.iter().filter(|name| !found.names.contains(name)).cloned());
    known_names::called(name, &mut names);
    let image = Image {
        source: format!("containers-storage:{}", shown(text)),
        manifest: Some(bytes),
        manifest_digest: digest,
        index_digest: None,
        config: config.1,
        config_digest: config.0,
        layers,
        names,
    };
    Ok(Opened::Image { image, blobs: Box::new(StoredLayers { stores, layers: stored }) })
}

type Found<'a> = (&'a ImageRecord, Digest, Vec<u8>, Manifest);

/// The image itself; or, where a name leads to an index, the image of it for the platform.
fn for_platform<'a>(
    stores: &[Store],
    images: &'a [ImageRecord],
    found: &'a ImageRecord,
    choice: &Choice,
) -> anyhow::Result<Found<'a>> {
    let (digest, bytes, manifest) = manifest(stores, found, None)?;
    if !manifest.is_index() {
        return Ok((found, digest, bytes, manifest));
    }
    let mut candidates = Vec::new();
    let mut records = Vec::new();
    for descriptor in manifest.manifests.iter().flatten() {
        // One of another algorithm cannot be stored under its sha256.
        let Some(digest) = descriptor.digest("manifest").ok().and_then(|it| it.sha256()) else {
            continue;
        };
        if let Some(record) = images.iter().find(|image| image.has(&digest)) {
            candidates.push(Candidate { platform: descriptor.platform(), ..Candidate::default() });
            records.push((record, digest));
        }
    }
    if candidates.is_empty() {
        return Err(fault::incomplete(
            "it is an index of images for several platforms, and none of them is stored here; pull it again",
        ));
    }
    let (record, wanted) = records[choice.by_platform(&candidates)?];
    let (digest, bytes, manifest) = self::manifest(stores, record, Some(&wanted))?;
    Ok((record, digest, bytes, manifest))
}

/// The manifest, verified: the one asked for, else the one that the storage has for the image's own.
fn manifest(
    stores: &[Store],
    record: &ImageRecord,
    wanted: Option<&Digest>,
) -> anyhow::Result<(Digest, Vec<u8>, Manifest)> {
    let expected = wanted.copied().or_else(|| record.digest.parse().ok());
    let store = &stores[record.store];
    let by_digest = expected
        .map(|digest| big_data(store, record, &format!("manifest-{digest}")))
        .transpose()?
        .flatten();
    let bytes = match by_digest {
        Some(bytes) => Some(bytes),
        None => big_data(store, record, "manifest")?,
    };
    let bytes = bytes.ok_or_else(|| {
        fault::incomplete(format!(
            "the manifest of `{}` is missing from the storage",
            shown(&record.id)
        ))
    })?;
    if let Some(expected) = &expected {
        documents::verify(&bytes, &(*expected).into(), "manifest")?;
    }
    let manifest = Manifest::parse(&bytes, "manifest")?;
    Ok((documents::digest_of(&bytes), bytes, manifest))
}

fn configuration(
    stores: &[Store],
    record: &ImageRecord,
    manifest: &Manifest,
) -> anyhow::Result<(Digest, Vec<u8>)> {
    let digest = manifest.config()?.digest("configuration")?;
    let bytes = big_data(&stores[record.store], record, &digest.to_string())?.ok_or_else(|| {
        fault::incomplete(format!(
            "the configuration {digest} is missing from the storage; pull the image again"
        ))
    })?;
    documents::verify(&bytes, &digest, "configuration")?;
    Ok((documents::digest_of(&bytes), bytes))
}

/// The layers, base first: the storage has each with the one below it.
fn layers(
    manifest: &Manifest,
    config: &ImageConfig,
    record: &ImageRecord,
    mut all: HashMap<String, LayerRecord>,
) -> anyhow::Result<(Vec<LayerRef>, HashMap<String, LayerRecord>)> {
    let mut layers = manifest.layers()?;
    pair(&mut layers, config)?;
    let of = layers.len();
    let mut stored = HashMap::new();
    let mut id = record.layer.clone();
    for (index, layer) in layers.iter_mut().enumerate().rev() {
        // Taken out, so that a chain that leads into itself ends.
        let found = all.remove(&id).ok_or_else(|| {
            fault::incomplete(format!(
                "{} (`{}`) is missing from the storage; pull the image again",
                place(index, of),
                shown(&id)
            ))
        })?;
        // The storage may go by another algorithm; what is read is held against the configuration.
        let is_same = found.diff_digest.split(':').next() == Some(layer.diff_id.algorithm());
        if is_same && found.diff_digest != layer.diff_id.to_string() {
            return Err(fault::contradictory(format!(
                "{} is not the one of the configuration: its diff id is {} there, and {} in the storage; pull the image again",
                place(index, of),
                layer.diff_id,
                shown(&found.diff_digest)
            )));
        }
        // What the manifest says of the blob is not true of the tar that is put together.
        layer.location = found.id.clone();
        layer.digest = None;
        layer.size = found.diff_size.and_then(|size| u64::try_from(size).ok());
        id = found.parent.clone();
        stored.insert(found.id.clone(), found);
    }
    if !id.is_empty() {
        return Err(fault::contradictory(format!(
            "the storage has more layers of the image than its {of}: below them there is `{}`",
            shown(&id)
        )));
    }
    Ok((layers, stored))
}

/// The layers of one image.
struct StoredLayers {
    stores: Vec<Store>,
    layers: HashMap<String, LayerRecord>,
}

impl Blobs for StoredLayers {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let found = self.layers.get(&layer.location).context("it is not among the image's")?;
        let store = self.stores.get(found.store).context("its storage is not known")?;
        let id = &found.id;
        if store.layer(id).join("composefs-data").exists() {
            return Err(fault::unsupported(format!(
                "the layer `{id}` is stored as composefs, which is not supported; save the image instead: podman save IMAGE | inscan scan -"
            )));
        }
        let kept = open_regular(&store.layers().join(format!("{id}.tar-split.gz")))?.ok_or_else(|| {
            fault::incomplete(format!(
                "no tar-split data for the layer `{id}`, so its tar cannot be restored; pull the image again"
            ))
        })?;
        let files = store.files(id);
        let shown_files = shown(files.as_os_str().as_encoded_bytes());
        let beneath = Beneath::new(&files).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => fault::incomplete(format!(
                "the files of the layer are not in `{shown_files}`: the image is being deleted, or was damaged; pull it again"
            )),
            io::ErrorKind::PermissionDenied => no_permission(&files),
            _ => anyhow::Error::new(error).context(format!("could not open `{shown_files}`")),
        })?;
        Ok(Box::new(Assembled::new(kept, beneath)?))
    }
}
