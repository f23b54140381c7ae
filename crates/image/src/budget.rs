//! What an image may ask for in all: each thing that takes work or memory may have a number of its
//! own, and more the more bytes the image has as it is stored. An image of a megabyte that unpacks to
//! a terabyte is refused; one of a gigabyte may well unpack to ten.
//!
//! docs/limits.md has the numbers, and those of what is bounded elsewhere.

use std::io::{self, Read};
use std::num::{NonZeroU64, ParseIntError};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use inscan_analyzers::Room;
use inscan_facts::error::{Error, Kind};

use crate::fault;

/// Zeros have a thousandth of their size in gzip, and less than a ten thousandth in zstd; whole layers
/// of real images a third to a twentieth. The window of a zstd frame is as much memory as comes out of it.
const UNPACKED: Limit = Limit { free: 128 << 20, more: 64, per: 1, what: "bytes in its layers" };
/// A header has 512 bytes, and seldom less than ten when it is compressed.
const ENTRIES: Limit = Limit { free: 300_000, more: 1, per: 4, what: "entries in its layers" };
/// Most names have below a hundred bytes, and repeat much of those before them.
const NAMES: Limit = Limit {
    free: 32 << 20,
    more: 8,
    per: 1,
    what: "bytes of names and targets of links in its layers",
};
/// In memory; a package takes a kilobyte, and a file that it lists two hundred bytes.
const FACTS: Limit = Limit {
    free: 64 << 20,
    more: 16,
    per: 1,
    what: "bytes of packages, other findings, and what is read as a whole",
};

/// Words that may stand before a secret, each of which takes some microseconds; and each KiB that
/// comes out of an archive in a file.
const LOOKS: Limit = Limit {
    free: 1_000_000,
    more: 1,
    per: 16,
    what: "words that may name a secret, or KiB in archives in files",
};

/// So much for any image, and so much more for each so many stored bytes.
struct Limit {
    free: u64,
    more: u64,
    per: u64,
    what: &'static str,
}

impl Limit {
    /// What so many stored bytes allow.
    fn allowed(&self, stored: u64, factor: u64) -> u64 {
        (stored / self.per).saturating_mul(self.more * factor)
    }
}

/// How many times what an image may usually ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor(NonZeroU64);

impl Default for Factor {
    fn default() -> Self {
        Factor(NonZeroU64::MIN)
    }
}

impl FromStr for Factor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Factor)
    }
}

/// What the layers of an image have taken so far. The sums of what goes beyond that which their
/// stored bytes allow do not depend on the order in which they are read.
#[derive(Debug)]
pub struct Budget {
    factor: u64,
    unpacked: AtomicU64,
    entries: AtomicU64,
    names: AtomicU64,
    /// For what is found.
    pub room: Room,
}

/// What a layer has of a budget, or an archive that is compressed as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub unpacked: u64,
    pub entries: u64,
    /// Bytes of names and targets of links.
    pub names: u64,
    /// Bytes of memory for its decompressor.
    pub window: u64,
    /// Bytes of it as it is stored.
    pub stored: u64,
}

/// Bytes that a frame of zstd may look back at. How many it does is said in each frame, and they are
/// memory as far as it is filled: what goes beyond the usual window is counted as if all was.
const MAX_WINDOW: u64 = 512 << 20;
const USUAL_WINDOW: u64 = 8 << 20;

/// What the window of zstd takes, by what has come out of it.
pub fn window(unpacked: u64) -> u64 {
    unpacked.min(MAX_WINDOW).saturating_sub(USUAL_WINDOW)
}

/// What was counted of one layer.
#[derive(Debug, Default)]
pub struct Share {
    unpacked: u64,
    entries: u64,
    names: u64,
    window: u64,
    stored: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget::new(Factor::default())
    }
}

impl Budget {
    pub fn new(Factor(factor): Factor) -> Self {
        let factor = factor.get();
        let room = Room::of(FACTS.free.saturating_mul(factor), LOOKS.free.saturating_mul(factor));
        let [unpacked, entries, names] = Default::default();
        Budget { factor, unpacked, entries, names, room }
    }

    /// Counts what a layer has by now.
    ///
    /// # Errors
    ///
    /// The layers together have more than an image may.
    pub fn count(&self, share: &mut Share, now: Amounts) -> Result<(), Error> {
        let Amounts { unpacked, entries, names, window, stored } = now;
        let more = |limit: &Limit| {
            let before = limit.allowed(share.stored, self.factor);
            limit.allowed(stored, self.factor).saturating_sub(before)
        };
        self.room.extend(more(&FACTS), more(&LOOKS));
        share.stored = share.stored.max(stored);
        self.room.take(window.saturating_sub(share.window));
        share.window = share.window.max(window);
        self.sum(&self.unpacked, &mut share.unpacked, unpacked, stored, &UNPACKED)?;
        self.sum(&self.entries, &mut share.entries, entries, stored, &ENTRIES)?;
        self.sum(&self.names, &mut share.names, names, stored, &NAMES)?;
        self.check_room()
    }

    /// # Errors
    ///
    /// More was found than an image may have.
    pub fn check_room(&self) -> Result<(), Error> {
        match (self.room.is_full(), self.room.is_overworked()) {
            (true, _) => Err(self.exceeded(&FACTS)),
            (_, true) => Err(self.exceeded(&LOOKS)),
            _ => Ok(()),
        }
    }

