//! Workers: threads that take jobs out of the queue. A job has a lease of minutes, which is kept
//! up while it runs; what fails is tried again, later and later, and given up with its reason.

pub(crate) mod alert;
mod archive;
mod changes;
mod clean;
mod scan;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::http::StatusCode;
use inscan_store::queue::{self, Job, NewJob};
use inscan_store::{Millis, Row, values};
use serde_json::{Value as Json, json};

use super::answer::{Problem, Result};
use super::app::App;
use super::clock::{self, MINUTE, SECOND};
use super::import::{self, Origin, Said};
use super::model::{images, packages};
use super::{ids, matching, tell};

const IMPORT: &str = "import";
const MATCH: &str = "match";
const ALERT: &str = "alert";
const DELIVER: &str = "deliver";
const SCAN: &str = "scan";
const WATCH: &str = "watch";
const REMATCH: &str = "rematch";
const JUDGE: &str = "judge";
const LIST: &str = "list";
const CLEAN: &str = "clean";
const KINDS: [&str; 10] = [IMPORT, MATCH, ALERT, DELIVER, SCAN, WATCH, REMATCH, JUDGE, LIST, CLEAN];

/// How long a worker sleeps where nobody wakes it.
const IDLE: Duration = Duration::from_secs(2);
/// Until the next try, where what it needs is away.
const AWAY: Millis = 10 * SECOND;
/// How often a process may die with a job before it is given up: that may be chance.
const DEATHS: i64 = 5;
/// Between looks at what is to be done by the clock.
const ROUND: Duration = Duration::from_secs(20);

const fn job<'a>(
    kind: &'a str,
    key: &'a str,
    priority: i64,
    max_tries: i64,
    now: Millis,
) -> NewJob<'a> {
    NewJob { kind, key, payload: "{}", priority, run_at: now, max_tries, again: false }
}

/// An archive that was kept and is to be taken in.
pub(crate) fn importing(key: &str, now: Millis) -> NewJob<'_> {
    job(IMPORT, key, 20, 3, now)
}

/// An image whose findings are to be found.
pub(crate) fn matching(image: &str, now: Millis) -> NewJob<'_> {
    NewJob { again: true, ..job(MATCH, image, 10, 3, now) }
}

/// Something happened that somebody may want to be told of.
pub(crate) fn alerting(key: &str, now: Millis) -> NewJob<'_> {
    job(ALERT, key, 30, 5, now)
}

/// An image that is to be analyzed here.
pub(crate) fn scanning(key: &str, now: Millis) -> NewJob<'_> {
    job(SCAN, key, 15, 3, now)
}

fn delivering(key: &str, now: Millis) -> NewJob<'_> {
    // For about three days.
    job(DELIVER, key, 30, 40, now)
}

/// The threads of this process.
pub(crate) struct Workers {
    threads: Vec<JoinHandle<()>>,
}

/// Jobs that run here, so that their leases are kept up.
type Running = Arc<Mutex<Vec<(Job, String)>>>;

impl Workers {
    pub(crate) fn start(app: &Arc<App>) -> std::io::Result<Workers> {
        let running: Running = Arc::default();
        let process = ids::uuid();
        let mut threads = Vec::new();
        for number in 0..app.settings.workers {
            let (app, running, name) =
                (app.clone(), running.clone(), format!("{process}/{number}"));
            threads.push(named("worker", move || work(&app, &running, &name))?);
        }
        let (beating, beaten) = (app.clone(), running);
        threads.push(named("leases", move || keep_leases(&beating, &beaten))?);
        let rounds = app.clone();
        threads.push(named("rounds", move || make_rounds(&rounds))?);
        Ok(Workers { threads })
    }

    /// Waits until all have ended; [`super::app::Bell::end`] tells them to.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panic was told of by then.
            let _ = thread.join();
        }
    }
}

fn named(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).stack_size(8 << 20).spawn(run)
}

fn work(app: &App, running: &Running, name: &str) {
    let kinds = json!(KINDS).to_string();
    let mut rung = 0;
    while !app.bell.has_ended() {
        let taken =
            app.store.write(|tx| queue::claim(tx, &kinds, name, clock::now(), app.settings.lease));
        match taken {
            Ok(Some(job)) => one(app, running, name, job),
            Ok(None) => rung = app.bell.wait(rung, IDLE),
            Err(error) => {
                tell::error(&format!("cannot take a job: {error}"));
                rung = app.bell.wait(rung, IDLE);
            }
        }
    }
}

