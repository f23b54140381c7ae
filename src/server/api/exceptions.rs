//! Lists of exceptions: vulnerabilities that are accepted, with a reason and an end.

use inscan_store::Tx;
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, text, truth};
use crate::server::model::bundles::{self, Exception, GLOBAL, List};
use crate::server::rights::Does::{Change, Read};
use crate::server::routes::On::Sysdig;
use crate::server::routes::{Method, Route, route};
use crate::server::{clock, ids};

pub(super) const ROUTES: &[Route] = &[
    route(Sysdig, Method::GET, "/vulnexceptions", Read, lists, "Lists the lists of exceptions"),
    route(Sysdig, Method::POST, "/vulnexceptions", Change, add_list, "Adds a list of exceptions"),
    route(Sysdig, Method::GET, "/vulnexceptions/{list}", Read, list, "Shows a list of exceptions"),
    route(
        Sysdig,
        Method::PUT,
        "/vulnexceptions/{list}",
        Change,
        change_list,
        "Renames a list of exceptions",
    ),
    route(
        Sysdig,
        Method::DELETE,
        "/vulnexceptions/{list}",
        Change,
        remove_list,
        "Removes a list of exceptions",
    ),
    route(
        Sysdig,
        Method::POST,
        "/vulnexceptions/{list}/vulnerabilities",
        Change,
        add,
        "Adds an exception",
    ),
    route(
        Sysdig,
        Method::GET,
        "/vulnexceptions/{list}/vulnerabilities/{id}",
        Read,
        one,
        "Shows an exception",
    ),
    route(
        Sysdig,
        Method::PUT,
        "/vulnexceptions/{list}/vulnerabilities/{id}",
        Change,
        change,
        "Changes an exception",
    ),
    route(
        Sysdig,
        Method::DELETE,
        "/vulnexceptions/{list}/vulnerabilities/{id}",
        Change,
        remove,
        "Removes an exception",
    ),
    route(
        Sysdig,
        Method::GET,
        "/whitelists/{list}",
        Read,
        whitelist,
        "Shows a list of exceptions in its older form",
    ),
];

fn found(tx: &Tx<'_>, asked: &Asked) -> Result<List> {
    let id = asked.part("list");
    let list = bundles::lists(tx, asked.account())?.into_iter().find(|list| list.id == id);
    list.ok_or_else(|| Problem::not_found(format!("there is no list of exceptions `{id}`")))
}

fn shown(tx: &Tx<'_>, asked: &Asked, list: &List) -> Result<Json> {
    let items = bundles::exceptions(tx, asked.account(), &list.id)?;
    Ok(list.shown(Some(items.iter().map(Exception::shown).collect())))
}

fn lists(asked: Asked) -> Result<Answer> {
    let all = asked.app.store.read(|tx| Ok::<_, Problem>(bundles::lists(tx, asked.account())?))?;
    Answer::json(all.iter().map(|list| list.shown(None)).collect::<Vec<_>>())
}

fn add_list(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let list = List {
        id: ids::uuid(),
        name: needed(&body, "name")?.to_owned(),
        comment: text(&body, "comment").unwrap_or_default().to_owned(),
    };
    asked.app.store.write(|tx| {
        bundles::save_list(tx, asked.account(), &list.id, &list.name, &list.comment, clock::now())?;
        Ok::<_, Problem>(())
    })?;
    Answer::json(list.shown(Some(Vec::new())))
}

fn list(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| Answer::json(shown(tx, &asked, &found(tx, &asked)?)?))
}

fn change_list(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    asked.app.store.write(|tx| {
        let known = found(tx, &asked)?;
        let list = List {
            name: text(&body, "name").unwrap_or(&known.name).to_owned(),
            comment: text(&body, "comment").unwrap_or(&known.comment).to_owned(),
            ..known
        };
        bundles::save_list(tx, asked.account(), &list.id, &list.name, &list.comment, clock::now())?;
        Answer::json(shown(tx, &asked, &list)?)
    })
}

