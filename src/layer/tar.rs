//! The tar format, read from bytes that may be forged.
//!
//! Understands what image builders write: old and POSIX (ustar) headers, GNU
//! long names and sparse files, PAX records (long names, sizes, extended
//! attributes, sparse files 0.0, 0.1 and 1.0). Formats:
//! <https://www.gnu.org/software/tar/manual/html_node/Standard.html>,
//! <https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html>.
//!
//! Where implementations differ, this one reads what Go's `archive/tar` reads,
//! since that is what container engines unpack with: a scanner that reads an
//! archive otherwise than the engine can be shown another image.

use std::borrow::Cow;

pub(crate) const BLOCK: usize = 512;
/// Long names and PAX records larger than this are refused (Go refuses them at 1 MiB too).
const MAX_EXTENSION: u64 = 1 << 20;
/// Most fragments of a sparse file.
const MAX_FRAGMENTS: usize = 1 << 16;

/// The pieces of a sparse file that are stored: `(offset, length)`.
pub type Fragments = Vec<(u64, u64)>;

/// What is wrong with an archive, and where.
#[derive(Debug, thiserror::Error)]
#[error("broken tar at offset {offset}: {message}")]
pub struct Broken {
    pub offset: u64,
    pub message: String,
}

/// One member: its header, with all extensions applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// As written, but for the records that override it.
    pub path: Cow<'a, [u8]>,
    pub link: Cow<'a, [u8]>,
    pub kind: MemberKind,
    /// Twelve bits.
    pub mode: u16,
    pub uid: u64,
    pub gid: u64,
    /// Of the content, holes included.
    pub size: u64,
    /// Bytes that follow the header, without padding.
    pub stored: u64,
    /// The pieces of a sparse file that are stored: `(offset, length)`. `None`: all of it.
    pub sparse: Option<Fragments>,
    /// Extended attribute `security.capability`.
    pub capability: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
    /// A type no container engine knows; its content is passed over.
    Other(u8),
}

/// What stands at the beginning of some bytes of an archive.
#[derive(Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// More bytes are needed to tell.
    Incomplete,
    /// The end marker.
    End,
    /// A member whose content begins after `length` bytes.
    Member { member: Member<'a>, length: usize },
    /// Global records, `length` bytes: read over, as Go's reader does.
    Global { length: usize },
}

/// PAX records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Records {
    /// Of a GNU long name or link entry: above the PAX record of that name.
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    capability: Option<Vec<u8>>,
    sparse: SparseRecords,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SparseRecords {
    major: Option<u64>,
    name: Option<Vec<u8>>,
    size: Option<u64>,
    /// Offsets and lengths by turns.
    numbers: Vec<u64>,
}

/// Reads one member's header and everything that belongs to it. `offset` is
/// where `bytes` begin in the archive; `last` that no more bytes come.
pub fn unit(bytes: &[u8], offset: u64, last: bool) -> Result<Unit<'_>, Broken> {
    let mut at = 0;
    let mut records = Records::default();
    let mut extended = false;
    loop {
        let broken = |message: String| Broken { offset: offset + at as u64, message };
        let Some(block) = bytes.get(at..at + BLOCK) else {
            return match last {
                // An archive may end without its marker, but not in the middle of a member.
                true if at == bytes.len() && !extended => Ok(Unit::End),
                true => Err(broken("it ends in the middle of a header".into())),
                false => Ok(Unit::Incomplete),
            };
        };
        if is_zero(block) {
            if extended {
                return Err(broken("records without a member".into()));
            }
            return match bytes.get(at + BLOCK..at + 2 * BLOCK) {
                Some(second) if is_zero(second) => Ok(Unit::End),
                Some(_) => Err(broken("a single zero block inside the archive".into())),
                None if last => Ok(Unit::End),
                None => Ok(Unit::Incomplete),
            };
        }
        let header = Header { block };
        header.check().map_err(broken)?;
        let kind = header.type_flag();
        if !matches!(kind, b'x' | b'g' | b'L' | b'K') {
            return header.member(&bytes[at + BLOCK..], at + BLOCK, records, last).map_err(broken);
        }
        let size = header.size().map_err(broken)?;
        if size > MAX_EXTENSION {
            let message = format!("a name or record of {size} bytes (at most {MAX_EXTENSION})");
            return Err(broken(message));
        }
        let size = size as usize;
        let body = at + BLOCK;
        let Some(value) = bytes.get(body..body + size) else {
            return match last {
                true => Err(broken("it ends in the middle of a record".into())),
                false => Ok(Unit::Incomplete),
            };
        };
        let next = body + size.next_multiple_of(BLOCK);
        match kind {
            b'g' if extended => return Err(broken("global records inside a member's".into())),
            b'g' => return Ok(Unit::Global { length: next }),
            b'L' => records.long_name = Some(until_nul(value).to_vec()),
            b'K' => records.long_link = Some(until_nul(value).to_vec()),
            _ => records.replace(value).map_err(broken)?,
        }
        extended = true;
        at = next;
    }
}