fn one(app: &App, running: &Running, name: &str, job: Job) {
    let place = || running.lock().unwrap_or_else(PoisonError::into_inner);
    place().push((job.clone(), name.to_owned()));
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match is_deadly(&job) {
        true => Err(Problem::bad("whoever did it died, time after time")),
        false => run(app, &job),
    }));
    let done = done.unwrap_or_else(|_| Err(Problem::internal("a job panicked")));
    place().retain(|(other, _)| other.id != job.id);
    if let Err(error) = end(app, &job, name, done) {
        tell::error(&format!("cannot end job {}: {error}", job.id));
    }
}

fn end(app: &App, job: &Job, name: &str, done: Result<()>) -> inscan_store::Result<()> {
    let now = clock::now();
    let Err(problem) = done else {
        return app.store.write(|tx| queue::finish(tx, job, name, now)).map(drop);
    };
    if app.bell.has_ended() {
        // The next one goes on: that this process ends is no fault of the job.
        return app.store.write(|tx| queue::release(tx, job, name, now)).map(drop);
    }
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        // The disk is full, the database or the bucket is away: that is no fault of the job either.
        drop(problem.response());
        tell::info("a job waits", json!({"job": job.id, "kind": job.kind, "key": job.key}));
        return app.store.write(|tx| queue::release(tx, job, name, now + AWAY)).map(drop);
    }
    let message = problem.message.clone();
    let is_ours = problem.status.is_server_error();
    // What the store has to say goes into the log.
    drop(problem.response());
    tell::info(
        "a job failed",
        json!({"job": job.id, "kind": job.kind, "key": job.key, "try": job.tries, "problem": message}),
    );
    let is_last = job.tries >= job.max_tries || !(is_ours || may_pass(&job.kind));
    let again = (!is_last).then(|| now + pause(job.tries));
    if is_last {
        given_up(app, job, &message);
    }
    app.store.write(|tx| queue::fail(tx, job, name, &message, again, now)).map(drop)
}

/// More tries than it may have: none of the last was ended, not even as failed. What is done for
/// all images goes on where it was.
fn is_deadly(job: &Job) -> bool {
    [IMPORT, MATCH, SCAN].contains(&job.kind.as_str()) && job.tries > job.max_tries + DEATHS
}

/// What depends on others may go better later.
fn may_pass(kind: &str) -> bool {
    [SCAN, DELIVER, WATCH].contains(&kind)
}

/// 10 s, 20 s, 40 s and so on, up to two hours.
fn pause(tries: i64) -> Millis {
    let doubled = (10 * SECOND) << tries.clamp(1, 20).saturating_sub(1);
    doubled.min(120 * MINUTE)
}

/// What people see of a job that is not tried again.
fn given_up(app: &App, job: &Job, problem: &str) {
    let payload: Json = serde_json::from_str(&job.payload).unwrap_or_default();
    let said = match job.kind.as_str() {
        IMPORT | SCAN => said(&payload),
        _ => return,
    };
    let account = payload["account"].as_str().unwrap_or_default();
    if let Err(problem) = import::failed(app, account, &said, problem) {
        drop(problem.response());
    }
}

fn said(payload: &Json) -> Said {
    let text = |name: &str| payload[name].as_str().map(str::to_owned);
    Said {
        fulltag: text("fulltag"),
        digest: text("digest"),
        image_id: text("image_id"),
        annotations: Some(payload["annotations"].clone()).filter(Json::is_object),
        dockerfile: text("dockerfile"),
    }
}

fn run(app: &App, job: &Job) -> Result<()> {
    let payload: Json = serde_json::from_str(&job.payload).unwrap_or_default();
    let account = payload["account"].as_str().unwrap_or_default();
    match job.kind.as_str() {
        IMPORT => imported(app, account, &payload),
        MATCH => matched(app, &job.key),
        ALERT => alert::run(app, account, &payload),
        DELIVER => alert::deliver(app, account, &payload),
        SCAN => scan::run(app, account, &payload),
        WATCH => watch::run(app),
        REMATCH => rematched(app),
        JUDGE => changes::judge(app),
        LIST => list_anew(app),
        CLEAN => clean::run(app),
        other => Err(Problem::bad(format!("there is no kind of job `{other}`"))),
    }
}

fn imported(app: &App, account: &str, payload: &Json) -> Result<()> {
    let blob = payload["blob"].as_str().unwrap_or_default();
    let archive = app.blobs.get(blob, app.settings.max_upload)?;
    import::archive(app, account, &mut archive.as_slice(), &said(payload), Origin::Upload)?;
    app.store.write(|tx| {
        // What is kept of it are its members.
        tx.run("DELETE FROM blob WHERE digest = $1", values![blob])?;
        Ok::<_, Problem>(())
    })
}

fn matched(app: &App, image: &str) -> Result<()> {
    matching::of_image(app, image.parse().map_err(Problem::internal)?)
}

