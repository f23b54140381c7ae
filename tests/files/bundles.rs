//! `inscan policy …`, and what is generated of it: the page of all gates, and the examples of
//! docs/policies.md.

use std::process::Output;

use inscan_test_support::{DEMO_DAY, Inscan, in_project, root};

const GATES: &str = "docs/policy-gates.md";
const GENERATED: &str = "<!-- generated: UPDATE_DOCS=1 cargo test --test files -->\n";

/// In the project's folder, where paths of the documentation hold.
fn inscan(args: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(args);
    inscan.current_dir(root());
    inscan
}

fn run(args: &[&str]) -> Output {
    inscan(args).output().unwrap()
}

#[track_caller]
fn text(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(args: &[&str], code: i32) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_page_of_gates_is_fresh() {
    let place = in_project(GATES);
    let page = std::fs::read_to_string(&place).unwrap();
    let (before, _) = page.split_once(GENERATED).expect("the page has its mark");
    let gates = text(&["policy", "spec", "-o", "markdown"]);
    let expected = format!("{before}{GENERATED}\n{gates}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&place, &expected).unwrap();
    } else {
        assert!(page == expected, "{GATES} is stale: UPDATE_DOCS=1 cargo test --test files");
    }
}

#[test]
fn one_gate_or_trigger_is_shown_alone() {
    let all: serde_json::Value =
        serde_json::from_str(&text(&["policy", "spec", "-o", "json"])).unwrap();
    assert!(all["gates"].as_array().unwrap().len() > 10);
    let one = text(&["policy", "spec", "Dockerfile.EXPOSED_PORTS"]);
    assert!(one.contains("exposed_ports") && !one.contains("effective_user"), "{one}");
    let error = refused(&["policy", "spec", "dockerfile.ports"], 2);
    assert!(error.contains("no trigger `ports`") && error.contains("exposed_ports"), "{error}");
}

#[test]
fn built_in_bundles_are_listed_and_shown() {
    let list = text(&["policy", "list"]);
    for name in ["default", "nist-800-190", "2c53a13c-1765-11e8-82ef-23527761d060", "sysdig-pci"] {
        assert!(list.contains(name), "{name}: {list}");
    }
    let list: Vec<serde_json::Value> =
        serde_json::from_str(&text(&["policy", "list", "-o", "json"])).unwrap();
    for one in &list {
        let name = one["name"].as_str().unwrap();
        let bundle: serde_json::Value =
            serde_json::from_str(&text(&["policy", "show", name, "-o", "json"])).unwrap();
        assert_eq!(bundle["id"], one["id"], "{name}");
        let table = text(&["policy", "show", name]);
        for rule in bundle["policies"].as_array().unwrap().iter().flat_map(|policy| {
            policy["rules"].as_array().unwrap().iter().map(|rule| rule["trigger"].as_str().unwrap())
        }) {
            assert!(table.contains(rule), "{name}: {rule}");
        }
    }
    let yaml = text(&["policy", "show", "default", "-o", "yaml"]);
    assert!(yaml.contains("        why: "), "{yaml}");
    let error = refused(&["policy", "show", "defualt"], 2);
    assert!(error.contains("no bundle `defualt`") && error.contains("policy list"), "{error}");
}

const IMAGE: &str = "fixtures/images/demo.oci.tar";
/// On a day when the database was young.
const DAY: (&str, &str) = ("SOURCE_DATE_EPOCH", DEMO_DAY);

fn judged(args: &[&str]) -> Output {
    let more = ["--db", "fixtures/vulndb/demo.db", "--no-cache", "--quiet"];
    inscan(args).args(more).env(DAY.0, DAY.1).output().unwrap()
}

#[test]
fn a_bundle_that_is_begun_is_right_and_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let file = file.to_str().unwrap();
    let begun = run(&["policy", "init", file]);
    assert!(begun.status.success(), "{begun:?}");
    assert!(run(&["policy", "check", file]).status.success());
    let error = refused(&["policy", "init", file], 2);
    assert!(error.contains("is there already") && error.contains("--force"), "{error}");
    text(&["policy", "init", file, "--force", "--from", "nist_800-190"]);
    assert!(std::fs::read_to_string(file).unwrap().contains("nist_800-190"));
    assert!(run(&["policy", "check", file]).status.success());
}

