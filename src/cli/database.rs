//! The database that images are judged with: where it lies, how old it may be, and how
//! a scan keeps it fresh without waiting long for it.

use std::path::{Path, PathBuf};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::db::{self, tell};
use super::reading::Reporter;
use super::{Failure, Result, Session, settings};
use inscan_image::progress::{Event, Progress};
use inscan_image::source::RegistryOptions;
use inscan_net::{Listener, NetOptions};
use inscan_vulndb::max_age::MaxAge;
use inscan_vulndb::place::State;
use inscan_vulndb::signature::Key;
use inscan_vulndb::update::{Error, Outcome, Update};
use inscan_vulndb::{self as vulndb, Database};

/// How often to look whether the update that another run does is over.
const POLL: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Vulnerability database")]
pub(super) struct DataArgs {
    /// The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,

    /// The oldest data to judge with: an age as 5d, 36h or 2w, and what then, as 5d:warn or 5d:fail
    #[arg(long, value_name = "AGE[:THEN]")]
    pub(super) db_max_age: Option<MaxAge>,

    /// Fetch a newer database from here first, where that was not tried within a day
    ///
    /// A ready database at an https address or in a registry (`oci://`), as for
    /// `inscan db update`. Where it cannot be fetched in time, the one that is here is used, and
    /// it is said; a try that failed is repeated after an hour. Without this nothing is fetched,
    /// nor with `--offline`.
    #[arg(long, value_name = "URL")]
    db_update: Option<String>,

    /// How long to wait for a newer database; what has come by then is kept for the next time
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=3600))]
    db_update_deadline: u64,

    /// Take only a newer database that is signed with this key: Ed25519 or ECDSA P-256, as PEM
    #[arg(long, value_name = "FILE")]
    db_verify_key: Option<PathBuf>,
}

impl DataArgs {
    /// Fetches a newer database where one is to be had. Nothing that fails there keeps from
    /// judging with the one that is here.
    pub(super) fn bring_up_to_date(
        &self,
        net: &NetOptions,
        registry: &RegistryOptions,
        session: &Session,
    ) -> Result<()> {
        let Some(source) = &self.db_update else { return Ok(()) };
        let key = self.db_verify_key.as_deref().map(db::key).transpose()?;
        if source.ends_with('/') {
            let error = anyhow::anyhow!(
                "`{source}` is not a ready database, and a scan does not build one"
            );
            return Err(Failure::usage(error)
                .hint("`inscan db update` builds one of it; put that where scans can fetch it"));
        }
        let place = self.db.clone().or_else(settings::database);
        let (Some(place), false) = (place, net.offline) else { return Ok(()) };
        let sources = vec![source.clone()];
        let now = Timestamp::now();
        let is_here = Database::open(&place).is_ok();
        if is_here && !State::read(&place).is_due(&sources, now) {
            return Ok(());
        }
        let deadline = Duration::from_secs(self.db_update_deadline);
        let attempt = Attempt {
            sources: sources.clone(),
            place: place.clone(),
            key,
            net: net.clone(),
            registry: registry.clone(),
            now,
            is_here,
            deadline,
        };
        match attempt.within_its_deadline(session) {
            Ok(Outcome::Recent(_) | Outcome::Unchanged) => {}
            Ok(Outcome::Installed(_)) => {
                let date = date_of(&place).unwrap_or_default();
                session.say(&format!("updated the vulnerability database{date}"));
            }
            // Who keeps it fresh is somebody else now.
            Err(Error::Busy(_)) if is_here => {}
            Err(error @ (Error::Source(_) | Error::Plain(_))) => {
                return Err(db::update::failed(error));
            }
            Err(error) => {
                // Nothing is lost but that the next scan tries as well.
                let _ = State::note_failure(&place, &sources, now);
                let error = format!("{:#}", anyhow::Error::new(error));
                let then = match date_of(&place) {
                    Some(date) => format!("going on with the one that is here{date}"),
                    None => "and there is none here".to_owned(),
                };
                session.warn(&format!("no newer vulnerability database: {error}; {then}"));
            }
        }
        Ok(())
    }

