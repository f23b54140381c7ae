//! `--local`: judged here, in the same lines and the same object.

use std::fs;
use std::path::{Path, PathBuf};

use inscan_test_support::{Run, digest};
use serde_json::{Value, json};

use super::readers;
use super::run::{DATABASE, DEMO, DIGEST, ID, Place};
use crate::malware::clamd::{Clamd, MARKER};

const TAG: &str = "localbuild/demo:1";

/// A bundle with these rules for every image.
fn bundle(place: &Place, rules: &Value) -> PathBuf {
    let bundle = json!({
        "id": "test", "version": "1_0", "name": "Test bundle",
        "policies": [{"id": "p1", "version": "1_0", "name": "Test policy", "rules": rules}],
        "whitelists": [],
        "mappings": [{
            "id": "m1", "name": "default", "registry": "*", "repository": "*",
            "image": {"type": "tag", "value": "*"}, "policy_ids": ["p1"], "whitelist_ids": [],
        }],
    });
    let path = place.path("bundle.json");
    fs::write(&path, bundle.to_string()).unwrap();
    path
}

fn rule(id: &str, gate: &str, trigger: &str, action: &str, params: &[(&str, &str)]) -> Value {
    let params: Vec<Value> =
        params.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"id": id, "gate": gate, "trigger": trigger, "action": action, "params": params})
}

/// Fails the demo image by a vulnerability.
fn strict() -> Value {
    let any = [("package_type", "all"), ("severity_comparison", ">="), ("severity", "high")];
    json!([
        rule("r1", "vulnerabilities", "package", "STOP", &any),
        rule("r2", "files", "suid_or_guid_set", "WARN", &[]),
    ])
}

fn lenient() -> Value {
    json!([rule("r2", "files", "suid_or_guid_set", "WARN", &[])])
}

fn scanned(place: &Place, rules: &Value, more: &[&str]) -> Run {
    let bundle = bundle(place, rules);
    let usual = [
        "--local",
        "--storage-type=oci-archive",
        "--storage-path",
        DEMO,
        "--db",
        DATABASE,
        "--policy",
        bundle.to_str().unwrap(),
        "demo:1",
    ];
    place.run(&[&usual, more].concat())
}

#[test]
fn an_image_that_passes_is_told_line_by_line() {
    let place = Place::new();
    let run = scanned(&place, &lenient(), &[]).ends(0);
    let expected = format!(
        "Inspecting image from OCI archive file -- {DEMO}
  Full image:  docker.io/library/demo
  Full tag:    {TAG}
  Repo digest: {DIGEST}
  Image id:    {ID}
Converting image...
Analyzing image...
Analysis complete!
Judging analysis result here, by the policy bundle `Test bundle`

Scan Report

Last Evaluation: 2026-01-02T03:04:05Z
Final action:    warn
Status:          pass

Evaluation results
 - warn files:suid_or_guid_set SUID or SGID found set on file /usr/bin/elevate. Mode: 0o104755

Status is pass
"
    );
    assert_eq!(run.stdout, expected);
    assert_eq!(run.stderr, "");
    assert_eq!(place.log(), expected);
}

#[test]
fn a_layout_is_analyzed_where_it_lies_and_a_packed_archive_while_it_passes_by() {
    let place = Place::new();
    let bundle = bundle(&place, &lenient());
    let layout = place.path("layout");
    tar::Archive::new(fs::File::open(DEMO).unwrap()).unpack(&layout).unwrap();
    let packed = place.path("packed.tar.gz");
    let archive = fs::read(image(&place, &[("etc/passwd", b"root:x:0:0::/:/bin/sh\n")])).unwrap();
    let file = fs::File::create(&packed).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &archive).unwrap();
    gzip.finish().unwrap();
    let run = |kind: &str, path: &Path| {
        let kind = format!("--storage-type={kind}");
        let path = format!("--storage-path={}", path.display());
        let policy = format!("--policy={}", bundle.display());
        let database = format!("--db={DATABASE}");
        place.run(&["--local", &kind, &path, &policy, &database, "demo:1"]).ends(0).stdout
    };
    let lines = run("oci-dir", &layout);
    let begin = format!("Inspecting image from OCI directory -- {}\n", layout.display());
    assert!(lines.starts_with(&begin), "{lines}");
    assert!(lines.contains(&format!("{ID}\nAnalyzing image...\nAnalysis complete!\n")), "{lines}");
    let lines = run("docker-archive", &packed);
    assert!(lines.contains("\n  Full tag:    localbuild/demo:1\n"), "{lines}");
    let begin = "\nConverting image...\nAnalyzing image...\nAnalysis complete!\n";
    assert!(lines.contains(begin) && lines.ends_with("\nStatus is pass\n"), "{lines}");
}

