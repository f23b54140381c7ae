//! The binary as a user meets it: exit codes, errors, outputs.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use inscan_test_support::{DATABASE, DEMO_DAY, IMAGE as DEMO, Inscan};

/// The binary on a day when the database was young.
fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("INSCAN_NO_CACHE", "true").env("SOURCE_DATE_EPOCH", DEMO_DAY);
    inscan
}

fn run(arguments: &[&str]) -> Output {
    inscan(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// It ends with the code, says all of the words on stderr and nothing on stdout.
#[track_caller]
fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    inscan(arguments).run().ends(code).says(words).prints_nothing();
}

/// A file of the test's own, with this content.
fn file(directory: &tempfile::TempDir, name: &str, content: &[u8]) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn is_empty(directory: &tempfile::TempDir) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["--version"], &["help", "scan"], &["scan", "--help"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(stdout(&output).contains("inscan"), "{arguments:?}");
    }
}

#[test]
fn wrong_parameters_end_with_2() {
    fails(&[], 2, &["Usage"]);
    fails(&["scan"], 2, &["IMAGE"]);
    fails(&["scna", DEMO], 2, &["scan"]);
    fails(&["scan", DEMO, "--no-such-flag"], 2, &["--no-such-flag"]);
    fails(&["scan", DEMO, "--threads", "0"], 2, &["--threads"]);
    fails(&["scan", DEMO, "--digests", "crc32"], 2, &["sha384"]);
    fails(&["scan", DEMO, "--platform", "linux"], 2, &["linux/arm64"]);
    fails(&["scan", DEMO, "--image-digest", "sha256:1"], 2, &["64"]);
    fails(&["scan", DEMO, "--dockerfile", "/no/such/file"], 2, &["/no/such/file"]);
    fails(&["scan", DEMO, "-o", "pdf"], 2, &["summary, document"]);
    fails(&["scan", DEMO, "-o", "summary", "-o", "document"], 2, &["standard output"]);
    fails(&["completions", "tcsh"], 2, &["bash"]);
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    fails(&["scan", "/no/such/image.tar"], 2, &["/no/such/image.tar"]);
    fails(&["scan", "docker-archive:/no/such/image.tar"], 2, &["/no/such/image.tar"]);
    fails(&["scan", &format!("oci:{}", directory.path().display())], 2, &[]);
    let text = file(&directory, "text", b"this is no image\n");
    let empty = file(&directory, "empty", b"");
    for path in [&text, &empty] {
        let output = run(&["scan", path]);
        assert!(matches!(output.status.code(), Some(2 | 3)), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
        assert!(stderr(&output).contains("error: "), "{}", stderr(&output));
    }
}

#[test]
fn an_archive_that_ends_too_early_ends_with_3() {
    let directory = tempfile::tempdir().unwrap();
    let whole = fs::read(DEMO).unwrap();
    let half = file(&directory, "half.tar", &whole[..whole.len() / 2]);
    fails(&["analyze", &half, "-q"], 3, &["half.tar"]);
}

#[test]
fn an_output_that_cannot_be_written_is_known_before_the_image_is_read() {
    let directory = tempfile::tempdir().unwrap();
    fails(&["scan", DEMO, "-o", "summary=/no/such/directory/x"], 2, &["/no/such/directory/x"]);
    fails(&["scan", DEMO, "-o", "summary=/dev"], 2, &["/dev"]);
    let output = format!("document={}", directory.path().join("out.json").display());
    fails(&["analyze", "/no/such/image", "-o", &output], 2, &[]);
    assert!(is_empty(&directory), "something is left behind");
}

#[test]
fn a_full_disk_ends_with_3() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = inscan(&["analyzers", "-o", "json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("standard output"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = inscan(&["completions", "bash"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn the_analyzers_are_listed_for_people_and_for_programs() {
    let list = stdout(&run(&["analyzers"]));
    let json: serde_json::Value =
        serde_json::from_slice(&run(&["analyzers", "-o", "json"]).stdout).unwrap();
    let names: Vec<_> = json.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names.len(), list.lines().count());
    for name in names {
        assert!(list.contains(name.as_str().unwrap()), "{name}");
    }
}

#[test]
fn a_flag_stands_above_the_environment_and_that_above_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let settings = file(&directory, "inscan.yaml", b"analyzers:\n  output: json=/no/file/x\n");
    let errors = |flags: &[&str], environment: &[(&str, &str)]| {
        let mut command = inscan(&["analyzers", "--config", &settings]);
        stderr(&command.args(flags).envs(environment.iter().copied()).output().unwrap())
    };
    let environment = [("INSCAN_OUTPUT", "json=/no/environment/x")];
    let flag = ["-o", "json=/no/flag/x"];
    assert!(errors(&[], &[]).contains("/no/file/x"));
    assert!(errors(&[], &environment).contains("/no/environment/x"));
    assert!(errors(&flag, &environment).contains("/no/flag/x"));
}

