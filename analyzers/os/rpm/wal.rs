//! The write-ahead log of an SQLite database: `rpmdb.sqlite-wal`.
//!
//! A header, then frames: a page with its number, the salts of the header, and
//! a checksum over everything up to it. A frame that ends a transaction states
//! the length of the database. What counts is every frame up to the last such
//! one before the first frame whose salts or checksum do not fit: what follows
//! is left over from an older log, or was never committed.
//! <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>

use std::collections::HashMap;

use super::bytes::{Order, slice};
use crate::{Error, Result};

/// The last bit says in which byte order the checksums were computed.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The pages of a log, which replace those of the database.
#[derive(Default)]
pub(super) struct Wal<'a> {
    log: &'a [u8],
    /// Where in the log each page begins.
    offsets: HashMap<u32, usize>,
    pub(super) page_size: Option<usize>,
    /// Length of the database after the last transaction.
    pub(super) pages: Option<usize>,
}

impl<'a> Wal<'a> {
    pub(super) fn page(&self, number: u32) -> Option<&'a [u8]> {
        slice(self.log, *self.offsets.get(&number)?, self.page_size?)
    }

    /// How many pages the log holds at most.
    pub(super) fn frames(&self) -> usize {
        self.page_size.map_or(0, |size| self.log.len() / size)
    }
}

/// An empty log is one without transactions.
pub(super) fn replay(log: &[u8]) -> Result<Wal<'_>> {
    if log.is_empty() {
        return Ok(Wal::default());
    }
    let error = |message: String| Error::new(format!("write-ahead log: {message}"));
    let Some(header) = log.get(..HEADER) else {
        return Err(error(format!("header of {} bytes", log.len())));
    };
    let number = |at| Order::Big.u32(header, at).unwrap_or_default();
    let order = match number(0) {
        MAGIC => Order::Little,
        magic if magic == MAGIC | 1 => Order::Big,
        magic => return Err(error(format!("begins with `{magic:08x}`"))),
    };
    if number(4) != VERSION {
        return Err(error(format!("version `{}` is not supported", number(4))));
    }
    let page_size = number(8) as usize;
    if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
        return Err(error(format!("page size `{page_size}` is not supported")));
    }
    let mut sum = checksum(order, [0, 0], &header[..24]);
    if [number(24), number(28)] != sum {
        // SQLite treats such a log as empty: its first transaction was never finished.
        return Ok(Wal::default());
    }

    let mut offsets = HashMap::new();
    let mut uncommitted = Vec::new();
    let mut pages = None;
    let frame_len = FRAME_HEADER + page_size;
    for (index, frame) in log[HEADER..].chunks_exact(frame_len).enumerate() {
        let (head, page) = frame.split_at(FRAME_HEADER);
        sum = checksum(order, checksum(order, sum, &head[..8]), page);
        let number = |at| Order::Big.u32(head, at).unwrap_or_default();
        if head[8..16] != header[16..24] || [number(16), number(20)] != sum {
            break;
        }
        uncommitted.push((number(0), HEADER + index * frame_len + FRAME_HEADER));
        let length = number(4) as usize;
        if length > 0 {
            offsets.extend(uncommitted.drain(..));
            pages = Some(length);
        }
    }
    if pages.is_none() {
        return Ok(Wal::default());
    }
    Ok(Wal { log, offsets, page_size: Some(page_size), pages })
}

/// Two running sums over pairs of 32-bit numbers.
fn checksum(order: Order, mut sum: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        let number = |at| order.u32(pair, at).unwrap_or_default();
        sum[0] = sum[0].wrapping_add(number(0)).wrapping_add(sum[1]);
        sum[1] = sum[1].wrapping_add(number(4)).wrapping_add(sum[0]);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::rpm::tests::{fixture, packages, told};

    /// What the file of the fixture holds without its log.
    const BEFORE: [&str; 2] = ["alpha 1:1.0-1.el8 noarch", "alpha-libs 1:1.0-1.el8 noarch"];

    fn log() -> Vec<u8> {
        fixture("wal/var/lib/rpm/rpmdb.sqlite-wal")
    }

    /// The packages, once the log was changed.
    fn with(log: &[u8]) -> Vec<String> {
        told(packages(&fixture("wal/var/lib/rpm/rpmdb.sqlite"), Some(log)))
    }

    fn frames(log: &[u8]) -> impl Iterator<Item = usize> {
        (HEADER..log.len()).step_by(FRAME_HEADER + 512)
    }

    /// The last frame of the first transaction.
    fn first_commit(log: &[u8]) -> usize {
        frames(log).find(|&frame| Order::Big.u32(log, frame + 4) != Some(0)).unwrap()
    }

    #[test]
    fn without_its_log_a_database_is_older() {
        assert_eq!(with(b""), BEFORE);
        assert_eq!(with(&log()).len(), 7);
    }

    #[test]
    fn a_log_whose_header_does_not_fit_its_checksum_is_empty() {
        let mut log = log();
        log[24] ^= 1;
        assert_eq!(with(&log), BEFORE);
    }

    #[test]
    fn nothing_counts_from_the_first_frame_on_that_does_not_fit() {
        let whole = log();
        let commit = first_commit(&whole);
        for (what, byte) in [("page", HEADER + 100), ("salt", commit + 8), ("sum", commit + 16)] {
            let mut log = whole.clone();
            log[byte] ^= 1;
            assert_eq!(with(&log), BEFORE, "{what}");
        }
    }

    #[test]
    fn a_transaction_counts_once_its_last_frame_is_there() {
        let log = log();
        let commit = first_commit(&log);
        assert_eq!(with(&log[..commit + FRAME_HEADER + 511]), BEFORE);
        // `gone` is taken away by the second transaction.
        let told = with(&log[..commit + FRAME_HEADER + 512]);
        assert_eq!(told.len(), 8);
        assert!(told.contains(&"gone 1-1 noarch".to_owned()));
    }

    #[test]
    fn checksums_may_be_in_the_other_byte_order() {
        let mut log = log();
        log[3] |= 1;
        let mut sum = checksum(Order::Big, [0, 0], &log[..24]);
        let write = |log: &mut Vec<u8>, at: usize, sum: [u32; 2]| {
            log[at..at + 8].copy_from_slice(&sum.map(u32::to_be_bytes).concat());
        };
        write(&mut log, 24, sum);
        assert_eq!(with(&log), BEFORE);
        for frame in frames(&log).collect::<Vec<_>>() {
            sum = checksum(Order::Big, sum, &log[frame..frame + 8]);
            sum = checksum(Order::Big, sum, &log[frame + FRAME_HEADER..][..512]);
            write(&mut log, frame + 16, sum);
        }
        assert_eq!(with(&log).len(), 7);
    }

    #[test]
    fn what_is_no_log_is_a_problem_and_the_database_is_read() {
        let check = |log: &[u8], problem: &str| {
            assert_eq!(with(log), [BEFORE[0], BEFORE[1], problem]);
        };
        check(&[7; 100], "write-ahead log: begins with `07070707`");
        check(&[0], "write-ahead log: header of 1 bytes");
        let mut newer = log();
        newer[4..8].fill(0);
        check(&newer, "write-ahead log: version `0` is not supported");
        let mut log = log();
        log[8..12].fill(0);
        check(&log, "write-ahead log: page size `0` is not supported");
    }
}
