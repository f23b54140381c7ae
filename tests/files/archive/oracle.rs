//! Archives of the images that the engine has analyzed, from our own analysis of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use inscan_test_support::oracle::{matches, oracle, parsed};
use inscan_test_support::{Inscan, in_project};
use serde_json::Value;

use super::parts::{inscan, members, told};

/// One line of the table in COMPATIBILITY.md, for one of its cases.
struct Meant {
    case: String,
    what: String,
}

struct Difference {
    path: String,
    told: String,
}

struct Case {
    name: String,
    folder: PathBuf,
    options: Vec<(String, String)>,
    analyzer_config: String,
}

fn cases(oracle: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(oracle.join("images")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        // It needs clamd with the engine's own signatures.
        let usable = folder.join("archive.tgz").exists() && folder.join("image.oci.tar").exists();
        if !usable || name == "malware" {
            continue;
        }
        let case: Value =
            serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let options = case["options"].as_array().unwrap().iter();
        cases.push(Case {
            name,
            options: options.map(|option| (text(&option[0]), text(&option[1]))).collect(),
            analyzer_config: text(&case["analyzer_config"]),
            folder,
        });
    }
    assert!(cases.len() >= 48, "only {} archives in {}", cases.len(), oracle.display());
    cases
}

impl Case {
    /// The options of the case, as ours.
    fn options(&self, command: &mut Command) {
        for (name, value) in &self.options {
            match name.as_str() {
                "tag" => command.args(["--tag", value]),
                "digest" => command.args(["--image-digest", value]),
                "image-id" => command.args(["--image-id", value]),
                "parent-digest" => command.args(["--parent-digest", value]),
                "account-id" => command.args(["--account", value]),
                "annotation" => command.args(["--annotation", value]),
                "created_at" => command.args(["--created-at", value]),
                "dockerfile" => command.arg("--dockerfile").arg(self.folder.join(value)),
                other => panic!("{}: an option {other}", self.name),
            };
        }
    }

    fn made(&self, oracle: &Path) -> Result<Vec<u8>, String> {
        let (config, hints) = match self.analyzer_config.split_once(" + ") {
            Some((config, _)) => (config, true),
            None => (self.analyzer_config.as_str(), false),
        };
        let image = format!("oci-archive:{}", self.folder.join("image.oci.tar").display());
        let mut command = inscan(&["archive", &image]);
        self.options(&mut command);
        command.arg("--analyzer-config");
        command.arg(oracle.join("analyzer-config").join(format!("{config}.json")));
        if hints {
            command.env("ANCHORE_HINTS_ENABLED", "true");
        }
        output(command)
    }
}

fn output(mut command: Inscan) -> Result<Vec<u8>, String> {
    let run = command.output().unwrap();
    match run.status.success() {
        true => Ok(run.stdout),
        false => Err(String::from_utf8_lossy(&run.stderr).into_owned()),
    }
}

fn reference(case: &Case) -> Vec<u8> {
    fs::read(case.folder.join("archive.tgz")).unwrap()
}

