//! What a long run tells whoever waits for it.

/// Told by the reading threads, in any order and from any of them.
pub trait Progress: Sync {
    /// Layer `number` of `of` begins; `size` in stored bytes where known. `of` is 0
    /// where nobody knows yet how many there are: in an archive that passes by.
    fn layer_begins(&self, _number: usize, _of: usize, _size: Option<u64>) {}
    /// So many more stored bytes of the layer have been read.
    fn layer_advances(&self, _number: usize, _bytes: u64) {}
    fn layer_ends(&self, _number: usize) {}
    /// All layers are read; the analyzers run.
    fn analysis_begins(&self) {}
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {}
