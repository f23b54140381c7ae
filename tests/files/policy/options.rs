//! What a user types, and what comes of it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use inscan_test_support::{Inscan, Run, in_project};
use serde_json::{Value, json};

/// A document of the legacy engine's form, of an image without anything in it.
fn document() -> Value {
    json!({"document": [{"image": {"imageId": "1d".repeat(32), "imagedata": {
        "analysis_report": {},
        "image_report": {"docker_data": {
            "RepoTags": ["registry.example/team/app:1"],
            "RepoDigests": [format!("registry.example/team/app@sha256:{}", "d1".repeat(32))]},
            "layers": []}}}}]})
}

fn bundle(action: &str) -> Value {
    let policy = |id: &str, action: &str| {
        json!({"id": id, "version": "1_0", "rules": [
            {"id": "r", "gate": "always", "trigger": "always", "action": action, "params": []}]})
    };
    json!({"id": "b", "version": "1_0", "name": "ours",
        "policies": [policy("p", action), policy("warns", "WARN")],
        "mappings": [{"name": "m", "registry": "registry.example", "repository": "team/*",
            "image": {"type": "tag", "value": "*"}, "policy_ids": ["p"]}]})
}

fn run(bundle: &Value, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, serde_json::to_string_pretty(value).unwrap()).unwrap();
        path
    };
    let (document, bundle) = (write("image.json", &document()), write("bundle.json", bundle));
    let mut command = inscan();
    command.arg(document).arg("--policy").arg(bundle).args(more);
    command.run()
}

fn inscan() -> Inscan {
    let mut inscan = crate::inscan(&["evaluate"]);
    inscan.env("SOURCE_DATE_EPOCH", "1795694400");
    inscan
}

#[test]
fn a_match_that_stops_is_exit_code_1_and_one_that_warns_is_not() {
    for (action, code, verdict) in [
        ("STOP", 1, ": FAIL (1 violation)"),
        ("WARN", 0, ": PASS (1 warning)"),
        ("GO", 0, ": PASS (no violations)"),
    ] {
        let Run { stdout, stderr, code: ended, .. } = run(&bundle(action), &[]);
        assert_eq!(ended, code, "{stderr}");
        assert!(stdout.contains(verdict), "{stdout}");
        assert!(stdout.contains("- Unconditional trigger match"), "{stdout}");
        assert_eq!(stderr.contains("the image fails: 1 policy violation"), code == 1);
    }
}

#[test]
fn name_and_digest_choose_the_mapping_and_default_to_the_documents() {
    for (more, code) in [
        (&["--tag", "registry.example/other/app:1"][..], 0),
        (&["--tag", "registry.example/team/other:1"], 1),
        (&[], 1),
        (&["--policy-id", "warns"], 0),
    ] {
        assert_eq!(run(&bundle("STOP"), more).code, code, "{more:?}");
    }
    let digest = |digest: &str| {
        let mut bundle = bundle("STOP");
        bundle["mappings"][0]["image"] = json!({"type": "digest", "value": digest});
        bundle
    };
    let [own, other] = ["d1", "d2"].map(|byte| format!("sha256:{}", byte.repeat(32)));
    assert_eq!(run(&digest(&own), &[]).code, 1);
    let unasked = run(&digest(&other), &[]);
    assert_eq!(unasked.code, 0);
    assert!(unasked.stderr.contains("no rule was asked of it"), "{}", unasked.stderr);
    assert_eq!(run(&digest(&other), &["--image-digest", &other]).code, 1);
    let unknown = run(&bundle("STOP"), &["--policy-id", "nope"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("has no policy `nope`") && unknown.stderr.contains("p, warns"));
}

#[test]
fn a_bundle_that_cannot_be_used_is_exit_code_2_with_its_places() {
    let mut broken = bundle("stop");
    broken["policies"][1]["rules"][0]["params"] = json!([{"name": "a", "value": 7}]);
    let Run { code, stdout, stderr, .. } = run(&broken, &[]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    for expected in [
        "cannot be used",
        "policies[0].rules[0].action (line ",
        "did you mean `STOP`?",
        "policies[1].rules[0].params[0].value (line ",
        "write `\"7\"`",
    ] {
        assert!(stderr.contains(expected), "{stderr}");
    }
    let mut unknown = bundle("STOP");
    unknown["policies"][1]["rules"][0]["gate"] = json!("alway");
    let tolerant = run(&unknown, &[]);
    assert_eq!(tolerant.code, 1);
    assert!(tolerant.stderr.contains("warning: bundle") && tolerant.stderr.contains("`always`?"));
    assert_eq!(run(&unknown, &["--policy-strict"]).code, 2);
    // The part that is used.
    let used = run(&unknown, &["--policy-id", "warns", "-o", "anchore"]);
    assert_eq!(used.code, 1, "{}", used.stderr);
    assert!(used.stdout.contains("GateNotFoundError"), "{}", used.stdout);
}

#[test]
fn formats_that_tell_of_policies_need_some() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("image.json");
    fs::write(&document, self::document().to_string()).unwrap();
    let mut command = inscan();
    command.arg(document).args(["-o", "sysdig"]);
    let Run { code, stderr, .. } = command.run();
    assert_eq!(code, 2);
    assert!(stderr.contains("`-o sysdig`") && stderr.contains("--policy BUNDLE"), "{stderr}");
    let response = run(&bundle("STOP"), &["-o", "sysdig"]).stdout;
    let response: Value = serde_json::from_str(&response).unwrap();
    assert_eq!((&response["status"], &response["nStop"]), (&json!("fail"), &json!(1)));
}

#[test]
fn the_json_report_has_the_policies_result_and_holds_against_its_schema() {
    let report = run(&bundle("STOP"), &["-o", "json"]).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let policy = &report["policy"];
    assert_eq!((&policy["status"], &policy["counts"]["stop"]), (&json!("fail"), &json!(1)));
    assert_eq!(policy["rows"][0]["place"], "policies[0].rules[0]");
    let schema = in_project("docs/evaluation.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_bundle_is_read_from_standard_input_and_document_and_bundle_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("image.json");
    fs::write(&document, self::document().to_string()).unwrap();
    let piped = |document: &Path| {
        let mut command = inscan();
        command.arg(document).args(["--policy", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may end before it has read this.
        let _ = child.stdin.take().unwrap().write_all(bundle("STOP").to_string().as_bytes());
        Run::of(&command, child.wait_with_output().unwrap())
    };
    let Run { code, stdout, .. } = piped(&document);
    assert_eq!(code, 1);
    assert!(stdout.contains(": FAIL (1 violation)"), "{stdout}");
    let Run { code, stderr, .. } = piped(Path::new("-"));
    assert_eq!(code, 2);
    assert!(stderr.contains("cannot both be on standard input"), "{stderr}");
}

#[test]
fn questions_about_vulnerabilities_without_a_database_are_exit_code_3() {
    let mut asks = bundle("STOP");
    let rule = json!({"gate": "vulnerabilities", "trigger": "package", "action": "STOP",
        "params": [{"name": "package_type", "value": "all"}]});
    asks["policies"][0]["rules"] = json!([rule, rule]);
    let Run { code, stderr, .. } = run(&asks, &[]);
    assert_eq!(code, 3, "{stderr}");
    let said = stderr.matches("no vulnerability database to evaluate with").count();
    assert_eq!(said, 1, "{stderr}");
    assert!(!stderr.contains("cannot be used"), "{stderr}");
    // Where the image is judged by another policy, nobody asks.
    assert_eq!(run(&asks, &["--policy-id", "warns"]).code, 0);
}
