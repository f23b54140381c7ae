//! One pass over a layer's tar. While one stretch of bytes is decompressed, the
//! stretch before it is hashed and analyzed on all cores; content is never copied
//! but for what an analyzer keeps.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use inscan_analyzers::{START_LEN, path};

use super::decompress::{Blob, Finished};
use super::scan::{EntryKind, LayerScan, New};
use super::screen::Screen;
use super::segment::{LargeFile, Part, Pass, Piece, Progressing, Segment, Whole};
use super::tar::{self, BLOCK, Member, MemberKind, Unit};
use super::{SEGMENT, SMALL};
use crate::timings::LayerTimes;

/// A header with all its records is never longer.
const MAX_HEADER: usize = 5 << 20;
/// Holes of sparse files are hashed as the zeros they stand for, up to this many.
const MAX_HOLES: u64 = 8 << 30;

/// Reads one layer. `advance` is told how many stored bytes were read.
pub fn read<'a>(
    pass: &Pass<'_>,
    blob: Box<dyn Read + Send + 'a>,
    advance: Box<dyn Fn(u64) + Send + 'a>,
) -> Result<LayerScan> {
    read_timed(pass, blob, advance, &mut LayerTimes::default())
}

/// As [`read`], and says where the time went.
pub(super) fn read_timed<'a>(
    pass: &Pass<'_>,
    blob: Box<dyn Read + Send + 'a>,
    advance: Box<dyn Fn(u64) + Send + 'a>,
    times: &mut LayerTimes,
) -> Result<LayerScan> {
    let begun = Instant::now();
    // With the waiting, which is known at the end.
    let mut decode = Duration::ZERO;
    let mut blob = Blob::new(blob, advance).context("could not read its first bytes")?;
    let compression = blob.compression;
    let mut walk = Walk::new(pass);
    let mut screen = Screen::new(pass.malware.as_ref());
    let mut filling = Segment::default();
    let mut full = Segment::default();
    loop {
        let mut filled = Ok(false);
        let mut sent = Ok(());
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| timed(&mut times.work, || walk.progressing.process(&full)));
            filled = timed(&mut decode, || fill(&mut blob, &mut filling));
            sent = screen.send(&full);
        });
        let last = filled.with_context(|| {
            format!(
                "could not decompress it: broken after {} bytes",
                walk.offset + filling.end as u64
            )
        })?;
        sent.context("could not look for malware")?;
        std::mem::swap(&mut filling, &mut full);
        let taken = walk.take(&mut full, last)?;
        if last {
            break;
        }
        filling.restart(&full.used()[taken..]);
    }
    timed(&mut times.work, || walk.progressing.process(&full));
    screen.send(&full).context("could not look for malware")?;
    let tar_size = walk.offset + full.end as u64;
    let mut scan = walk.progressing.finish();
    screen.finish(&mut scan)?;
    scan.compression = compression;
    scan.tar_size = tar_size;
    let finished = timed(&mut decode, || blob.finish());
    let Finished { digest, size, remark, waited } =
        finished.context("could not read it to its end")?;
    scan.blob_digest = digest;
    scan.blob_size = size;
    scan.blob_remark = remark;
    (times.size, times.wait) = (size, waited);
    times.decode = decode.saturating_sub(waited);
    times.total = begun.elapsed();
    Ok(scan)
}

fn timed<T>(time: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    *time += begun.elapsed();
    done
}

