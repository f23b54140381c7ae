//! The one JSON object of `--format JSON` and `--write-json`: one line, whatever the outcome.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// How the scan ended.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Object<'a> {
    #[serde(rename_all = "camelCase")]
    Judged {
        status: &'a str,
        /// The full tag.
        tag: &'a str,
        digest: &'a str,
        /// All lines for people.
        log: &'a str,
        scan_report: &'a Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        vulns_report: Option<&'a Value>,
    },
    Failed {
        status: &'a str,
        error: &'a str,
        log: &'a str,
    },
}

pub fn write(object: &Object<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(object: &Object<'_>) -> String {
        let mut line = Vec::new();
        write(object, &mut line).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn it_is_one_line() {
        let report = json!([{"d": 1}]);
        let vulns = json!({"vulnerabilities": []});
        let judged = Object::Judged {
            status: "pass",
            tag: "docker.io/a:1",
            digest: "sha256:d",
            log: "a\nb\n",
            scan_report: &report,
            vulns_report: Some(&vulns),
        };
        assert_eq!(
            line(&judged),
            "{\"status\":\"pass\",\"tag\":\"docker.io/a:1\",\"digest\":\"sha256:d\",\"log\":\"a\\nb\\n\",\
             \"scanReport\":[{\"d\":1}],\"vulnsReport\":{\"vulnerabilities\":[]}}\n"
        );
        let failed = Object::Failed { status: "error", error: "x", log: "" };
        assert_eq!(line(&failed), "{\"status\":\"error\",\"error\":\"x\",\"log\":\"\"}\n");
    }
}
