//! An OCI image layout
//! (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>):
//! `index.json` names manifests, and every blob lies under its digest.
//! As a directory, or as the members of an archive.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use inscan_tar::Packing;

use super::choice::{Candidate, Choice};
use super::config::ImageConfig;
use super::documents::{self, Documents, MAX_DOCUMENT_BYTES, blob_name, digest_of, too_large};
use super::manifest::{Descriptor, Manifest, check_count, pair, place};
use super::platform::Platform;
use super::regular::open_regular;
use super::{Blobs, Image, LayerRef};
use crate::fault;
use inscan_facts::digest::{BlobDigest, Digest};
use inscan_facts::error::shown;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// An index of indexes is already rare.
const MAX_INDEX_DEPTH: usize = 5;
const MAX_INDEXES: usize = 500;
/// Images that indexes name, in all.
const MAX_MANIFESTS: usize = 10_000;

/// True where there is an index that names at least one manifest, or one that cannot be read.
/// (Some programs write an empty one beside a `manifest.json`.)
pub(super) fn is_layout(documents: &dyn Documents) -> bool {
    match documents.read("index.json") {
        Ok(None) => false,
        Ok(Some(bytes)) => match Manifest::parse(&bytes, "index") {
            Ok(index) => index.manifests.is_some_and(|manifests| !manifests.is_empty()),
            Err(_) => true,
        },
        Err(_) => true,
    }
}

/// Reads everything but the layers.
pub(super) fn read(
    documents: &dyn Documents,
    choice: &Choice,
    source: &str,
) -> anyhow::Result<Image> {
    let index = documents
        .read("index.json")?
        .ok_or_else(|| fault::no_image("it has no `index.json`: not an OCI image layout"))?;
    let index = Manifest::parse(&index, "index (`index.json`)")?;
    let mut walk = Walk {
        documents,
        indexes: 0,
        manifests: 0,
        images: HashSet::new(),
        configs: HashMap::new(),
        read: HashMap::new(),
        missing: None,
        strange: None,
    };
    let mut leaf = walk.choose(index.manifests.unwrap_or_default(), choice)?;
    choice.called(&mut leaf.names);
    image(documents, &leaf, source)
}

/// A manifest that was found through the indexes.
struct Leaf {
    descriptor: Descriptor,
    /// Digest of the index below the top one that led to it.
    index: Option<Digest>,
    names: Vec<String>,
}

struct Walk<'a> {
    documents: &'a dyn Documents,
    indexes: usize,
    /// How many manifests were named.
    manifests: usize,
    /// Those of an image that were looked at.
    images: HashSet<BlobDigest>,
    /// What they and their configurations say.
    configs: HashMap<BlobDigest, Option<Platform>>,
    read: HashMap<BlobDigest, Said>,
    /// One manifest that an index names and that is not stored.
    missing: Option<(Descriptor, Option<Platform>)>,
    /// What is wrong with one whose digest is not understood: only who asks for it has to know.
    strange: Option<anyhow::Error>,
}

/// What a manifest and its configuration say of an image.
#[derive(Clone, Default)]
struct Said {
    config: Option<BlobDigest>,
    platform: Option<Platform>,
}

/// An image manifest, and the digests of what led to it: it may be asked for by each.
struct Below {
    descriptor: Descriptor,
    digests: Vec<BlobDigest>,
}

