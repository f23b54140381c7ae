//! Records are small: compressed one by one, they need a dictionary of what
//! they have in common. It is trained when a database is built, and kept in it.

use std::cell::RefCell;

use super::read::{Error, Result};

/// Larger after decompression is no record of ours.
pub(super) const MAX_RECORD: usize = 32 << 20;

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