    fn sum(
        &self,
        sum: &AtomicU64,
        share: &mut u64,
        amount: u64,
        stored: u64,
        limit: &Limit,
    ) -> Result<(), Error> {
        let beyond = amount.saturating_sub(limit.allowed(stored, self.factor));
        let before = std::mem::replace(share, beyond);
        // A layer takes back no more than it has put there.
        let all = match beyond.checked_sub(before) {
            Some(more) => sum.fetch_add(more, Ordering::Relaxed).saturating_add(more),
            None => sum.fetch_sub(before - beyond, Ordering::Relaxed) - (before - beyond),
        };
        match all > limit.free.saturating_mul(self.factor) {
            true => Err(self.exceeded(limit)),
            false => Ok(()),
        }
    }

    fn exceeded(&self, limit: &Limit) -> Error {
        let Limit { free, more, per, what } = limit;
        let (free, more) = (free.saturating_mul(self.factor), more * self.factor);
        let each = match per {
            1 => "byte".to_owned(),
            per => format!("{per} bytes"),
        };
        let message = format!(
            "the image has more than {free} {what}, and {more} for each {each} that it has as it is \
             stored, which is the most that is read (`--image-budget 10` reads ten times as much)"
        );
        Error::coded(Kind::Broken, fault::OVER_LIMIT, message)
    }
}

/// Bytes of an image as it is stored, counted while they are read.
#[derive(Clone, Debug, Default)]
pub struct Stored(Arc<AtomicU64>);

impl Stored {
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts what is read.
    pub(crate) fn of<R: Read>(&self, inner: R) -> Counted<R> {
        Counted { inner, stored: self.clone() }
    }
}

/// See [`Stored::of`].
pub(crate) struct Counted<R> {
    inner: R,
    stored: Stored,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.stored.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What comes out of the decompressor of a whole archive, as far as the budget goes.
pub(crate) struct Bounded<R> {
    inner: R,
    stored: Stored,
    budget: Arc<Budget>,
    share: Share,
    unpacked: u64,
    has_window: bool,
}

impl<R: Read> Bounded<R> {
    pub(crate) fn new(inner: R, stored: Stored, budget: Arc<Budget>, has_window: bool) -> Self {
        Bounded { inner, stored, budget, share: Share::default(), unpacked: 0, has_window }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.unpacked += count as u64;
        let (unpacked, stored) = (self.unpacked, self.stored.bytes());
        let window = if self.has_window { window(unpacked) } else { 0 };
        let now = Amounts { unpacked, window, stored, ..Amounts::default() };
        self.budget.count(&mut self.share, now).map_err(io::Error::other)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(unpacked: u64, entries: u64, stored: u64) -> Amounts {
        Amounts { unpacked, entries, stored, ..Amounts::default() }
    }

    #[test]
    fn layers_share_what_goes_beyond_their_stored_bytes() {
        let half = UNPACKED.free / 2;
        let budget = Budget::default();
        let (mut one, mut other) = (Share::default(), Share::default());
        budget.count(&mut one, amounts(half, 0, 0)).unwrap();
        budget.count(&mut other, amounts(half + 64, 0, 1)).unwrap();
        let error = budget.count(&mut other, amounts(half + 65, 0, 1)).unwrap_err();
        assert_eq!(Error::code_of(&error.into()), Some(fault::OVER_LIMIT));
        // More stored bytes come: it was allowed after all.
        budget.count(&mut other, amounts(half + 65, 0, 2)).unwrap();
        budget.count(&mut one, amounts(half, ENTRIES.free, 3)).unwrap();
        assert!(budget.count(&mut other, amounts(0, 1, 3)).is_err());
    }

    #[test]
    fn a_factor_allows_as_many_times_as_much() {
        let budget = Budget::new("3".parse().unwrap());
        let mut share = Share::default();
        budget.count(&mut share, amounts(3 * UNPACKED.free + 192, 0, 1)).unwrap();
        assert!(budget.count(&mut share, amounts(3 * UNPACKED.free + 193, 0, 1)).is_err());
        assert!("0".parse::<Factor>().is_err());
    }

    #[test]
    fn the_window_of_a_decompressor_is_memory_that_is_counted_once() {
        let budget = Budget::default();
        let mut share = Share::default();
        let mut count = |unpacked| {
            let now = Amounts { window: window(unpacked), ..Amounts::default() };
            budget.count(&mut share, now)
        };
        count(8 << 20).unwrap();
        count(72 << 20).unwrap();
        count(72 << 20).unwrap();
        assert!(count((72 << 20) + 1).is_err());
    }

    #[test]
    fn what_comes_out_of_a_decompressor_is_bounded_by_what_goes_into_it() {
        let (stored, budget) = (Stored::default(), Arc::new(Budget::default()));
        let zeros = stored.of(io::repeat(0).take(7)).chain(io::repeat(0));
        let mut bounded = Bounded::new(zeros, stored.clone(), budget, false);
        let mut buffer = vec![0; 64 << 20];
        let mut read = 0;
        let error = loop {
            match bounded.read(&mut buffer) {
                Ok(count) => read += count as u64,
                Err(error) => break error,
            }
        };
        assert!(
            (UNPACKED.free - (64 << 20)..=UNPACKED.free + (64 << 20)).contains(&read),
            "{read}"
        );
        assert_eq!(Error::code_of(&error.into()), Some(fault::OVER_LIMIT));
    }
}
