//! The content of one file that is larger than what passes by at once, put
//! together for an analyzer: in memory at first, then in a nameless temporary file.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use inscan_analyzers::Content;

/// A larger file goes to the temporary directory.
const IN_MEMORY: u64 = 4 << 20;

pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    len: u64,
    expected: u64,
    failed: AtomicBool,
}

impl Spool {
    /// For a file of a size that is known, though not to be relied on.
    pub(super) fn new(expected: u64) -> Self {
        let memory = match expected <= IN_MEMORY {
            true => Vec::with_capacity(expected as usize),
            false => Vec::new(),
        };
        Spool { memory, file: None, len: 0, expected, failed: AtomicBool::new(false) }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        if self.file.is_none() && self.expected.max(self.len) <= IN_MEMORY {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = tempfile::tempfile()?;
                file.write_all(&self.memory)?;
                self.memory = Vec::new();
                self.file.insert(file)
            }
        };
        file.write_all(bytes)
    }

    /// Reading it back failed, at least once.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn noted<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }
}

impl Content for Spool {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match &self.file {
            Some(file) => self.noted(file.read_at(buf, offset)),
            None => self.memory.as_slice().read_at(offset, buf),
        }
    }

    fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        let Some(file) = &self.file else { return Ok(Cow::Borrowed(&self.memory)) };
        let mut bytes = vec![0; usize::try_from(self.len).map_err(io::Error::other)?];
        self.noted(file.read_exact_at(&mut bytes, 0))?;
        Ok(Cow::Owned(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_content_reads_back() {
        for pieces in [1u64, 3, 40] {
            let mut spool = Spool::new(pieces << 18);
            let mut expected = Vec::new();
            for piece in 0..pieces {
                let bytes = vec![piece as u8; 1 << 18];
                spool.push(&bytes).unwrap();
                expected.extend(bytes);
            }
            assert!(spool.bytes().unwrap() == expected);
            let mut buf = [0; 10];
            assert_eq!(spool.read_at(spool.len() - 4, &mut buf).unwrap(), 4);
            assert_eq!(spool.read_at(spool.len(), &mut buf).unwrap(), 0);
        }
    }
}
