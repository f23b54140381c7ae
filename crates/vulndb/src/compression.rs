//! Records are small: compressed one by one, they need a dictionary of what
//! they have in common. It is trained when a database is built, and kept in it.

use std::cell::RefCell;
use std::io;

use super::read::{Error, Result};

/// Larger after decompression is no record of ours.
pub(super) const MAX_RECORD: usize = 32 << 20;

/// Twice as slow as the default (3), and a tenth smaller; measured on the whole public set.
const LEVEL: i32 = 12;

/// Fewer samples than these make no dictionary: records are compressed without one.
const MIN_SAMPLES: usize = 100;

/// A dictionary from samples of the records; empty where there are too few.
pub(super) fn trained(samples: &[Vec<u8>], size: usize) -> Vec<u8> {
    if samples.len() < MIN_SAMPLES {
        return Vec::new();
    }
    // Training fails where the samples have nothing in common.
    zstd::dict::from_samples(samples, size).unwrap_or_default()
}

/// Compresses with one dictionary; each thread has its own.
pub(super) struct Shrinker(zstd::bulk::Compressor<'static>);

impl Shrinker {
    pub(super) fn new(dictionary: &[u8]) -> io::Result<Shrinker> {
        Ok(Shrinker(zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary)?))
    }

    pub(super) fn shrink(&mut self, record: &[u8]) -> io::Result<Vec<u8>> {
        if record.len() > MAX_RECORD {
            return Err(io::Error::other("a record is larger than 32 MiB"));
        }
        self.0.compress(record)
    }
}

/// Decompresses what was compressed with one dictionary.
pub(super) struct Expander(RefCell<zstd::bulk::Decompressor<'static>>);

impl Expander {
    pub(super) fn new(dictionary: &[u8]) -> Result<Expander> {
        let decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary)
            .map_err(|error| Error::damaged(format!("a dictionary cannot be used: {error}")))?;
        Ok(Expander(RefCell::new(decompressor)))
    }

    pub(super) fn expand(&self, record: &[u8]) -> Result<Vec<u8>> {
        // The frame says how large it becomes. What says nothing, or too much, is not ours.
        let size = zstd::zstd_safe::get_frame_content_size(record).ok().flatten();
        let size = size.and_then(|size| usize::try_from(size).ok());
        let Some(size) = size.filter(|size| *size <= MAX_RECORD) else {
            return Err(Error::damaged("a record has no size, or one above 32 MiB".to_owned()));
        };
        self.0
            .borrow_mut()
            .decompress(record, size)
            .map_err(|error| Error::damaged(format!("a record cannot be decompressed: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back_and_lies_are_refused() {
        let samples: Vec<Vec<u8>> = (0..500)
            .map(|number| {
                format!("{{\"id\":\"CVE-2024-{number}\",\"fixed\":\"1.2.{number}\"}}").into_bytes()
            })
            .collect();
        let dictionary = trained(&samples, 4096);
        assert!(!dictionary.is_empty());
        let shrunk = Shrinker::new(&dictionary).unwrap().shrink(&samples[7]).unwrap();
        let expander = Expander::new(&dictionary).unwrap();
        assert_eq!(expander.expand(&shrunk).unwrap(), samples[7]);
        for length in 0..shrunk.len() {
            assert!(expander.expand(&shrunk[..length]).is_err());
        }
        // A frame that says it becomes 1 GiB: <https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1>.
        let mut liar = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
        liar.extend((1u32 << 30).to_le_bytes());
        liar.extend([1, 0, 0]);
        assert!(expander.expand(&liar).unwrap_err().to_string().contains("32 MiB"));
    }
}
