//! One pass over one layer: verify, decompress, verify, walk, look at the content.

mod again;
mod all;
pub mod cache;
mod decompress;
mod digested;
mod hash;
mod kept;
mod passed;
mod read;
mod remarks;
mod scan;
mod screen;
mod segment;
mod spool;
#[cfg(test)]
pub(crate) mod testing;
mod tree;

pub use again::{Again, Names, NamesOfOne, read_again, read_tree_again};
pub use all::{read_all, read_passing, verify};
pub use cache::{Cache, Key as CacheKey};
pub(crate) use decompress::MAX_ZSTD_WINDOW_LOG;
pub use kept::{Keeper, Kept};
pub use passed::Passed;
pub(crate) use read::MAX_CAPABILITY_BYTES;
pub use read::read;
pub use scan::{Compression, Entry, EntryKind, LayerScan, Skipped};
pub use segment::{Pass, count_again};
pub use spool::Spools;
pub use tree::read_tree;

/// Bytes of a layer that are in memory at a time.
const SEGMENT: usize = 2 << 20;
/// Files up to this size are dealt with whole.
const SMALL: u64 = 1 << 20;
