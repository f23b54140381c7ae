//! The layers of an archive that is read only once: put aside as they pass by, in a nameless temporary
//! file, so that some of their files can be looked at again by names that only all layers tell.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use inscan_facts::digest::Digest;

/// Most of an archive that is put aside: of more, only the first layers can be read again.
const MAX_BYTES: u64 = 8 << 30;
/// The same where temporary files are memory.
const MAX_IN_MEMORY: u64 = 256 << 20;

/// Layers by the digest of what was stored.
#[derive(Debug, Default)]
pub struct Passed {
    file: Option<File>,
    /// How many bytes are in it, and how many may be.
    end: u64,
    most: u64,
    layers: HashMap<Digest, (u64, u64)>,
}

impl Passed {
    /// A layer that passes by: what is read of it is put aside.
    pub fn by<'a, R>(&'a mut self, layer: R) -> PassingBy<'a, R> {
        if self.file.is_none()
            && let Ok(file) = tempfile::tempfile()
        {
            self.most = room(&file);
            self.file = Some(file);
        }
        let start = self.end;
        PassingBy { layer, start, is_whole: self.file.is_some(), passed: self }
    }

    /// What was put aside of a layer. `None`: it did not fit, or was not there.
    pub fn open(&self, digest: Digest) -> Option<impl Read + Send + '_> {
        let (file, (start, length)) = (self.file.as_ref()?, self.layers.get(&digest)?);
        Some(Again { file, at: *start, end: start + length })
    }
}

/// Half of what is free: other programs need some of it, too.
fn room(file: &File) -> u64 {
    let free = rustix::fs::fstatvfs(file).map_or(0, |it| it.f_bavail.saturating_mul(it.f_frsize));
    let most = if is_memory(file) { MAX_IN_MEMORY } else { MAX_BYTES };
    most.min(free / 2)
}

#[cfg(target_os = "linux")]
fn is_memory(file: &File) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|it| it.f_type as u64 == TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn is_memory(_: &File) -> bool {
    false
}

/// See [`Passed::by`].
pub struct PassingBy<'a, R> {
    layer: R,
    passed: &'a mut Passed,
    start: u64,
    is_whole: bool,
}

impl<R> PassingBy<'_, R> {
    /// It was read to its end, and this is its digest.
    pub fn end(self, digest: Digest) {
        if self.is_whole {
            self.passed.layers.insert(digest, (self.start, self.passed.end - self.start));
        }
    }
}

impl<R: Read> Read for PassingBy<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.layer.read(buffer)?;
        let Passed { file: Some(file), end, most, .. } = &mut *self.passed else {
            return Ok(count);
        };
        if self.is_whole {
            let fits = *end + count as u64 <= *most;
            self.is_whole = fits && file.write_all_at(&buffer[..count], *end).is_ok();
            *end += count as u64 * u64::from(self.is_whole);
        }
        if !self.is_whole {
            *end = self.start;
        }
        Ok(count)
    }
}

struct Again<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Again<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_facts::digest::Sha256;

    fn again(passed: &Passed, content: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        passed.open(Sha256::of(content))?.read_to_end(&mut bytes).unwrap();
        Some(bytes)
    }

    #[test]
    fn layers_that_passed_by_can_be_read_again_as_far_as_there_is_room() {
        let mut passed = Passed::default();
        let pass = |passed: &mut Passed, content: &[u8]| {
            let mut layer = passed.by(content);
            io::copy(&mut layer, &mut io::sink()).unwrap();
            layer.end(Sha256::of(content));
        };
        pass(&mut passed, b"one");
        passed.most = 8;
        pass(&mut passed, b"too long");
        pass(&mut passed, b"two");
        assert_eq!(again(&passed, b"one").as_deref(), Some(&b"one"[..]));
        assert_eq!(again(&passed, b"two").as_deref(), Some(&b"two"[..]));
        assert_eq!(again(&passed, b"too long"), None);
    }
}
