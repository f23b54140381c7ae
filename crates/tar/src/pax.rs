//! PAX records: `LENGTH KEY=VALUE\n`, one after another; the length counts all of it.

use std::ops::Range;

use memchr::memchr;

use crate::error::Fault;
use crate::number::{decimal, is_time};

const XATTR: &[u8] = b"SCHILY.xattr.";

/// The records of one extended header. The last of a key counts, and an empty value takes an
/// earlier one back: the header's own is used then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// All of them, as written. What follows are ranges in it; empty ones for what is not there.
    body: Vec<u8>,
    path: Range<usize>,
    link: Range<usize>,
    size: Range<usize>,
    uid: Range<usize>,
    gid: Range<usize>,
    times: [Range<usize>; 3],
    sparse: SparseRecords,
    /// Offsets and lengths of a sparse file 0.0, which come as records of their own, with commas
    /// between: the map of a 0.1.
    split_map: Vec<u8>,
    split_numbers: usize,
    /// Names and values, in the order of the records.
    xattrs: Vec<(Range<usize>, Range<usize>)>,
}

#[derive(Clone, Debug, Default)]
struct SparseRecords {
    major: Range<usize>,
    minor: Range<usize>,
    name: Range<usize>,
    size: Range<usize>,
    real_size: Range<usize>,
    blocks: Range<usize>,
    map: Range<usize>,
}

/// How the map of a sparse file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SparseVersion {
    /// In the records.
    V0,
    /// In front of the content.
    V1,
}

impl Records {
    pub(crate) fn clear(&mut self) {
        let Records { mut body, mut split_map, mut xattrs, .. } = std::mem::take(self);
        body.clear();
        split_map.clear();
        xattrs.clear();
        *self = Records { body, split_map, xattrs, ..Records::default() };
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Reads records, which take the place of all that were there.
    ///
    /// # Errors
    ///
    /// Their form is wrong. Whether a number is one is asked when it is needed.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.clear();
        self.body.extend_from_slice(bytes);
        let mut at = 0;
        while at < self.body.len() {
            let record = record(&self.body[at..]).ok_or(Fault::Record)?;
            let moved = |range: Range<usize>| range.start + at..range.end + at;
            let (key, value) = (moved(record.key), moved(record.value));
            self.set(key, value)?;
            at += record.length;
        }
        Ok(())
    }

    fn set(&mut self, key: Range<usize>, value: Range<usize>) -> Result<(), Fault> {
        let place = match &self.body[key.clone()] {
            b"path" => &mut self.path,
            b"linkpath" => &mut self.link,
            b"size" => &mut self.size,
            b"uid" => &mut self.uid,
            b"gid" => &mut self.gid,
            b"mtime" => &mut self.times[0],
            b"atime" => &mut self.times[1],
            b"ctime" => &mut self.times[2],
            b"GNU.sparse.major" => &mut self.sparse.major,
            b"GNU.sparse.minor" => &mut self.sparse.minor,
            b"GNU.sparse.name" => &mut self.sparse.name,
            b"GNU.sparse.size" => &mut self.sparse.size,
            b"GNU.sparse.realsize" => &mut self.sparse.real_size,
            b"GNU.sparse.numblocks" => &mut self.sparse.blocks,
            b"GNU.sparse.map" => &mut self.sparse.map,
            b"GNU.sparse.offset" => return self.split_number(0, value),
            b"GNU.sparse.numbytes" => return self.split_number(1, value),
            other => {
                if other.starts_with(XATTR) {
                    self.xattrs.push((key.start + XATTR.len()..key.end, value));
                }
                return Ok(());
            }
        };
        *place = value;
        Ok(())
    }

    /// An offset (`turn` 0) or length (1) of a sparse file 0.0: they come by turns.
    fn split_number(&mut self, turn: usize, value: Range<usize>) -> Result<(), Fault> {
        let value = &self.body[value];
        if self.split_numbers % 2 != turn || value.contains(&b',') {
            return Err(Fault::Record);
        }
        if self.split_numbers > 0 {
            self.split_map.push(b',');
        }
        self.split_map.extend_from_slice(value);
        self.split_numbers += 1;
        Ok(())
    }

    fn text(&self, range: &Range<usize>) -> Option<&[u8]> {
        self.body.get(range.clone()).filter(|text| !text.is_empty())
    }

    fn number(&self, range: &Range<usize>, name: &'static str) -> Result<Option<i64>, Fault> {
        let Some(text) = self.text(range) else { return Ok(None) };
        decimal(text).map(Some).ok_or(Fault::RecordNumber(name))
    }

    pub(crate) fn path(&self) -> Option<&[u8]> {
        self.text(&self.path)
    }

    pub(crate) fn link(&self) -> Option<&[u8]> {
        self.text(&self.link)
    }

    pub(crate) fn size(&self) -> Result<Option<i64>, Fault> {
        self.number(&self.size, "size")
    }

    pub(crate) fn uid(&self) -> Result<Option<i64>, Fault> {
        self.number(&self.uid, "uid")
    }

    pub(crate) fn gid(&self) -> Result<Option<i64>, Fault> {
        self.number(&self.gid, "gid")
    }

    /// Nobody needs the times, but what is no time makes Go's reader refuse the archive.
    pub(crate) fn check_times(&self) -> Result<(), Fault> {
        for (time, name) in self.times.iter().zip(["mtime", "atime", "ctime"]) {
            if self.text(time).is_some_and(|text| !is_time(text)) {
                return Err(Fault::RecordNumber(name));
            }
        }
        Ok(())
    }

    /// See [`crate::Entry::xattr`].
    pub(crate) fn xattr(&self, name: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.xattrs.iter().rfind(|(key, _)| &self.body[key.clone()] == name)?;
        self.text(value)
    }

