//! Rules of the analysis archive: images that were followed by others, or are old, are put aside, and
//! what was put aside is removed at last.

use std::collections::BTreeMap;

use inscan_store::{Millis, Row, Tx, values};
use serde_json::{Value as Json, json};

use super::alert::glob;
use crate::server::answer::{Problem, Result};
use crate::server::api;
use crate::server::app::App;
use crate::server::clock::{self, DAY};
use crate::server::model::events::{self, Event};
use crate::server::model::images::{self, Image, Tag};

/// A rule, and the account whose images it is about; none: those of all.
struct Rule {
    account: Option<String>,
    of: String,
    body: Json,
}

pub(super) fn run(app: &App) -> Result<()> {
    let now = clock::now();
    let rules = app.store.read(|tx| {
        let rows =
            tx.rows("SELECT account, body FROM archive_rule ORDER BY created_at, id", &[])?;
        let read = |row: Row| {
            let mut fields = row.fields();
            let (of, body) = (fields.text()?, fields.text()?);
            let body: Json = serde_json::from_str(&body).unwrap_or_default();
            let account = (body["system_global"] != true).then(|| of.clone());
            Ok::<_, Problem>(Rule { account, of, body })
        };
        rows.into_iter().map(read).collect::<Result<Vec<_>>>()
    })?;
    for rule in &rules {
        match rule.body["transition"].as_str() {
            Some("archive") => put_aside(app, rule, now)?,
            Some("delete") => remove(app, rule, now)?,
            _ => {}
        }
    }
    Ok(())
}

fn accounts(tx: &Tx<'_>, rule: &Rule) -> Result<Vec<String>> {
    if let Some(account) = &rule.account {
        return Ok(vec![account.clone()]);
    }
    let rows = tx.rows("SELECT name FROM account ORDER BY name", &[])?;
    Ok(rows.into_iter().map(Row::text).collect::<inscan_store::Result<_>>()?)
}

/// Whether a name is one of the rule's.
fn selects(rule: &Json, registry: &str, repository: &str, tag: &str) -> bool {
    let fits = |selector: &Json, usual: bool| {
        let part = |name: &str, value: &str| match selector[name].as_str() {
            None | Some("") => usual,
            Some(pattern) => glob(pattern, value),
        };
        part("registry", registry) && part("repository", repository) && part("tag", tag)
    };
    let excluded = &rule["exclude"]["selector"];
    fits(&rule["selector"], true) && !(excluded.is_object() && fits(excluded, true))
}

fn days(rule: &Json) -> Millis {
    rule["analysis_age_days"].as_i64().unwrap_or_default().max(0).saturating_mul(DAY)
}

/// Images all of whose names are the rule's, each old enough and followed by enough newer images.
fn put_aside(app: &App, rule: &Rule, now: Millis) -> Result<()> {
    let newer = rule.body["tag_versions_newer"].as_i64().unwrap_or_default();
    for account in app.store.read(|tx| accounts(tx, rule))? {
        let chosen = app.store.read(|tx| chosen(tx, &rule.body, &account, newer, now))?;
        for (image, tags) in chosen {
            app.store.write(|tx| {
                api::put_aside(tx, &account, &image, &tags, now)?;
                images::remove(tx, image.id)?;
                tell(tx, rule, &account, &image.digest, "archive", now)
            })?;
        }
    }
    Ok(())
}

pub(super) fn chosen(
    tx: &Tx<'_>,
    rule: &Json,
    account: &str,
    newer: i64,
    now: Millis,
) -> Result<Vec<(Image, Vec<Tag>)>> {
    // How many images have had each name since.
    let rows = tx.rows(
        "SELECT tag.image, tag.registry, tag.repo, tag.tag, (SELECT COUNT(*) FROM tag AS later \
           WHERE later.account = tag.account AND later.fulltag = tag.fulltag AND (later.detected_at > tag.detected_at \
             OR (later.detected_at = tag.detected_at AND later.image > tag.image))) \
         FROM tag JOIN image ON image.id = tag.image \
         WHERE tag.account = $1 AND image.analysis IS NOT NULL AND image.analyzed_at <= $2",
        values![account, now - days(rule)],
    )?;
    let mut fits: BTreeMap<i64, bool> = BTreeMap::new();
    for row in rows {
        let mut fields = row.fields();
        let image = fields.int()?;
        let (registry, repository, tag) = (fields.text()?, fields.text()?, fields.text()?);
        let is_chosen = selects(rule, &registry, &repository, &tag) && fields.int()? >= newer;
        let all = fits.entry(image).or_insert(true);
        *all = *all && is_chosen;
    }
    let ids: Vec<i64> = fits.into_iter().filter(|(_, fits)| *fits).map(|(id, _)| id).collect();
    let mut tags = images::tags_of_rows(tx, &ids)?;
    let images = images::by_rows(tx, &ids)?.into_iter();
    Ok(images
        .map(|image| {
            let of = tags.remove(&image.id).unwrap_or_default();
            (image, of)
        })
        .collect())
}

/// What was put aside long enough ago.
fn remove(app: &App, rule: &Rule, now: Millis) -> Result<()> {
    for account in app.store.read(|tx| accounts(tx, rule))? {
        app.store.write(|tx| {
            let rows = tx.rows(
                "SELECT digest, body FROM archived WHERE account = $1 AND created_at <= $2",
                values![&account, now - days(&rule.body)],
            )?;
            for row in rows {
                let mut fields = row.fields();
                let (digest, body) = (fields.text()?, fields.text()?);
                let body: Json = serde_json::from_str(&body).unwrap_or_default();
                let names = body["image_detail"].as_array().cloned().unwrap_or_default();
                let text =
                    |name: &Json, key: &str| name[key].as_str().unwrap_or_default().to_owned();
                let is_chosen = names.iter().all(|name| {
                    let (registry, repository) = (text(name, "registry"), text(name, "repository"));
                    selects(&rule.body, &registry, &repository, &text(name, "tag"))
                });
                if is_chosen {
                    let of = values![&account, &digest];
                    tx.run("DELETE FROM archived WHERE account = $1 AND digest = $2", of)?;
                    tell(tx, rule, &account, &digest, "delete", now)?;
                }
            }
            Ok::<_, Problem>(())
        })?;
    }
    Ok(())
}

fn tell(
    tx: &Tx<'_>,
    rule: &Rule,
    account: &str,
    digest: &str,
    transition: &str,
    now: Millis,
) -> Result<()> {
    let event = Event {
        kind: "user.archive.transition",
        level: "info",
        resource_kind: "archive_rule",
        resource: rule.body["rule_id"].as_str().unwrap_or_default(),
        message: "a rule of the archive acted",
        details: json!({"imageDigest": digest, "transition": transition, "account": account}),
    };
    events::add(tx, &rule.of, &event, now)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_about_the_names_that_it_selects_and_does_not_exclude() {
        let rule = json!({"selector": {"registry": "*", "repository": "team/*", "tag": "*"},
            "exclude": {"selector": {"tag": "release-*"}}});
        assert!(selects(&rule, "docker.io", "team/app", "1"));
        assert!(!selects(&rule, "docker.io", "other/app", "1"));
        assert!(!selects(&rule, "docker.io", "team/app", "release-1"));
        assert!(selects(&json!({}), "docker.io", "team/app", "1"));
    }
}
