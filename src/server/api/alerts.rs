//! Alerts: who is told when something happens to images.

use inscan_store::{Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, text, truth};
use crate::server::rights::Does::{Change, Read};
use crate::server::routes::On::Sysdig;
use crate::server::routes::{Method, Route, route};
use crate::server::{clock, ids};

pub(super) const ROUTES: &[Route] = &[
    route(Sysdig, Method::GET, "/alerts", Read, list, "Lists the alerts, in pages"),
    route(Sysdig, Method::POST, "/alerts", Change, add, "Adds an alert"),
    route(Sysdig, Method::GET, "/alerts/{id}", Read, one, "Shows an alert"),
    route(Sysdig, Method::PUT, "/alerts/{id}", Change, change, "Changes an alert"),
    route(Sysdig, Method::DELETE, "/alerts/{id}", Change, remove, "Removes an alert"),
];

const TRIGGERS: [&str; 5] =
    ["unscanned", "analysis_update", "vuln_update", "policy_eval", "failed"];

/// All fields, whatever the client left out.
fn alert(asked: &Asked, body: &Json, id: &str) -> Result<Json> {
    let kind = text(body, "type").unwrap_or("runtime");
    if !["repository", "runtime"].contains(&kind) {
        return Err(Problem::bad("an alert is of the type repository or runtime"));
    }
    let triggers = TRIGGERS
        .iter()
        .map(|name| ((*name).to_owned(), truth(&body["triggers"], name, false).into()));
    let triggers: serde_json::Map<String, Json> = triggers.collect();
    let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let repositories: Vec<Json> = list("repositories").iter().map(repository).collect();
    let wildcard = |one: &Json| {
        ["registry", "repository"]
            .iter()
            .any(|name| text(one, name).is_some_and(|text| text.contains('*')))
    };
    let others = ["vuln_update", "policy_eval"].iter().any(|name| triggers[*name] == true);
    if kind == "repository" && others && repositories.iter().any(wildcard) {
        return Err(Problem::bad(
            "with a wildcard in registry or repository there is one trigger: analysis_update",
        ));
    }
    Ok(json!({
        "customerId": 1,
        "teamId": 1,
        "alertId": id,
        "enabled": truth(body, "enabled", true),
        "type": kind,
        "name": needed(body, "name")?,
        "description": text(body, "description").unwrap_or_default(),
        "scope": text(body, "scope").unwrap_or_default(),
        "repositories": repositories,
        "triggers": triggers,
        "autoscan": truth(body, "autoscan", false),
        "onlyPassFail": truth(body, "onlyPassFail", false),
        "skipEventSend": truth(body, "skipEventSend", false),
        "notificationChannelIds": list("notificationChannelIds"),
        "account": asked.account(),
    }))
}

fn repository(one: &Json) -> Json {
    let part = |name: &str| text(one, name).unwrap_or_default();
    json!({"registry": part("registry"), "repository": part("repository"), "tag": part("tag")})
}

fn shown(body: &str) -> Json {
    let mut alert: Json = serde_json::from_str(body).unwrap_or_default();
    if let Some(alert) = alert.as_object_mut() {
        alert.remove("account");
    }
    alert
}

fn found(tx: &Tx<'_>, asked: &Asked) -> Result<String> {
    let id = asked.part("id");
    let row = tx.row(
        "SELECT body FROM alert WHERE account = $1 AND id = $2",
        values![asked.account(), id],
    )?;
    match row {
        Some(row) => Ok(row.text()?),
        None => Err(Problem::not_found(format!("alert {id} not found"))),
    }
}

/// Oldest first; the cursor is the place of the last one.
fn list(asked: Asked) -> Result<Answer> {
    let limit = asked.query.number("limit", 1_000, 1, 1_000)?;
    let after = asked.query.get("cursor").unwrap_or_default();
    let (at, id) = after.split_once('.').unwrap_or(("0", ""));
    let at: i64 = at.parse().map_err(|_| Problem::bad("`cursor` is none of this list"))?;
    let rows = asked.app.store.read(|tx| {
        let rows = tx.rows(
            "SELECT body, created_at, id FROM alert WHERE account = $1 \
               AND (created_at > $2 OR (created_at = $2 AND id > $3)) ORDER BY created_at, id LIMIT $4",
            values![asked.account(), at, id, limit + 1],
        )?;
        let read = |row: Row| -> Result<(String, String)> {
            let mut fields = row.fields();
            let body = fields.text()?;
            Ok((body, format!("{}.{}", fields.int()?, fields.text()?)))
        };
        rows.into_iter().map(read).collect::<Result<Vec<_>>>()
    })?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = (rows.len() > limit)
        .then(|| rows.get(limit - 1).map(|(_, cursor)| cursor.clone()))
        .flatten();
    let alerts: Vec<Json> = rows.iter().take(limit).map(|(body, _)| shown(body)).collect();
    let about = next.map_or(Json::Null, |next| json!({"next_cursor": next}));
    Answer::json(json!({"alerts": alerts, "responseMetadata": about}))
}

fn add(asked: Asked) -> Result<Answer> {
    let id = ids::uuid();
    let body = alert(&asked, &asked.object()?, &id)?.to_string();
    asked.app.store.write(|tx| {
        tx.run(
            "INSERT INTO alert (account, id, body, created_at) VALUES ($1, $2, $3, $4)",
            values![asked.account(), &id, &body, clock::now()],
        )?;
        Ok::<_, Problem>(())
    })?;
    Answer::json(shown(&body))
}

fn one(asked: Asked) -> Result<Answer> {
    Answer::json(shown(&asked.app.store.read(|tx| found(tx, &asked))?))
}

fn change(asked: Asked) -> Result<Answer> {
    let body = alert(&asked, &asked.object()?, asked.part("id"))?.to_string();
    asked.app.store.write(|tx| {
        found(tx, &asked)?;
        tx.run(
            "UPDATE alert SET body = $3 WHERE account = $1 AND id = $2",
            values![asked.account(), asked.part("id"), &body],
        )?;
        Ok::<_, Problem>(())
    })?;
    Answer::json(shown(&body))
}

fn remove(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let body = found(tx, &asked)?;
        tx.run(
            "DELETE FROM alert WHERE account = $1 AND id = $2",
            values![asked.account(), asked.part("id")],
        )?;
        Answer::json(shown(&body))
    })
}
