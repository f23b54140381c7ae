//! What a long run tells whoever waits for it: one kind of event, one kind of receiver.

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The layers are known: so many, of so many stored bytes where all sizes are known. With 0
    /// layers nobody knows yet how many there are: in an archive that is read as it comes.
    ReadingBegins {
        layers: usize,
        bytes: Option<u64>,
    },
    /// Layer `number` (from 0) of `of` begins; `size` in stored bytes where known. `of` is 0
    /// where nobody knows yet how many there are.
    LayerBegins {
        number: usize,
        of: usize,
        size: Option<u64>,
    },
    /// So many more stored bytes of the layer have been read.
    LayerAdvances {
        number: usize,
        bytes: u64,
    },
    LayerEnds {
        number: usize,
    },
    /// The layer is known from an earlier run, and is not read. It neither begins nor ends.
    LayerCached {
        number: usize,
        of: usize,
        size: u64,
    },
    /// All layers are read; the analyzers run.
    AnalysisBegins,
    /// A step of another kind of work begins; with how much there is to do in it, where known.
    StepBegins {
        step: &'a str,
        total: Option<u64>,
    },
    /// So much more of the step is done.
    StepAdvances {
        by: u64,
    },
    /// Something to know that does not keep the run from going on: one line, such as
    /// `the registry answers 503: trying again in 2 s`. It may have control characters in it.
    Note(&'a str),
}

/// Receives events, from any thread and in any order. The other methods are shorter ways to
/// tell one.
pub trait Progress: Send + Sync {
    fn tell(&self, event: Event<'_>);

    fn reading_begins(&self, layers: usize, bytes: Option<u64>) {
        self.tell(Event::ReadingBegins { layers, bytes });
    }

    fn layer_begins(&self, number: usize, of: usize, size: Option<u64>) {
        self.tell(Event::LayerBegins { number, of, size });
    }

    fn layer_advances(&self, number: usize, bytes: u64) {
        self.tell(Event::LayerAdvances { number, bytes });
    }

    fn layer_ends(&self, number: usize) {
        self.tell(Event::LayerEnds { number });
    }

    fn layer_cached(&self, number: usize, of: usize, size: u64) {
        self.tell(Event::LayerCached { number, of, size });
    }

    fn analysis_begins(&self) {
        self.tell(Event::AnalysisBegins);
    }

    fn step_begins(&self, step: &str, total: Option<u64>) {
        self.tell(Event::StepBegins { step, total });
    }

    fn step_advances(&self, by: u64) {
        self.tell(Event::StepAdvances { by });
    }

    fn note(&self, text: &str) {
        self.tell(Event::Note(text));
    }
}

/// Ignores every event.
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _: Event<'_>) {}
}