#[test]
fn a_settings_file_of_a_checkout_turns_no_gate_off() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("own");
    fs::create_dir_all(own.join("inscan")).unwrap();
    let ours = format!("scan: {{fail-on: high, db: {DATABASE}}}\n");
    fs::write(own.join("inscan/config.yaml"), ours).unwrap();
    let here = "fail-on: critical\nignore: exceptions.yaml\noutput: [document=stolen.json]\n\
        scan: {only-fixed: true, severity: critical, unimportant: true}\n";
    let here = file(&directory, ".inscan.yaml", here.as_bytes());
    file(&directory, "exceptions.yaml", b"CVE-2099-10001\nCVE-2021-44906\nCVE-2023-45853\n");
    let scan = |arguments: &[&str]| {
        let mut command = inscan(&[&["scan", DEMO, "-o", "json"], arguments].concat());
        command.current_dir(directory.path()).env("XDG_CONFIG_HOME", &own);
        let output = command.output().unwrap();
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let (code, report, errors) = scan(&[]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("3 findings of severity high or worse"), "{errors}");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    // What is stricter holds: the fifth is what Debian calls unimportant.
    assert_eq!(report["findings"].as_array().unwrap().len(), 5);
    let warning = errors.lines().find(|line| line.contains(".inscan.yaml")).unwrap();
    for key in ["`ignore`", "`output`", "`scan.only-fixed`", "`scan.severity`", "--config"] {
        assert!(warning.contains(key), "no {key} in: {warning}");
    }
    assert!(!directory.path().join("stolen.json").exists());

    // Named, all of it holds, and it alone.
    let (code, _, errors) = scan(&["--config", &here, "--db", DATABASE]);
    assert_eq!(code, Some(0), "{errors}");
    // A gate that the user does not have is one more.
    fs::remove_file(own.join("inscan/config.yaml")).unwrap();
    let (code, _, errors) = scan(&["--db", DATABASE]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("2 findings of severity critical"), "{errors}");
}

#[test]
fn mistakes_in_the_settings_name_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let broken = file(&directory, "broken.yaml", b"a: [1,\n");
    let wrong = file(&directory, "wrong.yaml", b"color: sometimes\n");
    let unknown = file(&directory, "unknown.yaml", b"colour: always\n");
    fails(&["analyzers", "--config", &broken], 2, &["broken.yaml", "line"]);
    fails(&["analyzers", "--config", &wrong], 2, &["wrong.yaml", "sometimes"]);
    fails(&["analyzers", "--config", "/no/such/settings"], 2, &["/no/such/settings"]);
    let output = run(&["analyzers", "--config", &unknown]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("warning") && stderr(&output).contains("--colour"));
    assert_eq!(stderr(&run(&["analyzers", "-q", "--config", &unknown])), "");
}

#[test]
fn mistakes_in_the_analyzer_configuration_name_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let shape = file(&directory, "shape.yaml", b"retrieve_files:\n  file_list: 7\n");
    let bad = b"secret_search:\n  regexp_match:\n    - A=a+\n    - B=(\n";
    let expression = file(&directory, "expression.yaml", bad);
    fails(&["scan", DEMO, "--analyzer-config", &shape], 2, &["shape.yaml", "line 2"]);
    fails(&["scan", DEMO, "--analyzer-config", &expression], 2, &["expression.yaml", "line 4"]);
}

#[test]
fn ctrl_c_ends_with_130_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let document = format!("document={}", directory.path().join("out.json").display());
    // An archive on standard input that does not end: the other end stays open.
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&fs::read(DEMO).unwrap()[..32 << 10]).unwrap();
    let mut command = inscan(&["analyze", "-", "-o", &document, "--progress", "plain"]);
    let mut child = command.stdin(reader).stderr(Stdio::piped()).spawn().unwrap();
    // Its first words come when signals are handled and the output is open.
    child.stderr.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    assert!(!is_empty(&directory), "the temporary file is there while it works");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(is_empty(&directory), "something is left behind");
    drop(writer);
}

#[test]
fn a_pipe_with_a_name_is_no_archive_to_wait_for() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo").to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Its writer never comes: opening it must not wait.
    let mut command = Inscan::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_inscan"), "scan", "-q", &fifo]);
    let output = command.output().unwrap();
    assert!(matches!(output.status.code(), Some(2 | 3)), "{output:?}");
}

