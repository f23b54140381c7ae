//! One pass over one layer: verify, decompress, verify, walk, look at the content.

mod all;
mod decompress;
mod hash;
mod kept;
mod read;
mod scan;
mod segment;
mod spool;
pub mod tar;
#[cfg(test)]
pub(crate) mod testing;

pub use all::{read_all, verify};
pub use kept::{Keeper, Kept};
pub use read::read;
pub use scan::{Compression, Entry, EntryKind, LayerScan, Skipped};
pub use segment::Pass;
