//! Members of a zip archive, read without unpacking the others.
//!
//! A zip ends with a central directory that names every member and says where
//! its bytes begin; only this directory and the members asked for are read.
//! Bytes before the archive (the shell script of an executable jar) are
//! skipped. Format: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.

use std::cell::RefCell;
use std::io;

use bstr::BString;
use flate2::{Decompress, FlushDecompress, Status};

use inscan_facts::content::Content;
use inscan_facts::format::{Error, Result};
use inscan_facts::window::{Window, read_exact_at};

/// Some 400,000 members. The directory is held in memory.
const MAX_DIRECTORY: u64 = 64 << 20;
const END_LEN: u64 = 22;
const MAX_COMMENT: u64 = 0xffff;

/// An open archive: its directory is in memory, the bytes of members are not.
pub struct Zip<'a> {
    content: &'a dyn Content,
    /// In the order of the directory; of two with one name both.
    pub members: Vec<Member>,
}

/// One file or directory of an archive.
#[derive(Debug)]
pub struct Member {
    /// As the archive writes it, with `/` between directories; directories end with it.
    pub name: BString,
    /// In bytes, as the directory states it: it may lie.
    pub size: u64,
    compressed: u64,
    header: u64,
    method: u16,
    encrypted: bool,
    /// Shares its bytes with another member: the mark of a zip bomb.
    overlaps: bool,
}

/// The bytes of a member: where they lie if it is stored, or inflated.
pub enum Data<'a> {
    /// The bytes lie in the archive as they are.
    Stored(Window<'a>),
    /// They were compressed.
    Inflated(Vec<u8>),
}

/// Where the central directory is.
struct Directory {
    offset: u64,
    size: u64,
    /// Bytes before the archive: added to every stated offset.
    prefix: u64,
}

impl<'a> Zip<'a> {
    /// Reads the directory.
    ///
    /// # Errors
    ///
    /// If the content is not a zip archive, or its directory is damaged or larger than
    /// 64 MiB.
    pub fn open(content: &'a dyn Content) -> Result<Self> {
        let directory = find_directory(content)?;
        if directory.size > MAX_DIRECTORY {
            let message = "zip directory larger than 64 MiB";
            return Err(Error::at_offset(directory.offset, message).read_by_others());
        }
        let bytes = read_exact_at(content, directory.offset, directory.size)?;
        let mut members = parse_directory(&bytes, &directory)?;
        mark_overlaps(&mut members);
        Ok(Zip { content, members })
    }

    /// A member's content, inflated.
    ///
    /// # Errors
    ///
    /// If it is larger than `limit` bytes, encrypted, damaged, shares its bytes with
    /// another member, or is compressed by another method than deflate.
    pub fn read(&self, member: &Member, limit: u64) -> Result<Vec<u8>> {
        match self.data(member, limit)? {
            Data::Inflated(bytes) => Ok(bytes),
            Data::Stored(window) if window.len() > limit => Err(too_large(member, limit)),
            Data::Stored(window) => Ok(window.bytes()?.into_owned()),
        }
    }

    /// A member's bytes. The limit, in bytes, holds for deflated members only.
    ///
    /// # Errors
    ///
    /// As for [`read`](Zip::read).
    pub fn data(&self, member: &Member, limit: u64) -> Result<Data<'a>> {
        let window = self.readable(member)?;
        match member.method {
            0 => Ok(Data::Stored(window)),
            _ => inflate(&window, member, limit).map(Data::Inflated),
        }
    }

    /// Where its bytes lie, if they can be read.
    fn readable(&self, member: &Member) -> Result<Window<'a>> {
        if member.encrypted {
            return Err(Error::new(format!("member `{}` is encrypted", member.name)));
        }
        if member.overlaps {
            let message = format!("member `{}` shares its bytes with another", member.name);
            return Err(Error::at_offset(member.header, message).read_by_others());
        }
        if !matches!(member.method, 0 | 8) {
            let (name, method) = (&member.name, member.method);
            return Err(Error::new(format!("member `{name}` has compression method `{method}`")));
        }
        self.window(member)
    }

    /// A member's first bytes: `limit` of them, or all that it has.
    ///
    /// # Errors
    ///
    /// As for [`read`](Zip::read), but for its size.
    pub fn start(&self, member: &Member, limit: u64) -> Result<Vec<u8>> {
        let window = self.readable(member)?;
        match member.method {
            0 => {
                let len = window.len().min(limit);
                read_exact_at(&window, 0, len)
            }
            _ => {
                let mut bytes = inflate_up_to(&window, member, limit)?;
                bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(bytes)
            }
        }
    }

    /// Whether nobody can read it who has not the password, or another program.
    pub fn is_closed(&self, member: &Member) -> bool {
        member.encrypted || !matches!(member.method, 0 | 8)
    }

    fn window(&self, member: &Member) -> Result<Window<'a>> {
        let header = read_exact_at(self.content, member.header, 30)?;
        if !header.starts_with(b"PK\x03\x04") {
            let message = format!("no zip header for member `{}`", member.name);
            return Err(Error::at_offset(member.header, message));
        }
        let names = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        let start = member.header.saturating_add(30 + names);
        Window::new(self.content, start, member.compressed).ok_or_else(|| {
            Error::at_offset(start, format!("member `{}` ends beyond the archive", member.name))
        })
    }
}

