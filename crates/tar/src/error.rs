//! What can be wrong with an archive.

/// What is wrong, and where in the archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broken tar at offset {offset}: {fault}")]
pub struct Error {
    /// In bytes from the beginning of the archive.
    pub offset: u64,
    pub fault: Fault,
}

/// What is wrong. [`Fault::code`] names each for programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("not a tar header (its checksum is wrong)")]
    Checksum,
    #[error("the header's {0} is not a number")]
    Number(&'static str),
    #[error("a negative size")]
    NegativeSize,
    #[error("a single zero block inside the archive")]
    LoneZeroBlock,
    #[error("it was cut off in the middle of a header")]
    CutHeader,
    #[error("it was cut off in the middle of an extended record")]
    CutRecord,
    #[error("it was cut off in the middle of a file")]
    CutContent,
    #[error("it was cut off in the middle of a sparse file's map")]
    CutMap,
    #[error("a damaged extended record")]
    Record,
    #[error("the extended record `{0}` is not a number")]
    RecordNumber(&'static str),
    #[error("the map of a sparse file is damaged")]
    Map,
    #[error("a sparse file stores {stored} bytes, its map says {mapped}")]
    MapSize { stored: u64, mapped: u64 },
    #[error("an extended record of {size} bytes (at most {most})")]
    RecordTooLong { size: u64, most: u64 },
    #[error("a name of {size} bytes (at most {most})")]
    NameTooLong { size: usize, most: usize },
    #[error("a name with a part of {size} bytes (at most {most})")]
    PartTooLong { size: usize, most: usize },
    #[error("a link target of {size} bytes (at most {most})")]
    LinkTooLong { size: usize, most: usize },
    #[error("the map of a sparse file is too long")]
    MapTooLong,
    #[error("more than {0} bytes of holes in sparse files")]
    TooManyHoles(u64),
    #[error("more than {0} entries")]
    TooManyEntries(u64),
}

impl Fault {
    /// A name that stays the same from version to version.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Checksum => "tar-checksum",
            Fault::Number(_) => "tar-number",
            Fault::NegativeSize => "tar-negative-size",
            Fault::LoneZeroBlock => "tar-lone-zero-block",
            Fault::CutHeader => "tar-cut-header",
            Fault::CutRecord => "tar-cut-record",
            Fault::CutContent => "tar-cut-content",
            Fault::CutMap => "tar-cut-map",
            Fault::Record => "tar-record",
            Fault::RecordNumber(_) => "tar-record-number",
            Fault::Map => "tar-map",
            Fault::MapSize { .. } => "tar-map-size",
            Fault::RecordTooLong { .. } => "tar-record-too-long",
            Fault::NameTooLong { .. } => "tar-name-too-long",
            Fault::PartTooLong { .. } => "tar-part-too-long",
            Fault::LinkTooLong { .. } => "tar-link-too-long",
            Fault::MapTooLong => "tar-map-too-long",
            Fault::TooManyHoles(_) => "tar-too-many-holes",
            Fault::TooManyEntries(_) => "tar-too-many-entries",
        }
    }
}
