//! SQLite: `rpmdb.sqlite` of rpm 4.16 and later (RHEL 9, Fedora, Azure Linux).
//!
//! A file of pages that form one b-tree for each table; a row too long for its
//! page goes on in a chain of overflow pages. One table is read,
//! `Packages(hnum INTEGER PRIMARY KEY, blob BLOB)`. An image often ships the
//! last changes only in the write-ahead log beside the database, so its pages
//! stand in front of the file's. <https://www.sqlite.org/fileformat2.html>

use std::borrow::Cow;

use super::bytes::{Order, slice};
use super::wal::{self, Wal};
use super::{MAX_RECORD, Sink};
use crate::{Error, Result};

pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

const FILE_HEADER: usize = 100;
const INTERIOR_PAGE: u8 = 5;
const LEAF_PAGE: u8 = 13;

/// The schema is a few kilobytes; its rows are short.
const MAX_SCHEMA_ROW: usize = 1 << 20;

pub(super) fn is_sqlite(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// Hands over every record of the database as it is with its write-ahead log replayed.
pub(super) fn records(file: &[u8], log: Option<&[u8]>, sink: Sink<'_>) -> Result<()> {
    let wal = match log.map(wal::replay) {
        Some(Ok(wal)) => wal,
        Some(Err(error)) => {
            sink(Err(error));
            Wal::default()
        }
        None => Wal::default(),
    };
    let mut database = Database::open(file, wal)?;
    let Some(root) = database.root_of(b"Packages", sink)? else {
        return Err(Error::new("no table `Packages`"));
    };
    database.rows(root, MAX_RECORD, &mut |row| match row.map(|row| column(row, 1)) {
        Ok(Some(Value::Bytes(blob))) => sink(Ok(blob)),
        Ok(_) => sink(Err(Error::new("a row of `Packages` without a blob"))),
        Err(error) => sink(Err(error)),
    });
    Ok(())
}

struct Database<'a> {
    file: &'a [u8],
    wal: Wal<'a>,
    page_size: usize,
    /// A page without the bytes reserved at its end.
    usable: usize,
    pages: usize,
    /// Each page belongs to one tree or chain: a second visit is a loop.
    visited: Vec<bool>,
}

impl<'a> Database<'a> {
    fn open(file: &'a [u8], wal: Wal<'a>) -> Result<Self> {
        let first = wal.page(1).unwrap_or(file);
        if !is_sqlite(first) {
            return Err(Error::at_offset(0, "not an SQLite database"));
        }
        let page_size = match Order::Big.u16(first, 16).unwrap_or_default() {
            1 => 65536,
            size => usize::from(size),
        };
        if !page_size.is_power_of_two() || page_size < 512 {
            return Err(Error::at_offset(16, format!("page size `{page_size}` is not supported")));
        }
        if wal.page_size.is_some_and(|size| size != page_size) {
            return Err(Error::at_offset(16, "write-ahead log and database differ in page size"));
        }
        let reserved = first.get(20).copied().unwrap_or_default();
        let usable = page_size - usize::from(reserved);
        if usable < 480 {
            return Err(Error::at_offset(20, format!("`{reserved}` bytes reserved in each page")));
        }
        // The log may make the database longer than the file, but not longer than both together.
        let in_file = file.len().div_ceil(page_size);
        let pages = wal.pages.unwrap_or(in_file).min(in_file + wal.frames());
        Ok(Database { file, wal, page_size, usable, pages, visited: vec![false; pages + 1] })
    }

    /// The first page of a table, by the schema, which is the table of page 1.
    fn root_of(&mut self, table: &[u8], sink: Sink<'_>) -> Result<Option<usize>> {
        let mut root = None;
        self.rows(1, MAX_SCHEMA_ROW, &mut |row| match row {
            Ok(row) => {
                let is_table = column(row, 0) == Some(Value::Bytes(b"table"))
                    && column(row, 1) == Some(Value::Bytes(table));
                if is_table && let Some(Value::Number(page)) = column(row, 3) {
                    root = usize::try_from(page).ok();
                }
            }
            Err(error) => sink(Err(error)),
        });
        Ok(root)
    }

