//! A database from small inputs, and everything that is looked up in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use inscan_test_support::zip;
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::advisory::{Event, Status};
use super::build::{Dates, Report, build};
use super::{Database, Error};
use inscan_facts::progress::Silent;

const FIRST: &str = r#"{"id": "GHSA-aaaa", "aliases": ["CVE-2024-1"], "modified": "2024-05-01T00:00:00Z",
    "summary": "it is broken", "details": "in this way",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "references": [{"type": "WEB", "url": "https://one.example"}],
    "affected": [
        {"package": {"ecosystem": "PyPI", "name": "Zope.Interface"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.1"}]}]},
        {"package": {"ecosystem": "npm", "name": "zope"}, "versions": ["1.0.0"]}]}"#;
const SECOND: &str = r#"{"id": "PYSEC-2024-1", "aliases": ["GHSA-aaaa"], "modified": "2024-04-01T00:00:00Z",
    "withdrawn": "2024-04-02T00:00:00Z",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "zope-interface"}, "versions": ["5.0"]}]}"#;
const SECDB: &str = r#"{"distroversion": "v3.20", "reponame": "main", "urlprefix": "https://mirror.example",
    "packages": [{"pkg": {"name": "zlib", "secfixes": {"1.3-r1": ["CVE-2024-1"], "0": ["CVE-2024-2"]}}}]}"#;
const KEV: &str = r#"{"catalogVersion": "1", "dateReleased": "2024-06-01T00:00:00Z",
    "vulnerabilities": [{"cveID": "CVE-2024-1", "dateAdded": "2024-05-30", "dueDate": "2024-06-20"}]}"#;
const EPSS: &str = "#model_version:v1,score_date:2024-06-02T00:00:00+0000\ncve,epss,percentile\n\
    CVE-2024-1,0.94321,0.99\nCVE-2024-2,0.00042,0.1\n";
const DISTRO_INFO: &str = "version,codename,series,created,release,eol,eol-lts,eol-elts\n\
    12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30\n";
const PRODUCTS: &str = r#"{"debian": [{"releaseCycle": "12", "eol": "2000-01-01", "codename": "x"}],
    "alpine-linux": [{"releaseCycle": "3.20", "eol": "2026-04-01T00:00:00Z"}]}"#;
const RATINGS: &str = concat!(
    r#"{"cve": "CVE-2024-2", "cvss": {"cvssV3_1": "CVSS:3.1/AV:L"}, "cwe": ["CWE-1"]}"#,
    "\n",
    r#"{"cve": "CVE-2024-3", "cvss": {"cvssV2_0": "AV:N"}, "ssvc": {"Exploitation": "active"}}"#,
    "\n",
);
const PAGE: &str = r#"{"data": [{"Vulnerability": {"Name": "CVE-2024-1", "NamespaceName": "alpine:3.20", "Severity": "High",
    "FixedIn": [{"Name": "zlib", "Version": "None", "VersionFormat": "apk", "VendorAdvisory": {"NoAdvisory": true}}]}}],
    "next_token": null}"#;
const EMPTY_PAGE: &str = r#"{"data": [], "next_token": null}"#;
const LIST: &str =
    r#"{"data": [{"rake": {"versions": ["13.0"], "latest": "13.0"}}], "next_token": null}"#;

