//! A layer's scan as bytes, and back. It is written column by column, since like
//! compresses best beside like, and read as a stream: beside the scan itself only small
//! buffers take memory.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::coding::{
    array, bytes, corrupt, count, exactly, list, number, put_bytes, put_count, put_number, text,
};
use crate::layer::kept::Keeper;
use crate::layer::scan::{Entry, EntryKind, LayerScan, MAX_ENTRIES, NONE, Skipped, Span};
use inscan_facts::digest::FileDigests;

/// Facts of one file, kept content, one message: more of any is not cached.
pub(super) const MAX_LENGTH: usize = 256 << 20;
/// Of a code of a problem.
const MAX_CODE: usize = 64;
const KINDS: [EntryKind; 7] = [
    EntryKind::File,
    EntryKind::HardLink,
    EntryKind::Symlink,
    EntryKind::Directory,
    EntryKind::CharDevice,
    EntryKind::BlockDevice,
    EntryKind::Fifo,
];
/// Beside the kind: there are digests.
const HAS_DIGESTS: u8 = 0x80;

/// Writes what depends on the layer's tar alone: not the blob, not its diff id, no malware.
pub(super) fn write(scan: &LayerScan, to: &mut impl Write) -> io::Result<()> {
    put_number(to, scan.tar_size)?;
    put_number(to, scan.holes)?;
    put_count(to, scan.entries.len())?;
    let mut digests = 0;
    for entry in &scan.entries {
        let kind = KINDS.iter().position(|kind| *kind == entry.kind).unwrap_or_default() as u8;
        let has_digests = entry.digests != NONE;
        if has_digests {
            // The reader counts; it is told no positions.
            if entry.digests != digests {
                return Err(corrupt("digests are not in the order of the entries"));
            }
            digests += 1;
        }
        to.write_all(&[kind | if has_digests { HAS_DIGESTS } else { 0 }])?;
        put_number(to, entry.mode)?;
        put_number(to, entry.uid)?;
        put_number(to, entry.gid)?;
        put_number(to, entry.size)?;
        put_count(to, scan.path(entry).len())?;
        put_count(to, scan.link(entry).len())?;
    }
    for entry in &scan.entries {
        to.write_all(scan.path(entry))?;
        to.write_all(scan.link(entry))?;
    }
    for FileDigests { md5, sha1, sha256, more } in scan.digests.each().take(digests as usize) {
        to.write_all(&md5)?;
        to.write_all(&sha1)?;
        to.write_all(&sha256)?;
        let more = more.as_deref().unwrap_or_default();
        put_count(to, more.len())?;
        more.iter().try_for_each(|digest| put_bytes(to, digest))?;
    }
    put_count(to, scan.capabilities.len())?;
    for (entry, capability) in &scan.capabilities {
        put_number(to, *entry)?;
        put_bytes(to, capability)?;
    }
    put_count(to, scan.wanted.len())?;
    for (entry, analyzers) in &scan.wanted {
        put_number(to, *entry)?;
        put_count(to, analyzers.len())?;
        analyzers.iter().try_for_each(|analyzer| put_number(to, *analyzer))?;
    }
    put_count(to, scan.facts.len())?;
    for (entry, facts) in &scan.facts {
        put_number(to, *entry)?;
        put_count(to, facts.len())?;
        for (analyzer, facts) in facts {
            put_number(to, *analyzer)?;
            put_bytes(to, &postcard::to_allocvec(facts).map_err(io::Error::other)?)?;
        }
    }
    put_count(to, scan.skipped.len())?;
    for Skipped { entry, analyzer, code, reason } in &scan.skipped {
        put_number(to, *entry)?;
        put_number(to, *analyzer)?;
        put_bytes(to, code.as_bytes())?;
        put_bytes(to, reason.as_bytes())?;
    }
    put_count(to, scan.problems.len())?;
    for problem in &scan.problems {
        put_bytes(to, &postcard::to_allocvec(problem).map_err(io::Error::other)?)?;
    }
    put_count(to, scan.kept.len())?;
    for (entry, kept) in &scan.kept {
        put_number(to, *entry)?;
        put_bytes(to, &kept.bytes()?)?;
    }
    Ok(())
}

