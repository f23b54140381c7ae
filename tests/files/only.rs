//! `--only`: what is asked for alone is as in the whole analysis, and what was left out is said.

use inscan_test_support::{Inscan, root};
use serde_json::{Value, json};

use crate::inscan;

const IMAGE: &str = "fixtures/images/demo.oci.tar";

fn in_project(arguments: &[&str]) -> Inscan {
    let mut inscan = inscan(arguments);
    inscan.current_dir(root());
    inscan
}

fn analysis(only: &[&str]) -> Value {
    let words = ["analyze", IMAGE, "--no-cache", "--quiet"];
    in_project(&[&words, only].concat()).run().ends(0).json()
}

#[test]
fn a_part_is_as_in_the_whole_analysis() {
    let whole = analysis(&[]);
    let packages = analysis(&["--only", "packages"]);
    let secrets = analysis(&["--only", "secrets"]);
    assert!(whole["inscan"].get("left_out").is_none());
    assert_eq!(packages["inscan"]["left_out"], json!(["secrets", "files"]));
    assert_eq!(secrets["inscan"]["left_out"], json!(["files"]));
    for part in [&packages, &secrets] {
        assert_eq!(part["inscan"]["packages"], whole["inscan"]["packages"]);
        assert_eq!(part["inscan"]["layers"], whole["inscan"]["layers"]);
        assert!(part.get("document").is_none(), "the legacy part is made of all files");
    }
    assert_eq!(secrets["inscan"]["secrets"], whole["inscan"]["secrets"]);
    assert_ne!(whole["inscan"]["secrets"], json!([]));
    assert_eq!(packages["inscan"]["secrets"], json!([]));
    let files = analysis(&["--only", "secrets,files"]);
    assert_eq!(files["document"], whole["document"]);
    assert_eq!(files["inscan"]["files"], whole["inscan"]["files"]);
}

#[test]
fn what_needs_a_part_that_is_left_out_is_refused() {
    let refused = |words: &[&str], reason: &str| {
        let command = [words, &[IMAGE, "--only", "packages", "--no-cache"]].concat();
        in_project(&command).run().ends(2).says(&[reason, "leave `--only` out"]);
    };
    refused(&["scan", "--fail-on-secrets", "high"], "needs the secrets");
    refused(&["scan", "--malware"], "needs the files");
    refused(&["analyze", "--digests", "sha512"], "needs the files");
    refused(&["archive", "-o", "archive=/dev/null"], "an archive needs the secrets");
    refused(&["upload", "--url", "http://127.0.0.1:9"], "an upload needs the secrets");
}

#[test]
fn no_gate_passes_by_what_was_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("packages.json");
    let document = document.to_str().unwrap();
    let output = format!("document={document}");
    in_project(&["analyze", IMAGE, "--only", "packages", "--no-cache", "-o", &output])
        .run()
        .ends(0);
    let secrets = ["evaluate", document, "--fail-on-secrets", "high"];
    in_project(&secrets).run().ends(1).says(&["nobody searched"]);
    let policy = ["evaluate", document, "--db", "fixtures/vulndb/demo.db", "--policy"];
    let bundle = folder.path().join("bundle.json");
    std::fs::write(&bundle, ASKS_FOR_FILES).unwrap();
    let bundle = bundle.to_str().unwrap();
    in_project(&[&policy[..], &[bundle]].concat()).run().ends(2).says(&["`--only` left it out"]);
}

/// Stops on files with the set-user-id bit.
const ASKS_FOR_FILES: &str = r#"{
    "id": "b", "version": "1_0", "name": "b", "whitelists": [], "whitelisted_images": [], "blacklisted_images": [],
    "policies": [{"id": "p", "version": "1_0", "name": "p", "rules": [
        {"id": "r", "gate": "files", "trigger": "suid_or_guid_set", "action": "STOP", "params": []}]}],
    "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*", "policy_ids": ["p"], "whitelist_ids": [],
        "image": {"type": "tag", "value": "*"}}]
}"#;
