//! Executables and libraries: their sections, and where these lie in the file.
//!
//! Only headers and tables are read, in three or four small reads. For most of the
//! thousands of executables of an image the section names show that there is nothing
//! of interest. ELF, PE and Mach-O (also several in one file).

mod elf;
mod macho;
pub(crate) mod pe;

use crate::{Content, Error, FileHead, Pattern, Result, Want};
use inscan_facts::window::read_exact_at;

/// Larger executables exist, but none that carries build information was seen.
pub(crate) const MAX_EXECUTABLE: u64 = 2 << 30;
/// Section and segment tables, and the table of section names.
const MAX_TABLE: u64 = 8 << 20;

pub(crate) struct Executable<'a> {
    content: &'a dyn Content,
    pub(crate) sections: Vec<Section>,
    pub(crate) segments: Vec<Segment>,
}

/// A named part. Offsets count from the beginning of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: Vec<u8>,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// A part that is mapped into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) address: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    /// Holds initialised data that the program may change.
    pub(crate) is_data: bool,
}

const MAGICS: &[&[u8]] = &[
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    // Several Mach-O files in one. Java classes begin with the same four
    // bytes, but state a number of 45 or more in the next four.
    b"\xca\xfe\xba\xbe\x00\x00\x00\x01",
    b"\xca\xfe\xba\xbe\x00\x00\x00\x02",
    b"\xca\xfe\xba\xbe\x00\x00\x00\x03",
];

/// Every executable of every known format.
pub(crate) fn wants() -> Vec<Want> {
    MAGICS.iter().map(|magic| Want::inspect(Pattern::Magic(magic), MAX_EXECUTABLE)).collect()
}

/// The executables in a file: one, several for a fat Mach-O file, none where
/// the file only begins like one.
pub(crate) fn open<'a>(
    file: &FileHead<'_>,
    content: &'a dyn Content,
) -> Result<Vec<Executable<'a>>> {
    if file.start.starts_with(b"\x7fELF") {
        return Ok(vec![elf::open(content)?]);
    }
    if file.start.starts_with(b"MZ") {
        return Ok(pe::Pe::open(content)?.map(pe::Pe::into_executable).into_iter().collect());
    }
    macho::open(content)
}

impl Executable<'_> {
    pub(crate) fn section(&self, name: &[u8]) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The `size` bytes at an offset, cut to `limit`.
    pub(crate) fn read(&self, offset: u64, size: u64, limit: u64) -> Result<Vec<u8>> {
        let beyond = || Error::at_offset(offset, "lies beyond the end of the file");
        let rest = self.content.len().checked_sub(offset).ok_or_else(beyond)?;
        if rest == 0 && size > 0 {
            return Err(beyond());
        }
        read_exact_at(self.content, offset, size.min(limit).min(rest))
    }

    /// Where in the file the bytes at an address lie.
    pub(crate) fn offset_of(&self, address: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            (inside < segment.size).then(|| segment.offset.saturating_add(inside))
        })
    }
}

/// Numbers of a header in its byte order and word size.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) is_big_endian: bool,
    /// 64-bit words.
    pub(crate) is_wide: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn number(&self, at: usize, len: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(len)?)?;
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_big_endian {
            bytes.iter().fold(0, fold)
        } else {
            bytes.iter().rev().fold(0, fold)
        })
    }

    /// A number of 2 bytes; what a cut header lacks is taken as 0.
    pub(crate) fn u16(&self, at: usize) -> u64 {
        self.number(at, 2).unwrap_or_default()
    }

    pub(crate) fn u32(&self, at: usize) -> u64 {
        self.number(at, 4).unwrap_or_default()
    }

    pub(crate) fn u64(&self, at: usize) -> u64 {
        self.number(at, 8).unwrap_or_default()
    }

    /// A word, at offset `narrow` of a 32-bit header or `wide` of a 64-bit one.
    pub(crate) fn word(&self, narrow: usize, wide: usize) -> u64 {
        if self.is_wide { self.u64(wide) } else { self.u32(narrow) }
    }

    /// The records of a table, of `len` bytes each.
    pub(crate) fn records(self, len: usize) -> impl Iterator<Item = Fields<'a>> {
        self.bytes.chunks_exact(len.max(1)).map(move |bytes| Fields { bytes, ..self })
    }
}

