//! The legacy part of the document beside real output of the legacy engine.
//!
//! Differences that are meant are listed in COMPATIBILITY.md, and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use inscan_test_support::in_project;
use inscan_test_support::oracle::{bytes_or_gz, matches, oracle, parsed};
use serde_json::Value;

/// One line of the table in COMPATIBILITY.md, for one of its cases.
struct Meant {
    case: String,
    what: String,
}

/// As many as there are cores on the smallest machines that build this.
const AT_A_TIME: usize = 2;

#[test]
fn the_legacy_part_equals_the_engines_but_for_what_is_listed() {
    let Some(oracle) = oracle() else { return };
    let mut cases = cases(&oracle);
    // It needs clamd with the engine's own signatures: `tests/programs/malware` has clamd with ours.
    cases.retain(|case| name(case) != "malware");
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = outcome(&oracle, case);
                    outcomes.lock().unwrap().push((name(case), outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by(|one, other| one.0.cmp(&other.0));
    let wrong = judge(&outcomes, &meant());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// What differs, or why the image could not be analyzed.
type Outcome = Result<Vec<Difference>, String>;

fn outcome(oracle: &Path, case: &Path) -> Outcome {
    let ours = analyze(oracle, case)?;
    // Where the engine itself failed there is nothing to compare with.
    Ok(expected(case).map_or_else(Vec::new, |expected| differences(&expected, &ours)))
}

/// Differences that no line of the table allows, and lines that allow none.
fn judge(outcomes: &[(String, Outcome)], meant: &[Meant]) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (case, outcome) in outcomes {
        let differences = match outcome {
            Ok(differences) => differences,
            Err(error) => {
                wrong.push(format!("{case}: {error}"));
                continue;
            }
        };
        for difference in differences {
            let mut lines = meant.iter().enumerate();
            match lines.find(|(_, line)| line.allows(case, &difference.path)) {
                Some((line, _)) => drop(used.insert(line)),
                None => wrong.push(format!("{case}: {difference}")),
            }
        }
    }
    let lines = meant.iter().enumerate().filter(|(number, _)| !used.contains(number));
    wrong.extend(lines.map(|(_, Meant { case, what })| {
        format!("listed, but no longer different: {case} {what}")
    }));
    wrong
}

impl Meant {
    fn allows(&self, case: &str, path: &str) -> bool {
        self.case == case && matches(&self.what, path)
    }
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

fn cases(oracle: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(oracle.join("images")).unwrap();
    let mut cases: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    // Of one real image only the document is in the archive.
    cases.retain(|case| case.join("image.oci.tar").exists());
    assert!(cases.len() >= 60, "only {} images in {}", cases.len(), oracle.display());
    // The largest first, so that nothing waits for it at the end.
    cases.sort_by_cached_key(|case| {
        std::cmp::Reverse(fs::metadata(case.join("image.oci.tar")).unwrap().len())
    });
    cases
}

fn expected(case: &Path) -> Option<Value> {
    let bytes = bytes_or_gz(&case.join("analysis.json"))?;
    Some(image(serde_json::from_slice(&bytes).unwrap()))
}

/// Runs the binary with the options of the case.
fn analyze(oracle: &Path, case: &Path) -> Result<Value, String> {
    let told: Value = serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).unwrap();
    let config = told["analyzer_config"].as_str().unwrap_or("default");
    let (config, hints) = match config.split_once(" + ") {
        Some((config, _)) => (config, true),
        None => (config, false),
    };
    let image = format!("oci-archive:{}", case.join("image.oci.tar").display());
    let mut command = crate::inscan(&["analyze", &image]);
    let output = command.home().join("document.json");
    command.env("INSCAN_NO_CACHE", "true");
    for option in told["options"].as_array().unwrap() {
        let (name, value) = (option[0].as_str().unwrap(), option[1].as_str().unwrap());
        match name {
            "tag" => command.args(["--tag", value]),
            "digest" => command.args(["--image-digest", value]),
            "image-id" => command.args(["--image-id", value]),
            "dockerfile" => command.arg("--dockerfile").arg(case.join(value)),
            // About the archive, not the document.
            _ => &mut command,
        };
    }
    let config = oracle.join("analyzer-config").join(format!("{config}.json"));
    command.arg("--analyzer-config").arg(config);
    if hints {
        command.env("ANCHORE_HINTS_ENABLED", "true");
    }
    command.arg("-o").arg(format!("document={}", output.display()));
    let run = command.output().unwrap();
    if !run.status.success() {
        return Err(format!("{}: {}", run.status, String::from_utf8_lossy(&run.stderr)));
    }
    let bytes = fs::read(&output).map_err(|error| error.to_string())?;
    Ok(self::image(serde_json::from_slice(&bytes).map_err(|error| error.to_string())?))
}

/// The image's data, with the JSON inside its texts parsed.
fn image(mut document: Value) -> Value {
    let image = document["document"][0]["image"].take();
    assert!(image.is_object(), "no image in the document");
    parsed(image)
}

struct Difference {
    path: String,
    expected: Option<Value>,
    ours: Option<Value>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |value: &Option<Value>| match value {
            Some(value) => value.to_string().chars().take(200).collect(),
            None => "nothing".to_owned(),
        };
        write!(f, "{}: expected {}, got {}", self.path, short(&self.expected), short(&self.ours))
    }
}

fn differences(expected: &Value, ours: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(expected, ours, "", &mut found);
    found
}

fn compare(expected: &Value, ours: &Value, path: &str, found: &mut Vec<Difference>) {
    let (Value::Object(left), Value::Object(right)) = (expected, ours) else {
        if expected != ours {
            let (expected, ours) = (Some(expected.clone()), Some(ours.clone()));
            found.push(Difference { path: path.to_owned(), expected, ours });
        }
        return;
    };
    let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    for key in keys {
        // These two are the same in all paths.
        let path = match key.as_str() {
            "imagedata" | "base" => path.to_owned(),
            key if path.is_empty() => key.to_owned(),
            key => format!("{path}/{key}"),
        };
        match (left.get(key), right.get(key)) {
            (Some(left), Some(right)) => compare(left, right, &path, found),
            (left, right) => {
                let (expected, ours) = (left.cloned(), right.cloned());
                found.push(Difference { path, expected, ours });
            }
        }
    }
}

fn meant() -> Vec<Meant> {
    let text = fs::read_to_string(in_project("COMPATIBILITY.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| case |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cells: Vec<_> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
        assert!(cells.len() == 3 && !cells[2].is_empty(), "a line without a reason: {row}");
        let what = cells[1].trim_matches('`').to_owned();
        let meant = move |case: &str| Meant { case: case.to_owned(), what: what.clone() };
        cells[0].split(", ").map(meant).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn the_table_of_differences_gives_a_reason_for_each() {
    assert!(!meant().is_empty());
    assert!(matches("a/*//q*", "a/b/c//q/x") && !matches("a/*//q", "a/b//q/x"));
}

#[test]
fn what_is_not_listed_and_what_no_longer_differs_is_wrong() {
    let difference = |path: &str| Difference { path: path.into(), expected: None, ours: None };
    let outcomes = [
        ("a".to_owned(), Ok(vec![difference("x/y"), difference("z")])),
        ("b".to_owned(), Err("broken".to_owned())),
    ];
    let line = |case: &str, what: &str| Meant { case: case.into(), what: what.into() };
    let wrong = judge(&outcomes, &[line("a", "x/*"), line("b", "x/*")]);
    assert_eq!(
        wrong,
        [
            "a: z: expected nothing, got nothing",
            "b: broken",
            "listed, but no longer different: b x/*"
        ]
    );
}
