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

/// What is found and what is not, in a form that does not depend on the order of packages.
fn judged(document: &str) -> serde_json::Value {
    let options =
        ["-q", "--db", DEMO, "-o", "json", "--fail-on", "low", "--on-uncovered", "ignore"];
    let output = run(&[&["evaluate", document][..], &options].concat());
    if output.stdout.is_empty() {
        return json!({"exit code": output.status.code()});
    }
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |key: &str| found[key].as_array().unwrap().clone();
    let sorted = |mut all: Vec<serde_json::Value>| {
        all.sort_by_key(ToString::to_string);
        all
    };
    let finding = |it: &serde_json::Value| {
        let package = &it["package"];
        json!([
            it["id"],
            package["name"],
            package["version"],
            package["location"],
            it["severity"],
            it["fails"]
        ])
    };
    let findings = list("findings").iter().map(finding).collect();
    let suppressed = list("suppressed");
    let suppressed = suppressed.iter().map(|it| json!([finding(&it["finding"]), it["by"]["code"]]));
    let uncovered = list("uncovered");
    let uncovered = uncovered
        .iter()
        .map(|it| json!([it["code"], it["message"], it["packages"].as_array().map(Vec::len)]));
    let (suppressed, uncovered) = (suppressed.collect(), uncovered.collect());
    json!({
        "outcome": found["verdict"]["outcome"],
        "not counted": found["verdict"]["not_counted"],
        "findings": sorted(findings),
        "suppressed": sorted(suppressed),
        "uncovered": sorted(uncovered),
    })
}

#[test]
fn an_sbom_is_judged_as_its_document_is() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = inscan_test_support::root().join("fixtures");
    let of_language =
        ["node", "python", "ruby", "rpm", "dpkg", "apk", "lockfiles", "opkg", "pacman"];
    let roots = of_language.iter().map(|name| format!("dir:{}", fixtures.join(name).display()));
    let mut compared = 0;
    for image in [IMAGE.to_owned()].into_iter().chain(roots) {
        let document = folder.path().join("document.json");
        let to_document = format!("document={}", text(&document));
        if run(&["analyze", "-q", &image, "-o", &to_document]).status.code() != Some(0) {
            continue;
        }
        let expected = judged(text(&document));
        for format in ["cyclonedx", "spdx"] {
            let bom = folder.path().join(format!("{format}.json"));
            let to_bom = format!("{format}={}", text(&bom));
            ends(&["evaluate", "-q", text(&document), "--db", DEMO, "-o", &to_bom], 0, &[]);
            assert_eq!(judged(text(&bom)), expected, "{format} of {image}");
            compared += 1;
        }
    }
    assert!(compared >= 4, "{compared}");
}

#[test]
fn an_sbom_in_syfts_form_has_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let whole: serde_json::Value = serde_json::from_slice(&fs::read(&document).unwrap()).unwrap();
    let own = &whole["inscan"];
    let installed =
        |it: &&serde_json::Value| it["evidence"] != "lockfile" && it["evidence"] != "manifest";
    let artifacts = own["packages"].as_array().unwrap().iter().filter(installed).map(|it| {
        let place = format!("/{}", it["location"].as_str().unwrap());
        json!({"name": it["name"], "version": it["version"], "purl": it["purl"], "locations": [{"path": place}]})
    });
    let distribution = &own["distribution"];
    let syft = json!({
        "schema": {"version": "16.0.0"}, "descriptor": {"name": "syft"},
        "distro": {"id": distribution["id"], "versionID": distribution["version"]},
        "source": {"type": "image", "metadata": {"userInput": own["image"]["reference"]}},
        "artifacts": artifacts.collect::<Vec<_>>(),
    });
    let syft = file(folder.path(), "syft.json", syft.to_string());
    let (found, expected) = (judged(text(&syft)), judged(text(&document)));
    assert_eq!(found["findings"], expected["findings"]);
    assert_eq!(found["outcome"], expected["outcome"]);
}

#[test]
fn where_there_is_nothing_to_judge_there_is_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let empty = file(folder.path(), "bom.json", r#"{"bomFormat": "CycloneDX", "components": []}"#);
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("layout/blobs")).unwrap();
    fs::write(root.join("layout/oci-layout"), "{}").unwrap();
    let root = format!("dir:{}", text(&root));
    let gate = ["-q", "--db", DEMO, "--fail-on", "high"];
    let said = &["nothing to evaluate"];
    ends(&[&["evaluate", text(&empty)][..], &gate].concat(), 3, said);
    ends(&[&["scan", &root][..], &gate].concat(), 3, said);
    ends(&["evaluate", text(&empty), "-q", "--db", DEMO], 0, &[]);
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
    let advice = ["no vulnerability database", "inscan db update"];
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
