//! Jobs: rows that somebody takes with a lease, and does. Who dies leaves a lease that ends; who
//! comes back late finds that the job is another's (fencing: a row is finished by the worker and
//! the try that took it). Nobody holds a transaction while a job runs.

use crate::{Millis, Result, Row, Tx, values};

/// A job that is to be done.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    pub kind: &'a str,
    /// Of a kind and key there is one job at a time.
    pub key: &'a str,
    /// What the kind needs to know, as it writes it.
    pub payload: &'a str,
    /// Higher first.
    pub priority: i64,
    pub run_at: Millis,
    pub max_tries: i64,
    /// Where it runs already, it is done once more: what it looks at may have changed behind it.
    pub again: bool,
}

/// A job that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: i64,
    pub kind: String,
    pub key: String,
    pub payload: String,
    /// Another one in the row says that it was asked for since.
    run_at: Millis,
    /// This one included.
    pub tries: i64,
    pub max_tries: i64,
}

/// A job as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: i64,
    pub kind: String,
    pub key: String,
    /// `waiting`, `running`, or how it ended: `done`, `failed`, `cancelled`.
    pub state: String,
    pub tries: i64,
    pub problem: Option<String>,
    pub made_at: Millis,
    /// When it is tried, or was over.
    pub at: Millis,
}

/// Puts a job in the queue. Where there is one of that kind and key which nobody works on, it is
/// brought forward and gets the new payload; one that runs is left alone, or done once more behind
/// that. Returns its id.
///
/// # Errors
/// Where the database refuses; the same holds for all of these.
pub fn add(tx: &Tx<'_>, job: &NewJob<'_>, now: Millis) -> Result<i64> {
    let row = tx.row(
        "INSERT INTO job (kind, key, payload, priority, run_at, lease, worker, tries, max_tries, problem, made_at) \
         VALUES ($1, $2, $3, $4, $5, NULL, NULL, 0, $6, NULL, $7) \
         ON CONFLICT (kind, key) DO UPDATE SET \
           payload = CASE WHEN job.worker IS NULL OR CAST($8 AS BIGINT) = 1 THEN excluded.payload ELSE job.payload END, \
           run_at = CASE WHEN job.worker IS NOT NULL AND CAST($8 AS BIGINT) = 1 THEN \
               CASE WHEN job.run_at >= excluded.run_at THEN job.run_at + 1 ELSE excluded.run_at END \
             WHEN job.run_at < excluded.run_at THEN job.run_at ELSE excluded.run_at END, \
           priority = CASE WHEN job.priority > excluded.priority THEN job.priority ELSE excluded.priority END \
         RETURNING id",
        values![
            job.kind,
            job.key,
            job.payload,
            job.priority,
            job.run_at,
            job.max_tries,
            now,
            job.again
        ],
    )?;
    row.map_or(Ok(0), Row::int)
}

/// Takes the next job of one of the kinds (as a JSON list), with a lease. The selection is a step
/// of its own, or a database may take more than it is to.
pub fn claim(
    tx: &Tx<'_>,
    kinds: &str,
    worker: &str,
    now: Millis,
    lease: Millis,
) -> Result<Option<Job>> {
    let row = tx.row(
        "WITH due AS MATERIALIZED ( \
           SELECT id FROM job WHERE run_at <= $1 AND (lease IS NULL OR lease < $1) AND kind IN {list:$4} \
           ORDER BY priority DESC, run_at, id LIMIT 1 {skip}) \
         UPDATE job SET lease = CAST($1 AS BIGINT) + CAST($2 AS BIGINT), worker = $3, tries = tries + 1 \
         FROM due WHERE job.id = due.id \
         RETURNING job.id, job.kind, job.key, job.payload, job.run_at, job.tries, job.max_tries",
        values![now, lease, worker, kinds],
    )?;
    row.map(|row| {
        let mut fields = row.fields();
        Ok(Job {
            id: fields.int()?,
            kind: fields.text()?,
            key: fields.text()?,
            payload: fields.text()?,
            run_at: fields.int()?,
            tries: fields.int()?,
            max_tries: fields.int()?,
        })
    })
    .transpose()
}

/// Keeps a job for longer. False: it is another's by now, and what was done is to be dropped.
pub fn extend(tx: &Tx<'_>, job: &Job, worker: &str, until: Millis) -> Result<bool> {
    let changed = tx.run(
        "UPDATE job SET lease = $4 WHERE id = $1 AND worker = $2 AND tries = $3",
        values![job.id, worker, job.tries, until],
    )?;
    Ok(changed == 1)
}

/// Ends a job that was done. To be done in the unit of work that keeps its result: false means
/// that the job is another's, and nothing of the result may be kept. One that was asked for once
/// more since it was taken waits again.
pub fn finish(tx: &Tx<'_>, job: &Job, worker: &str, now: Millis) -> Result<bool> {
    end(tx, job, worker, "done", None, now)
}

