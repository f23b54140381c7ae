//! How far a build or a download is: a bar on a terminal, plain lines elsewhere.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle as Style};

use crate::cli::environment::Environment;
use crate::cli::{ProgressStyle, Session};
use inscan_image::interrupt;
use inscan_net::Listener;
use inscan_report::text;
use inscan_vulndb::build::Watch;

/// CI systems end jobs that say nothing for long.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(in crate::cli) enum Progress {
    Silent,
    Bar(ProgressBar),
    Lines(Mutex<Step>),
}

pub(in crate::cli) struct Step {
    name: String,
    done: u64,
    total: Option<u64>,
    spoken: Instant,
}

impl Progress {
    pub(in crate::cli) fn new(session: &Session) -> Progress {
        match session.progress {
            _ if session.quiet => Progress::Silent,
            ProgressStyle::None => Progress::Silent,
            ProgressStyle::Auto if Environment::get().has_terminal() => {
                interrupt::terminal_in_use(true);
                let bar = ProgressBar::new_spinner();
                bar.enable_steady_tick(Duration::from_millis(120));
                Progress::Bar(bar)
            }
            ProgressStyle::Auto | ProgressStyle::Plain => Progress::Lines(Mutex::new(Step {
                name: String::new(),
                done: 0,
                total: None,
                spoken: Instant::now(),
            })),
        }
    }

    /// Something to know that does not keep it from going on.
    pub(in crate::cli) fn note(&self, text: &str) {
        let line = format!("note: {text}");
        match self {
            Progress::Silent => {}
            Progress::Bar(bar) => bar.println(text::printable(&line)),
            Progress::Lines(_) => say(&line),
        }
    }

    /// What the network waits for is told here, as long as this is here.
    pub(in crate::cli) fn listener(self: &Arc<Self>) -> Listener {
        let progress = Arc::downgrade(self);
        Listener::new(move |text| {
            if let Some(progress) = progress.upgrade() {
                progress.note(text);
            }
        })
    }

    /// Gives the terminal back.
    pub(in crate::cli) fn clear(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
            interrupt::terminal_in_use(false);
        }
    }
}

impl Watch for Progress {
    fn begins(&self, step: &str, total: Option<u64>) {
        match self {
            Progress::Silent => {}
            Progress::Bar(bar) => {
                let template = match total {
                    Some(_) => "{spinner} {msg:<20} {bar:30} {percent:>3} %, {elapsed}",
                    None => "{spinner} {msg}, {elapsed}",
                };
                bar.set_style(Style::with_template(template).expect("a literal of this file"));
                bar.set_length(total.unwrap_or(0));
                bar.set_position(0);
                bar.set_message(step.to_owned());
            }
            Progress::Lines(state) => {
                let mut state = state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                *state = Step { name: step.to_owned(), done: 0, total, spoken: Instant::now() };
                say(step);
            }
        }
    }

    fn advances(&self, by: u64) {
        match self {
            Progress::Silent => {}
            Progress::Bar(bar) => bar.inc(by),
            Progress::Lines(state) => {
                let mut state = state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                state.done += by;
                if state.spoken.elapsed() >= HEARTBEAT {
                    state.spoken = Instant::now();
                    let share = state.total.map(|total| state.done * 100 / total.max(1));
                    let share = share.map_or_else(String::new, |share| format!(", {share} %"));
                    say(&format!("still {}{share}", state.name));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn say(line: &str) {
    use std::io::Write;
    // Progress that nobody can read is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{}", text::printable(line));
}
