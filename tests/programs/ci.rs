//! The recipes of `docs/ci` are true: what they type is understood, and what can be run is.

mod commands;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use inscan_test_support::{DATABASE, IMAGE, in_project, need_programs};
use serde_json::Value;

fn recipe(name: &str) -> String {
    let path = in_project("docs/ci").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&recipe(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const YAML: &[&str] = &[
    "github/action.yml",
    "github/workflow.yml",
    "gitlab-ci.yml",
    "azure-pipelines.yml",
    "circleci.yml",
    "tekton.yaml",
    "bitbucket-pipelines.yml",
    "buildspec.yml",
];

#[test]
fn every_recipe_is_in_the_list_and_linked() {
    let root = in_project("docs/ci");
    let mut found = Vec::new();
    for folder in [root.clone(), root.join("github")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.retain(|name| !matches!(name.as_str(), "README.md" | "Jenkinsfile"));
    found.sort();
    let mut listed: Vec<&str> = YAML.to_vec();
    listed.sort();
    assert_eq!(found, listed);
    let readme = recipe("README.md");
    for name in YAML.iter().chain(&["Jenkinsfile"]) {
        assert!(readme.contains(&format!("({name})")), "README.md does not link {name}");
    }
}

#[test]
fn what_the_recipes_type_is_understood() {
    for name in YAML {
        let typed = commands::of_yaml(&yaml(name));
        // The workflow uses the action, and types nothing itself.
        assert_eq!(typed.is_empty(), *name == "github/workflow.yml", "{name}");
        typed.iter().for_each(|words| understood(name, words));
    }
    let typed = commands::of_script(&recipe("Jenkinsfile"));
    assert_eq!(typed.len(), 1);
    understood("Jenkinsfile", &typed[0]);
}

/// Parsed as typed: a flag that is no more, or a format that is called otherwise, fails.
#[track_caller]
fn understood(name: &str, words: &[String]) {
    if words.get(1).is_some_and(|word| word == "legacy") {
        return;
    }
    let parsed = inscan::cli::definition().try_get_matches_from(words);
    assert!(parsed.is_ok(), "{name}: {words:?}: {}", parsed.unwrap_err());
}

#[test]
fn the_actions_inputs_are_those_that_are_used() {
    let action = yaml("github/action.yml");
    let inputs: Vec<&String> = action["inputs"].as_object().unwrap().keys().collect();
    let text = recipe("github/action.yml");
    for input in &inputs {
        assert!(text.contains(&format!("${{{{ inputs.{input} }}}}")), "{input} is not used");
    }
    let steps = yaml("github/workflow.yml")["jobs"]["build"]["steps"].clone();
    let used = steps.as_array().unwrap().iter().find(|step| step["with"].is_object()).unwrap();
    let given: Vec<&String> = used["with"].as_object().unwrap().keys().collect();
    assert_eq!(given, inputs, "the workflow gives what the action takes");
}

/// One run of the action's scripts, on this machine.
struct Job {
    directory: tempfile::TempDir,
}

impl Job {
    fn new() -> Job {
        Job { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The script of a step, with what GitHub's runner sets, and the environment of the step.
    fn step(&self, name: &str, inputs: &BTreeMap<&str, String>) -> (i32, String) {
        let action = yaml("github/action.yml");
        let steps = action["runs"]["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        assert_eq!(step["shell"], "bash");
        let added = fs::read_to_string(self.path("path")).unwrap_or_default();
        let path = format!("{}:{}", added.trim(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            // As the runner starts it.
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c"])
            .arg(step["run"].as_str().unwrap())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.directory.path())
            .env("RUNNER_TEMP", self.directory.path())
            .env("GITHUB_PATH", self.path("path"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"));
        for (variable, value) in step["env"].as_object().unwrap() {
            let input = value.as_str().unwrap();
            let input = input.trim_start_matches("${{ inputs.").trim_end_matches(" }}");
            command.env(variable, &inputs[input]);
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }
}

#[test]
fn the_actions_scripts_fetch_scan_and_report() {
    if !need_programs(&["bash", "curl", "sha256sum"]) {
        return;
    }
    let inscan = crate::BINARY;
    let sum = Command::new("sha256sum").arg(inscan).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap().split(' ').next().unwrap().to_owned();
    let mut inputs = BTreeMap::from([
        ("image", IMAGE.to_owned()),
        ("fail-on", "critical".to_owned()),
        ("inscan-url", format!("file://{inscan}")),
        ("inscan-sha256", "0".repeat(64)),
        // Refused: the database that is in the cache is used.
        ("database-url", "https://localhost:1/vulnerabilities.db".to_owned()),
    ]);
    let job = Job::new();
    let (code, text) = job.step("Fetch inscan", &inputs);
    assert_ne!(code, 0, "a binary of another sum: {text}");
    assert!(!job.path("path").exists());

    inputs.insert("inscan-sha256", sum);
    let (code, text) = job.step("Fetch inscan", &inputs);
    assert_eq!(code, 0, "{text}");

    // Nothing in the cache, and nothing to be had: not judged.
    let (code, text) = job.step("Scan", &inputs);
    assert_eq!(code, 3, "{text}");
    assert!(!job.path("inscan.sarif").exists());

    let database = job.path("inscan/data/inscan/vulnerabilities.db");
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    fs::copy(DATABASE, &database).unwrap();
    // The fixture's data is old, which the recipe does not allow.
    let (code, text) = job.step("Scan", &inputs);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("::error"), "annotations are on standard output: {text}");
    let sarif: Value =
        serde_json::from_slice(&fs::read(job.path("inscan.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(!sarif["runs"][0]["results"].as_array().unwrap().is_empty());
    assert!(fs::read_to_string(job.path("summary")).unwrap().contains("FAIL"));
}

#[test]
fn the_image_is_made_of_a_static_binary_alone() {
    let script = in_project("container/build");
    let run = |arguments: &[&str]| {
        let output = Command::new(&script).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, usage) = run(&[]);
    assert!(code == 2 && usage.contains("container/build BINARY NAME[:TAG]"), "{usage}");
    // The tests' own binary needs a loader, on most machines; what tells it is binutils'.
    let dynamic = cfg!(target_env = "gnu");
    if dynamic && need_programs(&["readelf"]) {
        let (code, error) = run(&[crate::BINARY, "inscan:test"]);
        assert!(code == 2 && error.contains("is not static"), "{error}");
    }
}
