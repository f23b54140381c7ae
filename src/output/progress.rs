//! Progress on stderr: bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::text;
use crate::interrupt;
use crate::progress::Progress;

/// CI systems end jobs that say nothing for long.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// True where bars can be drawn.
pub fn on_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// One line for each layer in flight, and a total.
pub struct Bars {
    bars: MultiProgress,
    total: ProgressBar,
    layers: Mutex<BTreeMap<usize, ProgressBar>>,
}

impl Bars {
    pub fn new() -> Self {
        interrupt::terminal_in_use(true);
        let bars = MultiProgress::new();
        let total = bars.add(ProgressBar::new_spinner());
        total.set_style(style("{spinner} {msg}"));
        total.set_message("opening the image");
        total.enable_steady_tick(Duration::from_millis(120));
        Bars { bars, total, layers: Mutex::default() }
    }
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are literals of this file")
}

impl Progress for Bars {
    fn layer_begins(&self, number: usize, of: usize, size: Option<u64>) {
        let bar = match size {
            Some(size) => ProgressBar::new(size).with_style(style(
                "  layer {msg:<9} {bar:24} {decimal_bytes:>9} of {decimal_total_bytes}",
            )),
            None => ProgressBar::new_spinner()
                .with_style(style("  layer {msg:<9} {spinner} {decimal_bytes:>9}")),
        };
        bar.set_message(position(number, of));
        self.total.set_message(reading(of));
        let bar = self.bars.insert_before(&self.total, bar);
        guard(&self.layers).insert(number, bar);
    }

    fn layer_advances(&self, number: usize, bytes: u64) {
        if let Some(bar) = guard(&self.layers).get(&number) {
            bar.inc(bytes);
        }
    }

    fn layer_ends(&self, number: usize) {
        if let Some(bar) = guard(&self.layers).remove(&number) {
            bar.finish_and_clear();
        }
    }

    fn analysis_begins(&self) {
        self.total.set_message("analyzing");
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.total.finish_and_clear();
        let _ = self.bars.clear();
        interrupt::terminal_in_use(false);
    }
}

/// `2/7`; `2` where nobody knows of how many.
fn position(number: usize, of: usize) -> String {
    let number = number + 1;
    if of == 0 { number.to_string() } else { format!("{number}/{of}") }
}

fn reading(of: usize) -> String {
    match of {
        0 => "reading the archive".to_owned(),
        of => format!("reading {}", text::counted(of, "layer", "layers")),
    }
}

/// A line for each step, and a heartbeat where nothing else is said for long.
pub struct Lines {
    state: Arc<(Mutex<State>, Condvar)>,
    heartbeat: Option<JoinHandle<()>>,
}

struct State {
    begun: Instant,
    spoken: Instant,
    doing: String,
    bytes: u64,
    sizes: BTreeMap<usize, u64>,
    layers: usize,
    ended: usize,
    over: bool,
}

impl Lines {
    pub fn new() -> Self {
        let now = Instant::now();
        let mut state = State {
            begun: now,
            spoken: now,
            doing: "opening the image".to_owned(),
            bytes: 0,
            sizes: BTreeMap::new(),
            layers: 0,
            ended: 0,
            over: false,
        };
        state.say("opening the image");
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = Arc::clone(&state);
        let heartbeat = thread::Builder::new()
            .name("heartbeat".into())
            .spawn(move || beat(&shared.0, &shared.1))
            .ok();
        Lines { state, heartbeat }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        guard(&self.state.0)
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

fn beat(state: &Mutex<State>, over: &Condvar) {
    let mut state = guard(state);
    while !state.over {
        let silent = state.spoken.elapsed();
        match HEARTBEAT.checked_sub(silent) {
            Some(left) if !left.is_zero() => {
                state = over
                    .wait_timeout(state, left)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
            }
            _ => {
                let line = state.heartbeat();
                state.say(&line);
            }
        }
    }
}

impl State {
    fn say(&mut self, line: &str) {
        self.spoken = Instant::now();
        // Progress that nobody can read is no reason to stop.
        let _ = writeln!(io::stderr(), "{line}");
    }

    fn heartbeat(&self) -> String {
        let seconds = self.begun.elapsed().as_secs();
        let read = text::size(self.bytes);
        let Self { doing, ended, layers, .. } = self;
        let of = if *layers == 0 { String::new() } else { format!(" of {layers}") };
        format!("still {doing}: {ended}{of} layers done, {read} read, {seconds} s")
    }
}

impl Progress for Lines {
    fn layer_begins(&self, number: usize, of: usize, size: Option<u64>) {
        let mut state = self.state();
        if state.doing != "reading" {
            state.doing = "reading".to_owned();
            state.say(&reading(of));
        }
        state.layers = of;
        state.sizes.insert(number, size.unwrap_or(0));
    }

    fn layer_advances(&self, _number: usize, bytes: u64) {
        self.state().bytes += bytes;
    }

    fn layer_ends(&self, number: usize) {
        let mut state = self.state();
        state.ended += 1;
        let size = match state.sizes.remove(&number) {
            None | Some(0) => String::new(),
            Some(size) => format!(" ({})", text::size(size)),
        };
        let line = format!("read layer {}{size}", position(number, state.layers));
        state.say(&line);
    }

    fn analysis_begins(&self) {
        let mut state = self.state();
        state.doing = "analyzing".to_owned();
        state.say("analyzing");
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.state().over = true;
        self.state.1.notify_all();
        if let Some(heartbeat) = self.heartbeat.take() {
            let _ = heartbeat.join();
        }
    }
}

/// What is behind a lock is whole after any panic: every change of it is one step.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_reporters_take_the_calls_of_several_threads() {
        let reporters: [Box<dyn Progress>; 2] = [Box::new(Bars::new()), Box::new(Lines::new())];
        for reporter in reporters {
            thread::scope(|scope| {
                for number in 0..3 {
                    let reporter = &reporter;
                    scope.spawn(move || {
                        reporter.layer_begins(number, 3, (number > 0).then_some(1000));
                        reporter.layer_advances(number, 600);
                        reporter.layer_ends(number);
                    });
                }
            });
            reporter.analysis_begins();
        }
    }

    #[test]
    fn a_heartbeat_says_how_far_it_is() {
        let lines = Lines::new();
        lines.layer_begins(0, 2, Some(2000));
        lines.layer_advances(0, 1500);
        assert_eq!(
            lines.state().heartbeat(),
            "still reading: 0 of 2 layers done, 1.5 kB read, 0 s"
        );
    }
}
