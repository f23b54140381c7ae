use inscan_test_support::{gzip, tar, zip};

use super::*;
use crate::testing::Image;

const LODASH: &[u8] = br#"{"name": "lodash", "version": "4.17.20"}"#;
const METADATA: &[u8] = b"Metadata-Version: 2.1\nName: requests\nVersion: 2.31.0\n";

fn run(file: &str, content: &[u8]) -> Facts {
    Image::new([(file, content)]).run(&Archives::new(crate::of_packages()))
}

/// Each package, then each problem with what it hides.
#[track_caller]
fn check(file: &str, content: &[u8], expected: &[&str]) {
    let facts = run(file, content);
    let packages = facts.packages().map(|it| {
        let role = it.role.map(|role| format!(", {role:?}")).unwrap_or_default();
        format!("{} {} {} in {}{role}", it.kind, it.name, it.version, it.location)
    });
    let problems = facts.problems.iter().map(|it| format!("{:?}: {}", it.hides, it.message));
    assert_eq!(packages.chain(problems).collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_installed_in_an_archive_is_listed() {
    let members: [(&str, &[u8]); 3] = [
        ("node_modules/lodash/package.json", LODASH),
        ("python/requests-2.31.0.dist-info/METADATA", METADATA),
        ("node_modules/lodash/test/package.json", b"{"),
    ];
    let expected = |file: &str| {
        [
            format!("npm lodash 4.17.20 in {file}:node_modules/lodash/package.json"),
            format!("pypi requests 2.31.0 in {file}:python/requests-2.31.0.dist-info/METADATA"),
        ]
    };
    let (zip, tar) = (zip(&members), tar(&members));
    let script = [&b"#!/usr/bin/env python3\n"[..], &zip].concat();
    for (file, content) in [
        ("srv/function.zip", &zip),
        ("srv/function", &zip),
        ("usr/bin/tool", &script),
        ("srv/app.tar", &tar),
        ("srv/app.bin", &gzip(&tar)),
    ] {
        let expected = expected(file);
        check(file, content, &expected.each_ref().map(String::as_str));
    }
}

#[test]
fn what_cannot_be_read_in_an_archive_is_said() {
    let broken = zip(&[("node_modules/broken/package.json", b"{")]);
    let says = "Packages: `node_modules/broken/package.json`: line 1: JSON ends too early";
    check("a.zip", &broken, &[says]);
    let cut = &broken[..broken.len() - 30];
    check("a.zip", cut, &["Packages: not a zip archive: it has no end record"]);
    check("a/testdata/a.zip", cut, &["Nothing: not a zip archive: it has no end record"]);
    let mut encrypted = zip(&[("node_modules/a/package.json", LODASH)]);
    let entry = encrypted.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    encrypted[entry + 8] |= 1;
    let says = "Packages: 1 members are encrypted or compressed in an unknown way: `node_modules/a/package.json` …";
    check("a.zip", &encrypted, &[says]);
}

#[test]
fn archives_below_tests_are_fixtures() {
    let archive = zip(&[("node_modules/lodash/package.json", LODASH)]);
    let is = "npm lodash 4.17.20 in a/fixtures/a.zip:node_modules/lodash/package.json, Fixture";
    check("a/fixtures/a.zip", &archive, &[is]);
}

#[test]
fn a_system_in_an_archive_has_a_distribution_of_its_own() {
    let status = b"Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13\nArchitecture: amd64\nMaintainer: M <m@x>\nDescription: d\n\n";
    let root = tar(&[
        ("./etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
        ("./var/lib/dpkg/status", status),
    ]);
    let facts = run("srv/root.tgz", &gzip(&root));
    let package = facts.packages().next().expect("a package");
    assert_eq!(package.location, "srv/root.tgz:var/lib/dpkg/status");
    let distribution = package.distribution.as_ref().expect("of the archive");
    assert_eq!((&*distribution.id, &*distribution.version), ("debian", "12"));
}

#[test]
fn archives_that_one_analyzer_knows_are_left_to_it() {
    let wheel = zip(&[("requests-2.31.0.dist-info/METADATA", METADATA)]);
    check("a/requests-2.31.0-py3-none-any.whl", &wheel, &[]);
    let outer = zip(&[("lib/requests-2.31.0-py3-none-any.whl", &wheel)]);
    let is = "pypi requests 2.31.0 in a.zip:lib/requests-2.31.0-py3-none-any.whl";
    check("a.zip", &outer, &[is]);
}

#[test]
fn ordinary_compressed_files_are_nothing() {
    check("usr/share/man/man1/a.1.gz", &gzip(b".TH A 1\n"), &[]);
    check("usr/share/doc/a.zip", &zip(&[("index.html", b"<p>")]), &[]);
}
