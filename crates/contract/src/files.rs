//! The flattened image, as `analyze` sees it.

use std::borrow::Cow;

use bstr::BString;

use crate::{Fact, Result};

/// What a name in the flattened image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A file with content.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link; only [`Files::entry`] returns one.
    Symlink,
    /// Character or block device, fifo.
    Special,
}

/// What is known of a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Without a leading slash, all links followed.
    pub path: BString,
    /// Its type.
    pub kind: FileKind,
    /// In bytes.
    pub size: u64,
    /// Permission bits, without the type.
    pub mode: u32,
    /// Number of its owner.
    pub uid: u64,
    /// Number of its group.
    pub gid: u64,
}

/// The flattened image. Paths are bytes without a leading slash.
pub trait Files {
    /// What is at a path, following symbolic links inside the image
    /// (absolute ones begin at its root). `None` where nothing is, or where
    /// links go round in circles.
    fn get(&self, path: &[u8]) -> Option<FileInfo>;

    /// What is at a path, not following a link at its end.
    fn entry(&self, path: &[u8]) -> Option<FileInfo>;

    /// The content of a regular file that this analyzer wanted with
    /// [`Use::Keep`](crate::Use), links followed. `Ok(None)` if there is no such file.
    ///
    /// # Errors
    ///
    /// If the file is there but was not kept: it is larger than its want allows, or
    /// is reached through a link from a path that no analyzer wanted.
    fn read(&self, path: &[u8]) -> Result<Option<Cow<'_, [u8]>>>;

    /// Every regular file that this analyzer wanted with [`Use::Keep`](crate::Use),
    /// or of which its `inspect` stated something, in path order.
    fn wanted(&self) -> Vec<FileInfo>;

    /// The names in a directory, links followed, in order; none where no directory is.
    fn list(&self, _directory: &[u8]) -> Vec<BString> {
        Vec::new()
    }

    /// The facts this analyzer's `inspect` stored on the file at a path, links followed.
    fn facts(&self, path: &[u8]) -> &[Fact];
}