struct Header<'a> {
    block: &'a [u8],
}

impl<'a> Header<'a> {
    fn field(&self, start: usize, len: usize) -> &'a [u8] {
        &self.block[start..start + len]
    }

    fn type_flag(&self) -> u8 {
        self.block[156]
    }

    fn is_gnu(&self) -> bool {
        self.field(257, 8) == b"ustar  \0"
    }

    fn is_ustar(&self) -> bool {
        self.field(257, 6) == b"ustar\0"
    }

    fn check(&self) -> Result<(), String> {
        let stated = number(self.field(148, 8)).map_err(|error| format!("checksum: {error}"))?;
        let blank = |(i, &byte): (usize, &u8)| if (148..156).contains(&i) { b' ' } else { byte };
        let unsigned: u64 = self.block.iter().enumerate().map(blank).map(u64::from).sum();
        let signed: i64 =
            self.block.iter().enumerate().map(blank).map(|byte| i64::from(byte as i8)).sum();
        if stated == unsigned || i64::try_from(stated) == Ok(signed) {
            return Ok(());
        }
        Err(format!("header checksum is {unsigned}, not {stated} as it states: not a tar header"))
    }

    fn size(&self) -> Result<u64, String> {
        number(self.field(124, 12)).map_err(|error| format!("size: {error}"))
    }

    fn path(&self) -> Cow<'a, [u8]> {
        let name = until_nul(self.field(0, 100));
        let prefix = if self.is_ustar() { until_nul(self.field(345, 155)) } else { b"" };
        match prefix {
            b"" => Cow::Borrowed(name),
            _ => Cow::Owned([prefix, b"/", name].concat()),
        }
    }

    /// `rest` follows the header; `length` is what the unit has taken up so far.
    fn member(
        &self,
        rest: &[u8],
        length: usize,
        records: Records,
        last: bool,
    ) -> Result<Unit<'a>, String> {
        let path = records.long_name.or(records.path).map_or_else(|| self.path(), Cow::Owned);
        let link = records.long_link.or(records.link);
        let kind = match self.type_flag() {
            // Before POSIX a trailing slash was what made a directory.
            0 if path.ends_with(b"/") => MemberKind::Directory,
            0 | b'0' | b'7' | b'S' => MemberKind::File,
            b'1' => MemberKind::HardLink,
            b'2' => MemberKind::Symlink,
            b'3' => MemberKind::CharDevice,
            b'4' => MemberKind::BlockDevice,
            b'5' => MemberKind::Directory,
            b'6' => MemberKind::Fifo,
            other => MemberKind::Other(other),
        };
        let has_content = matches!(kind, MemberKind::File | MemberKind::Other(_));
        let size = match records.size {
            Some(size) => size,
            None => self.size()?,
        };
        // Whatever the header of a link or directory says, no content follows it.
        let stored = if has_content { size } else { 0 };
        if i64::try_from(stored).is_err() {
            return Err(format!("a size of {stored} bytes"));
        }
        let mut member = Member {
            path,
            link: link.map_or(Cow::Borrowed(until_nul(self.field(157, 100))), Cow::Owned),
            kind,
            mode: (number(self.field(100, 8)).map_err(|error| format!("mode: {error}"))? & 0o7777)
                as u16,
            uid: match records.uid {
                Some(uid) => uid,
                None => number(self.field(108, 8)).map_err(|error| format!("uid: {error}"))?,
            },
            gid: match records.gid {
                Some(gid) => gid,
                None => number(self.field(116, 8)).map_err(|error| format!("gid: {error}"))?,
            },
            size: stored,
            stored,
            sparse: None,
            capability: records.capability,
        };
        let mut length = length;
        if self.type_flag() == b'S' && self.is_gnu() {
            let Some((fragments, extra)) = self.old_sparse(rest)? else {
                return incomplete(last);
            };
            member.size = number(self.field(483, 12))?;
            member.sparse = Some(fragments);
            length += extra;
        } else if kind == MemberKind::File && records.sparse.is_used() {
            let sparse = records.sparse;
            if let Some(name) = sparse.name {
                member.path = Cow::Owned(name);
            }
            member.size = sparse.size.ok_or("a sparse file without its size")?;
            if sparse.major == Some(1) {
                let Some((numbers, taken)) = sparse_map(rest, stored)? else {
                    return incomplete(last);
                };
                member.stored = stored - taken as u64;
                member.sparse = Some(pairs(&numbers)?);
                length += taken;
            } else {
                member.sparse = Some(pairs(&sparse.numbers)?);
            }
        }
        if let Some(fragments) = &member.sparse {
            check_fragments(fragments, member.size, member.stored)?;
        }
        Ok(Unit::Member { member, length })
    }

    /// The map of an old GNU sparse file: four fragments in the header, 21 in
    /// each block that follows. `None`: more bytes are needed.
    fn old_sparse(&self, rest: &[u8]) -> Result<Option<(Fragments, usize)>, String> {
        let mut fragments = Vec::new();
        read_fragments(self.field(386, 4 * 24), &mut fragments)?;
        let mut extended = self.block[482] != 0;
        let mut taken = 0;
        while extended {
            let Some(block) = rest.get(taken..taken + BLOCK) else { return Ok(None) };
            read_fragments(&block[..21 * 24], &mut fragments)?;
            extended = block[504] != 0;
            taken += BLOCK;
            if fragments.len() > MAX_FRAGMENTS || taken as u64 > MAX_EXTENSION {
                return Err(format!("a sparse file of more than {MAX_FRAGMENTS} fragments"));
            }
        }
        Ok(Some((fragments, taken)))
    }
}

