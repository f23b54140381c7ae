//! Bundles of policies. Each account has those that Anchore's API is given whole, and one, called
//! `default`, which is put together of policies, assignments and lists of exceptions, as Sysdig's
//! API knows them.

use inscan_judge::builtin;
use inscan_store::{Millis, Result, Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::clock::iso;

/// The bundle that is put together.
pub(crate) const DEFAULT: &str = "default";
/// The list of exceptions that is always there.
pub(crate) const GLOBAL: &str = "global";
/// The policies that an account begins with.
const SEED: &str = "sysdig-default";
/// The bundle that Anchore's own clients expect to find.
const ANCHORE: &str = "anchore-default";

/// A bundle as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    pub(crate) account: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_active: bool,
    pub(crate) source: String,
    /// JSON.
    pub(crate) body: String,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

/// What an account begins with.
pub(crate) fn seed(tx: &Tx<'_>, account: &str, now: Millis) -> Result<()> {
    let document =
        builtin::named(SEED).map(|builtin| builtin.bundle().document).unwrap_or_default();
    for (place, policy) in array(&document, "policies").enumerate() {
        let id = policy["id"].as_str().unwrap_or_default();
        save_policy(
            tx,
            account,
            &Policy {
                id: id.to_owned(),
                name: policy["name"].as_str().unwrap_or(id).to_owned(),
                comment: policy["comment"].as_str().unwrap_or_default().to_owned(),
                is_default: place == 0,
                rules: policy["rules"].clone(),
                created_at: now,
                updated_at: now,
            },
        )?;
    }
    let everything = json!({"id": "default", "name": "default", "registry": "*", "repository": "*",
        "image": {"type": "tag", "value": "*"}, "policy_ids": ["default"], "whitelist_ids": [GLOBAL]});
    set_assignments(tx, account, &[everything])?;
    save_list(tx, account, GLOBAL, "Global", "Exceptions for all images", now)?;
    let bundle = |id: &str, name: &str, is_active, body: String| Bundle {
        account: account.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        is_active,
        source: "local".to_owned(),
        body,
        created_at: now,
        updated_at: now,
    };
    save(tx, &bundle(DEFAULT, "Default policy bundle", true, String::new()))?;
    if let Some(anchore) = builtin::named(ANCHORE) {
        let document = anchore.bundle().document;
        let id = document["id"].as_str().unwrap_or(ANCHORE).to_owned();
        let name = document["name"].as_str().unwrap_or("Default bundle").to_owned();
        save(tx, &bundle(&id, &name, false, document.to_string()))?;
    }
    Ok(())
}

fn array<'a>(object: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    object[name].as_array().into_iter().flatten()
}

const BUNDLE: &str =
    "SELECT account, id, name, active, source, body, created_at, updated_at FROM bundle ";

fn bundle(tx: &Tx<'_>, row: Row, now: Millis) -> Result<Bundle> {
    let mut fields = row.fields();
    let mut bundle = Bundle {
        account: fields.text()?,
        id: fields.text()?,
        name: fields.text()?,
        is_active: fields.bool()?,
        source: fields.text()?,
        body: fields.text()?,
        created_at: fields.int()?,
        updated_at: fields.int()?,
    };
    if bundle.body.is_empty() {
        bundle.body = composed(tx, &bundle, now)?.to_string();
    }
    Ok(bundle)
}

/// Oldest first. Exceptions that have expired at `now` are not in them.
pub(crate) fn all(tx: &Tx<'_>, account: &str, now: Millis) -> Result<Vec<Bundle>> {
    let sql = format!("{BUNDLE} WHERE account = $1 ORDER BY created_at, id");
    tx.rows(&sql, values![account])?.into_iter().map(|row| bundle(tx, row, now)).collect()
}

pub(crate) fn by_id(tx: &Tx<'_>, account: &str, id: &str, now: Millis) -> Result<Option<Bundle>> {
    let sql = format!("{BUNDLE} WHERE account = $1 AND id = $2");
    tx.row(&sql, values![account, id])?.map(|row| bundle(tx, row, now)).transpose()
}

/// The one that images are judged by where none is named.
pub(crate) fn active(tx: &Tx<'_>, account: &str, now: Millis) -> Result<Option<Bundle>> {
    let sql = format!("{BUNDLE} WHERE account = $1 AND active = 1");
    tx.row(&sql, values![account])?.map(|row| bundle(tx, row, now)).transpose()
}

pub(crate) fn save(tx: &Tx<'_>, bundle: &Bundle) -> Result<()> {
    tx.run(
        "INSERT INTO bundle (account, id, name, active, source, body, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account, id) DO UPDATE SET \
         name = excluded.name, active = excluded.active, body = excluded.body, updated_at = excluded.updated_at",
        values![
            &bundle.account, &bundle.id, &bundle.name, bundle.is_active, &bundle.source, &bundle.body,
            bundle.created_at, bundle.updated_at
        ],
    )?;
    Ok(())
}