/// Up to one byte more than the limit.
fn inflate_up_to(window: &Window<'_>, member: &Member, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    INFLATING.with_borrow_mut(|inflating| inflating.whole(window, limit, &mut bytes)).map_err(
        |error| Error::new(format!("could not inflate member `{}`: {error}", member.name)),
    )?;
    Ok(bytes)
}

fn inflate(window: &Window<'_>, member: &Member, limit: u64) -> Result<Vec<u8>> {
    let bytes = inflate_up_to(window, member, limit)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(member, limit));
    }
    Ok(bytes)
}

/// What inflating needs, kept for the next member: an archive may have a hundred thousand, and
/// as many large pieces of memory between small ones that stay leave holes that nobody fills.
struct Inflating {
    state: Decompress,
    input: Vec<u8>,
}

thread_local! {
    static INFLATING: RefCell<Inflating> =
        RefCell::new(Inflating { state: Decompress::new(false), input: vec![0; 32 << 10] });
}

impl Inflating {
    /// Up to one byte more than the limit. What is cut off is given as far as it goes.
    fn whole(&mut self, window: &Window<'_>, limit: u64, to: &mut Vec<u8>) -> io::Result<()> {
        self.state.reset(false);
        let mut stored = window.len();
        let mut input = 0..0;
        loop {
            if input.is_empty() && stored > 0 {
                // Of a beginning, no more is read than it may take.
                let most = usize::try_from(limit.saturating_add(64)).unwrap_or(usize::MAX);
                let room = most.clamp(256, self.input.len());
                let read = window.read_at(window.len() - stored, &mut self.input[..room])?;
                // A content may be shorter than it says.
                stored = if read == 0 { 0 } else { stored - read as u64 };
                input = 0..read;
            }
            let room = (limit + 1).saturating_sub(to.len() as u64);
            if room == 0 {
                return Ok(());
            }
            if to.len() == to.capacity() {
                to.reserve(to.len().clamp(256, 1 << 20).min(usize::try_from(room).unwrap_or(256)));
            }
            let (before, length) = (self.state.total_in(), to.len());
            let flush = FlushDecompress::None;
            let status = self.state.decompress_vec(&self.input[input.clone()], to, flush)?;
            input.start += (self.state.total_in() - before) as usize;
            let is_stuck = input.is_empty() && stored == 0 && to.len() == length;
            if status == Status::StreamEnd || is_stuck {
                return Ok(());
            }
        }
    }
}

fn too_large(member: &Member, limit: u64) -> Error {
    Error::over_limit(format!("member `{}` is larger than the limit of {limit} bytes", member.name))
}

