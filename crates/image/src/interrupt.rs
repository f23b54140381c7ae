//! Ctrl-C, and the end of the terminal: removes unfinished output, gives the terminal back, ends with 130.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static TERMINAL_IN_USE: AtomicBool = AtomicBool::new(false);
static ENDS_ITSELF: AtomicBool = AtomicBool::new(false);

/// Starts the thread that waits for SIGINT, SIGTERM and SIGHUP. Without it (no threads
/// left) the signals end the process as they always do.
pub fn handle() {
    let mut ends = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        ends.push(SIGHUP);
    }
    let Ok(mut signals) = Signals::new(ends) else { return };
    let _ = thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if ENDS_ITSELF.load(Ordering::Relaxed) {
                continue;
            }
            clean_up();
            // What a shell reports for a process that the signal ended.
            std::process::exit(128 + signal);
        }
    });
}

/// From now on the program ends itself on a signal, when it has done what it began: a server.
pub fn leave_to_program() {
    ENDS_ITSELF.store(true, Ordering::Relaxed);
}

/// Whether whoever started us had the signal ignored, as `nohup` does. Where the system does not
/// tell, it may have been.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The file is removed if the run is interrupted, until [`finished`].
pub fn unfinished(path: &Path) {
    unfinished_files().push(path.to_owned());
}

pub fn finished(path: &Path) {
    unfinished_files().retain(|unfinished| unfinished != path);
}

/// Progress bars are on the terminal: its cursor may be hidden.
pub fn terminal_in_use(in_use: bool) {
    TERMINAL_IN_USE.store(in_use, Ordering::Relaxed);
}

fn unfinished_files() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    // The list is whole after any panic: each change is one call.
    UNFINISHED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn clean_up() {
    // Held until the process ends, so that no file is renamed or made meanwhile.
    let unfinished = unfinished_files();
    for path in unfinished.iter() {
        let _ = std::fs::remove_file(path);
    }
    if TERMINAL_IN_USE.load(Ordering::Relaxed) {
        // Clear the line, show the cursor, undo colours.
        let _ = io::stderr().write_all(b"\r\x1b[2K\x1b[?25h\x1b[0m");
    }
    std::mem::forget(unfinished);
}
