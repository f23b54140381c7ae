//! The walk over something that is read, or skipped.

use std::io::{self, Read};

use crate::entry::Entry;
use crate::error::Error;
use crate::limits::Limits;
use crate::sparse::Piece;
use crate::walk::{Found, Walk};

/// What an archive is read from.
pub trait Source: Read {
    /// Passes over the next bytes, by reading or by seeking; gives how many of them there were.
    ///
    /// # Errors
    ///
    /// Those of reading.
    fn skip(&mut self, bytes: u64) -> io::Result<u64>;
}

impl Source for &[u8] {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let count = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.len());
        *self = &self[count..];
        Ok(count as u64)
    }
}

/// A source that can only be read.
pub struct Stream<R>(pub R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Source for Stream<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        io::copy(&mut self.0.by_ref().take(bytes), &mut io::sink())
    }
}

/// An archive that could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Tar(#[from] Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Walks the entries of an archive. Reading it gives the content of the current entry.
pub struct Archive<S> {
    source: S,
    walk: Walk,
    /// What was read and not yet taken: part of a header.
    buffer: Vec<u8>,
}

impl<S: Source> Archive<S> {
    pub fn new(source: S, limits: Limits) -> Self {
        Archive { source, walk: Walk::new(limits), buffer: Vec::new() }
    }

    /// Goes to the next entry; `None` at the end of the archive.
    ///
    /// # Errors
    ///
    /// The archive is broken, or its source cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<&Entry>, ReadError> {
        let left = self.walk.stored_left();
        if left > 0 && self.source.skip(left)? < left {
            return Err(self.walk.cut().into());
        }
        self.walk.skip_content();
        let mut last = false;
        loop {
            let (taken, found) = self.walk.header(&self.buffer, last)?;
            self.buffer.drain(..taken);
            match found {
                Found::Needs(bytes) => last = !self.fill(bytes)?,
                Found::Entry => return Ok(Some(self.walk.entry())),
                Found::End => return Ok(None),
            }
        }
    }

    /// The entry that was given last.
    pub fn entry(&self) -> &Entry {
        self.walk.entry()
    }

    /// Gives the source back, behind the last byte that was read.
    pub fn into_source(self) -> S {
        self.source
    }

    /// Reads until the buffer has so many bytes; false where there are fewer.
    fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        let missing = bytes.saturating_sub(self.buffer.len()) as u64;
        let read = self.source.by_ref().take(missing).read_to_end(&mut self.buffer)?;
        Ok(read as u64 == missing)
    }
}

impl<S: Source> Read for Archive<S> {
    /// Holes of a sparse file are read as zeros. An archive that ends in the middle of the
    /// content is an error that holds an [`Error`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let within = |length: u64| buffer.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        let count = match self.walk.piece() {
            None => return Ok(0),
            Some(Piece::Hole(length)) => {
                let count = within(length);
                buffer[..count].fill(0);
                count
            }
            Some(Piece::Stored(length)) => {
                let count = within(length);
                let read = self.source.read(&mut buffer[..count])?;
                if read == 0 && count > 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, self.walk.cut()));
                }
                read
            }
        };
        self.walk.advance(count as u64);
        Ok(count)
    }
}
