//! `inscan db`: building, looking things up, carrying and fetching the database.

mod registry;
mod scans;
mod server;
mod update;
mod whole;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use inscan_test_support::{DATABASE as DEMO, Inscan};
use inscan_vulndb::{Database, place};
use serde_json::Value;
use tempfile::TempDir;

const ADVISORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/advisories");

/// The binary, with a folder for its databases.
fn inscan(arguments: &[&str], data: &Path) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("XDG_DATA_HOME", data);
    inscan
}

fn run(arguments: &[&str], data: &Path) -> Output {
    inscan(arguments, data).output().unwrap()
}

/// What it prints; it ends well.
#[track_caller]
fn succeeds(arguments: &[&str], data: &Path) -> String {
    inscan(arguments, data).run().ends(0).stdout
}

/// What it says on stderr where it ends with the code.
#[track_caller]
fn ends(arguments: &[&str], data: &Path, code: i32, words: &[&str]) {
    inscan(arguments, data).run().ends(code).says(words);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(arguments: &[&str], data: &Path) -> Value {
    serde_json::from_str(&succeeds(arguments, data)).unwrap()
}

/// A database of the demonstration's advisories, and of one more if it is named.
fn demo(folder: &Path, name: &str, more: Option<&str>) -> PathBuf {
    let path = folder.join(name);
    let mut arguments = vec!["db", "build", "-q", "-o", text(&path), "--from", ADVISORIES];
    let other = folder.join("more");
    if let Some(id) = more {
        let record = format!(
            r#"{{"id": "{id}", "modified": "2025-12-01T00:00:00Z", "affected": [{{"package":
            {{"ecosystem": "npm", "name": "{id}"}}, "versions": ["1"]}}]}}"#
        );
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("more.json"), record).unwrap();
        arguments.extend(["--from", text(&other)]);
    }
    succeeds(&arguments, folder);
    path
}

#[test]
fn the_repository_s_own_database_is_built_of_its_advisories() {
    let folder = tempfile::tempdir().unwrap();
    let built = fs::read(demo(folder.path(), "demo.db", None)).unwrap();
    if std::env::var_os("UPDATE_DEMO_DB").is_some() {
        fs::write(DEMO, &built).unwrap();
    }
    let fresh = fs::read(DEMO).is_ok_and(|kept| kept == built);
    assert!(fresh, "fixtures/vulndb/demo.db: run `UPDATE_DEMO_DB=1 cargo test --test programs`");
}

#[test]
fn without_a_database_it_is_said_how_to_get_one() {
    let data = tempfile::tempdir().unwrap();
    for command in [&["db", "status"][..], &["db", "show", "CVE-2024-1"], &["db", "search", "x"]] {
        ends(command, data.path(), 2, &["inscan/vulnerabilities.db", "inscan db update"]);
    }
    // The public sources, which are not asked here.
    let said = ["none of the public sources", "osv-vulnerabilities"];
    ends(&["db", "update", "--offline"], data.path(), 3, &said);
    ends(&["db", "import", "/no/such/file"], data.path(), 2, &["/no/such/file"]);
    ends(&["db", "build", "-o", "x.db", "--from", "/no/such"], data.path(), 2, &["/no/such"]);
    ends(
        &["db", "build", "-o", "/no/such/x.db", "--from", ADVISORIES],
        data.path(),
        2,
        &["/no/such/x.db"],
    );
}