fn find_directory(content: &dyn Content) -> Result<Directory> {
    let no_end = || Error::new("not a zip archive: it has no end record");
    let tail_len = content.len().min(END_LEN + MAX_COMMENT);
    let tail_start = content.len() - tail_len;
    let tail = read_exact_at(content, tail_start, tail_len)?;
    let end = (0..=tail.len().checked_sub(END_LEN as usize).ok_or_else(no_end)?)
        .rev()
        .find(|&at| tail[at..].starts_with(b"PK\x05\x06"))
        .ok_or_else(no_end)?;
    let record = &tail[end..];
    let is_at_end = END_LEN as usize + usize::from(u16_at(record, 20)) == record.len();
    let end = tail_start + end as u64;

    let (size, stated) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
    let is_zip64 = size == 0xffff_ffff || stated == 0xffff_ffff || u16_at(record, 10) == 0xffff;
    if is_zip64 && let Some(directory) = find_zip64_directory(content, end)? {
        return Ok(directory);
    }
    let directory = directory_before(end, size, stated);
    if !is_at_end && !directory.as_ref().is_ok_and(|it| leads_to_members(content, it)) {
        // Java goes on to look for an end before this one, and Python takes this one.
        let message = "zip end record that neither ends the file nor leads to its members";
        return Err(Error::at_offset(end, message).read_by_others());
    }
    directory
}

/// Whether the directory and the first member are where they are said to be.
fn leads_to_members(content: &dyn Content, directory: &Directory) -> bool {
    let is_there =
        |at: u64, mark: &[u8]| read_exact_at(content, at, 4).is_ok_and(|bytes| bytes == mark);
    is_there(directory.offset, b"PK\x01\x02") && is_there(directory.prefix, b"PK\x03\x04")
}

/// The directory lies right before its end record, wherever it is said to be.
fn directory_before(end: u64, size: u64, stated: u64) -> Result<Directory> {
    let offset = end
        .checked_sub(size)
        .ok_or_else(|| Error::at_offset(end, "zip directory begins before the archive"))?;
    let prefix = offset
        .checked_sub(stated)
        .ok_or_else(|| Error::at_offset(end, "zip directory overlaps its end record"))?;
    Ok(Directory { offset, size, prefix })
}

fn find_zip64_directory(content: &dyn Content, end: u64) -> Result<Option<Directory>> {
    let Some(locator_at) = end.checked_sub(20) else { return Ok(None) };
    let locator = read_exact_at(content, locator_at, 20)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    // Where bytes come before the archive the stated offset is wrong: the
    // record usually lies right before its locator.
    for at in [Some(u64_at(&locator, 8)), locator_at.checked_sub(56)].into_iter().flatten() {
        if let Ok(record) = read_exact_at(content, at, 56)
            && record.starts_with(b"PK\x06\x06")
        {
            return directory_before(at, u64_at(&record, 40), u64_at(&record, 48)).map(Some);
        }
    }
    Err(Error::at_offset(locator_at, "no zip64 end record"))
}

/// Some programs for Windows write `a\\b`, against the specification; readers take it for `a/b`.
fn slashed(name: &[u8]) -> BString {
    if name.contains(&b'/') {
        return name.into();
    }
    name.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect::<Vec<u8>>().into()
}

fn parse_directory(bytes: &[u8], directory: &Directory) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    let mut rest = bytes;
    while rest.len() >= 46 && rest.starts_with(b"PK\x01\x02") {
        let name_len = usize::from(u16_at(rest, 28));
        let extra_len = usize::from(u16_at(rest, 30));
        let comment_len = usize::from(u16_at(rest, 32));
        let at = directory.offset + (bytes.len() - rest.len()) as u64;
        let cut = || Error::at_offset(at, "zip directory is cut off");
        let name = rest.get(46..46 + name_len).ok_or_else(cut)?;
        let extra = rest.get(46 + name_len..46 + name_len + extra_len).ok_or_else(cut)?;

        let mut wide = zip64_extra(extra);
        let mut number = |at: usize| match u32_at(rest, at) {
            u32::MAX => {
                let value = u64_at(wide, 0);
                wide = wide.get(8..).unwrap_or_default();
                value
            }
            value => u64::from(value),
        };
        let (size, compressed, header) = (number(24), number(20), number(42));
        members.push(Member {
            name: slashed(name),
            size,
            compressed,
            header: header.saturating_add(directory.prefix),
            method: u16_at(rest, 10),
            encrypted: u16_at(rest, 8) & 1 != 0,
            overlaps: false,
        });
        rest = rest.get(46 + name_len + extra_len + comment_len..).ok_or_else(cut)?;
    }
    if !rest.is_empty() && !rest.starts_with(b"PK\x05\x05") {
        let at = directory.offset + (bytes.len() - rest.len()) as u64;
        return Err(Error::at_offset(at, "zip directory is damaged"));
    }
    Ok(members)
}

