//! PE, the executables of Windows and the assemblies of .NET:
//! <https://learn.microsoft.com/windows/win32/debug/pe-format>.

use super::{Executable, Fields, Section, Segment, table, text};
use crate::{Content, Error, Result};
use inscan_facts::window::read_exact_at;

const INITIALISED_AND_WRITABLE: u64 = 0x8000_0040;

pub(crate) struct Pe<'a> {
    content: &'a dyn Content,
    image_base: u64,
    sections: Vec<(Section, Segment)>,
    /// Relative address and size of each data directory.
    pub(crate) directories: Vec<(u64, u64)>,
}

impl<'a> Pe<'a> {
    /// `None` for the old programs of DOS, which begin in the same way.
    pub(crate) fn open(content: &'a dyn Content) -> Result<Option<Self>> {
        let dos = read_exact_at(content, 0, content.len().min(64))?;
        let little = |bytes| Fields { bytes, is_big_endian: false, is_wide: false };
        let Some(at) = little(&dos).number(0x3c, 4) else { return Ok(None) };
        let Ok(header) = read_exact_at(content, at, 24) else { return Ok(None) };
        if !header.starts_with(b"PE\0\0") {
            return Ok(None);
        }
        let optional_len = little(&header).u16(20);
        let optional = table(content, "PE header", at + 24, optional_len)?;
        let optional = little(&optional);
        let is_wide = match optional.u16(0) {
            0x10b => false,
            0x20b => true,
            magic => {
                return Err(Error::at_offset(at + 24, format!("unknown PE kind `{magic:#x}`")));
            }
        };
        let image_base = if is_wide { optional.u64(24) } else { optional.u32(28) };
        let size = little(&header).u16(6) * 40;
        let records = table(content, "PE section table", at + 24 + optional_len, size)?;
        let sections =
            little(&records).records(40).map(|record| section(record, image_base)).collect();
        let directories = Fields {
            bytes: optional.bytes.get(if is_wide { 112 } else { 96 }..).unwrap_or_default(),
            ..optional
        };
        let directories =
            directories.records(8).take(16).map(|entry| (entry.u32(0), entry.u32(4))).collect();
        Ok(Some(Pe { content, image_base, sections, directories }))
    }

    pub(super) fn into_executable(self) -> Executable<'a> {
        let (sections, segments) = self.sections.into_iter().unzip();
        Executable { content: self.content, sections, segments }
    }

    /// At most `limit` bytes from a relative address to the end of its section.
    pub(crate) fn read(&self, address: u64, limit: u64) -> Result<Vec<u8>> {
        let address = address.saturating_add(self.image_base);
        let found = self.sections.iter().find_map(|(_, segment)| {
            let inside = address.checked_sub(segment.address)?;
            let rest = segment.size.checked_sub(inside)?;
            Some((segment.offset.saturating_add(inside), rest))
        });
        let Some((offset, rest)) = found else {
            return Err(Error::new(format!("no section holds the address `{address:#x}`")));
        };
        let in_file = self.content.len().saturating_sub(offset);
        read_exact_at(self.content, offset, rest.min(limit).min(in_file))
    }
}

fn section(record: Fields<'_>, image_base: u64) -> (Section, Segment) {
    let name = text(record.bytes.get(..8).unwrap_or_default()).to_vec();
    let (size, offset) = (record.u32(16), record.u32(20));
    let is_data = record.u32(36) & INITIALISED_AND_WRITABLE == INITIALISED_AND_WRITABLE;
    let address = record.u32(12).saturating_add(image_base);
    (Section { name, offset, size }, Segment { address, offset, size, is_data })
}
