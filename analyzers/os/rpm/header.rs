//! The header of a package: what a record of every rpm database holds.
//!
//! A count of index entries, the length of the data, the entries (tag, type,
//! offset, count: four big-endian numbers each), then the data they point into.
//! <https://rpm-software-management.github.io/rpm/manual/hregions.html>,
//! <https://rpm-software-management.github.io/rpm/manual/format_header.html>

use std::collections::BTreeMap;

use super::bytes::{Order, slice};
use crate::{Error, Result};

/// rpm itself refuses headers beyond these.
const MAX_ENTRIES: usize = 0xffff;
const MAX_DATA: usize = 0x0fff_ffff;

/// Values of one tag. The longest lists have one value for each file of a package.
const MAX_VALUES: usize = 1 << 20;

const ENTRY_SIZE: usize = 16;

/// Tags by number.
/// <https://rpm-software-management.github.io/rpm/manual/tags.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(pub(super) u32);

impl Tag {
    pub(super) const NAME: Tag = Tag(1000);
    pub(super) const VERSION: Tag = Tag(1001);
    pub(super) const RELEASE: Tag = Tag(1002);
    pub(super) const EPOCH: Tag = Tag(1003);
    pub(super) const SIZE: Tag = Tag(1009);
    pub(super) const VENDOR: Tag = Tag(1011);
    pub(super) const LICENSE: Tag = Tag(1014);
    pub(super) const URL: Tag = Tag(1020);
    pub(super) const ARCH: Tag = Tag(1022);
    /// Whole paths, in headers older than rpm 4.
    pub(super) const OLD_FILE_NAMES: Tag = Tag(1027);
    pub(super) const FILE_SIZES: Tag = Tag(1028);
    pub(super) const FILE_MODES: Tag = Tag(1030);
    pub(super) const FILE_DIGESTS: Tag = Tag(1035);
    pub(super) const FILE_FLAGS: Tag = Tag(1037);
    pub(super) const FILE_USER_NAME: Tag = Tag(1039);
    pub(super) const FILE_GROUP_NAME: Tag = Tag(1040);
    pub(super) const SOURCE_RPM: Tag = Tag(1044);
    pub(super) const DIR_INDEXES: Tag = Tag(1116);
    pub(super) const BASE_NAMES: Tag = Tag(1117);
    pub(super) const DIR_NAMES: Tag = Tag(1118);
    pub(super) const LONG_FILE_SIZES: Tag = Tag(5008);
    pub(super) const LONG_SIZE: Tag = Tag(5009);
    pub(super) const FILE_DIGEST_ALGO: Tag = Tag(5011);
    pub(super) const MODULARITY_LABEL: Tag = Tag(5096);
}

/// A header whose index is parsed; values are read on demand.
pub(super) struct Header<'a> {
    entries: BTreeMap<u32, IndexEntry>,
    data: &'a [u8],
    data_offset: usize,
}

#[derive(Clone, Copy)]
struct IndexEntry {
    kind: u32,
    offset: usize,
    count: usize,
}

impl<'a> Header<'a> {
    /// Offsets of errors count from the beginning of the header.
    pub(super) fn parse(blob: &'a [u8]) -> Result<Self> {
        let (entries, data_len) = Order::Big
            .size(blob, 0)
            .zip(Order::Big.size(blob, 4))
            .ok_or_else(|| Error::new(format!("header of {} bytes is too short", blob.len())))?;
        if entries == 0 || entries > MAX_ENTRIES {
            return Err(Error::at_offset(0, format!("header with `{entries}` index entries")));
        }
        if data_len > MAX_DATA {
            return Err(Error::at_offset(4, format!("header with `{data_len}` bytes of data")));
        }
        let data_offset = 8 + entries * ENTRY_SIZE;
        let data = slice(blob, data_offset, data_len).ok_or_else(|| {
            let said = data_offset + data_len;
            Error::new(format!("header is cut: `{said}` bytes by its index, {} there", blob.len()))
        })?;
        let index = &blob[8..data_offset];
        let entries = index.chunks_exact(ENTRY_SIZE).filter_map(entry).collect();
        Ok(Header { entries, data, data_offset })
    }

