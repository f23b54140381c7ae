//! ELF: <https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html>.

use super::{Executable, Fields, Section, Segment, table, text};
use crate::{Content, Error, Result};
use inscan_facts::window::read_exact_at;

const PT_LOAD: u64 = 1;
const PF_W: u64 = 2;
const SHT_NOBITS: u64 = 8;

pub(super) fn open(content: &dyn Content) -> Result<Executable<'_>> {
    let header = read_exact_at(content, 0, content.len().min(64))?;
    let (is_wide, is_big_endian) = match (header.get(4), header.get(5)) {
        (Some(class @ (1 | 2)), Some(order @ (1 | 2))) => (*class == 2, *order == 2),
        _ => return Err(Error::at_offset(4, "unknown ELF class or byte order")),
    };
    let header = Fields { bytes: &header, is_big_endian, is_wide };
    let counts = if is_wide { 54 } else { 42 };

    let size = header.u16(counts) * header.u16(counts + 2);
    let segments = table(content, "ELF segment table", header.word(28, 32), size)?;
    let segments = Fields { bytes: &segments, ..header }
        .records(header.u16(counts) as usize)
        .filter(|record| record.u32(0) == PT_LOAD)
        .map(|record| Segment {
            address: record.word(8, 16),
            offset: record.word(4, 8),
            size: record.word(16, 32),
            is_data: record.u32(if is_wide { 4 } else { 24 }) & PF_W != 0,
        })
        .collect();

    let entry_len = header.u16(counts + 4) as usize;
    let size = header.u16(counts + 4) * header.u16(counts + 6);
    let bytes = table(content, "ELF section table", header.word(32, 40), size)?;
    let records = Fields { bytes: &bytes, ..header };
    let sections = named(content, records, entry_len, header.u16(counts + 8) as usize)?;
    Ok(Executable { content, sections, segments })
}

fn named(
    content: &dyn Content,
    records: Fields<'_>,
    entry_len: usize,
    names_at: usize,
) -> Result<Vec<Section>> {
    let Some(record) = records.records(entry_len).nth(names_at) else { return Ok(Vec::new()) };
    let names = table(content, "ELF section names", record.word(16, 24), record.word(20, 32))?;
    let section = |record: Fields<'_>| Section {
        name: text(names.get(record.u32(0) as usize..).unwrap_or_default()).to_vec(),
        offset: record.word(16, 24),
        size: record.word(20, 32),
    };
    Ok(records
        .records(entry_len)
        .filter(|record| record.u32(4) != SHT_NOBITS)
        .map(section)
        .collect())
}
