//! The real records of every ecosystem.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use inscan_test_support::{need_programs, need_shared};
use inscan_vulndb::Database;
use serde_json::Value;

use super::{json, text};

/// Counted by somebody else: for each ecosystem, how many ids name a package of it.
const COUNT: &str = "
import collections, json, pathlib, sys, zipfile
ids = collections.defaultdict(set)
for path in sorted(pathlib.Path(sys.argv[1]).glob('*/all.zip')):
    archive = zipfile.ZipFile(path)
    for name in archive.namelist():
        record = json.loads(archive.read(name))
        for affected in record.get('affected') or []:
            ids[affected['package']['ecosystem']].add(record['id'])
print(json.dumps({ecosystem: len(of) for ecosystem, of in ids.items()}))
";

/// The real records of every ecosystem, once: what is counted elsewhere is counted here.
#[test]
fn the_whole_public_set_is_read() {
    let Some(set) = need_shared("osv.tar") else { return };
    if !need_programs(&["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(fs::File::open(set).unwrap()).unpack(folder.path()).unwrap();
    let root = folder.path();
    let counted = Command::new("python3").args(["-c", COUNT, text(root)]).output().unwrap();
    let counted: BTreeMap<String, u64> = serde_json::from_slice(&counted.stdout).unwrap();
    assert!(counted.len() > 40, "{counted:?}");

    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path().join("all.zip")).collect();
    folders.retain(|path| path.is_file());
    folders.push(root.join("raw/cisa-kev.json.gz"));
    folders.push(root.join("raw/endoflife.json"));
    let path = folder.path().join("whole.db");
    let mut arguments = vec!["db", "build", "-q", "-o", text(&path), "--report", "json", "--from"];
    arguments.extend(folders.iter().map(|path| text(path)));
    let report = json(&arguments, folder.path());
    let read: BTreeMap<String, u64> = report["ecosystems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["ecosystem"].as_str().unwrap().into(), one["records"].as_u64().unwrap()))
        .collect();
    assert_eq!(read, counted);
    assert_eq!(report["passed_over"], Value::Array(Vec::new()));
    assert!(report["size"].as_u64().unwrap() < 70_000_000);

    let database = Database::open(&path).unwrap();
    database.verify().unwrap();
    let log4j = database.advisories_for("Maven", "org.apache.logging.log4j:log4j-core").unwrap();
    assert!(
        log4j
            .iter()
            .any(|advisory| { advisory.aliases.iter().any(|alias| alias == "CVE-2021-44228") })
    );
    assert!(database.kev("CVE-2021-44228").unwrap().unwrap().ransomware);
    let ends = database.end_of_life("debian", "12.5").unwrap().unwrap().ends.unwrap();
    assert_eq!(ends.to_string(), "2026-07-11");
    // Large advisories come whole out of many packages' entries: 516 of them, says `jq`.
    look_up_a_thousand_packages(&path);
    let alma = database.advisory("ALSA-2025:9318").unwrap().unwrap();
    assert_eq!(alma.affected.len(), 516);
}

/// At equal distances all over the database: what an image of a thousand packages asks for. The
/// figure of docs/database.md is that of an optimised build; this one is not.
#[expect(clippy::print_stderr, reason = "a figure for who runs it with --nocapture")]
fn look_up_a_thousand_packages(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut all = connection
        .prepare("SELECT name, key FROM package JOIN ecosystem ON ecosystem = number ORDER BY 1, 2")
        .unwrap();
    let all: Vec<(String, String)> = all
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let packages: Vec<_> = all.iter().step_by(all.len() / 1000).take(1000).collect();
    let begun = std::time::Instant::now();
    let database = Database::open(path).unwrap();
    let mut found = 0;
    for (ecosystem, name) in &packages {
        found += database.advisories_for(ecosystem, name).unwrap().len();
    }
    let took = begun.elapsed();
    eprintln!("{} packages, {found} advisories: {} ms", packages.len(), took.as_millis());
    assert!(found > packages.len());
    assert!(took.as_millis() < 2000, "{took:?}");
}
