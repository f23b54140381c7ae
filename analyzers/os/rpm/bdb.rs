//! Berkeley DB hash files: `Packages` of rpm up to 4.15 (RHEL 8 and older).
//!
//! A file of pages. Page 0 says how many buckets there are; each bucket is a
//! chain of hash pages with key and value items, and a large value lies in a
//! chain of overflow pages. Numbers are in the byte order of the machine that
//! made the file. Layout: `db_page.h` and `hash.h` of
//! <https://github.com/berkeleydb/libdb/tree/master/src/dbinc>.
//!
//! The buckets are followed, as the library does. Searching all pages for headers
//! would also find removed packages, which freed pages still hold.

use std::borrow::Cow;

use super::bytes::{Order, slice};
use super::{MAX_RECORD, Sink};
use crate::{Error, Result};

const MAGIC: u32 = 0x0006_1561;
/// The layout of what is read here did not change between these (DB 3.1 to 18).
const VERSIONS: std::ops::RangeInclusive<u32> = 7..=10;

const HASH_META_PAGE: u8 = 8;
const OVERFLOW_PAGE: u8 = 7;
/// Sorted and, before DB 4.6, unsorted.
const HASH_PAGES: [u8; 2] = [13, 2];

const PAGE_HEADER: usize = 26;
const SPARES: usize = 96;
const MAX_SPARES: usize = 32;

pub(super) fn is_bdb(file: &[u8]) -> bool {
    byte_order(file).is_some()
}

/// Hands over every record but number 0, which counts the others.
pub(super) fn records(file: &[u8], sink: Sink<'_>) -> Result<()> {
    let mut database = Database::open(file)?;
    let buckets = database.buckets();
    if buckets > database.pages() {
        sink(Err(Error::at_offset(
            72,
            format!("`{buckets}` buckets in a file of {} pages", database.pages()),
        )));
    }
    for bucket in 0..buckets.min(database.pages()) {
        if let Err(error) = database.bucket(bucket, sink) {
            sink(Err(error));
        }
    }
    let lost = (1..database.pages()).filter(|&page| database.is_lost(page)).count();
    if lost > 0 {
        sink(Err(Error::new(format!("{lost} pages with records do not belong to a bucket"))));
    }
    Ok(())
}

struct Database<'a> {
    file: &'a [u8],
    order: Order,
    page_size: usize,
    /// Pages visited so far. Each page belongs to one chain: a second visit is a loop or
    /// a forgery.
    visited: Vec<bool>,
}

struct Page<'a> {
    number: usize,
    bytes: &'a [u8],
    kind: u8,
    next: usize,
    /// Of a hash page: how many items.
    entries: usize,
    /// Of an overflow page: how many bytes of the value.
    len: usize,
}