/// Everything above, under names that say little.
const FILES: &[(&str, &str)] = &[
    ("one.json", FIRST),
    ("b/two.json", SECOND),
    ("three.json", SECDB),
    ("kev", KEV),
    ("epss.csv.gz", EPSS),
    ("info.csv", DISTRO_INFO),
    ("products.json", PRODUCTS),
    ("ratings.jsonl.gz", RATINGS),
    ("feed/alpine:3.20.json", PAGE),
    ("feed/ubuntu:18.04.json", EMPTY_PAGE),
    ("feed/gem.json", LIST),
    ("README", "nothing to be read"),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn folder(files: &[(&str, impl AsRef<[u8]>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content = content.as_ref();
        let is_to_be_compressed = name.ends_with(".gz") && !content.starts_with(&[0x1f, 0x8b]);
        fs::write(path, if is_to_be_compressed { gzip(content) } else { content.to_vec() })
            .unwrap();
    }
    folder
}

fn dates() -> Dates {
    Dates { now: "2025-01-01T00:00:00Z".parse().unwrap(), built: None }
}

fn built(inputs: &[PathBuf], output: &Path) -> Report {
    build(inputs, output, dates(), &Silent).unwrap()
}

/// The database from files, and what the build says.
fn database(files: &[(&str, impl AsRef<[u8]>)]) -> (TempDir, Database, Report) {
    let inputs = folder(files);
    let output = inputs.path().join("out.db");
    let report = built(&[inputs.path().to_owned()], &output);
    let database = Database::open(&output).unwrap();
    (inputs, database, report)
}

#[test]
fn what_was_read_is_found_again() {
    let (_folder, database, report) = database(FILES);
    database.verify().unwrap();

    // By the name as anybody writes it, and as the source does.
    let found = database.advisories_for("PyPI", "zope_interface").unwrap();
    let ids: Vec<&str> = found.iter().map(|advisory| advisory.id.as_str()).collect();
    assert_eq!(ids, ["GHSA-aaaa", "PYSEC-2024-1"]);
    assert_eq!(found[0].summary, "it is broken");
    assert_eq!((found[0].affected.len(), found[0].details.as_str()), (1, ""));
    assert_eq!(found[0].affected[0].name, "Zope.Interface");
    assert_eq!(found[0].affected[0].ranges[0].events[1], Event::Fixed("5.1".into()));
    assert!(found[1].withdrawn.is_some());
    assert_eq!(found[1].affected[0].name, "zope-interface");
    assert_eq!(found[1].affected[0].ecosystem, "PyPI");

    let whole = database.advisory("GHSA-aaaa").unwrap().unwrap();
    assert_eq!((whole.details.as_str(), whole.references.len()), ("in this way", 1));
    let names: Vec<&str> = whole.affected.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["Zope.Interface", "zope"]);
    assert_eq!(database.advisory("CVE-0000-0").unwrap(), None);

    let family = ["ALPINE-CVE-2024-1", "CVE-2024-1", "GHSA-aaaa", "PYSEC-2024-1"];
    assert_eq!(database.aliases("PYSEC-2024-1").unwrap(), family);
    assert_eq!(database.aliases("X").unwrap(), ["X"]);

    let alpine = database.advisories_for("Alpine:v3.20", "zlib").unwrap();
    assert_eq!(alpine.len(), 2);
    assert_eq!(alpine[1].affected[0].status, Status::NotAffected);
    assert!(database.advisories_for("Alpine:v3.21", "zlib").unwrap().is_empty());

    assert_eq!(database.kev("CVE-2024-1").unwrap().unwrap().due, "2024-06-20");
    assert_eq!(database.kev("CVE-2024-2").unwrap(), None);
    let epss = database.epss("CVE-2024-1").unwrap().unwrap();
    assert_eq!((epss.probability, epss.percentile), (0.94321, 0.99));
    let rating = database.rating("CVE-2024-3").unwrap().unwrap();
    assert_eq!(rating.exploitation.as_deref(), Some("active"));

    // Debian's own word before that of others, and what it does not say from them.
    let debian = database.end_of_life("debian", "12.5").unwrap().unwrap();
    assert_eq!(debian.ends.unwrap().to_string(), "2026-07-11");
    assert_eq!(debian.codename.as_deref(), Some("Bookworm"));
    let alpine = database.end_of_life("alpine", "v3.20.3").unwrap().unwrap();
    assert_eq!(alpine.is_over("2026-04-01".parse().unwrap()), Some(false));
    assert_eq!(alpine.is_over("2026-04-02".parse().unwrap()), Some(true));
    assert_eq!(database.end_of_life("alpine", "3.2").unwrap(), None);

    let coverage = database.coverage("PyPI").unwrap().unwrap();
    assert_eq!((coverage.records, coverage.packages), (2, 1));
    assert_eq!(coverage.newest, Some("2024-05-01T00:00:00Z".parse().unwrap()));
    assert_eq!(database.coverage("Debian:12").unwrap(), None);

    let about = database.about().unwrap();
    assert_eq!(about.built, "2024-06-02T00:00:00Z".parse().unwrap());
    assert_eq!(about.age(dates().now).as_secs() / 86400, 213);
    assert_eq!(report.skipped.len(), 1);
    assert!(report.skipped[0].input.ends_with("README"), "{:?}", report.skipped);
}

#[test]
fn groups_of_a_feed_stay_what_they_are() {
    let (_folder, database, _) = database(FILES);
    let found = database.advisories_for("alpine:3.20", "zlib").unwrap();
    assert_eq!(
        (found[0].id.as_str(), found[0].severity_word.as_deref()),
        ("CVE-2024-1", Some("High"))
    );
    assert_eq!(found[0].affected[0].status, Status::WillNotFix);
    assert_eq!(database.records("CVE-2024-1").unwrap().len(), 1);
    assert_eq!(database.coverage("ubuntu:18.04").unwrap().unwrap().records, 0);
    assert_eq!(database.listed("gem", "rake").unwrap().unwrap()["latest"], "13.0");
    assert_eq!(database.listed("gem", "rails").unwrap(), None);
    assert_eq!(["gem", "npm"].map(|feed| database.has_list(feed).unwrap()), [true, false]);
}

#[test]
fn the_same_inputs_give_the_same_bytes_in_any_order_and_wherever_they_lie() {
    let (one, other) = (
        folder(FILES),
        folder(&[("all.zip", zip(&[("x.json", FIRST.as_bytes()), ("y.json", SECOND.as_bytes())]))]),
    );
    let mut rest: Vec<PathBuf> = FILES[2..].iter().map(|(name, _)| one.path().join(name)).collect();
    let all: Vec<PathBuf> = FILES.iter().map(|(name, _)| one.path().join(name)).collect();
    rest.reverse();
    rest.push(other.path().join("all.zip"));
    let out = tempfile::tempdir().unwrap();
    let (first, second, third) = (out.path().join("1"), out.path().join("2"), out.path().join("3"));
    built(&[one.path().to_owned()], &first);
    built(&all.iter().rev().cloned().collect::<Vec<_>>(), &second);
    built(&rest, &third);
    assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap());
    assert!(fs::read(&first).unwrap() == fs::read(&third).unwrap());
}

