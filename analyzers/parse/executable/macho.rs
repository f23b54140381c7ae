//! Mach-O, the executables of macOS, alone or several in one file:
//! <https://github.com/apple-oss-distributions/xnu/blob/main/EXTERNAL_HEADERS/mach-o/loader.h>.

use super::{Executable, Fields, Section, Segment, table, text};
use crate::{Content, Result};
use inscan_facts::window::read_exact_at;

const LC_SEGMENT: u64 = 0x1;
const LC_SEGMENT_64: u64 = 0x19;

pub(super) fn open(content: &dyn Content) -> Result<Vec<Executable<'_>>> {
    let start = read_exact_at(content, 0, content.len().min(8 + 3 * 20))?;
    let start = Fields { bytes: &start, is_big_endian: true, is_wide: false };
    if start.u32(0) != 0xcafe_babe {
        return Ok(slice(content, 0)?.into_iter().collect());
    }
    let count = start.u32(4).min(3) as usize;
    let mut found = Vec::new();
    for record in (Fields { bytes: start.bytes.get(8..).unwrap_or_default(), ..start })
        .records(20)
        .take(count)
    {
        found.extend(slice(content, record.u32(8))?);
    }
    Ok(found)
}

fn slice(content: &dyn Content, base: u64) -> Result<Option<Executable<'_>>> {
    let header = read_exact_at(content, base, 32)?;
    let (is_big_endian, is_wide) = match &header[..4] {
        b"\xfe\xed\xfa\xce" => (true, false),
        b"\xfe\xed\xfa\xcf" => (true, true),
        b"\xce\xfa\xed\xfe" => (false, false),
        b"\xcf\xfa\xed\xfe" => (false, true),
        _ => return Ok(None),
    };
    let header = Fields { bytes: &header, is_big_endian, is_wide };
    let header_len = if is_wide { 32 } else { 28 };
    let commands = table(content, "Mach-O load commands", base + header_len, header.u32(20))?;

    let mut executable = Executable { content, sections: Vec::new(), segments: Vec::new() };
    let mut rest = commands.as_slice();
    for _ in 0..header.u32(16) {
        let command = Fields { bytes: rest, ..header };
        let len = command.u32(4) as usize;
        if len < 8 || len > rest.len() {
            break;
        }
        let command = Fields { bytes: &rest[..len], ..header };
        if matches!(command.u32(0), LC_SEGMENT | LC_SEGMENT_64) {
            add_segment(&mut executable, command, base);
        }
        rest = &rest[len..];
    }
    Ok(Some(executable))
}

fn add_segment(executable: &mut Executable<'_>, command: Fields<'_>, base: u64) {
    let name = text(command.bytes.get(8..24).unwrap_or_default());
    executable.segments.push(Segment {
        address: command.word(24, 24),
        offset: command.word(32, 40).saturating_add(base),
        size: command.word(36, 48),
        is_data: name == b"__DATA",
    });
    let (sections_at, section_len) = if command.is_wide { (72, 80) } else { (56, 68) };
    let sections = command.bytes.get(sections_at..).unwrap_or_default();
    for record in (Fields { bytes: sections, ..command }).records(section_len) {
        executable.sections.push(Section {
            name: text(record.bytes.get(..16).unwrap_or_default()).to_vec(),
            offset: record.u32(if record.is_wide { 48 } else { 40 }).saturating_add(base),
            size: record.word(36, 40),
        });
    }
}
