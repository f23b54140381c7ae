//! Reading a bbolt database (<https://github.com/etcd-io/bbolt>), as much as it takes to look
//! a key up: two meta pages, of which the newer whole one holds, and B+trees of branch and
//! leaf pages. Values of some keys are trees themselves (buckets).
//!
//! The database may be in use. A change writes into pages that the tree before it did not
//! have, and its own meta page last; so what was read is whole if the newer meta page is
//! afterwards the one from before. [`Database::view`] looks, and else reads again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::fault;
use inscan_facts::error::broken;

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const META: u16 = 0x04;
/// A leaf's element that is a bucket.
const BUCKET: u32 = 0x01;
const PAGE_HEADER: usize = 16;
const ELEMENT: usize = 16;
/// A page that continues over others, as for a large value.
const MAX_PAGE_BYTES: u64 = 16 << 20;
/// Of pages that branch: each halves at least what is below it.
const MAX_DEPTH: usize = 32;
/// Elements of a bucket that are listed.
const MAX_LISTED: usize = 100_000;
const MAX_ATTEMPTS: usize = 20;

pub(super) struct Database {
    file: File,
    page_size: u64,
}

/// The newer meta page that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meta {
    page_size: u32,
    root: u64,
    transaction: u64,
}

/// A bucket: in pages of its own, or, where it is small, in its parent's value.
#[derive(Clone, Debug)]
pub(super) enum Bucket {
    Root(u64),
    Inline(Vec<u8>),
}

impl Database {
    pub(super) fn new(file: File) -> anyhow::Result<Self> {
        let mut database = Database { file, page_size: 0 };
        database.page_size = u64::from(database.meta()?.page_size);
        Ok(database)
    }

    /// Reads through the root bucket, and again where the database changed meanwhile.
    pub(super) fn view<T>(
        &self,
        read: impl Fn(&Self, &Bucket) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        for _ in 0..MAX_ATTEMPTS {
            let before = self.meta()?;
            let outcome = read(self, &Bucket::Root(before.root));
            // With the same transaction, nothing of what was read can have been written over.
            if self.meta()?.transaction == before.transaction {
                return outcome;
            }
        }
        Err(broken("the database changes faster than it can be read; try again"))
    }

    /// A bucket in a bucket; `None` where there is none.
    pub(super) fn bucket(&self, within: &Bucket, name: &[u8]) -> anyhow::Result<Option<Bucket>> {
        match self.get(within, name)? {
            Some((flags, value)) if flags & BUCKET != 0 => bucket_of(&value).map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn value(&self, within: &Bucket, key: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.get(within, key)?.filter(|(flags, _)| flags & BUCKET == 0).map(|(_, value)| value))
    }

    /// The names of the buckets in a bucket.
    pub(super) fn names(&self, within: &Bucket) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        let mut left = vec![(self.root_page(within)?, 0)];
        while let Some((page, depth)) = left.pop() {
            for at in 0..page.count() {
                let element = page.element(at)?;
                if names.len() + left.len() >= MAX_LISTED {
                    return Err(fault::over_limit("the database has too many names to list"));
                }
                match page.is_leaf() {
                    true if element.flags & BUCKET != 0 => names.push(element.key.to_vec()),
                    true => {}
                    false if depth == MAX_DEPTH => return Err(damaged("its trees are too deep")),
                    false => left.push((self.page(element.child)?, depth + 1)),
                }
            }
        }
        names.sort();
        Ok(names)
    }

    fn get(&self, within: &Bucket, key: &[u8]) -> anyhow::Result<Option<(u32, Vec<u8>)>> {
        let mut page = self.root_page(within)?;
        for _ in 0..=MAX_DEPTH {
            if page.is_leaf() {
                for at in 0..page.count() {
                    let element = page.element(at)?;
                    if element.key == key {
                        return Ok(Some((element.flags, element.value.to_vec())));
                    }
                }
                return Ok(None);
            }
            // The last child whose first key is not behind the one looked for.
            let mut child = None;
            for at in 0..page.count() {
                let element = page.element(at)?;
                if element.key > key {
                    break;
                }
                child = Some(element.child);
            }
            let Some(child) = child else { return Ok(None) };
            page = self.page(child)?;
        }
        Err(damaged("its trees are too deep"))
    }

    fn root_page(&self, bucket: &Bucket) -> anyhow::Result<Page> {
        match bucket {
            Bucket::Root(id) => self.page(*id),
            Bucket::Inline(bytes) => Page::new(bytes.clone()),
        }
    }

    fn page(&self, id: u64) -> anyhow::Result<Page> {
        let offset = id.checked_mul(self.page_size).ok_or_else(|| damaged("a page is nowhere"))?;
        let first = self.bytes(offset, self.page_size)?;
        let more = u64::from(number32(&first, 12)?);
        if more == 0 {
            return Page::new(first);
        }
        let length = more.saturating_add(1).saturating_mul(self.page_size);
        if length > MAX_PAGE_BYTES {
            return Err(damaged("a page is too large"));
        }
        Page::new(self.bytes(offset, length)?)
    }

