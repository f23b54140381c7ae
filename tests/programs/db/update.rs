//! Fetching from a web server.

use std::fs;
use std::process::Command;

use inscan_test_support::need_programs;

use super::server::Server;
use super::{ADVISORIES, DEMO, damaged, demo, ends, json, openssl, succeeds, text};

#[test]
fn a_ready_database_is_fetched_once_and_taken_up_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let content = fs::read(DEMO).unwrap();
    let server = Server::new(&[("/v.db", content.clone())]);
    let url = server.url("/v.db");

    server.cut_next(&[10_000, 5_000]);
    succeeds(&["db", "update", &url], data);
    let ranges: Vec<_> = server.asked().into_iter().filter(|(path, ..)| path == "/v.db").collect();
    let asked: Vec<_> =
        ranges.iter().map(|(_, range, status)| (range.as_deref(), *status)).collect();
    assert_eq!(asked, [(None, 200), (Some("bytes=10000-"), 206), (Some("bytes=15000-"), 206)]);
    assert_eq!(fs::read(data.join("inscan/vulnerabilities.db")).unwrap(), content);

    // Within a day nothing is asked; with `--force` only whether it is newer.
    ends(&["db", "update"], data, 0, &["--force"]);
    assert_eq!(server.asked(), []);
    ends(&["db", "update", "--force"], data, 0, &["up to date"]);
    assert_eq!(server.asked(), [("/v.db".to_owned(), None, 304)]);

    // What broke off in one run is taken up in the next, unless it is another file by then.
    let newer = fs::read(demo(data, "newer.db", Some("NEW-1"))).unwrap();
    server.put("/v.db", newer.clone());
    server.cut_next(&[20_000]);
    ends(&["db", "update", "--force", "--retries", "0"], data, 3, &["127.0.0.1"]);
    assert_eq!(fs::read(data.join("inscan/vulnerabilities.db")).unwrap(), content);
    server.asked();
    let newest = fs::read(demo(data, "newest.db", Some("NEW-2"))).unwrap();
    server.put("/v.db", newest.clone());
    succeeds(&["db", "update", "--force"], data);
    assert_eq!(server.asked()[0], ("/v.db".to_owned(), Some("bytes=20000-".to_owned()), 200));
    assert_eq!(fs::read(data.join("inscan/vulnerabilities.db")).unwrap(), newest);
}

#[test]
fn public_sources_are_asked_at_a_mirror_and_the_rest_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let read = |name: &str| fs::read(format!("{ADVISORIES}/{name}")).unwrap();
    let osv = "/storage.googleapis.com/osv-vulnerabilities";
    let kev = "/www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";
    let record = |id: &str, name: &str| {
        format!(
            r#"{{"id": "{id}", "modified": "2025-12-01T00:00:00Z", "affected": [{{"package":
            {{"ecosystem": "npm", "name": "{name}"}}, "versions": ["1"]}}]}}"#
        )
    };
    // A member of the bucket need not be an archive: what a file is, its content says.
    let (npm, list) = (format!("{osv}/npm/all.zip"), format!("{osv}/ecosystems.txt"));
    let server = Server::new(&[
        (&list, b"npm\n".to_vec()),
        (&npm, record("NPM-1", "one").into_bytes()),
        (kev, read("kev.json")),
    ]);
    let mirror = server.url("");
    ends(
        &["db", "update", "--mirror", &mirror],
        data,
        0,
        &["epss_scores-current.csv.gz", "is not there"],
    );
    let asked = server.asked();
    assert!(asked.iter().any(|(path, _, status)| path == kev && *status == 200), "{asked:?}");
    let status = json(&["db", "status", "-o", "json"], data);
    assert_eq!(status["advisories"], 1);

    // They are remembered, and only what has changed comes again.
    server.put(&npm, record("NPM-2", "two").into_bytes());
    succeeds(&["db", "update", "--force"], data);
    let asked = server.asked();
    assert!(asked.contains(&(kev.to_owned(), None, 304)), "{asked:?}");
    assert!(asked.contains(&(npm.clone(), None, 200)), "{asked:?}");
    succeeds(&["db", "show", "NPM-2"], data);

    // Of the bucket only what was asked for.
    succeeds(&["db", "update", "--mirror", &mirror, "--ecosystem", "npm"], data);
    assert!(server.asked().iter().all(|(path, ..)| *path != list));
}

