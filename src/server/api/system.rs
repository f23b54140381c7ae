//! The server as Anchore's API tells of it: services, feeds, what policies may say, errors.

use axum::http::StatusCode;
use inscan_judge::gates::gates;
use inscan_judge::spec::{Gate, Param, Trigger};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::app::App;
use crate::server::asked::Asked;
use crate::server::clock::iso;
use crate::server::rights::Does::{Open, Read, System};
use crate::server::routes::On::{Anchore, Root, Sysdig};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::GET, "", Read, root, "Says which version of the API this is").quiet(),
    route(Anchore, Method::GET, "/health", Open, health, "Says that the process runs").quiet(),
    route(
        Anchore,
        Method::GET,
        "/version",
        Open,
        version,
        "Says which versions of the service and its API these are",
    )
    .quiet(),
    route(
        Anchore,
        Method::GET,
        "/swagger.json",
        Open,
        swagger,
        "Says which version of the API clients may expect",
    )
    .quiet(),
    route(
        Root,
        Method::GET,
        "/swagger.json",
        Open,
        swagger,
        "Says which version of the API clients may expect",
    )
    .quiet(),
    route(Anchore, Method::GET, "/status", Read, status, "Says whether the service is there")
        .quiet(),
    route(Anchore, Method::GET, "/system", Read, system, "Lists the services with their states"),
    route(Anchore, Method::GET, "/system/services", Read, services, "Lists the services"),
    route(
        Anchore,
        Method::DELETE,
        "/system/services/{name}/{host}",
        System,
        no_service,
        "Services are parts of one process: none can be removed",
    ),
    route(
        Anchore,
        Method::GET,
        "/system/feeds",
        Read,
        feeds,
        "Lists what the vulnerability database is made of",
    ),
    route(
        Sysdig,
        Method::GET,
        "/system/feeds",
        Read,
        feeds,
        "Lists what the vulnerability database is made of, in Sysdig's place",
    ),
    route(
        Anchore,
        Method::POST,
        "/system/feeds",
        System,
        no_sync,
        "The database is a file that is replaced: nothing is synchronised",
    ),
    route(
        Anchore,
        Method::PUT,
        "/system/feeds/{feed}",
        System,
        no_sync,
        "The database is a file: its feeds cannot be switched",
    ),
    route(
        Anchore,
        Method::PUT,
        "/system/feeds/{feed}/{group}",
        System,
        no_sync,
        "The database is a file: its groups cannot be switched",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/system/feeds/{feed}",
        System,
        no_sync,
        "The database is a file: its feeds cannot be removed",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/system/feeds/{feed}/{group}",
        System,
        no_sync,
        "The database is a file: its groups cannot be removed",
    ),
    route(
        Anchore,
        Method::GET,
        "/system/policy_spec",
        Read,
        policy_spec,
        "Lists what can be written in a policy",
    ),
    route(
        Anchore,
        Method::GET,
        "/system/error_codes",
        Read,
        error_codes,
        "Lists the codes of errors",
    ),
];

/// What clients of the reference expect to talk to.
const ENGINE: &str = "0.8.2";
const SCHEMA: &str = "0.0.13";

fn root(_: Asked) -> Result<Answer> {
    Answer::json(json!("v1"))
}

fn health(_: Asked) -> Result<Answer> {
    Answer::json(json!({}))
}

fn version(_: Asked) -> Result<Answer> {
    Answer::json(
        json!({"service": {"version": ENGINE}, "api": {}, "db": {"schema_version": SCHEMA},
        "inscan": {"version": env!("CARGO_PKG_VERSION")}}),
    )
}

fn swagger(_: Asked) -> Result<Answer> {
    Answer::json(
        json!({"swagger": "2.0", "info": {"title": "inscan", "version": "0.1.16"}, "paths": {}}),
    )
}

fn state() -> Json {
    json!({"available": true, "busy": false, "db_version": SCHEMA, "detail": {}, "message": "all good", "up": true,
        "version": ENGINE})
}

fn status(_: Asked) -> Result<Answer> {
    Answer::json(state())
}

