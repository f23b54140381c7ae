//! Registries: who the server is to them. A password is kept encrypted, and is in no answer.

use inscan_store::{Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, text};
use crate::server::clock::{self, iso};
use crate::server::registry::{self, Login, sealed_for};
use crate::server::rights::Does::{Change, Read};
use crate::server::routes::On::Anchore;
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::GET, "/registries", Read, list, "Lists the registries"),
    route(
        Anchore,
        Method::POST,
        "/registries",
        Change,
        add,
        "Adds a registry with its credentials",
    ),
    route(Anchore, Method::GET, "/registries/{registry}", Read, one, "Shows a registry"),
    route(Anchore, Method::PUT, "/registries/{registry}", Change, change, "Changes a registry"),
    route(
        Anchore,
        Method::PUT,
        "/registries/registry/{registry}",
        Change,
        change,
        "Changes a registry, as Harbor's adapter asks for it",
    ),
    route(Anchore, Method::DELETE, "/registries/{registry}", Change, remove, "Removes a registry"),
];

const REGISTRY: &str =
    "SELECT account, name, label, kind, username, verify, created_at, updated_at FROM registry ";

fn shown(row: Row) -> Result<Json> {
    let mut fields = row.fields();
    let account = fields.text()?;
    let (name, label, kind, user) =
        (fields.text()?, fields.text()?, fields.text()?, fields.text()?);
    let verify = fields.bool()?;
    Ok(
        json!({"userId": account, "registry": name, "registry_name": label, "registry_type": kind, "registry_user": user,
        "registry_verify": verify, "created_at": iso(fields.int()?), "last_updated": iso(fields.int()?)}),
    )
}

fn found(tx: &Tx<'_>, account: &str, name: &str) -> Result<Json> {
    let sql = format!("{REGISTRY} WHERE account = $1 AND name = $2");
    match tx.row(&sql, values![account, name])? {
        Some(row) => shown(row),
        None => Err(Problem::not_found("registry not found in DB")),
    }
}

fn list(asked: Asked) -> Result<Answer> {
    let sql = format!("{REGISTRY} WHERE account = $1 ORDER BY name");
    asked.app.store.read(|tx| {
        let rows = tx.rows(&sql, values![asked.account()])?;
        Answer::json(rows.into_iter().map(shown).collect::<Result<Vec<_>>>()?)
    })
}

fn one(asked: Asked) -> Result<Answer> {
    let found = asked.app.store.read(|tx| found(tx, asked.account(), asked.part("registry")))?;
    Answer::json(json!([found]))
}

/// What is typed for a registry.
struct Typed {
    name: String,
    label: String,
    kind: String,
    login: Login,
}

fn typed(body: &Json) -> Result<Typed> {
    let name = needed(body, "registry")?;
    if name.contains(['/', ' ', '@', '?', '#']) {
        return Err(Problem::bad(
            "the name of a registry is its host, with a port where it has one: input registry name cannot contain '/' characters",
        ));
    }
    Ok(Typed {
        name: name.to_owned(),
        label: text(body, "registry_name")
            .filter(|label| !label.is_empty())
            .unwrap_or(name)
            .to_owned(),
        kind: text(body, "registry_type").unwrap_or("docker_v2").to_owned(),
        login: Login {
            user: text(body, "registry_user").unwrap_or_default().to_owned(),
            password: text(body, "registry_pass").unwrap_or_default().to_owned(),
            verify: crate::server::asked::truth(body, "registry_verify", true),
        },
    })
}

/// By default the credentials are tried.
fn validated(asked: &Asked, typed: &Typed) -> Result<()> {
    if asked.query.flag("validate")?.unwrap_or(true) {
        registry::check(&asked.app, &typed.name, &typed.login)?;
    }
    Ok(())
}

fn add(asked: Asked) -> Result<Answer> {
    let typed = typed(&asked.object()?)?;
    let exists = || Problem::conflict("registry already exists in DB");
    let is_known = asked
        .app
        .store
        .read(|tx| Ok::<_, Problem>(found(tx, asked.account(), &typed.name).is_ok()))?;
    if is_known {
        return Err(exists());
    }
    validated(&asked, &typed)?;
    let account = asked.account();
    let secret = asked.app.secrets.seal(&sealed_for(account, &typed.name), &typed.login.password);
    asked.app.store.write(|tx| {
        let Typed { name, label, kind, login } = &typed;
        let added = tx.run(
            "INSERT INTO registry (account, name, label, kind, username, secret, verify, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (account, name) DO NOTHING",
            values![account, name, label, kind, &login.user, secret.clone(), login.verify, clock::now()],
        )?;
        match added {
            1 => Answer::json(json!([found(tx, account, name)?])),
            _ => Err(exists()),
        }
    })
}

fn change(asked: Asked) -> Result<Answer> {
    let mut body = asked.object()?;
    let account = asked.account();
    let name = asked.part("registry");
    body["registry"] = name.into();
    asked.app.store.read(|tx| found(tx, account, name))?;
    let typed = typed(&body)?;
    validated(&asked, &typed)?;
    let secret = asked.app.secrets.seal(&sealed_for(account, name), &typed.login.password);
    asked.app.store.write(|tx| {
        let Typed { label, kind, login, .. } = &typed;
        found(tx, account, name)?;
        tx.run(
            "UPDATE registry SET label = $3, kind = $4, username = $5, secret = $6, verify = $7, updated_at = $8 \
             WHERE account = $1 AND name = $2",
            values![account, name, label, kind, &login.user, secret.clone(), login.verify, clock::now()],
        )?;
        Answer::json(json!([found(tx, account, name)?]))
    })
}

fn remove(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let known = found(tx, asked.account(), asked.part("registry"))?;
        tx.run(
            "DELETE FROM registry WHERE account = $1 AND name = $2",
            values![asked.account(), asked.part("registry")],
        )?;
        Answer::json(known)
    })
}
