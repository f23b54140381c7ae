//! The threads that work on content: a pool of the scan's own, so that two scans in one
//! process do not share their limits, or the process's pool where none was made.

use std::fmt;
use std::sync::Arc;

use rayon::{Scope, ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Threads that work on content. A clone is the same threads.
#[derive(Clone, Default)]
pub struct Threads(Option<Arc<ThreadPool>>);

impl Threads {
    /// A pool of `count` threads, or of as many as can be made.
    ///
    /// # Errors
    /// Where the machine starts no thread at all.
    pub fn new(count: usize) -> Result<Self, ThreadPoolBuildError> {
        let pool = |count| {
            let named = |number| format!("work-{number}");
            ThreadPoolBuilder::new().num_threads(count).thread_name(named).build()
        };
        let mut fewer = count;
        loop {
            match pool(fewer) {
                Err(_) if fewer > 1 => fewer /= 2,
                made => return Ok(Threads(Some(Arc::new(made?)))),
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match &self.0 {
            Some(pool) => pool.current_num_threads(),
            None => rayon::current_num_threads(),
        }
    }

    /// Runs `work` on the calling thread; what it spawns runs on these threads, and is done
    /// when this returns.
    pub fn scope<'scope, R>(&self, work: impl FnOnce(&Scope<'scope>) -> R) -> R {
        match &self.0 {
            Some(pool) => pool.in_place_scope(work),
            None => rayon::in_place_scope(work),
        }
    }

    /// Runs `work` on these threads, and waits for it.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads", self.count())
    }
}
