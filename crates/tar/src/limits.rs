//! How much an archive may ask for.

/// Most of each thing. A larger one is an error that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the archive.
    pub entries: u64,
    /// Bytes of extended records, of a GNU long name, or of a sparse file's map.
    pub record: u64,
    /// Bytes of an entry's name.
    pub name: usize,
    /// Bytes of one part of a name, between slashes.
    pub part: usize,
    /// Bytes of a link's target.
    pub link: usize,
    /// Stored fragments of one sparse file.
    pub fragments: usize,
    /// Bytes of holes in all sparse files together.
    pub holes: u64,
}

impl Limits {
    /// Go's reader has limits for records and maps only.
    pub const GO: Limits = Limits {
        entries: u64::MAX,
        record: 1 << 20,
        name: usize::MAX,
        part: usize::MAX,
        link: usize::MAX,
        fragments: 1 << 20,
        holes: u64::MAX,
    };
}
