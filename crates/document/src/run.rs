//! The `run` block: when the scan began, and how long it took.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::date;

use crate::section::{Run, Timings};

impl Run {
    /// `source_date_epoch` is the variable `SOURCE_DATE_EPOCH`
    /// (<https://reproducible-builds.org/specs/source-date-epoch/>), where it is
    /// set: then the block holds nothing else, and the document is reproducible.
    pub fn new(
        started: SystemTime,
        duration: Duration,
        threads: usize,
        source_date_epoch: Option<u64>,
    ) -> Self {
        match source_date_epoch {
            Some(seconds) => Run { started: rfc3339(seconds), ..Run::default() },
            None => {
                let seconds = started.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
                Run {
                    started: rfc3339(seconds),
                    duration_ms: u64::try_from(duration.as_millis()).ok(),
                    threads: Some(threads),
                    // Filled in when all before them is written.
                    timings: Some(Timings::default()),
                }
            }
        }
    }
}

/// Seconds since 1970 as `2026-11-23T18:19:02Z`. Years end with 9999.
pub fn rfc3339(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    // A civil date: jiff's timestamps end a day before this one does.
    let seconds = SignedDuration::from_secs(seconds.min(LAST) as i64);
    format!("{}Z", date(1970, 1, 1).at(0, 0, 0, 0).saturating_add(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_read_as_a_date() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), expected);
        }
    }

    #[test]
    fn source_date_epoch_leaves_nothing_that_differs() {
        let run = Run::new(SystemTime::now(), Duration::from_secs(1), 8, Some(0));
        assert_eq!(run, Run { started: rfc3339(0), ..Run::default() });
    }
}
