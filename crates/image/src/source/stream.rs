//! An archive that is read front to back exactly once: from standard input, or
//! through a decompressor. What its members are is known only at its end
//! (`docker save` writes `manifest.json` last), so everything that may be a layer
//! is scanned as it passes by, and everything that may be JSON is kept.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use anyhow::Context;
use inscan_tar::{self as tar, Packing};

use super::archive_index::resolve;
use super::docker_archive::complete;
use super::documents::{Documents, MAX_DOCUMENT_BYTES, too_large};
use super::manifest::{check_count, place};
use super::members::{LIMITS, Member, MemberKind, named_twice, unreadable};
use super::{Image, Platform, Stream, directory_image, image_and_root, read_documents, recognise};
use crate::budget::{Bounded, Budget, Stored};
use crate::fault;
use crate::layer::{self, LayerScan, MAX_ZSTD_WINDOW_LOG};
use inscan_facts::error::{shown, usage};

/// All small files together. Attestations are kept too: nobody knows yet that they are not wanted.
const MAX_KEPT_BYTES: u64 = 64 << 20;
/// Layers of all images: an archive that passes by has them read before it says whose they are.
const MAX_PASSING: usize = 4000;
/// What may follow the archive's end without being read: more than any padding.
const MAX_TRAILING_BYTES: u64 = 64 << 20;
const START: usize = 512;

/// Scans one layer: given the member's name and its bytes, and what counts those of the archive.
pub type ScanLayer<'a> =
    dyn FnMut(&str, &mut (dyn Read + Send), &Stored) -> anyhow::Result<LayerScan> + 'a;
type Scanned<'a> = dyn FnMut(&str, &mut (dyn Read + Send)) -> anyhow::Result<LayerScan> + 'a;

/// Reads a whole archive: the image, and its layers in their order, base first. They are verified.
pub fn read(
    stream: Stream,
    budget: &Arc<Budget>,
    scan: &mut ScanLayer<'_>,
) -> anyhow::Result<(Image, Vec<LayerScan>)> {
    let Stream { source, reader, form, choice, engine, is_root: is_surely_root } = stream;
    let stored = Stored::default();
    let mut scan = |name: &str, content: &mut (dyn Read + Send)| scan(name, content, &stored);
    let scan: &mut Scanned<'_> = &mut scan;
    let shown_source = if source == "-" { "standard input" } else { &source };
    let context = || format!("could not read {shown_source}");
    let mut reader = unpacked(reader, &stored, budget).with_context(context)?;
    let mut start = Vec::new();
    if form.is_none() && engine.is_none() {
        let begin = reader.by_ref().take(recognise::TAR_START as u64).read_to_end(&mut start);
        begin.with_context(context)?;
    }
    let is_root = is_surely_root || recognise::is_root_tar(&start);
    let whole: Unpacked = tar::Stream(Box::new(io::Cursor::new(start).chain(reader)));
    if is_root {
        let read = root(&source, choice.platform.as_ref(), whole, scan).with_context(context)?;
        if !is_surely_root && recognise::may_hold_image(&read.1[0]) {
            return Err(image_and_root()).with_context(context);
        }
        return Ok(read);
    }
    let mut archive = Archive::default();
    archive.pass_by(whole, scan).with_context(context)?;
    if form.is_none() && recognise::has_root(archive.members.keys().map(Vec::as_slice)) {
        let is_image = recognise::OF_IMAGES.iter().any(|name| archive.find(name).is_some());
        let late = || {
            usage(
                "it is a root file system, which shows too late where an archive passes by; write it to a file that is not compressed, and give that",
            )
        };
        let error = if is_image { image_and_root() } else { late() };
        return Err(error).with_context(context);
    }
    let (_, mut image) = read_documents(&archive, form, &choice, |form| {
        let path = source.strip_prefix("archive:").unwrap_or(&source);
        if engine.is_some() || source.starts_with(form.transport()) {
            source.clone()
        } else {
            format!("{}:{path}", form.transport())
        }
    })
    .with_context(context)?;
    let layers = archive.layers(&image, budget)?;
    complete(&mut image, &layers)?;
    if let Some(engine) = engine {
        engine.complete(&mut image).with_context(context)?;
    }
    Ok((image, layers))
}

/// A root file system as a tar, which is read as an image of one layer.
fn root(
    source: &str,
    platform: Option<&Platform>,
    mut tar: Unpacked,
    scan: &mut Scanned<'_>,
) -> anyhow::Result<(Image, Vec<LayerScan>)> {
    let layer = scan("the root file system", &mut tar)?;
    let place = source.strip_prefix("archive:").unwrap_or(source);
    let image = directory_image(&format!("tar:{place}"), platform, layer.diff_id);
    Ok((image, vec![layer]))
}

