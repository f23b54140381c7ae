//! What one pass over a layer leaves behind: a compact index of its entries,
//! the facts found in their bytes, and the bytes somebody wanted kept.
//!
//! A scan is a pure function of the layer's bytes and the analyzers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use inscan_analyzers::{Facts, Hides, Problem};

use super::digested::Digested;
use super::kept::Kept;
use crate::budget::{Amounts, window};
use inscan_facts::digest::{BlobDigest, Digest, FileDigests};

/// One layer, read once.
#[derive(Clone, Debug, Default)]
pub struct LayerScan {
    /// Digest and size of the blob as it is stored (compressed or not).
    pub blob_digest: Digest,
    pub blob_size: u64,
    pub compression: Compression,
    /// What is wrong with the blob, and is not in its tar.
    pub blob_remark: Option<String>,
    /// Digest and size of the uncompressed tar.
    pub diff_id: Digest,
    pub tar_size: u64,
    /// The same digests in sha512, where the image goes by these.
    pub(super) sha512: Sha512s,
    /// Bytes in holes of sparse files that were read.
    pub(super) holes: u64,
    /// In the order of the tar.
    pub entries: Vec<Entry>,
    /// All names and link targets, one after another.
    pub(super) names: Vec<u8>,
    /// Digests of the regular files, by [`Entry::digests`].
    pub(super) digests: Digested,
    /// Extended attributes that matter, by entry.
    pub capabilities: BTreeMap<u32, Vec<u8>>,
    /// What each analyzer's `inspect` stated, by entry: `(analyzer, facts)`.
    pub facts: BTreeMap<u32, Vec<(u16, Facts)>>,
    /// Who wants the entry: positions in the list of analyzers.
    pub wanted: BTreeMap<u32, Vec<u16>>,
    /// Content kept for `analyze`, by entry.
    pub kept: BTreeMap<u32, Arc<Kept>>,
    /// Signatures that the malware scanner found, by entry. Not of the layer's bytes alone:
    /// the scanner's database is in it.
    pub malware: BTreeMap<u32, String>,
    /// What was skipped, and why, by entry.
    pub skipped: Vec<Skipped>,
    /// What is wrong with the layer as a whole.
    pub problems: Vec<Problem>,
    /// Something failed that may not fail the next time, such as a temporary file: this
    /// is no function of the layer's bytes alone, and is not to be kept for later.
    pub is_by_chance: bool,
}

/// Digests of a layer in sha512.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sha512s {
    pub(super) blob: Option<BlobDigest>,
    pub(super) tar: Option<BlobDigest>,
}

impl LayerScan {
    /// The digest of the blob in the algorithm of another; `None` where that was not taken.
    pub(super) fn blob_digest_as(&self, other: &BlobDigest) -> Option<BlobDigest> {
        match other {
            BlobDigest::Sha256(_) => Some(self.blob_digest.into()),
            BlobDigest::Sha512(_) => self.sha512.blob,
        }
    }

    /// The same of the tar.
    pub(super) fn diff_id_as(&self, other: &BlobDigest) -> Option<BlobDigest> {
        match other {
            BlobDigest::Sha256(_) => Some(self.diff_id.into()),
            BlobDigest::Sha512(_) => self.sha512.tar,
        }
    }
}

/// One entry of a layer. Small: an image has hundreds of thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) name: Span,
    pub(super) link: Span,
    pub kind: EntryKind,
    /// Permission bits with set-user-id, set-group-id and sticky, without the type.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Of a regular file, holes included; 0 for anything else.
    pub size: u64,
    pub(super) digests: u32,
}

/// A piece of [`LayerScan::names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

/// "No digests": the entry is no regular file.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    File,
    HardLink,
    Symlink,
    Directory,
    CharDevice,
    BlockDevice,
    Fifo,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Zstd,
}

/// A file that an analyzer wanted and did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub entry: u32,
    /// Position in the list of analyzers.
    pub analyzer: u16,
    /// As of a problem.
    pub code: Cow<'static, str>,
    pub reason: String,
}

/// An entry to be added to a scan.
pub(super) struct New<'a> {
    pub(super) path: &'a [u8],
    pub(super) link: &'a [u8],
    pub(super) kind: EntryKind,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    /// Its content will be read: there will be digests.
    pub(super) has_content: bool,
}

/// Most entries of a layer: each takes memory.
pub(super) const MAX_ENTRIES: usize = 50_000_000;

impl LayerScan {
    /// Part of the layer was not read: there may be anything in it.
    pub(super) fn hidden(&mut self, path: Option<&[u8]>, code: &'static str, message: String) {
        let problem = Problem::new(path.map(Into::into), message);
        self.problems.push(problem.hiding(Hides::Content, code));
    }

