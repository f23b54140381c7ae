//! Anchore's accounts and their users.

use inscan_store::{Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, text};
use crate::server::clock::{self, iso};
use crate::server::login::hash_password;
use crate::server::model::bundles;
use crate::server::rights::Does::{Read, System};
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::GET, "/account", Read, mine, "Shows the account of whoever asks"),
    route(
        Sysdig,
        Method::GET,
        "/account",
        Read,
        mine,
        "Shows the account of whoever asks, in Sysdig's place",
    ),
    route(Anchore, Method::GET, "/user", Read, me, "Shows the user who asks"),
    route(Anchore, Method::GET, "/accounts", System, list, "Lists the accounts"),
    route(Anchore, Method::POST, "/accounts", System, add, "Adds an account"),
    route(Anchore, Method::GET, "/accounts/{account}", System, one, "Shows an account"),
    route(
        Anchore,
        Method::DELETE,
        "/accounts/{account}",
        System,
        remove,
        "Removes an account that is disabled, with all its images",
    ),
    route(
        Anchore,
        Method::PUT,
        "/accounts/{account}/state",
        System,
        set_state,
        "Enables or disables an account",
    ),
    route(
        Anchore,
        Method::GET,
        "/accounts/{account}/users",
        System,
        users,
        "Lists the users of an account",
    ),
    route(
        Anchore,
        Method::POST,
        "/accounts/{account}/users",
        System,
        add_user,
        "Adds a user to an account",
    ),
    route(
        Anchore,
        Method::GET,
        "/accounts/{account}/users/{user}",
        System,
        user,
        "Shows a user of an account",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/accounts/{account}/users/{user}",
        System,
        remove_user,
        "Removes a user of an account",
    ),
    route(
        Anchore,
        Method::POST,
        "/accounts/{account}/users/{user}/credentials",
        System,
        set_password,
        "Sets the password of a user",
    ),
];

const ACCOUNT: &str = "SELECT name, email, kind, state, created_at, updated_at FROM account ";

fn account(row: Row) -> Result<Json> {
    let mut fields = row.fields();
    let (name, email, kind, state) =
        (fields.text()?, fields.text_or_none()?, fields.text()?, fields.text()?);
    Ok(
        json!({"name": name, "email": email, "type": kind, "state": state, "created_at": iso(fields.int()?),
        "last_updated": iso(fields.int()?)}),
    )
}

fn found(tx: &Tx<'_>, name: &str) -> Result<Json> {
    let sql = format!("{ACCOUNT} WHERE name = $1");
    match tx.row(&sql, values![name])? {
        Some(row) => account(row),
        None => Err(Problem::not_found(format!("account {name} not found"))),
    }
}

fn mine(asked: Asked) -> Result<Answer> {
    Answer::json(asked.app.store.read(|tx| found(tx, asked.account()))?)
}

const USER: &str = "SELECT username, created_at, updated_at FROM person ";

fn user_shown(row: Row) -> Result<Json> {
    let mut fields = row.fields();
    let name = fields.text()?;
    Ok(json!({"username": name, "type": "native", "source": null, "created_at": iso(fields.int()?),
        "last_updated": iso(fields.int()?)}))
}

fn me(asked: Asked) -> Result<Answer> {
    let sql = format!("{USER} WHERE id = $1");
    asked.app.store.read(|tx| match tx.row(&sql, values![asked.actor.person])? {
        Some(row) => Answer::json(user_shown(row)?),
        None => Err(Problem::not_found("user not found")),
    })
}

fn list(asked: Asked) -> Result<Answer> {
    let state = asked.query.get("state").unwrap_or_default();
    let sql = format!("{ACCOUNT} WHERE ($1 = '' OR state = $1) ORDER BY created_at, name");
    asked.app.store.read(|tx| {
        let rows = tx.rows(&sql, values![state])?;
        Answer::json(rows.into_iter().map(account).collect::<Result<Vec<_>>>()?)
    })
}

fn add(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let name = needed(&body, "name")?;
    let is_plain = name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    if !is_plain {
        return Err(Problem::bad("an account's name has letters, digits and -_.@"));
    }
    asked.app.store.write(|tx| {
        let now = clock::now();
        let added = tx.run(
            "INSERT INTO account (name, email, kind, state, created_at, updated_at) \
             VALUES ($1, $2, 'user', 'enabled', $3, $3) ON CONFLICT (name) DO NOTHING",
            values![name, text(&body, "email"), now],
        )?;
        if added == 0 {
            return Err(Problem::conflict("Account already exists"));
        }
        bundles::seed(tx, name, now)?;
        Answer::json(found(tx, name)?)
    })
}

fn one(asked: Asked) -> Result<Answer> {
    Answer::json(asked.app.store.read(|tx| found(tx, asked.part("account")))?)
}