/// Reads what [`write`] wrote for this many analyzers. What it gives is consistent in
/// itself, whatever the bytes were. The blob and the diff id are for the caller to fill in.
pub(super) fn read(
    from: &mut impl BufRead,
    analyzers: usize,
    keeper: &Keeper,
) -> io::Result<LayerScan> {
    let (tar_size, holes) = (number(from)?, number(from)?);
    let mut scan = LayerScan { tar_size, holes, ..LayerScan::default() };
    let entries = count(from, MAX_ENTRIES)?;
    let mut files = 0;
    let mut names = 0;
    scan.entries = list(from, entries, |from| entry(from, &mut files, &mut names))?;
    scan.names = exactly(from, names as usize)?;
    for _ in 0..files {
        scan.digests.push(digests(from)?);
    }
    scan.capabilities = by_entry(from, entries, |from| bytes(from, MAX_LENGTH))?;
    let analyzer = |from: &mut _| match number::<u16>(from)? {
        analyzer if usize::from(analyzer) < analyzers => Ok(analyzer),
        _ => Err(corrupt("there is no such analyzer")),
    };
    scan.wanted = by_entry(from, entries, |from| {
        let wanting = count(from, analyzers)?;
        list(from, wanting, analyzer)
    })?;
    scan.facts = by_entry(from, entries, |from| {
        let stating = count(from, analyzers)?;
        list(from, stating, |from| Ok((analyzer(from)?, stated(from)?)))
    })?;
    let skipped = count(from, entries.saturating_mul(analyzers))?;
    scan.skipped = list(from, skipped, |from| {
        let (entry, analyzer) = (entry_number(from, entries)?, analyzer(from)?);
        let code = text(from, MAX_CODE)?.into();
        Ok(Skipped { entry, analyzer, code, reason: text(from, MAX_LENGTH)? })
    })?;
    let problems = count(from, usize::MAX)?;
    scan.problems = list(from, problems, stated)?;
    scan.kept =
        by_entry(from, entries, |from| Ok(Arc::new(keeper.keep(&bytes(from, MAX_LENGTH)?)?)))?;
    match from.fill_buf()? {
        [] => Ok(scan),
        _ => Err(corrupt("there is more than there should be")),
    }
}

fn entry(from: &mut impl BufRead, files: &mut u32, names: &mut u32) -> io::Result<Entry> {
    let [kind] = array(from)?;
    let has_digests = kind & HAS_DIGESTS != 0;
    let kind = KINDS.get(usize::from(kind & !HAS_DIGESTS));
    let kind = *kind.ok_or_else(|| corrupt("there is no such kind of entry"))?;
    let (mode, uid, gid, size) = (number(from)?, number(from)?, number(from)?, number(from)?);
    let mut span = || {
        let (start, len) = (*names, number(from)?);
        *names = start.checked_add(len).ok_or_else(|| corrupt("the names are too long"))?;
        Ok::<_, io::Error>(Span { start, len })
    };
    let (name, link) = (span()?, span()?);
    let digests = if has_digests { *files } else { NONE };
    *files += u32::from(has_digests);
    Ok(Entry { name, link, kind, mode, uid, gid, size, digests })
}

fn digests(from: &mut impl BufRead) -> io::Result<FileDigests> {
    let (md5, sha1, sha256) = (array(from)?, array(from)?, array(from)?);
    let more = count(from, 16)?;
    let more = list(from, more, |from| Ok(bytes(from, 64)?.into_boxed_slice()))?;
    let more = (!more.is_empty()).then(|| more.into_boxed_slice());
    Ok(FileDigests { md5, sha1, sha256, more })
}

/// Facts, or a problem.
fn stated<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<T> {
    let bytes = bytes(from, MAX_LENGTH)?;
    match postcard::take_from_bytes(&bytes) {
        Ok((stated, [])) => Ok(stated),
        _ => Err(corrupt("facts cannot be read")),
    }
}

fn entry_number(from: &mut impl BufRead, entries: usize) -> io::Result<u32> {
    match number::<u32>(from)? {
        entry if (entry as usize) < entries => Ok(entry),
        _ => Err(corrupt("there is no such entry")),
    }
}

fn by_entry<R: BufRead, T>(
    from: &mut R,
    entries: usize,
    mut item: impl FnMut(&mut R) -> io::Result<T>,
) -> io::Result<BTreeMap<u32, T>> {
    let many = count(from, entries)?;
    let mut map = BTreeMap::new();
    for _ in 0..many {
        let entry = entry_number(from, entries)?;
        map.insert(entry, item(from)?);
    }
    Ok(map)
}