#[test]
fn the_demo_image_is_shown() {
    let output = run(&["scan", DEMO]);
    let summary = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for part in
        ["registry.example/inscan/demo:1.0", "linux/amd64", "Debian GNU/Linux 12", "8080/tcp"]
    {
        assert!(summary.contains(part), "no `{part}` in:\n{summary}");
    }
    assert!(summary.lines().all(|line| line.chars().count() <= 100), "{summary}");
    assert!(!summary.contains('\x1b'));
}

#[test]
fn the_document_is_the_same_in_a_file_and_with_any_number_of_threads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.json");
    let one = run(&["analyze", DEMO, "--threads", "1"]);
    assert_eq!(one.status.code(), Some(0), "{}", stderr(&one));
    let to_file = format!("document={}", path.display());
    let many = run(&["analyze", DEMO, "--threads", "7", "-o", &to_file]);
    assert_eq!((many.status.code(), stdout(&many)), (Some(0), String::new()));
    assert!(fs::read(&path).unwrap() == one.stdout, "the documents differ");
}

#[test]
fn an_error_for_programs_has_a_code_and_one_line() {
    for (arguments, code, exit) in [
        (&["scan", "no.tar", "--error-format", "json"][..], "image-not-found", 2),
        (&["scan", "--no-such-flag", "--error-format", "json"], "wrong-parameters", 2),
        (&["scan", DEMO, "--policy", DEMO, "-q", "--error-format", "json"], "bundle-refused", 2),
        (
            &["scan", DEMO, "--db", DATABASE, "--fail-on", "low", "-q", "--error-format", "json"],
            "image-fails",
            1,
        ),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", stderr(&output));
        let text = stderr(&output);
        let last = text.lines().last().unwrap();
        let error: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(error["exit"], exit, "{text}");
        assert!(error["code"] == code, "{text}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{text}");
    }
}

#[test]
fn a_date_that_is_none_is_refused_by_every_command() {
    for arguments in [
        &["scan", DEMO][..],
        &["analyze", DEMO],
        &["archive", DEMO],
        &["explain", "CVE-2024-1234", DEMO],
        &["policy", "list"],
    ] {
        let mut inscan = inscan(arguments);
        inscan.env("SOURCE_DATE_EPOCH", "abc").run().ends(2).says(&["SOURCE_DATE_EPOCH"]);
    }
}

/// Stops at what is severe.
const SEVERE: &str = r#"{"id": "severe", "version": "1_0", "name": "severe", "whitelists": [],
    "policies": [{"id": "p", "version": "1_0", "name": "p", "rules": [{"id": "r", "gate": "vulnerabilities",
        "trigger": "package", "action": "STOP", "params": [{"name": "package_type", "value": "all"},
        {"name": "severity", "value": "high"}, {"name": "severity_comparison", "value": ">="}]}]}],
    "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*", "policy_ids": ["p"],
        "whitelist_ids": [], "image": {"type": "tag", "value": "*"}}]}"#;

#[test]
fn an_analysis_archive_is_explained_like_its_document() {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("demo.tgz");
    let archive = archive.to_str().unwrap();
    assert_eq!(run(&["archive", DEMO, "-o", &format!("archive={archive}")]).status.code(), Some(0));
    let document = file(&directory, "demo.json", &run(&["analyze", DEMO]).stdout);
    let bundle = &file(&directory, "bundle.json", SEVERE.as_bytes());
    for command in [
        &["explain", "CVE-2024-3094", "--db", DATABASE][..],
        // Archives tell neither what was found of secrets nor the health check of the
        // configuration, for which the other bundles ask.
        &["policy", "explain", "--policy", bundle, "--db", DATABASE],
    ] {
        let explain = |input: &str| {
            let mut typed = command.to_vec();
            typed.insert(2, input);
            run(&typed)
        };
        let (of_archive, of_document) = (explain(archive), explain(&document));
        assert_eq!(of_archive.status.code(), Some(0), "{}", stderr(&of_archive));
        assert_eq!(stdout(&of_archive), stdout(&of_document));
    }
}

#[test]
fn of_a_checkouts_settings_no_text_is_shown_and_no_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "netrc", b"machine x: login: y password SECRET0123\n");
    let linked = folder.path().join("linked");
    let plain = folder.path().join("plain");
    for directory in [&linked, &plain] {
        fs::create_dir(directory).unwrap();
    }
    std::os::unix::fs::symlink(&secret, linked.join(".inscan.yaml")).unwrap();
    fs::copy(&secret, plain.join(".inscan.yaml")).unwrap();
    for (directory, word) in [(&linked, "symbolic link"), (&plain, "line 1")] {
        let mut inscan = inscan(&["scan", DEMO]);
        let output = inscan.current_dir(directory).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
        assert!(!stderr(&output).contains("SECRET0123"), "{}", stderr(&output));
    }
}
