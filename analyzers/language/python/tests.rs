use bstr::ByteSlice;
use serde_json::{Value, json};

use super::Python;
use crate::testing::{Image, cut_everywhere};
use crate::{Evidence, Fact, Facts};

const SITE: &str = "usr/lib/python3/site-packages";

fn metadata(directory: &str, text: &str) -> Facts {
    Image::new([(format!("{SITE}/{directory}/METADATA"), text)]).run(&Python)
}

/// `name version` of each package.
fn names(facts: &Facts) -> Vec<String> {
    facts.packages().map(|package| format!("{} {}", package.name, package.version)).collect()
}

fn legacy(facts: &Facts) -> Vec<(String, Value)> {
    let legacy = facts.facts.iter().filter_map(|fact| match fact {
        Fact::Legacy(legacy) => Some((legacy.key.to_string(), legacy.value.parsed())),
        _ => None,
    });
    legacy.collect()
}

#[test]
fn reads_what_the_tools_leave() {
    let facts = Image::fixture("python").run(&Python);
    assert_eq!(facts.problems, []);
    let found: Vec<_> = facts
        .packages()
        .map(|package| (package.location.to_str_lossy(), package.evidence, package.files.len()))
        .collect();
    let site = "usr/lib/python3.11/site-packages";
    assert_eq!(
        found,
        [
            ("opt/eggs/egg_sample-2.0-py3.11.egg".into(), Evidence::InstalledPackage, 0),
            ("srv/wheels/hello_world-1.0.1-py3-none-any.whl".into(), Evidence::Archive, 0),
            (
                format!("{site}/egg_sample-2.0-py3.11.egg-info/PKG-INFO").into(),
                Evidence::InstalledPackage,
                0
            ),
            (
                format!("{site}/hello_world-1.0.1.dist-info/METADATA").into(),
                Evidence::InstalledPackage,
                10
            ),
        ]
    );
    let hello = facts.packages().last().unwrap();
    assert_eq!((&*hello.name, &*hello.version), ("hello.world", "1.0.1"));
    assert_eq!(hello.licenses, ["MIT"]);
    assert_eq!(hello.origin.as_deref(), Some("Jo Doe <jo@example.org>"));
    assert_eq!(hello.files[0].path, "usr/bin/hello");
    assert_eq!(hello.files[0].size, Some(231));
    let attributes: Vec<_> =
        hello.attributes.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(
        attributes,
        [
            ("direct-url", "file:///src/hello"),
            ("homepage", "https://example.org/hello"),
            ("installer", "pip"),
            ("summary", "Says hello"),
        ]
    );
}

#[test]
fn no_cut_is_a_crash() {
    cut_everywhere(&Python, "python");
}

#[test]
fn legacy_entries_take_name_and_version_from_the_directory() {
    let facts =
        metadata("mis_match-01.0.dist-info", "Name: Real\nVersion: 9\n\nLicense: in body\n");
    assert_eq!(names(&facts), ["Real 9"]);
    let value = json!({
        "name": "mis-match",
        "version": "1.0",
        "type": "python",
        "location": format!("/{SITE}"),
        "files": [],
        "license": "in body",
        "metadata": "Name: Real\nVersion: 9\n\nLicense: in body\n",
        "origin": "N/A",
    });
    assert_eq!(legacy(&facts), [(format!("/{SITE}/mis-match"), value)]);
}

#[test]
fn legacy_lists_an_unpacked_egg_from_itself_only_beside_a_module() {
    let egg = "opt/unz-4.0-py3.6.egg";
    let image = |modules: &[&str]| {
        let pkg_info = (format!("{egg}/EGG-INFO/PKG-INFO"), "Name: unz\nVersion: 4.0\n");
        let modules = modules.iter().map(|module| (module.to_string(), ""));
        let facts = Image::new(modules.chain([pkg_info])).run(&Python);
        assert_eq!(names(&facts), ["unz 4.0"]);
        legacy(&facts).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(image(&[]), [] as [&str; 0]);
    assert_eq!(image(&["opt/x.py"]), ["/opt/unz"]);
    assert_eq!(image(&["opt/unz-4.0-py3.6.egg/unz.py"]), ["/opt/unz-4.0-py3.6.egg/unz"]);
}

#[test]
fn an_egg_info_file_and_a_directory_without_metadata_are_packages() {
    let facts = Image::new([
        (format!("{SITE}/one.egg-info"), "Name: one\nVersion: 1\n"),
        (format!("{SITE}/two-2.dist-info/RECORD"), "two.py,,\n"),
        (format!("{SITE}/Python-2.7.egg-info"), "Name: Python\nVersion: 2.7\n"),
        ("srv/three-3/PKG-INFO".into(), "Name: three\nVersion: 3\n"),
    ])
    .run(&Python);
    assert_eq!(names(&facts), ["two 2", "one 1"]);
    assert_eq!(legacy(&facts).len(), 2);
}

#[test]
fn metadata_without_a_name_is_a_problem_and_the_directory_tells() {
    let facts = metadata("a-1.dist-info", "Version: 1\n");
    assert_eq!(names(&facts), ["a 1"]);
    assert_eq!(facts.problems[0].message, "no `Name` in the metadata");
}

#[test]
fn an_egg_info_file_without_a_name_hides_what_is_installed() {
    let facts = Image::new([(format!("{SITE}/one-1.egg-info"), "Version: 1\n")]).run(&Python);
    assert!(!facts.problems[0].hides.is_nothing());
}

#[test]
fn licenses_and_origin_come_from_the_best_statement() {
    let check = |headers: &str, licenses: &[&str], origin: Option<&str>| {
        let facts = metadata("a-1.dist-info", &format!("Name: a\nVersion: 1\n{headers}"));
        let package = facts.packages().next().unwrap();
        assert_eq!(package.licenses, licenses, "{headers}");
        assert_eq!(package.origin.as_deref(), origin, "{headers}");
    };
    check("License: UNKNOWN\nAuthor: UNKNOWN\nMaintainer: M\n", &[], Some("M"));
    check(
        "License: BSD\nClassifier: License :: OSI Approved :: BSD License\nAuthor: A\nAuthor-email: a@x\n",
        &["BSD", "BSD License"],
        Some("A <a@x>"),
    );
    check("License: Long\n  text\nAuthor-email: A <a@x>\n", &["Long"], Some("A <a@x>"));
    check("License-Expression: MIT\nLicense: x\n", &["MIT"], None);
}

#[test]
fn develop_installs_are_marked() {
    let facts = Image::new([
        (format!("{SITE}/dev.egg-link"), "/srv/dev\n."),
        ("srv/dev/dev.egg-info/PKG-INFO".into(), "Name: dev\nVersion: 0\n"),
    ])
    .run(&Python);
    let package = facts.packages().next().unwrap();
    assert_eq!(package.attributes["editable"], "true");
}

#[test]
fn a_password_in_the_origin_is_not_kept() {
    let facts = Image::new([
        (format!("{SITE}/a-1.dist-info/METADATA"), "Name: a\nVersion: 1\n"),
        (
            format!("{SITE}/a-1.dist-info/direct_url.json"),
            r#"{"url": "https://u:p@host/a.git", "vcs_info": {"commit_id": "c0ffee"}}"#,
        ),
    ])
    .run(&Python);
    let package = facts.packages().next().unwrap();
    assert_eq!(package.attributes["direct-url"], "https://host/a.git");
    assert_eq!(package.attributes["commit"], "c0ffee");
}