/// What is left of the members when the archive has passed by.
#[derive(Default)]
struct Archive {
    members: HashMap<Vec<u8>, (MemberKind, Passed)>,
    kept_bytes: u64,
    layers: usize,
}

enum Passed {
    /// Kept whole.
    Small(Vec<u8>),
    /// Scanned. What went wrong is told only if an image has it as a layer.
    Layer { size: u64, start: Vec<u8>, scan: Box<anyhow::Result<LayerScan>> },
    /// Neither, or too large to keep.
    Other { size: u64, why: &'static str },
}

impl Passed {
    /// Whether it is for sure the same content.
    fn is_same(&self, other: &Passed) -> bool {
        match (self, other) {
            (Passed::Small(one), Passed::Small(other)) => one == other,
            (Passed::Layer { scan: one, .. }, Passed::Layer { scan: other, .. }) => {
                let digest = |scan: &anyhow::Result<LayerScan>| {
                    scan.as_ref().ok().map(|scan| scan.blob_digest)
                };
                digest(one).is_some() && digest(one) == digest(other)
            }
            // Directories and links, which have no content.
            (Passed::Other { size: 0, .. }, Passed::Other { size: 0, .. }) => true,
            _ => false,
        }
    }

    fn take(&mut self) -> Passed {
        std::mem::replace(self, Passed::Other { size: 0, why: "was taken" })
    }
}

impl Archive {
    fn pass_by(&mut self, reader: Unpacked, scan: &mut Scanned<'_>) -> anyhow::Result<()> {
        let mut members = tar::Archive::new(reader, LIMITS);
        while let Some(entry) = members.next_entry().map_err(unreadable)? {
            let member = Member::of(entry);
            let passed = match member.kind {
                MemberKind::File => self.pass(&member, &mut members, scan)?,
                _ => Passed::Other { size: member.size, why: "is not a file" },
            };
            self.add(member, passed)?;
        }
        // Whoever writes into the pipe is to come to an end; and a decompressor checks its sum there.
        let trailing =
            io::copy(&mut members.into_source().take(MAX_TRAILING_BYTES), &mut io::sink());
        trailing.context("could not read to the end of the archive")?;
        Ok(())
    }

    fn add(&mut self, member: Member, passed: Passed) -> anyhow::Result<()> {
        let Member { name, kind, .. } = member;
        if let Some((earlier_kind, earlier)) = self.members.get(&name)
            && (*earlier_kind != kind || !earlier.is_same(&passed))
        {
            return Err(named_twice(&name));
        }
        let earlier = self.members.insert(name, (kind, passed));
        if let Some((_, Passed::Small(bytes))) = earlier {
            self.kept_bytes -= bytes.len() as u64;
        }
        Ok(())
    }

    /// Looks at one file while it passes by.
    fn pass(
        &mut self,
        member: &Member,
        content: &mut tar::Archive<Unpacked>,
        scan: &mut Scanned<'_>,
    ) -> anyhow::Result<Passed> {
        let name = String::from_utf8_lossy(&member.name);
        let mut start = Vec::with_capacity(START);
        content.by_ref().take(START as u64).read_to_end(&mut start)?;
        let size = member.size;
        if looks_like_layer(&start) {
            self.layers += 1;
            check_count(self.layers, MAX_PASSING, "layers")?;
            let mut whole = start.as_slice().chain(content.by_ref());
            let scan = Box::new(scan(&name, &mut whole));
            // What ends the archive in the middle of a layer ends it for all that follow.
            // Reading the rest tells, whatever the scan made of it.
            io::copy(&mut whole, &mut io::sink())
                .with_context(|| format!("could not read `{}`", shown(&member.name)))?;
            start.truncate(Packing::START_LEN);
            return Ok(Passed::Layer { size, start, scan });
        }
        if !looks_like_text(&start) {
            return Ok(Passed::Other {
                size,
                why: "is neither a tar nor compressed with gzip or zstd",
            });
        }
        if size > MAX_DOCUMENT_BYTES {
            return Ok(Passed::Other { size, why: "is too large for a document" });
        }
        if self.kept_bytes + size > MAX_KEPT_BYTES {
            return Err(fault::over_limit(format!(
                "the archive has more than {} MiB of small files before its manifest; unpack it and give the directory, or save the image alone",
                MAX_KEPT_BYTES >> 20
            )));
        }
        self.kept_bytes += size;
        content.read_to_end(&mut start)?;
        Ok(Passed::Small(start))
    }

    fn find(&self, name: &str) -> Option<&Passed> {
        resolve(name, |name| self.members.get(name).map(|(kind, passed)| (kind, passed)))
    }

