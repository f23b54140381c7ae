//! What `docker save` and `podman save` write: a tar whose `manifest.json` lists
//! images, each with the names of its configuration and its layers
//! (<https://github.com/moby/docker-image-spec/blob/main/spec.md>).

use std::collections::HashMap;

use inscan_tar::Packing;
use serde::{Deserialize, Serialize};

use super::choice::{Candidate, Choice};
use super::config::ImageConfig;
use super::documents::{self, Documents, digest_of};
use super::manifest::{check_count, pair, place};
use super::platform::Platform;
use super::{Image, LayerRef};
use crate::fault;
use crate::layer::LayerScan;
use inscan_facts::digest::{BlobDigest, Digest};
use inscan_facts::error::shown;
use inscan_facts::json::Form;

/// Of `manifest.json`.
const MANIFEST: Form = Form::List(&Form::Object(&[
    ("Config", Form::Text),
    ("RepoTags", Form::List(&Form::Text)),
    ("Layers", Form::List(&Form::Text)),
]));

/// An archive may list an image once for each of its names.
const MAX_IMAGES: usize = 10_000;

/// One image in `manifest.json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Reads everything but the layers.
pub(super) fn read(
    documents: &dyn Documents,
    choice: &Choice,
    source: &str,
) -> anyhow::Result<Image> {
    let saved = images(documents)?;
    let mut entries = Vec::new();
    // One image may be listed once a name, and is read once.
    let mut known: HashMap<&str, (Digest, Option<Platform>)> = HashMap::new();
    for one in &saved {
        let (digest, platform) = match known.get(&*one.config) {
            Some(known) => known.clone(),
            None => {
                let (config, digest) = configuration(documents, &one.config)?;
                let platform = ImageConfig::parse(&config)?.platform();
                known.entry(&one.config).or_insert((digest, platform)).clone()
            }
        };
        let (names, digests) = (one.repo_tags.clone(), vec![digest.into()]);
        entries.push(Candidate { names, digests, platform, group: entries.len() });
    }
    let mut named = choice.by_name(&entries)?;
    named.dedup_by_key(|index| entries[*index].digests[0]);
    let candidates: Vec<Candidate> = named.iter().map(|&index| entries[index].clone()).collect();
    let chosen = named[choice.by_platform(&candidates)?];
    let (config, config_digest) = configuration(documents, &saved[chosen].config)?;
    let names = entries
        .into_iter()
        .filter(|entry| entry.digests[0] == config_digest.into())
        .flat_map(|entry| entry.names);
    let mut names: Vec<String> = names.collect();
    choice.called(&mut names);
    let mut image = Image {
        source: source.to_owned(),
        config_digest,
        layers: layers(documents, &saved[chosen], &config)?,
        config,
        names,
        ..Image::default()
    };
    if all_uncompressed(documents, &image.layers)? {
        let sizes: Option<Vec<u64>> = image.layers.iter().map(|layer| layer.size).collect();
        set_manifest(&mut image, &sizes.unwrap_or_default())?;
    }
    Ok(image)
}

/// A Docker archive stores no manifest. Once its layers were read, the one that
/// stands for it is known; an image that has its manifest stays as it is.
pub fn complete(image: &mut Image, scans: &[LayerScan]) -> anyhow::Result<()> {
    if image.manifest.is_some() {
        return Ok(());
    }
    let sizes: Vec<u64> = scans.iter().map(|scan| scan.tar_size).collect();
    set_manifest(image, &sizes)
}

fn images(documents: &dyn Documents) -> anyhow::Result<Vec<Saved>> {
    let Some(bytes) = documents.read("manifest.json")? else {
        if documents.size("repositories")?.is_some() {
            return Err(fault::unsupported(
                "the archive was written by a Docker older than 1.10: it has no `manifest.json`; load it and save it again",
            ));
        }
        return Err(fault::no_image("it has no `manifest.json`: not a Docker archive"));
    };
    let saved: Vec<Saved> = documents::parse(&bytes, &MANIFEST, "`manifest.json`")?;
    check_count(saved.len(), MAX_IMAGES, "images")?;
    if saved.is_empty() {
        return Err(fault::no_image("its `manifest.json` names no image: it is empty"));
    }
    Ok(saved)
}

