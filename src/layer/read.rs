//! One pass over a layer's tar. While one stretch of bytes is decompressed, the
//! stretch before it is hashed and analyzed on all cores; content is never copied
//! but for what an analyzer keeps.

use std::borrow::Cow;
use std::io::{self, Read};

use anyhow::{Context, Result};
use inscan_analyzers::{START_LEN, path};

use super::decompress::Blob;
use super::scan::{Entry, EntryKind, LayerScan, NONE, Span};
use super::segment::{Part, Pass, Piece, Progressing, Segment, Whole};
use super::tar::{self, BLOCK, Member, MemberKind, Unit};

/// Bytes decompressed at a time.
const SEGMENT: usize = 4 << 20;
/// Files up to this size are dealt with whole.
const SMALL: u64 = 1 << 20;
/// A header with all its records is never longer.
const MAX_HEADER: usize = 5 << 20;
/// Holes of sparse files are hashed as the zeros they stand for, up to this many.
const MAX_HOLES: u64 = 8 << 30;
/// Most entries of a layer: they are counted in 32 bits, and each takes memory.
const MAX_ENTRIES: usize = 50_000_000;

/// Reads one layer. `advance` is told how many stored bytes were read.
pub fn read<'a>(
    pass: &Pass<'_>,
    blob: Box<dyn Read + Send + 'a>,
    advance: Box<dyn Fn(u64) + Send + 'a>,
) -> Result<LayerScan> {
    let mut blob = Blob::new(blob, advance).context("could not read its first bytes")?;
    let compression = blob.compression;
    let mut walk = Walk::new(pass);
    let mut filling = Segment::default();
    let mut full = Segment::default();
    loop {
        let mut filled = Ok(false);
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| walk.progressing.process(&full));
            filled = fill(&mut blob, &mut filling);
        });
        let last = filled.with_context(|| {
            format!(
                "could not decompress it: broken after {} bytes",
                walk.offset + filling.bytes.len() as u64
            )
        })?;
        std::mem::swap(&mut filling, &mut full);
        let taken = walk.take(&mut full, last)?;
        if last {
            break;
        }
        filling.bytes.clear();
        filling.bytes.extend_from_slice(&full.bytes[taken..]);
        filling.fresh = filling.bytes.len();
        filling.whole.clear();
        filling.pieces.clear();
    }
    walk.progressing.process(&full);
    let tar_size = walk.offset + full.bytes.len() as u64;
    let mut scan = walk.progressing.finish();
    scan.compression = compression;
    scan.tar_size = tar_size;
    let (digest, size, remark) = blob.finish().context("could not read it to its end")?;
    scan.blob_digest = digest;
    scan.blob_size = size;
    scan.problems.extend(remark);
    Ok(scan)
}

/// Reads a stretch behind what the segment already holds; true at the end.
fn fill(blob: &mut Blob<'_>, segment: &mut Segment) -> io::Result<bool> {
    let start = segment.bytes.len();
    segment.bytes.resize(start + SEGMENT, 0);
    let mut end = start;
    let last = loop {
        if end == segment.bytes.len() {
            break false;
        }
        match blob.read(&mut segment.bytes[end..]) {
            Ok(0) => break true,
            Ok(count) => end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                segment.bytes.truncate(end);
                return Err(error);
            }
        }
    };
    segment.bytes.truncate(end);
    Ok(last)
}

/// Where in the tar the walk is.
struct Walk<'a> {
    progressing: Progressing<'a>,
    /// Where the current segment begins in the tar.
    offset: u64,
    at: At,
}

enum At {
    Header,
    /// Inside the content of a large file, or of something that is passed over.
    Content {
        large: Option<usize>,
        parts: Vec<Stretch>,
        stored: u64,
    },
    /// Padding behind a member's content.
    Padding(usize),
    /// Behind the end marker.
    End,
}

/// A stretch of a large file, stored or not; lists of them are in reverse.
enum Stretch {
    Stored(u64),
    Hole(u64),
}

impl<'a> Walk<'a> {
    fn new(pass: &'a Pass<'a>) -> Self {
        Walk { progressing: Progressing::new(pass), offset: 0, at: At::Header }
    }

    /// Finds what is in a segment, and how many of its bytes are dealt with.
    fn take(&mut self, segment: &mut Segment, last: bool) -> Result<usize> {
        let bytes = std::mem::take(&mut segment.bytes);
        let mut at = 0;
        while let Some(next) = self.step(&bytes, at, segment, last)? {
            at = next;
        }
        segment.bytes = bytes;
        if !last {
            self.offset += at as u64;
        }
        Ok(at)
    }

