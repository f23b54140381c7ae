//! Part of a file's content, as a `Content` or as a stream, so that archives and
//! executables are never read as a whole.

use std::borrow::Cow;
use std::io::{self, Read};

use crate::content::Content;
use crate::format::{Error, Result};

/// `len` bytes of a content from `start` on.
pub struct Window<'a> {
    content: &'a dyn Content,
    start: u64,
    len: u64,
}

impl<'a> Window<'a> {
    /// `None` where it would reach beyond the content.
    pub fn new(content: &'a dyn Content, start: u64, len: u64) -> Option<Self> {
        (start.checked_add(len)? <= content.len()).then_some(Window { content, start, len })
    }
}

impl Content for Window<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.len.saturating_sub(offset);
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        if count == 0 {
            return Ok(0);
        }
        self.content.read_at(self.start + offset, &mut buf[..count])
    }

    fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        let mut bytes = Vec::new();
        stream(self).read_to_end(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}

/// The content from its beginning, through a buffer.
pub fn stream(content: &dyn Content) -> io::BufReader<Stream<'_>> {
    io::BufReader::with_capacity(32 << 10, Stream { content, position: 0 })
}

/// A content read from its beginning to its end.
pub struct Stream<'a> {
    content: &'a dyn Content,
    position: u64,
}

impl Read for Stream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read_at(self.position, buf)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Exactly `len` bytes at an offset. The length is one the caller has capped:
/// it is also checked against the content before anything is allocated.
///
/// # Errors
///
/// If the content has fewer bytes, or cannot be read.
pub fn read_exact_at(content: &dyn Content, offset: u64, len: u64) -> Result<Vec<u8>> {
    let Some(window) = Window::new(content, offset, len) else {
        return Err(Error::at_offset(
            offset,
            format!("{len} bytes expected beyond the end of the file"),
        ));
    };
    let len = usize::try_from(len).map_err(|_| Error::at_offset(offset, "too long to read"))?;
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match window.read_at(filled as u64, &mut bytes[filled..])? {
            0 => return Err(Error::at_offset(offset, "the file ends too early")),
            count => filled += count,
        }
    }
    Ok(bytes)
}

/// The whole content of at most `max` bytes. For patterns that also match files of other
/// software: their size must not become a problem before the path was looked at.
///
/// # Errors
///
/// If the content is larger, or cannot be read.
pub fn bytes_up_to(content: &dyn Content, max: u64) -> Result<Cow<'_, [u8]>> {
    if content.len() > max {
        return Err(Error::new(format!("larger than {max} bytes")));
    }
    Ok(content.bytes()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_its_own_bytes_only() {
        let content: &[u8] = b"0123456789";
        let window = Window::new(&content, 2, 5).expect("inside");
        let mut buf = [0; 10];
        assert_eq!(window.read_at(3, &mut buf).expect("in memory"), 2);
        assert_eq!(&buf[..2], b"56");
        assert_eq!(window.read_at(5, &mut buf).expect("in memory"), 0);
        assert_eq!(&*window.bytes().expect("in memory"), b"23456");
    }

    #[test]
    fn nothing_is_read_beyond_the_content() {
        let content: &[u8] = b"0123456789";
        assert!(Window::new(&content, 5, 6).is_none());
        assert!(Window::new(&content, u64::MAX, 2).is_none());
        assert!(read_exact_at(&content, 8, 3).is_err());
        assert_eq!(read_exact_at(&content, 8, 2).expect("inside"), b"89");
    }
}
