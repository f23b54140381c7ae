//! One header block.

use crate::BLOCK;
use crate::error::Fault;
use crate::number::{number, octal, until_nul};

/// Which layout a block has, by its magic bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Before POSIX: nothing behind the link's target.
    V7,
    /// POSIX; PAX has the same block.
    Ustar,
    /// Schilling's: a shorter prefix, two times behind it.
    Star,
    /// Before POSIX was done: two times where POSIX has the prefix.
    Gnu,
}

/// A block whose checksum is right and whose numbers are numbers.
#[derive(Clone, Debug)]
pub(crate) struct Header<'a> {
    block: &'a [u8; BLOCK],
    pub(crate) format: Format,
    pub(crate) flag: u8,
    pub(crate) size: i64,
    pub(crate) mode: i64,
    pub(crate) uid: i64,
    pub(crate) gid: i64,
}

impl<'a> Header<'a> {
    /// # Errors
    ///
    /// The checksum is wrong, or a number is none, be it one that nobody needs: Go's reader
    /// refuses the header then.
    pub(crate) fn parse(block: &'a [u8; BLOCK]) -> Result<Self, Fault> {
        if !is_header(block) {
            return Err(Fault::Checksum);
        }
        let format = format(block);
        let field = |start: usize, length: usize, name| {
            number(&block[start..start + length]).ok_or(Fault::Number(name))
        };
        let header = Header {
            block,
            format,
            flag: block[156],
            size: field(124, 12, "size")?,
            mode: field(100, 8, "mode")?,
            uid: field(108, 8, "uid")?,
            gid: field(116, 8, "gid")?,
        };
        field(136, 12, "modification time")?;
        if format != Format::V7 {
            field(329, 8, "device number")?;
            field(337, 8, "device number")?;
        }
        if format == Format::Star {
            field(476, 12, "access time")?;
            field(488, 12, "change time")?;
        }
        Ok(header)
    }

    /// The name that the block holds, behind its prefix, into `name`.
    pub(crate) fn name_into(&self, name: &mut Vec<u8>) {
        name.clear();
        let prefix = self.prefix();
        if !prefix.is_empty() {
            name.extend_from_slice(prefix);
            name.push(b'/');
        }
        name.extend_from_slice(until_nul(&self.block[..100]));
    }

    fn prefix(&self) -> &'a [u8] {
        match self.format {
            Format::V7 => b"",
            Format::Ustar => until_nul(&self.block[345..500]),
            Format::Star => until_nul(&self.block[345..476]),
            Format::Gnu => self.prefix_of_old_go(),
        }
    }

    /// Go before 1.8 wrote a prefix where GNU has two times. What is no time is such a prefix.
    fn prefix_of_old_go(&self) -> &'a [u8] {
        let is_time = |field: &[u8]| field[0] == 0 || number(field).is_some();
        if is_time(&self.block[345..357]) && is_time(&self.block[357..369]) {
            return b"";
        }
        let prefix = until_nul(&self.block[345..500]);
        if prefix.is_ascii() { prefix } else { b"" }
    }

    pub(crate) fn link(&self) -> &'a [u8] {
        until_nul(&self.block[157..257])
    }

    /// The real size of an old GNU sparse file.
    pub(crate) fn real_size(&self) -> Option<i64> {
        number(&self.block[483..495])
    }

    /// The fragments of an old GNU sparse file that fit into the header, and whether more follow.
    pub(crate) fn fragments(&self) -> (&'a [u8], bool) {
        (&self.block[386..482], self.block[482] != 0)
    }
}

/// Types whose entries have no content, whatever size their header has.
pub(crate) fn is_header_only(flag: u8) -> bool {
    matches!(flag, b'1'..=b'6')
}

/// True where a block is a tar header, by its checksum.
pub fn is_header(block: &[u8; BLOCK]) -> bool {
    let Some(stated) = octal(&block[148..156]) else { return false };
    let own = |at: usize| u32::from(block[at]);
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    // The field itself counts as eight blanks.
    let unsigned = sum - (148..156).map(own).sum::<u32>() + 8 * u32::from(b' ');
    if stated == i64::from(unsigned) {
        return true;
    }
    // Very old programs summed signed bytes.
    let signed_byte = |(at, &byte): (usize, &u8)| match at {
        148..156 => i64::from(b' '),
        _ => i64::from(byte as i8),
    };
    stated == block.iter().enumerate().map(signed_byte).sum::<i64>()
}

fn format(block: &[u8; BLOCK]) -> Format {
    let is_ustar = &block[257..263] == b"ustar\0";
    if is_ustar && &block[508..] == b"tar\0" {
        Format::Star
    } else if is_ustar {
        Format::Ustar
    } else if &block[257..265] == b"ustar  \0" {
        Format::Gnu
    } else {
        Format::V7
    }
}