    /// `None`: it is no sparse file, or one of a version that Go's reader does not know and takes
    /// for a plain file.
    pub(crate) fn sparse_version(&self) -> Option<SparseVersion> {
        let SparseRecords { major, minor, .. } = &self.sparse;
        match (self.text(major), self.text(minor)) {
            (Some(b"0"), Some(b"0" | b"1")) => Some(SparseVersion::V0),
            (Some(b"1"), Some(b"0")) => Some(SparseVersion::V1),
            (None, None) if !self.sparse_map().is_empty() => Some(SparseVersion::V0),
            _ => None,
        }
    }

    pub(crate) fn sparse_name(&self) -> Option<&[u8]> {
        self.text(&self.sparse.name)
    }

    pub(crate) fn sparse_size(&self) -> Result<Option<i64>, Fault> {
        match self.number(&self.sparse.size, "GNU.sparse.size")? {
            None => self.number(&self.sparse.real_size, "GNU.sparse.realsize"),
            size => Ok(size),
        }
    }

    pub(crate) fn sparse_blocks(&self) -> Result<i64, Fault> {
        let blocks = self.number(&self.sparse.blocks, "GNU.sparse.numblocks")?;
        blocks.ok_or(Fault::RecordNumber("GNU.sparse.numblocks"))
    }

    /// Offsets and lengths by turns, with commas between.
    pub(crate) fn sparse_map(&self) -> &[u8] {
        match self.split_numbers {
            0 => &self.body[self.sparse.map.clone()],
            _ => &self.split_map,
        }
    }
}

/// Where key and value of a record lie in its bytes, and how long it is.
struct Record {
    key: Range<usize>,
    value: Range<usize>,
    length: usize,
}

/// The record at the beginning of `bytes`. `None`: it is damaged.
fn record(bytes: &[u8]) -> Option<Record> {
    let key_start = memchr(b' ', bytes)? + 1;
    let length = usize::try_from(decimal(&bytes[..key_start - 1])?).ok()?;
    if length < 5 || length <= key_start || bytes.get(length - 1) != Some(&b'\n') {
        return None;
    }
    let equals = key_start + memchr(b'=', &bytes[key_start..length - 1])?;
    let (key, value) = (key_start..equals, equals + 1..length - 1);
    let is_text = matches!(&bytes[key.clone()], b"path" | b"linkpath" | b"uname" | b"gname");
    let without_nul = if is_text { &value } else { &key };
    if key.is_empty() || memchr(0, &bytes[without_nul.clone()]).is_some() {
        return None;
    }
    Some(Record { key, value, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One record, with its length.
    fn text(key: &str, value: &str) -> Vec<u8> {
        let rest = key.len() + value.len() + 3;
        let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
        format!("{length} {key}={value}\n").into_bytes()
    }

    fn records(bytes: &[u8]) -> Result<Records, Fault> {
        let mut records = Records::default();
        records.replace(bytes).map(|()| records)
    }

    #[track_caller]
    fn check_damaged(bytes: &[u8]) {
        assert_eq!(records(bytes).err(), Some(Fault::Record), "{}", bytes.escape_ascii());
    }

    #[test]
    fn the_last_of_a_key_counts_and_an_empty_one_takes_it_back() {
        let text = [text("uid", "12"), text("uid", "3"), text("gid", "1"), text("gid", "")];
        let records = records(&text.concat()).unwrap();
        assert_eq!((records.uid(), records.gid()), (Ok(Some(3)), Ok(None)));
    }

    #[test]
    fn what_has_not_the_form_of_a_record_is_refused() {
        check_damaged(b"99 path=x\n");
        check_damaged(b"10 path=xy");
        check_damaged(b"9 pathxy\n");
        check_damaged(b"4 =\n");
        check_damaged(b"6 =ab\n");
        check_damaged(b"-5 a=b\n");
        check_damaged(b"10 path=\0x\n");
        check_damaged(b"7 \0a=b\n");
        check_damaged(b"8 a=b\n\0\0\0");
    }

    #[test]
    fn attributes_are_those_of_star() {
        let text = [text("SCHILY.xattr.user.a", "one"), text("LIBARCHIVE.xattr.user.b", "b25l")];
        let records = records(&text.concat()).unwrap();
        assert_eq!(records.xattr(b"user.a"), Some(&b"one"[..]));
        assert_eq!(records.xattr(b"user.b"), None);
    }

    #[test]
    fn offsets_and_lengths_come_by_turns() {
        let offset = text("GNU.sparse.offset", "1");
        let length = text("GNU.sparse.numbytes", "2");
        let both = records(&[&offset[..], &length].concat()).unwrap();
        assert_eq!(both.sparse_map(), b"1,2");
        assert_eq!(both.sparse_version(), Some(SparseVersion::V0));
        check_damaged(&length);
        check_damaged(&[&offset[..], &offset].concat());
    }

    #[test]
    fn versions_of_sparse_files_that_go_does_not_know_are_plain_files() {
        let version = |text: &[u8]| records(text).unwrap().sparse_version();
        let map = text("GNU.sparse.map", "0,1");
        let major = |number| text("GNU.sparse.major", number);
        let minor = |number| text("GNU.sparse.minor", number);
        assert_eq!(version(&map), Some(SparseVersion::V0));
        assert_eq!(version(&[major("1"), minor("0")].concat()), Some(SparseVersion::V1));
        assert_eq!(version(&[major("0"), minor("1")].concat()), Some(SparseVersion::V0));
        assert_eq!(version(&[&major("0")[..], &map].concat()), None);
        assert_eq!(version(&[&minor("1")[..], &map].concat()), None);
        assert_eq!(version(&[&major("1")[..], &minor("7"), &map].concat()), None);
    }
}