    /// One step from `at`; `None` when the bytes do not suffice for the next one.
    fn step(
        &mut self,
        bytes: &[u8],
        at: usize,
        segment: &mut Segment,
        last: bool,
    ) -> Result<Option<usize>> {
        match &mut self.at {
            At::End => Ok((at < bytes.len()).then_some(bytes.len())),
            At::Padding(length) => {
                let taken = (*length).min(bytes.len() - at);
                *length -= taken;
                if *length == 0 {
                    self.at = At::Header;
                } else if last {
                    // The padding of the last member may be missing, as Go's reader has it.
                    self.at = At::End;
                } else if taken == 0 {
                    return Ok(None);
                }
                Ok(Some(at + taken))
            }
            At::Content { large, parts, stored } => {
                let Some(stretch) = parts.last_mut() else {
                    if let Some(large) = *large {
                        segment.pieces.push(Piece { large, part: Part::End });
                    }
                    self.at = At::Padding(padding(*stored));
                    return Ok(Some(at));
                };
                let (part, taken) = match stretch {
                    Stretch::Hole(length) => (Part::Zeros(std::mem::take(length)), 0),
                    Stretch::Stored(length) => {
                        let taken = (*length).min((bytes.len() - at) as u64) as usize;
                        if taken == 0 && *length > 0 {
                            if last {
                                return Err(self.broken(at, "it ends in the middle of a file"));
                            }
                            return Ok(None);
                        }
                        *length -= taken as u64;
                        (Part::Bytes(at..at + taken), taken)
                    }
                };
                if matches!(stretch, Stretch::Hole(0) | Stretch::Stored(0)) {
                    parts.pop();
                }
                if let Some(large) = *large {
                    segment.pieces.push(Piece { large, part });
                }
                Ok(Some(at + taken))
            }
            At::Header => match tar::unit(&bytes[at..], self.offset + at as u64, last)? {
                Unit::Incomplete if bytes.len() - at > MAX_HEADER => {
                    Err(self.broken(at, "a header that does not end"))
                }
                Unit::Incomplete => Ok(None),
                Unit::End => {
                    self.at = At::End;
                    Ok(Some(at))
                }
                Unit::Global { length } => Ok(Some(self.go_to(at + length, bytes.len()))),
                Unit::Member { member, length } => {
                    self.member(member, bytes, at + length, segment, last)
                }
            },
        }
    }

    /// The member whose content begins at `content`.
    fn member(
        &mut self,
        member: Member<'_>,
        bytes: &[u8],
        content: usize,
        segment: &mut Segment,
        last: bool,
    ) -> Result<Option<usize>> {
        let available = (bytes.len() as u64).saturating_sub(content as u64);
        let is_small = member.stored <= SMALL && member.sparse.is_none();
        let needed = if is_small { member.stored } else { member.stored.min(START_LEN as u64) };
        if available < needed {
            if last {
                let path = member.path.escape_ascii();
                let message = format!("it ends in the middle of the file `{path}`");
                return Err(self.broken(content, &message));
            }
            return Ok(None);
        }
        let Some(entry) = self.entry(&member, content)? else {
            self.at = At::Content {
                large: None,
                parts: vec![Stretch::Stored(member.stored)],
                stored: member.stored,
            };
            return Ok(Some(content));
        };
        if member.kind != MemberKind::File {
            return Ok(Some(self.go_to(content, bytes.len())));
        }
        if is_small {
            let end = content + member.stored as usize;
            segment.whole.push(Whole { entry, content: content..end });
            return Ok(Some(self.go_to(end + padding(member.stored), bytes.len())));
        }
        let start = match member.sparse {
            None => &bytes[content..content + needed as usize],
            // What stands at the beginning may be a hole; nobody looks for a sparse file by its first bytes.
            Some(_) => &[],
        };
        let large = self.progressing.begin_large(entry, start);
        self.at =
            At::Content { large: Some(large), parts: stretches(&member), stored: member.stored };
        Ok(Some(content))
    }

    /// The header that begins at `next`, which may lie beyond the segment.
    fn go_to(&mut self, next: usize, length: usize) -> usize {
        if next > length {
            self.at = At::Padding(next - length);
        }
        next.min(length)
    }