#[test]
fn what_is_broken_or_hostile_is_said_and_the_rest_is_read() {
    let deep = format!(
        "{}{}",
        r#"{"id": "D", "affected": "#.to_owned() + &"[".repeat(5000),
        "]".repeat(5000)
    );
    let bomb = " ".repeat(40 << 20);
    let huge = zip(&[("bomb.json", bomb.as_bytes()), ("good.json", FIRST.as_bytes())]);
    let half = zip(&[("a.json", FIRST.as_bytes()), ("b.json", SECOND.as_bytes())]);
    let half = half[..half.len() / 2].to_vec();
    let not_text = [b"\xef\xbb\xbf{\"id\": \"X-1\", \"modified\": \"2024-01-01\", \"summary\": \"\xff\", \"affected\": [{\"package\": {\"ecosystem\": \"Go\", \"name\": \"x\"}}]}".as_slice()].concat();
    let (_folder, database, report) = database(&[
        ("deep.json", deep.into_bytes()),
        ("huge.zip", huge),
        ("half.zip", half),
        ("nested.zip", zip(&[("inner.zip", b"PK\x03\x04")])),
        ("text.json", not_text),
        ("cut.json", FIRST.as_bytes()[..200].to_vec()),
        ("no-id.json", br#"{"id": "", "affected": []}"#.to_vec()),
        ("null.json", b"\0\0\0\0\xff".to_vec()),
        ("empty.json", Vec::new()),
        ("other.db", b"SQLite format 3\0".to_vec()),
        ("bomb.json.gz", gzip(&vec![b' '; 1 << 20])),
    ]);
    assert_eq!(database.about().unwrap().advisories, 2);
    assert_eq!(database.advisories_for("Go", "x").unwrap()[0].summary, "\u{fffd}");
    let said: Vec<String> = report
        .skipped
        .iter()
        .map(|one| format!("{}: {}", one.input.rsplit('/').next().unwrap(), one.reason))
        .collect();
    for expected in [
        "cut.json: broken JSON",
        "deep.json: broken JSON",
        "half.zip: not a zip archive: it has no end record",
        "huge.zip: member `bomb.json` is larger than the limit of 33554432 bytes",
        "nested.zip: an archive within an archive",
        "no-id.json: a record without an id",
        "null.json: not recognised",
        "other.db: a database: take `inscan db import` for one of inscan",
        "text.json: bytes that are not UTF-8, replaced",
    ] {
        assert!(said.iter().any(|one| one == expected), "no `{expected}` in {said:#?}");
    }
}

#[test]
fn nothing_is_made_of_nothing() {
    let inputs = folder(&[("a.txt", "x")]);
    let output = inputs.path().join("out.db");
    let error = build(&[inputs.path().to_owned()], &output, dates(), &Silent).unwrap_err();
    assert!(matches!(error, super::build::Error::Nothing));
    assert!(!output.exists());
    let names: Vec<_> = fs::read_dir(inputs.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "something is left behind");
}

#[test]
fn a_date_in_the_future_is_not_believed() {
    let later = FIRST.replace("2024-05-01", "2099-05-01");
    let (_folder, database, _) = database(&[("a.json", later.as_str()), ("b.json", SECOND)]);
    let about = database.about().unwrap();
    assert_eq!(about.built, "2024-04-01T00:00:00Z".parse::<Timestamp>().unwrap());
}

#[test]
fn a_file_that_is_not_ours_is_refused() {
    let (folder, _, _) = database(FILES);
    let good = folder.path().join("out.db");
    let refused = |change: &dyn Fn(&Path)| {
        let path = folder.path().join("bad.db");
        fs::copy(&good, &path).unwrap();
        change(&path);
        Database::open(&path).err().expect("refused")
    };
    let sql = |sql: &'static str| {
        move |path: &Path| Connection::open(path).unwrap().execute_batch(sql).unwrap()
    };
    assert!(matches!(refused(&|path| fs::write(path, "x").unwrap()), Error::Foreign(_)));
    assert!(matches!(refused(&sql("PRAGMA application_id = 1")), Error::Foreign(_)));
    let newer = refused(&sql("PRAGMA user_version = 99"));
    assert!(newer.to_string().contains("a newer inscan is needed"), "{newer}");
    assert!(matches!(refused(&sql("CREATE VIEW v AS SELECT 1")), Error::Foreign(_)));
    let trigger = "CREATE TRIGGER t AFTER INSERT ON kev BEGIN SELECT 1; END";
    assert!(matches!(refused(&sql(trigger)), Error::Foreign(_)));
    assert!(matches!(refused(&|path| fs::remove_file(path).unwrap()), Error::Io { .. }));
}

