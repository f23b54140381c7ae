//! What happened, and who changed what.

use inscan_store::{Row, values};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::clock;
use crate::server::model::events::{self, Filter};
use crate::server::rights::Does::{Read, System};
use crate::server::routes::On::{Anchore, Root};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::GET, "/events", Read, list, "Lists what happened, newest first"),
    route(Anchore, Method::DELETE, "/events", System, clear, "Forgets what happened"),
    route(Anchore, Method::GET, "/events/{id}", Read, one, "Shows one thing that happened"),
    route(
        Anchore,
        Method::DELETE,
        "/events/{id}",
        System,
        remove,
        "Forgets one thing that happened",
    ),
    route(
        Root,
        Method::GET,
        "/api/inscan/v1/audit",
        System,
        audit,
        "Lists who changed what, newest first",
    ),
];

fn filter(asked: &Asked) -> Result<Filter<'_>> {
    let text = |name: &str| asked.query.get(name).unwrap_or_default();
    let time = |name: &str, usual: i64| match asked.query.get(name) {
        None => Ok(usual),
        Some(text) => clock::parse(text)
            .ok_or_else(|| Problem::bad(format!("`{name}` is no time: 2026-01-31T12:00:00Z"))),
    };
    Ok(Filter {
        level: text("level"),
        kind: text("event_type"),
        resource_kind: text("resource_type"),
        resource: text("resource_id"),
        since: time("since", 0)?,
        before: time("before", i64::MAX)?,
    })
}

fn list(asked: Asked) -> Result<Answer> {
    let page = asked.query.number("page", 1, 1, 1_000_000)?;
    let limit = asked.query.number("limit", 100, 1, 1_000)?;
    let filter = Filter { level: &filter(&asked)?.level.to_lowercase(), ..filter(&asked)? };
    let mut found = asked.app.store.read(|tx| {
        Ok::<_, Problem>(events::list(tx, asked.account(), filter, limit + 1, (page - 1) * limit)?)
    })?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    Answer::json(
        json!({"results": found, "next_page": more, "page": page, "item_count": found.len()}),
    )
}

fn one(asked: Asked) -> Result<Answer> {
    let found = asked
        .app
        .store
        .read(|tx| Ok::<_, Problem>(events::by_id(tx, asked.account(), asked.part("id"))?))?;
    Answer::json(found.ok_or_else(|| Problem::not_found("Event not found"))?)
}

fn clear(asked: Asked) -> Result<Answer> {
    let Filter { level, since, before, .. } = filter(&asked)?;
    asked.app.store.write(|tx| {
        let of = values![asked.account(), level, since, before];
        let rows = tx.rows("SELECT id FROM event WHERE account = $1 AND ($2 = '' OR level = $2) AND made_at >= $3 AND made_at < $4 LIMIT 100000", of)?;
        let ids = rows.into_iter().map(Row::text).collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() {
            return Err(Problem::not_found("No events found"));
        }
        tx.run("DELETE FROM event WHERE account = $1 AND id IN {list:$2}", values![asked.account(), json!(ids).to_string()])?;
        Answer::json(ids)
    })
}

fn remove(asked: Asked) -> Result<Answer> {
    let id = asked.part("id");
    asked.app.store.write(|tx| {
        match tx
            .run("DELETE FROM event WHERE account = $1 AND id = $2", values![asked.account(), id])?
        {
            0 => Err(Problem::not_found("Event not found")),
            _ => Answer::json(json!(id)),
        }
    })
}

fn audit(asked: Asked) -> Result<Answer> {
    let limit = asked.query.number("limit", 100, 1, 1_000)?;
    asked.app.store.read(|tx| {
        let rows = tx.rows(
            "SELECT id, account, username, method, path, status, made_at FROM audit ORDER BY id DESC LIMIT $1",
            values![limit],
        )?;
        let shown = |row: Row| -> Result<Json> {
            let mut fields = row.fields();
            let id = fields.int()?;
            let (account, user) = (fields.text()?, fields.text()?);
            let (method, path, status) = (fields.text()?, fields.text()?, fields.int()?);
            Ok(json!({"id": id, "account": account, "user": user, "method": method, "path": path,
                "status": status, "at": clock::iso_millis(fields.int()?)}))
        };
        Answer::json(json!({"audit": rows.into_iter().map(shown).collect::<Result<Vec<_>>>()?}))
    })
}