fn incomplete<'a>(last: bool) -> Result<Unit<'a>, String> {
    if last {
        return Err("it ends in the middle of a sparse file's map".into());
    }
    Ok(Unit::Incomplete)
}

fn read_fragments(fields: &[u8], fragments: &mut Fragments) -> Result<(), String> {
    for pair in fields.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        fragments.push((number(&pair[..12])?, number(&pair[12..])?));
    }
    Ok(())
}

/// The map of a PAX sparse file 1.0: decimal lines in front of the content,
/// filled up to a whole block. `None`: more bytes are needed.
fn sparse_map(rest: &[u8], stored: u64) -> Result<Option<(Vec<u64>, usize)>, String> {
    let limit = stored.min(MAX_EXTENSION) as usize;
    let bytes = &rest[..rest.len().min(limit)];
    let mut numbers = Vec::new();
    let mut at = 0;
    let mut expected = 1;
    while numbers.len() < expected {
        let Some(line) = bytes[at..].iter().position(|&byte| byte == b'\n') else {
            if bytes.len() < limit {
                return Ok(None);
            }
            return Err("the map of a sparse file does not end".into());
        };
        numbers.push(decimal(&bytes[at..at + line])?);
        at += line + 1;
        if numbers.len() == 1 {
            let fragments = numbers[0] as usize;
            if fragments > MAX_FRAGMENTS {
                return Err(format!("a sparse file of {fragments} fragments"));
            }
            expected = 1 + 2 * fragments;
        }
    }
    let taken = at.next_multiple_of(BLOCK);
    if taken as u64 > stored {
        return Err("the map of a sparse file is longer than the file".into());
    }
    if taken > rest.len() {
        return Ok(None);
    }
    numbers.remove(0);
    Ok(Some((numbers, taken)))
}

