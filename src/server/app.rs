//! What all requests and workers share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use inscan_net::NetOptions;
use inscan_net::registry::RegistryOptions;
use inscan_store::{Blobs, Millis, Store};
use tokio::sync::Semaphore;

use super::crypto::Secrets;
use super::data::Data;
use super::login::{Actor, Logins};
use super::own::Own;
use super::rights;

/// What was typed, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) role: Role,
    /// For uploads and scans that are under way.
    pub(crate) temporary: PathBuf,
    /// In bytes.
    pub(crate) max_upload: u64,
    pub(crate) workers: usize,
    /// How long a job is its worker's, without a word of it.
    pub(crate) lease: Millis,
    /// Browsers may be told to keep their cookie to https.
    pub(crate) speaks_tls: bool,
    /// The program that scans: this one.
    pub(crate) program: PathBuf,
    /// How long a scan may take.
    pub(crate) scan_time: Duration,
    /// In bytes.
    pub(crate) scan_memory: u64,
    pub(crate) net: NetOptions,
    pub(crate) registry: RegistryOptions,
    /// Between two looks at a watched tag.
    pub(crate) watch_every: Millis,
    /// How long evaluations, events and former analyses are kept.
    pub(crate) keep: Millis,
    /// Webhooks may go to addresses that only the server reaches.
    pub(crate) private_webhooks: bool,
    /// Of each name, so many images before the newest are kept, however old they are.
    pub(crate) keep_versions: i64,
    /// How long an image is kept that nobody analyzes or judges any longer.
    pub(crate) keep_images: Millis,
    /// What an admission controller is told about an image that is not known.
    pub(crate) unknown_images: Unknown,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    All,
    /// Answers requests.
    Web,
    /// Does jobs.
    Worker,
}

/// What becomes of an image that the server does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    Allow,
    Deny,
    /// Denied, and analyzed here.
    Scan,
}

pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) data: Data,
    pub(crate) secrets: Secrets,
    pub(crate) settings: Settings,
    pub(crate) logins: Logins,
    pub(crate) counts: Counts,
    /// Uploads at a time.
    pub(crate) uploads: Semaphore,
    pub(crate) started: Millis,
    pub(crate) bell: Bell,
    /// Its temporary files are this process's for as long as it lives.
    pub(crate) _own: Own,
}

/// Wakes workers of this process when there is something to do.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<(u64, bool)>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        self.rung.notify_all();
    }

    /// The server ends: whoever waits stops waiting.
    pub(crate) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.rung.notify_all();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Waits for a ring after the one that was `seen`, the end, or some time.
    pub(crate) fn wait(&self, seen: u64, most: Duration) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |state: &mut (u64, bool)| state.0 == seen && !state.1;
        let (state, _) = self
            .rung
            .wait_timeout_while(state, most, waits)
            .unwrap_or_else(PoisonError::into_inner);
        state.0
    }
}

/// What is counted for `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// By the first digit of the status.
    requests: [AtomicU64; 6],
    micros: AtomicU64,
    pub(crate) evaluations: AtomicU64,
    pub(crate) answered_from_store: AtomicU64,
    pub(crate) uploads: AtomicU64,
}

impl Counts {
    pub(crate) fn request(&self, status: StatusCode, took: Duration) {
        if let Some(count) = self.requests.get(usize::from(status.as_u16() / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// `(class, count)` as `("2xx", 7)`, and the microseconds of all together.
    pub(crate) fn requests(&self) -> (Vec<(String, u64)>, u64) {
        let counts = self.requests.iter().enumerate().skip(1);
        let counts =
            counts.map(|(class, count)| (format!("{class}xx"), count.load(Ordering::Relaxed)));
        (counts.collect(), self.micros.load(Ordering::Relaxed))
    }
}

impl Actor {
    /// Who asks what anybody may.
    pub(crate) fn nobody() -> Actor {
        Actor {
            person: 0,
            username: String::new(),
            account: String::new(),
            role: rights::Role::Read,
            token: None,
        }
    }
}