/// The others are active no longer.
pub(crate) fn activate(tx: &Tx<'_>, account: &str, id: &str, now: Millis) -> Result<()> {
    tx.run(
        "UPDATE bundle SET active = CASE WHEN id = $2 THEN 1 ELSE 0 END, \
         updated_at = CASE WHEN id = $2 THEN $3 ELSE updated_at END WHERE account = $1",
        values![account, id, now],
    )?;
    Ok(())
}

pub(crate) fn remove(tx: &Tx<'_>, account: &str, id: &str) -> Result<()> {
    tx.run("DELETE FROM bundle WHERE account = $1 AND id = $2", values![account, id])?;
    Ok(())
}

/// The bundle of the account's policies, assignments and exceptions.
fn composed(tx: &Tx<'_>, of: &Bundle, now: Millis) -> Result<Json> {
    let policies = policies(tx, &of.account)?;
    let policies: Vec<Json> = policies.iter().map(|policy| {
        json!({"id": policy.id, "name": policy.name, "comment": policy.comment, "version": "1_0", "rules": policy.rules})
    }).collect();
    let mut whitelists = Vec::new();
    for list in lists(tx, &of.account)? {
        let items = exceptions(tx, &of.account, &list.id)?.into_iter();
        let holds = |item: &Exception| {
            item.enabled && item.expires.is_none_or(|expires| expires.saturating_mul(1_000) > now)
        };
        let items = items
            .filter(holds)
            .map(|item| json!({"id": item.id, "gate": item.gate, "trigger_id": item.trigger_id}));
        whitelists.push(
            json!({"id": list.id, "name": list.name, "comment": list.comment, "version": "1_0",
            "items": items.collect::<Vec<_>>()}),
        );
    }
    Ok(json!({
        "id": of.id, "name": of.name, "version": "1_0",
        "comment": "Put together of policies, assignments and exceptions",
        "policies": policies,
        "whitelists": whitelists,
        "mappings": assignments(tx, &of.account)?,
        "whitelisted_images": [],
        "blacklisted_images": [],
    }))
}

/// The record of a bundle, as Anchore's API has it.
pub(crate) fn record(bundle: &Bundle, detail: bool) -> Json {
    let body = match detail {
        true => serde_json::from_str(&bundle.body).unwrap_or_default(),
        false => json!({}),
    };
    json!({
        "active": bundle.is_active,
        "created_at": iso(bundle.created_at),
        "last_updated": iso(bundle.updated_at),
        "name": bundle.name,
        "policyId": bundle.id,
        "policy_source": bundle.source,
        "policybundle": body,
        "policybundlemeta": {},
        "userId": bundle.account,
    })
}

/// A policy of the bundle that is put together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) is_default: bool,
    /// A list of rules, each with an id.
    pub(crate) rules: Json,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

impl Policy {
    /// As Sysdig's API has it.
    pub(crate) fn shown(&self) -> Json {
        json!({
            "id": self.id,
            "name": self.name,
            "comment": self.comment,
            "version": "1_0",
            "isDefault": self.is_default,
            "policyBundleId": DEFAULT,
            "rules": self.rules,
        })
    }
}

