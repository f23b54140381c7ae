//! File content that stays after the pass: in memory while there is room, then
//! in a temporary file without a name, which the kernel removes however we end.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The content of one file.
#[derive(Debug)]
pub enum Kept {
    Memory(Box<[u8]>),
    Spilled { file: Arc<File>, offset: u64, len: usize },
}

impl Kept {
    pub fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Kept::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Kept::Spilled { file, offset, len } => {
                let mut bytes = vec![0; *len];
                file.read_exact_at(&mut bytes, *offset)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}
