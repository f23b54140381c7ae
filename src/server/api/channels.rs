//! Channels: where alerts are sent. Their options (addresses of webhooks) are kept encrypted.

use axum::http::StatusCode;
use inscan_store::{Fields, Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::app::App;
use crate::server::asked::{Asked, needed, truth};
use crate::server::clock;
use crate::server::rights::Does::{People, Read};
use crate::server::routes::On::Root;
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(Root, Method::GET, "/api/notificationChannels", Read, list, "Lists the channels"),
    route(Root, Method::POST, "/api/notificationChannels", People, add, "Adds a channel"),
    route(Root, Method::GET, "/api/notificationChannels/{id}", Read, one, "Shows a channel"),
    route(Root, Method::PUT, "/api/notificationChannels/{id}", People, change, "Changes a channel"),
    route(
        Root,
        Method::DELETE,
        "/api/notificationChannels/{id}",
        People,
        remove,
        "Removes a channel, also from alerts",
    ),
];

const KINDS: [&str; 10] = [
    "EMAIL",
    "SLACK",
    "WEBHOOK",
    "PAGER_DUTY",
    "SNS",
    "OPSGENIE",
    "VICTOROPS",
    "MS_TEAMS",
    "GCHAT",
    "PROMETHEUS_ALERT_MANAGER",
];
/// In bytes.
const MAX_OPTIONS: usize = 64 << 10;

/// What its options are encrypted for.
fn sealed_for(account: &str) -> String {
    format!("channel/{account}")
}

fn shown(app: &App, account: &str, row: Row) -> Result<Json> {
    let mut fields: Fields = row.fields();
    let (id, kind, name) = (fields.int()?, fields.text()?, fields.text()?);
    let options = app.secrets.open_sealed(&sealed_for(account), &fields.bytes()?);
    let options: Json =
        options.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| json!({}));
    let (enabled, version) = (fields.bool()?, fields.int()?);
    Ok(
        json!({"id": id, "version": version, "type": kind, "name": name, "enabled": enabled, "options": options,
        "teamId": null, "customerId": 1, "createdOn": fields.int()?, "modifiedOn": fields.int()?}),
    )
}

const CHANNEL: &str =
    "SELECT id, kind, name, options, enabled, version, created_at, updated_at FROM channel ";

/// A channel with its options, for whoever sends.
pub(crate) fn by_id(tx: &Tx<'_>, app: &App, account: &str, id: i64) -> Result<Option<Json>> {
    let sql = format!("{CHANNEL} WHERE account = $1 AND id = $2");
    tx.row(&sql, values![account, id])?.map(|row| shown(app, account, row)).transpose()
}

fn found(tx: &Tx<'_>, asked: &Asked) -> Result<Json> {
    let missing = || Problem::not_found(format!("channel {} not found", asked.part("id")));
    let id: i64 = asked.part("id").parse().map_err(|_| missing())?;
    by_id(tx, &asked.app, asked.account(), id)?.ok_or_else(missing)
}

fn list(asked: Asked) -> Result<Answer> {
    let sql = format!("{CHANNEL} WHERE account = $1 ORDER BY id");
    let all = asked.app.store.read(|tx| {
        let rows = tx.rows(&sql, values![asked.account()])?;
        rows.into_iter()
            .map(|row| shown(&asked.app, asked.account(), row))
            .collect::<Result<Vec<_>>>()
    })?;
    Answer::json(json!({"notificationChannels": all}))
}

/// What is written of a channel: kind, name, sealed options, enabled.
fn written(asked: &Asked, body: &Json) -> Result<(String, String, Vec<u8>, bool)> {
    let channel = &body["notificationChannel"];
    let kind = needed(channel, "type")?;
    if !KINDS.contains(&kind) {
        return Err(Problem::bad(format!(
            "there is no type of channel `{kind}`: there are {}",
            KINDS.join(", ")
        )));
    }
    let options = match &channel["options"] {
        options @ Json::Object(_) => options.to_string(),
        _ => return Err(Problem::bad("`options` is missing, or is not an object")),
    };
    if options.len() > MAX_OPTIONS {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the options are too large"));
    }
    let sealed = asked.app.secrets.seal(&sealed_for(asked.account()), &options);
    Ok((
        kind.to_owned(),
        needed(channel, "name")?.to_owned(),
        sealed,
        truth(channel, "enabled", true),
    ))
}

fn add(asked: Asked) -> Result<Answer> {
    let (kind, name, options, enabled) = written(&asked, &asked.object()?)?;
    asked.app.store.write(|tx| {
        let row = tx.row(
            "INSERT INTO channel (account, kind, name, options, enabled, version, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, 1, $6, $6) RETURNING id",
            values![asked.account(), &kind, &name, options.clone(), enabled, clock::now()],
        )?;
        let id = row.map_or(Ok(0), Row::int)?;
        let channel = by_id(tx, &asked.app, asked.account(), id)?;
        Answer::json(json!({"notificationChannel": channel}))
    })
}

fn one(asked: Asked) -> Result<Answer> {
    let channel = asked.app.store.read(|tx| found(tx, &asked))?;
    Answer::json(json!({"notificationChannel": channel}))
}

fn change(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let (kind, name, options, enabled) = written(&asked, &body)?;
    asked.app.store.write(|tx| {
        let known = found(tx, &asked)?;
        if body["notificationChannel"]["version"] != known["version"] {
            return Err(Problem::conflict("the channel was changed meanwhile: it has another version"));
        }
        let id = known["id"].as_i64().unwrap_or_default();
        tx.run(
            "UPDATE channel SET kind = $3, name = $4, options = $5, enabled = $6, version = version + 1, \
             updated_at = $7 WHERE account = $1 AND id = $2",
            values![asked.account(), id, &kind, &name, options.clone(), enabled, clock::now()],
        )?;
        let channel = by_id(tx, &asked.app, asked.account(), id)?;
        Answer::json(json!({"notificationChannel": channel}))
    })
}

fn remove(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let known = found(tx, &asked)?;
        let id = known["id"].as_i64().unwrap_or_default();
        tx.run("DELETE FROM channel WHERE account = $1 AND id = $2", values![asked.account(), id])?;
        for row in
            tx.rows("SELECT id, body FROM alert WHERE account = $1", values![asked.account()])?
        {
            let mut fields = row.fields();
            let (alert, body) = (fields.text()?, fields.text()?);
            let mut body: Json = serde_json::from_str(&body).unwrap_or_default();
            let Some(ids) = body["notificationChannelIds"].as_array_mut() else { continue };
            let before = ids.len();
            ids.retain(|it| *it != id);
            if ids.len() < before {
                tx.run(
                    "UPDATE alert SET body = $3 WHERE account = $1 AND id = $2",
                    values![asked.account(), &alert, body.to_string()],
                )?;
            }
        }
        Answer::json(json!({"notificationChannel": known}))
    })
}
