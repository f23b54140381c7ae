//! The policy evaluation of Sysdig's scanning API: what each policy says, by
//! gate. Its form is in COMPATIBILITY.md.

use serde_json::{Value, json};

use inscan_judge::{Action, Evaluation, PolicyResult, Row};

pub(super) fn render(evaluation: &Evaluation) -> String {
    format!("{:#}\n", response(evaluation))
}

/// The response itself.
pub fn response(evaluation: &Evaluation) -> Value {
    let image = &evaluation.image;
    let rows = || evaluation.rows.iter();
    json!({
        "imageDigest": image.digest,
        "imageId": image.id,
        "status": evaluation.status(),
        "nStop": number(rows(), Action::Stop),
        "nWarn": number(rows(), Action::Warn),
        "at": evaluation.when.as_second(),
        "results": policies(evaluation),
    })
}

fn number<'a>(rows: impl Iterator<Item = &'a Row>, action: Action) -> usize {
    rows.filter(|row| row.action == action).count()
}

/// Each policy once, also where a mapping names it twice.
fn policies(evaluation: &Evaluation) -> Vec<Value> {
    let mut seen: Vec<&str> = Vec::new();
    let mut results = Vec::new();
    for PolicyResult { id, name, .. } in &evaluation.policies {
        if seen.contains(&id.as_str()) {
            continue;
        }
        seen.push(id);
        let rows = || evaluation.rows.iter().filter(|row| row.policy_id == *id);
        results.push(json!({
            "policyId": id,
            "policyName": name,
            "nStop": number(rows(), Action::Stop),
            "nWarn": number(rows(), Action::Warn),
            "gateResults": gates(rows()),
        }));
    }
    results
}

fn gates<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<Value> {
    let mut gates: Vec<(&str, Vec<Value>)> = Vec::new();
    for row in rows {
        let result = json!({"checkOutput": row.message, "gateAction": row.action.shown()});
        match gates.iter_mut().find(|(gate, _)| *gate == row.gate) {
            Some((_, results)) => results.push(result),
            None => gates.push((row.gate, vec![result])),
        }
    }
    gates.into_iter().map(|(_, results)| json!({"ruleResults": results})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn rows_are_counted_by_policy_and_gate() {
        let response: Value = serde_json::from_str(&render(&testing::policy())).unwrap();
        assert_eq!(
            response,
            json!({
                "imageDigest": "sha256:d1", "imageId": "1d", "status": "fail",
                "nStop": 1, "nWarn": 1, "at": 1_795_694_400,
                "results": [{
                    "policyId": "p", "policyName": "policy", "nStop": 1, "nWarn": 1,
                    "gateResults": [
                        {"ruleResults": [
                            {"checkOutput": "root found", "gateAction": "stop"},
                            {"checkOutput": "no check", "gateAction": "warn"}]},
                        {"ruleResults": [
                            {"checkOutput": "Unconditional trigger match", "gateAction": "go"}]}]}]
            })
        );
    }
}
