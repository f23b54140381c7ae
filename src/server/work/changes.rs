//! What changes by itself: other data, exceptions that expire, another day. Who waits for it is told,
//! and images that are watched are judged at once.

use std::collections::BTreeMap;

use inscan_store::queue::{self, NewJob};
use inscan_store::{Millis, Row, Tx, values};
use serde_json::{Value as Json, json};

use super::alerting;
use crate::server::answer::{Problem, Result};
use crate::server::app::App;
use crate::server::clock::{self, DAY};
use crate::server::judging::{self, How};
use crate::server::model::bundles::{self, Bundle};
use crate::server::model::events::{self, Event};
use crate::server::model::images;
use crate::server::watched::{self, Watched};
use crate::server::{ids, matching, tell as log};

/// Rows of one kind in one message; all of them are counted.
const MOST: usize = 100;
/// How long before its end an exception is spoken of.
const SOON: Millis = 7 * DAY;

/// Whether this is told for the first time, within the unit of work that tells it.
fn is_first(tx: &Tx<'_>, key: &str, now: Millis) -> Result<bool> {
    let added = tx.run(
        "INSERT INTO told (key, made_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
        values![key, now],
    )?;
    Ok(added == 1)
}

/// Tells of changed vulnerabilities in images that are watched, once for each generation of the data.
pub(super) fn tell(app: &App) -> Result<()> {
    let Some(lent) = app.data.lend()? else { return Ok(()) };
    let number = matching::generation(app, &lent)?;
    let watched = app.store.read(|tx| watched::images(tx, "vuln_update"))?;
    for one in watched {
        app.store.write(|tx| tell_of(tx, &one, number))?;
    }
    app.bell.ring();
    Ok(())
}

fn tell_of(tx: &Tx<'_>, one: &Watched, number: i64) -> Result<()> {
    let changed = changed(tx, one.image, number)?;
    let now = clock::now();
    let began = tx.row("SELECT seen_at FROM generation WHERE id = $1", values![number])?;
    let began = began.map_or(Ok(0), Row::int)?;
    let Watched { account, fulltag, digest, .. } = one;
    let key = format!("vuln_update/{number}/{began}/{account}/{fulltag}/{digest}");
    if changed.is_null() || !is_first(tx, &key, now)? {
        return Ok(());
    }
    let event = Event {
        kind: "user.checks.tag.vulnerabilities.update",
        level: "info",
        resource_kind: "image_tag",
        resource: fulltag,
        message: "other vulnerabilities are known of the image",
        details: json!({"subscription_type": "vuln_update", "subscription_key": fulltag, "imageDigest": digest,
            "diff_vulnerability_result": changed, "annotations": {}}),
    };
    events::add(tx, account, &event, now)?;
    let payload = json!({"account": account, "digest": digest, "fulltag": fulltag, "trigger": "vuln_update",
        "vulnerabilities": changed});
    let job = NewJob { payload: &payload.to_string(), ..alerting(&key, now) };
    queue::add(tx, &job, now)?;
    Ok(())
}

/// `{added, removed, updated, counts}` of an image's packages in the words of Anchore's API; null
/// where nothing changed.
fn changed(tx: &Tx<'_>, image: i64, number: i64) -> Result<Json> {
    let rows = tx.rows(
        "SELECT DISTINCT change.kind, change.vuln, change.severity, change.severity_before, change.fix, \
           change.fix_before, change.namespace, package.name, package.version, package.kind AS of_kind \
         FROM image_package JOIN change ON change.package = image_package.package AND change.generation = $2 \
         JOIN package ON package.id = change.package \
         WHERE image_package.image = $1 ORDER BY change.vuln, package.name, package.version",
        values![image, number],
    )?;
    if rows.is_empty() {
        return Ok(Json::Null);
    }
    let mut by_kind: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for row in rows {
        let mut fields = row.fields();
        let kind = fields.text()?;
        let (vuln, severity, was) = (fields.text()?, fields.text()?, fields.text_or_none()?);
        let (fix, fix_before, group) =
            (fields.text_or_none()?, fields.text_or_none()?, fields.text()?);
        let (name, version, of) = (fields.text()?, fields.text()?, fields.text()?);
        let mut shown = json!({"CVE_ID": vuln, "Severity": severity, "Vulnerable_Package": format!("{name}-{version}"),
            "Fix_Available": fix.unwrap_or_else(|| "None".to_owned()), "Package_Name": name, "Package_Version": version,
            "Package_Type": of, "Feed": "vulnerabilities", "Feed_Group": group});
        if kind == "updated" {
            shown["Severity_Before"] = json!(was);
            shown["Fix_Available_Before"] = fix_before.unwrap_or_else(|| "None".to_owned()).into();
        }
        by_kind.entry(kind).or_default().push(shown);
    }
    let mut answer = json!({"counts": {}});
    for kind in ["added", "removed", "updated"] {
        let mut rows = by_kind.remove(kind).unwrap_or_default();
        answer["counts"][kind] = rows.len().into();
        rows.truncate(MOST);
        answer[kind] = rows.into();
    }
    Ok(answer)
}