    /// The string of a tag, or the first one of several.
    pub(super) fn string(&self, tag: Tag) -> Result<Option<&'a [u8]>> {
        Ok(self.strings_up_to(tag, 1)?.and_then(|strings| strings.first().copied()))
    }

    /// All strings of a tag.
    pub(super) fn strings(&self, tag: Tag) -> Result<Option<Vec<&'a [u8]>>> {
        self.strings_up_to(tag, usize::MAX)
    }

    fn strings_up_to(&self, tag: Tag, max: usize) -> Result<Option<Vec<&'a [u8]>>> {
        let Some(entry) = self.entries.get(&tag.0) else { return Ok(None) };
        let count = match entry.kind {
            6 => 1,
            8 | 9 => entry.count.min(max),
            kind => return Err(self.error(tag, entry, &format!("type `{kind}` is not a string"))),
        };
        if count > MAX_VALUES {
            return Err(self.error(tag, entry, &format!("`{count}` strings")));
        }
        let mut rest = self.data.get(entry.offset..).unwrap_or_default();
        // Each string takes a byte at least, so the data bounds the vector.
        let mut strings = Vec::with_capacity(count.min(rest.len()));
        for _ in 0..count {
            let Some(end) = rest.iter().position(|&byte| byte == 0) else {
                return Err(self.error(tag, entry, "strings go beyond the data"));
            };
            strings.push(&rest[..end]);
            rest = &rest[end + 1..];
        }
        Ok(Some(strings))
    }

    pub(super) fn number(&self, tag: Tag) -> Result<Option<u64>> {
        Ok(self.numbers(tag)?.and_then(|numbers| numbers.first().copied()))
    }

    /// All numbers of a tag, of whatever width.
    pub(super) fn numbers(&self, tag: Tag) -> Result<Option<Vec<u64>>> {
        let Some(entry) = self.entries.get(&tag.0) else { return Ok(None) };
        let width = match entry.kind {
            1 | 2 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            kind => return Err(self.error(tag, entry, &format!("type `{kind}` is not a number"))),
        };
        if entry.count > MAX_VALUES {
            return Err(self.error(tag, entry, &format!("`{}` numbers", entry.count)));
        }
        let bytes = slice(self.data, entry.offset, entry.count * width)
            .ok_or_else(|| self.error(tag, entry, "numbers go beyond the data"))?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
        Ok(Some(bytes.chunks_exact(width).map(number).collect()))
    }

    fn error(&self, tag: Tag, entry: &IndexEntry, message: &str) -> Error {
        let offset = self.data_offset.saturating_add(entry.offset);
        Error::at_offset(offset as u64, format!("tag `{}`: {message}", tag.0))
    }
}