/// The parts that clients wait for, all of this process.
fn all(asked: &Asked) -> Vec<Json> {
    let host = asked.header("host").unwrap_or("localhost");
    let service = |name: &str| {
        json!({"base_url": format!("http://{host}"), "hostid": "inscan", "service_detail": state(), "servicename": name,
            "status": true, "status_message": "available", "version": "v1"})
    };
    ["catalog", "apiext", "policy_engine", "simplequeue", "analyzer"].map(service).to_vec()
}

fn system(asked: Asked) -> Result<Answer> {
    Answer::json(json!({"service_states": all(&asked)}))
}

fn services(asked: Asked) -> Result<Answer> {
    Answer::json(all(&asked))
}

fn no_service(asked: Asked) -> Result<Answer> {
    let name = asked.part("name");
    Err(Problem::conflict(format!("{name} is a part of this server: it cannot be removed")))
}

fn no_sync(_: Asked) -> Result<Answer> {
    let message = "the vulnerability database is a file, which is replaced as a whole: `inscan db update` does that";
    Err(Problem::new(StatusCode::CONFLICT, message))
}

/// By source, each with the ecosystems that it tells of.
fn feeds(asked: Asked) -> Result<Answer> {
    Answer::json(of_database(&asked.app)?)
}

fn of_database(app: &App) -> Result<Vec<Json>> {
    let Some(lent) = app.data.lend()? else { return Ok(Vec::new()) };
    let about = lent.database().about().map_err(Problem::internal)?;
    let built = iso(about.built.as_millisecond());
    let coverages = lent.database().coverages().map_err(Problem::internal)?;
    let groups = coverages.iter().map(|coverage| {
        let newest = coverage.newest.map_or_else(|| built.clone(), |newest| iso(newest.as_millisecond()));
        json!({"name": coverage.ecosystem, "enabled": true, "record_count": coverage.records, "created_at": built,
            "updated_at": newest, "last_sync": built})
    });
    Ok(vec![
        json!({"name": "vulnerabilities", "enabled": true, "created_at": built, "updated_at": built,
        "last_full_sync": built, "groups": groups.collect::<Vec<_>>()}),
    ])
}

fn policy_spec(_: Asked) -> Result<Answer> {
    Answer::json(gates().iter().map(|gate| gate_shown(gate)).collect::<Vec<_>>())
}

fn gate_shown(gate: &Gate) -> Json {
    json!({"name": gate.name, "description": gate.about, "state": "active", "superceded_by": null,
        "triggers": gate.triggers.iter().map(trigger_shown).collect::<Vec<_>>()})
}

fn trigger_shown(trigger: &Trigger) -> Json {
    json!({"name": trigger.name, "description": trigger.about, "state": "active", "superceded_by": null,
        "parameters": trigger.params.iter().map(param_shown).collect::<Vec<_>>()})
}

fn param_shown(param: &Param) -> Json {
    json!({"name": param.name, "description": param.about, "example": param.example, "required": param.required,
        "state": "active", "superceded_by": null, "validator": null})
}

fn error_codes(_: Asked) -> Result<Answer> {
    let code =
        |(name, description): (&str, &str)| json!({"name": name, "description": description});
    Answer::json(CODES.map(code).to_vec())
}

/// As the reference names what can go wrong, as far as it can go wrong here.
const CODES: [(&str, &str); 8] = [
    ("REGISTRY_PERMISSION_DENIED", "the registry does not let the server in, or has no such image"),
    ("REGISTRY_IMAGE_NOT_FOUND", "the registry has no such image"),
    ("IMAGE_NOT_FOUND", "the server does not know the image"),
    ("IMAGE_NOT_ANALYZED", "the image was not analyzed yet, or its analysis failed"),
    ("ANALYSIS_FAILED", "the image could not be analyzed"),
    ("ARCHIVE_INVALID", "what was sent is not an analysis archive"),
    ("BUNDLE_INVALID", "the bundle of policies has an error"),
    ("NO_VULNERABILITY_DATA", "the server was started without a vulnerability database"),
];