/// Exceptions that end within a week or have ended: an event for each, once.
pub(super) fn expiring(app: &App, now: Millis) -> Result<()> {
    let rows = app.store.read(|tx| {
        Ok::<_, Problem>(tx.rows(
            "SELECT account, list, id, trigger_id, expires FROM exception WHERE enabled = 1 AND expires IS NOT NULL \
               AND expires <= $1 AND expires > $2 ORDER BY expires, account, list, id",
            values![(now + SOON) / 1_000, (now - SOON) / 1_000],
        )?)
    })?;
    for row in rows {
        let mut fields = row.fields();
        let (account, list, id) = (fields.text()?, fields.text()?, fields.text()?);
        let (trigger, expires) = (fields.text()?, fields.int()?);
        let is_over = expires.saturating_mul(1_000) <= now;
        let (kind, message) = match is_over {
            true => ("user.policy.exception.expired", "an exception has expired"),
            false => ("user.policy.exception.expiring", "an exception expires soon"),
        };
        let key = format!("{kind}/{account}/{list}/{id}/{expires}");
        let known = app.store.read(|tx| {
            Ok::<_, Problem>(tx.row("SELECT 1 FROM told WHERE key = $1", values![&key])?.is_some())
        })?;
        if known {
            continue;
        }
        let event = Event {
            kind,
            level: "info",
            resource_kind: "exception",
            resource: &id,
            message,
            details: json!({"list": list, "trigger_id": trigger, "expiration_date": expires,
                "expires_at": clock::iso(expires.saturating_mul(1_000))}),
        };
        app.store.write(|tx| {
            if is_first(tx, &key, now)? {
                events::add(tx, &account, &event, now)?;
            }
            Ok::<_, Problem>(())
        })?;
    }
    Ok(())
}