#[test]
fn an_image_that_fails_ends_with_1_and_its_findings() {
    let place = Place::new();
    let run = scanned(&place, &strict(), &[]).ends(1);
    let stops: Vec<&str> = run.stdout.lines().filter(|it| it.starts_with(" - stop ")).collect();
    assert!(!stops.is_empty(), "{}", run.stdout);
    let begin = " - stop vulnerabilities:package ";
    assert!(stops.iter().all(|line| line.starts_with(begin)), "{stops:?}");
    assert!(run.stdout.ends_with("\nStatus is fail\n"), "{}", run.stdout);
}

#[test]
fn the_object_is_what_plugins_read() {
    let place = Place::new();
    let run = scanned(&place, &lenient(), &["--format=JSON"]).ends(0);
    let object = run.object();
    assert_eq!(object["status"], "pass");
    assert_eq!((&object["tag"], &object["digest"]), (&json!(TAG), &json!(DIGEST)));
    assert_eq!(object["log"], json!(place.log()));
    assert_eq!(object["vulnsReport"]["imageDigest"], json!(DIGEST));
    assert_eq!(object["vulnsReport"]["vulnerability_type"], "all");

    let action = readers::scan_action(run.code, &run.stdout).unwrap();
    assert!(!action.fails);
    assert_eq!(action.title, format!("Container image {TAG}"));
    let gates: Vec<_> = action.annotations.iter().filter(|(_, it)| it.contains(":")).collect();
    assert!(gates.iter().any(|(level, text)| *level == "warning"
        && text.starts_with("files:suid_or_guid_set ")));
    let jenkins = readers::jenkins(&run.stdout).unwrap();
    assert!(jenkins.passes);
    assert_eq!(jenkins.summary, (TAG.to_owned(), 0, 1, 0, "warn".to_owned()));
    assert_eq!(jenkins.gates[0].last().unwrap(), "Test policy");
    assert_eq!(readers::azure(run.code), Ok(true));
    assert_eq!(readers::harbor(run.code), Ok(()));

    let run = scanned(&place, &strict(), &["--format=JSON"]).ends(1);
    let object = run.object();
    assert_eq!(object["status"], "fail");
    let vulnerabilities = object["vulnsReport"]["vulnerabilities"].as_array().unwrap();
    assert!(!vulnerabilities.is_empty());
    let action = readers::scan_action(run.code, &run.stdout).unwrap();
    assert!(action.fails);
    assert_eq!(action.rules.len(), vulnerabilities.len());
    assert!(action.annotations.iter().any(|(level, _)| *level == "failure"));
    let jenkins = readers::jenkins(&run.stdout).unwrap();
    assert!(!jenkins.passes);
    assert_eq!(jenkins.digest, DIGEST);
    assert!(jenkins.summary.1 > 0);
    assert_eq!(jenkins.security["data"].as_array().unwrap().len(), vulnerabilities.len());
    assert_eq!(readers::azure(run.code), Ok(false));
    assert_eq!(readers::harbor(run.code), Ok(()));
    let csv = readers::csv(&run.stdout).unwrap();
    assert_eq!(csv.lines().count(), 2 + vulnerabilities.len());
    // The same image, policy and database: the same bytes.
    let again = scanned(&place, &strict(), &["--format=JSON"]);
    assert_eq!(again.stdout, run.stdout);
}

#[test]
fn without_a_policy_the_legacy_backends_own_is_asked() {
    let place = Place::new();
    let arguments = [
        "--local",
        "--storage-type=oci-archive",
        "--storage-path",
        DEMO,
        "--db",
        DATABASE,
        "--format=JSON",
        "demo:1",
    ];
    let run = place.run(&arguments);
    let object = run.object();
    assert_eq!(object["scanReport"][0][DIGEST][TAG][0]["policyId"], "default");
    // By variables alone, as where a plugin's arguments cannot be changed.
    let mut command = place.command("sysdig-inline-scan.sh", &arguments[1..4]);
    command.args(["--format=JSON", "demo:1"]);
    command.env("INSCAN_LOCAL", "true").env("INSCAN_DB", DATABASE);
    let again = command.run().ends(run.code);
    assert_eq!(again.stdout, run.stdout);
}

