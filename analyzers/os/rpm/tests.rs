//! Whole databases through the analyzer.

use std::fs;

use serde_json::json;

use super::*;
use crate::testing::{Image, cut_everywhere};
use crate::{Fact, PackageFile, SourcePackage};

const FIXTURES: [&str; 5] = ["bdb", "bdb-big-endian", "ndb", "sqlite", "wal"];

pub(super) fn fixture(path: &str) -> Vec<u8> {
    fs::read(format!("{}/../fixtures/rpm/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The packages of one database, with its write-ahead log if it has one, and the problems.
pub(super) fn packages(database: &[u8], log: Option<&[u8]>) -> (Vec<Package>, Vec<Error>) {
    let mut found = DatabaseReader::default();
    found.read(database, log, &mut Facts::default());
    let found = found.finish();
    (found.installed.into_iter().map(|one| one.package).collect(), found.problems)
}

/// A fixture with one change: how many packages are left, and the problems.
#[track_caller]
pub(super) fn check(
    path: &str,
    change: impl Fn(&mut Vec<u8>),
    expected_packages: usize,
    expected: &[&str],
) {
    let mut file = fixture(path);
    change(&mut file);
    let (packages, problems) = packages(&file, None);
    let problems: Vec<_> = problems.iter().map(Error::to_string).collect();
    assert_eq!(problems, expected);
    assert_eq!(packages.len(), expected_packages);
}

pub(super) fn identity(package: &Package) -> String {
    let epoch = package.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let arch = package.arch.as_deref().unwrap_or("-");
    format!("{} {epoch}{} {arch}", package.name, package.version)
}

/// Packages in alphabetical order, then problems.
pub(super) fn told((packages, problems): (Vec<Package>, Vec<Error>)) -> Vec<String> {
    let mut told: Vec<_> = packages.iter().map(identity).collect();
    told.sort();
    told.extend(problems.iter().map(Error::to_string));
    told
}

fn told_of(image: Image) -> Vec<String> {
    let facts = image.run(&Rpm);
    let problems = facts.problems.iter().map(|problem| Error::new(&problem.message));
    told((facts.packages().cloned().collect(), problems.collect()))
}

fn package(facts: &Facts, name: &str) -> Package {
    facts.packages().find(|package| package.name == name).expect(name).clone()
}

#[test]
fn every_format_tells_of_the_same_packages() {
    let expected = told_of(Image::fixture("rpm/sqlite"));
    assert_eq!(expected[..2], ["alpha 1:1.0-1.el8 noarch", "alpha-libs 1:1.0-1.el8 noarch"]);
    assert_eq!(expected[2], "beta 2.3~rc1-5 noarch");
    assert!(expected[3].starts_with("gpg-pubkey "), "{}", expected[3]);
    assert_eq!(expected[4..], ["kernel 5.1-1 noarch", "kernel 5.2-1 noarch", "many 1-1 noarch"]);
    for folder in FIXTURES {
        assert_eq!(told_of(Image::fixture(&format!("rpm/{folder}"))), expected, "{folder}");
    }
}

#[test]
fn a_package_is_stated_with_all_its_header_says() {
    let facts = Image::fixture("rpm/bdb").run(&Rpm);
    let alpha = package(&facts, "alpha-libs");
    let source = SourcePackage { name: "alpha".into(), version: None };
    assert_eq!(alpha.source, Some(source));
    assert_eq!(alpha.licenses, ["MIT"]);
    assert_eq!(alpha.origin.as_deref(), Some("Acme"));
    assert_eq!(alpha.location, "var/lib/rpm/Packages");
    assert_eq!(alpha.attributes["homepage"], "https://alpha.example");
    assert_eq!(alpha.attributes["modularity-label"], "alpha:1:20200101:abcd");
    assert_eq!(alpha.attributes["source-rpm"], "alpha-1.0-1.el8.src.rpm");
    assert_eq!(package(&facts, "many").files.len(), 12);
    assert_eq!(package(&facts, "gpg-pubkey").attributes["signing-key"], "true");
    assert_eq!(package(&facts, "gpg-pubkey").source, None);
}

#[test]
fn files_are_stated_as_recorded() {
    let facts = Image::fixture("rpm/bdb").run(&Rpm);
    let files = package(&facts, "alpha").files;
    assert_eq!(
        files[0],
        PackageFile {
            path: "etc/alpha.conf".into(),
            // sha256 of "a\n".
            digest: Some("87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7".into()),
            algorithm: Some("sha256".into()),
            mode: Some(0o100640),
            user: Some("root".into()),
            group: Some("adm".into()),
            size: Some(2),
            conffile: true,
        }
    );
    assert_eq!((files[1].mode, files[1].conffile), (Some(0o104755), false));

    let link = &package(&facts, "alpha-libs").files[0];
    assert_eq!((link.mode, link.digest.as_ref()), (Some(0o120777), None));

    // An older package, with MD5 and without a word about it.
    let files = package(&facts, "beta").files;
    assert_eq!((&*files[0].path, files[0].mode), (&b"opt/beta"[..].into(), Some(0o40700)));
    assert_eq!(files[1].digest.as_deref(), Some("3b5d5c3712955042212316173ccf37be"));
    assert_eq!(files[1].algorithm.as_deref(), Some("md5"));
}

#[test]
fn the_legacy_document_knows_one_package_of_a_name() {
    let facts = Image::fixture("rpm/sqlite").run(&Rpm);
    let legacy = |output: &str, key: &str| {
        facts.facts.iter().find_map(|fact| match fact {
            Fact::Legacy(legacy) if legacy.output == output && legacy.key == key => {
                Some(legacy.value.parsed())
            }
            _ => None,
        })
    };
    assert_eq!(legacy("pkgs.all", "kernel"), Some(json!("5.2-1")));
    assert_eq!(legacy("pkgs.all", "alpha"), Some(json!("1.0-1.el8")));
    assert_eq!(
        legacy("pkgs.allinfo", "alpha"),
        Some(json!({
            "version": "1.0", "release": "1.el8", "arch": "noarch", "size": "4",
            "license": "MIT", "sourcepkg": "alpha-1.0-1.el8.src.rpm",
            "origin": "Acme (vendor)", "type": "rpm",
        }))
    );
    let key = legacy("pkgs.allinfo", "gpg-pubkey").unwrap();
    assert_eq!((&key["arch"], &key["origin"]), (&json!("(none)"), &json!("(none) (vendor)")));
    assert_eq!(legacy("pkgfiles.all", "(contains no files)"), Some(json!("RPMFILE")));
}

#[test]
fn a_list_of_packages_stands_for_a_database() {
    assert_eq!(
        told_of(Image::fixture("rpm/manifest")),
        ["alpha 1:1.0-1.el8 noarch", "beta 2.3~rc1-5 noarch"]
    );
}

#[test]
fn a_database_is_found_wherever_rpm_keeps_it() {
    let database = fixture("bdb/var/lib/rpm/Packages");
    for directory in &DATABASES[..3] {
        let path = format!("{directory}/Packages");
        assert_eq!(told_of(Image::new([(path, &database)])).len(), 7, "{directory}");
    }
    let elsewhere = Image::new([("home/me/Packages", &database)]);
    assert_eq!(told_of(elsewhere), [""; 0]);
}

#[test]
fn a_database_reached_by_two_ways_is_one() {
    let path = "usr/lib/sysimage/rpm/rpmdb.sqlite";
    let image = Image::new([(path, fixture("sqlite/var/lib/rpm/rpmdb.sqlite"))])
        .symlink("var/lib/rpm", "../../usr/lib/sysimage/rpm");
    let facts = image.run(&Rpm);
    assert_eq!(facts.packages().count(), 7);
    assert!(facts.packages().all(|package| package.location == path));
}

#[test]
fn a_package_in_two_databases_is_stated_once() {
    let database = fixture("sqlite/var/lib/rpm/rpmdb.sqlite");
    let two = ["usr/share/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite"];
    assert_eq!(told_of(Image::new(two.map(|path| (path, &database)))).len(), 7);
}

#[test]
fn what_is_no_database_is_a_problem() {
    for bytes in [&b""[..], b"garbage", &[0; 4096]] {
        assert_eq!(
            told(packages(bytes, None)),
            ["offset 0: not a package database of a known format"]
        );
    }
}

#[test]
fn the_first_problems_are_told_and_the_others_counted() {
    let mut found = DatabaseReader::default();
    (0..60).for_each(|number| found.problem(Error::new(number.to_string())));
    let found = found.finish();
    assert_eq!(found.problems.len(), 51);
    assert_eq!(found.problems[50].to_string(), "10 more problems");
}

#[test]
fn cut_and_spoiled_databases_do_not_panic() {
    for folder in FIXTURES.iter().chain(&["manifest"]) {
        cut_everywhere(&Rpm, &format!("rpm/{folder}"));
    }
    for file in ["bdb/var/lib/rpm/Packages", "ndb/usr/lib/sysimage/rpm/Packages.db"] {
        spoil(&fixture(file), |bytes| drop(packages(bytes, None)));
    }
    let log = fixture("wal/var/lib/rpm/rpmdb.sqlite-wal");
    spoil(&fixture("wal/var/lib/rpm/rpmdb.sqlite"), |bytes| drop(packages(bytes, Some(&log))));
}

/// Each byte of the file's header, and one here and there, as the smallest and the largest value.
fn spoil(whole: &[u8], check: impl Fn(&[u8])) {
    let mut bytes = whole.to_vec();
    for index in (0..128).chain((128..bytes.len()).step_by(251)) {
        for value in [0, 0xff] {
            let before = std::mem::replace(&mut bytes[index], value);
            check(&bytes);
            bytes[index] = before;
        }
    }
}
