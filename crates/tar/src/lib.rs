//! Tar archives, read from bytes that may be forged, as Go's `archive/tar` reads them.
//!
//! Go's reader is in every container engine, so what it makes of an archive is what runs: a
//! scanner that reads an archive in another way can be shown another image. What Go's reader
//! refuses is refused here, and what it reads is read with the same names, kinds, sizes, owners
//! and content; `tests/go` holds the two against each other.
//!
//! [`Walk`] is the reader itself, without input and output: it is given bytes as they come.
//! [`Archive`] drives it over a [`Source`]. Formats:
//! <https://www.gnu.org/software/tar/manual/html_node/Standard.html>,
//! <https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html>.

mod archive;
mod entry;
mod error;
mod gnu;
mod header;
mod limits;
mod number;
mod packing;
mod pax;
mod sparse;
mod walk;

pub use archive::{Archive, ReadError, Source, Stream};
pub use entry::{Entry, Kind};
pub use error::{Error, Fault};
pub use header::is_header;
pub use limits::Limits;
pub use packing::Packing;
pub use sparse::{Fragment, Piece, Pieces};
pub use walk::{Found, Walk};

/// An archive is made of blocks of so many bytes.
pub const BLOCK: usize = 512;