impl Walk<'_> {
    fn choose(&mut self, top: Vec<Descriptor>, choice: &Choice) -> anyhow::Result<Leaf> {
        let mut leaves = Vec::new();
        let mut candidates = Vec::new();
        if choice.is_by_digest() {
            // What is asked for by its digest may lie anywhere below.
            let all: Vec<usize> = (0..top.len()).collect();
            self.add_leaves(&top, &all, choice, &mut leaves, &mut candidates)?;
            let chosen = choice.by_name(&candidates)?;
            (leaves, candidates) = leaves
                .into_iter()
                .zip(candidates)
                .enumerate()
                .filter(|(index, _)| chosen.contains(index))
                .map(|(_, pair)| pair)
                .unzip();
        } else {
            let entries: Vec<Candidate> = top.iter().map(entry).collect();
            let chosen = choice.by_name(&entries)?;
            self.add_leaves(&top, &chosen, choice, &mut leaves, &mut candidates)?;
        }
        if leaves.is_empty() {
            return Err(self.nothing_found(&top));
        }
        let chosen = choice.by_platform(&candidates)?;
        Ok(leaves.swap_remove(chosen))
    }

    fn add_leaves(
        &mut self,
        top: &[Descriptor],
        chosen: &[usize],
        choice: &Choice,
        leaves: &mut Vec<Leaf>,
        candidates: &mut Vec<Candidate>,
    ) -> anyhow::Result<()> {
        for (group, descriptor) in chosen.iter().filter_map(|&at| Some((at, top.get(at)?))) {
            // Asked for by name, an attestation is a wrong parameter; else it is merely not meant.
            if descriptor.is_companion() && choice.name.is_none() {
                continue;
            }
            let mut found = Vec::new();
            self.descend(descriptor, &mut Vec::new(), &mut found)?;
            for Below { descriptor: leaf, mut digests } in found {
                let index = digests.first().filter(|_| digests.len() > 1);
                let index = index.and_then(BlobDigest::sha256);
                digests.reverse();
                let platform = self.platform(&leaf, &mut digests)?;
                if candidates
                    .iter()
                    .any(|c: &Candidate| c.digests.first() == digests.first() && c.group == group)
                {
                    continue;
                }
                candidates.push(Candidate {
                    names: all_names(descriptor),
                    digests,
                    platform,
                    group,
                });
                leaves.push(Leaf { descriptor: leaf, index, names: full_names(descriptor) });
            }
        }
        // The same manifest under two names is one image.
        if let Some(first) = leaves.first()
            && leaves.iter().all(|leaf| leaf.descriptor.digest == first.descriptor.digest)
        {
            let names = leaves.drain(1..).flat_map(|leaf| leaf.names).collect::<Vec<_>>();
            candidates.truncate(1);
            leaves[0].names.extend(names);
        }
        Ok(())
    }

    /// The image manifests at and below a descriptor, as far as they are stored.
    fn descend(
        &mut self,
        descriptor: &Descriptor,
        above: &mut Vec<BlobDigest>,
        found: &mut Vec<Below>,
    ) -> anyhow::Result<()> {
        let digest = match descriptor.digest("manifest") {
            Ok(digest) => digest,
            Err(error) => {
                self.strange = Some(error);
                return Ok(());
            }
        };
        self.manifests += 1;
        check_count(self.manifests, MAX_MANIFESTS, "manifests")?;
        let image =
            || Below { descriptor: descriptor.clone(), digests: [&**above, &[digest]].concat() };
        let Some(size) = self.documents.size(&blob_name(&digest))? else {
            self.missing = Some((descriptor.clone(), descriptor.platform()));
            return Ok(());
        };
        if size > MAX_DOCUMENT_BYTES {
            return Err(too_large(&blob_name(&digest), size));
        }
        if self.is_known_image(descriptor) || self.images.contains(&digest) {
            found.push(image());
            return Ok(());
        }
        let bytes = documents::fetch(self.documents, descriptor, "manifest")?;
        let manifest = Manifest::parse(&bytes, &format!("manifest {digest}"))?;
        if !manifest.is_index() {
            self.images.insert(digest);
            found.push(image());
            return Ok(());
        }
        self.indexes += 1;
        if above.contains(&digest) || above.len() >= MAX_INDEX_DEPTH || self.indexes > MAX_INDEXES {
            return Err(fault::damaged(format!(
                "the index {digest} contains itself, or too many other indexes"
            )));
        }
        above.push(digest);
        for below in manifest.manifests.iter().flatten().filter(|below| !below.is_companion()) {
            self.descend(below, above, found)?;
        }
        above.pop();
        Ok(())
    }

    /// True where it costs too much to look, and the index says enough to choose by.
    fn is_known_image(&self, descriptor: &Descriptor) -> bool {
        self.documents.is_remote() && descriptor.platform().is_some() && !descriptor.is_index()
    }

    /// As the configuration says, else as the index says.
    fn platform(
        &mut self,
        leaf: &Descriptor,
        digests: &mut Vec<BlobDigest>,
    ) -> anyhow::Result<Option<Platform>> {
        if self.is_known_image(leaf) {
            return Ok(leaf.platform());
        }
        let digest = leaf.digest("manifest")?;
        let said = match self.read.get(&digest) {
            Some(said) => said.clone(),
            None => {
                let said = self.said(leaf)?;
                self.read.entry(digest).or_insert(said).clone()
            }
        };
        digests.extend(said.config);
        Ok(match (said.platform, leaf.platform()) {
            (Some(stated), Some(described)) => Some(stated.completed(&described)),
            (stated, described) => stated.or(described),
        })
    }

    fn said(&mut self, leaf: &Descriptor) -> anyhow::Result<Said> {
        let manifest = documents::fetch(self.documents, leaf, "manifest")?;
        let manifest = Manifest::parse(&manifest, "manifest")?;
        let Some(config) = &manifest.config else { return Ok(Said::default()) };
        let digest = config.digest("configuration").ok();
        // Many manifests may have one configuration.
        if let Some(known) = digest.and_then(|digest| self.configs.get(&digest)) {
            return Ok(Said { config: digest, platform: known.clone() });
        }
        // One that is not there is missed, with a good message, where the image is chosen.
        let platform = match documents::fetch(self.documents, config, "configuration") {
            Ok(bytes) => ImageConfig::parse(&bytes).ok().and_then(|config| config.platform()),
            Err(_) => None,
        };
        self.configs.extend(digest.map(|digest| (digest, platform.clone())));
        Ok(Said { config: digest, platform })
    }

    fn nothing_found(&mut self, top: &[Descriptor]) -> anyhow::Error {
        if let (None, Some(strange)) = (&self.missing, self.strange.take()) {
            return strange;
        }
        match &self.missing {
            Some((descriptor, platform)) => {
                let platform = platform.as_ref().map(|p| format!(" for {p}")).unwrap_or_default();
                fault::incomplete(format!(
                    "the image{platform} is named in the index, but its manifest {} is not stored: the copy is not complete; make it again",
                    shown(&descriptor.digest)
                ))
            }
            None if top.is_empty() => {
                fault::no_image("its `index.json` names no image: it is empty")
            }
            None => fault::no_image("there is no image in it, only attestations or signatures"),
        }
    }
}

