//! The tar of an archive: a few members with plain names.

use std::io::{self, Read, Write};

use inscan_tar::{BLOCK, Kind, Limits, ReadError, Stream};

use super::Error;

/// What eleven octal digits can say.
const MAX_SIZE: u64 = 1 << 33;
/// Exports of an engine have one for each policy evaluation.
const LIMITS: Limits = Limits { entries: 10_000, name: 4096, ..Limits::GO };

/// Writes a file into a tar, with nothing in it of who wrote it and when.
/// <https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06>
pub(super) fn write_member(
    name: &str,
    size: u64,
    content: &mut dyn Read,
    to: &mut dyn Write,
) -> Result<(), Error> {
    if size >= MAX_SIZE {
        return Err(Error::content(format!("`{name}` is too large for an archive: {size} bytes")));
    }
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    to.write_all(&header)?;
    let copied = io::copy(&mut content.take(size), to)?;
    if copied != size {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let padding = size.next_multiple_of(BLOCK as u64) - size;
    io::copy(&mut io::repeat(0).take(padding), to)?;
    Ok(())
}

/// The end marker. The last record is not filled up: nobody writes this to a tape.
pub(super) fn write_end(to: &mut dyn Write) -> io::Result<()> {
    to.write_all(&[0; 2 * BLOCK])
}

/// Visits the members of a tar with their content, of which the visitor reads what it wants.
pub(super) fn each_member(
    from: impl Read,
    mut visit: impl FnMut(&str, u64, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut archive = inscan_tar::Archive::new(Stream(from), LIMITS);
    while let Some(member) = archive.next_entry().map_err(unreadable)? {
        if member.kind == Kind::Global {
            continue;
        }
        let name = String::from_utf8_lossy(&member.name).trim_start_matches("./").to_owned();
        if member.kind != Kind::File || member.is_sparse {
            return Err(Error::content(format!("its member `{name}` is no plain file")));
        }
        let size = member.size;
        visit(&name, size, &mut archive)?;
    }
    Ok(())
}

fn unreadable(error: ReadError) -> Error {
    match error {
        ReadError::Tar(error) => Error::content(error.to_string()),
        ReadError::Io(error) => error.into(),
    }
}
