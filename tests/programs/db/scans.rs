//! Scans that bring the database up to date themselves.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use inscan_test_support::{IMAGE, need_programs};
use serde_json::{Value, json};

use super::server::Server;
use super::{DEMO, damaged, demo, ends, openssl, run, succeeds, text};

/// A scan with these arguments, which ends with the code and says the words.
#[track_caller]
fn scan(more: &[&str], data: &Path, code: i32, words: &[&str]) {
    let arguments = [&["scan", IMAGE, "--no-cache", "-o", "json"][..], more].concat();
    ends(&arguments, data, code, words);
}

fn state(data: &Path) -> Value {
    let text = fs::read(data.join("inscan/vulnerabilities.db.state.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// As if it had been asked, and had failed, so long ago.
fn age(data: &Path, hours: i64) {
    let mut state = state(data);
    let earlier = |seconds: &Value| json!(seconds.as_i64().unwrap() - hours * 3600);
    state["checked"] = earlier(&state["checked"]);
    if let Some(at) = state.pointer_mut("/failed/at") {
        *at = earlier(at);
    }
    fs::write(data.join("inscan/vulnerabilities.db.state.json"), state.to_string()).unwrap();
}

fn is_installed(data: &Path, content: &[u8]) -> bool {
    fs::read(data.join("inscan/vulnerabilities.db")).is_ok_and(|installed| installed == content)
}

#[test]
fn a_scan_asks_once_a_day_and_judges_with_what_it_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let content = fs::read(DEMO).unwrap();
    let server = Server::new(&[("/v.db", content.clone())]);
    let url = server.url("/v.db");
    let gated = ["--db-update", &url, "--fail-on", "high"];

    // Without a source nobody is asked, and without a database no gate can pass.
    scan(&["--fail-on", "high"], data, 3, &["no vulnerability database"]);
    // Nor where the network is forbidden.
    scan(&[&gated[..], &["--offline"]].concat(), data, 3, &["no vulnerability database"]);
    assert_eq!(server.asked(), []);

    scan(
        &gated,
        data,
        1,
        &["data of 2025-11-21", "updated the vulnerability database", "the image fails"],
    );
    assert!(is_installed(data, &content));
    assert_eq!(server.asked()[0].0, "/v.db");

    // Within a day: silence, whatever there is.
    let newer = fs::read(demo(data, "newer.db", Some("NEW-1"))).unwrap();
    server.put("/v.db", newer.clone());
    scan(&gated, data, 1, &[]);
    age(data, 23);
    scan(&gated, data, 1, &[]);
    assert_eq!(server.asked(), []);
    assert!(is_installed(data, &content));

    age(data, 1);
    scan(&gated, data, 1, &["updated the vulnerability database"]);
    assert!(is_installed(data, &newer));
    server.asked();

    // A day later there is nothing new: one question, and no word of it.
    age(data, 24);
    let output = run(&["scan", IMAGE, "--no-cache", "--db-update", &url], data);
    assert_eq!(server.asked(), [("/v.db".to_owned(), None, 304)]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("newer"), "{output:?}");
}

#[test]
fn an_evaluation_takes_its_source_from_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::new(&[("/v.db", fs::read(DEMO).unwrap())]);
    let settings = data.join("settings.yaml");
    fs::write(&settings, format!("db-update: {}\n", server.url("/v.db"))).unwrap();
    let document = data.join("document.json");
    fs::write(&document, succeeds(&["analyze", IMAGE, "--no-cache"], data)).unwrap();
    let evaluate = ["evaluate", text(&document), "-o", "json", "--config", text(&settings)];
    let found: Value = serde_json::from_str(&succeeds(&evaluate, data)).unwrap();
    assert_eq!(found["findings"].as_array().unwrap().len(), 4);
    let explain = ["explain", "CVE-2024-3651", text(&document), "--config", text(&settings)];
    assert!(succeeds(&explain, data).contains("idna"));
    assert_eq!(server.asked().iter().filter(|(path, ..)| path == "/v.db").count(), 1);
}

#[test]
fn what_cannot_be_fetched_in_time_does_not_keep_from_scanning() {
    if !need_programs(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    succeeds(&["db", "import", DEMO], data);
    let content = fs::read(DEMO).unwrap();

    // One that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v.db", silent.local_addr().unwrap());
    thread::spawn(move || silent.incoming().map(Result::unwrap).collect::<Vec<_>>());
    let begun = Instant::now();
    let slow = ["--db-update", &url, "--db-update-deadline", "1", "--fail-on", "high"];
    let going_on = ["no newer vulnerability database", "going on", "data of 2025-11-21"];
    scan(&slow, data, 1, &going_on);
    let taken = begun.elapsed();
    assert!(taken > Duration::from_secs(1) && taken < Duration::from_secs(20), "{taken:?}");
    assert!(is_installed(data, &content));

    // It is not tried at each scan, but again after an hour.
    let output = run(&["scan", IMAGE, "--no-cache", "--db-update", &url], data);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("newer"), "{output:?}");
    age(data, 2);
    scan(&slow, data, 1, &going_on);

    // Nobody there; no such file; no database; a damaged one; one without a signature.
    let server = Server::new(&[("/damaged.db", damaged()), ("/page", b"<html>".to_vec())]);
    server.put("/good.db", content.clone());
    for (path, word) in
        [("/none.db", "404"), ("/page", "no database"), ("/damaged.db", "is damaged")]
    {
        let url = server.url(path);
        scan(
            &["--db-update", &url, "--fail-on", "high"],
            data,
            1,
            &[&going_on[..], &[word]].concat(),
        );
    }
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"], data);
    openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub.pem"], data);
    let (url, key) = (server.url("/good.db"), data.join("key.pub.pem"));
    scan(&["--db-update", &url, "--db-verify-key", text(&key)], data, 0, &["no signature"]);
    assert!(is_installed(data, &content));
    drop(server);
    age(data, 2);
    scan(&["--db-update", &url, "--db-update-deadline", "1"], data, 0, &going_on);
}

#[test]
fn a_source_that_is_none_is_a_wrong_parameter() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    for (source, word) in [
        ("http://mirror.example/v.db", "plain http"),
        ("vulnerabilities.db", "is not a source"),
        ("https://mirror.example/osv/", "a scan does not build one"),
    ] {
        scan(&["--db-update", source], data, 2, &[word]);
    }
}

#[test]
fn scans_at_once_fetch_the_first_database_together() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let content = fs::read(DEMO).unwrap();
    let server = Server::new(&[("/v.db", content.clone())]);
    let url = server.url("/v.db");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let arguments =
                    ["scan", IMAGE, "--no-cache", "--db-update", &url, "--fail-on", "high"];
                let output = run(&arguments, data);
                assert_eq!(output.status.code(), Some(1), "{output:?}");
            });
        }
    });
    let fetched =
        server.asked().into_iter().filter(|(path, _, status)| path == "/v.db" && *status == 200);
    assert_eq!(fetched.count(), 1);
    assert!(is_installed(data, &content));
}

#[test]
fn a_database_that_is_named_and_not_there_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.db");
    let words = ["`--db` names", "missing.db", "is not there", "inscan db update"];
    for command in [&["scan", IMAGE][..], &["explain", "CVE-2024-1", IMAGE]] {
        ends(&[command, &["--db", text(&missing)]].concat(), folder.path(), 2, &words);
    }
    let server = Server::new(&[("/v.db", fs::read(DEMO).unwrap())]);
    scan(
        &["--db", text(&missing), "--db-update", &server.url("/v.db")],
        folder.path(),
        0,
        &["updated the vulnerability database"],
    );
}
