//! One file of exceptions, as a backend has them, for the gate and for a policy.

use serde_json::{Value, json};

use super::{DEMO, document, file, printed, run, text};

/// In seconds: 2026-01-01 and 2027-01-01; the tests' day is 2026-01-02.
const LAST_YEAR_S: i64 = 1_767_225_600;
const NEXT_YEAR_S: i64 = 1_798_761_600;

fn exceptions() -> Value {
    let item = |trigger_id: &str, enabled: bool, expiration_date: Value| {
        json!({"id": format!("vulnexceptionitem_{trigger_id}"), "gate": "vulnerabilities",
            "trigger_id": trigger_id, "notes": "not reachable", "enabled": enabled,
            "expiration_date": expiration_date})
    };
    json!({"id": "vulnexception_1", "name": "ours", "version": "1_0",
    "policyBundleId": "default", "comment": "", "items": [
        item("CVE-2021-44906+*", true, json!(NEXT_YEAR_S)),
        item("CVE-2099-10001+libexpat1", true, json!(LAST_YEAR_S)),
        item("CVE-2000-0001+*", true, Value::Null),
        item("CVE-2023-45853+*", false, Value::Null),
    ]})
}

/// Stops everything that is vulnerable.
fn bundle() -> Value {
    let rule = json!({"id": "r", "gate": "vulnerabilities", "trigger": "package", "action": "STOP",
        "params": [{"name": "package_type", "value": "all"},
            {"name": "severity_comparison", "value": ">="}]});
    json!({"id": "b", "version": "1_0", "name": "ours",
        "policies": [{"id": "p", "version": "1_0", "name": "p", "rules": [rule]}],
        "whitelists": [], "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*",
            "image": {"type": "tag", "value": "*"}, "policy_id": "p", "whitelist_ids": []}]})
}

#[test]
fn one_file_holds_for_the_gate_and_for_a_policy() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let exceptions = file(folder.path(), "exceptions.json", exceptions().to_string());
    let bundle = file(folder.path(), "bundle.json", bundle().to_string());
    let gate = ["evaluate", text(&document), "--db", DEMO, "--ignore", text(&exceptions)];

    let output = run(&[&gate[..], &["-o", "json", "--show-suppressed"]].concat());
    let evaluation: Value = serde_json::from_slice(&output.stdout).unwrap();
    let open = evaluation["findings"].as_array().unwrap().iter();
    let open: Vec<&Value> = open.map(|finding| &finding["id"]).collect();
    assert_eq!(open, ["CVE-2099-10001", "CVE-2023-45853", "CVE-2024-3651"]);
    let suppressed = evaluation["suppressed"].as_array().unwrap().iter();
    let excepted: Vec<&Value> = suppressed.filter(|it| it["by"]["code"] == "ignored").collect();
    let [excepted] = excepted[..] else { panic!("{excepted:?}") };
    assert_eq!(excepted["finding"]["id"], "CVE-2021-44906");
    let by = &excepted["by"];
    assert_eq!((&by["note"], &by["rule"]), (&json!("not reachable"), &json!("CVE-2021-44906")));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("CVE-2099-10001 in libexpat1 expired on 2025-12-31"), "{errors}");
    assert!(errors.contains("CVE-2000-0001 matches no finding"), "{errors}");
    assert!(!errors.contains("CVE-2023-45853"), "{errors}");

    let asked = [&gate[..], &["-q", "--policy", text(&bundle), "-o", "anchore"]].concat();
    let response: Value = serde_json::from_str(&printed(&asked, 1)).unwrap();
    let image = response[0].as_object().unwrap().values().next().unwrap();
    let check = &image.as_object().unwrap().values().next().unwrap()[0];
    let result = &check["detail"]["result"];
    let table = &result["result"].as_object().unwrap().values().find_map(|it| it.get("result"));
    let rows = table.unwrap()["rows"].as_array().unwrap();
    let mut told: Vec<_> = rows.iter().map(|row| format!("{} {}", row[2], row[6])).collect();
    told.sort();
    let expected = [
        r#""CVE-2021-44906+minimist" "go""#,
        r#""CVE-2023-45853+zlib1g" "stop""#,
        r#""CVE-2024-3651+idna" "stop""#,
        r#""CVE-2099-10001+libexpat1" "stop""#,
    ];
    assert_eq!(told, expected);
    let excepted = rows.iter().find(|row| row[6] == "go").unwrap();
    assert_eq!(excepted[7]["whitelist_id"], text(&exceptions));
    assert_eq!(excepted[7]["matched_rule_id"], "CVE-2021-44906");
}
