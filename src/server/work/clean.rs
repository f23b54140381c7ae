//! What is not needed any longer: old events, verdicts that were followed by others, former
//! analyses, jobs that are over; then the contents that nobody names, and the space of it all.

use inscan_store::{Row, Tx, queue, values};
use serde_json::json;

use crate::server::answer::{Problem, Result};
use crate::server::app::App;
use crate::server::clock::{self, DAY};
use crate::server::tell;

/// Rows that are removed at once, so that no writer waits for long.
const PIECE: i64 = 5_000;

/// Each removes some of what was before `$1`, and says how many.
const OLD: [(&str, &str); 7] = [
    ("events", "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE made_at < $1 LIMIT $2)"),
    (
        "verdicts",
        "DELETE FROM evaluation WHERE id IN (SELECT id FROM evaluation AS old WHERE old.made_at < $1 AND EXISTS \
           (SELECT 1 FROM evaluation AS newer WHERE newer.image = old.image AND newer.fulltag = old.fulltag \
             AND newer.bundle = old.bundle AND newer.id > old.id) LIMIT $2)",
    ),
    ("former analyses", "DELETE FROM former_analysis WHERE until < $1"),
    (
        "changes",
        "DELETE FROM change WHERE made_at < $1 AND generation IN (SELECT generation FROM change WHERE made_at < $1 LIMIT $2)",
    ),
    ("marks", "DELETE FROM told WHERE key IN (SELECT key FROM told WHERE made_at < $1 LIMIT $2)"),
    // What is asked for again is made again.
    (
        "answers",
        "DELETE FROM answer WHERE made_at < $1 AND image IN (SELECT image FROM answer WHERE made_at < $1 LIMIT $2)",
    ),
    ("audit", "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE made_at < $1 LIMIT $2)"),
];

/// Which of some contents are needed. An upload that waits is named by its job.
const NAMED: &str = "SELECT digest FROM blob WHERE digest IN {list:$1} AND (EXISTS (SELECT 1 FROM image WHERE analysis = blob.digest OR content = blob.digest) \
    OR EXISTS (SELECT 1 FROM former_analysis WHERE analysis = blob.digest OR content = blob.digest) \
    OR EXISTS (SELECT 1 FROM archived WHERE analysis = blob.digest OR content = blob.digest) \
    OR EXISTS (SELECT 1 FROM job WHERE kind = 'import' AND payload LIKE '%' || blob.digest || '%') OR made_at > $2)";

pub(super) fn run(app: &App) -> Result<()> {
    super::archive::run(app)?;
    let now = clock::now();
    let before = now - app.settings.keep;
    for (what, sql) in OLD {
        let mut removed = 0;
        loop {
            let piece =
                app.store.write(|tx| Ok::<_, Problem>(tx.run(sql, values![before, PIECE])?))?;
            removed += piece;
            if piece < PIECE.unsigned_abs() || app.bell.has_ended() {
                break;
            }
        }
        if removed > 0 {
            tell::info("removed what is old", json!({"what": what, "rows": removed}));
        }
    }
    unused(app)?;
    app.store.write(|tx| Ok::<_, Problem>(queue::forget(tx, now - 14 * DAY)?))?;
    let named = |tx: &Tx<'_>, digests: &str| {
        let rows = tx.rows(NAMED, values![digests, now - DAY])?;
        rows.into_iter().map(Row::text).collect()
    };
    let (count, bytes) = app.blobs.collect(&app.store, &named)?;
    if count > 0 {
        tell::info("removed contents that nobody names", json!({"count": count, "bytes": bytes}));
    }
    app.store.write(|tx| {
        // Their rows go after them.
        tx.run(
            "DELETE FROM blob WHERE made_at >= 0 AND made_at < $1 AND NOT EXISTS (SELECT 1 FROM image WHERE analysis = blob.digest OR content = blob.digest) \
             AND NOT EXISTS (SELECT 1 FROM former_analysis WHERE analysis = blob.digest OR content = blob.digest) \
             AND NOT EXISTS (SELECT 1 FROM archived WHERE analysis = blob.digest OR content = blob.digest) \
             AND NOT EXISTS (SELECT 1 FROM job WHERE kind = 'import' AND payload LIKE '%' || blob.digest || '%')",
            values![now - DAY],
        )?;
        Ok::<_, Problem>(())
    })?;
    Ok(app.store.give_back()?)
}

/// Packages that no image has any longer, and what only they had.
fn unused(app: &App) -> Result<()> {
    const UNUSED: &str =
        "NOT EXISTS (SELECT 1 FROM image_package WHERE image_package.package = package.id)";
    const UNFOUND: &str =
        "NOT EXISTS (SELECT 1 FROM package_finding WHERE package_finding.finding = finding.id)";
    loop {
        let sql = format!("SELECT id FROM package WHERE {UNUSED} LIMIT $1");
        let ids = ids(app, &sql)?;
        if ids.is_empty() {
            break;
        }
        let list = json!(ids).to_string();
        app.store.write(|tx| {
            let of_unused = format!(
                "DELETE FROM package_finding WHERE package IN (SELECT id FROM package WHERE id IN {{numbers:$1}} AND {UNUSED})"
            );
            tx.run(&of_unused, values![&list])?;
            let sql = format!("DELETE FROM package WHERE id IN {{numbers:$1}} AND {UNUSED}");
            Ok::<_, Problem>(tx.run(&sql, values![&list])?)
        })?;
        if i64::try_from(ids.len()).unwrap_or_default() < PIECE {
            break;
        }
    }
    loop {
        let ids = ids(app, &format!("SELECT id FROM finding WHERE {UNFOUND} LIMIT $1"))?;
        let sql = format!("DELETE FROM finding WHERE id IN {{numbers:$1}} AND {UNFOUND}");
        let list = json!(ids).to_string();
        app.store.write(|tx| Ok::<_, Problem>(tx.run(&sql, values![&list])?))?;
        if i64::try_from(ids.len()).unwrap_or_default() < PIECE {
            return Ok(());
        }
    }
}

fn ids(app: &App, sql: &str) -> Result<Vec<i64>> {
    app.store.read(|tx| {
        let rows = tx.rows(sql, values![PIECE])?;
        Ok(rows.into_iter().map(Row::int).collect::<Result<Vec<_>, _>>()?)
    })
}
