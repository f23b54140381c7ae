//! For whoever runs the server: is it alive, is it ready, what it counts, its jobs, how to ask it.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use inscan_store::queue::{self, Seen};
use inscan_store::{Row, values};
use serde_json::{Map, Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::rights::Does::{Open, System};
use crate::server::routes::On::Root;
use crate::server::routes::{self, Method, Route, Takes, route};
use crate::server::{clock, rights};

pub(super) const ROUTES: &[Route] = &[
    route(Root, Method::GET, "/healthz", Open, alive, "Says that the process runs").quiet(),
    route(Root, Method::GET, "/readyz", Open, ready, "Says that requests can be answered").quiet(),
    route(Root, Method::GET, "/openapi.json", Open, openapi, "Describes every route").quiet(),
    route(
        Root,
        Method::GET,
        "/metrics",
        System,
        metrics,
        "Counts, in the form that Prometheus reads",
    )
    .quiet(),
    route(
        Root,
        Method::GET,
        "/api/inscan/v1/jobs",
        System,
        jobs,
        "Lists the jobs, those that are over last",
    ),
    route(Root, Method::POST, "/api/inscan/v1/jobs/{id}/retry", System, retry, "Tries a job now"),
    route(Root, Method::DELETE, "/api/inscan/v1/jobs/{id}", System, cancel, "Cancels a job"),
    route(Root, Method::GET, "/api/inscan/v1/sizes", System, sizes, "Says how much is kept"),
];

fn alive(_: Asked) -> Result<Answer> {
    Answer::json(json!({"status": "alive"}))
}

/// The schema is the newest as soon as anything is answered: what is left is whether it answers.
fn ready(asked: Asked) -> Result<Answer> {
    let asked = asked.app.store.read(|tx| Ok::<_, Problem>(tx.row("SELECT 1 FROM account", &[])?));
    match asked {
        Ok(_) => Answer::json(json!({"status": "ready"})),
        // Not a fault of whoever asks, and whoever balances load has to see it.
        Err(_) => Ok(Answer::Json(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"status": "the database does not answer"}),
        )),
    }
}

fn seen(one: &Seen) -> Json {
    json!({"id": one.id, "kind": one.kind, "key": one.key, "state": one.state, "tries": one.tries, "problem": one.problem,
        "made_at": clock::iso_millis(one.made_at), "at": clock::iso_millis(one.at)})
}

fn jobs(asked: Asked) -> Result<Answer> {
    let limit = asked.query.number("limit", 100, 1, 1_000)?;
    let all = asked.app.store.read(|tx| Ok::<_, Problem>(queue::list(tx, limit, clock::now())?))?;
    Answer::json(json!({"jobs": all.iter().map(seen).collect::<Vec<_>>()}))
}

fn job_id(asked: &Asked) -> Result<i64> {
    asked.part("id").parse().map_err(|_| Problem::not_found("there is no such job"))
}

fn retry(asked: Asked) -> Result<Answer> {
    let id = job_id(&asked)?;
    let is_done =
        asked.app.store.write(|tx| Ok::<_, Problem>(queue::retry(tx, id, clock::now())?))?;
    asked.app.bell.ring();
    match is_done {
        true => Answer::json(json!({"id": id, "state": "waiting"})),
        false => Err(Problem::not_found("there is no such job that waits")),
    }
}

fn cancel(asked: Asked) -> Result<Answer> {
    let id = job_id(&asked)?;
    let is_done =
        asked.app.store.write(|tx| Ok::<_, Problem>(queue::cancel(tx, id, clock::now())?))?;
    match is_done {
        true => Answer::json(json!({"id": id, "state": "cancelled"})),
        false => Err(Problem::not_found("there is no such job")),
    }
}

const COUNTED: [(&str, &str); 6] = [
    ("images", "SELECT COUNT(*) FROM image"),
    ("tags", "SELECT COUNT(*) FROM tag"),
    ("packages", "SELECT COUNT(*) FROM package"),
    ("findings", "SELECT COUNT(*) FROM finding"),
    ("evaluations", "SELECT COUNT(*) FROM evaluation"),
    ("events", "SELECT COUNT(*) FROM event"),
];

fn sizes(asked: Asked) -> Result<Answer> {
    let database = asked.app.store.size()?;
    asked.app.store.read(|tx| {
        let row = tx.row("SELECT COUNT(*), COALESCE(CAST(SUM(size) AS BIGINT), 0), COALESCE(CAST(SUM(stored) AS BIGINT), 0) FROM blob", &[])?;
        let mut fields = row.ok_or_else(|| Problem::internal("no count"))?.fields();
        let contents = json!({"count": fields.int()?, "bytes": fields.int()?, "stored_bytes": fields.int()?});
        let mut counts = Map::new();
        for (name, sql) in COUNTED {
            let count = tx.row(sql, values![])?.map_or(Ok(0), Row::int)?;
            counts.insert(name.to_owned(), count.into());
        }
        Answer::json(json!({"database": asked.app.store.kind(), "database_bytes": database, "contents": contents, "rows": counts}))
    })
}

