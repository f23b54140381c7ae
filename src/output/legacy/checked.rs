//! The answer to "does the image pass": `[{DIGEST: {TAG: [{detail, last_evaluation, status}]}}]`.
//! Digest and tag are whatever stands there first.

use serde_json::{Map, Value};

/// Said where there is no list of findings to be read.
pub const NO_ROWS: &str = "Error parsing scan report";

/// One image's evaluation in the answer.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    evaluation: &'a Map<String, Value>,
}

impl<'a> Checked<'a> {
    pub fn read(answer: &'a Value) -> Option<Checked<'a>> {
        let by_tag = answer.get(0)?.as_object()?.values().next()?.as_object()?;
        let evaluation = by_tag.values().next()?.get(0)?.as_object()?;
        Some(Checked { evaluation })
    }

    /// `pass`, `fail`, or what else a backend says. Only `pass` is a pass.
    pub fn status(self) -> Option<&'a str> {
        self.text("status")
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.evaluation.get(key)?.as_str()
    }

    /// Header, rows and final action of the policy's result.
    fn result(self) -> Option<&'a Value> {
        let result = self.evaluation.get("detail")?.get("result")?;
        let id = result.get("image_id")?.as_str()?;
        result.get("result")?.get(id)?.get("result")
    }

    /// When, what, and whether it passes.
    pub fn summary(self) -> Option<Vec<String>> {
        let action = self.result()?.get("final_action")?.as_str()?;
        Some(vec![
            String::new(),
            format!("Last Evaluation: {}", self.text("last_evaluation").unwrap_or_default()),
            format!("Final action:    {action}"),
            format!("Status:          {}", self.status().unwrap_or_default()),
            String::new(),
            "Evaluation results".to_owned(),
        ])
    }

    /// ` - warn dockerfile:instruction …`, a line for each finding.
    pub fn findings(self) -> Option<Vec<String>> {
        let result = self.result()?;
        let header = result.get("header")?.as_array()?;
        let column = |name: &str| header.iter().position(|it| it.as_str() == Some(name));
        let columns =
            [column("Gate_Action")?, column("Gate")?, column("Trigger")?, column("Check_Output")?];
        let line = |row: &Value| {
            let [action, gate, trigger, output] = columns.map(|at| row.get(at)?.as_str());
            Some(format!(" - {} {}:{} {}", action?, gate?, trigger?, output?))
        };
        result.get("rows")?.as_array()?.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Value {
        let header = ["Image_Id", "Gate", "Trigger", "Check_Output", "Gate_Action"];
        json!([{"sha256:d": {"docker.io/a:1": [{
            "last_evaluation": "2020-02-25T12:30:22Z",
            "status": "fail",
            "policyId": "default",
            "detail": {"result": {"image_id": "id", "result": {"id": {"result": {
                "header": header,
                "rows": [
                    ["id", "dockerfile", "instruction", "no USER", "warn"],
                    ["id", "vulnerabilities", "package", "HIGH in x", "stop"],
                ],
                "row_count": 2,
                "final_action": "stop",
            }}, "policy_data": []}}},
        }]}}])
    }

    #[test]
    fn it_is_shown_line_by_line() {
        let answer = answer();
        let checked = Checked::read(&answer).unwrap();
        assert_eq!(checked.status(), Some("fail"));
        let expected = [
            "",
            "Last Evaluation: 2020-02-25T12:30:22Z",
            "Final action:    stop",
            "Status:          fail",
            "",
            "Evaluation results",
        ];
        assert_eq!(checked.summary().unwrap(), expected);
        let expected =
            [" - warn dockerfile:instruction no USER", " - stop vulnerabilities:package HIGH in x"];
        assert_eq!(checked.findings().unwrap(), expected);
    }

    #[test]
    fn an_answer_without_rows_still_has_a_status() {
        let answer = json!([{"d": {"t": [{"status": "pass", "detail": {}}]}}]);
        let checked = Checked::read(&answer).unwrap();
        assert_eq!(checked.status(), Some("pass"));
        assert_eq!((checked.summary(), checked.findings()), (None, None));
    }

    #[test]
    fn whatever_else_comes_is_no_answer() {
        for odd in ["[]", "{}", "null", "[{}]", "[{\"d\": {}}]", "[{\"d\": {\"t\": []}}]", "[[1]]"]
        {
            let odd: Value = serde_json::from_str(odd).unwrap();
            assert!(Checked::read(&odd).is_none(), "{odd}");
        }
    }
}
