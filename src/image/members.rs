//! The members of an image archive: a walk over the headers of a tar, made for
//! archives that hold an image (a layer's own tar is read elsewhere).
//!
//! Formats: ustar, PAX and GNU (<https://www.gnu.org/software/tar/manual/html_node/Standard.html>);
//! read as Go's `archive/tar` does, which is what container engines use.

use std::io::{self, Read};

use super::error::{broken, shown};

const BLOCK: usize = 512;
/// Far above any path; a longer one is an attack.
const LONGEST_NAME: u64 = 64 << 10;
const LONGEST_PAX: u64 = 1 << 20;
/// `docker save` of many images writes a few hundred.
const MOST_MEMBERS: usize = 100_000;

/// One member. Its name is cleaned: relative, without `.` and empty parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) kind: MemberKind,
    /// Where the content starts in the archive.
    pub(super) offset: u64,
    pub(super) size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    File,
    /// A symbolic or hard link, to the cleaned name of another member.
    /// `None`: it leads out of the archive.
    Link(Option<Vec<u8>>),
    /// Directories, devices, sparse files.
    Other,
}

/// A source that can pass over bytes, by reading or by seeking.
pub(super) trait Source: Read {
    /// Passes over as many of the next bytes as there are.
    fn pass_over(&mut self, bytes: u64) -> io::Result<()>;
}

/// Walks the members of a tar. Reading it gives the content of the current member.
pub(super) struct Members<S> {
    source: S,
    position: u64,
    /// Content of the current member, then its padding.
    content_left: u64,
    padding: u64,
    count: usize,
}

impl<S: Source> Members<S> {
    pub(super) fn new(source: S) -> Self {
        Members { source, position: 0, content_left: 0, padding: 0, count: 0 }
    }

    pub(super) fn next(&mut self) -> anyhow::Result<Option<Member>> {
        let mut long = Overrides::default();
        loop {
            self.finish_member()?;
            let at = self.position;
            let block = self.block()?.filter(|block| *block != [0; BLOCK]);
            let Some(block) = block else { return long.end(at) };
            self.count += 1;
            if self.count > MOST_MEMBERS {
                return Err(broken(format!("the archive has more than {MOST_MEMBERS} members")));
            }
            let header = Header::parse(&block).map_err(|why| {
                broken(format!("{why} at offset {at} of the archive: it is damaged, or no tar"))
            })?;
            match header.kind {
                b'x' | b'g' | b'L' | b'K' => {
                    let limit =
                        if matches!(header.kind, b'x' | b'g') { LONGEST_PAX } else { LONGEST_NAME };
                    let record = self.extension(header.size, limit, at)?;
                    match header.kind {
                        b'x' => long.read_pax(&record).map_err(|why| {
                            broken(format!("{why} at offset {at} of the archive"))
                        })?,
                        b'L' => long.name = Some(until_nul(&record).to_vec()),
                        b'K' => long.link = Some(until_nul(&record).to_vec()),
                        // Global records hold comments and times.
                        _ => {}
                    }
                }
                _ => return self.member(header, std::mem::take(&mut long)).map(Some),
            }
        }
    }

    /// Gives the source back, behind the last member read.
    pub(super) fn into_source(self) -> S {
        self.source
    }

    fn member(&mut self, header: Header, long: Overrides) -> anyhow::Result<Member> {
        let raw_name = long.name.unwrap_or(header.name);
        let raw_link = long.link.unwrap_or(header.link);
        let is_file = matches!(header.kind, 0 | b'0' | b'7') && !raw_name.ends_with(b"/");
        let has_content = !matches!(header.kind, b'1'..=b'6');
        let size = if has_content { long.size.unwrap_or(header.size) } else { 0 };
        self.start_content(size)?;
        let inside = cleaned(b"", &raw_name);
        let kind = match header.kind {
            // A name that leads out of the archive can be asked for by nobody.
            _ if inside.is_none() => MemberKind::Other,
            b'1' => MemberKind::Link(cleaned(b"", &raw_link)),
            b'2' => {
                let directory =
                    inscan_analyzers::path::parent(inside.as_deref().unwrap_or_default());
                MemberKind::Link(cleaned(directory, &raw_link))
            }
            _ if is_file => MemberKind::File,
            _ => MemberKind::Other,
        };
        Ok(Member { name: inside.unwrap_or(raw_name), kind, offset: self.position, size })
    }

