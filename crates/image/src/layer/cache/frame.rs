//! The form of every file in the cache: what it is, for which analyzers, and of what;
//! then its content, compressed; then the seal of all before it, which only who has the key
//! can make.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::coding::{array, corrupt};
use super::key::Key;
use inscan_facts::digest::Digest;

/// Longer is nothing we wrote.
const MAX_FILE_LENGTH: u64 = 1 << 30;
/// The content of one file, unpacked.
const MAX_CONTENT_LENGTH: u64 = 2 << 30;
/// Bytes of a seal: HMAC-SHA256.
const SEAL: u64 = 32;
const BUFFER: usize = 64 << 10;
const LEVEL: i32 = 3;
/// Memory for what was before, as a power of 2: several layers are written at once.
const WINDOW: u32 = 18;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Layer,
    Blob,
}

/// What a file has to say of itself to be believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// The analyzers, their version and configuration.
    pub(super) set: Digest,
    /// The diff id of a layer, the digest of a blob.
    pub(super) of: Digest,
}

impl Head {
    fn bytes(&self) -> [u8; 72] {
        let magic = match self.kind {
            Kind::Layer => b"inscan\0L",
            Kind::Blob => b"inscan\0B",
        };
        let mut bytes = [0; 72];
        bytes[..8].copy_from_slice(magic);
        bytes[8..40].copy_from_slice(&self.set.0);
        bytes[40..].copy_from_slice(&self.of.0);
        bytes
    }
}

pub(super) fn write<W: Write>(
    to: W,
    head: &Head,
    key: &Key,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut to = Sealing { inner: to, seal: key.sealing() };
    to.write_all(&head.bytes())?;
    let mut encoder = zstd::Encoder::new(to, LEVEL)?;
    encoder.window_log(WINDOW)?;
    let limited = Limited { inner: encoder, left: MAX_CONTENT_LENGTH };
    let mut buffered = BufWriter::with_capacity(BUFFER, limited);
    content(&mut buffered)?;
    let limited = buffered.into_inner().map_err(|error| error.into_error())?;
    let Sealing { mut inner, seal } = limited.inner.finish()?;
    inner.write_all(seal.sign().as_ref())?;
    inner.flush()
}

/// Hands the content over if the head is as it should be, and what was made of it back if
/// all of it was what was written once.
pub(super) fn read<T>(
    file: &File,
    head: &Head,
    key: &Key,
    content: impl FnOnce(&mut dyn BufRead) -> io::Result<T>,
) -> io::Result<T> {
    let len = file.metadata()?.len();
    let before_seal = len.checked_sub(SEAL).filter(|_| len <= MAX_FILE_LENGTH);
    let before_seal = before_seal.ok_or_else(|| corrupt("its length is impossible"))?;
    let hashing = Sealing { inner: file.take(before_seal), seal: key.sealing() };
    let mut stored = BufReader::with_capacity(BUFFER, hashing);
    if array(&mut stored)? != head.bytes() {
        return Err(corrupt("it is of something else"));
    }
    let mut decoder = zstd::Decoder::with_buffer(stored)?.single_frame();
    decoder.window_log_max(WINDOW)?;
    let mut buffered = BufReader::with_capacity(BUFFER, decoder.take(MAX_CONTENT_LENGTH));
    let made = content(&mut buffered)?;
    let mut stored = buffered.into_inner().into_inner().finish();
    if !stored.fill_buf()?.is_empty() {
        return Err(corrupt("something follows its content"));
    }
    let actual = stored.into_inner().seal.sign();
    let mut expected = Vec::new();
    file.take(SEAL).read_to_end(&mut expected)?;
    match verify_slices_are_equal(&expected, actual.as_ref()) {
        Ok(()) => Ok(made),
        Err(_) => Err(corrupt("its seal is wrong")),
    }
}

/// Passes bytes on, and seals them.
struct Sealing<I> {
    inner: I,
    seal: hmac::Context,
}

impl<R: Read> Read for Sealing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.seal.update(&buffer[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.seal.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Passes so many bytes on, and fails at the next one.
struct Limited<W> {
    inner: W,
    left: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| corrupt("it is too long to be kept"))?;
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
