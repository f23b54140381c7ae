//! Where the time of a run goes. It is measured in every run: a few clock readings for
//! each stretch of a layer and each file that an analyzer sees.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One layer. Decoding and looking at the content go on side by side, so that together
/// they may be more than the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerTimes {
    /// It was known from an earlier run.
    pub is_cached: bool,
    /// Stored bytes.
    pub size: u64,
    /// Waiting for stored bytes.
    pub wait: Duration,
    /// Verifying and decompressing the stored bytes.
    pub decode: Duration,
    /// Hashing and analyzing the content.
    pub work: Duration,
    pub total: Duration,
}

/// Set by all threads that read layers.
#[derive(Debug, Default)]
pub struct Clocks {
    layers: Mutex<BTreeMap<usize, LayerTimes>>,
    /// Nanoseconds in `inspect`, by analyzer.
    inspect: Vec<AtomicU64>,
}

impl Clocks {
    pub fn new(analyzers: usize) -> Self {
        let inspect = (0..analyzers).map(|_| AtomicU64::new(0)).collect();
        Clocks { inspect, ..Clocks::default() }
    }

    pub fn layer(&self, number: usize, times: LayerTimes) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        layers.insert(number, times);
    }

    /// An analyzer began with a file then, and is done with it now.
    pub fn inspected(&self, analyzer: usize, begun: Instant) {
        let nanoseconds = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(clock) = self.inspect.get(analyzer) {
            clock.fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }
}

/// One run, but for writing what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Reading all layers.
    pub reading: Duration,
    pub flattening: Duration,
    /// Running the analyzers over the image, side by side, and putting together what they say.
    pub analyzing: Duration,
    /// By number: the place in the image, or, in an archive that passes by, in the archive.
    pub layers: Vec<LayerTimes>,
    /// By analyzer: with single files, on all threads together.
    pub inspect: Vec<Duration>,
    /// By analyzer: with the image as a whole.
    pub analyze: Vec<Duration>,
}

impl Times {
    /// Takes over what was measured while the layers were read.
    pub fn take_reading(&mut self, clocks: &Clocks, reading: Duration) {
        self.reading = reading;
        let layers = clocks.layers.lock().unwrap_or_else(PoisonError::into_inner);
        self.layers = layers.values().copied().collect();
        let nanoseconds = clocks.inspect.iter().map(|clock| clock.load(Ordering::Relaxed));
        self.inspect = nanoseconds.map(Duration::from_nanos).collect();
    }
}

/// What the process took of the machine so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of all threads, with what the kernel did for them.
    pub cpu: Duration,
    /// In bytes.
    pub peak_memory: u64,
}

impl Usage {
    pub fn now() -> Self {
        // SAFETY: all-zero is a value of this structure of numbers.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: writes into the structure it is given; it cannot fail for RUSAGE_SELF.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        let duration = |time: libc::timeval| {
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            let microseconds = u64::try_from(time.tv_usec).unwrap_or(0);
            Duration::from_secs(seconds) + Duration::from_micros(microseconds)
        };
        // In KiB, but for macOS.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Usage {
            cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
            peak_memory: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_takes_is_measured() {
        let before = Usage::now();
        let mut filled = vec![1u8; 8 << 20];
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(30) {
            filled.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3));
        }
        let after = Usage::now();
        assert!(after.cpu > before.cpu, "{filled:?}");
        assert!(after.peak_memory > 8 << 20);
    }

    #[test]
    fn what_threads_measure_comes_together() {
        let clocks = Clocks::new(2);
        let layer = LayerTimes { size: 7, ..LayerTimes::default() };
        std::thread::scope(|scope| {
            scope.spawn(|| clocks.layer(1, layer));
            scope.spawn(|| clocks.layer(0, LayerTimes { is_cached: true, ..layer }));
        });
        clocks.inspected(1, Instant::now() - Duration::from_secs(1));
        clocks.inspected(1, Instant::now() - Duration::from_secs(1));
        clocks.inspected(9, Instant::now());
        let mut times = Times::default();
        times.take_reading(&clocks, Duration::from_secs(3));
        assert!(times.layers[0].is_cached && times.layers[1].size == 7);
        assert_eq!(times.inspect[0], Duration::ZERO);
        assert!(times.inspect[1] >= Duration::from_secs(2));
    }
}