    fn start_content(&mut self, size: u64) -> anyhow::Result<()> {
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        let end = self.position.checked_add(size).and_then(|end| end.checked_add(padding));
        if end.is_none_or(|end| end > i64::MAX as u64) {
            return Err(broken(format!(
                "a member at offset {} of the archive claims {size} bytes: the archive is damaged",
                self.position
            )));
        }
        (self.content_left, self.padding) = (size, padding);
        Ok(())
    }

    fn finish_member(&mut self) -> anyhow::Result<()> {
        let rest = self.content_left + self.padding;
        self.source.pass_over(rest)?;
        self.position += rest;
        (self.content_left, self.padding) = (0, 0);
        Ok(())
    }

    /// The next header block; `None` at the end of the source.
    fn block(&mut self) -> anyhow::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => {
                    return Err(broken(format!(
                        "the archive ends in the middle of a header, at offset {}: it was cut off",
                        self.position
                    )));
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    /// The content of a header that only says something about the next one.
    fn extension(&mut self, size: u64, limit: u64, at: u64) -> anyhow::Result<Vec<u8>> {
        if size > limit {
            return Err(broken(format!(
                "an extended header at offset {at} of the archive has {size} bytes; at most {limit} are read"
            )));
        }
        self.start_content(size)?;
        let mut record = Vec::new();
        self.by_ref().read_to_end(&mut record)?;
        Ok(record)
    }
}

impl<S: Source> Read for Members<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.content_left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self.source.read(&mut buffer[..most])?;
        if read == 0 {
            let message = format!(
                "the archive ends {} bytes before the end of a member: it was cut off",
                self.content_left
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.position += read as u64;
        self.content_left -= read as u64;
        Ok(read)
    }
}

/// A name inside the archive, seen from a directory in it; `None` where it leads out.
/// An absolute name starts at the root of the archive: never on the host.
pub(super) fn cleaned(directory: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = match name.first() {
        Some(b'/') => Vec::new(),
        _ => inscan_analyzers::path::parts(directory).collect(),
    };
    for part in inscan_analyzers::path::parts(name) {
        match part {
            b".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// What extended headers say about the next member.
#[derive(Default)]
struct Overrides {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Overrides {
    /// At the end of the archive nothing may be waiting for its member.
    fn end(&self, at: u64) -> anyhow::Result<Option<Member>> {
        if self.name.is_some() || self.link.is_some() || self.size.is_some() {
            return Err(broken(format!(
                "the archive ends behind an extended header, at offset {at}: it was cut off"
            )));
        }
        Ok(None)
    }

    /// PAX records: `LENGTH KEY=VALUE\n`, where the length counts itself.
    fn read_pax(&mut self, mut records: &[u8]) -> Result<(), String> {
        while !records.is_empty() {
            let damaged = || "a damaged PAX record".to_owned();
            let space = records.iter().position(|&byte| byte == b' ').ok_or_else(damaged)?;
            let length = number(&records[..space], 10).ok_or_else(damaged)?;
            let length = usize::try_from(length).map_err(|_| damaged())?;
            let record = records.get(space + 1..length).ok_or_else(damaged)?;
            let record = record.strip_suffix(b"\n").ok_or_else(damaged)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(damaged)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => {
                    let size = number(value, 10)
                        .ok_or_else(|| format!("a PAX record with the size `{}`", shown(value)))?;
                    self.size = Some(size);
                }
                _ => {}
            }
            records = &records[length..];
        }
        Ok(())
    }
}

/// What we need of a header block.
struct Header {
    name: Vec<u8>,
    link: Vec<u8>,
    size: u64,
    kind: u8,
}

impl Header {
    fn parse(block: &[u8; BLOCK]) -> Result<Header, &'static str> {
        if !has_checksum(block) {
            return Err("no tar header (its checksum is wrong)");
        }
        let mut name = until_nul(&block[..100]).to_vec();
        if &block[257..263] == b"ustar\0" && block[345] != 0 {
            name = [until_nul(&block[345..500]), b"/", &name].concat();
        }
        let size = size(&block[124..136]).ok_or("a tar header with an impossible size")?;
        Ok(Header { name, link: until_nul(&block[157..257]).to_vec(), size, kind: block[156] })
    }
}

/// True where a block is a tar header, by its checksum.
pub(super) fn has_checksum(block: &[u8; BLOCK]) -> bool {
    let Some(stored) = number(&block[148..156], 8) else { return false };
    let bytes = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { b' ' } else { byte });
    let unsigned: u64 = bytes.clone().map(u64::from).sum();
    // Very old programs summed signed bytes.
    let signed: i64 = bytes.map(|byte| i64::from(byte as i8)).sum();
    stored == unsigned || i64::try_from(stored) == Ok(signed)
}

/// Octal digits, or, with the first bit set, a big-endian binary number.
fn size(field: &[u8]) -> Option<u64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => {
            let mut value = u64::from(first & 0x7f);
            // The second bit is the sign.
            if first & 0x40 != 0 {
                return None;
            }
            for &byte in &field[1..] {
                value = value.checked_mul(256)?.checked_add(u64::from(byte))?;
            }
            Some(value)
        }
        _ => number(field, 8),
    }
}