/// An entry of the top-level index as something to choose.
fn entry(descriptor: &Descriptor) -> Candidate {
    Candidate {
        names: all_names(descriptor),
        digests: descriptor.digest.parse().into_iter().collect(),
        platform: descriptor.platform(),
        group: 0,
    }
}

fn all_names(descriptor: &Descriptor) -> Vec<String> {
    let names = [CONTAINERD_NAME, REF_NAME].iter().filter_map(|name| descriptor.annotation(name));
    names.map(str::to_owned).collect()
}

/// A bare tag (`latest`) is a name inside the layout only.
fn full_names(descriptor: &Descriptor) -> Vec<String> {
    let mut names = all_names(descriptor);
    names.retain(|name| name.contains([':', '/']));
    names
}

fn image(documents: &dyn Documents, leaf: &Leaf, source: &str) -> anyhow::Result<Image> {
    let bytes = documents::fetch(documents, &leaf.descriptor, "manifest")?;
    let manifest = Manifest::parse(&bytes, "manifest")?;
    let config_descriptor = manifest.config()?;
    let config = documents::fetch(documents, config_descriptor, "configuration")?;
    let mut layers = manifest.layers()?;
    pair(&mut layers, &ImageConfig::parse(&config)?)?;
    check_stored(documents, &layers)?;
    Ok(Image {
        source: source.to_owned(),
        // What is named by another digest is verified by that, and has this one as well.
        manifest_digest: digest_of(&bytes),
        index_digest: leaf.index,
        manifest: Some(bytes),
        config_digest: digest_of(&config),
        config,
        layers,
        names: leaf.names.clone(),
    })
}

/// Every layer is there, and as large as the manifest says.
fn check_stored(documents: &dyn Documents, layers: &[LayerRef]) -> anyhow::Result<()> {
    for (index, layer) in layers.iter().enumerate() {
        let place = place(index, layers.len());
        let foreign = layer
            .media_type
            .as_deref()
            .is_some_and(|t| t.contains("nondistributable") || t.contains("foreign"));
        match documents.size(&layer.location)? {
            None if foreign => {
                return Err(fault::incomplete(format!(
                    "{place} ({}) is non-distributable, and its bytes are not stored here; save the image on a machine that has it, with its foreign layers",
                    shown(&layer.location)
                )));
            }
            None => {
                return Err(fault::incomplete(format!(
                    "{place} ({}) is missing: the copy is not complete; make it again",
                    shown(&layer.location)
                )));
            }
            Some(found) if layer.size.is_some_and(|size| size != found) => {
                return Err(fault::incomplete(format!(
                    "{place} ({}) has {found} bytes, but the manifest says {}; it was cut off or changed, get it again",
                    shown(&layer.location),
                    layer.size.unwrap_or_default()
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A layout as a directory.
pub(super) struct LayoutDirectory(pub(super) PathBuf);

impl LayoutDirectory {
    /// Names come from digests, or are our own: they cannot lead out.
    fn open(&self, name: &str) -> anyhow::Result<Option<File>> {
        open_regular(&self.0.join(Path::new(name)))
    }
}

impl Documents for LayoutDirectory {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(file) = self.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
            return Err(too_large(name, bytes.len() as u64));
        }
        Ok(Some(bytes))
    }

    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        Ok(self.open(name)?.map(|file| file.metadata()).transpose()?.map(|metadata| metadata.len()))
    }

    fn start(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut start = Vec::new();
        if let Some(file) = self.open(name)? {
            file.take(Packing::START_LEN as u64).read_to_end(&mut start)?;
        }
        Ok(start)
    }
}

impl Blobs for LayoutDirectory {
    fn open(&self, layer: &LayerRef) -> anyhow::Result<Box<dyn Read + Send + '_>> {
        let file = LayoutDirectory::open(self, &layer.location)
            .with_context(|| format!("could not open `{}`", shown(&layer.location)))?
            .ok_or_else(|| {
                fault::incomplete(format!(
                    "`{}` is missing from the layout",
                    shown(&layer.location)
                ))
            })?;
        Ok(Box::new(file))
    }
}