/// A try that failed: again at `again`, or never.
pub fn fail(
    tx: &Tx<'_>,
    job: &Job,
    worker: &str,
    problem: &str,
    again: Option<Millis>,
    now: Millis,
) -> Result<bool> {
    match again {
        Some(again) => {
            let changed = tx.run(
                "UPDATE job SET lease = NULL, worker = NULL, run_at = $4, problem = $5 \
                 WHERE id = $1 AND worker = $2 AND tries = $3",
                values![job.id, worker, job.tries, again, problem],
            )?;
            Ok(changed == 1)
        }
        None => end(tx, job, worker, "failed", Some(problem), now),
    }
}

/// Gives a job back as it was taken: the try does not count.
pub fn release(tx: &Tx<'_>, job: &Job, worker: &str, now: Millis) -> Result<bool> {
    let changed = tx.run(
        "UPDATE job SET lease = NULL, worker = NULL, run_at = $4, tries = tries - 1 \
         WHERE id = $1 AND worker = $2 AND tries = $3",
        values![job.id, worker, job.tries, now],
    )?;
    Ok(changed == 1)
}

fn end(
    tx: &Tx<'_>,
    job: &Job,
    worker: &str,
    outcome: &str,
    problem: Option<&str>,
    now: Millis,
) -> Result<bool> {
    let again = tx.run(
        "UPDATE job SET lease = NULL, worker = NULL, tries = 0, problem = $5 \
         WHERE id = $1 AND worker = $2 AND tries = $3 AND run_at <> $4",
        values![job.id, worker, job.tries, job.run_at, problem],
    )?;
    if again == 1 {
        return Ok(true);
    }
    let changed = tx.run(
        "INSERT INTO job_done (id, kind, key, outcome, problem, tries, made_at, done_at) \
         SELECT id, kind, key, CAST($4 AS TEXT), CAST($5 AS TEXT), tries, made_at, CAST($6 AS BIGINT) FROM job \
         WHERE id = $1 AND worker = $2 AND tries = $3",
        values![job.id, worker, job.tries, outcome, problem, now],
    )?;
    if changed == 1 {
        tx.run("DELETE FROM job WHERE id = $1", values![job.id])?;
    }
    Ok(changed == 1)
}

/// Takes a job out of the queue, also one that runs: who does it finds that it is gone.
pub fn cancel(tx: &Tx<'_>, id: i64, now: Millis) -> Result<bool> {
    let changed = tx.run(
        "INSERT INTO job_done (id, kind, key, outcome, problem, tries, made_at, done_at) \
         SELECT id, kind, key, 'cancelled', problem, tries, made_at, CAST($2 AS BIGINT) FROM job WHERE id = $1",
        values![id, now],
    )?;
    tx.run("DELETE FROM job WHERE id = $1", values![id])?;
    Ok(changed == 1)
}

/// Tries a job now, whatever it waits for.
pub fn retry(tx: &Tx<'_>, id: i64, now: Millis) -> Result<bool> {
    let changed = tx.run(
        "UPDATE job SET run_at = $2 WHERE id = $1 AND (lease IS NULL OR lease < $2)",
        values![id, now],
    )?;
    Ok(changed == 1)
}

/// Those in the queue, then those that are over, newest first.
pub fn list(tx: &Tx<'_>, most: i64, now: Millis) -> Result<Vec<Seen>> {
    let mut rows = tx.rows(
        "SELECT id, kind, key, CASE WHEN lease IS NULL OR lease < $2 THEN 'waiting' ELSE 'running' END, \
           tries, problem, made_at, run_at FROM job ORDER BY id DESC LIMIT $1",
        values![most, now],
    )?;
    rows.extend(tx.rows(
        "SELECT id, kind, key, outcome, tries, problem, made_at, done_at FROM job_done \
         ORDER BY done_at DESC, id DESC LIMIT $1",
        values![most],
    )?);
    rows.into_iter().map(seen).collect()
}

/// What became of a job: none where it is still in the queue.
pub fn outcome(tx: &Tx<'_>, id: i64) -> Result<Option<Seen>> {
    let row = tx.row(
        "SELECT id, kind, key, outcome, tries, problem, made_at, done_at FROM job_done WHERE id = $1",
        values![id],
    )?;
    row.map(seen).transpose()
}

fn seen(row: Row) -> Result<Seen> {
    let mut fields = row.fields();
    Ok(Seen {
        id: fields.int()?,
        kind: fields.text()?,
        key: fields.text()?,
        state: fields.text()?,
        tries: fields.int()?,
        problem: fields.text_or_none()?,
        made_at: fields.int()?,
        at: fields.int()?,
    })
}

/// How many wait, by kind, and the age of the oldest that is due.
pub fn depths(tx: &Tx<'_>, now: Millis) -> Result<Vec<(String, i64, Millis)>> {
    let rows =
        tx.rows("SELECT kind, COUNT(*), MIN(run_at) FROM job GROUP BY kind ORDER BY kind", &[])?;
    let read = |row: Row| {
        let mut fields = row.fields();
        let (kind, count) = (fields.text()?, fields.int()?);
        Ok((kind, count, (now - fields.int()?).max(0)))
    };
    rows.into_iter().map(read).collect()
}

/// Forgets what was over before.
pub fn forget(tx: &Tx<'_>, before: Millis) -> Result<u64> {
    tx.run("DELETE FROM job_done WHERE done_at < $1", values![before])
}
