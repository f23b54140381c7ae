//! What a backend says of an image: its verdict, and why.

use jiff::Timestamp;
use serde_json::Value;

use super::{Backend, Error, Reason};
use inscan_net::Method;

/// The backend's word on an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
}

/// An evaluation of one image under one name.
#[derive(Clone, Debug)]
pub struct Check {
    pub verdict: Verdict,
    pub last_evaluation: Option<String>,
    pub policy_id: Option<String>,
    /// The whole answer, as it came.
    pub raw: Value,
    digest: String,
    full_tag: String,
}

/// One finding of an evaluation, with its columns by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub gate: String,
    pub trigger: String,
    /// `stop`, `warn` or `go`.
    pub action: String,
    pub message: String,
    pub whitelisted: bool,
}

impl Backend {
    pub(super) fn check_once(&self, digest: &str, full_tag: &str) -> Result<Option<Check>, Error> {
        let mut url = self.anchore(&format!("images/{digest}/check"));
        url.query_pairs_mut().append_pair("tag", full_tag).append_pair("detail", "true");
        let what = "the evaluation of the image";
        let bytes = match self.answer(self.request(Method::GET, &url, None), what) {
            Err(error) if error.reason == Reason::Status(404) => return Ok(None),
            other => other?,
        };
        let raw: Value = serde_json::from_slice(&bytes)
            .map_err(|error| self.nonsense(what, &error.to_string()))?;
        match read(&raw, digest, full_tag) {
            Ok(found) => Ok(found.map(|found| Check {
                raw,
                digest: digest.to_owned(),
                full_tag: full_tag.to_owned(),
                ..found
            })),
            Err(Wrong::Form(why)) => Err(self.nonsense(what, why)),
            Err(Wrong::Status(status)) => {
                let status: String = status.chars().take(40).collect();
                let why = format!("it is `{status}`, which is neither pass nor fail");
                Err(self.told(Reason::NoVerdict, what, &why))
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Wrong {
    Form(&'static str),
    Status(String),
}

/// `[{DIGEST: {TAG: [{status, …}]}}]`, of exactly the image that was asked for. `None`: there is
/// no evaluation in it.
fn read(raw: &Value, digest: &str, full_tag: &str) -> Result<Option<Check>, Wrong> {
    let list = raw.as_array().ok_or(Wrong::Form("it is no list"))?;
    let Some(first) = list.first() else { return Ok(None) };
    let of_digest = first.get(digest).ok_or(Wrong::Form("it is about another image"))?;
    let of_tag = of_digest.get(full_tag).ok_or(Wrong::Form("it is about another name"))?;
    let evaluations = of_tag.as_array().ok_or(Wrong::Form("it has no list of evaluations"))?;
    let Some(evaluation) = newest(evaluations) else { return Ok(None) };
    let text = |key: &str| evaluation[key].as_str().map(str::to_owned);
    let status = text("status").ok_or(Wrong::Form("the evaluation has no status"))?;
    let verdict = match status.as_str() {
        "pass" => Verdict::Pass,
        "fail" => Verdict::Fail,
        _ => return Err(Wrong::Status(status)),
    };
    Ok(Some(Check {
        verdict,
        last_evaluation: text("last_evaluation"),
        policy_id: text("policyId"),
        raw: Value::Null,
        digest: String::new(),
        full_tag: String::new(),
    }))
}

/// The evaluation that was made last: a backend with history lists older ones as well, in
/// no order that is promised. Of those that tell no time the first.
fn newest(evaluations: &[Value]) -> Option<&Value> {
    let time = |evaluation: &Value| {
        let text = evaluation["last_evaluation"].as_str()?;
        text.parse::<Timestamp>().ok()
    };
    // Of equal ones the last would win.
    evaluations.iter().rev().max_by_key(|evaluation| time(evaluation))
}

impl Check {
    /// `detail` of the evaluation: `policy` and `result`.
    pub fn detail(&self) -> &Value {
        let evaluations = self.raw[0][&self.digest][&self.full_tag].as_array();
        let newest = evaluations.and_then(|evaluations| newest(evaluations));
        newest.map_or(&Value::Null, |evaluation| &evaluation["detail"])
    }

    /// What was decided, where it is told: `stop`, `warn` or `go`.
    pub fn final_action(&self) -> Option<&str> {
        self.detail()["result"]["final_action"].as_str()
    }

    /// The findings; `None` where the answer has none that can be read.
    pub fn rows(&self) -> Option<Vec<Row>> {
        let results = self.detail()["result"]["result"].as_object()?;
        let result = &results.values().next()?["result"];
        let header: Vec<&str> =
            result["header"].as_array()?.iter().map_while(Value::as_str).collect();
        let column = |name: &str| header.iter().position(|column| *column == name);
        let [gate, trigger, action, message] =
            ["Gate", "Trigger", "Gate_Action", "Check_Output"].map(column);
        let whitelisted = column("Whitelisted");
        let row = |row: &Value| {
            let text = |at: Option<usize>| {
                at.and_then(|at| row.get(at)?.as_str()).unwrap_or_default().to_owned()
            };
            Row {
                gate: text(gate),
                trigger: text(trigger),
                action: text(action),
                message: text(message),
                whitelisted: whitelisted.and_then(|at| row.get(at)).is_some_and(is_whitelisted),
            }
        };
        Some(result["rows"].as_array()?.iter().map(row).collect())
    }
}

/// `false`, `none` in older ones, or the whitelist that has it.
fn is_whitelisted(value: &Value) -> bool {
    match value {
        Value::Bool(set) => *set,
        Value::String(text) => !matches!(text.as_str(), "none" | "false" | ""),
        Value::Object(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_evaluation_of_the_image_is_a_verdict() {
        let check = |raw: Value| read(&raw, "sha256:1", "a:1").map(|it| it.map(|it| it.verdict));
        let of = |status: &str| json!([{"sha256:1": {"a:1": [{"status": status}]}}]);
        assert_eq!(check(of("pass")), Ok(Some(Verdict::Pass)));
        assert_eq!(check(of("fail")), Ok(Some(Verdict::Fail)));
        for status in ["", "PASS", "accepted"] {
            assert_eq!(check(of(status)), Err(Wrong::Status(status.to_owned())));
        }
        assert_eq!(check(json!([])), Ok(None));
        assert_eq!(check(json!([{"sha256:1": {"a:1": []}}])), Ok(None));
        for wrong in [
            json!({}),
            json!([{"sha256:2": {"a:1": [{"status": "pass"}]}}]),
            json!([{"sha256:1": {"b:1": [{"status": "pass"}]}}]),
            json!([{"sha256:1": {"a:1": [{}]}}]),
            json!([{"sha256:1": {"a:1": {"status": "pass"}}}]),
        ] {
            assert!(matches!(check(wrong.clone()), Err(Wrong::Form(_))), "{wrong}");
        }
    }

    #[test]
    fn of_several_evaluations_the_newest_counts() {
        let of = |status: &str, day: &str| {
            json!({"status": status, "last_evaluation": format!("2026-11-{day}T00:00:00Z"),
                   "detail": {"result": {"final_action": status}}})
        };
        for all in [[of("pass", "01"), of("fail", "02")], [of("fail", "02"), of("pass", "01")]] {
            let raw = json!([{"d": {"t": all}}]);
            let mut check = read(&raw, "d", "t").unwrap().unwrap();
            (check.raw, check.digest, check.full_tag) = (raw, "d".into(), "t".into());
            assert_eq!(check.verdict, Verdict::Fail);
            assert_eq!(check.final_action(), Some("fail"));
        }
    }

    #[test]
    fn findings_are_read_by_the_names_of_their_columns() {
        let result = json!({"header": ["Image_Id", "Trigger", "Gate", "Check_Output", "Gate_Action", "Whitelisted"],
            "rows": [["i", "t", "g", "m", "stop", false], ["i", "t", "g", "m", "go", {"whitelist_id": "w"}], []]});
        let raw = json!([{"d": {"t": [{"detail": {"result": {"final_action": "stop", "result": {"i": {"result": result}}}}}]}}]);
        let check = Check {
            verdict: Verdict::Fail,
            last_evaluation: None,
            policy_id: None,
            raw,
            digest: "d".into(),
            full_tag: "t".into(),
        };
        let rows = check.rows().unwrap();
        let row = |action: &str, whitelisted| Row {
            gate: "g".into(),
            trigger: "t".into(),
            action: action.into(),
            message: "m".into(),
            whitelisted,
        };
        assert_eq!(rows, [row("stop", false), row("go", true), Row::default()]);
        assert_eq!(check.final_action(), Some("stop"));
    }
}
