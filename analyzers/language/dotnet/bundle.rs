//! A .NET program in a single file: the host, and behind it the files it runs. Before a
//! signature in the host's data stands where the list of these files is.
//! <https://github.com/dotnet/designs/blob/main/accepted/2020/single-file/bundler.md>

use std::io::Read;

use flate2::bufread::DeflateDecoder;
use inscan_facts::content::Content;
use inscan_facts::window::read_exact_at;

use crate::parse::counted;
use crate::parse::executable::{Executable, Fields};
use crate::{Error, Result};

/// SHA-256 of `.net core bundle` and a line feed.
const SIGNATURE: [u8; 32] = [
    0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32,
    0x13, 0xf5, 0xb9, 0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3, 0x6a, 0xae,
];
/// How much of a host's data is searched for the signature. The largest seen is 1 MB.
const MAX_DATA: u64 = 16 << 20;
/// The list of the largest program seen has some 40 kB.
const MAX_LIST: u64 = 16 << 20;
/// .NET Core 3, .NET 5, .NET 6 and later.
const VERSIONS: [u64; 3] = [1, 2, 6];

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    offset: u64,
    size: u64,
    /// 0: it is not compressed.
    compressed: u64,
    kind: u8,
}

impl Entry {
    /// Whether it is compiled .NET code.
    pub(super) fn is_assembly(&self) -> bool {
        self.kind == 1
    }

    /// Whether it is the program's `deps.json`.
    pub(super) fn is_deps(&self) -> bool {
        self.kind == 3 || self.path.ends_with(b".deps.json")
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// If it lies beyond the end of the file, is damaged, or is larger than `limit`.
    pub(super) fn read(&self, content: &dyn Content, limit: u64) -> Result<Vec<u8>> {
        let name = inscan_facts::error::shown(&self.path);
        let failed = |what| Error::at_offset(self.offset, format!("`{name}` {what}"));
        if self.size > limit || self.compressed > limit {
            return Err(failed("is too large"));
        }
        let stored = if self.compressed > 0 { self.compressed } else { self.size };
        let bytes = read_exact_at(content, self.offset, stored)
            .map_err(|_| failed("lies beyond the end of the file"))?;
        if self.compressed == 0 {
            return Ok(bytes);
        }
        let mut inflated = Vec::new();
        let decoder = DeflateDecoder::new(&bytes[..]).take(self.size + 1);
        { decoder }.read_to_end(&mut inflated).map_err(|_| failed("is damaged"))?;
        match inflated.len() as u64 == self.size {
            true => Ok(inflated),
            false => Err(failed("is not of the stated size")),
        }
    }
}

/// The files in a bundle. `None` where the program is none.
///
/// # Errors
///
/// If it is one whose list is damaged or of an unknown version.
pub(super) fn entries(
    executable: &Executable<'_>,
    content: &dyn Content,
) -> Result<Option<Vec<Entry>>> {
    let Some(header) = header_offset(executable, content)? else { return Ok(None) };
    let rest = content.len().checked_sub(header).filter(|rest| *rest > 12);
    let rest = rest.ok_or_else(|| Error::at_offset(header, "list of the bundle's files is cut"))?;
    let bytes = read_exact_at(content, header, rest.min(MAX_LIST))?;
    let damaged = || Error::at_offset(header, "list of the bundle's files is damaged");
    let mut list = Reader { bytes: &bytes, at: 0 };
    let version = list.number(4).ok_or_else(damaged)?;
    list.number(4).ok_or_else(damaged)?;
    if !VERSIONS.contains(&version) {
        let message = format!("bundle of the unknown version {version}");
        return Err(Error::at_offset(header, message));
    }
    let count = list.number(4).ok_or_else(damaged)?;
    list.text().ok_or_else(damaged)?;
    if version >= 2 {
        // Where deps.json and runtimeconfig.json are, which the list has as well; and flags.
        list.take(5 * 8).ok_or_else(damaged)?;
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(list.entry(version).ok_or_else(damaged)?);
    }
    Ok(Some(entries))
}

/// 0 stands there in a host that has no bundle.
fn header_offset(executable: &Executable<'_>, content: &dyn Content) -> Result<Option<u64>> {
    let is_data = |name: &[u8]| matches!(name, b".data" | b"__data");
    let sections = executable.sections.iter().filter(|section| is_data(&section.name));
    let mut places: Vec<(u64, u64)> = sections.map(|it| (it.offset, it.size)).collect();
    if executable.sections.is_empty() {
        let segments = executable.segments.iter().filter(|segment| segment.is_data);
        places.extend(segments.map(|segment| (segment.offset, segment.size)));
    }
    let Some(end) = places.iter().map(|(offset, size)| offset.saturating_add(*size)).max() else {
        return Ok(None);
    };
    if end >= content.len() {
        return Ok(None);
    }
    for (offset, size) in places {
        let Ok(bytes) = executable.read(offset, size, MAX_DATA) else { continue };
        let Some(at) = memchr::memmem::find(&bytes, &SIGNATURE) else { continue };
        let Some(before) = at.checked_sub(8) else { continue };
        let field = Fields { bytes: &bytes[before..at], is_big_endian: false, is_wide: true };
        // The files are behind the host. Programs that only know the signature, as inscan
        // itself does, have anything before it.
        return Ok(Some(field.u64(0)).filter(|offset| (end..content.len()).contains(offset)));
    }
    Ok(None)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(bytes)
    }

    fn number(&mut self, len: usize) -> Option<u64> {
        let bytes = self.take(len)?;
        Fields { bytes, is_big_endian: false, is_wide: true }.number(0, len)
    }

    /// A text behind its length; names longer than 2 MiB are damage.
    fn text(&mut self) -> Option<&'a [u8]> {
        let (text, rest) = counted::text(self.bytes.get(self.at..)?)?;
        self.at = self.bytes.len() - rest.len();
        Some(text).filter(|text| text.len() < 1 << 21)
    }

    fn entry(&mut self, version: u64) -> Option<Entry> {
        let (offset, size) = (self.number(8)?, self.number(8)?);
        let compressed = if version >= 6 { self.number(8)? } else { 0 };
        let kind = *self.take(1)?.first()?;
        Some(Entry { path: self.text()?.to_vec(), offset, size, compressed, kind })
    }
}

/// Makes small bundles for tests.
#[cfg(test)]
pub(super) mod made {
    use super::SIGNATURE;
    use crate::parse::executable::made::elf;

    /// What runs a bundle whose list is at an offset; 0: it has none.
    pub(in crate::language::dotnet) fn host(list: u64) -> Vec<u8> {
        elf(&[(".data", &[&[0; 16], &list.to_le_bytes()[..], &SIGNATURE].concat())])
    }

    /// A program with one file in it, which is stored as it is.
    pub(in crate::language::dotnet) fn bundle(
        version: u32,
        path: &str,
        kind: u8,
        file: &[u8],
    ) -> Vec<u8> {
        let host =
            |at: u64| elf(&[(".data", &[&[0; 16], &at.to_le_bytes()[..], &SIGNATURE].concat())]);
        let at = host(0).len() as u64;
        let mut program = host(at + file.len() as u64);
        program.extend(file);
        for number in [version, 0, 1] {
            program.extend(number.to_le_bytes());
        }
        program.extend(b"\x02id");
        if version >= 2 {
            program.extend([0; 40]);
        }
        program.extend(at.to_le_bytes());
        program.extend((file.len() as u64).to_le_bytes());
        if version >= 6 {
            program.extend([0; 8]);
        }
        program.extend([kind, path.len() as u8]);
        program.extend(path.as_bytes());
        program
    }
}