/// A table of a size that a header states.
fn table(content: &dyn Content, what: &str, offset: u64, size: u64) -> Result<Vec<u8>> {
    if size > MAX_TABLE {
        return Err(Error::at_offset(offset, format!("{what} of {size} bytes is too large")));
    }
    read_exact_at(content, offset, size)
        .map_err(|_| Error::at_offset(offset, format!("{what} lies beyond the end of the file")))
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Makes small executables for tests.
#[cfg(test)]
pub(crate) mod made {
    /// A 64-bit little-endian ELF file with these sections, all of them mapped
    /// at address 0x1000 plus their offset and writable.
    pub(crate) fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
        elf_of(sections, false, true)
    }

    /// Where in such a file the first section's bytes begin.
    pub(crate) const FIRST: u64 = 0x100;

    pub(crate) fn elf_of(sections: &[(&str, &[u8])], big: bool, wide: bool) -> Vec<u8> {
        let number = |value: u64, len: usize| -> Vec<u8> {
            let little = value.to_le_bytes();
            let mut bytes = little[..len].to_vec();
            if big {
                bytes.reverse();
            }
            bytes
        };
        let word = |value: u64| number(value, if wide { 8 } else { 4 });
        let mut names = vec![0u8];
        let mut content = vec![0; FIRST as usize];
        let mut table = vec![0; if wide { 64 } else { 40 }];
        let mut add = |name: &str, data: &[u8], content: &mut Vec<u8>| {
            let at = names.len() as u64;
            names.extend(name.bytes());
            names.push(0);
            let data = if name == ".shstrtab" { names.clone() } else { data.to_vec() };
            content.resize(content.len().next_multiple_of(16), 0);
            let offset = content.len() as u64;
            let fields =
                [number(at, 4), number(1, 4), word(3), word(offset + 0x1000), word(offset)];
            table.extend(fields.concat());
            table.extend(word(data.len() as u64));
            table.extend([number(0, 4), number(0, 4), word(16), word(0)].concat());
            content.extend(data);
        };
        for (name, data) in sections {
            add(name, data, &mut content);
        }
        add(".shstrtab", b"", &mut content);
        let (shoff, len) = (content.len() as u64, content.len() as u64);
        content.extend(table);

        let mut header = b"\x7fELF".to_vec();
        header.extend([1 + u8::from(wide), 1 + u8::from(big), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let header_len = if wide { 64 } else { 52 };
        header.extend([number(2, 2), number(62, 2), number(1, 4), word(0)].concat());
        header.extend([word(header_len), word(shoff), number(0, 4)].concat());
        let (phentsize, shentsize) = if wide { (56, 64) } else { (32, 40) };
        for field in [header_len, phentsize, 1, shentsize] {
            header.extend(number(field, 2));
        }
        header.extend(number(sections.len() as u64 + 2, 2));
        header.extend(number(sections.len() as u64 + 1, 2));
        let addresses = [word(0), word(0x1000), word(0x1000), word(len), word(len)].concat();
        if wide {
            header.extend([number(1, 4), number(6, 4), addresses, word(16)].concat());
        } else {
            header.extend([number(1, 4), addresses, number(6, 4), word(16)].concat());
        }
        content[..header.len()].copy_from_slice(&header);
        content
    }

    /// The same without a section table, as `sstrip` leaves it.
    pub(crate) fn without_sections(mut elf: Vec<u8>) -> Vec<u8> {
        elf[40..48].fill(0);
        elf[60..64].fill(0);
        elf
    }

    /// A 64-bit PE file with these sections, at address 0x140000000 and on.
    pub(crate) fn pe(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut file = vec![0u8; 0x400];
        file[..2].copy_from_slice(b"MZ");
        file[0x3c] = 0x40;
        let mut header = b"PE\0\0\x64\x86".to_vec();
        header.extend((sections.len() as u16).to_le_bytes());
        header.extend([0; 12]);
        header.extend(240u16.to_le_bytes());
        header.extend([0x22, 0]);
        let mut optional = vec![0u8; 240];
        optional[..2].copy_from_slice(&[0x0b, 0x02]);
        optional[24..32].copy_from_slice(&0x1_4000_0000u64.to_le_bytes());
        optional[108] = 16;
        header.extend(optional);
        for (at, (name, data)) in sections.iter().enumerate() {
            let mut entry = [0u8; 40];
            entry[..name.len()].copy_from_slice(name.as_bytes());
            let offset = file.len() as u32;
            entry[8..12].copy_from_slice(&(data.len() as u32).to_le_bytes());
            entry[12..16].copy_from_slice(&(0x1000 * (at as u32 + 1)).to_le_bytes());
            entry[16..20].copy_from_slice(&(data.len() as u32).to_le_bytes());
            entry[20..24].copy_from_slice(&offset.to_le_bytes());
            entry[36..40].copy_from_slice(&0xc000_0040u32.to_le_bytes());
            header.extend(entry);
            file.extend(*data);
        }
        file[0x40..0x40 + header.len()].copy_from_slice(&header);
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sections(file: &[u8]) -> Vec<(String, Vec<u8>)> {
        let head = FileHead { path: b"a", size: file.len() as u64, mode: 0o755, start: file };
        let found = open(&head, &file).expect("well-formed");
        let executable = found.first().expect("one");
        let name = |section: &Section| String::from_utf8_lossy(&section.name).into_owned();
        let read = |section: &Section| executable.read(section.offset, section.size, 100);
        let with_content = |section| (name(section), read(section).expect("inside"));
        executable
            .sections
            .iter()
            .filter(|section| section.name.starts_with(b".d"))
            .map(with_content)
            .collect()
    }

    #[test]
    fn finds_sections_in_every_byte_order_and_word_size() {
        for (big, wide) in [(false, false), (false, true), (true, false), (true, true)] {
            let file = made::elf_of(&[(".data", b"hello"), (".dep", b"x")], big, wide);
            let expected = [(".data".into(), b"hello".to_vec()), (".dep".into(), b"x".to_vec())];
            assert_eq!(sections(&file), expected, "big {big}, wide {wide}");
        }
        assert_eq!(
            sections(&made::pe(&[(".data", b"hello")])),
            [(".data".into(), b"hello".to_vec())]
        );
    }

    #[test]
    fn survives_an_executable_cut_anywhere() {
        for file in [made::elf(&[(".data", b"hello")]), made::pe(&[(".data", b"hello")])] {
            for cut in 0..file.len() {
                let cut = &file[..cut];
                let head = FileHead { path: b"a", size: 0, mode: 0o755, start: cut };
                let _ = open(&head, &cut);
            }
        }
    }
}
