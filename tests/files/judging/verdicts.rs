//! The exit codes, and that a document is judged as its image is.

use std::fs;

use serde_json::json;

use super::{DEMO, IMAGE, document, ends, file, inscan, json, printed, run, text};

#[test]
fn a_document_is_judged_as_its_image_is() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let sarif = folder.path().join("gated.sarif");
    let to_sarif = format!("sarif={}", text(&sarif));
    let gated = ["--fail-on", "high", "--only-fixed", "--epss-above", "0.5", "--show-suppressed"];
    let options = [&["-q", "--db", DEMO, "-o", "json", "-o", &to_sarif][..], &gated].concat();
    let scanned = printed(&[&["scan", IMAGE][..], &options].concat(), 1);
    let of_scan = fs::read(&sarif).unwrap();
    assert_eq!(printed(&[&["evaluate", text(&document)][..], &options].concat(), 1), scanned);
    assert!(fs::read(&sarif).unwrap() == of_scan, "the two write another SARIF");
    // The document on standard input.
    let input = fs::File::open(&document).unwrap();
    let arguments = [&["evaluate", "-"][..], &options].concat();
    let output = inscan(&arguments).stdin(input).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), scanned);

    // As its advisories are written, in fixtures/advisories.
    let evaluation: serde_json::Value = serde_json::from_str(&scanned).unwrap();
    let found: Vec<_> = evaluation["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let field = |pointer: &str| it.pointer(pointer).and_then(|it| it.as_str());
            (field("/id"), field("/package/name"), field("/upgrade"), it["fails"] == true)
        })
        .collect();
    let expected = [
        ("CVE-2099-10001", "libexpat1", Some("2.5.0-1+deb12u9"), true),
        ("CVE-2021-44906", "minimist", Some("1.2.6"), true),
        ("CVE-2023-45853", "zlib1g", None, false),
        ("CVE-2024-3651", "idna", Some("3.7"), false),
    ];
    let expected =
        expected.map(|(id, name, upgrade, fails)| (Some(id), Some(name), upgrade, fails));
    assert_eq!(found, expected);
}

#[test]
fn a_gate_decides_between_0_and_1() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let exceptions = file(
        folder.path(),
        "exceptions.yaml",
        "ignore:\n- {id: CVE-2021-44906, reason: not reachable}\n\
         - {id: CVE-2099-10001, reason: fixed next week, expires: 2026-01-09}\n\
         - {package: zlib1g, reason: minizip is not built}\n",
    );
    let expired = file(
        folder.path(),
        "expired.yaml",
        "ignore:\n- {id: CVE-2099-10001, reason: too long ago, expires: 2025-12-31}\n",
    );
    let (exceptions, expired) = (text(&exceptions), text(&expired));
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&[], 0, &[]),
        (&["--fail-on", "critical"], 1, &["the image fails"]),
        (&["--fail-on", "critical", "--only-fixed", "--ignore", exceptions], 0, &[]),
        (&["--fail-on", "high", "--ignore", exceptions], 0, &[]),
        (&["--fail-on", "medium", "--ignore", exceptions], 1, &["the image fails"]),
        (&["--fail-on-kev"], 1, &["exploited"]),
        (&["--fail-on-kev", "--ignore", exceptions], 0, &[]),
        (&["--fail-on-kev", "--ignore", expired], 1, &["exploited", "expired"]),
        (&["--epss-above", "0.7"], 1, &["the image fails"]),
        (&["--epss-above", "0.72"], 0, &[]),
        (&["--on-uncovered", "fail"], 1, &["golang"]),
        (&["--fail-on", "critical", "--baseline", text(&document)], 0, &[]),
        // Of an earlier image, all is new.
        (&["--db-max-age", "30d:fail"], 1, &["old"]),
        (&["--db-max-age", "30d:warn"], 0, &["warning"]),
        (&["--db-max-age", "60d:fail"], 0, &[]),
    ];
    for (gate, code, words) in cases {
        ends(&[&["evaluate", text(&document), "--db", DEMO][..], gate].concat(), *code, words);
        ends(&[&["scan", IMAGE, "--db", DEMO][..], gate].concat(), *code, words);
    }
}

