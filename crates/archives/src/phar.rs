//! Archives of PHP: a script up to `__HALT_COMPILER();`, a list of the files, and their bytes.
//! <https://www.php.net/manual/en/phar.fileformat.phar.php>

use inscan_facts::content::Content;
use inscan_facts::format::{Error, Result};
use inscan_facts::window::read_exact_at;

const END_OF_SCRIPT: &[u8] = b"__HALT_COMPILER();";
/// The script of Composer has 3 KB.
const MAX_SCRIPT: u64 = 256 << 10;
/// PHP itself reads no longer list.
const MAX_LIST: u64 = 100 << 20;
const GZIP: u32 = 0x1000;
const BZIP2: u32 = 0x2000;

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) packing: Packing,
    /// Where its bytes lie in the archive, and how many there are.
    pub(crate) offset: u64,
    pub(crate) stored: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Stored,
    /// Without a header.
    Deflated,
    Bzip2,
}

/// Whether the script ends as that of an archive does.
pub(crate) fn is_one(content: &dyn Content) -> bool {
    list_offset(content).is_ok_and(|offset| offset.is_some())
}

/// Where the list begins: behind the script, which may end PHP's tag and its line.
fn list_offset(content: &dyn Content) -> Result<Option<u64>> {
    let start = read_exact_at(content, 0, content.len().min(MAX_SCRIPT))?;
    let found = start.windows(END_OF_SCRIPT.len()).position(|bytes| bytes == END_OF_SCRIPT);
    let Some(at) = found.map(|at| at + END_OF_SCRIPT.len()) else { return Ok(None) };
    let rest = &start[at..];
    let after_tag = rest.strip_prefix(b" ?>").or_else(|| rest.strip_prefix(b"\n?>"));
    let rest = after_tag.unwrap_or(rest);
    let rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
    Ok(Some((start.len() - rest.len()) as u64))
}

/// All files, in their order.
///
/// # Errors
///
/// If the list is damaged or longer than PHP reads.
pub(crate) fn members(content: &dyn Content) -> Result<Vec<Member>> {
    let list = list_offset(content)?.ok_or_else(|| Error::new("no archive of PHP"))?;
    let length = read_exact_at(content, list, 4)?;
    let length = u64::from(u32::from_le_bytes(length.try_into().expect("four bytes")));
    if length > MAX_LIST {
        return Err(Error::at_offset(list, "a list of more than 100 MiB"));
    }
    let bytes = read_exact_at(content, list + 4, length)?;
    let mut rest = Rest { bytes: &bytes, offset: list + 4 };
    let count = rest.number()?;
    // Version and flags of the archive, then its alias and its own data.
    rest.take(2 + 4)?;
    rest.text()?;
    rest.text()?;
    let mut offset = list + 4 + length;
    let mut members = Vec::new();
    for _ in 0..count {
        let name = rest.text()?.to_vec();
        let (size, _time) = (rest.number()?, rest.number()?);
        let (stored, _sum, flags) = (rest.number()?, rest.number()?, rest.number()?);
        rest.text()?;
        let packing = match flags {
            flags if flags & GZIP != 0 => Packing::Deflated,
            flags if flags & BZIP2 != 0 => Packing::Bzip2,
            _ => Packing::Stored,
        };
        let (size, stored) = (u64::from(size), u64::from(stored));
        members.push(Member { name, size, packing, offset, stored });
        offset = offset.saturating_add(stored);
    }
    Ok(members)
}

struct Rest<'a> {
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or_else(|| Error::at_offset(self.offset, "the list of an archive of PHP is cut"))?;
        self.bytes = rest;
        self.offset += count as u64;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    /// Behind its length.
    fn text(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }
}
