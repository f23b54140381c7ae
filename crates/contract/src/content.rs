//! What is known of one file before `inspect` reads it.

/// How many first bytes of a file are known before its content is read:
/// enough for every magic number, and for telling text from binary.
pub const START_LEN: usize = 512;

/// What is known of a file before its content is looked at.
#[derive(Clone, Copy, Debug)]
pub struct FileHead<'a> {
    /// Path in the layer, without a leading slash: `usr/bin/env`.
    pub path: &'a [u8],
    /// In bytes.
    pub size: u64,
    /// Permission bits (`0o4755`), without the type.
    pub mode: u32,
    /// The first bytes, at most [`START_LEN`].
    pub start: &'a [u8],
}