#[test]
fn what_does_not_fit_its_digest_or_signature_is_not_installed() {
    if !need_programs(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let content = fs::read(DEMO).unwrap();
    let digest = inscan_test_support::sha256(&content);
    let server = Server::new(&[("/v.db", content), ("/v.db.sha256", b"0000 v.db".to_vec())]);
    let url = server.url("/v.db");
    ends(&["db", "update", &url], data, 3, &["holds no digest"]);
    server.put("/v.db.sha256", format!("{}  v.db\n", "0".repeat(64)).into_bytes());
    ends(&["db", "update", &url], data, 3, &[&digest]);
    server.put("/v.db.sha256", format!("{digest}  v.db\n").into_bytes());

    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"], data);
    openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub.pem"], data);
    let sign = |key: &str| {
        openssl(&["pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", DEMO, "-out", "v.sig"], data);
        fs::read(data.join("v.sig")).unwrap()
    };
    let key = data.join("key.pub.pem");
    let with_key = ["db", "update", &url, "--verify-key", text(&key)];
    ends(&with_key, data, 3, &["no signature"]);
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "other.pem"], data);
    server.put("/v.db.sig", sign("other.pem"));
    ends(&with_key, data, 3, &["not to be trusted"]);
    assert!(!data.join("inscan/vulnerabilities.db").exists());
    let signature = sign("key.pem");
    server.put("/v.db.sig", signature.clone());
    succeeds(&with_key, data);

    // Carried by hand: the signature lies beside the file.
    let carried = data.join("carried.db");
    fs::copy(DEMO, &carried).unwrap();
    let import = ["db", "import", text(&carried), "--verify-key", text(&key)];
    ends(&import, data, 2, &["carried.db.sig"]);
    fs::write(data.join("carried.db.sig"), &signature).unwrap();
    succeeds(&import, data);
    fs::write(data.join("carried.db.sig"), &signature[1..]).unwrap();
    ends(&import, data, 3, &["not to be trusted"]);
    ends(&["db", "verify", "--verify-key", DEMO], data, 2, &["public key"]);
}

#[test]
fn what_is_no_database_or_may_not_be_asked_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::new(&[("/damaged.db", damaged()), ("/page.html", b"<html>".to_vec())]);
    ends(&["db", "update", &server.url("/damaged.db")], data, 3, &["damaged"]);
    ends(&["db", "update", &server.url("/page.html")], data, 3, &["nothing that a database"]);
    ends(&["db", "update", &server.url("/none.db"), "--retries", "0"], data, 3, &["404"]);
    ends(&["db", "update", &server.url("/none/")], data, 3, &["ecosystems.txt"]);
    server.asked();
    ends(&["db", "update", &server.url("/v.db"), "--offline"], data, 3, &["--offline"]);
    assert_eq!(server.asked(), []);
    ends(&["db", "update", "http://mirror.example/v.db"], data, 2, &["plain http"]);
    ends(&["db", "update", "ftp://mirror.example/v.db"], data, 2, &["is not a source"]);
    ends(&["db", "update", "vulnerabilities.db"], data, 2, &["is not a source"]);
}

/// A mirror of the bucket with two ecosystems, from the demonstration's advisories.
fn bucket() -> Vec<(&'static str, Vec<u8>)> {
    let archive = |folder: &str| {
        let script = "import pathlib, sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as archive:\n\
            \x20   for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n\
            \x20       archive.write(path, path.name)\n";
        let to = tempfile::tempdir().unwrap();
        let to = to.path().join("all.zip");
        let from = format!("{ADVISORIES}/{folder}");
        let done = Command::new("python3").args(["-c", script, &from, text(&to)]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        fs::read(to).unwrap()
    };
    let list = b"npm\nPyPI\nPyPI:1\n../../etc\nGone\n".to_vec();
    vec![
        ("/osv/ecosystems.txt", list),
        ("/osv/npm/all.zip", archive("npm")),
        ("/osv/PyPI/all.zip", archive("PyPI")),
        ("/epss.csv", fs::read(format!("{ADVISORIES}/epss.csv")).unwrap()),
    ]
}

#[test]
fn a_mirror_of_the_bucket_is_fetched_and_then_only_what_changed() {
    if !need_programs(&["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::new(&bucket());
    let (osv, epss) = (server.url("/osv/"), server.url("/epss.csv"));
    ends(&["db", "update", &osv, &epss], data, 0, &["4 advisories", "Gone/all.zip: is not there"]);
    let epss = json(&["db", "show", "CVE-2021-44906", "-o", "json"], data)["epss"][0].clone();
    assert_eq!(epss["probability"], 0.0103);
    let paths: Vec<String> = server.asked().into_iter().map(|(path, ..)| path).collect();
    assert!(
        paths.iter().all(|path| !path.contains("etc") && !path.contains("PyPI:1")),
        "{paths:?}"
    );

    ends(&["db", "update", "--force"], data, 0, &["up to date"]);
    assert!(server.asked().iter().all(|(path, _, status)| *status == 304
        || path.ends_with(".txt")
        || path.contains("Gone")));

    let npm = bucket().remove(2).1;
    server.put("/osv/npm/all.zip", npm);
    ends(&["db", "update", "--force"], data, 0, &["2 advisories"]);
    let fetched: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|(path, _, status)| *status == 200 && path.ends_with("zip"))
        .collect();
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    ends(&["db", "update", &osv, "--verify-key", DEMO_KEY], data, 2, &["no signature to verify"]);
}

const DEMO_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/signatures/ed25519.pub.pem");