#[test]
fn archives_equal_the_engines_but_for_what_is_listed() {
    let Some(oracle) = oracle() else { return };
    let cases = cases(&oracle);
    let meant = meant();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let listed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let differences = match case.made(&oracle) {
                        Ok(made) => differences(&reference(case), &made),
                        Err(error) => vec![difference("", error)],
                    };
                    for Difference { path, told } in differences {
                        let is_meant =
                            |it: &Meant| it.case == case.name && matches(&it.what, &path);
                        if meant.iter().any(is_meant) {
                            listed.fetch_add(1, Ordering::Relaxed);
                        } else {
                            wrong.lock().unwrap().push(format!("{}: {path}: {told}", case.name));
                        }
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    assert!(listed.into_inner() > 0, "the table of differences is read");
    wrong.sort();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Of the members, their order, and their content after parsing.
fn differences(expected: &[u8], ours: &[u8]) -> Vec<Difference> {
    let names =
        |archive: &[u8]| members(archive).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let (expected_names, our_names) = (names(expected), names(ours));
    if expected_names != our_names {
        let told = format!("expected {expected_names:?}, got {our_names:?}");
        return vec![difference("members", told)];
    }
    let (expected, ours) = (told(expected), told(ours));
    let mut found = Vec::new();
    for (name, expected) in &expected {
        compare(expected, &ours[name], name, &mut found);
    }
    found
}

fn compare(expected: &Value, ours: &Value, path: &str, found: &mut Vec<Difference>) {
    // Clocks; what was told on the command line is compared.
    let is_clock = match path.rsplit('/').next().unwrap_or_default() {
        "archived_at" | "analyzed_at" => true,
        "created_at" | "last_updated" | "tag_detected_at" => {
            expected.is_number() && ours.is_number()
        }
        _ => false,
    };
    if is_clock {
        return;
    }
    match (expected, ours) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let path = match key.as_str() {
                    "imagedata" | "base" | "document" | "image" => path.to_owned(),
                    key => format!("{path}/{key}"),
                };
                let none = Value::Null;
                let (left, right) = (left.get(key), right.get(key));
                match (left, right) {
                    (Some(left), Some(right)) => compare(left, right, &path, found),
                    _ => found.push(told_of(&path, left.unwrap_or(&none), right.unwrap_or(&none))),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (left, right) in left.iter().zip(right) {
                compare(left, right, path, found);
            }
        }
        _ if expected == ours => {}
        _ => found.push(told_of(path, expected, ours)),
    }
}

fn difference(path: &str, told: String) -> Difference {
    Difference { path: path.to_owned(), told }
}

fn told_of(path: &str, expected: &Value, ours: &Value) -> Difference {
    let short = |value: &Value| value.to_string().chars().take(160).collect::<String>();
    difference(path, format!("expected {}, got {}", short(expected), short(ours)))
}

/// What differs in the documents, and so in what is derived from them under other names. Nothing
/// differs in archives alone.
fn meant() -> Vec<Meant> {
    let text = fs::read_to_string(in_project("COMPATIBILITY.md")).unwrap();
    let mut meant = Vec::new();
    for (case, what) in rows(&text, "| case | what | why |") {
        let derived = what
            .replace("analysis_report/file_*/*", "image_content/files")
            .replace("analysis_report/file_checksums/files.sha1sums", "analysis/none")
            .replace("analysis_report/package_list/pkgs*", "image_content/*")
            .replace("analysis_report/package_list/pkgs.python", "image_content/python")
            .replace(
                "analysis_report/analyzer_meta/analyzer_meta/*",
                "archive_manifest/metadata/image_record/distro*",
            )
            .replace(
                "analysis_report/analyzer_meta/analyzer_meta/DISTRO",
                "archive_manifest/metadata/image_record/distro",
            )
            .replace(
                "image_report/meta/sizebytes",
                "archive_manifest/metadata/image_record/image_size",
            );
        for what in [format!("analysis/{what}"), derived] {
            meant.push(Meant { case: case.clone(), what });
        }
    }
    meant
}

fn rows(text: &str, head: &str) -> Vec<(String, String)> {
    let rows = text.lines().skip_while(|line| *line != head).skip(2);
    let mut all = Vec::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
        assert!(cells.len() == 3 && !cells[2].is_empty(), "a line without a reason: {row}");
        for case in cells[0].split(", ") {
            all.push((case.to_owned(), cells[1].trim_matches('`').to_owned()));
        }
    }
    all
}

/// The lists of `image_content` are made of the document alone: of the engine's documents come
/// the engine's lists, without any difference.
#[test]
fn of_the_engines_documents_come_the_engines_archives() {
    let Some(oracle) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    for case in cases(&oracle) {
        let archive = reference(&case);
        let document = folder.path().join("analysis.json");
        let analysis = members(&archive).into_iter().find(|(name, _)| name == "analysis").unwrap();
        fs::write(&document, analysis.1).unwrap();
        let mut command = inscan(&["archive", document.to_str().unwrap()]);
        case.options(&mut command);
        let ours = output(command).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let found = differences(&archive, &ours);
        let found: Vec<_> = found.iter().map(|it| format!("{}: {}", it.path, it.told)).collect();
        assert!(found.is_empty(), "{}:\n{}", case.name, found.join("\n"));
    }
}

/// An archive of the engine is evaluated as the document in it is.
#[test]
fn the_engines_archives_are_evaluated() {
    let Some(oracle) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    for case in cases(&oracle) {
        let archive = case.folder.join("archive.tgz");
        let document = folder.path().join("analysis.json");
        let analysis = members(&reference(&case)).swap_remove(0);
        fs::write(&document, analysis.1).unwrap();
        let evaluated = |path: &Path| {
            let path = path.to_str().unwrap();
            output(inscan(&["evaluate", path, "-o", "json", "--quiet"])).unwrap()
        };
        let of_archive = evaluated(&archive);
        assert!(of_archive == evaluated(&document), "{}", case.name);
        let evaluation: Value = serde_json::from_slice(&of_archive).unwrap();
        let digest = &parsed(evaluation)["image"]["digest"];
        let (_, expected) = case.options.iter().find(|(name, _)| name == "digest").unwrap();
        assert_eq!(digest, expected);
    }
}
