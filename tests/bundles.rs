//! `inscan policy …`, and what is generated of it: the page of all gates, and the examples of
//! docs/policies.md.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const GATES: &str = "docs/policy-gates.md";
const GENERATED: &str = "<!-- generated: UPDATE_DOCS=1 cargo test --test bundles -->\n";

fn inscan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inscan"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INSCAN_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(ROOT)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_DATA_HOME", "/nonexistent")
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    inscan().args(args).output().unwrap()
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
    let place = Path::new(ROOT).join(GATES);
    let page = std::fs::read_to_string(&place).unwrap();
    let (before, _) = page.split_once(GENERATED).expect("the page has its mark");
    let gates = text(&["policy", "spec", "-o", "markdown"]);
    let expected = format!("{before}{GENERATED}\n{gates}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&place, &expected).unwrap();
    } else {
        assert!(page == expected, "{GATES} is stale: UPDATE_DOCS=1 cargo test --test bundles");
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