    /// As named, which has to be there; else where it usually is, if it is. With its path, as it
    /// is named in reports.
    pub(super) fn open(&self) -> Result<Option<(Database, String)>> {
        let path = match &self.db {
            Some(path) => path.clone(),
            None => match settings::database().filter(|path| path.is_file()) {
                Some(path) => path,
                None => return Ok(None),
            },
        };
        let opened = if self.db.is_some() { named(&path) } else { db::opened(&path) };
        Ok(Some((opened?, path.display().to_string())))
    }
}

/// What `--db` names.
fn named(path: &Path) -> Result<Database> {
    match Database::open(path) {
        Err(vulndb::Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            let error = anyhow::anyhow!("`--db` names `{}`, which is not there", path.display());
            Err(Failure::usage(error).hint(
                "correct the path, or get a database there: \
                 `inscan db update URL --db FILE`, `inscan db build --from PATH -o FILE`",
            ))
        }
        _ => db::opened(path),
    }
}

/// `, with data of 2026-05-01, 3 days old`.
fn date_of(place: &Path) -> Option<String> {
    let about = Database::open(place).ok()?.about().ok()?;
    let age = tell::age(about.age(Timestamp::now()));
    Some(format!(", with data of {}, {age} old", tell::day(about.built)))
}

/// An update that knows all it needs, so that nobody has to wait for it.
struct Attempt {
    sources: Vec<String>,
    place: PathBuf,
    key: Option<Key>,
    net: NetOptions,
    registry: RegistryOptions,
    now: Timestamp,
    is_here: bool,
    deadline: Duration,
}

impl Attempt {
    /// On a thread of its own: each wait of it has a limit, and yet many of them (a name that is
    /// not resolved, a registry that redirects, a byte now and then) may take longer than a scan
    /// is to wait. What is left of it then ends with the process, and does no harm: what it
    /// writes takes its place as a whole or not at all.
    fn within_its_deadline(mut self, session: &Session) -> Result<Outcome, Error> {
        let until = Instant::now() + self.deadline;
        let watch = Arc::new(Until(Mutex::new(Some(session.reporter_of("")))));
        let progress: Reporter = watch.clone();
        self.net.retry.listener = Listener::of(&progress);
        let (ended, waits) = mpsc::channel();
        let watched = watch.clone();
        let begun = thread::Builder::new().name("update".into()).spawn(move || {
            let outcome = self.run(until, &watched);
            drop(watched);
            let _ = ended.send(outcome);
        });
        let outcome = match begun {
            Ok(_) => waits.recv_timeout(until.saturating_duration_since(Instant::now())),
            Err(_) => Err(mpsc::RecvTimeoutError::Disconnected),
        };
        watch.end();
        outcome.unwrap_or_else(|_| Err(Error::too_late()))
    }

    fn run(&self, until: Instant, watch: &Until) -> Result<Outcome, Error> {
        loop {
            let update = Update {
                sources: &self.sources,
                place: &self.place,
                key: self.key.as_ref(),
                net: &self.net,
                registry: &self.registry,
                now: self.now,
                force: false,
                deadline: Some(until.saturating_duration_since(Instant::now())),
                builds: false,
                public: false,
            };
            match update.run(watch) {
                // Another run fetches the first database: this one needs it as well.
                Err(Error::Busy(_)) if !self.is_here && Instant::now() + POLL < until => {
                    thread::sleep(POLL);
                }
                ended => return ended,
            }
        }
    }
}

/// Shows how far it is, until nobody waits for it any more.
struct Until(Mutex<Option<Reporter>>);

impl Until {
    fn shown(&self) -> MutexGuard<'_, Option<Reporter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the terminal back.
    fn end(&self) {
        self.shown().take();
    }
}

impl Progress for Until {
    fn tell(&self, event: Event<'_>) {
        if let Some(shown) = &*self.shown() {
            shown.tell(event);
        }
    }
}