/// Reads a stretch behind what the segment already holds; true at the end.
fn fill(blob: &mut Blob<'_>, segment: &mut Segment) -> io::Result<bool> {
    let room = segment.room(SEGMENT);
    let mut count = 0;
    let last = loop {
        if count == room.len() {
            break Ok(false);
        }
        match blob.read(&mut room[count..]) {
            Ok(0) => break Ok(true),
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    segment.end += count;
    last
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
        large: Option<LargeFile>,
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
        while let Some(next) = self.step(&bytes[..segment.end], at, segment, last)? {
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
        let link = match kind {
            EntryKind::HardLink => clean(&member.link).0,
            EntryKind::Symlink => Cow::Borrowed(&member.link[..]),
            _ => Cow::Borrowed(&[][..]),
        };
        let new = New {
            path: &name,
            link: &link,
            kind,
            mode: member.mode,
            uid: owner(member.uid),
            gid: owner(member.gid),
            size: member.size,
            has_content: kind == EntryKind::File,
        };
        let Some(id) = scan.add(&new) else {
            return Err(self.broken(content, "too many entries, or names too long, for one layer"));
        };
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

    use crate::digest::{Sha256, hex};
    use crate::layer::Compression;
    use crate::layer::testing::{Directory, File, HardLink, Symlink, scan, tar};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Files of every size that is treated apart, seen through their digests.
    fn mixed() -> Vec<u8> {
        let sizes = [0, 1, 511, 512, 513, SMALL as usize, SMALL as usize + 1, SEGMENT + 77];
        let contents = sizes.map(|size| (0..size).map(|i| (i * 7 / 5) as u8).collect::<Vec<_>>());
        let names: Vec<_> = sizes.iter().map(|size| format!("d/{size}")).collect();
        let mut entries = vec![Directory("d"), Symlink("s", "d/1"), HardLink("h", "d/1")];
        for _ in 0..5 {
            entries.extend(names.iter().zip(&contents).map(|(name, content)| File(name, content)));
        }
        tar(&entries)
    }

    #[test]
    fn every_compression_gives_the_same_entries_and_digests() {
        let tar = mixed();
        let (first, second) = tar.split_at(tar.len() / 3);
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..]].concat();
        let zstd = zstd::encode_all(&tar[..], 1).unwrap();
        let blobs = [
            (Compression::None, tar.clone()),
            (Compression::Gzip, gzip(&tar)),
            (Compression::Gzip, [gzip(first), gzip(second)].concat()),
            (Compression::Zstd, zstd.clone()),
            (Compression::Zstd, [skippable.clone(), zstd, skippable].concat()),
        ];
        for (compression, blob) in blobs {
            let scan = scan(&blob).unwrap();
            assert_eq!(scan.compression, compression);
            assert_eq!(scan.diff_id, Sha256::of(&tar));
            assert_eq!((scan.blob_digest, scan.blob_size), (Sha256::of(&blob), blob.len() as u64));
            assert_eq!(scan.tar_size, tar.len() as u64);
            assert_eq!(scan.problems, [""; 0]);
            let mut archive = ::tar::Archive::new(&tar[..]);
            for (theirs, ours) in archive.entries().unwrap().zip(&scan.entries) {
                let mut theirs = theirs.unwrap();
                assert_eq!(theirs.path_bytes(), scan.path(ours));
                let mut content = Vec::new();
                theirs.read_to_end(&mut content).unwrap();
                let digests = scan.digests(ours);
                assert_eq!(digests.is_some(), ours.kind == EntryKind::File);
                if let Some(digests) = digests {
                    assert_eq!(hex(&digests.sha256), Sha256::of(&content).hex());
                }
            }
        }
    }

    #[test]
    fn what_follows_the_compressed_data_is_a_problem_and_zeros_are_not_read_as_tar() {
        let tar = tar(&[File("a", b"1")]);
        let scan = scan(&[gzip(&tar), b"trailing".to_vec()].concat()).unwrap();
        assert_eq!(scan.entries.len(), 1);
        let remark = "bytes that are not gzip follow its compressed data";
        assert_eq!(scan.blob_remark.as_deref(), Some(remark));
    }

    #[test]
    fn a_layer_cut_anywhere_is_an_error_or_ends_between_members() {
        let tar = tar(&[File("a", &[b'x'; 600]), File("b", b"1")]);
        // The header of `a`, its content and padding, the same of `b`, and the end marker.
        let ends_well = |cut| matches!(cut, 0 | 1112..=1536 | 2049..=2560 | 3072..);
        for cut in (0..tar.len()).filter(|cut| cut % 512 < 2 || cut % 97 == 0) {
            assert_eq!(scan(&tar[..cut]).is_ok(), ends_well(cut), "cut at {cut}");
        }
        let gzipped = gzip(&tar);
        for cut in 1..gzipped.len() {
            assert!(scan(&gzipped[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn an_unsupported_compression_is_named() {
        let error = scan(b"BZh91AY&SY").err().map(|error| format!("{error:#}")).unwrap();
        assert!(error.contains("compressed with bzip2"), "{error}");
    }

    #[test]
    fn holes_of_sparse_files_count_as_zeros() {
        let mut header = ::tar::Header::new_gnu();
        header.set_path("s").unwrap();
        header.set_size(512);
        header.set_entry_type(::tar::EntryType::GNUSparse);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.sparse[0].offset.copy_from_slice(b"00000002000\0");
        gnu.sparse[0].numbytes.copy_from_slice(b"00000001000\0");
        gnu.realsize.copy_from_slice(b"00010000000\0");
        header.set_cksum();
        let tar = [header.as_bytes(), &[7; 512][..], &[0; 1024]].concat();
        let mut expected = vec![0; 0o10000000];
        expected[1024..1536].fill(7);
        let scan = scan(&tar).unwrap();
        let digests = scan.digests(&scan.entries[0]).unwrap();
        assert_eq!(scan.entries[0].size, expected.len() as u64);
        assert_eq!(hex(&digests.sha256), Sha256::of(&expected).hex());
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