    /// Every row of the b-tree below a page, in order.
    fn rows(&mut self, root: usize, max_row: usize, row: Sink<'_>) {
        let mut open = vec![root];
        while let Some(number) = open.pop() {
            if let Err(error) = self.page_rows(number, max_row, &mut open, row) {
                row(Err(error));
            }
        }
    }

    fn page_rows(
        &mut self,
        number: usize,
        max_row: usize,
        open: &mut Vec<usize>,
        row: Sink<'_>,
    ) -> Result<()> {
        let page = self.visit(number)?;
        let start = if number == 1 { FILE_HEADER } else { 0 };
        let error = |message: &str| Error::new(format!("page `{number}`: {message}"));
        let kind = page.get(start).copied().unwrap_or_default();
        let cells = Order::Big.u16(page, start + 3).unwrap_or_default();
        let pointers = match kind {
            INTERIOR_PAGE => start + 12,
            LEAF_PAGE => start + 8,
            _ => return Err(error(&format!("type `{kind}` in a table"))),
        };
        // The shortest possible cell, with its pointer. Cells do not overlap.
        if usize::from(cells) * 6 > page.len() {
            return Err(error(&format!("`{cells}` cells")));
        }
        let mut left = page.len();
        let children = open.len();
        for cell in 0..usize::from(cells) {
            let at = Order::Big.u16(page, pointers + 2 * cell).map(usize::from);
            let Some(cell) = at.and_then(|at| page.get(at..)) else {
                row(Err(error("a cell outside of the page")));
                continue;
            };
            if kind == LEAF_PAGE {
                match self.payload(cell, max_row, &mut left) {
                    Ok(payload) => row(Ok(&payload)),
                    Err(problem) => row(Err(error(&problem.to_string()))),
                }
            } else {
                open.extend(Order::Big.size(cell, 0));
            }
        }
        if kind == INTERIOR_PAGE {
            open.extend(Order::Big.size(page, start + 8));
        }
        open[children..].reverse();
        Ok(())
    }

    /// The row of a leaf's cell: its length, its number, its begin, and where it goes on.
    fn payload(
        &mut self,
        cell: &'a [u8],
        max_row: usize,
        left: &mut usize,
    ) -> Result<Cow<'a, [u8]>> {
        let cut = || Error::new("a cell is cut");
        let (len, rest) = varint(cell).ok_or_else(cut)?;
        let (_, rest) = varint(rest).ok_or_else(cut)?;
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= max_row.min(self.pages.saturating_mul(self.page_size)))
            .ok_or_else(|| Error::new(format!("a row of `{len}` bytes")))?;
        let local = self.local_len(len);
        let begin = rest.get(..local).ok_or_else(cut)?;
        *left = left.checked_sub(local).ok_or_else(|| Error::new("cells overlap"))?;
        if local == len {
            return Ok(Cow::Borrowed(begin));
        }
        let next = Order::Big.size(rest, local).ok_or_else(cut)?;
        self.overflow(begin, next, len).map(Cow::Owned)
    }

    /// How much of a row its leaf holds. The formula is the format's.
    fn local_len(&self, len: usize) -> usize {
        let most = self.usable - 35;
        let least = (self.usable - 12) * 32 / 255 - 23;
        if len <= most {
            return len;
        }
        let filling = least + (len - least) % (self.usable - 4);
        if filling <= most { filling } else { least }
    }

    fn overflow(&mut self, begin: &[u8], mut number: usize, len: usize) -> Result<Vec<u8>> {
        let mut row = Vec::with_capacity(len);
        row.extend_from_slice(begin);
        while row.len() < len {
            let page = self.visit(number)?;
            let part = page.get(4..self.usable).unwrap_or_default();
            row.extend_from_slice(&part[..part.len().min(len - row.len())]);
            number = Order::Big.size(page, 0).unwrap_or_default();
        }
        Ok(row)
    }

    fn visit(&mut self, number: usize) -> Result<&'a [u8]> {
        let page = self
            .page(number)
            .ok_or_else(|| Error::new(format!("page `{number}` of {} is missing", self.pages)))?;
        if std::mem::replace(&mut self.visited[number], true) {
            return Err(Error::new(format!("page `{number}` is used twice")));
        }
        Ok(page)
    }

    fn page(&self, number: usize) -> Option<&'a [u8]> {
        if number == 0 || number > self.pages {
            return None;
        }
        let number = u32::try_from(number).ok()?;
        self.wal.page(number).or_else(|| {
            slice(self.file, (number as usize - 1).checked_mul(self.page_size)?, self.page_size)
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Bytes(&'a [u8]),
    Number(i64),
    Other,
}

/// A column of a row: a list of types, then the values one after the other.
fn column(row: &[u8], wanted: usize) -> Option<Value<'_>> {
    let (head_len, mut types) = varint(row)?;
    let head_len = usize::try_from(head_len).ok()?;
    let head_begin = row.len() - types.len();
    types = row.get(head_begin..head_len)?;
    let mut at = head_len;
    for index in 0..=wanted {
        let (kind, rest) = varint(types)?;
        types = rest;
        let len = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let bytes = slice(row, at, len)?;
        if index == wanted {
            return Some(match kind {
                1..=6 => Value::Number(integer(bytes)),
                12.. => Value::Bytes(bytes),
                _ => Value::Other,
            });
        }
        at += len;
    }
    None
}

fn integer(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |sum, &byte| (sum << 8) | i64::from(byte))
}