/// The configuration; verified where its name says its digest, as it does in all but hand-made archives.
fn configuration(documents: &dyn Documents, name: &str) -> anyhow::Result<(Vec<u8>, Digest)> {
    let bytes = documents.read(name)?.ok_or_else(|| {
        fault::incomplete(format!(
            "the configuration `{}` is missing from the archive; save the image again",
            shown(name)
        ))
    })?;
    if let Some(expected) = digest_in_name(name) {
        documents::verify(&bytes, &expected.into(), "configuration")?;
    }
    let digest = digest_of(&bytes);
    Ok((bytes, digest))
}

/// `blobs/sha256/HEX`, as in an OCI layout.
fn blob_in_name(name: &str) -> Option<BlobDigest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// `<hex>.json`, `sha256:<hex>` (kaniko), `blobs/sha256/<hex>` (containerd).
fn digest_in_name(name: &str) -> Option<Digest> {
    let name = name.strip_prefix("blobs/sha256/").unwrap_or(name);
    let name = name.strip_suffix(".json").unwrap_or(name);
    let name = name.strip_prefix("sha256:").unwrap_or(name);
    format!("sha256:{name}").parse().ok()
}

fn layers(
    documents: &dyn Documents,
    saved: &Saved,
    config: &[u8],
) -> anyhow::Result<Vec<LayerRef>> {
    let mut layers = Vec::new();
    for (index, name) in saved.layers.iter().enumerate() {
        let size = documents.size(name)?.ok_or_else(|| {
            let place = place(index, saved.layers.len());
            fault::incomplete(format!(
                "{place} (`{}`) is missing from the archive; save the image again",
                shown(name)
            ))
        })?;
        layers.push(LayerRef {
            location: name.clone(),
            // Other names hold digests too, but of what is another question.
            digest: blob_in_name(name),
            size: Some(size),
            media_type: None,
            diff_id: BlobDigest::default(),
        });
    }
    pair(&mut layers, &ImageConfig::parse(config)?)?;
    Ok(layers)
}

fn all_uncompressed(documents: &dyn Documents, layers: &[LayerRef]) -> anyhow::Result<bool> {
    for layer in layers {
        let start = documents.start(&layer.location)?;
        if Packing::of(&start) != Packing::Plain {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The manifest that skopeo shows for a Docker archive: schema 2, of the
/// uncompressed layers, which it calls compressed all the same. (For a layer that is a link
/// in the archive, skopeo 1.9 writes the size 0; here it is the size of what is linked.)
fn set_manifest(image: &mut Image, sizes: &[u64]) -> anyhow::Result<()> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Schema2 {
        schema_version: u8,
        media_type: &'static str,
        config: Part,
        layers: Vec<Part>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Part {
        media_type: &'static str,
        size: u64,
        digest: String,
    }
    let layer = |(layer, &size): (&LayerRef, &u64)| Part {
        media_type: "application/vnd.docker.image.rootfs.diff.tar.gzip",
        size,
        digest: layer.diff_id.to_string(),
    };
    let manifest = serde_json::to_vec(&Schema2 {
        schema_version: 2,
        media_type: "application/vnd.docker.distribution.manifest.v2+json",
        config: Part {
            media_type: "application/vnd.docker.container.image.v1+json",
            size: image.config.len() as u64,
            digest: image.config_digest.to_string(),
        },
        layers: image.layers.iter().zip(sizes).map(layer).collect(),
    })?;
    image.manifest_digest = digest_of(&manifest);
    image.manifest = Some(manifest);
    Ok(())
}
