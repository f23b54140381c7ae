//! The check response of Anchore Engine 0.8, with detail: what its API and its
//! clients give for an image. Its form is in COMPATIBILITY.md.

use jiff::Timestamp;
use serde_json::{Value, json};

use inscan_judge::{Evaluation, Row};

pub const HEADER: [&str; 9] = [
    "Image_Id",
    "Repo_Tag",
    "Trigger_Id",
    "Gate",
    "Trigger",
    "Check_Output",
    "Gate_Action",
    "Whitelisted",
    "Policy_Id",
];

/// The engine's first account, which is all that there is here.
const ACCOUNT: &str = "admin";

pub(super) fn render(evaluation: &Evaluation) -> String {
    format!("{:#}\n", response(evaluation))
}

/// The response itself.
pub fn response(evaluation: &Evaluation) -> Value {
    let image = &evaluation.image;
    let check = json!({
        "detail": {"policy": evaluation.document, "result": result(evaluation)},
        "last_evaluation": seconds(evaluation.when),
        "policyId": evaluation.bundle_id,
        "status": evaluation.status(),
    });
    json!([{&image.digest: {&image.tag: [check]}}])
}

fn seconds(when: Timestamp) -> String {
    when.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn result(evaluation: &Evaluation) -> Value {
    let image = &evaluation.image;
    let rule = |rule: &Option<Value>| rule.clone().unwrap_or(Value::Bool(false));
    let problems = evaluation.faults.iter().map(|fault| {
        json!({"details": fault.details, "problem_type": fault.kind.name(), "severity": "error"})
    });
    let rows: Vec<_> = evaluation.rows.iter().map(|one| row(evaluation, one)).collect();
    let table = json!({
        "result": {
            "header": HEADER,
            "row_count": rows.len(),
            "rows": rows,
            "final_action": evaluation.policy_action.shown(),
        }
    });
    json!({
        "bundle": evaluation.document,
        "created_at": evaluation.when.as_second(),
        "last_modified": evaluation.when.as_second(),
        "evaluation_problems": problems.collect::<Vec<_>>(),
        "final_action": evaluation.final_action.shown(),
        "final_action_reason": evaluation.reason.shown(),
        "image_digest": image.digest,
        "image_id": image.id,
        "status": evaluation.status(),
        "tag": image.tag,
        "user_id": ACCOUNT,
        "matched_mapping_rule": rule(&evaluation.mapping),
        "matched_whitelisted_images_rule": rule(&evaluation.whitelisted_image),
        "matched_blacklisted_images_rule": rule(&evaluation.blacklisted_image),
        "result": {
            &image.id: table,
            "policy_data": [],
            "policy_name": "",
            "whitelist_data": [],
            "whitelist_names": [],
        },
    })
}

fn row(evaluation: &Evaluation, row: &Row) -> Value {
    let whitelisted = row.whitelisted.as_ref().map_or(Value::Bool(false), |by| {
        json!({
            "matched_rule_id": by.item_id,
            "whitelist_id": by.whitelist_id,
            "whitelist_name": by.whitelist_name,
        })
    });
    json!([
        evaluation.image.id,
        evaluation.image.tag,
        row.trigger_id,
        row.gate,
        row.trigger,
        row.message,
        row.action.shown(),
        whitelisted,
        row.policy_id,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_response_has_the_engines_form() {
        let response: Value = serde_json::from_str(&render(&testing::policy())).unwrap();
        let check = &response[0]["sha256:d1"]["docker.io/team/app:1"][0];
        assert_eq!(check["status"], "fail");
        assert_eq!(check["last_evaluation"], "2026-11-26T12:00:00Z");
        assert_eq!(check["detail"]["policy"]["id"], "b");
        let result = &check["detail"]["result"];
        let keys: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "bundle",
                "created_at",
                "evaluation_problems",
                "final_action",
                "final_action_reason",
                "image_digest",
                "image_id",
                "last_modified",
                "matched_blacklisted_images_rule",
                "matched_mapping_rule",
                "matched_whitelisted_images_rule",
                "result",
                "status",
                "tag",
                "user_id"
            ]
        );
        assert_eq!(result["matched_blacklisted_images_rule"], false);
        assert_eq!(result["created_at"], 1_795_694_400);
        let table = &result["result"]["1d"]["result"];
        assert_eq!(table["row_count"], 3);
        assert_eq!(
            table["rows"][2],
            json!([
                "1d",
                "docker.io/team/app:1",
                "always",
                "always",
                "always",
                "Unconditional trigger match",
                "go",
                {"matched_rule_id": "i", "whitelist_id": "w", "whitelist_name": "agreed"},
                "p"
            ])
        );
    }
}
