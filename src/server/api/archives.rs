//! Anchore's analysis archive: images that are put aside, and rules that are kept for it.

use inscan_store::{Millis, Row, Tx, values};
use serde_json::{Value as Json, json};

use super::images::found;
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, truth};
use crate::server::clock::{self, iso};
use crate::server::ids;
use crate::server::judging;
use crate::server::model::events::{self, Filter};
use crate::server::model::images::{self, Image, Tag};
use crate::server::rights::Does::{Change, Read};
use crate::server::rights::Role;
use crate::server::routes::On::Anchore;
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::GET, "/archives", Read, summary, "Says how many images are put aside"),
    route(
        Anchore,
        Method::GET,
        "/archives/images",
        Read,
        list,
        "Lists the images that are put aside",
    ),
    route(Anchore, Method::POST, "/archives/images", Change, add, "Puts images aside"),
    route(
        Anchore,
        Method::GET,
        "/archives/images/{digest}",
        Read,
        one,
        "Shows an image that is put aside",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/archives/images/{digest}",
        Change,
        remove,
        "Removes an image that is put aside",
    ),
    route(
        Anchore,
        Method::GET,
        "/archives/rules",
        Read,
        rules,
        "Lists the rules for putting images aside",
    ),
    route(
        Anchore,
        Method::POST,
        "/archives/rules",
        Change,
        add_rule,
        "Adds a rule for putting images aside",
    ),
    route(
        Anchore,
        Method::GET,
        "/archives/rules/{id}",
        Read,
        rule,
        "Shows a rule for putting images aside",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/archives/rules/{id}",
        Change,
        remove_rule,
        "Removes a rule for putting images aside",
    ),
    route(
        Anchore,
        Method::GET,
        "/archives/rules/{id}/history",
        Read,
        history,
        "Lists what a rule did",
    ),
];

fn parsed(row: Row) -> Result<Json> {
    Ok(serde_json::from_str(&row.text()?).unwrap_or_default())
}

fn summary(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| {
        let count = |sql: &str| -> Result<i64> {
            let row = tx.row(sql, values![asked.account()])?;
            Ok(row.map_or(Ok(0), Row::int)?)
        };
        let images = count("SELECT COUNT(*) FROM archived WHERE account = $1")?;
        let rules = count("SELECT COUNT(*) FROM archive_rule WHERE account = $1")?;
        Answer::json(json!({"images": {"total_image_count": images, "total_tag_count": images, "total_data_bytes": 0,
            "last_updated": iso(clock::now())}, "rules": {"count": rules, "last_updated": iso(clock::now())}}))
    })
}

fn list(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| {
        let rows = tx.rows(
            "SELECT body FROM archived WHERE account = $1 ORDER BY created_at",
            values![asked.account()],
        )?;
        Answer::json(rows.into_iter().map(parsed).collect::<Result<Vec<_>>>()?)
    })
}

/// The contents are named a second time: they stay when the image goes.
fn add(asked: Asked) -> Result<Answer> {
    let digests = asked.json()?;
    let digests =
        digests.as_array().ok_or_else(|| Problem::bad("the body is not a list of digests"))?;
    asked.app.store.write(|tx| {
        let now = clock::now();
        let mut results = Vec::new();
        for digest in digests.iter().filter_map(Json::as_str) {
            let Ok(image) = found(tx, asked.account(), digest) else {
                results.push(json!({"digest": digest, "status": "not_found", "detail": "image not found in DB"}));
                continue;
            };
            let tags = images::tags_of(tx, image.id)?;
            put_aside(tx, asked.account(), &image, &tags, now)?;
            results.push(json!({"digest": digest, "status": "archived", "detail": "the analysis is put aside"}));
        }
        Answer::json(results)
    })
}

/// Names the contents of an image a second time.
///
/// # Errors
/// Where the image is not analyzed.
pub(crate) fn put_aside(
    tx: &Tx<'_>,
    account: &str,
    image: &Image,
    tags: &[Tag],
    now: Millis,
) -> Result<()> {
    let analysis = judging::analyzed(image)?;
    let content = image.content.as_deref().unwrap_or_default();
    let details = tags.iter().map(|tag| {
        json!({"registry": tag.registry, "repository": tag.repo, "tag": tag.tag, "pullstring": tag.fulltag,
            "detected_at": iso(tag.detected_at)})
    });
    let body = json!({"imageDigest": image.digest, "parentDigest": image.parent_digest, "status": "archived",
        "archive_size_bytes": 0, "annotations": {}, "image_detail": details.collect::<Vec<_>>(),
        "analyzed_at": image.analyzed_at.map(iso), "created_at": iso(now), "last_updated": iso(now)});
    tx.run(
        "INSERT INTO archived (account, digest, body, analysis, content, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, digest) DO NOTHING",
        values![account, &image.digest, body.to_string(), analysis, content, now],
    )?;
    Ok(())
}

