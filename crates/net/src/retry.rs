//! When to ask again, and how long to wait before it.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use inscan_facts::progress::Progress;

use super::{Cause, HeaderMap};

#[derive(Clone, Debug)]
pub struct Retry {
    /// How often something is asked for in all: 1 is once, and never again.
    pub attempts: u32,
    /// About so long before the second attempt; twice as long before each one after it.
    pub first_wait: Duration,
    /// No wait is longer, whatever the server asks for in `Retry-After`.
    pub longest_wait: Duration,
    /// No wait goes beyond it, and none is begun after it.
    pub deadline: Option<Instant>,
    pub listener: Listener,
}

/// Who is told what is waited for, from any thread, as long as it is there. Without one it is
/// silent.
#[derive(Clone, Default)]
pub struct Listener(Option<Weak<dyn Progress>>);

impl Listener {
    pub fn of(progress: &Arc<dyn Progress>) -> Listener {
        Listener(Some(Arc::downgrade(progress)))
    }

    fn note(&self, text: &str) {
        if let Some(progress) = self.0.as_ref().and_then(Weak::upgrade) {
            progress.note(text);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "listens" } else { "silent" })
    }
}

/// How an attempt ended that did not bring what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Status { code: u16, retry_after: Option<Duration> },
    Failed(Cause),
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            deadline: None,
            listener: Listener::default(),
        }
    }
}

impl Retry {
    /// How long to wait before asking again; `None`: it is of no use.
    ///
    /// `attempt` counts from 1: the one that just ended so. `chance`, from 0 to 1, spreads the
    /// waits of many clients that failed at the same moment.
    pub fn wait(&self, attempt: u32, outcome: Outcome, chance: f64) -> Option<Duration> {
        if attempt >= self.attempts || !outcome.may_pass() {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1 << (attempt.saturating_sub(1)).min(16));
        // Between half of it and all of it.
        let spread = doubled.min(self.longest_wait).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        let asked_for = match outcome {
            Outcome::Status { retry_after, .. } => retry_after.unwrap_or_default(),
            Outcome::Failed(_) => Duration::ZERO,
        };
        Some(spread.max(asked_for).min(self.longest_wait))
    }

    /// As [`Retry::wait`], by chance and within the deadline.
    pub fn next(&self, attempt: u32, outcome: Outcome) -> Option<Duration> {
        let wait = self.wait(attempt, outcome, chance())?;
        let Some(deadline) = self.deadline else { return Some(wait) };
        let left = deadline.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then(|| wait.min(left))
    }

    /// Tells the listener of `host`, and waits as [`Retry::next`] says; `false`: asking
    /// again is of no use.
    pub fn pause_for(&self, host: &str, attempt: u32, outcome: Outcome) -> bool {
        let Some(wait) = self.next(attempt, outcome) else { return false };
        let (seconds, of, next) = (wait.as_secs_f64(), self.attempts, attempt + 1);
        self.listener
            .note(&format!("{host} {outcome}, retrying in {seconds:.1} s ({next} of {of})"));
        std::thread::sleep(wait);
        true
    }

    /// Does it, and again where that may help: the last result, and how many there were.
    /// `outcome` is how an attempt ended that did not bring what was asked for; `None`: it
    /// did, or another is of no use.
    pub fn patiently<T>(
        &self,
        host: &str,
        mut attempt: impl FnMut() -> T,
        outcome: impl Fn(&T) -> Option<Outcome>,
    ) -> (T, u32) {
        let mut attempts = 0;
        loop {
            let result = attempt();
            attempts += 1;
            let may_help = |outcome| self.pause_for(host, attempts, outcome);
            if !outcome(&result).is_some_and(may_help) {
                return (result, attempts);
            }
        }
    }
}

impl fmt::Display for Outcome {
    /// What the host did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Status { code, .. } => return write!(f, "answers {code}"),
            Outcome::Failed(Cause::Refused) => "refuses connections",
            Outcome::Failed(Cause::Unreachable) => "cannot be reached",
            Outcome::Failed(Cause::Stalled) => "stopped sending data",
            Outcome::Failed(Cause::Cut) => "closed the connection early",
            Outcome::Failed(_) => "does not answer",
        })
    }
}

impl Outcome {
    /// Whether it may go well another time.
    pub fn may_pass(self) -> bool {
        match self {
            Outcome::Status { code, .. } => matches!(code, 408 | 429 | 500 | 502 | 503 | 504),
            Outcome::Failed(cause) => {
                matches!(cause, Cause::Refused | Cause::Unreachable | Cause::Stalled | Cause::Cut)
            }
        }
    }
}