/// Where a tag stands twice, the later entry counts: what rpm adds after the
/// signed region ("dribbles") replaces what is in it.
fn entry(bytes: &[u8]) -> Option<(u32, IndexEntry)> {
    let number = |at| Order::Big.u32(bytes, at);
    let entry =
        IndexEntry { kind: number(4)?, offset: number(8)? as usize, count: number(12)? as usize };
    Some((number(0)?, entry))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Tag, type, count, data.
    pub(in crate::os::rpm) type Tagged<'a> = (Tag, u32, u32, &'a [u8]);

    pub(in crate::os::rpm) fn header(tags: &[Tagged<'_>]) -> Vec<u8> {
        let mut index = Vec::new();
        let mut data = Vec::new();
        for (tag, kind, count, value) in tags {
            for number in [tag.0, *kind, data.len() as u32, *count] {
                index.extend(number.to_be_bytes());
            }
            data.extend_from_slice(value);
        }
        let counts = [tags.len() as u32, data.len() as u32].map(u32::to_be_bytes).concat();
        [counts, index, data].concat()
    }

    #[track_caller]
    fn check_error(blob: &[u8], expected: &str) {
        let error = Header::parse(blob).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    }

    #[test]
    fn reads_strings_and_numbers_of_every_width() {
        let blob = header(&[
            (Tag::NAME, 6, 1, b"alpha\0"),
            (Tag::BASE_NAMES, 8, 3, b"a\0\0c\0"),
            (Tag::VENDOR, 9, 2, b"C\0de\0"),
            (Tag::FILE_FLAGS, 2, 2, &[1, 255]),
            (Tag::FILE_MODES, 3, 2, &[0x81, 0xa4, 0, 1]),
            (Tag::SIZE, 4, 1, &[0, 1, 0, 0]),
            (Tag::LONG_SIZE, 5, 1, &[0, 0, 0, 1, 0, 0, 0, 0]),
        ]);
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.string(Tag::NAME).unwrap(), Some(&b"alpha"[..]));
        assert_eq!(header.strings(Tag::BASE_NAMES).unwrap(), Some(vec![&b"a"[..], b"", b"c"]));
        assert_eq!(header.string(Tag::VENDOR).unwrap(), Some(&b"C"[..]));
        assert_eq!(header.numbers(Tag::FILE_FLAGS).unwrap(), Some(vec![1, 255]));
        assert_eq!(header.numbers(Tag::FILE_MODES).unwrap(), Some(vec![0o100644, 1]));
        assert_eq!(header.number(Tag::SIZE).unwrap(), Some(65536));
        assert_eq!(header.number(Tag::LONG_SIZE).unwrap(), Some(1 << 32));
        assert_eq!(header.string(Tag::URL).unwrap(), None);
    }

    #[test]
    fn the_later_of_two_entries_of_one_tag_counts() {
        let blob = header(&[(Tag::NAME, 6, 1, b"old\0"), (Tag::NAME, 6, 1, b"new\0")]);
        let header = Header::parse(&blob).unwrap();
        assert_eq!(header.string(Tag::NAME).unwrap(), Some(&b"new"[..]));
    }

    #[test]
    fn counts_that_cannot_be_are_errors() {
        check_error(b"\0\0\0", "header of 3 bytes is too short");
        check_error(&[0; 8], "offset 0: header with `0` index entries");
        check_error(
            b"\x7f\xff\xff\xff\0\0\0\0",
            "offset 0: header with `2147483647` index entries",
        );
        check_error(
            b"\0\0\0\x01\x7f\xff\xff\xff",
            "offset 4: header with `2147483647` bytes of data",
        );
        check_error(b"\0\0\0\x01\0\0\0\x01", "header is cut: `25` bytes by its index, 8 there");
    }

    #[test]
    fn values_outside_the_data_or_of_another_type_are_errors() {
        let blob = header(&[
            (Tag::NAME, 6, 1, b"no end"),
            (Tag::SIZE, 4, 1, &[]),
            (Tag::FILE_SIZES, 4, u32::MAX, &[]),
            (Tag::FILE_DIGESTS, 8, u32::MAX, &[]),
            (Tag::VENDOR, 4, 1, &[]),
            (Tag::EPOCH, 6, 1, b""),
        ]);
        let header = Header::parse(&blob).unwrap();
        let message = |error: Error| error.to_string();
        assert_eq!(
            header.string(Tag::NAME).map_err(message),
            Err("offset 104: tag `1000`: strings go beyond the data".into())
        );
        assert_eq!(
            header.number(Tag::SIZE).map_err(message),
            Err("offset 110: tag `1009`: numbers go beyond the data".into())
        );
        assert_eq!(
            header.numbers(Tag::FILE_SIZES).map_err(message),
            Err("offset 110: tag `1028`: `4294967295` numbers".into())
        );
        assert_eq!(
            header.strings(Tag::FILE_DIGESTS).map_err(message),
            Err("offset 110: tag `1035`: `4294967295` strings".into())
        );
        assert_eq!(
            header.string(Tag::VENDOR).map_err(message),
            Err("offset 110: tag `1011`: type `4` is not a string".into())
        );
        assert_eq!(
            header.number(Tag::EPOCH).map_err(message),
            Err("offset 110: tag `1003`: type `6` is not a number".into())
        );
    }
}
