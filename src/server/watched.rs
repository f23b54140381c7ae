//! Which images somebody wants to be told of: those of active subscriptions, and those that alerts
//! are about. They are judged as soon as something changes, all others when they are asked for.

use std::collections::BTreeMap;

use inscan_store::{Row, Tx, values};
use serde_json::Value as Json;

use super::answer::Result;
use super::model::images::IS_NEWEST;
use super::work::alert;

/// The newest image of a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Watched {
    pub(crate) account: String,
    pub(crate) fulltag: String,
    pub(crate) image: i64,
    pub(crate) digest: String,
}

const ANALYZED: &str = "SELECT tag.account, tag.fulltag, image.id, image.digest FROM tag \
    JOIN image ON image.id = tag.image WHERE image.analysis IS NOT NULL AND ";

fn read(row: Row) -> Result<Watched> {
    let mut fields = row.fields();
    let (account, fulltag) = (fields.text()?, fields.text()?);
    Ok(Watched { account, fulltag, image: fields.int()?, digest: fields.text()? })
}

/// Those that wait for `policy_eval` or `vuln_update`, each once, in order.
pub(crate) fn images(tx: &Tx<'_>, trigger: &str) -> Result<Vec<Watched>> {
    let sql = format!(
        "{ANALYZED} {IS_NEWEST} AND EXISTS (SELECT 1 FROM subscription WHERE subscription.account = tag.account \
           AND subscription.key = tag.fulltag AND subscription.kind = $1 AND subscription.active = 1)"
    );
    let mut all: Vec<Watched> =
        tx.rows(&sql, values![trigger])?.into_iter().map(read).collect::<Result<_>>()?;
    let mut alerts: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for row in tx.rows("SELECT account, body FROM alert ORDER BY account, id", &[])? {
        let mut fields = row.fields();
        let (account, body) = (fields.text()?, fields.text()?);
        let alert: Json = serde_json::from_str(&body).unwrap_or_default();
        if alert["triggers"][trigger] == true && alert["enabled"] == true {
            alerts.entry(account).or_default().push(alert);
        }
    }
    for (account, alerts) in alerts {
        let sql = format!("{ANALYZED} {IS_NEWEST} AND tag.account = $1");
        for row in tx.rows(&sql, values![&account])? {
            let one = read(row)?;
            if alerts.iter().any(|alert| alert::covers(alert, &one.fulltag)) {
                all.push(one);
            }
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}