    /// The image's layers in order, verified.
    fn layers(mut self, image: &Image, budget: &Budget) -> anyhow::Result<Vec<LayerScan>> {
        let of = image.layers.len();
        let mut layers: Vec<LayerScan> = Vec::with_capacity(of);
        let mut taken: HashMap<Vec<u8>, usize> = HashMap::new();
        for (index, layer) in image.layers.iter().enumerate() {
            let numbered = place(index, of);
            let place = || format!("{numbered} (`{}`)", shown(&layer.location));
            let missing = || fault::incomplete(format!("{} is missing from the archive", place()));
            let name = self.file_name(&layer.location).ok_or_else(missing)?;
            // An image may have one layer twice.
            let scan = match taken.get(&name).and_then(|&first| layers.get(first)) {
                Some(scan) => {
                    layer::count_again(budget, scan, 0)?;
                    scan.clone()
                }
                None => match self.members.get_mut(&name).map(|(_, passed)| passed.take()) {
                    None => return Err(missing()),
                    Some(Passed::Layer { scan, .. }) => {
                        scan.with_context(|| format!("could not read {}", place()))?
                    }
                    Some(Passed::Small(_)) => {
                        return Err(fault::damaged(format!("{} is text, not a tar", place())));
                    }
                    Some(Passed::Other { why, .. }) => {
                        return Err(fault::damaged(format!("{} {why}", place())));
                    }
                },
            };
            layer::verify(layer, &scan).with_context(|| format!("could not read {numbered}"))?;
            taken.entry(name).or_insert(index);
            layers.push(scan);
        }
        Ok(layers)
    }

    /// The name of the file that a name leads to.
    fn file_name(&self, name: &str) -> Option<Vec<u8>> {
        resolve(name, |name| {
            let (key, (kind, _)) = self.members.get_key_value(name)?;
            Some((kind, key.clone()))
        })
    }
}

impl Documents for Archive {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match self.find(name) {
            None => Ok(None),
            Some(Passed::Small(bytes)) => Ok(Some(bytes.clone())),
            Some(Passed::Other { size, .. }) if *size > MAX_DOCUMENT_BYTES => {
                Err(too_large(name, *size))
            }
            Some(_) => Err(fault::damaged(format!("`{}` is no JSON document", shown(name)))),
        }
    }

    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        Ok(self.find(name).map(|passed| match passed {
            Passed::Small(bytes) => bytes.len() as u64,
            Passed::Layer { size, .. } | Passed::Other { size, .. } => *size,
        }))
    }

    fn start(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        Ok(match self.find(name) {
            Some(Passed::Small(bytes)) => bytes.iter().take(Packing::START_LEN).copied().collect(),
            Some(Passed::Layer { start, .. }) => start.clone(),
            Some(Passed::Other { .. }) | None => Vec::new(),
        })
    }
}

/// A layer by what it begins with. One without a byte is a layer that changes nothing, and
/// nothing else.
fn looks_like_layer(start: &[u8]) -> bool {
    if Packing::of(start) != Packing::Plain {
        return true;
    }
    match <&[u8; START]>::try_from(start) {
        Ok(block) => tar::is_header(block) || *block == [0; START],
        Err(_) => start.is_empty(),
    }
}

/// Everything an image is described by is text: JSON, `VERSION`.
fn looks_like_text(start: &[u8]) -> bool {
    !start.contains(&0)
}

type Unpacked = tar::Stream<Box<dyn Read + Send>>;

/// The archive itself may be compressed.
fn unpacked(
    reader: Box<dyn Read + Send>,
    stored: &Stored,
    budget: &Arc<Budget>,
) -> anyhow::Result<Unpacked> {
    let mut reader = stored.of(reader);
    let mut start = Vec::new();
    reader
        .by_ref()
        .take(Packing::START_LEN as u64)
        .read_to_end(&mut start)
        .context("could not read the archive")?;
    if start.is_empty() {
        return Err(fault::empty(
            "there is nothing in it: the program that should write the image may have failed",
        ));
    }
    let packing = Packing::of(&start);
    let whole = BufReader::with_capacity(1 << 16, io::Cursor::new(start).chain(reader));
    let has_window = packing == Packing::Zstd;
    let buffered = |reader: Box<dyn Read + Send>| {
        let bounded = Bounded::new(reader, stored.clone(), Arc::clone(budget), has_window);
        BufReader::with_capacity(1 << 17, bounded)
    };
    Ok(tar::Stream(match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(buffered(Box::new(flate2::bufread::MultiGzDecoder::new(whole)))),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(whole)?;
            decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
            Box::new(buffered(Box::new(decoder)))
        }
        Packing::Bzip2 | Packing::Xz => {
            let program = packing.program().unwrap_or_default();
            return Err(fault::unsupported(format!(
                "it is compressed with {program}, which is not supported for archives; decompress it: {program} -dc FILE | inscan scan -"
            )));
        }
    }))
}