#[test]
fn what_has_to_be_typed_anew_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let document = text(&document);
    let broken = file(folder.path(), "broken.yaml", "ignore: [1,\n");
    let nothing = file(folder.path(), "nothing.json", "{}");
    let cases: &[(&[&str], &[&str])] = &[
        (&["evaluate"], &["DOCUMENT"]),
        (&["evaluate", "/no/such/document"], &["/no/such/document"]),
        (&["evaluate", text(&nothing)], &["nothing.json", "inscan analyze"]),
        (&["evaluate", IMAGE], &["demo.oci.tar"]),
        (&["evaluate", document, "--db", "/no/such.db"], &["`--db`", "/no/such.db"]),
        (&["evaluate", document, "--fail-on", "severe"], &["severe"]),
        (&["evaluate", document, "--epss-above", "70"], &["between 0 and 1"]),
        (&["evaluate", document, "--ignore", text(&broken)], &["broken.yaml"]),
        (&["evaluate", document, "--vex", text(&nothing)], &["nothing.json"]),
        (&["evaluate", document, "--baseline", "/no/such"], &["/no/such"]),
        (&["evaluate", document, "-o", "template"], &["--template"]),
        (&["evaluate", document, "-o", "summary"], &["summary"]),
        (&["explain"], &["ID"]),
        (&["explain", "CVE-2024-1"], &["IMAGE"]),
        (&["explain", "CVE-2024-1", "/no/such/image.tar", "--db", DEMO], &["/no/such/image.tar"]),
        (&["explain", "CVE-2024-1", document, "--db", "/no/such.db"], &["/no/such.db"]),
    ];
    for (arguments, words) in cases {
        let output = run(arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}");
        ends(arguments, 2, words);
    }
}

#[test]
fn what_could_not_be_finished_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let document = text(&document);
    let damaged = file(folder.path(), "damaged.db", &fs::read(DEMO).unwrap()[..20_000]);
    let other = file(folder.path(), "other.db", "no database at all");
    // A gate, and nothing to judge with: never a pass.
    let advice = ["no vulnerability database", "inscan db --help"];
    for gate in [&["--fail-on", "high"][..], &["--fail-on-kev"], &["--on-uncovered", "fail"]] {
        ends(&[&["evaluate", document][..], gate].concat(), 3, &advice);
        ends(&[&["scan", IMAGE][..], gate].concat(), 3, &advice);
    }
    ends(&["explain", "CVE-2024-3651", document], 3, &advice);
    for wrong in [&damaged, &other] {
        for command in [&["evaluate", document][..], &["explain", "CVE-2024-3651", document]] {
            ends(&[command, &["--db", text(wrong)]].concat(), 3, &["inscan db update"]);
        }
    }
    // Without a gate what is known is shown, and what is not is said.
    ends(&["evaluate", document], 0, &["packages are not evaluated"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = inscan(&["evaluate", document, "--db", DEMO]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn an_explanation_is_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    // Affected, suppressed, not there, unknown: each is an answer.
    for id in ["CVE-2024-3651", "cve-2024-3651", "CVE-2099-10002", "CVE-2000-1"] {
        for place in [text(&document), IMAGE] {
            ends(&["explain", id, place, "--db", DEMO, "--fail-on", "low"], 0, &[]);
        }
    }
}

#[test]
fn a_baseline_leaves_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let mut before: serde_json::Value =
        serde_json::from_slice(&fs::read(&document).unwrap()).unwrap();
    let packages = before.pointer_mut("/inscan/packages").unwrap().as_array_mut().unwrap();
    packages.retain(|package| package["name"] != "minimist");
    assert!(packages.len() >= 8, "the document is not what it was");
    let before = file(folder.path(), "before.json", before.to_string());
    let gate = ["--baseline", text(&before), "--fail-on", "high", "-o", "json", "-q"];
    let arguments = [&["evaluate", text(&document), "--db", DEMO][..], &gate].concat();
    let evaluation = json(&arguments, 1);
    let failing: Vec<_> = evaluation["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["fails"] == true)
        .map(|it| &it["id"])
        .collect();
    assert_eq!(failing, [&json!("CVE-2021-44906")]);
}