/// It is taken out of the assignments that name it.
fn remove_list(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let list = found(tx, &asked)?;
        if list.id == GLOBAL {
            return Err(Problem::conflict("the list `global` cannot be deleted"));
        }
        let mut assigned = bundles::assignments(tx, asked.account())?;
        for one in &mut assigned {
            if let Some(ids) = one["whitelist_ids"].as_array_mut() {
                ids.retain(|id| *id != list.id.as_str());
            }
        }
        bundles::set_assignments(tx, asked.account(), &assigned)?;
        bundles::remove_list(tx, asked.account(), &list.id)?;
        Answer::json(list.shown(None))
    })
}

/// The end may be a number of seconds, a number with a fraction, or none.
fn exception(body: &Json, known: Option<Exception>) -> Result<Exception> {
    let known = known.unwrap_or_else(|| Exception {
        id: ids::uuid(),
        gate: "vulnerabilities".to_owned(),
        trigger_id: String::new(),
        notes: None,
        enabled: true,
        expires: None,
    });
    let expires = match body.get("expiration_date") {
        None => known.expires,
        Some(Json::Null) => None,
        Some(value) => {
            let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
            Some(seconds.ok_or_else(|| {
                Problem::bad("`expiration_date` is neither null nor seconds since 1970")
            })?)
        }
    };
    let notes = match body.get("notes") {
        None => known.notes,
        Some(notes) => notes.as_str().map(str::to_owned),
    };
    let trigger_id = text(body, "trigger_id").unwrap_or(&known.trigger_id).to_owned();
    if trigger_id.is_empty() {
        return Err(Problem::bad("`trigger_id` is missing: `CVE-…+*`"));
    }
    let gate = text(body, "gate").unwrap_or(&known.gate).to_owned();
    if gate != "vulnerabilities" {
        return Err(Problem::bad("an exception is for the gate `vulnerabilities`"));
    }
    Ok(Exception {
        gate,
        trigger_id,
        notes,
        enabled: truth(body, "enabled", known.enabled),
        expires,
        ..known
    })
}

fn save(tx: &Tx<'_>, asked: &Asked, list: &List, item: &Exception) -> Result<()> {
    let place = (asked.account(), &*list.id);
    bundles::save_exception(tx, place, item, &asked.actor.username, clock::now())?;
    Ok(())
}

fn add(asked: Asked) -> Result<Answer> {
    let item = exception(&asked.object()?, None)?;
    asked.app.store.write(|tx| {
        let list = found(tx, &asked)?;
        save(tx, &asked, &list, &item)
    })?;
    Answer::json(item.shown())
}

fn known(tx: &Tx<'_>, asked: &Asked) -> Result<(List, Exception)> {
    let list = found(tx, asked)?;
    let id = asked.part("id");
    let item =
        bundles::exceptions(tx, asked.account(), &list.id)?.into_iter().find(|item| item.id == id);
    let item = item
        .ok_or_else(|| Problem::not_found(format!("there is no exception `{id}` in the list")))?;
    Ok((list, item))
}

fn one(asked: Asked) -> Result<Answer> {
    Answer::json(asked.app.store.read(|tx| known(tx, &asked))?.1.shown())
}

fn change(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    asked.app.store.write(|tx| {
        let (list, item) = known(tx, &asked)?;
        let item = exception(&body, Some(item))?;
        save(tx, &asked, &list, &item)?;
        Answer::json(item.shown())
    })
}

fn remove(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let (list, item) = known(tx, &asked)?;
        bundles::remove_exception(tx, asked.account(), &list.id, &item.id)?;
        Answer::json(item.shown())
    })
}

fn whitelist(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| {
        let list = found(tx, &asked)?;
        let items = bundles::exceptions(tx, asked.account(), &list.id)?;
        let items = items
            .iter()
            .map(|item| json!({"id": item.id, "gate": item.gate, "trigger_id": item.trigger_id}));
        Answer::json(
            json!({"id": list.id, "name": list.name, "comment": list.comment, "version": "1_0",
            "items": items.collect::<Vec<_>>()}),
        )
    })
}
