//! Time as it is kept (milliseconds) and as clients read it.

use std::time::{SystemTime, UNIX_EPOCH};

use inscan_store::Millis;
use jiff::Timestamp;

pub(crate) const SECOND: Millis = 1_000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;

pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    #[cfg(test)]
    let now = now + ahead::get();
    now
}

pub(crate) fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `2026-11-30T10:00:00Z`.
pub(crate) fn iso(at: Millis) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// With milliseconds.
pub(crate) fn iso_millis(at: Millis) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Reads either.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    text.parse::<Timestamp>().ok().map(|at| at.as_millisecond())
}

/// For tests that live through months: how far the clock of this thread is ahead.
#[cfg(test)]
pub(crate) mod ahead {
    use std::cell::Cell;

    use inscan_store::Millis;

    thread_local! {
        static AHEAD: Cell<Millis> = const { Cell::new(0) };
    }

    pub(crate) fn get() -> Millis {
        AHEAD.get()
    }

    pub(crate) fn set(ahead: Millis) {
        AHEAD.set(ahead);
    }
}