#[test]
fn all_that_is_wrong_with_a_bundle_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let bundle = "\
id: b
version: '1_0'
mappings: []
policies:
  - id: p
    version: '1_0'
    rules:
      - {gate: dockerfil, trigger: instruction, action: WARN, params: []}
      - gate: files
        trigger: name_match
        action: STOPP
        params: [{name: regex, value: '('}]
whitelists:
  - id: w
    version: '1_0'
    items: [{gate: always, trigger_id: always, expires_on: 2020-01-31}]
";
    std::fs::write(&file, bundle).unwrap();
    let file = file.to_str().unwrap();
    let error = refused(&["policy", "check", file], 2);
    for part in [
        "has 2 problems",
        "policies[0].rules[0].gate (line 8, column 16): there is no gate `dockerfil`; did you mean `dockerfile`?",
        "policies[0].rules[1].action (line 11, column 17): the action is one of STOP, WARN, GO",
        "policy spec",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    std::fs::write(file, bundle.replace("STOPP", "STOP")).unwrap();
    let error = refused(&["policy", "check", file], 2);
    assert!(error.contains("policies[0].rules[1].params[0].value (line 12"), "{error}");
    // What no mapping uses does not matter to the engine.
    let output = run(&["policy", "check", file, "--tolerant", "-o", "json"]);
    assert!(output.status.success(), "{output:?}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = told["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|one| one["line"] == 8 && one["hint"].is_string()), "{told}");
    assert!(warnings.iter().any(|one| one["message"].as_str().unwrap().contains("has expired")));
}

#[test]
fn the_demo_image_fails_by_the_default_bundle() {
    let output = judged(&["scan", IMAGE, "--policy", "default", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["policy"]["rows"].as_array().unwrap();
    let of = |rule: &str| rows.iter().filter(|row| row["rule"] == rule).count();
    let expected = [("severe-with-fix", 2), ("severe-without-fix", 1), ("runs-as-root", 0)];
    for (rule, rows) in expected {
        assert_eq!(of(rule), rows, "{rule}");
    }
}

#[test]
fn explain_tells_of_a_document_what_it_tells_of_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("demo.json");
    let document = document.to_str().unwrap();
    let made = format!("document={document}");
    assert!(run(&["analyze", IMAGE, "--no-cache", "-q", "-o", &made]).status.success());
    let explain = |place: &str| {
        let output = judged(&["policy", "explain", place, "--policy", "default", "-o", "json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (of_document, of_image) = (explain(document), explain(IMAGE));
    assert_eq!(of_document, of_image);
    assert_eq!(of_image["mappings"][0]["chosen"], true);
    assert_eq!(of_image["result"]["status"], "fail");
    let rules = of_image["policies"][0]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["answer"] == "nothing"), "{rules:#?}");
    let table = judged(&["policy", "explain", document, "--policy", "default"]);
    let table = String::from_utf8(table.stdout).unwrap();
    for part in ["the first that matches; policies: default", "why: ", "no match", "fail, stop"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let error = refused(&["policy", "explain", document], 2);
    assert!(error.contains("policy list"), "{error}");
}

/// In their order, in one folder: what one writes the next reads.
#[test]
fn the_commands_of_the_page_on_policies_do_what_it_says() {
    let page = std::fs::read_to_string(in_project("docs/policies.md")).unwrap();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(commands.len() > 6, "{commands:?}");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(in_project("fixtures"), folder.path().join("fixtures")).unwrap();
    for command in commands {
        let args = command.strip_prefix("inscan ").expect("commands are ours");
        let args: Vec<&str> = args.split_whitespace().collect();
        let run = inscan(&args).current_dir(folder.path()).env(DAY.0, DAY.1).output().unwrap();
        let fails = i32::from(command.starts_with("inscan scan "));
        assert_eq!(run.status.code(), Some(fails), "{command}: {run:?}");
    }
}

#[test]
fn each_report_of_an_image_that_its_policies_fail_says_so() {
    for (format, part) in [
        ("table", "fix: Upgrade the package to the version named"),
        ("markdown", "### ❌ Policy"),
        ("html", "<h2 id=\"policy\">Policy: Default</h2>"),
        ("junit", "<failure type=\"stop\""),
        ("github", "::error title=inscan%3A policy::Policy Default: FAIL"),
        ("anchore", "\"status\": \"fail\""),
    ] {
        let output = judged(&["scan", IMAGE, "--policy", "default", "-o", format]);
        assert_eq!(output.status.code(), Some(1), "{format}: {output:?}");
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(report.contains(part), "{format}: {report}");
    }
}
