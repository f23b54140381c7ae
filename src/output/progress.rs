//! Progress on stderr: bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use inscan_image::interrupt;
use inscan_image::progress::{Event, Progress};
use inscan_report::text;
use serde_json::{Value, json};

/// CI systems end jobs that say nothing for long.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// One line for each layer in flight, and a total.
pub struct Bars {
    bars: MultiProgress,
    total: ProgressBar,
    layers: Mutex<BTreeMap<usize, ProgressBar>>,
    done: Mutex<Done>,
}

/// How many layers are done with.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    of: usize,
    read: usize,
    cached: usize,
}

const LAYER: &str = "  layer {msg:<7} {bar:20} {decimal_bytes:>9} of {decimal_total_bytes:<9} {decimal_bytes_per_sec}";
/// Its bytes are all there, and the last of them are being looked at.
const LAYER_READ: &str = "  layer {msg:<7} {bar:20} {decimal_bytes:>9}, analyzing";
const LAYER_OF_ANY_SIZE: &str =
    "  layer {msg:<7} {spinner} {decimal_bytes:>9} {decimal_bytes_per_sec}";
const TOTAL: &str =
    "{spinner} {msg}: {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {elapsed}";
const TOTAL_OF_ANY_SIZE: &str =
    "{spinner} {msg}: {decimal_bytes}, {decimal_bytes_per_sec}, {elapsed}";

const STEP: &str = "{spinner} {msg:<20} {bar:30} {percent:>3} %, {elapsed}";
const STEP_OF_ANY_SIZE: &str = "{spinner} {msg}, {elapsed}";

impl Bars {
    /// `doing` is shown until there is more to show.
    pub fn new(doing: &'static str) -> Self {
        interrupt::terminal_in_use(true);
        let bars = MultiProgress::new();
        let total = bars.add(ProgressBar::new_spinner());
        total.set_style(style("{spinner} {msg}"));
        total.set_message(doing);
        total.enable_steady_tick(Duration::from_millis(120));
        Bars { bars, total, layers: Mutex::default(), done: Mutex::default() }
    }

    /// Changes the count, and says it.
    fn count(&self, change: impl FnOnce(&mut Done)) {
        let mut done = guard(&self.done);
        change(&mut done);
        self.total.set_message(done.to_string());
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are literals of this file")
}

impl Progress for Bars {
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::ReadingBegins { layers, bytes } => self.begin_reading(layers, bytes),
            Event::LayerBegins { number, of, size } => self.begin_layer(number, of, size),
            Event::LayerAdvances { number, bytes } => self.advance_layer(number, bytes),
            Event::LayerEnds { number } => self.end_layer(number),
            Event::LayerCached { size, .. } => self.take_cached(size),
            Event::AnalysisBegins => {
                self.total.set_style(style("{spinner} {msg}"));
                self.total.set_message("analyzing");
            }
            Event::StepBegins { step, total } => self.begin_step(step, total),
            Event::StepAdvances { by } => self.total.inc(by),
            Event::Note(text) => {
                // Progress that nobody can read is no reason to stop.
                let _ = self.bars.println(format!("note: {}", text::printable(text)));
            }
        }
    }
}

impl Bars {
    fn begin_reading(&self, layers: usize, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => {
                self.total.set_style(style(TOTAL));
                self.total.set_length(bytes);
            }
            None => self.total.set_style(style(TOTAL_OF_ANY_SIZE)),
        }
        // The speed is that of reading: what came before does not count.
        self.total.reset();
        self.count(|done| *done = Done { of: layers, ..Done::default() });
    }

    fn begin_layer(&self, number: usize, of: usize, size: Option<u64>) {
        let bar = match size {
            Some(size) => ProgressBar::new(size).with_style(style(LAYER)),
            None => ProgressBar::new_spinner().with_style(style(LAYER_OF_ANY_SIZE)),
        };
        // Among the others first: alone it would draw a line of its own, which stays.
        let bar = self.bars.insert_before(&self.total, bar);
        bar.set_message(position(number, of));
        guard(&self.layers).insert(number, bar);
    }

    fn advance_layer(&self, number: usize, bytes: u64) {
        if let Some(bar) = guard(&self.layers).get(&number) {
            bar.inc(bytes);
            if bar.length() == Some(bar.position()) {
                bar.set_style(style(LAYER_READ));
            }
        }
        self.total.inc(bytes);
    }

    fn end_layer(&self, number: usize) {
        if let Some(bar) = guard(&self.layers).remove(&number) {
            bar.finish_and_clear();
        }
        self.count(|done| done.read += 1);
    }

    fn take_cached(&self, size: u64) {
        // What is left to read gets less; what was read gets no more.
        let length = self.total.length();
        length.into_iter().for_each(|all| self.total.set_length(all.saturating_sub(size)));
        self.count(|done| done.cached += 1);
    }

    fn begin_step(&self, step: &str, total: Option<u64>) {
        self.total.set_style(style(match total {
            Some(_) => STEP,
            None => STEP_OF_ANY_SIZE,
        }));
        self.total.reset();
        self.total.set_length(total.unwrap_or(0));
        self.total.set_message(step.to_owned());
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.total.finish_and_clear();
        let _ = self.bars.clear();
        interrupt::terminal_in_use(false);
    }
}

