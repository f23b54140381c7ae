//! One entry of an archive, with all that extended headers say of it.

use crate::pax::Records;
use crate::sparse::{Fragment, Pieces};

/// One entry. There is one for each [`crate::Walk`], whose room is used again and again.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// As written. It may be absolute, lead upwards, or hold any byte.
    pub name: Vec<u8>,
    /// The target of a link, as written.
    pub link: Vec<u8>,
    pub kind: Kind,
    /// The type as the header has it; a file or directory of before POSIX counts as `0` or `5`.
    pub flag: u8,
    /// Permissions are the lowest twelve bits; others may be set, as Go's reader has it.
    pub mode: i64,
    /// May be negative, or beyond 32 bits.
    pub uid: i64,
    pub gid: i64,
    /// Of the content, holes included. 0 where the kind has no content.
    pub size: u64,
    /// Bytes of content in the archive, without padding.
    pub stored: u64,
    /// Where the header begins, in the archive; extended headers lie before it.
    pub header_offset: u64,
    /// Where the stored content begins, in the archive.
    pub offset: u64,
    /// It is sparse: all that is stored are `fragments`.
    pub is_sparse: bool,
    /// In order, none empty, inside of `size` and of `stored` bytes together.
    pub fragments: Vec<Fragment>,
    pub(crate) records: Records,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
    /// Records for all entries that follow. Go's reader gives them out as an entry with a name,
    /// and applies them to nothing.
    Global,
    /// A type that no container engine knows; it may have content.
    Other(u8),
}

impl Kind {
    pub(crate) fn of(flag: u8) -> Self {
        match flag {
            b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'g' => Kind::Global,
            other => Kind::Other(other),
        }
    }
}

impl Entry {
    /// An extended attribute, such as `security.capability`. Only star's records count
    /// (`SCHILY.xattr.`): container engines do not know libarchive's.
    pub fn xattr(&self, name: &[u8]) -> Option<&[u8]> {
        self.records.xattr(name)
    }

    /// What the content is made of.
    pub fn pieces(&self) -> Pieces {
        Pieces::new(self.size, self.is_sparse)
    }
}
