//! What policies say, in the JSON report and for people.

mod rules;
mod table;

use serde_json::{Map, Value, json};

pub(super) use rules::{fired, message};
pub(super) use table::{More, table};

use super::text::{counted, printable};
use inscan_judge::whitelist::State;
use inscan_judge::{Action, Evaluation, Reason, Row, Whitelisted};

/// The member `policy` of the JSON report: docs/evaluation.schema.json.
pub(super) fn json(evaluation: &Evaluation) -> Value {
    let image = &evaluation.image;
    let policies = evaluation.policies.iter().map(|policy| {
        without_nulls(json!({
            "id": policy.id, "name": policy.name, "action": policy.action.shown(),
        }))
    });
    let problems = evaluation.faults.iter().map(|fault| {
        let messages: Vec<_> = fault.problems.iter().map(ToString::to_string).collect();
        json!({"type": fault.kind.name(), "stops": fault.kind.stops(), "messages": messages})
    });
    let exceptions = evaluation.stale_exceptions.iter().map(|stale| {
        let state = match stale.state {
            State::Expired => "expired",
            State::Unused => "unused",
        };
        without_nulls(json!({
            "state": state,
            "whitelist": stale.whitelist_id,
            "id": stale.item_id,
            "gate": stale.gate,
            "trigger_id": stale.trigger_id,
            "expired": stale.expired.map(|time| time.to_string()),
            "notes": stale.notes,
        }))
    });
    without_nulls(json!({
        "bundle": without_nulls(json!({
            "id": evaluation.bundle_id, "name": evaluation.bundle_name,
        })),
        "image": {"tag": image.tag, "digest": image.digest, "id": image.id},
        "when": evaluation.when.to_string(),
        "status": evaluation.status(),
        "final_action": evaluation.final_action.shown(),
        "reason": evaluation.reason.shown(),
        "policy_action": evaluation.policy_action.shown(),
        "counts": {
            "stop": evaluation.count(Action::Stop),
            "warn": evaluation.count(Action::Warn),
            "go": evaluation.count(Action::Go),
        },
        "policies": policies.collect::<Vec<_>>(),
        "rows": evaluation.rows.iter().map(row).collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
        "exceptions": exceptions.collect::<Vec<_>>(),
        "mapping": evaluation.mapping,
        "whitelisted_image": evaluation.whitelisted_image,
        "blacklisted_image": evaluation.blacklisted_image,
    }))
}

fn row(row: &Row) -> Value {
    let whitelisted = row.whitelisted.as_ref().map(|by| {
        without_nulls(json!({
            "whitelist": by.whitelist_id,
            "name": by.whitelist_name,
            "id": by.item_id,
            "notes": by.notes,
        }))
    });
    without_nulls(json!({
        "action": row.action.shown(),
        "gate": row.gate,
        "trigger": row.trigger,
        "trigger_id": row.trigger_id,
        "message": row.message,
        "policy": row.policy_id,
        "rule": row.rule_id,
        "place": row.place.path,
        "whitelisted": whitelisted,
    }))
}

/// What is not known is absent, as in the rest of the report.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            entries.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// `Policy Default: FAIL (3 violations, 2 warnings)`.
pub(super) fn verdict(evaluation: &Evaluation) -> String {
    let name = evaluation.bundle_name.as_deref().unwrap_or(&evaluation.bundle_id);
    let counts = [(Action::Stop, "violation", "violations"), (Action::Warn, "warning", "warnings")];
    let counts = counts.map(|(action, one, several)| {
        let count = evaluation.count(action);
        (count > 0).then(|| counted(count, one, several))
    });
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    let rows = if counts.is_empty() { "no violations".to_owned() } else { counts.join(", ") };
    let why = match evaluation.reason {
        Reason::Policy if evaluation.mapping.is_none() && evaluation.policies.is_empty() => {
            "no mapping applies to this image".to_owned()
        }
        Reason::Policy => rows,
        Reason::Blacklisted => format!("the bundle blacklists this image; {rows}"),
        Reason::Whitelisted => format!("the bundle whitelists this image; {rows}"),
    };
    let word = if evaluation.passes() { "PASS" } else { "FAIL" };
    printable(&format!("Policy {name}: {word} ({why})"))
}

/// Why a match does not count.
pub(super) fn exception(by: &Whitelisted) -> String {
    let list = by.whitelist_name.as_deref().unwrap_or(&by.whitelist_id);
    let notes = by.notes.as_ref().map(|notes| format!(": {notes}")).unwrap_or_default();
    format!("excepted by the list `{list}`{notes}")
}
