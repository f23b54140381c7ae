//! The way of an image to its verdict.

use std::fs;

use inscan_test_support::oracle::oracle;
use serde_json::{Value, json};

use super::parts::{DEMO, TAG, archive, ends, inscan, served, stderr, stdout, upload};
use super::stand_in::{Behaviour, PASSWORD, Served, Stored, TOKEN, USER};

const PREFIX: &str = "/api/scanning/v1";

/// What was asked, with the image's digest as `D` and without Sysdig's prefix.
fn asked(served: &Served) -> Vec<String> {
    let digest = digest(served);
    let short = |call: String| call.replace(&digest, "D").replace(PREFIX, "");
    served.asked().into_iter().map(short).collect()
}

fn digest(served: &Served) -> String {
    let images = served.backend.images.lock().unwrap();
    images.keys().next().cloned().unwrap_or_default()
}

#[test]
fn an_image_is_analyzed_sent_and_judged() {
    let Some(served) = served(Behaviour::default()) else { return };
    let output = ends(upload(&served, &[]), 0);
    let table = stdout(&output);
    assert!(table.contains("PASS  final action warn") && table.contains(TAG), "{table}");
    assert!(table.contains("warn  dockerfile:instruction"), "{table}");
    assert_eq!(
        asked(&served),
        [
            "GET /anchore/status",
            "GET /anchore/images/D/check",
            "GET /anchore/images/D/check",
            "GET /account",
            "POST /sync/import/images",
            "GET /anchore/images/D/check",
            "GET /anchore/images/D/check",
            "GET /anchore/images/D/check",
        ]
    );
    let images = served.backend.images.lock().unwrap();
    let stored = images.values().next().unwrap();
    assert_eq!((&*stored.account, &stored.tags[..]), ("tenant_of_sysdig", &[TAG.to_owned()][..]));
}

#[test]
fn the_verdict_is_the_exit_code_and_every_source_gives_the_same() {
    let Some(oracle) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("document.json");
    let analyze = format!("document={}", document.display());
    ends(inscan(&["analyze", DEMO, "--tag", TAG, "-o", &analyze]), 0);
    let (document, archive) = (document.to_str().unwrap(), archive().to_str().unwrap());
    for (passes, code) in [(true, 0), (false, 1)] {
        for source in [DEMO, document, archive] {
            let served = Served::start(&oracle, Behaviour { passes, ..Behaviour::default() });
            let mut command = inscan(&["upload", source, "--url", &served.url(), "-o", "json"]);
            command.env("SYSDIG_API_TOKEN", TOKEN);
            if source == DEMO {
                command.args(["--tag", TAG]);
            }
            let output = ends(command, code);
            let told: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(told["status"], if passes { "pass" } else { "fail" });
            assert_eq!((&told["image"]["reference"], &told["sent"]), (&json!(TAG), &json!(true)));
            assert_eq!(told["image"]["digest"], digest(&served));
            let findings = told["findings"].as_array().unwrap();
            assert!(findings.iter().any(|it| it["gate"] == "dockerfile"), "{told}");
        }
    }
}

#[test]
fn the_scan_of_an_image_ends_with_the_backends_verdict() {
    let Some(oracle) = oracle() else { return };
    for (passes, code) in [(true, 0), (false, 1)] {
        let served = Served::start(&oracle, Behaviour { passes, ..Behaviour::default() });
        let mut command = inscan(&["scan", DEMO, "--upload", "--tag", TAG, "--url", &served.url()]);
        command.env("INSCAN_TOKEN", TOKEN);
        let output = ends(command, code);
        let shown = stdout(&output);
        let verdict = if passes { "PASS  final action" } else { "FAIL  final action" };
        assert!(shown.contains(verdict) && shown.contains("Packages"), "{shown}");
    }
    let mut command = inscan(&["scan", DEMO, "--upload", "--url", "http://127.0.0.1:1"]);
    command.env("INSCAN_TOKEN", TOKEN);
    let output = ends(command, 3);
    assert!(stdout(&output).is_empty(), "{}", stdout(&output));
}

#[test]
fn what_is_known_is_neither_analyzed_nor_sent_but_named() {
    let Some(served) = served(Behaviour { looks: 0, ..Behaviour::default() }) else { return };
    ends(upload(&served, &[]), 0);
    served.backend.log.lock().unwrap().clear();
    let other = "registry.example/other:2";
    let mut command = inscan(&["upload", DEMO, "--tag", other, "--url", &served.url()]);
    let output = ends(
        {
            command.env("SDC_TOKEN", TOKEN);
            command
        },
        0,
    );
    assert!(stderr(&output).contains("it is not sent") && !stderr(&output).contains("analyzing"));
    let expected = ["GET /anchore/status", "GET /anchore/images/D/check", "PUT /images/D/addAlias"];
    assert_eq!(asked(&served), expected);
    let images = served.backend.images.lock().unwrap();
    assert_eq!(images.values().next().unwrap().tags, [TAG, other]);
}

