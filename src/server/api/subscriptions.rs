//! Subscriptions: what is watched, by tag or by repository.

use inscan_facts::digest::hex;
use inscan_store::{Row, Tx, values};
use md5::{Digest as _, Md5};
use serde_json::{Value as Json, json};

use super::images::Wanted;
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, text, truth};
use crate::server::clock;
use crate::server::model::images::FullTag;
use crate::server::registry;
use crate::server::rights::Does::{Change, Read};
use crate::server::routes::On::Anchore;
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::GET, "/subscriptions", Read, list, "Lists what is watched"),
    route(
        Anchore,
        Method::POST,
        "/subscriptions",
        Change,
        add,
        "Adds a tag or a repository to what is watched",
    ),
    route(
        Anchore,
        Method::GET,
        "/subscriptions/{id}",
        Read,
        one,
        "Shows one thing that is watched",
    ),
    route(
        Anchore,
        Method::PUT,
        "/subscriptions/{id}",
        Change,
        change,
        "Watches something, or no longer",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/subscriptions/{id}",
        Change,
        remove,
        "Removes something from what is watched",
    ),
    route(
        Anchore,
        Method::POST,
        "/repositories",
        Change,
        add_repository,
        "Watches a repository: its tags are added",
    ),
];

const KINDS: [&str; 5] =
    ["policy_eval", "tag_update", "vuln_update", "analysis_update", "repo_update"];

/// Something that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) account: String,
    pub(crate) id: String,
    /// A full tag, or a repository.
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) value: Option<String>,
    pub(crate) active: bool,
}

impl Subscription {
    fn shown(&self) -> Json {
        json!({"subscription_id": self.id, "subscription_key": self.key, "subscription_type": self.kind,
            "subscription_value": self.value, "active": self.active, "userId": self.account})
    }
}

/// As the reference makes it, so that scripts which do so find it.
fn id_of(account: &str, key: &str, kind: &str) -> String {
    hex(&Md5::digest(format!("{account}+{key}+{kind}")))
}

const SUBSCRIPTION: &str = "SELECT account, id, key, kind, value, active FROM subscription ";

/// Those of a query.
pub(crate) fn read(
    tx: &Tx<'_>,
    rest: &'static str,
    with: &[inscan_store::Value],
) -> Result<Vec<Subscription>> {
    let sql = format!("{SUBSCRIPTION} {rest}");
    let read = |row: Row| {
        let mut fields = row.fields();
        Ok(Subscription {
            account: fields.text()?,
            id: fields.text()?,
            key: fields.text()?,
            kind: fields.text()?,
            value: fields.text_or_none()?,
            active: fields.bool()?,
        })
    };
    tx.rows(&sql, with)?.into_iter().map(read).collect()
}

fn save(tx: &Tx<'_>, one: &Subscription) -> Result<()> {
    tx.run(
        "INSERT INTO subscription (account, id, key, kind, value, active, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (account, id) DO UPDATE SET \
         value = excluded.value, active = excluded.active, updated_at = excluded.updated_at",
        values![
            &one.account,
            &one.id,
            &one.key,
            &one.kind,
            one.value.as_deref(),
            one.active,
            clock::now()
        ],
    )?;
    Ok(())
}

fn new(account: &str, key: &str, kind: &str, value: Option<String>, active: bool) -> Subscription {
    Subscription {
        account: account.to_owned(),
        id: id_of(account, key, kind),
        key: key.to_owned(),
        kind: kind.to_owned(),
        value,
        active,
    }
}

/// What a tag that is added here gets: all four, none of them active but the one that was asked for.
pub(super) fn of_new_tag(
    tx: &Tx<'_>,
    account: &str,
    fulltag: &str,
    autosubscribe: bool,
) -> Result<()> {
    for kind in KINDS.into_iter().take(4) {
        let one = new(account, fulltag, kind, None, autosubscribe && kind == "tag_update");
        if found(tx, account, &one.id).is_err() || one.active {
            save(tx, &one)?;
        }
    }
    Ok(())
}

fn found(tx: &Tx<'_>, account: &str, id: &str) -> Result<Subscription> {
    let found =
        read(tx, "WHERE account = $1 AND id = $2", values![account, id])?.into_iter().next();
    found.ok_or_else(|| Problem::not_found("subscription not found in DB"))
}

fn list(asked: Asked) -> Result<Answer> {
    let text = |name: &str| asked.query.get(name).unwrap_or_default();
    let all = asked.app.store.read(|tx| {
        read(
            tx,
            "WHERE account = $1 AND ($2 = '' OR key = $2) AND ($3 = '' OR kind = $3) ORDER BY created_at, id",
            values![asked.account(), text("subscription_key"), text("subscription_type")],
        )
    })?;
    Answer::json(all.iter().map(Subscription::shown).collect::<Vec<_>>())
}

fn add(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let (key, kind) = (needed(&body, "subscription_key")?, needed(&body, "subscription_type")?);
    if !KINDS.contains(&kind) {
        return Err(Problem::bad(format!(
            "there is no type of subscription `{kind}`: there are {}",
            KINDS.join(", ")
        )));
    }
    let value = text(&body, "subscription_value").map(str::to_owned);
    let one = new(asked.account(), key, kind, value, truth(&body, "active", false));
    asked.app.store.write(|tx| save(tx, &one))?;
    Answer::json(json!([one.shown()]))
}

fn one(asked: Asked) -> Result<Answer> {
    let one = asked.app.store.read(|tx| found(tx, asked.account(), asked.part("id")))?;
    Answer::json(json!([one.shown()]))
}

fn change(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let one = asked.app.store.write(|tx| {
        let known = found(tx, asked.account(), asked.part("id"))?;
        let active = truth(&body, "active", known.active);
        let value =
            text(&body, "subscription_value").map(str::to_owned).or_else(|| known.value.clone());
        let one = Subscription { active, value, ..known };
        save(tx, &one)?;
        Ok::<_, Problem>(one)
    })?;
    Answer::json(json!([one.shown()]))
}

fn remove(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let one = found(tx, asked.account(), asked.part("id"))?;
        tx.run(
            "DELETE FROM subscription WHERE account = $1 AND id = $2",
            values![asked.account(), &one.id],
        )?;
        Answer::json(one.shown())
    })
}

/// The registry is asked first: what is not there is not watched.
fn add_repository(asked: Asked) -> Result<Answer> {
    let repository =
        asked.query.get("repository").ok_or_else(|| Problem::bad("`repository` is missing"))?;
    let lookup = asked.query.get("lookuptag").unwrap_or("latest");
    let autosubscribe = asked.query.flag("autosubscribe")?.unwrap_or(false);
    let only_look = asked.query.flag("dryrun")?.unwrap_or(false);
    let name = FullTag::parse(repository);
    let key = format!("{}/{}", name.registry, name.repo);
    let fulltag = format!("{key}:{lookup}");
    registry::resolve(&asked.app, asked.account(), &Wanted { fulltag, ..Wanted::default() })?;
    let tags = registry::tags(&asked.app, asked.account(), &key)?;
    let value = json!({"autosubscribe": autosubscribe, "lookuptag": lookup, "repotags": tags, "tagcount": tags.len()});
    let one = new(asked.account(), &key, "repo_update", Some(value.to_string()), true);
    if !only_look {
        asked.app.store.write(|tx| save(tx, &one))?;
    }
    Answer::json(json!([one.shown()]))
}