/// Digits with blanks and NULs around them; nothing at all is 0.
fn number(field: &[u8], base: u32) -> Option<u64> {
    let digits = until_nul(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    digits.iter().try_fold(0u64, |value, &byte| {
        let digit = char::from(byte).to_digit(base)?;
        value.checked_mul(u64::from(base))?.checked_add(u64::from(digit))
    })
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Tar, slice_source};
    use super::*;

    fn names(tar: &[u8]) -> anyhow::Result<Vec<(String, MemberKind, u64)>> {
        let mut members = Members::new(slice_source(tar));
        let mut names = Vec::new();
        while let Some(member) = members.next()? {
            let mut content = Vec::new();
            members.read_to_end(&mut content)?;
            assert_eq!(content.len() as u64, member.size);
            names.push((shown(&member.name), member.kind, member.size));
        }
        Ok(names)
    }

    fn link(target: &str) -> MemberKind {
        MemberKind::Link(Some(target.as_bytes().to_vec()))
    }

    #[test]
    fn names_are_cleaned_and_links_stay_inside() {
        let tar = Tar::new()
            .file("./a/manifest.json", b"[]")
            .symlink("b/layer.tar", "../a/layer.tar")
            .symlink("c", "/etc/passwd")
            .symlink("d", "../../etc/passwd")
            .hard_link("e", "a/manifest.json")
            .file("../../f", b"x")
            .bytes();
        let expected = [
            ("a/manifest.json".to_owned(), MemberKind::File, 2),
            ("b/layer.tar".to_owned(), link("a/layer.tar"), 0),
            ("c".to_owned(), link("etc/passwd"), 0),
            ("d".to_owned(), MemberKind::Link(None), 0),
            ("e".to_owned(), link("a/manifest.json"), 0),
            ("../../f".to_owned(), MemberKind::Other, 1),
        ];
        assert_eq!(names(&tar).unwrap(), expected);
    }

    #[test]
    fn long_names_come_from_pax_and_gnu_headers() {
        let long = format!("{}/layer.tar", "x".repeat(300));
        let pax = Tar::new().pax(&[("path", &long), ("size", "3")]).file("short", b"abc").bytes();
        assert_eq!(names(&pax).unwrap(), [(shown(&long), MemberKind::File, 3)]);
        let gnu =
            Tar::new().raw(b'L', "././@LongLink", long.as_bytes()).file("short", b"abc").bytes();
        assert_eq!(names(&gnu).unwrap(), [(shown(&long), MemberKind::File, 3)]);
    }

    #[test]
    fn endless_names_are_refused_before_they_are_read() {
        let tar = Tar::new().raw_claiming(b'L', "././@LongLink", 1 << 40).bytes();
        let error = names(&tar).unwrap_err().to_string();
        assert!(error.contains("1099511627776 bytes; at most 65536"), "{error}");
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let tar = Tar::new().pax(&[("size", "18446744073709551615")]).file("a", b"").bytes();
        assert!(names(&tar).unwrap_err().to_string().contains("claims 18446744073709551615 bytes"));
    }

    #[test]
    fn an_archive_cut_anywhere_is_an_error_or_ends_between_members() {
        let tar =
            Tar::new().pax(&[("path", "long")]).file("a", b"abc").file("b", &[1; 600]).bytes();
        for length in 0..tar.len() {
            let _ = names(&tar[..length]);
        }
        for inside_a_member in [100, 515, 700, 2700] {
            assert!(names(&tar[..inside_a_member]).is_err(), "{inside_a_member}");
        }
    }
}