/// A hash of all that verdicts of watched images are made of: bundles with the exceptions that hold
/// now, the data, the day.
pub(super) fn judged_by(app: &App, now: Millis) -> Result<String> {
    let generation = app.data.generation()?;
    app.store.read(|tx| {
        let mut parts = vec![generation.clone(), clock::iso(now).chars().take(10).collect()];
        for row in tx.rows("SELECT name FROM account ORDER BY name", &[])? {
            let account = row.text()?;
            let waits = tx.row(
                "SELECT 1 FROM subscription WHERE account = $1 AND kind = 'policy_eval' AND active = 1 \
                 UNION ALL SELECT 1 FROM alert WHERE account = $1 LIMIT 1",
                values![&account],
            )?;
            if waits.is_some()
                && let Some(bundle) = bundles::active(tx, &account, now)?
            {
                parts.push(account);
                parts.push(bundle.body);
            }
        }
        Ok(ids::hash_of(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
    })
}

/// Judges the images that are watched. A verdict that still holds costs a look.
pub(super) fn judge(app: &App) -> Result<()> {
    let watched = app.store.read(|tx| watched::images(tx, "policy_eval"))?;
    let mut bundles: BTreeMap<String, Option<Bundle>> = BTreeMap::new();
    for Watched { account, fulltag, image, digest } in watched {
        let found = app.store.read(|tx| {
            if !bundles.contains_key(&account) {
                bundles.insert(account.clone(), bundles::active(tx, &account, clock::now())?);
            }
            Ok::<_, Problem>(images::by_row(tx, image)?)
        })?;
        let (Some(image), Some(Some(bundle))) = (found, bundles.get(&account)) else { continue };
        if let Err(problem) = judging::verdict(app, &image, &fulltag, bundle, How::default()) {
            // One image never blocks another.
            log::info(
                "a watched image could not be judged",
                json!({"image": digest, "name": fulltag, "problem": problem.message}),
            );
        }
        if app.bell.has_ended() {
            return Err(Problem::internal("the server ends"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::import::{self, Said};
    use crate::server::model::events::Filter;
    use crate::server::model::packages::{self, ByVulnerability, Piece};
    use crate::server::testing::Testing;

    const TAG: &str = "registry.example/app:1";

    fn counts(app: &App) -> [i64; 4] {
        let row =
            app.store.read(|tx| tx.row("SELECT counted, packages, high, low FROM image", &[]));
        let mut fields = row.unwrap().unwrap().fields();
        [(); 4].map(|()| fields.int().unwrap())
    }

    fn events(app: &App, kind: &str) -> Vec<Json> {
        let filter = Filter { kind, before: i64::MAX, ..Filter::default() };
        app.store.read(|tx| events::list(tx, "admin", filter, 100, 0)).unwrap()
    }

    #[test]
    fn new_data_reaches_images_by_their_packages_and_is_told_once() {
        let mut testing = Testing::new(|_| {});
        testing.set_data(&[("CVE-2026-1", "high", "1.9"), ("CVE-2026-3", "low", "1.9")]);
        let said = Said { fulltag: Some(TAG.into()), ..Said::default() };
        let document = testing.document(5);
        let image = import::document(&testing.app, "admin", document, &said).unwrap();
        matching::of_image(&testing.app, image).unwrap();
        assert_eq!(counts(&testing.app), [1, 1, 1, 1]);
        testing.app.store.write(|tx| -> Result<()> {
            tx.run(
                "INSERT INTO subscription (account, id, key, kind, value, active, created_at, updated_at) \
                 VALUES ('admin', 'x', $1, 'vuln_update', NULL, 1, 0, 0)",
                values![TAG],
            )?;
            Ok(())
        }).unwrap();
        // What was matched already is no news.
        assert_eq!(matching::catch_up(&testing.app).unwrap(), 0);
        tell(&testing.app).unwrap();
        assert!(events(&testing.app, "user.checks.tag.vulnerabilities.update").is_empty());

        testing.set_data(&[
            ("CVE-2026-1", "low", "1.9"),
            ("CVE-2026-2", "high", "1.7"),
            ("CVE-2026-4", "high", "1.2"),
        ]);
        assert_eq!(matching::catch_up(&testing.app).unwrap(), 1);
        tell(&testing.app).unwrap();
        tell(&testing.app).unwrap();
        assert_eq!(counts(&testing.app), [1, 1, 1, 1]);
        let told = events(&testing.app, "user.checks.tag.vulnerabilities.update");
        assert_eq!(told.len(), 1, "{told:?}");
        let diff = &told[0]["event"]["details"]["diff_vulnerability_result"];
        assert_eq!(diff["counts"], json!({"added": 1, "removed": 1, "updated": 1}));
        assert_eq!(diff["added"][0]["CVE_ID"], "CVE-2026-2");
        assert_eq!(diff["added"][0]["Fix_Available"], "1.7");
        assert_eq!(diff["updated"][0]["Severity_Before"], "High");
        let by = ByVulnerability { vuln: "CVE-2026-2", ..ByVulnerability::default() };
        let piece = Piece { skipped: 0, most: 10 };
        let found = testing
            .app
            .store
            .read(|tx| packages::images_with_vulnerability(tx, "admin", by, piece));
        assert_eq!(found.unwrap(), (vec![image], 1));
    }

    #[test]
    fn an_exception_that_ends_is_spoken_of_before_and_at_its_end() {
        let testing = Testing::new(|_| {});
        let app = &testing.app;
        let now = clock::now();
        let expires = (now + 3 * DAY) / 1_000;
        app.store
            .write(|tx| -> Result<()> {
                let item = bundles::Exception {
                    id: "e".into(),
                    gate: "vulnerabilities".into(),
                    trigger_id: "CVE-2026-1+*".into(),
                    notes: None,
                    enabled: true,
                    expires: Some(expires),
                };
                bundles::save_exception(tx, ("admin", bundles::GLOBAL), &item, "ann", now)?;
                Ok(())
            })
            .unwrap();
        let told = |at: Millis| {
            expiring(app, at).unwrap();
            let count = |kind: &str| events(app, &format!("user.policy.exception.{kind}")).len();
            (count("expiring"), count("expired"))
        };
        assert_eq!(told(now - 5 * DAY), (0, 0));
        assert_eq!(told(now), (1, 0));
        assert_eq!(told(now + DAY), (1, 0));
        assert_eq!(told(now + 4 * DAY), (1, 1));
        assert_eq!(told(now + 5 * DAY), (1, 1));
    }
}