fn archived(asked: &Asked) -> Result<Json> {
    let row = asked.app.store.read(|tx| {
        let of = values![asked.account(), asked.part("digest")];
        Ok::<_, Problem>(
            tx.row("SELECT body FROM archived WHERE account = $1 AND digest = $2", of)?,
        )
    })?;
    row.map_or_else(|| Err(Problem::not_found("Not found")), parsed)
}

fn one(asked: Asked) -> Result<Answer> {
    Answer::json(archived(&asked)?)
}

fn remove(asked: Asked) -> Result<Answer> {
    let known = archived(&asked)?;
    asked.app.store.write(|tx| {
        let of = values![asked.account(), asked.part("digest")];
        tx.run("DELETE FROM archived WHERE account = $1 AND digest = $2", of)?;
        Ok::<_, Problem>(())
    })?;
    Answer::json(json!({"imageDigest": known["imageDigest"], "status": "deleting"}))
}

fn rules(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| {
        let rows = tx.rows(
            "SELECT body FROM archive_rule WHERE account = $1 ORDER BY created_at",
            values![asked.account()],
        )?;
        Answer::json(rows.into_iter().map(parsed).collect::<Result<Vec<_>>>()?)
    })
}

fn add_rule(asked: Asked) -> Result<Answer> {
    let mut body = asked.object()?;
    if !["archive", "delete"].contains(&needed(&body, "transition")?) {
        return Err(Problem::bad("`transition` is archive or delete"));
    }
    checked(&asked, &body)?;
    let (id, now) = (ids::uuid(), clock::now());
    if let Some(body) = body.as_object_mut() {
        body.insert("rule_id".into(), id.clone().into());
        body.insert("created_at".into(), iso(now).into());
        body.insert("last_updated".into(), iso(now).into());
        body.entry("system_global").or_insert(false.into());
        body.entry("selector")
            .or_insert_with(|| json!({"registry": "*", "repository": "*", "tag": "*"}));
    }
    asked.app.store.write(|tx| {
        tx.run(
            "INSERT INTO archive_rule (account, id, body, created_at) VALUES ($1, $2, $3, $4)",
            values![asked.account(), &id, body.to_string(), now],
        )?;
        Ok::<_, Problem>(())
    })?;
    Answer::json(body)
}

fn known_rule(asked: &Asked) -> Result<Json> {
    let row = asked.app.store.read(|tx| {
        let of = values![asked.account(), asked.part("id")];
        Ok::<_, Problem>(
            tx.row("SELECT body FROM archive_rule WHERE account = $1 AND id = $2", of)?,
        )
    })?;
    row.map_or_else(|| Err(Problem::not_found("Rule not found")), parsed)
}

fn rule(asked: Asked) -> Result<Answer> {
    Answer::json(known_rule(&asked)?)
}

fn remove_rule(asked: Asked) -> Result<Answer> {
    known_rule(&asked)?;
    asked.app.store.write(|tx| {
        let of = values![asked.account(), asked.part("id")];
        tx.run("DELETE FROM archive_rule WHERE account = $1 AND id = $2", of)?;
        Ok::<_, Problem>(())
    })?;
    Answer::json(json!(true))
}

/// What no rule of ours does is refused, so that nobody waits for it.
fn checked(asked: &Asked, body: &Json) -> Result<()> {
    for name in ["max_images_per_account"] {
        if !body[name].is_null() {
            return Err(Problem::bad(format!("`{name}` is not possible here")));
        }
    }
    for name in ["analysis_age_days", "tag_versions_newer"] {
        if !(body[name].is_null() || body[name].as_i64().is_some_and(|number| number >= 0)) {
            return Err(Problem::bad(format!("`{name}` is not a number from 0")));
        }
    }
    let expires = &body["exclude"]["expiration_days"];
    if !(expires.is_null() || expires.as_i64().is_some_and(|days| days < 0)) {
        return Err(Problem::bad(
            "`expiration_days` is not possible here: what is excluded stays so",
        ));
    }
    if truth(body, "system_global", false) && asked.actor.role != Role::Admin {
        return Err(Problem::forbidden("only administrators make rules for all accounts"));
    }
    Ok(())
}

/// What a rule did, newest first.
fn history(asked: Asked) -> Result<Answer> {
    known_rule(&asked)?;
    let id = asked.part("id");
    let filter = Filter {
        resource_kind: "archive_rule",
        resource: id,
        before: i64::MAX,
        ..Filter::default()
    };
    let events = asked
        .app
        .store
        .read(|tx| Ok::<_, Problem>(events::list(tx, asked.account(), filter, 1_000, 0)?))?;
    let shown: Vec<Json> = events
        .iter()
        .map(|one| {
            let details = &one["event"]["details"];
            json!({"rule_id": id, "imageDigest": details["imageDigest"], "transition": details["transition"],
                "transitioned_at": one["created_at"]})
        })
        .collect();
    Answer::json(shown)
}