    fn bytes(&self, offset: u64, length: u64) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length)?];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("a page is behind its end"),
            _ => error.into(),
        })?;
        Ok(bytes)
    }

    fn meta(&self) -> anyhow::Result<Meta> {
        let first = self.meta_at(0);
        // Where the first is damaged, the size of pages is not known: it is that of the machine
        // that wrote them.
        let sizes = match (&first, self.page_size) {
            (Some(meta), _) => vec![u64::from(meta.page_size)],
            (None, 0) => vec![4096, 8192, 16384, 65536],
            (None, size) => vec![size],
        };
        let second = sizes.into_iter().find_map(|size| self.meta_at(size));
        match (first, second) {
            (Some(one), Some(other)) if other.transaction > one.transaction => Ok(other),
            (Some(meta), _) | (None, Some(meta)) => Ok(meta),
            (None, None) => Err(damaged("it has no meta page")),
        }
    }

    fn meta_at(&self, offset: u64) -> Option<Meta> {
        let bytes = self.bytes(offset, 80).ok()?;
        if number16(&bytes, 8).ok()? & META == 0 {
            return None;
        }
        let meta = bytes.get(PAGE_HEADER..)?;
        let page_size = number32(meta, 8).ok()?;
        let valid = number32(meta, 0).ok()? == MAGIC
            && number32(meta, 4).ok()? == VERSION
            && number64(meta, 56).ok()? == fnv64a(&meta[..56])
            && page_size.is_power_of_two()
            && (512..=1 << 20).contains(&page_size);
        valid.then_some(())?;
        Some(Meta {
            page_size,
            root: number64(meta, 16).ok()?,
            transaction: number64(meta, 48).ok()?,
        })
    }
}

/// Its root's page, and a sequence; an inline one has its page behind them.
fn bucket_of(value: &[u8]) -> anyhow::Result<Bucket> {
    match number64(value, 0)? {
        0 => Ok(Bucket::Inline(value.get(16..).unwrap_or_default().to_vec())),
        root => Ok(Bucket::Root(root)),
    }
}

struct Page {
    bytes: Vec<u8>,
    flags: u16,
    count: usize,
}

struct Element<'a> {
    flags: u32,
    key: &'a [u8],
    /// Of leaves.
    value: &'a [u8],
    /// Of branches.
    child: u64,
}

impl Page {
    fn new(bytes: Vec<u8>) -> anyhow::Result<Self> {
        let flags = number16(&bytes, 8)?;
        let count = usize::from(number16(&bytes, 10)?);
        if flags & (BRANCH | LEAF) == 0 || PAGE_HEADER + count * ELEMENT > bytes.len() {
            return Err(damaged("a page is neither branch nor leaf"));
        }
        Ok(Page { bytes, flags, count })
    }

    fn is_leaf(&self) -> bool {
        self.flags & LEAF != 0
    }

    fn count(&self) -> usize {
        self.count
    }

    fn element(&self, at: usize) -> anyhow::Result<Element<'_>> {
        let start = PAGE_HEADER + at * ELEMENT;
        let field = |offset| number32(&self.bytes, start + offset);
        let slice = |from: usize, length: u32| {
            let end = usize::try_from(length).ok().and_then(|length| from.checked_add(length));
            end.and_then(|end| self.bytes.get(from..end))
                .ok_or_else(|| damaged("an element is nowhere"))
        };
        let within = |offset: u32| start.saturating_add(offset as usize);
        if self.is_leaf() {
            let (flags, position) = (field(0)?, within(field(4)?));
            let key = slice(position, field(8)?)?;
            let value = slice(position.saturating_add(key.len()), field(12)?)?;
            return Ok(Element { flags, key, value, child: 0 });
        }
        let key = slice(within(field(0)?), field(4)?)?;
        Ok(Element { flags: 0, key, value: &[], child: number64(&self.bytes, start + 8)? })
    }
}

/// Numbers are as the machine writes them; the machines containerd runs on are little-endian,
/// but for s390x, whose meta page is not recognised here.
fn number16(bytes: &[u8], at: usize) -> anyhow::Result<u16> {
    read(bytes, at).map(u16::from_le_bytes)
}

fn number32(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    read(bytes, at).map(u32::from_le_bytes)
}

