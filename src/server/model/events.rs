//! What happened, for people and for alerts.

use inscan_store::{Millis, Result, Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::{clock, ids};

/// Something that happened to a thing of an account.
#[derive(Clone, Debug)]
pub(crate) struct Event<'a> {
    /// As the reference names it: `user.image.analysis.completed`.
    pub(crate) kind: &'a str,
    /// `info` or `error`.
    pub(crate) level: &'a str,
    /// `image_digest`, `image_tag`, `policy_bundle` …
    pub(crate) resource_kind: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) message: &'a str,
    pub(crate) details: Json,
}

pub(crate) fn add(tx: &Tx<'_>, account: &str, event: &Event<'_>, now: Millis) -> Result<()> {
    tx.run(
        "INSERT INTO event (id, account, kind, level, resource_kind, resource, message, details, made_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        values![
            ids::uuid(),
            account,
            event.kind,
            event.level,
            event.resource_kind,
            event.resource,
            event.message,
            event.details.to_string(),
            now
        ],
    )?;
    Ok(())
}

/// Which events are asked for; empty: any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) level: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) resource_kind: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) since: Millis,
    pub(crate) before: Millis,
}

const EVENT: &str = "SELECT id, kind, level, resource_kind, resource, message, details, account, made_at FROM event ";

/// Newest first.
pub(crate) fn list(
    tx: &Tx<'_>,
    account: &str,
    filter: Filter<'_>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Json>> {
    let sql = format!(
        "{EVENT} WHERE account = $1 AND ($2 = '' OR level = $2) AND ($3 = '' OR kind = $3) \
         AND ($4 = '' OR resource_kind = $4) AND ($5 = '' OR resource = $5) AND made_at >= $6 AND made_at < $7 \
         ORDER BY made_at DESC, id LIMIT $8 OFFSET $9"
    );
    let Filter { level, kind, resource_kind, resource, since, before } = filter;
    let values =
        values![account, level, kind, resource_kind, resource, since, before, limit, offset];
    tx.rows(&sql, values)?.into_iter().map(shown).collect()
}

pub(crate) fn by_id(tx: &Tx<'_>, account: &str, id: &str) -> Result<Option<Json>> {
    let sql = format!("{EVENT} WHERE account = $1 AND id = $2");
    tx.row(&sql, values![account, id])?.map(shown).transpose()
}

fn shown(row: Row) -> Result<Json> {
    let mut fields = row.fields();
    let (id, kind, level) = (fields.text()?, fields.text()?, fields.text()?);
    let (resource_kind, resource) = (fields.text()?, fields.text()?);
    let (message, details) = (fields.text()?, fields.text()?);
    let (account, at) = (fields.text()?, clock::iso_millis(fields.int()?));
    let details: Json = serde_json::from_str(&details).unwrap_or_default();
    Ok(json!({
        "generated_uuid": id,
        "created_at": at,
        "event": {
            "type": kind,
            "level": level,
            "message": message,
            "details": details,
            "timestamp": at,
            "resource": {"user_id": account, "type": resource_kind, "id": resource},
            "source": {"request_id": null, "servicename": "inscan", "hostid": "inscan", "base_url": null},
        }
    }))
}