/// The 64-bit numbers of an extra field, in the order in which they are needed.
fn zip64_extra(mut extra: &[u8]) -> &[u8] {
    while extra.len() >= 4 {
        let len = usize::from(u16_at(extra, 2));
        let field = extra.get(4..4 + len).unwrap_or_default();
        if u16_at(extra, 0) == 1 {
            return field;
        }
        extra = extra.get(4 + len..).unwrap_or_default();
    }
    b""
}

fn mark_overlaps(members: &mut [Member]) {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&at| members[at].header);
    for pair in order.windows(2) {
        let (first, second) = (&members[pair[0]], &members[pair[1]]);
        if first.header.saturating_add(30).saturating_add(first.compressed) > second.header {
            members[pair[0]].overlaps = true;
            members[pair[1]].overlaps = true;
        }
    }
}

/// Zero beyond the end: the value then fails a later check.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes(bytes.try_into().expect("two")))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().expect("four")))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight")))
}

#[cfg(test)]
mod tests {
    use inscan_test_support::zip;

    use super::*;

    #[track_caller]
    fn check(archive: &[u8], expected: &[(&str, &[u8])]) {
        let archive = &archive;
        let zip = Zip::open(archive).expect("a zip");
        let found: Vec<(String, Vec<u8>)> = zip
            .members
            .iter()
            .map(|member| (member.name.to_string(), zip.read(member, 1000).expect("readable")))
            .collect();
        let expected: Vec<(String, Vec<u8>)> =
            expected.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_stored_and_deflated_members() {
        check(&zip(&[("a/b", b"hello"), ("=c", b"world")]), &[("a/b", b"hello"), ("c", b"world")]);
        check(&zip(&[]), &[]);
    }

    #[test]
    fn reads_an_archive_behind_a_script() {
        let archive = [b"#!/bin/sh\nexit\n".as_slice(), &zip(&[("a", b"hello")])].concat();
        check(&archive, &[("a", b"hello")]);
    }

    #[test]
    fn what_follows_the_archive_is_passed_over_unless_it_may_be_another() {
        let archive = zip(&[("a", b"hello")]);
        check(&[&archive[..], b"more"].concat(), &[("a", b"hello")]);
        let mut comment = archive.clone();
        let length = comment.len();
        comment[length - 2] = 26;
        comment.extend([&b"PK\x05\x06"[..], &[0; 22]].concat());
        // An empty archive within the comment, and one more byte than it has itself.
        let comment = comment.as_slice();
        let error = Zip::open(&comment).err().expect("refused");
        assert!(error.is_over_limit(), "{error}");
    }

    #[test]
    fn refuses_members_that_share_their_bytes() {
        let mut archive = zip(&[("a", b"hello"), ("b", b"world")]);
        let second = archive.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("entry");
        archive[second + 42..second + 46].fill(0);
        let archive = archive.as_slice();
        let zip = Zip::open(&archive).expect("a zip");
        for member in &zip.members {
            let error = zip.read(member, 1000).expect_err("refused");
            assert!(error.is_over_limit() && error.to_string().contains("shares its bytes"));
        }
    }

    #[test]
    fn refuses_a_member_that_inflates_beyond_the_limit() {
        let archive = zip(&[("bomb", &[0; 100_000])]);
        let archive = archive.as_slice();
        let zip = Zip::open(&archive).expect("a zip");
        let error = zip.read(&zip.members[0], 99_999).expect_err("refused");
        assert!(error.is_over_limit());
        assert_eq!(error.to_string(), "member `bomb` is larger than the limit of 99999 bytes");
        assert!(zip.read(&zip.members[0], 100_000).is_ok());
    }

    #[test]
    fn survives_an_archive_cut_anywhere() {
        let archive = zip(&[("a/b", b"hello"), ("=c", b"world")]);
        for cut in 0..archive.len() {
            let cut = &archive[..cut];
            assert!(Zip::open(&cut).is_err());
            // Directory intact, members gone.
            let gone = &archive[archive.len() - cut.len()..];
            if let Ok(zip) = Zip::open(&gone) {
                for member in &zip.members {
                    let _ = zip.read(member, 1000);
                }
            }
        }
    }
}