fn set_state(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let state = needed(&body, "state")?;
    if !["enabled", "disabled"].contains(&state) {
        return Err(Problem::bad("the state of an account is enabled or disabled"));
    }
    asked.app.store.write(|tx| {
        let known = found(tx, asked.part("account"))?;
        if known["type"] == "admin" && state != "enabled" {
            return Err(Problem::conflict("the administrators' account cannot be disabled"));
        }
        tx.run(
            "UPDATE account SET state = $2, updated_at = $3 WHERE name = $1",
            values![asked.part("account"), state, clock::now()],
        )?;
        Answer::json(json!({"state": state}))
    })
}

fn remove(asked: Asked) -> Result<Answer> {
    let name = asked.part("account");
    asked.app.store.write(|tx| {
        if found(tx, name)?["state"] != "disabled" {
            return Err(Problem::conflict("an account has to be disabled before it is removed"));
        }
        for image in crate::server::model::images::all(tx, name)? {
            crate::server::model::images::remove(tx, image.id)?;
        }
        tx.run(
            "DELETE FROM token WHERE person IN (SELECT id FROM person WHERE account = $1)",
            values![name],
        )?;
        tx.run(
            "DELETE FROM membership WHERE person IN (SELECT id FROM person WHERE account = $1)",
            values![name],
        )?;
        for table in [
            "person",
            "bundle",
            "policy",
            "assignment",
            "exception_list",
            "exception",
            "subscription",
            "registry",
            "alert",
            "channel",
            "event",
            "archive_rule",
            "archived",
        ] {
            tx.run(&format!("DELETE FROM {table} WHERE account = $1"), values![name])?;
        }
        tx.run("DELETE FROM account WHERE name = $1", values![name])?;
        Answer::json(json!({"name": name, "state": "deleting"}))
    })
}

fn users(asked: Asked) -> Result<Answer> {
    let sql = format!("{USER} WHERE account = $1 ORDER BY id");
    asked.app.store.read(|tx| {
        found(tx, asked.part("account"))?;
        let rows = tx.rows(&sql, values![asked.part("account")])?;
        Answer::json(rows.into_iter().map(user_shown).collect::<Result<Vec<_>>>()?)
    })
}

fn found_user(tx: &Tx<'_>, asked: &Asked) -> Result<Json> {
    let sql = format!("{USER} WHERE account = $1 AND username = $2");
    match tx.row(&sql, values![asked.part("account"), asked.part("user")])? {
        Some(row) => user_shown(row),
        None => Err(Problem::not_found("User not found")),
    }
}

fn user(asked: Asked) -> Result<Answer> {
    Answer::json(asked.app.store.read(|tx| found_user(tx, &asked))?)
}

fn add_user(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let name = needed(&body, "username")?;
    let password = hash_password(needed(&body, "password")?)?;
    asked.app.store.write(|tx| {
        let account = found(tx, asked.part("account"))?;
        let role = if account["type"] == "admin" { crate::server::rights::ADMIN } else { "account" };
        let added = tx.run(
            "INSERT INTO person (account, username, password, first_name, last_name, role, version, enabled, \
               created_at, updated_at) VALUES ($1, $2, $3, '', '', $4, 1, 1, $5, $5) ON CONFLICT (username) DO NOTHING",
            values![asked.part("account"), name, &password, role, clock::now()],
        )?;
        match added {
            0 => Err(Problem::conflict(format!("User {name} already exists"))),
            _ => {
                let sql = format!("{USER} WHERE username = $1");
                let row = tx.row(&sql, values![name])?;
                Answer::json(row.map(user_shown).transpose()?.unwrap_or_default())
            }
        }
    })
}

fn remove_user(asked: Asked) -> Result<Answer> {
    if asked.part("user") == asked.actor.username {
        return Err(Problem::conflict("nobody removes themselves"));
    }
    asked.app.store.write(|tx| {
        let known = found_user(tx, &asked)?;
        for sql in [
            "DELETE FROM token WHERE person IN (SELECT id FROM person WHERE username = $1)",
            "DELETE FROM membership WHERE person IN (SELECT id FROM person WHERE username = $1)",
            "DELETE FROM person WHERE username = $1",
        ] {
            tx.run(sql, values![asked.part("user")])?;
        }
        Answer::json(known)
    })
}

fn set_password(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    if text(&body, "type").is_some_and(|kind| kind != "password") {
        return Err(Problem::bad("credentials are of the type password"));
    }
    let password = hash_password(needed(&body, "value")?)?;
    asked.app.store.write(|tx| {
        let known = found_user(tx, &asked)?;
        let now = clock::now();
        tx.run(
            "UPDATE person SET password = $2, updated_at = $3 WHERE username = $1",
            values![asked.part("user"), &password, now],
        )?;
        Answer::json(
            json!({"username": known["username"], "type": "password", "created_at": iso(now)}),
        )
    })
}