pub(crate) fn policies(tx: &Tx<'_>, account: &str) -> Result<Vec<Policy>> {
    let rows = tx.rows(
        "SELECT id, name, comment, is_default, rules, created_at, updated_at FROM policy \
         WHERE account = $1 ORDER BY place, id",
        values![account],
    )?;
    let read = |row: Row| {
        let mut fields = row.fields();
        Ok(Policy {
            id: fields.text()?,
            name: fields.text()?,
            comment: fields.text()?,
            is_default: fields.bool()?,
            rules: serde_json::from_str(&fields.text()?).unwrap_or_default(),
            created_at: fields.int()?,
            updated_at: fields.int()?,
        })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn save_policy(tx: &Tx<'_>, account: &str, policy: &Policy) -> Result<()> {
    tx.run(
        "INSERT INTO policy (account, id, place, name, comment, is_default, rules, created_at, updated_at) \
         VALUES ($1, $2, (SELECT COALESCE(MAX(place), 0) + 1 FROM policy WHERE account = $1), $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (account, id) DO UPDATE SET name = excluded.name, comment = excluded.comment, \
         rules = excluded.rules, updated_at = excluded.updated_at",
        values![
            account, &policy.id, &policy.name, &policy.comment, policy.is_default,
            policy.rules.to_string(), policy.created_at, policy.updated_at
        ],
    )?;
    Ok(())
}

pub(crate) fn remove_policy(tx: &Tx<'_>, account: &str, id: &str) -> Result<bool> {
    let removed =
        tx.run("DELETE FROM policy WHERE account = $1 AND id = $2", values![account, id])?;
    Ok(removed == 1)
}

/// Which policies hold for which images, in their order.
pub(crate) fn assignments(tx: &Tx<'_>, account: &str) -> Result<Vec<Json>> {
    let rows =
        tx.rows("SELECT body FROM assignment WHERE account = $1 ORDER BY place", values![account])?;
    rows.into_iter().map(|row| Ok(serde_json::from_str(&row.text()?).unwrap_or_default())).collect()
}

pub(crate) fn set_assignments(tx: &Tx<'_>, account: &str, all: &[Json]) -> Result<()> {
    tx.run("DELETE FROM assignment WHERE account = $1", values![account])?;
    for (place, body) in all.iter().enumerate() {
        tx.run(
            "INSERT INTO assignment (account, place, body) VALUES ($1, $2, $3)",
            values![account, i64::try_from(place).unwrap_or(i64::MAX), body.to_string()],
        )?;
    }
    Ok(())
}

/// A list of exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) comment: String,
}

impl List {
    /// As Sysdig's API has it: a listing leaves the items out.
    pub(crate) fn shown(&self, items: Option<Vec<Json>>) -> Json {
        json!({"id": self.id, "name": self.name, "comment": self.comment, "version": "1_0",
            "policyBundleId": DEFAULT, "items": items})
    }
}

pub(crate) fn lists(tx: &Tx<'_>, account: &str) -> Result<Vec<List>> {
    let rows = tx.rows(
        "SELECT id, name, comment FROM exception_list WHERE account = $1 ORDER BY created_at, id",
        values![account],
    )?;
    let read = |row: Row| {
        let mut fields = row.fields();
        Ok(List { id: fields.text()?, name: fields.text()?, comment: fields.text()? })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn save_list(
    tx: &Tx<'_>,
    account: &str,
    id: &str,
    name: &str,
    comment: &str,
    now: Millis,
) -> Result<()> {
    tx.run(
        "INSERT INTO exception_list (account, id, name, comment, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (account, id) DO UPDATE SET \
         name = excluded.name, comment = excluded.comment, updated_at = excluded.updated_at",
        values![account, id, name, comment, now],
    )?;
    Ok(())
}

pub(crate) fn remove_list(tx: &Tx<'_>, account: &str, id: &str) -> Result<()> {
    tx.run("DELETE FROM exception WHERE account = $1 AND list = $2", values![account, id])?;
    tx.run("DELETE FROM exception_list WHERE account = $1 AND id = $2", values![account, id])?;
    Ok(())
}

/// One exception of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) id: String,
    pub(crate) gate: String,
    /// `CVE-2024-1+*`: a vulnerability and a package.
    pub(crate) trigger_id: String,
    pub(crate) notes: Option<String>,
    pub(crate) enabled: bool,
    /// Seconds since 1970.
    pub(crate) expires: Option<i64>,
}

impl Exception {
    pub(crate) fn shown(&self) -> Json {
        json!({
            "id": self.id,
            "gate": self.gate,
            "trigger_id": self.trigger_id,
            "notes": self.notes,
            "description": self.notes.as_deref().unwrap_or_default(),
            "enabled": self.enabled,
            "expiration_date": self.expires,
        })
    }
}

pub(crate) fn exceptions(tx: &Tx<'_>, account: &str, list: &str) -> Result<Vec<Exception>> {
    let rows = tx.rows(
        "SELECT id, gate, trigger_id, notes, enabled, expires FROM exception \
         WHERE account = $1 AND list = $2 ORDER BY place, id",
        values![account, list],
    )?;
    let read = |row: Row| {
        let mut fields = row.fields();
        Ok(Exception {
            id: fields.text()?,
            gate: fields.text()?,
            trigger_id: fields.text()?,
            notes: fields.text_or_none()?,
            enabled: fields.bool()?,
            expires: fields.int_or_none()?,
        })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn save_exception(
    tx: &Tx<'_>,
    (account, list): (&str, &str),
    item: &Exception,
    author: &str,
    now: Millis,
) -> Result<()> {
    tx.run(
        "INSERT INTO exception (account, list, id, place, gate, trigger_id, notes, enabled, expires, author, \
           created_at, updated_at) \
         VALUES ($1, $2, $3, (SELECT COALESCE(MAX(place), 0) + 1 FROM exception WHERE account = $1 AND list = $2), \
           $4, $5, $6, $7, $8, $9, $10, $10) \
         ON CONFLICT (account, list, id) DO UPDATE SET gate = excluded.gate, trigger_id = excluded.trigger_id, \
           notes = excluded.notes, enabled = excluded.enabled, expires = excluded.expires, \
           author = excluded.author, updated_at = excluded.updated_at",
        values![
            account, list, &item.id, &item.gate, &item.trigger_id, item.notes.as_deref(), item.enabled,
            item.expires, author, now
        ],
    )?;
    Ok(())
}

pub(crate) fn remove_exception(tx: &Tx<'_>, account: &str, list: &str, id: &str) -> Result<bool> {
    let removed = tx.run(
        "DELETE FROM exception WHERE account = $1 AND list = $2 AND id = $3",
        values![account, list, id],
    )?;
    Ok(removed == 1)
}