/// All packages by the data that there is now, and who waits for what that changes.
fn rematched(app: &App) -> Result<()> {
    let begun = clock::now();
    let changed = matching::catch_up(app)?;
    let took = clock::now() - begun;
    tell::info("all packages are matched", json!({"changed": changed, "ms": took}));
    changes::tell(app)?;
    app.store.write(|tx| {
        let now = clock::now();
        queue::add(tx, &job(JUDGE, "all", 5, 3, now), now)?;
        Ok::<_, Problem>(())
    })?;
    app.bell.ring();
    Ok(())
}

/// Images whose packages are not in rows of this form, one after the other.
fn list_anew(app: &App) -> Result<()> {
    let mut after = 0;
    loop {
        let next = app.store.read(|tx| {
            let row = tx.row(
                "SELECT id FROM image WHERE id > $1 AND analysis IS NOT NULL AND listed <> $2 ORDER BY id LIMIT 1",
                values![after, packages::FORM],
            )?;
            let Some(id) = row.map(Row::int).transpose()? else { return Ok(None) };
            Ok::<_, Problem>(images::by_row(tx, id)?)
        })?;
        let Some(image) = next else { return Ok(()) };
        after = image.id;
        if let Err(problem) = import::list_anew(app, &image) {
            // One image never blocks another.
            tell::info(
                "an image could not be listed",
                json!({"image": image.digest, "problem": problem.message}),
            );
        }
        if app.bell.has_ended() {
            return Err(Problem::internal("the server ends"));
        }
    }
}

fn keep_leases(app: &App, running: &Running) {
    let mut rung = u64::MAX;
    let beat = Duration::from_millis(app.settings.lease.unsigned_abs() / 4);
    while !app.bell.has_ended() {
        rung = wait(app, rung, beat);
        let jobs = running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (job, worker) in jobs {
            let until = clock::now() + app.settings.lease;
            if let Err(error) = app.store.write(|tx| queue::extend(tx, &job, &worker, until)) {
                tell::error(&format!("cannot keep job {} up: {error}", job.id));
            }
        }
    }
}

/// For some time, however often the bell rings.
fn wait(app: &App, rung: u64, time: Duration) -> u64 {
    let until = std::time::Instant::now() + time;
    let mut rung = rung;
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() || app.bell.has_ended() {
            return rung;
        }
        rung = app.bell.wait(rung, left);
    }
}

/// What is to be done by the clock: each is a job with one key, so that several servers do it once.
fn make_rounds(app: &App) {
    let mut rung = u64::MAX;
    let mut seen = Seen::default();
    while !app.bell.has_ended() {
        if let Err(problem) = round(app, &mut seen) {
            drop(problem.response());
        }
        rung = wait(app, rung, ROUND);
    }
}

/// What a round has seen before.
#[derive(Default)]
struct Seen {
    generation: String,
    /// Of all that verdicts of watched images are made of.
    judged_by: String,
    has_listed: bool,
}

fn round(app: &App, seen: &mut Seen) -> Result<()> {
    let now = clock::now();
    let watch_every = app.settings.watch_every;
    app.store.write(|tx| {
        for (kind, every) in [(WATCH, watch_every), (CLEAN, 60 * MINUTE)] {
            let due = now - now.rem_euclid(every) + every;
            let row =
                tx.row("SELECT id FROM job WHERE kind = $1 AND key = 'all'", values![kind])?;
            if row.is_none() {
                queue::add(tx, &NewJob { run_at: due, ..job(kind, "all", 0, 3, now) }, now)?;
            }
        }
        Ok::<_, Problem>(())
    })?;
    changes::expiring(app, now)?;
    let generation = app.data.generation()?;
    let judged_by = changes::judged_by(app, now)?;
    let news = [
        (LIST, !seen.has_listed),
        (REMATCH, generation != seen.generation),
        (JUDGE, judged_by != seen.judged_by),
    ];
    if news.iter().any(|(_, is_due)| *is_due) {
        app.store.write(|tx| {
            for (kind, _) in news.iter().filter(|(_, is_due)| *is_due) {
                let job = NewJob { again: true, ..job(kind, "all", 5, 3, now) };
                queue::add(tx, &job, now)?;
            }
            Ok::<_, Problem>(())
        })?;
        app.bell.ring();
    }
    // Only now: where the jobs are not kept, the next round makes them.
    *seen = Seen { generation, judged_by, has_listed: true };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_have_an_end() {
        assert_eq!([1, 2, 3, 60].map(pause), [10 * SECOND, 20 * SECOND, 40 * SECOND, 120 * MINUTE]);
    }
}