impl Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done { of, read, cached } = *self;
        match of {
            0 => write!(f, "reading the archive, {}", text::counted(read, "layer", "layers"))?,
            of => write!(f, "{} of {}", read + cached, text::counted(of, "layer", "layers"))?,
        }
        if cached > 0 {
            write!(f, " ({cached} from the cache)")?;
        }
        Ok(())
    }
}

/// `2/7`; `2` where nobody knows of how many.
fn position(number: usize, of: usize) -> String {
    let number = number + 1;
    if of == 0 { number.to_string() } else { format!("{number}/{of}") }
}

/// A line for each step, and a heartbeat where nothing else is said for long.
pub struct Lines {
    state: Arc<(Mutex<State>, Condvar)>,
    heartbeat: Option<JoinHandle<()>>,
}

/// What is done while layers are read.
const READING: &str = "reading";

struct State {
    begun: Instant,
    spoken: Instant,
    /// When the last byte came.
    moved: Instant,
    doing: String,
    bytes: u64,
    /// All there is to read, where known.
    total: Option<u64>,
    in_flight: BTreeMap<usize, InFlight>,
    done: Done,
    over: bool,
}

struct InFlight {
    begun: Instant,
    read: u64,
    size: Option<u64>,
}

impl Lines {
    /// `doing` is said at once, where it is anything.
    pub fn new(doing: &'static str) -> Self {
        let now = Instant::now();
        let mut state = State {
            begun: now,
            spoken: now,
            moved: now,
            doing: doing.to_owned(),
            bytes: 0,
            total: None,
            in_flight: BTreeMap::new(),
            done: Done::default(),
            over: false,
        };
        if !doing.is_empty() {
            state.say(doing);
        }
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
                let line = state.heartbeat(Instant::now());
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

    fn begin_reading(&mut self, layers: usize, bytes: Option<u64>) {
        self.doing = READING.to_owned();
        self.total = bytes;
        self.done = Done { of: layers, ..Done::default() };
        let what = match layers {
            0 => "the archive".to_owned(),
            layers => text::counted(layers, "layer", "layers"),
        };
        let size = bytes.map_or_else(String::new, |bytes| format!(" ({})", text::size(bytes)));
        self.say(&format!("reading {what}{size}"));
    }

    fn advance(&mut self, number: usize, bytes: u64) {
        self.bytes += bytes;
        self.moved = Instant::now();
        if let Some(layer) = self.in_flight.get_mut(&number) {
            layer.read += bytes;
        }
    }

    fn end_layer(&mut self, number: usize) {
        self.done.read += 1;
        let Some(layer) = self.in_flight.remove(&number) else { return };
        let position = position(number, self.done.of);
        let seconds = layer.begun.elapsed().as_secs_f64();
        let line = format!("read layer {position} ({} in {seconds:.1} s)", text::size(layer.read));
        self.say(&line);
    }

    fn begin_step(&mut self, step: &str, total: Option<u64>) {
        (self.bytes, self.total) = (0, total);
        self.doing = text::printable(step);
        self.say(&text::printable(step));
    }

    /// What it is at, how far it is, and whether anything moves.
    fn heartbeat(&self, now: Instant) -> String {
        let seconds = now.duration_since(self.begun).as_secs();
        if self.doing != READING {
            let share = self.total.map(|total| self.bytes * 100 / total.max(1));
            let share = share.map_or_else(String::new, |share| format!(", {share} %"));
            return format!("still {}{share}, {seconds} s", self.doing);
        }
        let of = |size: Option<u64>| {
            size.map_or_else(String::new, |size| format!(" of {}", text::size(size)))
        };
        let mut line = format!(
            "still reading: {}, {}{} read, {seconds} s",
            self.done,
            text::size(self.bytes),
            of(self.total)
        );
        for (number, layer) in &self.in_flight {
            let position = position(*number, self.done.of);
            let (read, of) = (text::size(layer.read), of(layer.size));
            line += &format!("; layer {position}: {read}{of}");
        }
        let still = now.duration_since(self.moved);
        if still >= HEARTBEAT / 2 {
            line += &format!("; no byte for {} s", still.as_secs());
        }
        line
    }
}

impl Progress for Lines {
    fn tell(&self, event: Event<'_>) {
        let mut state = self.state();
        match event {
            Event::ReadingBegins { layers, bytes } => state.begin_reading(layers, bytes),
            Event::LayerBegins { number, size, .. } => {
                let layer = InFlight { begun: Instant::now(), read: 0, size };
                state.in_flight.insert(number, layer);
            }
            Event::LayerAdvances { number, bytes } => state.advance(number, bytes),
            Event::LayerEnds { number } => state.end_layer(number),
            Event::LayerCached { number, of, size } => {
                state.done.cached += 1;
                state.total = state.total.map(|total| total.saturating_sub(size));
                let position = position(number, of);
                state.say(&format!("layer {position} is in the cache ({})", text::size(size)));
            }
            Event::AnalysisBegins => state.begin_step("analyzing", None),
            Event::StepBegins { step, total } => state.begin_step(step, total),
            Event::StepAdvances { by } => state.bytes += by,
            Event::Note(note) => state.say(&format!("note: {}", text::printable(note))),
        }
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

/// Each event as a line of JSON on stderr, for programs. Of how far a layer or a step is, at most
/// one a second.
pub struct JsonLines {
    advanced: Mutex<Instant>,
}

impl Default for JsonLines {
    fn default() -> Self {
        JsonLines { advanced: Mutex::new(Instant::now()) }
    }
}

impl JsonLines {
    fn is_too_soon(&self) -> bool {
        let mut advanced = guard(&self.advanced);
        let is_too_soon = advanced.elapsed() < Duration::from_secs(1);
        if !is_too_soon {
            *advanced = Instant::now();
        }
        is_too_soon
    }
}

impl Progress for JsonLines {
    fn tell(&self, event: Event<'_>) {
        let is_advance = matches!(event, Event::LayerAdvances { .. } | Event::StepAdvances { .. });
        if is_advance && self.is_too_soon() {
            return;
        }
        // Progress that nobody can read is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "{}", json(event));
    }
}

fn json(event: Event<'_>) -> Value {
    match event {
        Event::ReadingBegins { layers, bytes } => {
            json!({"event": "reading-begins", "layers": layers, "bytes": bytes})
        }
        Event::LayerBegins { number, of, size } => {
            json!({"event": "layer-begins", "layer": number, "of": of, "size": size})
        }
        Event::LayerAdvances { number, bytes } => {
            json!({"event": "layer-advances", "layer": number, "bytes": bytes})
        }
        Event::LayerEnds { number } => json!({"event": "layer-ends", "layer": number}),
        Event::LayerCached { number, of, size } => {
            json!({"event": "layer-cached", "layer": number, "of": of, "size": size})
        }
        Event::AnalysisBegins => json!({"event": "analysis-begins"}),
        Event::StepBegins { step, total } => {
            json!({"event": "step-begins", "step": step, "total": total})
        }
        Event::StepAdvances { by } => json!({"event": "step-advances", "by": by}),
        Event::Note(text) => json!({"event": "note", "text": text::printable(text)}),
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
        let reporters: [Box<dyn Progress>; 2] =
            [Box::new(Bars::new("opening the image")), Box::new(Lines::new("opening the image"))];
        for reporter in reporters {
            reporter.reading_begins(3, None);
            thread::scope(|scope| {
                for number in 0..3 {
                    let reporter = &reporter;
                    scope.spawn(move || {
                        reporter.layer_begins(number, 3, (number > 0).then_some(1000));
                        reporter.layer_advances(number, 600);
                        reporter.note("the registry answers 503\x1b[31m");
                        reporter.layer_ends(number);
                    });
                }
            });
            reporter.analysis_begins();
        }
    }

    #[test]
    fn a_heartbeat_says_how_far_it_is_and_whether_anything_moves() {
        let lines = Lines::new("opening the image");
        let after = |seconds| {
            let state = lines.state();
            state.heartbeat(state.begun + Duration::from_secs(seconds))
        };
        assert_eq!(after(30), "still opening the image, 30 s");
        lines.reading_begins(3, Some(5000));
        lines.layer_cached(1, 3, 1000);
        lines.layer_begins(0, 3, Some(2000));
        lines.layer_advances(0, 1500);
        let read = "still reading: 1 of 3 layers (1 from the cache), 1.5 kB of 4.0 kB read";
        let layer = "layer 1/3: 1.5 kB of 2.0 kB";
        assert_eq!(after(1), format!("{read}, 1 s; {layer}"));
        assert_eq!(after(61), format!("{read}, 61 s; {layer}; no byte for 60 s"));
        lines.layer_ends(0);
        lines.analysis_begins();
        assert_eq!(after(62), "still analyzing, 62 s");
    }
}