/// What a server asks for, as seconds or as a date
/// (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(SystemTime::from(date.timestamp()).duration_since(SystemTime::now()).unwrap_or_default())
}

/// Any number from 0 to 1. The standard library has no other source of chance.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use inscan_facts::progress::Event;

    use super::*;

    #[track_caller]
    fn check(attempt: u32, outcome: Outcome, chance: f64, expected: Option<u64>) {
        let retry = Retry {
            attempts: 6,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(5),
            ..Retry::default()
        };
        let expected = expected.map(Duration::from_millis);
        assert_eq!(retry.wait(attempt, outcome, chance), expected);
    }

    fn status(code: u16) -> Outcome {
        Outcome::Status { code, retry_after: None }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread() {
        check(1, status(503), 1.0, Some(500));
        check(1, status(503), 0.0, Some(250));
        check(2, status(500), 1.0, Some(1000));
        check(3, Outcome::Failed(Cause::Cut), 1.0, Some(2000));
        check(5, status(502), 1.0, Some(5000));
        check(6, status(503), 1.0, None);
    }

    #[test]
    fn what_the_server_asks_for_counts_within_the_longest() {
        let after = |seconds| Outcome::Status {
            code: 429,
            retry_after: Some(Duration::from_secs(seconds)),
        };
        check(1, after(3), 1.0, Some(3000));
        check(1, after(0), 1.0, Some(500));
        check(1, after(3600), 1.0, Some(5000));
    }

    #[test]
    fn what_will_be_the_same_another_time_is_not_asked_again() {
        for code in [200, 301, 400, 401, 403, 404, 501] {
            check(1, status(code), 1.0, None);
        }
        for cause in [Cause::Offline, Cause::Certificate, Cause::NotTls, Cause::NoSuchHost] {
            check(1, Outcome::Failed(cause), 1.0, None);
        }
        check(1, Outcome::Failed(Cause::Stalled), 1.0, Some(500));
    }

    #[test]
    fn waits_are_told() {
        struct Notes(Mutex<Vec<String>>);
        impl Progress for Notes {
            fn tell(&self, event: Event<'_>) {
                let Event::Note(text) = event else { panic!("{event:?}") };
                self.0.lock().unwrap().push(text.to_owned());
            }
        }
        let notes = Arc::new(Notes(Mutex::default()));
        let progress: Arc<dyn Progress> = notes.clone();
        let listener = Listener::of(&progress);
        let wait = Duration::from_millis(1);
        let retry =
            Retry { attempts: 3, first_wait: wait, longest_wait: wait, deadline: None, listener };
        let host = "registry.example/app";
        assert!(retry.pause_for(host, 1, status(503)));
        assert!(retry.pause_for(host, 2, Outcome::Failed(Cause::Stalled)));
        assert!(!retry.pause_for(host, 3, status(503)));
        assert!(!retry.pause_for(host, 1, status(404)));
        let expected = [
            "registry.example/app answers 503, retrying in 0.0 s (2 of 3)",
            "registry.example/app stopped sending data, retrying in 0.0 s (3 of 3)",
        ];
        assert_eq!(*notes.0.lock().unwrap(), expected);
    }

    #[test]
    fn what_may_help_is_done_again_until_it_works_or_the_attempts_are_over() {
        let wait = Duration::from_millis(1);
        let check = |codes: &[u16], expected: (u16, u32)| {
            let retry =
                Retry { attempts: 3, first_wait: wait, longest_wait: wait, ..Retry::default() };
            let mut codes = codes.iter().copied();
            let attempt = || codes.next().unwrap();
            let outcome = |&code: &u16| (code != 200).then(|| status(code));
            assert_eq!(retry.patiently("host", attempt, outcome), expected);
        };
        check(&[200], (200, 1));
        check(&[503, 502, 200], (200, 3));
        check(&[503, 503, 500], (500, 3));
        check(&[503, 404], (404, 2));
    }

    #[test]
    fn no_wait_goes_beyond_the_deadline() {
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        let until = |deadline| Retry {
            first_wait: hour * 2,
            longest_wait: hour * 2,
            deadline: Some(deadline),
            ..Retry::default()
        };
        assert!(until(now + hour / 2).next(1, status(503)).is_some_and(|wait| wait <= hour / 2));
        assert_eq!(until(now).next(1, status(503)), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let parse = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(parse("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert!(parse("Fri, 31 Dec 2100 23:59:59 GMT").unwrap() > Duration::from_secs(1 << 30));
        assert_eq!(parse("soon"), None);
        assert_eq!(parse("-1"), None);
    }

    #[test]
    fn chance_is_between_nought_and_one() {
        assert!((0..1000).map(|_| chance()).all(|chance| (0.0..=1.0).contains(&chance)));
    }
}
