//! Maps of sparse files, and what their content is made of.

use crate::BLOCK;
use crate::error::Fault;
use crate::number::decimal;

/// A stored stretch of a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// In the file, not in the archive.
    pub offset: u64,
    pub length: u64,
}

/// What comes next in a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes that are stored.
    Stored(u64),
    /// So many zeros that are not.
    Hole(u64),
}

/// Where one is in a content, holes included.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    size: u64,
    is_sparse: bool,
    at: u64,
    fragment: usize,
}

impl Pieces {
    pub(crate) fn new(size: u64, is_sparse: bool) -> Self {
        Pieces { size, is_sparse, at: 0, fragment: 0 }
    }

    /// At the beginning of a sparse file of so many bytes.
    pub fn of_sparse(size: u64) -> Self {
        Pieces::new(size, true)
    }

    /// What comes next; `None` at the end. `fragments` are the entry's.
    pub fn next(&self, fragments: &[Fragment]) -> Option<Piece> {
        let left = self.size - self.at;
        if left == 0 {
            return None;
        }
        Some(match fragments.get(self.fragment) {
            _ if !self.is_sparse => Piece::Stored(left),
            None => Piece::Hole(left),
            Some(fragment) if self.at < fragment.offset => Piece::Hole(fragment.offset - self.at),
            Some(fragment) => Piece::Stored(fragment.offset + fragment.length - self.at),
        })
    }

    /// Goes on by so many bytes, at most as many as the next piece has.
    pub fn advance(&mut self, bytes: u64, fragments: &[Fragment]) {
        self.at += bytes;
        let ended = |fragment: &Fragment| fragment.offset + fragment.length <= self.at;
        if self.is_sparse && fragments.get(self.fragment).is_some_and(ended) {
            self.fragment += 1;
        }
    }
}

/// A map being put together: fragments in order, inside the file, at most so many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    end: i64,
}

impl Map {
    /// # Errors
    ///
    /// It is negative, not behind what was added before, beyond the file's `size`, or one too many.
    pub(crate) fn add(
        &mut self,
        fragments: &mut Vec<Fragment>,
        (offset, length): (i64, i64),
        size: i64,
        most: usize,
    ) -> Result<(), Fault> {
        let end = offset.checked_add(length).filter(|&end| end <= size).ok_or(Fault::Map)?;
        if offset < self.end || length < 0 {
            return Err(Fault::Map);
        }
        self.end = end;
        if length == 0 {
            return Ok(());
        }
        if fragments.len() >= most {
            return Err(Fault::MapTooLong);
        }
        fragments.push(Fragment { offset: offset as u64, length: length as u64 });
        Ok(())
    }
}

/// The map of a sparse file 0.1 (and 0.0): `OFFSET,LENGTH,OFFSET,LENGTH`, `blocks` of them.
pub(crate) fn map_of_records(
    text: &[u8],
    blocks: i64,
    mut add: impl FnMut((i64, i64)) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let numbers = if text.is_empty() { 0 } else { 1 + memchr::memchr_iter(b',', text).count() };
    if i64::try_from(numbers).ok() != blocks.checked_mul(2) {
        return Err(Fault::Map);
    }
    let mut numbers = text.split(|&byte| byte == b',').map(decimal);
    for _ in 0..blocks {
        let (Some(Some(offset)), Some(Some(length))) = (numbers.next(), numbers.next()) else {
            return Err(Fault::Map);
        };
        add((offset, length))?;
    }
    Ok(())
}

/// The map of a sparse file 1.0: decimal lines in front of the content, filled up to a whole
/// block. The first is the number of fragments, then offset and length of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct MapLines {
    line: Vec<u8>,
    blocks: u64,
    /// Numbers still to come. `None`: how many there are has yet to be read.
    left: Option<u64>,
    offset: Option<i64>,
}

impl MapLines {
    pub(crate) fn clear(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        *self = MapLines { line, ..MapLines::default() };
    }

    /// Reads a block; true once the map is complete. What follows it in the block is filling.
    pub(crate) fn block(
        &mut self,
        block: &[u8],
        most_bytes: u64,
        mut add: impl FnMut((i64, i64)) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        self.blocks += 1;
        if self.blocks * BLOCK as u64 > most_bytes {
            return Err(Fault::MapTooLong);
        }
        for &byte in block {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let number = decimal(&self.line).ok_or(Fault::Map)?;
            self.line.clear();
            match (&mut self.left, self.offset.take()) {
                (None, _) => {
                    let numbers = u64::try_from(number).ok().filter(|&count| count < 1 << 62);
                    self.left = Some(2 * numbers.ok_or(Fault::Map)?);
                }
                (Some(left), None) => {
                    *left -= 1;
                    self.offset = Some(number);
                }
                (Some(left), Some(offset)) => {
                    *left -= 1;
                    add((offset, number))?;
                }
            }
            if self.left == Some(0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
