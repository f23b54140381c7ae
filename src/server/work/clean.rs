//! What is not needed any longer: old events, verdicts that were followed by others, former
//! analyses, jobs that are over; then the contents that nobody names, and the space of it all.

use inscan_store::{Millis, Row, Tx, queue, values};
use serde_json::json;

use super::archive;
use crate::server::answer::{Problem, Result};
use crate::server::app::{App, Settings};
use crate::server::clock::{self, DAY};
use crate::server::model::images;
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
    archive::run(app)?;
    let now = clock::now();
    images(app, now)?;
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

/// Images all of whose names were given to enough others since, and images that nobody analyzes or
/// judges any longer.
fn images(app: &App, now: Millis) -> Result<()> {
    let Settings { keep, keep_versions, keep_images, .. } = &app.settings;
    let accounts = app.store.read(|tx| {
        let rows = tx.rows("SELECT name FROM account ORDER BY name", &[])?;
        Ok::<_, Problem>(rows.into_iter().map(Row::text).collect::<Result<Vec<_>, _>>()?)
    })?;
    for account in accounts {
        let followed = json!({"analysis_age_days": keep / DAY});
        let mut old = app.store.read(|tx| {
            let chosen = archive::chosen(tx, &followed, &account, keep_versions + 1, now)?;
            Ok::<_, Problem>(chosen.into_iter().map(|(image, _)| image.id).collect::<Vec<_>>())
        })?;
        old.extend(app.store.read(|tx| {
            let rows = tx.rows(
                "SELECT id FROM image WHERE account = $1 AND updated_at < $2 AND NOT EXISTS (SELECT 1 FROM evaluation \
                   WHERE evaluation.image = image.id AND evaluation.made_at >= $2) LIMIT $3",
                values![&account, now - keep_images, PIECE],
            )?;
            Ok::<_, Problem>(rows.into_iter().map(Row::int).collect::<Result<Vec<_>, _>>()?)
        })?);
        let count = old.len();
        for image in old {
            app.store.write(|tx| Ok::<_, Problem>(images::remove(tx, image)?))?;
        }
        if count > 0 {
            tell::info("removed old images", json!({"account": account, "count": count}));
        }
    }
    Ok(())
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

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "figures for who runs it with --nocapture")]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use inscan_store::Value;

    use super::*;
    use crate::server::import::{self, Said};
    use crate::server::model::events::{self, Event};
    use crate::server::testing::Testing;

    /// Contents grow older with the clock of the test.
    fn age(folder: &std::path::Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                age(&path);
            } else {
                let file = File::options().append(true).open(path).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(3 * 24 * 3600)).unwrap();
            }
        }
    }

    fn count(app: &App, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        app.store.read(|tx| tx.row(&sql, &[] as &[Value])).unwrap().unwrap().int().unwrap()
    }

    /// Each week two images come and are judged for two weeks, and much happens.
    #[test]
    #[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
    fn sizes_stay_level_in_24_months() {
        let testing = Testing::new(|settings| {
            settings.keep = 60 * DAY;
            settings.keep_versions = 2;
            settings.keep_images = 120 * DAY;
        });
        let app = &testing.app;
        let mut sizes: Vec<[i64; 5]> = Vec::new();
        for week in 0..104_i64 {
            clock::ahead::set(week * 7 * DAY);
            for which in 0..2 {
                let number = week * 2 + which;
                // One application names each image beside `latest`, the other does not.
                let own = (which == 0).then(|| number.to_string());
                for tag in ["latest".to_owned()].into_iter().chain(own) {
                    let said = Said {
                        fulltag: Some(format!("registry.example/app-{which}:{tag}")),
                        ..Said::default()
                    };
                    import::document(app, "admin", testing.document(number), &said).unwrap();
                }
            }
            app.store.write(|tx| -> Result<()> {
                let event = Event { kind: "test", level: "info", resource_kind: "", resource: "", message: "", details: json!({}) };
                let now = clock::now();
                for _ in 0..20 {
                    events::add(tx, "admin", &event, now)?;
                }
                tx.run(
                    "INSERT INTO evaluation (image, fulltag, bundle, made_of, status, action, stops, warns, body, made_at) \
                     SELECT image, fulltag, 'default', '', 'pass', 'go', 0, 0, $1, $2 FROM tag \
                     WHERE tag.tag = 'latest' AND detected_at > $3",
                    values![vec![7; 2_000], now, now - 13 * DAY],
                )?;
                tx.run("DELETE FROM job", &[])?;
                Ok(())
            }).unwrap();
            age(&testing.contents());
            run(app).unwrap();
            if week % 13 == 12 {
                let stored: i64 = app
                    .store
                    .read(|tx| tx.row("SELECT CAST(SUM(stored) AS BIGINT) FROM blob", &[]))
                    .unwrap()
                    .unwrap()
                    .int()
                    .unwrap();
                let now = [
                    count(app, "image"),
                    count(app, "evaluation"),
                    count(app, "event"),
                    stored,
                    i64::try_from(app.store.size().unwrap()).unwrap(),
                ];
                println!(
                    "month {}: images, evaluations, events, bytes of contents, bytes of the database: {now:?}",
                    (week + 1) / 13 * 3
                );
                sizes.push(now);
            }
        }
        clock::ahead::set(0);
        // The first half year fills it; what is there after a year is there after two.
        for (at_first, at_last) in sizes[3].iter().zip(sizes[7]) {
            assert!(at_last <= at_first + at_first / 10, "{sizes:?}");
        }
        assert!(sizes[7][0] < 60 && sizes[7][0] > 10, "{sizes:?}");
    }
}
