//! One pass over a layer's tar. While one stretch of bytes is decompressed, the
//! stretch before it is hashed and analyzed on all cores; content is never copied
//! but for what an analyzer keeps.

use std::borrow::Cow;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use inscan_analyzers::START_LEN;
use inscan_facts::digest::BlobHash;
use inscan_facts::path;
use inscan_tar::{self as tar, Found, Kind, Limits};

use super::decompress::{Blob, Finished};
use super::remarks::{Remarks, TOO_MANY_HOLES, place, shown};
use super::scan::{EntryKind, LayerScan, MAX_ENTRIES, New};
use super::screen::Screen;
use super::segment::{LargeFile, Part, Pass, Piece, Progressing, Segment, Whole};
use super::{SEGMENT, SMALL};
use crate::fault;
use crate::timings::LayerTimes;

/// `security.capability` has at most 24 bytes; anything longer is no capability.
pub(crate) const MAX_CAPABILITY_BYTES: usize = 256;
/// Longest path: Linux has no longer ones, and so no engine unpacks them.
const MAX_PATH: usize = 4096;
/// What a layer may ask for.
pub(super) const LIMITS: Limits = Limits {
    entries: MAX_ENTRIES as u64,
    name: MAX_PATH,
    // A name of 255 bytes behind `.wh.`: that takes away a file of the longest name.
    part: 255 + 4,
    link: MAX_PATH,
    fragments: 1 << 16,
    ..Limits::GO
};

/// Reads one layer. `advance` is told how many stored bytes were read.
pub fn read<'a>(
    pass: &Pass<'_>,
    blob: Box<dyn Read + Send + 'a>,
    advance: Box<dyn Fn(u64) + Send + 'a>,
) -> Result<LayerScan> {
    let beside = Beside::default();
    read_timed(pass, blob, beside, advance, &|bytes| bytes, &mut LayerTimes::default())
}

/// Digests of sha512 that are taken beside those of sha256: of the blob as it is stored, and of its tar.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) blob: Option<BlobHash>,
    pub(super) tar: Option<BlobHash>,
}

