//! The content of one file: in memory, or read piece by piece from where it lies.

use std::borrow::Cow;
use std::io;

/// The content of one regular file: in memory, or spilled if it was large.
pub trait Content {
    /// In bytes.
    fn len(&self) -> u64;

    /// True for a file of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at an offset, like `pread`: 0 at or beyond the end, and possibly
    /// fewer bytes than asked for.
    ///
    /// # Errors
    ///
    /// If a spilled content cannot be read back, or if the file is larger than the
    /// want's `content_up_to`.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// The whole content. Cheap for small files; the want's `max_size` bounds it.
    ///
    /// # Errors
    ///
    /// As for [`read_at`](Content::read_at).
    fn bytes(&self) -> io::Result<Cow<'_, [u8]>>;
}

impl Content for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest =
            usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(self))
    }
}
