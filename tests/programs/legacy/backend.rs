//! Judged by a backend: the stand-in that answers what the real engine answered.

use std::fs;

use inscan_test_support::oracle::oracle;
use inscan_test_support::{Inscan, Run};
use serde_json::{Value, json};

use super::readers;
use super::run::{DEMO, DIGEST, ID, Place};
use crate::backend::stand_in::{Behaviour, Served, TOKEN, members};

const TAG: &str = "localbuild/demo:1";

pub(super) fn served(behaviour: Behaviour) -> Option<Served> {
    Some(Served::start(&oracle()?, Behaviour { looks: 1, ..behaviour }))
}

fn command(place: &Place, served: &Served, more: &[&str]) -> Inscan {
    let url = served.url();
    let usual = ["--storage-type=oci-archive", "--storage-path", DEMO, "-s", &url, "demo:1"];
    let mut command = place.command("sysdig-inline-scan.sh", &[&usual, more].concat());
    command.env("SYSDIG_API_TOKEN", TOKEN).env("INSCAN_RETRIES", "1");
    command
}

fn scanned(place: &Place, served: &Served, more: &[&str]) -> Run {
    command(place, served, more).run()
}

#[test]
fn an_image_that_passes_is_told_line_by_line() {
    let Some(served) = served(Behaviour::default()) else { return };
    let place = Place::new();
    let run = scanned(&place, &served, &["--on-prem"]).ends(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let begin = [
        &*format!("Inspecting image from OCI archive file -- {DEMO}"),
        "  Full image:  docker.io/library/demo",
        "  Full tag:    localbuild/demo:1",
        &*format!("  Repo digest: {DIGEST}"),
        &*format!("  Image id:    {ID}"),
        "Converting image...",
        "Analyzing image...",
        "Analysis complete!",
        "Sending analysis result to Secure backend",
        ".",
        "",
        "Scan Report",
        "",
    ];
    assert_eq!(lines[..begin.len()], begin);
    let rest = &lines[begin.len()..];
    assert!(rest[0].starts_with("Last Evaluation: 20"), "{}", rest[0]);
    assert_eq!(
        rest[1..5],
        ["Final action:    warn", "Status:          pass", "", "Evaluation results"]
    );
    let findings = rest.iter().filter(|line| line.starts_with(" - warn ")).count();
    assert!(findings > 0);
    let url = served.url();
    let end = [
        "",
        "Status is pass",
        &*format!(
            "View the full result @ {url}/secure/#/scanning/scan-results/localbuild%2Fdemo%3A1/{DIGEST}/summaries"
        ),
        "PDF report of the scan results can be generated with -r option.",
    ];
    assert_eq!(rest[5 + findings..], end);
    assert_eq!(run.stderr, "");
    assert_eq!(place.log(), run.stdout);
    let calls = [
        "GET /api/scanning/v1/anchore/status".to_owned(),
        format!("GET /api/scanning/v1/anchore/images/{DIGEST}/check"),
        "GET /api/scanning/v1/account".to_owned(),
        "POST /api/scanning/v1/sync/import/images".to_owned(),
        format!("GET /api/scanning/v1/anchore/images/{DIGEST}/check"),
        format!("GET /api/scanning/v1/anchore/images/{DIGEST}/check"),
    ];
    assert_eq!(served.asked(), calls);

    // A second time it is known.
    let run = scanned(&place, &served, &[]).ends(0);
    assert!(run.stdout.contains("Image digest found on Sysdig Secure, skipping analysis.\n"));
    for absent in ["Converting image", "Analyzing image", "Sending analysis"] {
        assert!(!run.stdout.contains(absent), "{}", run.stdout);
    }
    assert_eq!(served.asked().iter().filter(|call| call.starts_with("POST")).count(), 1);
}

#[test]
fn an_archive_is_sent_that_the_backend_takes() {
    let Some(served) = served(Behaviour::default()) else { return };
    let place = Place::new();
    let mut command = command(&place, &served, &["-a", "team=a,stage=b"]);
    command.env("SYSDIG_ADDED_BY", "cicd-inline-scan");
    command.run().ends(0);
    let images = served.backend.images.lock().unwrap();
    let stored = &images[DIGEST];
    assert_eq!((&*stored.image_id, &*stored.account), (ID, "tenant_of_sysdig"));
    assert_eq!(stored.tags, [TAG]);
    let members = members(&stored.archive).unwrap();
    let manifest: Value = serde_json::from_slice(&members["archive_manifest"]).unwrap();
    let record = manifest["metadata"]["image_record"].as_str().unwrap();
    let record: Value = serde_json::from_str(record).unwrap();
    let annotations: Value = serde_json::from_str(record["annotations"].as_str().unwrap()).unwrap();
    let expected = json!({"added-by": "cicd-inline-scan", "stage": "b", "team": "a"});
    assert_eq!(annotations, expected);
}

#[test]
fn the_object_is_what_plugins_read() {
    for passes in [true, false] {
        let Some(served) = served(Behaviour { passes, ..Behaviour::default() }) else { return };
        let place = Place::new();
        let run = scanned(&place, &served, &["--format=JSON"]).ends(i32::from(!passes));
        let object = run.object();
        let status = if passes { "pass" } else { "fail" };
        assert_eq!(object["status"], status);
        assert_eq!((&object["tag"], &object["digest"]), (&json!(TAG), &json!(DIGEST)));
        assert_eq!(object["log"], json!(place.log()));
        let vulnerabilities = object["vulnsReport"]["vulnerabilities"].as_array().unwrap();
        assert!(!vulnerabilities.is_empty());

        let action = readers::scan_action(run.code, &run.stdout).unwrap();
        assert_eq!((action.fails, action.rules.len()), (!passes, vulnerabilities.len()));
        let gates = action.annotations.len() - vulnerabilities.len();
        let jenkins = readers::jenkins(&run.stdout).unwrap();
        assert_eq!(jenkins.passes, passes);
        assert_eq!(jenkins.gates.len(), gates);
        assert!(jenkins.gates.iter().all(|row| !row.last().unwrap().is_empty()), "named policies");
        let (name, stops, warns, goes, action) = &jenkins.summary;
        assert_eq!((&**name, stops + warns + goes), (TAG, gates));
        assert_eq!((*stops > 0, &**action == "stop"), (!passes, !passes));
        assert_eq!(jenkins.security["data"].as_array().unwrap().len(), vulnerabilities.len());
        assert_eq!(readers::azure(run.code), Ok(passes));
        assert_eq!(readers::harbor(run.code), Ok(()));
        assert_eq!(readers::csv(&run.stdout).unwrap().lines().count(), 2 + vulnerabilities.len());
    }
}

#[test]
fn an_image_that_fails_is_removed_where_that_is_asked_for() {
    let Some(served) = served(Behaviour { passes: false, ..Behaviour::default() }) else { return };
    let place = Place::new();
    let run = scanned(&place, &served, &["-c"]).ends(1);
    assert!(
        run.stdout.ends_with(
            "Status is fail\nPDF report of the scan results can be generated with -r option.\n\
         Cleaning image from Anchore\n"
        ),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("View the full result"), "{}", run.stdout);
    assert!(served.backend.images.lock().unwrap().is_empty());
    // One that passes stays.
    served.backend.behaviour.lock().unwrap().passes = true;
    let run = scanned(&place, &served, &["-c"]).ends(0);
    assert!(!run.stdout.contains("Cleaning"), "{}", run.stdout);
    assert!(!run.stdout.contains("View the full result"), "{}", run.stdout);
    assert_eq!(served.backend.images.lock().unwrap().len(), 1);
}

#[test]
fn a_pdf_is_fetched_and_named_after_the_day() {
    let Some(served) = served(Behaviour::default()) else { return };
    let place = Place::new();
    fs::create_dir(place.path("reports")).unwrap();
    let run = scanned(&place, &served, &["-r", "reports"]).ends(0);
    let said = format!("Downloading PDF Scan result for image digest: {DIGEST}\nStatus is pass\n");
    assert!(run.stdout.contains(&said), "{}", run.stdout);
    let entries = fs::read_dir(place.path("reports")).unwrap();
    let names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    let day = name.strip_suffix("-demo:1-scan-result.pdf").unwrap();
    assert_eq!((day.len(), day.matches('-').count()), (10, 2));
    assert_eq!(
        fs::read(place.path("reports").join(name)).unwrap(),
        b"%PDF-1.4 of localbuild/demo:1"
    );
    scanned(&place, &served, &["-r", "nowhere"]).ends(3);
}

#[test]
fn an_old_backend_is_sent_it_another_way() {
    let behaviour = Behaviour { has_sync: false, has_own_account: false, ..Behaviour::default() };
    let Some(served) = served(behaviour) else { return };
    let place = Place::new();
    let run = scanned(&place, &served, &["--time-profile"]).ends(0);
    let sync = run.stdout.find("Time elapsed(Post analysis - sync): ").unwrap();
    let asynchronous = run.stdout.find("\n  Calling async import endpoint\n").unwrap();
    let done = run.stdout.find("Time elapsed(Post analysis - async): ").unwrap();
    assert!(sync < asynchronous && asynchronous < done, "{}", run.stdout);
    let result = run.stdout.find("Time elapsed(Get scan result): ").unwrap();
    assert!(done < result, "{}", run.stdout);
}

#[test]
fn a_token_that_is_refused_is_no_verdict_and_in_no_output() {
    let Some(served) = served(Behaviour::default()) else { return };
    let place = Place::new();
    let secret = "not-the-token-of-anybody";
    let run = scanned(&place, &served, &["-k", secret]).ends(3);
    let begin = format!(
        "\nERROR:\nInvalid token for specific Sysdig secure endpoint ({}/api/scanning/v1).\n",
        served.url()
    );
    assert!(run.stderr.starts_with(&begin), "{}", run.stderr);
    let object = scanned(&place, &served, &["--format=JSON", "-k", secret]).ends(3).object();
    assert!(object["error"].as_str().unwrap().starts_with("Invalid token for "));
}

#[test]
fn the_token_is_nowhere() {
    let Some(served) = served(Behaviour::default()) else { return };
    let place = Place::new();
    // In the address of a page, of an error, in a name: wherever it might be repeated.
    let file = place.path("out.json");
    let runs = [
        scanned(&place, &served, &["-v", "--write-json", file.to_str().unwrap()]),
        scanned(&place, &served, &["-k", TOKEN, "--format=JSON", "-v", "--time-profile"]),
        scanned(&place, &served, &["-k", TOKEN, "-f", TOKEN]),
        scanned(
            &place,
            &served,
            &["-k", TOKEN, "--registry-auth-basic", "u:password-4711", "-a", TOKEN],
        ),
    ];
    assert_eq!(runs.each_ref().map(|run| run.code), [0, 0, 3, 3]);
    for run in &runs {
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains(TOKEN) && !text.contains("password-4711"), "{text}");
        }
    }
    let files = place.files();
    assert!(files.len() >= 3, "log, report and object are there");
    for (path, content) in files {
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains(TOKEN), "{}", path.display());
    }
}

