//! What a long run tells whoever waits for it.

pub use inscan_facts::progress::{Event, Progress, Silent};