#[test]
fn older_backends_have_fewer_calls() {
    let behaviour = Behaviour {
        has_sync: false,
        has_alias: false,
        has_own_account: false,
        ..Behaviour::default()
    };
    let Some(served) = served(behaviour) else { return };
    let output = ends(upload(&served, &[]), 0);
    assert!(stderr(&output).contains("asynchronous"), "{}", stderr(&output));
    let asked = asked(&served);
    for call in
        ["GET /account", "GET /anchore/account", "POST /sync/import/images", "POST /import/images"]
    {
        assert!(asked.iter().any(|it| it == call), "{asked:?}");
    }
    let images = served.backend.images.lock().unwrap();
    assert_eq!(images.values().next().unwrap().account, "tenant_of_anchore");
}

#[test]
fn an_engine_is_asked_with_user_and_password() {
    let Some(served) = served(Behaviour::default()) else { return };
    let url = format!("{}/v1", served.url());
    let arguments =
        ["upload", DEMO, "--tag", TAG, "--backend", "anchore", "--url", &url, "--user", USER];
    let command = |password: &str| {
        let mut command = inscan(&arguments);
        command.env("ANCHORE_CLI_PASS", password);
        command
    };
    let said = stderr(&ends(command("wrong-password"), 3));
    assert!(said.contains("401 Unauthorized") && !said.contains("wrong-password"), "{said}");
    let output = ends(command(PASSWORD), 0);
    assert!(stdout(&output).contains("PASS"));
    assert!(served.asked().iter().all(|call| call.contains(" /v1/")), "{:?}", served.asked());
}

#[test]
fn an_image_that_is_there_under_another_name_is_no_failure() {
    let Some(served) = served(Behaviour::default()) else { return };
    // It is there, and not judged yet: the archive is refused as a conflict.
    let digest = {
        ends(upload(&served, &[]), 0);
        digest(&served)
    };
    let stored =
        Stored { tags: vec!["other:1".into()], image_id: "ab".repeat(32), ..Stored::default() };
    served.backend.images.lock().unwrap().insert(digest, stored);
    let behaviour = Behaviour { looks: 4, ..Behaviour::default() };
    *served.backend.behaviour.lock().unwrap() = behaviour;
    let output = ends(upload(&served, &[]), 0);
    assert!(stderr(&output).contains("has the image already"), "{}", stderr(&output));
    let images = served.backend.images.lock().unwrap();
    assert_eq!(images.values().next().unwrap().tags, ["other:1", TAG]);
}

#[test]
fn an_import_that_broke_off_is_replaced_when_asked() {
    let Some(served) = served(Behaviour::default()) else { return };
    ends(upload(&served, &[]), 0);
    served.backend.images.lock().unwrap().values_mut().for_each(|image| image.is_broken = true);
    let said = stderr(&ends(upload(&served, &["--poll-interval", "0.001"]), 3));
    assert!(said.contains("not judged in time") && said.contains("--replace"), "{said}");
    served.backend.log.lock().unwrap().clear();
    ends(upload(&served, &["--replace"]), 0);
    let asked = asked(&served);
    let at =
        |call: &str| asked.iter().position(|it| it == call).unwrap_or_else(|| panic!("{asked:?}"));
    assert!(at("DELETE /anchore/images/D") < at("POST /sync/import/images"));
}

#[test]
fn the_backends_answers_its_report_and_the_removal() {
    let Some(served) = served(Behaviour { passes: false, ..Behaviour::default() }) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let to = |format: &str| format!("{format}={}", file(&format!("{format}.json")).display());
    let pdf = folder.path().to_str().unwrap();
    let (anchore, list) = (to("anchore"), to("vulnerabilities"));
    let more = ["-o", &anchore, "-o", &list, "--pdf", pdf, "--remove-failed"];
    let output = ends(upload(&served, &more), 1);
    assert!(stderr(&output).contains("removed from the backend"), "{}", stderr(&output));
    assert!(served.backend.images.lock().unwrap().is_empty());
    let read =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(file(name)).unwrap()).unwrap() };
    let check = read("anchore.json");
    let digest = check[0].as_object().unwrap().keys().next().unwrap().clone();
    assert_eq!(check[0][&digest][TAG][0]["status"], "fail");
    assert!(check[0][&digest][TAG][0]["detail"]["policy"]["policies"].is_array());
    let list = read("vulnerabilities.json");
    assert_eq!(
        (&list["imageDigest"], &list["vulnerability_type"]),
        (&json!(digest), &json!("all"))
    );
    let report = file("2026-11-22-demo:1.0-scan-result.pdf");
    assert_eq!(fs::read_to_string(report).unwrap(), format!("%PDF-1.4 of {TAG}"));
}
