//! One pass over one layer: verify, decompress, verify, walk, look at the content.

mod kept;
mod scan;

pub use kept::Kept;
pub use scan::{Compression, Entry, EntryKind, LayerScan, Skipped};