    /// What it has of an image's budget: so many bytes of its tar, from so many stored ones.
    pub(super) fn amounts(&self, tar_size: u64, stored: u64) -> Amounts {
        let (entries, names) = (self.entries.len() as u64, self.names.len() as u64);
        let window = match self.compression {
            Compression::Zstd => window(tar_size),
            _ => 0,
        };
        Amounts { unpacked: tar_size + self.holes, entries, names, window, stored }
    }

    /// `None` where there are too many entries, or 4 GiB of names.
    pub(super) fn add(&mut self, new: &New<'_>) -> Option<u32> {
        let id = u32::try_from(self.entries.len()).ok()?;
        if self.entries.len() >= MAX_ENTRIES {
            return None;
        }
        let (name, link) = (self.span(new.path)?, self.span(new.link)?);
        let digests = match new.has_content {
            true => self.digests.len() as u32,
            false => NONE,
        };
        if new.has_content {
            self.digests.push(FileDigests::default());
        }
        let New { kind, mode, uid, gid, size, .. } = *new;
        self.entries.push(Entry { name, link, kind, mode, uid, gid, size, digests });
        Some(id)
    }

    fn span(&mut self, bytes: &[u8]) -> Option<Span> {
        let start = u32::try_from(self.names.len()).ok()?;
        let len = u32::try_from(bytes.len()).ok()?;
        start.checked_add(len)?;
        self.names.extend_from_slice(bytes);
        Some(Span { start, len })
    }

    /// Gives back the room for entries that did not come: up to half of all.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.names.shrink_to_fit();
        self.digests.shrink();
    }

    /// The entry's path: cleaned, without a leading slash; empty for the root.
    pub fn path(&self, entry: &Entry) -> &[u8] {
        self.piece(entry.name)
    }

    /// Target of a link: for a hard link a cleaned path, for a symbolic link as it is written.
    pub fn link(&self, entry: &Entry) -> &[u8] {
        self.piece(entry.link)
    }

    /// Digests of a regular file, where they were taken.
    pub fn digests(&self, entry: &Entry) -> Option<FileDigests> {
        let digests = self.digests.get(entry.digests as usize)?;
        // No content is known that has this one.
        (digests.sha256 != [0; 32]).then_some(digests)
    }

    fn piece(&self, span: Span) -> &[u8] {
        self.names
            .get(span.start as usize..(span.start as usize + span.len as usize))
            .unwrap_or_default()
    }
}

impl EntryKind {
    /// The type bits of `st_mode`.
    pub fn type_bits(self) -> u32 {
        match self {
            EntryKind::File | EntryKind::HardLink => 0o100000,
            EntryKind::Symlink => 0o120000,
            EntryKind::Directory => 0o040000,
            EntryKind::CharDevice => 0o020000,
            EntryKind::BlockDevice => 0o060000,
            EntryKind::Fifo => 0o010000,
        }
    }
}

#[cfg(test)]
use inscan_facts::digest::Sha256;

#[cfg(test)]
impl LayerScan {
    /// As much of a scan as verifying a tar that is stored as it is needs.
    pub(crate) fn of_tar(bytes: &[u8]) -> Self {
        let (sha256, sha512) = (Sha256::of(bytes), BlobDigest::Sha512([0; 64]).of_same(bytes));
        LayerScan {
            blob_digest: sha256,
            diff_id: sha256,
            sha512: Sha512s { blob: Some(sha512), tar: Some(sha512) },
            blob_size: bytes.len() as u64,
            tar_size: bytes.len() as u64,
            ..LayerScan::default()
        }
    }

    /// Adds an entry, for tests that need a layer but not its bytes.
    pub(crate) fn push(&mut self, path: &[u8], link: &[u8], entry: Entry) -> &mut Entry {
        let mut span = |text: &[u8]| {
            let start = self.names.len() as u32;
            self.names.extend_from_slice(text);
            Span { start, len: text.len() as u32 }
        };
        let (name, link) = (span(path), span(link));
        self.entries.push(Entry { name, link, ..entry });
        self.entries.last_mut().expect("it was just pushed")
    }

    /// Adds a regular file without bytes of its own: all its digests repeat one byte.
    pub(crate) fn push_file(&mut self, path: &str, mode: u16, size: u64, digest: u8) {
        let digests = self.digests.len() as u32;
        self.digests.push(FileDigests {
            md5: [digest; 16],
            sha1: [digest; 20],
            sha256: [digest; 32],
            more: None,
        });
        self.push(
            path.as_bytes(),
            b"",
            Entry { mode, size, digests, ..Entry::of(EntryKind::File) },
        );
    }
}

#[cfg(test)]
impl Entry {
    /// Root's, with the permissions most entries of its kind have.
    pub(crate) fn of(kind: EntryKind) -> Self {
        let mode = match kind {
            EntryKind::Directory => 0o755,
            EntryKind::Symlink => 0o777,
            _ => 0o644,
        };
        let none = Span::default();
        Entry { name: none, link: none, kind, mode, uid: 0, gid: 0, size: 0, digests: NONE }
    }
}
