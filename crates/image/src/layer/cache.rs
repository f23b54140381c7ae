//! The layer cache: what was learned of a layer is kept for the next image that has it.
//!
//! A layer's scan depends on its tar and on the analyzers only, so it is found by its diff
//! id. A second file says of a blob's digest which diff id it has, and so a layer of a
//! registry is answered for before a byte of it was asked for. Both are written only after
//! the bytes were seen to have these digests.
//!
//! ```text
//! CACHE/layers/VERSION-SET/DIFF_ID        a scan
//! CACHE/layers/VERSION-SET/DIGEST.blob    what is known of a blob
//! ```
//!
//! `VERSION` stands for the sources of what reads layers, `SET` for the analyzers and
//! their configuration. Files are written under another name and then renamed: there are
//! no locks, and a reader sees a whole file or none. Each is sealed with a key that lies elsewhere:
//! who may write in the cache can make no layer look like another.

mod blob;
mod coding;
mod frame;
mod key;
mod place;
mod room;
mod scan;

use std::fs::{File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use inscan_analyzers::{Analyzer, Config};

use super::kept::Keeper;
use super::scan::{Compression, LayerScan};
use crate::source::LayerRef;
use blob::Blob;
use frame::{Head, Kind};
use inscan_facts::digest::{Digest, MoreDigests, Sha256};

pub use key::Key;
pub use room::{Cleaned, Status, clean, status};

/// Changes with the form of the files. What decides about their content changes by itself.
const FORM: &str = "2";
const SOURCES: &str = env!("INSCAN_LAYER_SOURCES");
/// Kept content of one layer: one with more is read each time.
const MAX_KEPT: u64 = 256 << 20;

/// Where one run keeps layers, and finds them.
#[derive(Debug)]
pub struct Cache {
    /// Of all files, also of other versions.
    root: PathBuf,
    directory: PathBuf,
    /// Of entries that are believed.
    key: Key,
    set: Digest,
    analyzers: usize,
    /// In bytes.
    limit: u64,
    written: AtomicU64,
    /// Something could not be written: nothing more is tried, and it was said.
    is_broken: AtomicBool,
}

/// What all files of this version have in their directory's name.
fn version() -> String {
    let digest = Sha256::of(format!("{FORM} {SOURCES}").as_bytes());
    digest.hex()[..16].to_owned()
}

/// Everything beside a layer's bytes that decides what is found in it.
fn set(analyzers: &[Box<dyn Analyzer>], config: &Config, digests: &[MoreDigests]) -> Digest {
    // Malware is looked for in every run anew, and is in no scan that is kept.
    let config = Config { malware: None, ..config.clone() };
    let names: Vec<&str> = analyzers.iter().map(|analyzer| analyzer.name()).collect();
    let digests: Vec<&str> = digests.iter().map(|digest| digest.name()).collect();
    let all = serde_json::json!([FORM, SOURCES, names, config, digests]);
    Sha256::of(all.to_string().as_bytes())
}

impl Cache {
    /// The cache below a directory, which need not be there. `limit` is in bytes.
    pub fn open(
        directory: &Path,
        limit: u64,
        key: Key,
        analyzers: &[Box<dyn Analyzer>],
        config: &Config,
        digests: &[MoreDigests],
    ) -> io::Result<Cache> {
        let root = directory.join(place::LAYERS);
        place::check(&root)?;
        let set = set(analyzers, config, digests);
        let directory = root.join(format!("{}-{}", version(), &set.hex()[..16]));
        place::check(&directory)?;
        Ok(Cache {
            directory,
            root,
            key,
            set,
            analyzers: analyzers.len(),
            limit,
            written: AtomicU64::new(0),
            is_broken: AtomicBool::new(false),
        })
    }

    /// The layer's scan, if it is known: as reading the layer now would give it. `start`
    /// is asked for the layer's first bytes where its digest is not known.
    pub(super) fn find(
        &self,
        layer: &LayerRef,
        keeper: &Keeper,
        start: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<LayerScan> {
        // Nothing is known by sha512.
        let of_layer = layer.diff_id.sha256()?;
        let stored = match layer.digest.map(|digest| digest.sha256()) {
            Some(digest) if digest? == of_layer => None,
            Some(digest) => Some((digest?, self.blob(digest?)?)),
            // Stored as it is, it is its own blob.
            None => match super::decompress::compression(&start()?) {
                Ok(Compression::None) => None,
                _ => return None,
            },
        };
        let diff_id = stored.as_ref().map_or(of_layer, |(_, blob)| blob.diff_id);
        if diff_id != of_layer {
            return None;
        }
        let scan = self.scan(diff_id, stored, keeper)?;
        // Were anything of it not as the image says, reading the layer tells.
        super::verify(layer, &scan).is_ok().then_some(scan)
    }

    /// The scan of a blob that passes by and has this digest, if it has it.
    pub(super) fn find_blob(&self, digest: Digest, keeper: &Keeper) -> Option<LayerScan> {
        match self.blob(digest) {
            Some(blob) => self.scan(blob.diff_id, Some((digest, blob)), keeper),
            None => self.scan(digest, None, keeper),
        }
    }

    fn blob(&self, digest: Digest) -> Option<Blob> {
        let head = Head { kind: Kind::Blob, set: self.set, of: digest };
        self.read(&head, |mut from| Blob::read(&mut from))
    }

    /// `stored`: the blob it is from and what is known of it; `None` where the tar is the blob.
    fn scan(
        &self,
        diff_id: Digest,
        stored: Option<(Digest, Blob)>,
        keeper: &Keeper,
    ) -> Option<LayerScan> {
        let head = Head { kind: Kind::Layer, set: self.set, of: diff_id };
        let mut scan =
            self.read(&head, |mut from| scan::read(&mut from, self.analyzers, keeper))?;
        scan.diff_id = diff_id;
        match stored {
            None => (scan.blob_digest, scan.blob_size) = (diff_id, scan.tar_size),
            Some((digest, Blob { size, compression, remark, .. })) => {
                (scan.blob_digest, scan.blob_size) = (digest, size);
                (scan.compression, scan.blob_remark) = (compression, remark);
            }
        }
        Some(scan)
    }

    /// What is damaged, or of something else, is as good as not there.
    fn read<T>(
        &self,
        head: &Head,
        content: impl FnOnce(&mut dyn io::BufRead) -> io::Result<T>,
    ) -> Option<T> {
        let file = place::open(&self.directory.join(place::name(head))).ok()?;
        let made = frame::read(&file, head, &self.key, content).ok()?;
        touch(&file);
        Some(made)
    }

    /// Keeps a scan whose digests were verified. The text is for the user: why it could not be.
    pub(super) fn keep(&self, scan: &LayerScan) -> Option<String> {
        let kept: u64 = scan.kept.values().map(|kept| kept.len() as u64).sum();
        if scan.is_by_chance || kept > MAX_KEPT || self.is_broken.load(Ordering::Relaxed) {
            return None;
        }
        let error = self.write(scan).err()?;
        let was_broken = self.is_broken.swap(true, Ordering::Relaxed);
        (!was_broken).then(|| {
            format!(
                "layers are not kept for the next run: could not write below `{}`: {error} (`--no-cache` does without, `--cache-dir` uses another directory)",
                self.root.display()
            )
        })
    }

    fn write(&self, scan: &LayerScan) -> io::Result<()> {
        // First the scan: a blob that leads nowhere is of no use.
        let layer = Head { kind: Kind::Layer, set: self.set, of: scan.diff_id };
        self.put(&layer, |mut to| scan::write(scan, &mut to))?;
        if scan.blob_digest != scan.diff_id {
            let blob = Head { kind: Kind::Blob, set: self.set, of: scan.blob_digest };
            self.put(&blob, |mut to| Blob::of(scan).write(&mut to))?;
        }
        Ok(())
    }

    fn put(
        &self,
        head: &Head,
        content: impl Fn(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<()> {
        // Other processes, which make room, may remove the directory while it is empty: between
        // any two steps, and again. Each attempt is a whole one.
        const ATTEMPTS: usize = 10;
        let place = self.directory.join(place::name(head));
        let put = || {
            place::make(&self.root, &self.directory)?;
            // One layer must not drive out all others.
            place::put(&place, self.limit / 4, |file| frame::write(file, head, &self.key, &content))
        };
        let was_removed = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
        };
        let mut written = put();
        for _ in 1..ATTEMPTS {
            match &written {
                Err(error) if was_removed(error) => written = put(),
                _ => break,
            }
        }
        let written = written?;
        self.written.fetch_add(written, Ordering::Relaxed);
        Ok(())
    }

    /// Makes room if this run took some: what was not used for the longest time goes.
    pub fn evict(&self) {
        if self.written.swap(0, Ordering::Relaxed) > 0 {
            room::make(&self.root, self.limit);
        }
    }
}

/// Used now. Whose file system forbids it loses the order of use, no more.
fn touch(file: &File) {
    let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
}

/// For fuzzing: what a damaged file makes of itself, and what that is when written again.
pub fn read_back(bytes: &[u8], analyzers: usize) -> io::Result<Vec<u8>> {
    let scan = scan::read(&mut &bytes[..], analyzers, &Keeper::default())?;
    let mut written = Vec::new();
    scan::write(&scan, &mut written)?;
    Ok(written)
}

#[cfg(test)]
mod tests;