#[test]
fn an_error_is_an_object_that_every_reader_takes_for_one() {
    let place = Place::new();
    let arguments =
        ["--local", "--format=JSON", "--storage-type=oci-dir", "--storage-path=/no", "demo:1"];
    let run = place.run(&arguments).ends(3);
    let object = run.object();
    assert_eq!(object["status"], "error");
    let error = object["error"].as_str().unwrap();
    assert!(error.starts_with("Failed to retrieve the image"), "{error}");
    assert_eq!(object["log"], "Inspecting image from OCI directory -- /no\n");
    assert!(readers::scan_action(run.code, &run.stdout).is_err());
    assert_eq!(readers::jenkins(&run.stdout).unwrap_err(), error);
    assert!(readers::azure(run.code).is_err());
    assert!(readers::harbor(run.code).is_err());
}

#[test]
fn a_policy_that_cannot_be_answered_is_no_verdict() {
    let place = Place::new();
    let bundle = bundle(&place, &strict());
    // No database: nothing is known of vulnerabilities.
    let arguments = [
        "--local",
        "--storage-type=oci-archive",
        "--storage-path",
        DEMO,
        "--policy",
        bundle.to_str().unwrap(),
        "demo:1",
    ];
    let run = place.run(&arguments).ends(3);
    assert!(run.stderr.starts_with("\nERROR:\n"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("no vulnerability database").count(), 1, "{}", run.stderr);
    // Nor is an empty list of them shown to plugins, where the policy does not ask.
    self::bundle(&place, &lenient());
    place.run(&arguments).ends(0);
    let run = place.run(&[&arguments[..], &["--format=JSON"]].concat()).ends(3);
    let object = run.object();
    let error = object["error"].as_str().unwrap();
    assert!(error.contains("no vulnerability database"), "{error}");
    fs::write(&bundle, "{}").unwrap();
    place.run(&arguments).ends(3);
}

#[test]
fn the_object_goes_to_a_file_beside_the_lines() {
    let place = Place::new();
    let file = place.path("out.json");
    let run = scanned(&place, &lenient(), &["--write-json", file.to_str().unwrap()]).ends(0);
    assert!(run.stdout.ends_with("Status is pass\n"), "{}", run.stdout);
    let object: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!((&object["status"], &object["log"]), (&json!("pass"), &json!(run.stdout)));
    let run = scanned(&place, &lenient(), &["--write-json", "/no/folder/out.json"]).ends(2);
    assert!(run.stderr.starts_with("ERROR: cannot write JSON to '/no/folder/out.json'"));
}

#[test]
fn steps_are_timed_where_that_is_asked_for() {
    let place = Place::new();
    let run = scanned(&place, &lenient(), &["--time-profile"]).ends(0);
    for stage in ["Inspect image", "Analyze image", "Check scan status"] {
        let begin = format!("Time elapsed({stage}): ");
        let line = run.stdout.lines().find_map(|line| line.strip_prefix(&begin));
        let millis = line.unwrap_or_else(|| panic!("{stage}: {}", run.stdout));
        assert!(millis.strip_suffix("ms").is_some_and(|it| it.parse::<u64>().is_ok()));
    }
}

#[test]
fn verbose_keeps_the_raw_report() {
    let place = Place::new();
    let run = scanned(&place, &lenient(), &["-v"]).ends(0);
    let first = format!("Using temporary path {}\n", place.path("tmp").display());
    assert!(run.stdout.starts_with(&first), "{}", run.stdout);
    let report = fs::read(place.path("tmp/sysdig_report.log")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report[0][DIGEST][TAG][0]["status"], "pass");
    assert!(run.stdout.lines().all(|line| !line.starts_with("+ ")), "Jenkins drops such lines");
}

#[test]
fn what_is_said_of_the_image_counts() {
    let place = Place::new();
    let (digest, id) = (format!("sha256:{}", "1".repeat(64)), "2".repeat(64));
    let run = scanned(&place, &lenient(), &["--format=JSON", "-d", &digest, "-i", &id]).ends(0);
    let object = run.object();
    assert_eq!(object["digest"], json!(digest));
    let result = &object["scanReport"][0][&digest][TAG][0]["detail"]["result"];
    assert_eq!(result["image_id"], json!(id));
    // The digest of a manifest that is given as a file.
    fs::write(place.path("manifest.json"), "{}").unwrap();
    let run = scanned(&place, &lenient(), &["--format=JSON", "-m", "manifest.json"]).ends(0);
    let of_braces = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(run.object()["digest"], json!(of_braces));
}

#[test]
fn the_first_generation_prints_the_report_itself() {
    let place = Place::new();
    let bundle = bundle(&place, &lenient());
    let archive = format!("docker-archive:{}", place.path("nothing").display());
    let mut command = place.command("inline_scan.sh", &["analyze", "-v", "/proc/none", &archive]);
    command.env("INSCAN_LOCAL", "true").env("INSCAN_POLICY", &bundle);
    // It has Docker's images alone; and none is there. Everything but a pass is 1.
    let run = command.run().ends(1);
    assert!(run.stderr.contains("ERROR - "), "{}", run.stderr);
}

/// A Docker archive of one layer with these files.
fn image(place: &Place, files: &[(&str, &[u8])]) -> PathBuf {
    let tar = |files: &[(&str, &[u8])]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *content).unwrap();
        }
        tar.into_inner().unwrap()
    };
    let layer = tar(files);
    let rootfs = json!({"type": "layers", "diff_ids": [digest(&layer)]});
    let config = json!({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs});
    let manifest = json!([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]);
    let path = place.path("image.tar");
    let members = [
        ("manifest.json", manifest.to_string().into_bytes()),
        ("c.json", config.to_string().into_bytes()),
        ("l.tar", layer),
    ];
    let members = members.each_ref().map(|(name, content)| (*name, content.as_slice()));
    fs::write(&path, tar(&members)).unwrap();
    path
}