/// Seven bits a byte, the high bit says that more follows; the ninth byte gives all its bits.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some(((value << 8) | u64::from(byte), &bytes[9..]));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::rpm::tests::{check, fixture, packages};

    const FILE: &str = "sqlite/var/lib/rpm/rpmdb.sqlite";
    const PAGE: usize = 1024;

    #[test]
    fn numbers_are_seven_bits_a_byte() {
        assert_eq!(varint(&[0x7f, 1]), Some((127, &[1][..])));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, &[][..])));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, &[][..])));
        assert_eq!(varint(&[0xff; 8]), None);
    }

    #[test]
    fn a_row_is_types_then_values() {
        let row = b"\x05\x00\x01\x10\x02\xffhi\x01\x02";
        assert_eq!(column(row, 0), Some(Value::Other));
        assert_eq!(column(row, 1), Some(Value::Number(-1)));
        assert_eq!(column(row, 2), Some(Value::Bytes(b"hi")));
        assert_eq!(column(row, 3), Some(Value::Number(258)));
        assert_eq!(column(row, 4), None);
        assert_eq!(column(b"\x7f\x01", 0), None);
    }

    #[test]
    fn what_the_header_says_is_not_believed() {
        check(FILE, |file| file[16..18].fill(0), 0, &["offset 16: page size `0` is not supported"]);
        check(FILE, |file| file[17] = 1, 0, &["offset 16: page size `1025` is not supported"]);
        check(
            FILE,
            |file| {
                file[16..18].copy_from_slice(&512_u16.to_be_bytes());
                file[20] = 100;
            },
            0,
            &["offset 20: `100` bytes reserved in each page"],
        );
        check(
            FILE,
            |file| file.truncate(PAGE - 1),
            0,
            &["page `1` of 1 is missing", "no table `Packages`"],
        );
    }

    #[test]
    fn a_page_that_is_none_of_a_table_is_a_problem() {
        check(
            FILE,
            |file| file[100] = 10,
            0,
            &["page `1`: type `10` in a table", "no table `Packages`"],
        );
    }

    #[test]
    fn a_loop_of_pages_ends_the_row_and_the_others_go_on() {
        let mut file = fixture(FILE);
        let next = |page: usize| Order::Big.size(&file, (page - 1) * PAGE);
        let page = (3..file.len() / PAGE).find(|&page| next(page) == Some(page + 1)).unwrap();
        file[(page - 1) * PAGE..][..4].copy_from_slice(&(page as u32).to_be_bytes());
        let (packages, problems) = packages(&file, None);
        assert_eq!((packages.len(), problems.len()), (6, 1));
        assert!(problems[0].to_string().ends_with(&format!("page `{page}` is used twice")));
    }
}