fn pairs(numbers: &[u64]) -> Result<Fragments, String> {
    if !numbers.len().is_multiple_of(2) || numbers.len() / 2 > MAX_FRAGMENTS {
        return Err("the map of a sparse file is not made of pairs".into());
    }
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Fragments in order, inside the file, and as long in all as what is stored.
fn check_fragments(fragments: &[(u64, u64)], size: u64, stored: u64) -> Result<(), String> {
    let mut end = 0;
    let mut total = 0u64;
    for &(offset, length) in fragments {
        let fragment_end = offset.checked_add(length).filter(|&end| end <= size);
        if offset < end || fragment_end.is_none() {
            return Err("the map of a sparse file is out of order, or goes beyond its end".into());
        }
        end = offset + length;
        total += length;
    }
    if total != stored {
        return Err(format!("a sparse file stores {stored} bytes, its map says {total}"));
    }
    Ok(())
}

impl SparseRecords {
    fn is_used(&self) -> bool {
        self.major.is_some() || self.size.is_some() || !self.numbers.is_empty()
    }
}

impl Records {
    /// `LENGTH KEY=VALUE\n`, one after another; the length counts all of it.
    /// A second set of records replaces the first.
    fn replace(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        let (long_name, long_link) = (self.long_name.take(), self.long_link.take());
        *self = Records { long_name, long_link, ..Records::default() };
        while bytes.first().is_some_and(|&byte| byte != 0) {
            let space = bytes
                .iter()
                .take(20)
                .position(|&byte| byte == b' ')
                .ok_or("a record without a length")?;
            let length = decimal(&bytes[..space])? as usize;
            let record = bytes
                .get(space + 1..length)
                .and_then(|record| record.strip_suffix(b"\n"))
                .ok_or_else(|| format!("a record of {length} bytes that does not end there"))?;
            let equals = record
                .iter()
                .position(|&byte| byte == b'=')
                .ok_or("a record without an equals sign")?;
            self.set(&record[..equals], &record[equals + 1..])?;
            bytes = &bytes[length..];
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        match key {
            b"path" => self.path = some(value),
            b"linkpath" => self.link = some(value),
            // An empty value takes an earlier record back.
            b"size" | b"uid" | b"gid" if value.is_empty() => {}
            b"size" => self.size = Some(decimal(value)?),
            b"uid" => self.uid = Some(decimal(value)?),
            b"gid" => self.gid = Some(decimal(value)?),
            b"SCHILY.xattr.security.capability" | b"LIBARCHIVE.xattr.security.capability" => {
                self.capability = Some(value.to_vec());
            }
            b"GNU.sparse.major" => self.sparse.major = Some(decimal(value)?),
            b"GNU.sparse.name" => self.sparse.name = some(value),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.size = Some(decimal(value)?);
            }
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                self.sparse.numbers.push(decimal(value)?);
            }
            b"GNU.sparse.map" => {
                self.sparse.numbers =
                    value.split(|&byte| byte == b',').map(decimal).collect::<Result<_, _>>()?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn some(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

fn decimal(text: &[u8]) -> Result<u64, String> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("`{}` where a number belongs", text.escape_ascii()))
}

/// A number of a header: octal digits, or with the first bit set base 256.
fn number(field: &[u8]) -> Result<u64, String> {
    if field[0] & 0x80 != 0 {
        // The second bit is the sign: no negative size or owner is sensible here.
        let mut value = u64::from(field[0] & 0x7f);
        for &byte in &field[1..] {
            value = value
                .checked_mul(256)
                .ok_or_else(|| format!("`{}` is too large", field.escape_ascii()))?
                | u64::from(byte);
        }
        return Ok(value);
    }
    let text = until_nul(field).trim_ascii();
    text.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => value
            .checked_mul(8)
            .map(|value| value | u64::from(digit - b'0'))
            .ok_or_else(|| "too large".to_owned()),
        _ => Err(format!("`{}` where an octal number belongs", text.escape_ascii())),
    })
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with a right checksum.
    fn header(path: &[u8], flag: u8, size: u64) -> Vec<u8> {
        let mut header = ::tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path);
        header.as_mut_bytes()[156] = flag;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn with_body(path: &[u8], flag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = header(path, flag, body.len() as u64);
        bytes.extend_from_slice(body);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    /// PAX records as a header of their own.
    fn records(records: &[(&str, &str)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (1..).find(|digits| (rest + digits).to_string().len() == *digits).unwrap();
            body.extend(format!("{} {key}={value}\n", rest + length).bytes());
        }
        with_body(b"pax", b'x', &body)
    }

    #[track_caller]
    fn member(bytes: &[u8]) -> Member<'_> {
        match unit(bytes, 0, true) {
            Ok(Unit::Member { member, .. }) => member,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check_broken(bytes: &[u8], expected: &str) {
        let error = unit(bytes, 1000, true).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn long_names_of_either_kind_replace_the_short_ones() {
        let long = "d/".repeat(100) + "f";
        let gnu = [with_body(b"././@LongLink", b'L', long.as_bytes()), header(b"x", b'0', 3)];
        assert_eq!(member(&gnu.concat()).path, long.as_bytes());
        let pax = [records(&[("path", &long), ("size", "5")]), header(b"x", b'0', 3)].concat();
        assert_eq!(member(&pax).path, long.as_bytes());
        // RUSTSEC-2026-0068: the record's size stands above the header's.
        assert_eq!(member(&pax).stored, 5);
    }

    #[test]
    fn links_and_directories_have_no_content_whatever_their_header_says() {
        for flag in [b'1', b'2', b'5'] {
            assert_eq!(member(&header(b"x", flag, 512)).stored, 0);
        }
    }

    #[test]
    fn capabilities_are_read_and_an_old_directory_is_known_by_its_slash() {
        let record = records(&[("SCHILY.xattr.security.capability", "\u{1}caps")]);
        let bytes = [record, header(b"x", b'0', 0)].concat();
        assert_eq!(member(&bytes).capability.as_deref(), Some(&b"\x01caps"[..]));
        assert_eq!(member(&header(b"x/", 0, 0)).kind, MemberKind::Directory);
    }

    #[test]
    fn sparse_files_of_every_form_give_their_fragments() {
        let old = {
            let mut file = ::tar::Header::new_gnu();
            file.set_size(512);
            file.set_entry_type(::tar::EntryType::GNUSparse);
            let gnu = file.as_gnu_mut().unwrap();
            gnu.sparse[0].offset.copy_from_slice(b"00000002000\0");
            gnu.sparse[0].numbytes.copy_from_slice(b"00000001000\0");
            gnu.realsize.copy_from_slice(b"00000010000\0");
            file.set_cksum();
            file.as_bytes().to_vec()
        };
        let pax01 = [
            records(&[("GNU.sparse.size", "4096"), ("GNU.sparse.map", "1024,512")]),
            header(b"x", b'0', 512),
        ];
        let mut map = b"1\n1024\n512\n".to_vec();
        map.resize(BLOCK, 0);
        let pax10 = [
            records(&[
                ("GNU.sparse.major", "1"),
                ("GNU.sparse.minor", "0"),
                ("GNU.sparse.name", "x"),
                ("GNU.sparse.realsize", "4096"),
            ]),
            header(b"GNUSparseFile.0/x", b'0', 1024),
            map,
        ];
        for bytes in [old, pax01.concat(), pax10.concat()] {
            let member = member(&bytes);
            assert_eq!((member.size, member.stored), (4096, 512));
            assert_eq!(member.sparse, Some(vec![(1024, 512)]));
        }
    }

    #[test]
    fn what_is_broken_is_refused_with_its_offset() {
        check_broken(b"x", "offset 1000: it ends in the middle of a header");
        check_broken(&[b'a'; BLOCK], "checksum");
        let long = [header(b"x", b'L', MAX_EXTENSION + 1), vec![0; BLOCK]].concat();
        check_broken(&long, "a name or record of 1048577 bytes");
        check_broken(&records(&[("path", "x")]), "offset 2024: it ends in the middle");
        check_broken(&with_body(b"pax", b'x', b"99 path=x\n"), "a record of 99 bytes");
        let lone = [vec![0; BLOCK], header(b"x", b'0', 0)].concat();
        check_broken(&lone, "a single zero block");
        let map = records(&[("GNU.sparse.size", "10"), ("GNU.sparse.map", "5,6")]);
        check_broken(&[map, header(b"x", b'0', 6)].concat(), "out of order, or goes beyond");
    }

    #[test]
    fn an_archive_may_end_without_its_marker() {
        assert_eq!(unit(b"", 0, true).unwrap(), Unit::End);
        assert_eq!(unit(&[0; BLOCK], 0, true).unwrap(), Unit::End);
        assert_eq!(unit(b"", 0, false).unwrap(), Unit::Incomplete);
    }

    #[test]
    fn no_cut_or_changed_byte_makes_it_panic() {
        let whole = [
            records(&[("path", "a/b"), ("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,4,8,1")]),
            header(b"x", b'0', 5),
            with_body(b"././@LongLink", b'L', b"name"),
            header(b"y", b'S', 0),
        ]
        .concat();
        for at in 0..whole.len() {
            let _ = unit(&whole[..at], 0, true);
            for change in [0, 1, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] = change;
                let _ = unit(&changed, 0, false);
            }
        }
    }
}