/// In the text form of Prometheus. No label comes from a user or an image.
fn metrics(asked: Asked) -> Result<Answer> {
    let app = &asked.app;
    let mut text = String::new();
    let mut one = |name: &str, about: &str, kind: &str, values: &[(String, u64)]| {
        text.push_str(&format!("# HELP inscan_{name} {about}\n# TYPE inscan_{name} {kind}\n"));
        for (label, value) in values {
            text.push_str(&format!("inscan_{name}{label} {value}\n"));
        }
    };
    let plain = |value: u64| [(String::new(), value)];
    let (requests, micros) = app.counts.requests();
    let labelled: Vec<_> = requests
        .into_iter()
        .map(|(class, count)| (format!("{{status=\"{class}\"}}"), count))
        .collect();
    one("requests_total", "Requests, by the class of their status.", "counter", &labelled);
    one("request_microseconds_total", "Time of all requests together.", "counter", &plain(micros));
    let counter = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    one(
        "uploads_total",
        "Archives that were sent.",
        "counter",
        &plain(counter(&app.counts.uploads)),
    );
    one(
        "evaluations_total",
        "Verdicts that were made.",
        "counter",
        &plain(counter(&app.counts.evaluations)),
    );
    one(
        "evaluations_kept_total",
        "Verdicts that were answered from the store.",
        "counter",
        &plain(counter(&app.counts.answered_from_store)),
    );
    let now = clock::now();
    let depths = app.store.read(|tx| Ok::<_, Problem>(queue::depths(tx, now)?))?;
    let of = |value: fn(&(String, i64, i64)) -> i64| -> Vec<(String, u64)> {
        depths
            .iter()
            .map(|depth| {
                (
                    format!("{{kind=\"{}\"}}", depth.0),
                    u64::try_from(value(depth)).unwrap_or_default(),
                )
            })
            .collect()
    };
    one("jobs", "Jobs in the queue.", "gauge", &of(|depth| depth.1));
    one(
        "job_age_seconds",
        "How long the oldest job has been due.",
        "gauge",
        &of(|depth| depth.2 / 1_000),
    );
    one("database_bytes", "Size of the database.", "gauge", &plain(app.store.size()?));
    one(
        "uptime_seconds",
        "Since the process began.",
        "gauge",
        &plain(u64::try_from((now - app.started) / 1_000).unwrap_or_default()),
    );
    Ok(Answer::Bytes("text/plain; version=0.0.4; charset=utf-8", text.into_bytes()))
}

/// Made of the table of routes, so that it cannot tell of others.
fn openapi(_: Asked) -> Result<Answer> {
    let mut paths: Map<String, Json> = Map::new();
    for (path, route) in routes::all() {
        let parameters: Vec<Json> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let mut operation = json!({
            "summary": route.about,
            "parameters": parameters,
            "responses": {"200": {"description": "done"}, "default": {"description": "not done, with a message",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}},
        });
        let least = [
            rights::Role::Read,
            rights::Role::Standard,
            rights::Role::Advanced,
            rights::Role::Manager,
            rights::Role::Admin,
        ]
        .into_iter()
        .find(|role| rights::may(Some(*role), route.does));
        operation["x-needs"] = format!("{least:?}").replace("Some(", "").replace(')', "").into();
        if rights::may(None, route.does) {
            operation["security"] = json!([]);
        }
        let body = match route.takes {
            Takes::Nothing => None,
            Takes::Json => Some(json!({"application/json": {"schema": {}}})),
            Takes::Upload => Some(json!({"multipart/form-data": {"schema": {"type": "object",
                "properties": {"archive_file": {"type": "string", "format": "binary"}}}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})),
        };
        if let Some(content) = body.filter(|_| route.method != Method::GET) {
            operation["requestBody"] = json!({"content": content});
        }
        let of_path = paths.entry(path).or_insert_with(|| json!({}));
        of_path[route.method.as_str().to_lowercase()] = operation;
    }
    Answer::json(json!({
        "openapi": "3.1.0",
        "info": {"title": "inscan", "version": env!("CARGO_PKG_VERSION"),
            "description": "A backend for container image scanners: Sysdig's scanning API, Anchore's API of version 1, and a small one of its own."},
        "security": [{"bearer": []}, {"basic": []}],
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}},
            "schemas": {"Problem": {"type": "object", "required": ["message", "httpcode"], "properties": {
                "message": {"type": "string"}, "httpcode": {"type": "integer"}, "detail": {}}}},
        },
        "paths": paths,
    }))
}