fn number64(bytes: &[u8], at: usize) -> anyhow::Result<u64> {
    read(bytes, at).map(u64::from_le_bytes)
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> anyhow::Result<[u8; N]> {
    let field = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    field.copied().ok_or_else(|| damaged("a field is cut off"))
}

fn fnv64a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn damaged(why: &str) -> anyhow::Error {
    fault::damaged(format!("the database is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const PAGE: usize = 4096;

    fn leaf(elements: &[(u32, &[u8], Vec<u8>)]) -> Vec<u8> {
        page(LEAF, elements.len(), |at, data| {
            let (flags, key, value) = &elements[at];
            let position = (elements.len() - at) * ELEMENT + data.len();
            data.extend([key, &value[..]].concat());
            [*flags, position as u32, key.len() as u32, value.len() as u32]
                .map(u32::to_le_bytes)
                .concat()
        })
    }

    fn branch(children: &[(&[u8], u64)]) -> Vec<u8> {
        page(BRANCH, children.len(), |at, data| {
            let (key, child) = children[at];
            let position = (children.len() - at) * ELEMENT + data.len();
            data.extend(key);
            let mut element = [position as u32, key.len() as u32].map(u32::to_le_bytes).concat();
            element.extend(child.to_le_bytes());
            element
        })
    }

    fn page(flags: u16, count: usize, element: impl Fn(usize, &mut Vec<u8>) -> Vec<u8>) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        bytes.extend([flags.to_le_bytes(), (count as u16).to_le_bytes(), [0; 2], [0; 2]].concat());
        let mut data = Vec::new();
        (0..count).for_each(|at| bytes.extend(element(at, &mut data)));
        bytes.extend(data);
        bytes
    }

    fn meta(root: u64, transaction: u64) -> Vec<u8> {
        let mut meta = [MAGIC, VERSION, PAGE as u32, 0].map(u32::to_le_bytes).concat();
        meta.extend([root, 0, 0, 9, transaction].map(u64::to_le_bytes).concat());
        meta.extend(fnv64a(&meta).to_le_bytes());
        let mut bytes = page(META, 0, |_, _| Vec::new());
        bytes.extend(meta);
        bytes
    }

    fn database(pages: &[Vec<u8>]) -> anyhow::Result<Database> {
        let mut file = tempfile::NamedTempFile::new()?;
        for page in pages {
            let mut page = page.clone();
            page.resize(PAGE, 0);
            file.write_all(&page)?;
        }
        Database::new(File::open(file.path())?)
    }

    /// Two branches deep, with an inline bucket.
    fn pages() -> Vec<Vec<u8>> {
        let inline = [vec![0; 16], leaf(&[(0, b"key", b"value".to_vec())])].concat();
        vec![
            meta(99, 1),
            meta(2, 2),
            branch(&[(b"a", 3), (b"m", 4)]),
            leaf(&[(0, b"a", b"1".to_vec()), (BUCKET, b"b", inline)]),
            leaf(&[
                (BUCKET, b"m", [5u64, 0].map(u64::to_le_bytes).concat()),
                (0, b"z", b"26".to_vec()),
            ]),
            leaf(&[(0, b"deep", b"yes".to_vec())]),
        ]
    }

    #[test]
    fn keys_and_buckets_are_found_through_the_newer_meta_page() {
        let found = database(&pages()).unwrap().view(|database, root| {
            let inline = database.bucket(root, b"b")?.unwrap();
            let paged = database.bucket(root, b"m")?.unwrap();
            assert_eq!(database.names(root)?, [b"b".to_vec(), b"m".to_vec()]);
            assert!(database.bucket(root, b"a")?.is_none());
            assert!(database.value(root, b"A")?.is_none());
            assert!(database.value(root, b"n")?.is_none());
            Ok([
                database.value(root, b"z")?,
                database.value(&inline, b"key")?,
                database.value(&paged, b"deep")?,
            ])
        });
        let expected = [&b"26"[..], b"value", b"yes"].map(|value| Some(value.to_vec()));
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn the_other_meta_page_holds_where_one_is_damaged() {
        let mut pages = pages();
        pages[0][70] ^= 1;
        assert!(database(&pages).unwrap().view(|it, root| it.value(root, b"z")).unwrap().is_some());
        pages[1][70] ^= 1;
        assert!(database(&pages).is_err());
    }

    #[test]
    fn trees_that_lead_into_themselves_end() {
        let mut pages = pages();
        pages[3] = branch(&[(b"a", 2)]);
        let database = database(&pages).unwrap();
        assert!(database.view(|it, root| it.value(root, b"a")).is_err());
        assert!(database.view(|it, root| it.names(root)).is_err());
    }

    #[test]
    fn any_byte_may_be_wrong() {
        let pages = pages();
        for (number, page) in pages.iter().enumerate() {
            for at in 0..page.len() {
                let mut damaged = pages.clone();
                damaged[number][at] ^= 0xff;
                let Ok(database) = database(&damaged) else { continue };
                let _ = database.view(|it, root| {
                    let _ = it.value(root, b"z");
                    let _ = it.bucket(root, b"m").map(|found| found.map(|it_| it.names(&it_)));
                    let _ =
                        it.bucket(root, b"b").map(|found| found.map(|it_| it.value(&it_, b"key")));
                    it.names(root)
                });
            }
        }
    }
}
