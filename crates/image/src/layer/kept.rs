//! File content that stays after the pass: in memory while there is room, then
//! in a temporary file without a name, which the kernel removes however we end.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

/// Kept content of all layers together that stays in memory.
const IN_MEMORY: usize = 4 << 20;

/// The content of one file.
#[derive(Debug)]
pub enum Kept {
    Memory(Box<[u8]>),
    Spilled { file: Arc<File>, offset: u64, len: usize },
}

impl Kept {
    pub fn len(&self) -> usize {
        match self {
            Kept::Memory(bytes) => bytes.len(),
            Kept::Spilled { len, .. } => *len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

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

/// Where all layers of one run keep content.
#[derive(Debug, Default)]
pub struct Keeper {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_memory: usize,
    spill: Option<(Arc<File>, u64)>,
}

impl Keeper {
    pub(super) fn keep(&self, bytes: &[u8]) -> io::Result<Kept> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.in_memory + bytes.len() <= IN_MEMORY {
            state.in_memory += bytes.len();
            return Ok(Kept::Memory(bytes.into()));
        }
        let (file, end) = match &mut state.spill {
            Some(spill) => spill,
            None => state.spill.insert((Arc::new(tempfile::tempfile()?), 0)),
        };
        let offset = *end;
        file.write_all_at(bytes, offset)?;
        *end += bytes.len() as u64;
        Ok(Kept::Spilled { file: Arc::clone(file), offset, len: bytes.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back_from_memory_and_from_the_spill() {
        let keeper = Keeper::default();
        let kept: Vec<_> = (0..40u8).map(|i| keeper.keep(&vec![i; 1 << 20]).unwrap()).collect();
        assert!(matches!(kept[0], Kept::Memory(_)));
        assert!(matches!(kept[39], Kept::Spilled { .. }));
        for (i, kept) in kept.iter().enumerate() {
            assert!(kept.bytes().unwrap().iter().all(|&byte| byte == i as u8));
        }
    }
}
