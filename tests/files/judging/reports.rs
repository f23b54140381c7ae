//! Reports as files, and templates.

use std::fs;
use std::path::Path;

use inscan_test_support::in_project;
use serde_json::Value;

use super::{DEMO, IMAGE, document, ends, printed, run, text};

#[test]
fn one_scan_writes_all_reports() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let formats = [
        "table",
        "json",
        "sarif",
        "cyclonedx",
        "spdx",
        "junit",
        "gitlab",
        "github",
        "csv",
        "markdown",
        "html",
        "openvex",
    ];
    let outputs: Vec<String> =
        formats.iter().map(|format| format!("{format}={}/{format}", text(folder))).collect();
    let mut arguments = vec!["scan", IMAGE, "-q", "--db", DEMO, "--fail-on", "high"];
    outputs.iter().for_each(|output| arguments.extend(["-o", output]));
    assert_eq!(printed(&arguments, 1), "", "stdout is for what is asked for there");
    for format in formats {
        let report = fs::read_to_string(folder.join(format)).unwrap();
        assert!(report.contains("CVE-2099-10001"), "{format}: {report}");
        // OpenVEX has statements about vulnerabilities, and no place for it.
        let says = format == "openvex" || report.contains("packages of type golang");
        assert!(says, "{format} does not say what was not judged: {report}");
        if ["json", "sarif", "cyclonedx", "spdx", "gitlab", "openvex"].contains(&format) {
            serde_json::from_str::<Value>(&report)
                .unwrap_or_else(|error| panic!("{format}: {error}"));
        }
    }
    let left = fs::read_dir(folder).unwrap().count();
    assert_eq!(left, formats.len(), "something else is left behind");
}

/// What a template of the documentation makes of the demonstration.
fn filled(folder: &Path, name: &str) -> String {
    let template = in_project(&format!("docs/templates/{name}"));
    let to = folder.join(name);
    let output = format!("template={}", text(&to));
    let document = document(folder);
    let arguments = [
        "evaluate",
        text(&document),
        "-q",
        "--db",
        DEMO,
        "--fail-on",
        "high",
        "-o",
        &output,
        "--template",
        text(&template),
    ];
    assert_eq!(printed(&arguments, 1), "");
    fs::read_to_string(to).unwrap()
}

#[test]
fn the_templates_of_the_documentation_are_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let known = fs::read_dir(in_project("docs/templates")).unwrap();
    assert_eq!(known.count(), 3, "a new template needs its lines here");

    let message = filled(folder, "slack.txt");
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "*registry.example/inscan/demo:1.0*: fail");
    for line in [
        "4 findings, 3 with a fix, 1 exploited",
        "• minimist 1.2.5 → 1.2.6 fixes 1",
        "• expat 2.5.0-1+deb12u5 → 2.5.0-1+deb12u9 fixes 1",
    ] {
        assert!(lines.contains(&line), "no `{line}` in:\n{message}");
    }
    assert!(
        lines.iter().any(|line| line.starts_with("⚠ ") && line.contains("golang")),
        "{message}"
    );

    let table = filled(folder, "table.html");
    assert_eq!(table.matches("<tr><td>").count(), 4);
    assert!(table.contains("<td>CVE-2021-44906</td><td>critical</td><td>minimist</td>"), "{table}");

    let issues: Value = serde_json::from_str(&filled(folder, "warnings-ng.json")).unwrap();
    assert_eq!(issues["size"], 4);
    let issue = |id: &str| {
        issues["issues"].as_array().unwrap().iter().find(|it| it["type"] == id).unwrap().clone()
    };
    assert_eq!(issue("CVE-2021-44906")["severity"], "ERROR");
    assert_eq!(issue("CVE-2021-44906")["fileName"], "app/node_modules/minimist/package.json");
    assert_eq!(issue("CVE-2024-3651")["severity"], "NORMAL");
}

#[test]
fn a_wrong_template_is_known_by_name_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let template = super::file(folder.path(), "mine.j2", "{{ image.reference }}\n{% for x %}\n");
    let scan = ["scan", IMAGE, "--db", DEMO, "-o", "template", "--template"];
    ends(&[&scan[..], &[text(&template)]].concat(), 2, &["mine.j2", "line 2"]);
    ends(&[&scan[..], &["/no/such.j2"]].concat(), 2, &["/no/such.j2"]);
    // Found only while it is filled in: nothing is left where the report was to be.
    let template = super::file(folder.path(), "late.j2", "a\n{{ findings[0].nothing }}\n");
    let to = folder.path().join("report");
    let output = format!("template={}", text(&to));
    let scan = ["scan", IMAGE, "--db", DEMO, "-o", &output, "--template", text(&template)];
    let ended = run(&scan);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(errors.contains("late.j2") && errors.contains("line 2"), "{errors}");
    assert!(matches!(ended.status.code(), Some(2 | 3)), "{errors}");
    assert!(!to.exists());
}