impl<'a> Database<'a> {
    fn open(file: &'a [u8]) -> Result<Self> {
        let order =
            byte_order(file).ok_or_else(|| Error::at_offset(12, "not a Berkeley DB hash file"))?;
        let field = |at| order.u32(file, at).unwrap_or_default();
        let flag = |at| file.get(at).copied().unwrap_or_default();
        if !VERSIONS.contains(&field(16)) {
            let message = format!("hash version `{}` of Berkeley DB is not supported", field(16));
            return Err(Error::at_offset(16, message));
        }
        let page_size = field(20) as usize;
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(Error::at_offset(20, format!("page size `{page_size}` is not supported")));
        }
        if flag(24) != 0 || flag(26) & 1 != 0 {
            // Both make the page header longer; rpm uses neither.
            return Err(Error::at_offset(24, "encrypted or checksummed pages are not supported"));
        }
        if flag(25) != HASH_META_PAGE {
            return Err(Error::at_offset(25, format!("first page has type `{}`", flag(25))));
        }
        let visited = vec![false; file.len() / page_size];
        Ok(Database { file, order, page_size, visited })
    }

    /// Whole pages in the file.
    fn pages(&self) -> usize {
        self.visited.len()
    }

    fn buckets(&self) -> usize {
        self.order.size(self.file, 72).unwrap_or_default().saturating_add(1)
    }

    /// Buckets are added by doubling, and each doubling lies in one piece: the
    /// meta page says how far its pages are shifted.
    fn bucket_page(&self, bucket: usize) -> Option<usize> {
        let doubling = (bucket + 1).next_power_of_two().trailing_zeros() as usize;
        if doubling >= MAX_SPARES {
            return None;
        }
        bucket.checked_add(self.order.size(self.file, SPARES + 4 * doubling)?)
    }

    fn bucket(&mut self, bucket: usize, sink: Sink<'_>) -> Result<()> {
        let Some(mut number) = self.bucket_page(bucket) else {
            return Err(Error::new(format!("bucket `{bucket}` has no page")));
        };
        loop {
            let page = self.visit(number)?;
            if page.kind == 0 && page.entries == 0 {
                // A doubling makes room for buckets that are not yet in use.
                return Ok(());
            }
            if !HASH_PAGES.contains(&page.kind) {
                return Err(self.error(&page, format!("type `{}` in a bucket", page.kind)));
            }
            self.hash_page(&page, sink);
            if page.next == 0 {
                return Ok(());
            }
            number = page.next;
        }
    }

    fn hash_page(&mut self, page: &Page<'a>, sink: Sink<'_>) {
        if page.entries % 2 == 1 {
            sink(Err(self.error(page, format!("a key without a value among `{}`", page.entries))));
        }
        for pair in 0..page.entries / 2 {
            let (key, value) = (self.item(page, 2 * pair), self.item(page, 2 * pair + 1));
            let Some((key, value)) = key.zip(value) else {
                // Each item begins before the one in front of it, so what follows is lost too.
                sink(Err(self.error(page, format!("item `{pair}` lies outside"))));
                return;
            };
            if key.get(1..).is_some_and(|key| key.iter().all(|&byte| byte == 0)) {
                continue;
            }
            match self.value(page, value) {
                Ok(value) => sink(Ok(&value)),
                Err(error) => sink(Err(error)),
            }
        }
    }

    /// Items fill a page from its end: each reaches to the begin of the one before.
    fn item(&self, page: &Page<'a>, index: usize) -> Option<&'a [u8]> {
        let begin =
            |index: usize| self.order.u16(page.bytes, PAGE_HEADER + 2 * index).map(usize::from);
        let end = if index == 0 { self.page_size } else { begin(index - 1)? };
        page.bytes.get(begin(index)?..end).filter(|item| !item.is_empty())
    }

    fn value(&mut self, page: &Page<'_>, item: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        match item.first() {
            Some(1) => Ok(Cow::Borrowed(&item[1..])),
            Some(3) => {
                let fields = self.order.size(item, 4).zip(self.order.size(item, 8));
                let (first, len) =
                    fields.ok_or_else(|| self.error(page, "a value's address is cut".into()))?;
                self.overflow(first, len).map(Cow::Owned)
            }
            kind => Err(self.error(page, format!("a value of kind `{}`", kind.unwrap_or(&0)))),
        }
    }

    fn overflow(&mut self, first: usize, len: usize) -> Result<Vec<u8>> {
        if len > MAX_RECORD.min(self.file.len()) {
            let file = self.file.len();
            return Err(Error::new(format!(
                "a record of `{len}` bytes is too long (the file has {file})"
            )));
        }
        let mut value = Vec::with_capacity(len);
        let mut number = first;
        while value.len() < len {
            let page = self.visit(number)?;
            if page.kind != OVERFLOW_PAGE {
                return Err(self.error(&page, format!("type `{}` in a value", page.kind)));
            }
            let part = slice(page.bytes, PAGE_HEADER, page.len)
                .ok_or_else(|| self.error(&page, format!("`{}` bytes of a value", page.len)))?;
            value.extend_from_slice(&part[..part.len().min(len - value.len())]);
            number = page.next;
        }
        Ok(value)
    }

    fn visit(&mut self, number: usize) -> Result<Page<'a>> {
        let page = self.page(number).ok_or_else(|| {
            Error::new(format!("page `{number}` of {} is missing", self.visited.len()))
        })?;
        if number == 0 || std::mem::replace(&mut self.visited[number], true) {
            return Err(self.error(&page, format!("page `{number}` is used twice")));
        }
        Ok(page)
    }

    fn page(&self, number: usize) -> Option<Page<'a>> {
        let bytes = slice(self.file, number.checked_mul(self.page_size)?, self.page_size)?;
        Some(Page {
            number,
            bytes,
            kind: *bytes.get(25)?,
            next: self.order.size(bytes, 16)?,
            entries: self.order.u16(bytes, 20)?.into(),
            len: self.order.u16(bytes, 22)?.into(),
        })
    }

    /// A hash page with records that no bucket led to: free pages have no type.
    fn is_lost(&self, number: usize) -> bool {
        !self.visited[number]
            && self
                .page(number)
                .is_some_and(|page| HASH_PAGES.contains(&page.kind) && page.entries > 0)
    }

    fn error(&self, page: &Page<'_>, message: String) -> Error {
        let offset = (page.number * self.page_size) as u64;
        Error::at_offset(offset, message)
    }
}

