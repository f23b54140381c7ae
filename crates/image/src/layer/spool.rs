//! The content of one file that is larger than what passes by at once, put
//! together for an analyzer: in memory at first, then in a nameless temporary file.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use inscan_analyzers::Content;

/// A larger file goes to the temporary directory.
const IN_MEMORY: u64 = 4 << 20;

/// Temporary files that serve again: the system has to find room for each anew, and that costs as
/// much as writing into it.
#[derive(Debug, Default)]
pub struct Spools(Mutex<Vec<File>>);

/// So many wait to serve again, each of which had no more bytes than this.
const WAITING: usize = 2;
const LONGEST_WAITING: u64 = 64 << 20;

impl Spools {
    fn take(&self) -> io::Result<File> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        waiting.map_or_else(tempfile::tempfile, Ok)
    }

    fn give_back(&self, file: File) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING {
            waiting.push(file);
        }
    }
}

pub(super) struct Spool<'a> {
    spools: &'a Spools,
    memory: Vec<u8>,
    /// Behind `len` there may be bytes of what it served for before.
    file: Option<File>,
    len: u64,
    expected: u64,
    failed: AtomicBool,
}

impl<'a> Spool<'a> {
    /// For a file of a size that is known, though not to be relied on.
    pub(super) fn new(expected: u64, spools: &'a Spools) -> Self {
        let memory = match expected <= IN_MEMORY {
            true => Vec::with_capacity(expected as usize),
            false => Vec::new(),
        };
        Spool { spools, memory, file: None, len: 0, expected, failed: AtomicBool::new(false) }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let start = self.len;
        self.len += bytes.len() as u64;
        if self.file.is_none() && self.expected.max(self.len) <= IN_MEMORY {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = self.spools.take()?;
                file.write_all_at(&self.memory, 0)?;
                self.memory = Vec::new();
                self.file.insert(file)
            }
        };
        file.write_all_at(bytes, start)
    }

    /// Reading it back failed, at least once.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn noted<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }
}

impl Drop for Spool<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take_if(|_| self.len <= LONGEST_WAITING) {
            self.spools.give_back(file);
        }
    }
}

impl Content for Spool<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match &self.file {
            Some(file) => {
                let left = self.len.saturating_sub(offset).min(buf.len() as u64);
                self.noted(file.read_at(&mut buf[..left as usize], offset))
            }
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
    fn small_and_large_content_reads_back_whatever_its_file_served_for_before() {
        let spools = Spools::default();
        for pieces in [40_u64, 1, 3, 17, 40] {
            let mut spool = Spool::new(pieces << 18, &spools);
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
            assert_eq!(spool.read_at(spool.len() + 7, &mut buf).unwrap(), 0);
        }
        assert_eq!(spools.0.into_inner().unwrap().len(), 1);
    }
}
