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
const OLD: [(&str, &str); 4] = [
    ("events", "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE made_at < $1 LIMIT $2)"),
    (
        "verdicts",
        "DELETE FROM evaluation WHERE id IN (SELECT id FROM evaluation AS old WHERE old.made_at < $1 AND EXISTS \
           (SELECT 1 FROM evaluation AS newer WHERE newer.image = old.image AND newer.fulltag = old.fulltag \
             AND newer.bundle = old.bundle AND newer.id > old.id) LIMIT $2)",
    ),
    ("former analyses", "DELETE FROM former_analysis WHERE until < $1"),
    ("audit", "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE made_at < $1 LIMIT $2)"),
];

/// Rows that no image has any longer.
const UNUSED: [&str; 2] = [
    "DELETE FROM package WHERE id IN (SELECT id FROM package WHERE NOT EXISTS \
       (SELECT 1 FROM image_package WHERE image_package.package = package.id) LIMIT $1)",
    "DELETE FROM finding WHERE id IN (SELECT id FROM finding WHERE NOT EXISTS \
       (SELECT 1 FROM image_finding WHERE image_finding.finding = finding.id) LIMIT $1)",
];

/// Which of some contents are needed. An upload that waits is named by its job.
const NAMED: &str = "SELECT digest FROM blob WHERE digest IN {list:$1} AND (EXISTS (SELECT 1 FROM image WHERE analysis = blob.digest OR content = blob.digest) \
    OR EXISTS (SELECT 1 FROM former_analysis WHERE analysis = blob.digest OR content = blob.digest) \
    OR EXISTS (SELECT 1 FROM archived WHERE analysis = blob.digest OR content = blob.digest) \
    OR EXISTS (SELECT 1 FROM job WHERE kind = 'import' AND payload LIKE '%' || blob.digest || '%') OR made_at > $2)";

pub(super) fn run(app: &App) -> Result<()> {
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
    for sql in UNUSED {
        while app.store.write(|tx| Ok::<_, Problem>(tx.run(sql, values![PIECE])?))?
            == PIECE.unsigned_abs()
        {}
    }
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
