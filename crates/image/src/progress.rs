//! What a long run tells whoever waits for it.

/// Told by the reading threads, in any order and from any of them.
pub trait Progress: Sync {
    /// The layers are known: so many, of so many stored bytes where all sizes are known.
    fn reading_begins(&self, _layers: usize, _bytes: Option<u64>) {}
    /// Layer `number` of `of` begins; `size` in stored bytes where known. `of` is 0
    /// where nobody knows yet how many there are: in an archive that passes by.
    fn layer_begins(&self, _number: usize, _of: usize, _size: Option<u64>) {}
    /// So many more stored bytes of the layer have been read.
    fn layer_advances(&self, _number: usize, _bytes: u64) {}
    fn layer_ends(&self, _number: usize) {}
    /// The layer is known from an earlier run, and is not read. It neither begins nor ends.
    fn layer_cached(&self, _number: usize, _of: usize, _size: u64) {}
    /// All layers are read; the analyzers run.
    fn analysis_begins(&self) {}
    /// Something to know that does not keep the run from going on: one line, such as
    /// `the registry answers 503: trying again in 2 s`. Control characters in it are escaped.
    fn note(&self, _text: &str) {}
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {}