fn byte_order(file: &[u8]) -> Option<Order> {
    [Order::Little, Order::Big].into_iter().find(|order| order.u32(file, 12) == Some(MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::rpm::tests::{fixture, packages, told};

    const PAGE: usize = 512;

    /// The fixture with one change: how many packages are left, and the first problem.
    #[track_caller]
    fn check(change: impl Fn(&mut [u8]), expected_packages: usize, problem: &str) {
        let mut file = fixture("bdb/var/lib/rpm/Packages");
        change(&mut file);
        let (packages, problems) = packages(&file, None);
        assert_eq!(packages.len(), expected_packages);
        assert_eq!(problems.first().map(Error::to_string).as_deref(), Some(problem));
    }

    fn pages(file: &[u8], kind: u8) -> impl Iterator<Item = usize> {
        let pages = (0..file.len() / PAGE).map(|page| page * PAGE);
        pages.filter(move |page| file[page + 25] == kind)
    }

    #[test]
    fn a_loop_of_pages_ends_the_record_and_the_others_go_on() {
        let tie = |file: &mut [u8]| {
            let page = pages(file, OVERFLOW_PAGE).next().unwrap();
            file[page + 16..page + 20].copy_from_slice(&(page as u32 / 512).to_le_bytes());
        };
        let file = fixture("bdb/var/lib/rpm/Packages");
        let page = pages(&file, OVERFLOW_PAGE).next().unwrap();
        let problem = format!("offset {page}: page `{}` is used twice", page / PAGE);
        check(tie, 6, &problem);
    }

    #[test]
    fn a_record_longer_than_the_file_is_not_made_room_for() {
        let enlarge = |file: &mut [u8]| {
            let number = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
            let items = |page: usize| {
                (0..number(page + 20)).map(move |item| page + number(page + PAGE_HEADER + 2 * item))
            };
            let in_overflow = pages(file, 13).flat_map(items).find(|&item| file[item] == 3);
            let len = in_overflow.expect("a long record") + 8;
            file[len..len + 4].fill(0xff);
        };
        let len = fixture("bdb/var/lib/rpm/Packages").len();
        check(
            enlarge,
            6,
            &format!("a record of `4294967295` bytes is too long (the file has {len})"),
        );
    }

    #[test]
    fn records_that_no_bucket_leads_to_are_a_problem() {
        check(|file| file[72..76].fill(0), 1, "3 pages with records do not belong to a bucket");
    }

    #[test]
    fn what_the_first_page_says_is_not_believed() {
        check(
            |file| file[16] = 6,
            0,
            "offset 16: hash version `6` of Berkeley DB is not supported",
        );
        check(|file| file[20..24].fill(0), 0, "offset 20: page size `0` is not supported");
        check(|file| file[20] = 1, 0, "offset 20: page size `513` is not supported");
        check(|file| file[25] = 9, 0, "offset 25: first page has type `9`");
        check(
            |file| file[24] = 1,
            0,
            "offset 24: encrypted or checksummed pages are not supported",
        );
        check(
            |file| file[72..76].fill(0xff),
            7,
            "offset 72: `4294967296` buckets in a file of 43 pages",
        );
    }

    #[test]
    fn a_removed_package_is_not_carved_out_of_free_pages() {
        let file = fixture("bdb/var/lib/rpm/Packages");
        assert!(file.windows(5).any(|bytes| bytes == b"gone\0"));
        assert!(!told(packages(&file, None)).iter().any(|package| package.contains("gone")));
    }
}