/// As [`read`], and says where the time went. `stored` says how many bytes of the image so many of
/// the layer's are: fewer, where they come out of an archive that is compressed itself.
pub(super) fn read_timed<'a>(
    pass: &Pass<'_>,
    blob: Box<dyn Read + Send + 'a>,
    beside: Beside,
    advance: Box<dyn Fn(u64) + Send + 'a>,
    stored: &dyn Fn(u64) -> u64,
    times: &mut LayerTimes,
) -> Result<LayerScan> {
    let begun = Instant::now();
    // With the waiting, which is known at the end.
    let mut decode = Duration::ZERO;
    let mut blob =
        Blob::hashed(blob, beside.blob, advance).context("could not read its first bytes")?;
    let compression = blob.compression;
    let mut walk = Walk::new(pass);
    walk.progressing.scan.compression = compression;
    walk.progressing.sha512 = beside.tar;
    let mut screen = Screen::new(pass.malware.as_ref());
    let mut filling = Segment::default();
    let mut full = Segment::default();
    loop {
        let mut filled = Ok(false);
        let mut sent = Ok(());
        pass.threads.scope(|scope| {
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
        let unpacked = walk.offset + full.end as u64;
        walk.progressing.count(unpacked, stored(blob.stored()))?;
        if last {
            break;
        }
        filling.restart(&full.used()[taken..]);
    }
    timed(&mut times.work, || walk.progressing.process(&full));
    screen.send(&full).context("could not look for malware")?;
    let tar_size = walk.offset + full.end as u64;
    walk.progressing.count(tar_size, stored(blob.stored()))?;
    let mut scan = walk.finish();
    screen.finish(&mut scan)?;
    scan.tar_size = tar_size;
    let finished = timed(&mut decode, || blob.finish());
    let Finished { digest, sha512, size, remark, waited } =
        finished.context("could not read it to its end")?;
    (scan.blob_digest, scan.sha512.blob) = (digest, sha512);
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

/// The layer's tar as far as it was walked.
struct Walk<'a> {
    progressing: Progressing<'a>,
    tar: tar::Walk,
    at: At,
    /// Where the current segment begins in the tar.
    offset: u64,
    remarks: Remarks,
}

/// Where in the tar the walk is.
#[derive(Clone, Copy)]
enum At {
    /// Between two entries.
    Header,
    /// Behind an entry's header; nothing was done with it yet.
    Entry,
    /// Inside the content of a large file, or of something that is skipped.
    Content(Option<LargeFile>),
    /// Behind the end marker.
    End,
}

impl<'a> Walk<'a> {
    fn new(pass: &'a Pass<'a>) -> Self {
        Walk {
            progressing: Progressing::new(pass),
            tar: tar::Walk::new(LIMITS),
            at: At::Header,
            offset: 0,
            remarks: Remarks::default(),
        }
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
        match self.at {
            At::End => Ok((at < bytes.len()).then_some(bytes.len())),
            At::Header => {
                let (taken, found) = self.tar.header(&bytes[at..], last)?;
                self.at = match found {
                    Found::Needs(_) if taken == 0 => return Ok(None),
                    Found::Needs(_) => At::Header,
                    Found::Entry => At::Entry,
                    Found::End => At::End,
                };
                Ok(Some(at + taken))
            }
            At::Entry => self.entry(bytes, at, segment, last),
            At::Content(large) => self.content(bytes, at, segment, last, large),
        }
    }

    /// The entry whose content begins at `at`.
    fn entry(
        &mut self,
        bytes: &[u8],
        at: usize,
        segment: &mut Segment,
        last: bool,
    ) -> Result<Option<usize>> {
        let entry = self.tar.entry();
        let (stored, is_sparse) = (entry.stored, entry.is_sparse);
        let is_small = stored <= SMALL && !is_sparse;
        let needed = if is_small { stored } else { stored.min(START_LEN as u64) };
        if ((bytes.len() - at) as u64) < needed {
            return if last { Err(self.cut()) } else { Ok(None) };
        }
        let kind = entry.kind;
        let id = self.index()?;
        let (Some(id), Kind::File) = (id, kind) else {
            self.at = At::Content(None);
            return Ok(Some(at));
        };
        if is_small {
            let end = at + stored as usize;
            segment.whole.push(Whole { entry: id, content: at..end });
            self.tar.skip_content();
            self.at = At::Header;
            return Ok(Some(end));
        }
        // What stands at the beginning may be a hole; nobody looks for a sparse file by its first bytes.
        let start = if is_sparse { &[] } else { &bytes[at..at + needed as usize] };
        self.at = At::Content(Some(self.progressing.begin_large(id, start)));
        Ok(Some(at))
    }

    /// The next piece of a content.
    fn content(
        &mut self,
        bytes: &[u8],
        at: usize,
        segment: &mut Segment,
        last: bool,
        large: Option<LargeFile>,
    ) -> Result<Option<usize>> {
        let (part, length, taken) = match self.tar.piece() {
            None => {
                self.at = At::Header;
                (Part::End, 0, 0)
            }
            Some(tar::Piece::Hole(length)) => (Part::Zeros(length), length, 0),
            Some(tar::Piece::Stored(length)) => {
                let taken = length.min((bytes.len() - at) as u64) as usize;
                if taken == 0 {
                    return if last { Err(self.cut()) } else { Ok(None) };
                }
                (Part::Bytes(at..at + taken), taken as u64, taken)
            }
        };
        self.tar.advance(length);
        segment.pieces.extend(large.map(|large| Piece { large, part }));
        Ok(Some(at + taken))
    }

    /// Puts the entry into the index. `None`: it is skipped, and a problem says so.
    fn index(&mut self) -> Result<Option<u32>> {
        let Walk { progressing, tar, remarks, .. } = self;
        let entry = tar.entry();
        let Some(kind) = kind(entry.kind) else {
            remarks.skipped(&mut progressing.scan, entry);
            return Ok(None);
        };
        let (name, escapes) = clean(&entry.name);
        if escapes {
            remarks.escape(&mut progressing.scan, entry, &name);
        }
        let link = match kind {
            EntryKind::HardLink => clean(&entry.link).0,
            EntryKind::Symlink => Cow::Borrowed(&entry.link[..]),
            _ => Cow::Borrowed(&[][..]),
        };
        let is_file = kind == EntryKind::File;
        let is_read = !is_file || progressing.take_holes(entry.size - entry.stored);
        let scan = &mut progressing.scan;
        let new = New {
            path: &name,
            link: &link,
            kind,
            mode: (entry.mode & 0o7777) as u16,
            uid: owner(entry.uid),
            gid: owner(entry.gid),
            size: entry.size,
            has_content: is_file && is_read,
        };
        let Some(id) = scan.add(&new) else {
            let message = "too many entries, or names too long, for one layer";
            return Err(fault::over_limit(format!(
                "{message} (at offset {})",
                entry.header_offset
            )));
        };
        if let Some(capability) = entry.xattr(b"security.capability")
            && capability.len() <= MAX_CAPABILITY_BYTES
        {
            scan.capabilities.insert(id, capability.to_vec());
        }
        if !is_read {
            remarks.too_many_holes(scan, &place(entry), entry.size, entry.size - entry.stored);
            progressing.skip(id, TOO_MANY_HOLES);
            return Ok(None);
        }
        Ok(Some(id))
    }

    fn finish(mut self) -> LayerScan {
        self.remarks.finish(&mut self.progressing.scan);
        self.progressing.finish()
    }

    fn cut(&self) -> anyhow::Error {
        let message = format!("could not read the file `{}`", shown(&self.tar.entry().name));
        anyhow::Error::from(self.tar.cut()).context(message)
    }
}

/// `None`: it is no file of the image.
fn kind(kind: Kind) -> Option<EntryKind> {
    Some(match kind {
        Kind::File => EntryKind::File,
        Kind::HardLink => EntryKind::HardLink,
        Kind::Symlink => EntryKind::Symlink,
        Kind::CharDevice => EntryKind::CharDevice,
        Kind::BlockDevice => EntryKind::BlockDevice,
        Kind::Directory => EntryKind::Directory,
        Kind::Fifo => EntryKind::Fifo,
        Kind::Global | Kind::Other(_) => return None,
    })
}

/// As the kernel takes what engines hand to it: 32 bits of it, all ones for "leave it", which is
/// root's then.
fn owner(id: i64) -> u32 {
    match id as u32 {
        u32::MAX => 0,
        id => id,
    }
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

    use crate::layer::Compression;
    use crate::layer::segment::LONG;
    use crate::layer::testing::{Directory, File, HardLink, Symlink, scan, tar};
    use inscan_facts::digest::{Sha256, hex};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Files of every size that is treated apart, seen through their digests.
    fn mixed() -> Vec<u8> {
        let small = SMALL as usize;
        let sizes = [0, 1, 511, 512, 513, LONG - 1, LONG, LONG + 9, small, small + 1, SEGMENT + 77];
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
            assert_eq!(scan.problems, []);
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
                    let others = inscan_hash::of_each(&[&content])[0];
                    assert_eq!((digests.md5, digests.sha1), (others.md5, others.sha1));
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
        // The header of `a`, its content and padding, the same of `b`, and the two blocks of the
        // end marker. Go's reader takes none, one or both of them, and no part of one.
        let ends_well = |cut| matches!(cut, 0 | 1112..=1536 | 2049..=2560 | 3072 | 3584..);
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

    /// An old GNU sparse file of so many bytes, in octal: half a KiB of sevens at 1 KiB.
    fn sparse(size: &[u8; 12]) -> Vec<u8> {
        let mut header = ::tar::Header::new_gnu();
        header.set_path("s").unwrap();
        header.set_size(512);
        header.set_entry_type(::tar::EntryType::GNUSparse);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.sparse[0].offset.copy_from_slice(b"00000002000\0");
        gnu.sparse[0].numbytes.copy_from_slice(b"00000001000\0");
        gnu.realsize.copy_from_slice(size);
        header.set_cksum();
        [header.as_bytes(), &[7; 512][..], &[0; 1024]].concat()
    }

    #[test]
    fn holes_of_sparse_files_count_as_zeros() {
        let mut expected = vec![0; 0o10000000];
        expected[1024..1536].fill(7);
        let scan = scan(&sparse(b"00010000000\0")).unwrap();
        let digests = scan.digests(&scan.entries[0]).unwrap();
        assert_eq!(scan.entries[0].size, expected.len() as u64);
        assert_eq!(hex(&digests.sha256), Sha256::of(&expected).hex());
    }

    #[test]
    fn a_sparse_file_with_too_much_in_holes_is_listed_and_not_read() {
        let scan = scan(&sparse(b"77777777777\0")).unwrap();
        assert_eq!(scan.path(&scan.entries[0]), b"s");
        assert_eq!(scan.digests(&scan.entries[0]), None);
        let problem = &scan.problems[0];
        assert!(problem.message.contains("its content was not read"), "{problem:?}");
    }

    #[test]
    fn owners_are_what_the_kernel_makes_of_them() {
        assert_eq!([0, 1000, -2, (1 << 32) + 5, -1].map(owner), [0, 1000, u32::MAX - 1, 5, 0]);
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