#[test]
fn a_database_is_carried_and_looked_into() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    succeeds(&["db", "import", DEMO], data);
    succeeds(&["db", "verify"], data);

    let status = json(&["db", "status", "-o", "json"], data);
    assert_eq!(status["built"], "2025-11-21T00:00:00Z");
    assert_eq!(status["advisories"], 8);
    assert!(status["age_seconds"].as_u64().unwrap() > 0);
    let table = succeeds(&["db", "status"], data);
    assert!(table.contains("Debian:12") && table.contains("data of 2025-11-21"), "{table}");

    // By any of its names, in any case.
    for id in ["CVE-2024-3651", "cve-2024-3651", "PYSEC-2024-60", "GHSA-jjg7-2v4v-x38h"] {
        let shown = json(&["db", "show", id, "-o", "json"], data);
        assert_eq!(shown["names"].as_array().unwrap().len(), 3, "{id}");
        assert_eq!(shown["advisories"].as_array().unwrap().len(), 2, "{id}");
    }
    let shown = succeeds(&["db", "show", "CVE-2099-10001"], data);
    for part in ["71.23 %", "exploited", "<2.5.0-1+deb12u9", "Debian:12"] {
        assert!(shown.contains(part), "no `{part}` in: {shown}");
    }
    ends(&["db", "show", "CVE-1999-0001"], data, 2, &["nothing is known"]);

    let found = json(&["db", "search", "zlib", "--ecosystem", "Debian", "-o", "json"], data);
    assert_eq!(found[0]["id"], "DEBIAN-CVE-2023-45853");
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert!(succeeds(&["db", "search", "nothing"], data).contains("no advisory names"));
    ends(&["db", "search", "zlib", "--ecosystem", "Deb"], data, 2, &["Deb"]);

    let carried = data.join("carried.db");
    succeeds(&["db", "export", text(&carried)], data);
    assert_eq!(fs::read(&carried).unwrap(), fs::read(DEMO).unwrap());
}

/// The demonstration's database with one letter of an id changed, where it does no other harm.
fn damaged() -> Vec<u8> {
    let mut bytes = fs::read(DEMO).unwrap();
    let id = b"GHSA-jjg7-2v4v-x38h";
    let at = bytes.windows(id.len()).position(|window| window == id).expect("an id");
    bytes[at] = b'X';
    bytes
}

#[test]
fn what_is_damaged_or_not_ours_is_refused_and_what_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    succeeds(&["db", "import", DEMO], data);
    let wrong = data.join("wrong.db");
    let bytes = damaged();
    for content in [&bytes[..], &bytes[..bytes.len() / 2], b"no database", b""] {
        fs::write(&wrong, content).unwrap();
        let output = run(&["db", "import", text(&wrong)], data);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
    succeeds(&["db", "verify"], data);
    let left: Vec<_> = fs::read_dir(data.join("inscan")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn two_databases_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) =
        (demo(folder.path(), "old.db", None), demo(folder.path(), "new.db", Some("NEW-1")));
    let changes = json(&["db", "diff", text(&old), text(&new), "-o", "json"], folder.path());
    assert_eq!(changes["added"][0]["id"], "NEW-1");
    let count = |of: &str| changes[of].as_array().unwrap().len();
    assert_eq!((count("added"), count("changed"), count("removed")), (1, 0, 0));
    let back = succeeds(&["db", "diff", text(&new), text(&old)], folder.path());
    assert!(back.contains("- NEW-1") && back.contains("0 added, 0 changed, 1 removed"), "{back}");
}

/// For tests that have asked for it with `need_programs`.
fn openssl(arguments: &[&str], folder: &Path) {
    let done = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "openssl {arguments:?}: {done:?}");
}

#[test]
fn readers_and_a_new_database_do_not_disturb_each_other() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let files = [demo(folder.path(), "a.db", None), demo(folder.path(), "b.db", Some("NEW-1"))];
    let place = folder.path().join("data/vulnerabilities.db");
    place::import(&files[0], &place, None, None).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    // One that was opened before stays what it was.
                    let first = Database::open(&place).unwrap();
                    let mut rounds = 0;
                    while !over.load(Ordering::Relaxed) || rounds == 0 {
                        let database = Database::open(&place).unwrap();
                        assert_eq!(database.advisories_for("npm", "minimist").unwrap().len(), 1);
                        assert_eq!(first.about().unwrap().advisories, 8);
                        assert_eq!(first.advisories_for("PyPI", "idna").unwrap().len(), 2);
                        assert!(matches!(database.about().unwrap().advisories, 8 | 9));
                        rounds += 1;
                    }
                    first.verify().unwrap();
                })
            })
            .collect();
        // The readers that opened the first have to have done so.
        thread::sleep(std::time::Duration::from_millis(100));
        for round in 0..20 {
            place::import(&files[(round + 1) % 2], &place, None, None).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}
