//! rpm's own format: `Packages.db` of SUSE.
//!
//! A header, then pages of slots (magic, package number, place and length in
//! blocks of 16 bytes), then the packages, each between a head and a tail with
//! a checksum. All numbers are little-endian. Layout:
//! <https://github.com/rpm-software-management/rpm/blob/master/lib/backend/ndb/rpmpkg.c>.

use super::Sink;
use super::bytes::{Order, slice};
use crate::{Error, Result};

const MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const HEAD_MAGIC: &[u8] = b"BlbS";
const TAIL_MAGIC: &[u8] = b"BlbE";

const PAGE_SIZE: usize = 4096;
const FILE_HEADER: usize = 32;
const SLOT_SIZE: usize = 16;
const BLOCK_SIZE: usize = 16;
const HEAD_SIZE: usize = 16;
const TAIL_SIZE: usize = 12;

pub(super) fn is_ndb(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// Hands over every record in the order of the slots.
pub(super) fn records(file: &[u8], sink: Sink<'_>) -> Result<()> {
    if !is_ndb(file) {
        return Err(Error::at_offset(0, "not an ndb package database"));
    }
    let number = |at| Order::Little.size(file, at).unwrap_or_default();
    if number(4) != 0 {
        return Err(Error::at_offset(4, format!("ndb version `{}` is not supported", number(4))));
    }
    let slots_end = number(12).saturating_mul(PAGE_SIZE);
    if slots_end > file.len() {
        sink(Err(Error::at_offset(
            12,
            format!("`{}` slot pages in a file of {} bytes", number(12), file.len()),
        )));
    }
    // Packages do not overlap, so together they are no longer than the file.
    // Without this, many slots on one package would make much work of few bytes.
    let mut left = file.len();
    let slots = file.get(FILE_HEADER..slots_end.min(file.len())).unwrap_or_default();
    for (index, slot) in slots.chunks_exact(SLOT_SIZE).enumerate() {
        let record = match record(file, slot, &mut left) {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(message) => {
                let offset = FILE_HEADER + index * SLOT_SIZE;
                sink(Err(Error::at_offset(offset as u64, message)));
                continue;
            }
        };
        sink(record.header());
        if !record.fits_its_checksum() {
            sink(Err(record.error("does not fit its checksum")));
        }
    }
    Ok(())
}

/// The blocks of one package: head, header, filling, tail.
struct Record<'a> {
    package: usize,
    offset: usize,
    bytes: &'a [u8],
}

/// What a slot says; `None` where it is free.
fn record<'a>(file: &'a [u8], slot: &[u8], left: &mut usize) -> Result<Option<Record<'a>>, String> {
    if !slot.starts_with(SLOT_MAGIC) {
        return Err("not a slot".into());
    }
    let number = |at| Order::Little.size(slot, at).unwrap_or_default();
    let (package, block, blocks) = (number(4), number(8), number(12));
    if package == 0 {
        return Ok(None);
    }
    let range = block.checked_mul(BLOCK_SIZE).zip(blocks.checked_mul(BLOCK_SIZE));
    let (offset, bytes) = range
        .and_then(|(offset, len)| Some((offset, slice(file, offset, len)?)))
        .ok_or_else(|| format!("package `{package}` lies outside of the file"))?;
    *left = left
        .checked_sub(bytes.len())
        .ok_or_else(|| format!("package `{package}` overlaps others"))?;
    Ok(Some(Record { package, offset, bytes }))
}

impl<'a> Record<'a> {
    fn header(&self) -> Result<&'a [u8]> {
        let number = |at| Order::Little.size(self.bytes, at).unwrap_or_default();
        if !self.bytes.starts_with(HEAD_MAGIC) || number(4) != self.package {
            return Err(self.error("does not begin here"));
        }
        let room = self.bytes.len().saturating_sub(HEAD_SIZE + TAIL_SIZE);
        Some(number(12))
            .filter(|len| *len <= room)
            .and_then(|len| slice(self.bytes, HEAD_SIZE, len))
            .ok_or_else(|| self.error("has a header longer than its blocks"))
    }

    fn fits_its_checksum(&self) -> bool {
        let tail_offset = self.bytes.len().saturating_sub(TAIL_SIZE);
        let (summed, tail) = self.bytes.split_at(tail_offset);
        Order::Little.u32(tail, 0) == Some(adler32(summed)) && tail.ends_with(TAIL_MAGIC)
    }

    fn error(&self, message: &str) -> Error {
        Error::at_offset(self.offset as u64, format!("package `{}` {message}", self.package))
    }
}

/// RFC 1950, section 8.2.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    // As many bytes as can be added before a sum could overflow.
    const CHUNK: usize = 5552;
    let (mut low, mut high) = (1_u32, 0_u32);
    for chunk in bytes.chunks(CHUNK) {
        for &byte in chunk {
            low += u32::from(byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    (high << 16) | low
}

#[cfg(test)]
mod tests {
    use crate::os::rpm::tests::{check, fixture, packages};

    const FILE: &str = "ndb/usr/lib/sysimage/rpm/Packages.db";
    const FIRST_PACKAGE: usize = 4096;

    #[test]
    fn a_broken_package_is_a_problem_and_the_others_go_on() {
        check(FILE, |file| file[32] = b's', 6, &["offset 32: not a slot"]);
        check(
            FILE,
            |file| file[40..44].fill(0xff),
            6,
            &["offset 32: package `1` lies outside of the file"],
        );
        check(
            FILE,
            |file| file[FIRST_PACKAGE] = b'b',
            6,
            &[
                "offset 4096: package `1` does not begin here",
                "offset 4096: package `1` does not fit its checksum",
            ],
        );
        check(
            FILE,
            |file| file[FIRST_PACKAGE + 12..][..4].fill(0xff),
            6,
            &[
                "offset 4096: package `1` has a header longer than its blocks",
                "offset 4096: package `1` does not fit its checksum",
            ],
        );
    }

    #[test]
    fn a_package_that_does_not_fit_its_checksum_is_stated_with_a_problem() {
        check(
            FILE,
            |file| file[FIRST_PACKAGE + 8] ^= 1,
            7,
            &["offset 4096: package `1` does not fit its checksum"],
        );
    }

    #[test]
    fn slots_on_the_same_bytes_end_where_the_file_is_used_up() {
        let mut file = fixture(FILE);
        let slot = file[32..48].to_vec();
        file.truncate(FIRST_PACKAGE + 4096);
        (32..FIRST_PACKAGE).step_by(16).for_each(|at| file[at..at + 16].copy_from_slice(&slot));
        let (packages, problems) = packages(&file, None);
        assert!(packages.len() < 8, "{}", packages.len());
        assert_eq!(problems[0].to_string(), "offset 80: package `1` overlaps others");
    }

    #[test]
    fn what_the_header_says_is_not_believed() {
        check(FILE, |file| file[4] = 1, 0, &["offset 4: ndb version `1` is not supported"]);
        check(
            FILE,
            |file| file.truncate(20),
            0,
            &["offset 12: `1` slot pages in a file of 20 bytes"],
        );
    }
}
