use serde_json::json;

use super::{Node, Role, role};
use crate::testing::{Image, cut_everywhere};
use crate::{Evidence, Fact, Facts};

fn run(file: &str, content: impl AsRef<[u8]>) -> Facts {
    Image::new([(file, content)]).run(&Node)
}

fn names(facts: &Facts) -> Vec<String> {
    let name = |package: &crate::Package| {
        let scope = package.namespace.as_ref().map(|scope| format!("{scope}/")).unwrap_or_default();
        format!("{scope}{} {}", package.name, package.version)
    };
    facts.packages().map(name).collect()
}

#[test]
fn reads_what_the_tools_leave() {
    let facts = Image::fixture("node").run(&Node);
    assert_eq!(facts.problems, []);
    assert_eq!(names(&facts), ["@acme/lib 2.1.0", "left 1.0.0", "app 0.1.0"]);
    let library = facts.packages().next().unwrap();
    assert_eq!(library.licenses, ["MIT"]);
    assert_eq!(library.origin.as_deref(), Some("Jo Doe <jo@example.org>"));
}

#[test]
fn no_cut_is_a_crash() {
    cut_everywhere(&Node, "node");
}

#[test]
fn a_root_is_one_name_deep_below_node_modules() {
    for (file, expected) in [
        ("node_modules/a/package.json", Role::Installed),
        ("app/node_modules/@s/a/package.json", Role::Installed),
        ("a/node_modules/.pnpm/a@1/node_modules/a/package.json", Role::Installed),
        ("a/node_modules/b/node_modules/c/package.json", Role::Installed),
        ("a/node_modules/b/dist/package.json", Role::Inner),
        ("a/node_modules/@s/package.json", Role::Inner),
        ("a/node_modules/package.json", Role::Inner),
        ("opt/app/package.json", Role::Own),
        ("package.json", Role::Own),
    ] {
        assert_eq!(role(file.as_bytes()), expected, "{file}");
    }
}

#[test]
fn a_package_needs_a_name_and_where_it_is_not_installed_a_version() {
    let check = |file, content, expected: &[&str]| {
        assert_eq!(names(&run(file, content)), expected, "{content}");
    };
    check("srv/package.json", r#"{"name": "a", "version": "1.0"}"#, &["a 1.0"]);
    check("srv/package.json", r#"{"name": "a"}"#, &[]);
    check("srv/my-package.json", r#"{"name": "a", "version": "1.0"}"#, &[]);
    check("node_modules/a/package.json", r#"{"name": "a"}"#, &["a "]);
    check("node_modules/a/package.json", r#"{"version": "1"}"#, &[]);
    check("node_modules/a/dist/b/package.json", r#"{"name": "b", "version": "1"}"#, &["b 1"]);
    check("node_modules/a/es/package.json", r#"{"name": "a"}"#, &[]);
    check("node_modules/a/es/package.json", r#"{"name": "a/es", "version": "1"}"#, &[]);
    check(
        "node_modules/a/package.json",
        "\u{feff}{\"name\": \"a\", \"version\": \"v1\"}",
        &["a 1"],
    );
}

#[test]
fn a_private_application_is_a_manifest() {
    let evidence = |file, private| {
        let content = format!(r#"{{"name": "a", "version": "1", "private": {private}}}"#);
        run(file, content).packages().next().unwrap().evidence
    };
    assert_eq!(evidence("srv/package.json", true), Evidence::Manifest);
    assert_eq!(evidence("opt/yarn/package.json", false), Evidence::InstalledPackage);
    assert_eq!(evidence("node_modules/a/test/b/package.json", true), Evidence::Manifest);
    assert_eq!(evidence("node_modules/a/package.json", true), Evidence::InstalledPackage);
}

#[test]
fn what_is_no_package_json_is_a_problem() {
    let check = |content: &str, expected: &str| {
        let facts = run("node_modules/a/package.json", content);
        assert_eq!(facts.problems[0].message, expected);
    };
    check("[1]", "not a JSON object");
    check("{", "line 1: JSON ends too early");
    check(r#"{"name": "@a/b/"}"#, "not the name of a package: `@a/b/`");
    check(&"[".repeat(100_000), "line 1: not valid JSON: recursion limit exceeded");
}

#[test]
fn licenses_are_texts_objects_and_lists() {
    let check = |license: &str, expected: &[&str]| {
        let facts = run("a/package.json", format!(r#"{{"name":"a","version":"1",{license}}}"#));
        assert_eq!(facts.packages().next().unwrap().licenses, expected);
    };
    check(r#""license": "MIT OR ISC""#, &["MIT OR ISC"]);
    check(r#""licenses": [{"type": "MIT"}, "ISC"]"#, &["MIT", "ISC"]);
    check(r#""license": null"#, &[]);
}

#[test]
fn legacy_entries_keep_their_peculiar_form() {
    let check = |content: &str, expected: serde_json::Value| {
        let facts = run("srv/my-package.json", content);
        let Fact::Legacy(legacy) = &facts.facts[0] else { panic!("no legacy entry") };
        assert_eq!((&*legacy.output, &**legacy.key), ("pkgs.npms", &b"/srv/my-package.json"[..]));
        assert_eq!(legacy.value.parsed(), expected);
    };
    check(
        r#"{"name": "a", "version": 1.5, "license": [{"type": "T", "name": "N"}, "S", 7],
            "author": {"name": "A", "url": "u"}, "repository": "x/y"}"#,
        json!({"name": "a", "lics": ["T", "N", "S"], "versions": [1.5], "latest": null,
            "origins": ["A (u)"], "sourcepkg": "x/y"}),
    );
    check(
        r#"{"name": "b", "versions": {"1": "x", "2": "latest"}, "maintainers": [{"name": "M"},
            {"name": "L", "email": "l@x"}], "homepage": "https://u:p@h/x"}"#,
        json!({"name": "b", "lics": [], "versions": ["1", "2"], "latest": "2",
            "origins": ["L (l@x)"], "sourcepkg": "https://h/x"}),
    );
}

#[test]
fn legacy_skips_what_python_would_not_read() {
    for content in
        ["\u{feff}{\"name\": \"a\"}".as_bytes(), b"{\"name\": \"Caf\xe9\"}", b"[1]", b"{}"]
    {
        let facts = run("srv/my-package.json", content);
        assert_eq!(facts.facts, []);
    }
}