#[test]
fn a_backend_that_is_not_there_is_no_verdict() {
    let place = Place::new();
    let arguments = [
        "-k",
        "token",
        "-s",
        "http://127.0.0.1:1",
        "--storage-type=oci-archive",
        "--storage-path",
        DEMO,
        "demo:1",
    ];
    let mut command = place.command("sysdig-inline-scan.sh", &arguments);
    command.env("INSCAN_RETRIES", "0");
    let run = command.run().ends(3);
    assert!(run.stderr.contains("Unable to use the Sysdig secure endpoint"), "{}", run.stderr);
    assert!(!run.stderr.contains("Invalid token"), "{}", run.stderr);
}

#[test]
fn the_first_generation_ends_with_0_or_1() {
    let Some(served) = served(Behaviour::default()) else { return };
    let place = Place::new();
    let url = served.url();
    let first = |more: &[&str]| {
        let arguments = [&["analyze", "-s", &url], more].concat();
        let mut command = place.command("inline_scan.sh", &arguments);
        // No Docker is there.
        command.env("DOCKER_HOST", "unix:///no/docker.sock");
        command.run()
    };
    let run = first(&["-k", "wrong-token", "app:1"]).ends(1);
    assert!(run.stderr.starts_with("\n\tERROR - Invalid token"), "{}", run.stderr);
    let run = first(&["-k", TOKEN, "app:1"]).ends(1);
    assert!(run.stderr.contains("Please pull remote image"), "{}", run.stderr);
}