#[test]
fn a_file_that_was_changed_is_noticed_and_never_a_panic() {
    let (folder, _, _) = database(FILES);
    let good = fs::read(folder.path().join("out.db")).unwrap();
    let path = folder.path().join("bad.db");
    let mut noticed = 0;
    let mut tried = 0;
    // Behind the header, one byte after another: every 97th.
    for at in (100..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        fs::write(&path, &bad).unwrap();
        tried += 1;
        let Ok(database) = Database::open(&path) else {
            noticed += 1;
            continue;
        };
        let _ = database.advisories_for("PyPI", "zope.interface");
        let _ = database.advisory("GHSA-aaaa");
        let _ = database.aliases("CVE-2024-1");
        let _ = (database.coverages(), database.about(), database.epss("CVE-2024-1"));
        let used = database.verify().is_err();
        noticed += usize::from(used);
    }
    // What is not noticed lies in the unused parts of pages.
    assert!(noticed > 20, "{noticed} of {tried}");
    // Cut anywhere, it is refused or at least found to be damaged.
    for cut in (0..good.len()).step_by(4096).chain([50, 150]) {
        fs::write(&path, &good[..cut]).unwrap();
        if let Ok(database) = Database::open(&path) {
            assert!(database.verify().is_err(), "cut at {cut}");
        }
    }
}