    /// Puts a member into the index. `None`: it is passed over, and a problem says so.
    fn entry(&mut self, member: &Member<'_>, content: usize) -> Result<Option<u32>> {
        let offset = self.offset + content as u64;
        let scan = &mut self.progressing.scan;
        let shown = || member.path.escape_ascii();
        let kind = match member.kind {
            MemberKind::File => EntryKind::File,
            MemberKind::HardLink => EntryKind::HardLink,
            MemberKind::Symlink => EntryKind::Symlink,
            MemberKind::CharDevice => EntryKind::CharDevice,
            MemberKind::BlockDevice => EntryKind::BlockDevice,
            MemberKind::Directory => EntryKind::Directory,
            MemberKind::Fifo => EntryKind::Fifo,
            MemberKind::Other(flag) => {
                let flag = flag.escape_ascii();
                scan.problems.push(format!(
                    "`{}` (at offset {offset}) is of the unknown type `{flag}`: passed over",
                    shown()
                ));
                return Ok(None);
            }
        };
        let holes = member.size.saturating_sub(member.stored);
        if holes > MAX_HOLES {
            scan.problems.push(format!(
                "`{}` (at offset {offset}) is a sparse file of {} bytes with {holes} in holes: its content was not read",
                shown(), member.size
            ));
            return Ok(None);
        }
        let (name, escapes) = clean(&member.path);
        if escapes {
            scan.problems.push(format!(
                "`{}` (at offset {offset}) leads out of the image: taken as `{}`",
                shown(),
                name.escape_ascii()
            ));
        }
        if scan.entries.len() >= MAX_ENTRIES {
            return Err(self.broken(content, &format!("more than {MAX_ENTRIES} entries")));
        }
        let id = scan.entries.len() as u32;
        let digests = match kind {
            EntryKind::File => {
                scan.digests.push(Default::default());
                scan.digests.len() as u32 - 1
            }
            _ => NONE,
        };
        let link = match kind {
            EntryKind::HardLink => clean(&member.link).0,
            EntryKind::Symlink => Cow::Borrowed(&member.link[..]),
            _ => Cow::Borrowed(&[][..]),
        };
        let (name, link) = (span(&mut scan.names, &name), span(&mut scan.names, &link));
        let (Some(name), Some(link)) = (name, link) else {
            return Err(self.broken(content, "more than 4 GiB of names"));
        };
        let (uid, gid) = (owner(member.uid), owner(member.gid));
        scan.entries.push(Entry {
            name,
            link,
            kind,
            mode: member.mode,
            uid,
            gid,
            size: member.size,
            digests,
        });
        if let Some(capability) = &member.capability {
            scan.capabilities.insert(id, capability.clone());
        }
        Ok(Some(id))
    }

    fn broken(&self, at: usize, message: &str) -> anyhow::Error {
        tar::Broken { offset: self.offset + at as u64, message: message.to_owned() }.into()
    }
}

/// Linux has 32 bits for them; a forged larger one becomes the largest.
fn owner(id: u64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

fn span(names: &mut Vec<u8>, bytes: &[u8]) -> Option<Span> {
    let start = u32::try_from(names.len()).ok()?;
    let len = u32::try_from(bytes.len()).ok()?;
    start.checked_add(len)?;
    names.extend_from_slice(bytes);
    Some(Span { start, len })
}

fn padding(stored: u64) -> usize {
    (stored.next_multiple_of(BLOCK as u64) - stored) as usize
}

/// The stretches of a large file, last first.
fn stretches(member: &Member<'_>) -> Vec<Stretch> {
    let Some(fragments) = &member.sparse else { return vec![Stretch::Stored(member.stored)] };
    let mut stretches = Vec::new();
    let mut end = 0;
    for &(offset, length) in fragments {
        stretches.push(Stretch::Hole(offset - end));
        stretches.push(Stretch::Stored(length));
        end = offset + length;
    }
    stretches.push(Stretch::Hole(member.size - end));
    stretches.reverse();
    stretches
}

/// A path as it is in the image: no leading or double slash, no `.`, and `..`
/// taken by its meaning; whether it led out of the root, where it stops.
pub(super) fn clean(path: &[u8]) -> (Cow<'_, [u8]>, bool) {
    let mut trimmed = path;
    while let Some(rest) = trimmed.strip_prefix(b"/").or(trimmed.strip_prefix(b"./")) {
        trimmed = rest;
    }
    while let Some(rest) = trimmed.strip_suffix(b"/") {
        trimmed = rest;
    }
    let is_clean =
        trimmed.split(|&byte| byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."));
    if is_clean || trimmed.is_empty() {
        return (Cow::Borrowed(trimmed), false);
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut escapes = false;
    for part in path::parts(path) {
        if part == b".." {
            escapes |= parts.pop().is_none();
        } else {
            parts.push(part);
        }
    }
    (Cow::Owned(parts.join(&b'/')), escapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_clean(path: &str, expected: &str, escapes: bool) {
        assert_eq!(clean(path.as_bytes()), (Cow::Borrowed(expected.as_bytes()), escapes));
    }

    #[test]
    fn paths_are_cleaned() {
        check_clean("usr/bin/env", "usr/bin/env", false);
        check_clean("./usr/bin/", "usr/bin", false);
        check_clean("/etc", "etc", false);
        check_clean("./", "", false);
        check_clean(".", "", false);
        check_clean("a//b/./c", "a/b/c", false);
        check_clean("a/../b", "b", false);
        check_clean("../../tmp/x", "tmp/x", true);
        check_clean("a./b..c", "a./b..c", false);
        check_clean("..", "", true);
    }
}