fn with_malware(place: &Place, clamd: &Clamd, image: &Path, more: &[&str]) -> Run {
    let bundle = bundle(place, &lenient());
    let socket = clamd.socket();
    let usual = [
        "--local",
        "--storage-type=docker-archive",
        "--storage-path",
        image.to_str().unwrap(),
        "--policy",
        bundle.to_str().unwrap(),
        "--db",
        DATABASE,
        "--malware-scan-enable",
        "--clamd",
        socket.to_str().unwrap(),
        "demo:1",
    ];
    place.run(&[&usual, more].concat())
}

#[test]
fn malware_ends_the_scan_and_every_reader_sees_it() {
    let Some(clamd) = Clamd::start("") else { return };
    let place = Place::new();
    let image = image(&place, &[("bin/evil", MARKER), ("bin/good", b"good")]);
    let folder = place.path("findings");
    fs::create_dir(&folder).unwrap();
    let output = ["--malware-scan-output", folder.to_str().unwrap()];

    let run = with_malware(&place, &clamd, &image, &output).ends(1);
    let table = "Path      | Signature\n/bin/evil | Inscan.Test.UNOFFICIAL\n\
                 Skipping send analysis to Secure backend due to Malware scan failure.\n";
    assert!(run.stdout.contains(table), "{}", run.stdout);
    assert!(run.stdout.contains("--malware-fail-fast"), "{}", run.stdout);
    assert!(run.stdout.ends_with("\nStatus is fail\n"), "{}", run.stdout);
    let findings = fs::read(folder.join("malware_findings.json")).unwrap();
    let findings: Value = serde_json::from_slice(&findings).unwrap();
    let expected = json!([{"path": "/bin/evil", "signature": "Inscan.Test.UNOFFICIAL"}]);
    assert_eq!(findings, expected);

    let run = with_malware(&place, &clamd, &image, &["--format=JSON"]).ends(1);
    assert_eq!(run.object()["status"], "fail");
    let action = readers::scan_action(run.code, &run.stdout).unwrap();
    assert!(action.fails && action.rules.is_empty());
    assert_eq!(action.annotations.len(), 1);
    let (level, text) = &action.annotations[0];
    assert!(*level == "failure" && text.contains("/bin/evil"), "{text}");
    let jenkins = readers::jenkins(&run.stdout).unwrap();
    assert!(!jenkins.passes);
    assert_eq!((jenkins.summary.1, &*jenkins.summary.4), (1, "stop"));
    assert_eq!(readers::azure(run.code), Ok(false));
    assert_eq!(readers::harbor(run.code), Ok(()));
    assert!(readers::csv(&run.stdout).is_ok());

    // Judged all the same; and a path that does not count.
    let run = with_malware(&place, &clamd, &image, &["--malware-fail-fast", "false"]).ends(0);
    assert!(run.stdout.contains("/bin/evil | "), "{}", run.stdout);
    let run = with_malware(&place, &clamd, &image, &["--malware-exclude", "^/bin$"]).ends(0);
    assert!(run.stdout.contains("No malware found\n"), "{}", run.stdout);
    let run = with_malware(&place, &clamd, &image, &["--malware-exclude", "("]).ends(3);
    assert!(run.stderr.contains("--malware-exclude"), "{}", run.stderr);
}

#[test]
fn without_a_clamd_nothing_is_said_to_be_clean() {
    let place = Place::new();
    let arguments = [
        "--local",
        "--malware-scan-enable",
        "--clamd=/no/socket",
        "--storage-type=oci-archive",
        "--storage-path",
        DEMO,
        "demo:1",
    ];
    let run = place.run(&arguments).ends(3);
    assert!(run.stderr.contains("no clamd"), "{}", run.stderr);
}
