use serde_json::json;

use super::{Node, Place, place};
use crate::testing::{Image, cut_everywhere};
use crate::{Evidence, Fact, Facts, Role};

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
        ("node_modules/a/package.json", Place::Installed),
        ("app/node_modules/@s/a/package.json", Place::Installed),
        ("a/node_modules/.pnpm/a@1/node_modules/a/package.json", Place::Installed),
        ("a/node_modules/b/node_modules/c/package.json", Place::Installed),
        ("a/node_modules/b/dist/package.json", Place::Inner),
        ("a/node_modules/@s/package.json", Place::Inner),
        ("a/node_modules/package.json", Place::Inner),
        ("opt/app/package.json", Place::Own),
        ("package.json", Place::Own),
    ] {
        assert_eq!(place(file.as_bytes()), expected, "{file}");
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
        let content = format!(r#"{{"name": "c", "version": "1", "private": {private}}}"#);
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
fn a_malformed_one_inside_a_package_is_a_tests_input() {
    for (file, content, problems) in [
        ("node_modules/resolve/test/malformed/package.json", "{\n", 0),
        ("node_modules/a/dist/package.json", "[1]", 0),
        ("node_modules/a/package.json", "{\n", 1),
        ("srv/package.json", "{\n", 1),
        ("srv/templates/package.json", r#"{"name": "{{name}}", "version": "1"}"#, 0),
    ] {
        assert_eq!(run(file, content).problems.len(), problems, "{file}");
    }
}

/// The roles of packages outside of `node_modules` by what lies around them.
#[track_caller]
fn check_role(image: Image, expected: Option<Role>) {
    let facts = image.run(&Node);
    let roles = facts.facts.iter().filter_map(|fact| match fact {
        Fact::Role(_, role) => Some(*role),
        _ => None,
    });
    assert_eq!(roles.collect::<Vec<_>>(), Vec::from_iter(expected));
}

const OWN: &str = r#"{"name": "@acme/own", "version": "1.0.0"}"#;

#[test]
fn a_project_is_the_images_own_application() {
    for beside in ["package-lock.json", "yarn.lock", "node_modules/a/index.js", ".pnp.cjs"] {
        let beside = format!("srv/own/{beside}");
        let image = Image::new([("srv/own/package.json", OWN), (&beside, "x")]);
        check_role(image, Some(Role::Application));
    }
    check_role(Image::new([("opt/yarn/package.json", OWN), ("opt/yarn/bin/yarn.js", "x")]), None);
}

#[test]
fn a_linked_member_of_a_workspace_is_the_images_own() {
    let member =
        || Image::new([("app/packages/own/package.json", OWN), ("app/package.json", "{}")]);
    let linked = member().symlink("app/node_modules/@acme/own", "../../packages/own");
    check_role(linked, Some(Role::Application));
    check_role(member(), None);
    let lock =
        |own: &str| Image::new([(own, OWN), ("app/package.json", "{}"), ("app/yarn.lock", "")]);
    check_role(lock("app/packages/@acme/own/package.json"), Some(Role::Application));
    check_role(lock("app/public/vendor/own/package.json"), None);
}

#[test]
fn a_fixture_lies_below_tests_of_a_package() {
    let fixture = "app/test/fixtures/own/package.json";
    check_role(Image::new([(fixture, OWN), ("app/package.json", "{}")]), Some(Role::Fixture));
    // The directory of an application may be called so.
    check_role(Image::new([("srv/test/package.json", OWN)]), None);
    for (file, expected) in [
        ("node_modules/a/test/fixtures/b/package.json", Some(Role::Fixture)),
        ("node_modules/a/__tests__/node_modules/b/package.json", Some(Role::Fixture)),
        ("node_modules/@s/examples/package.json", None),
        ("node_modules/test/package.json", None),
        ("node_modules/next/dist/compiled/react/package.json", None),
        ("test/node_modules/a/package.json", None),
    ] {
        let facts = run(file, r#"{"name": "b", "version": "1"}"#);
        assert_eq!(facts.packages().next().unwrap().role, expected, "{file}");
    }
}

#[test]
fn a_part_of_a_package_is_of_no_registry() {
    let found = |file: &str, name: &str| {
        let facts = run(file, format!(r#"{{"name": "{name}", "version": "1.0.0"}}"#));
        facts.packages().map(|package| package.role).collect::<Vec<_>>()
    };
    assert_eq!(found("node_modules/a/tools/package.json", "b"), [Some(Role::Local)]);
    assert_eq!(found("vendor/node_modules/a/tools/package.json", "b"), [Some(Role::Local)]);
    assert_eq!(found("node_modules/a/vendor/b/package.json", "b"), [None]);
    assert_eq!(found("node_modules/a/lib/esm/package.json", "a"), []);
    assert_eq!(found("node_modules/@s/a/esm/package.json", "@s/a"), []);
    assert_eq!(found("node_modules/@s/a/esm/package.json", "a"), [Some(Role::Local)]);
}

#[test]
fn an_extension_of_an_editor_is_no_package_of_npm() {
    let content = r#"{"name": "git", "publisher": "vscode", "version": "1.0.0", "engines": {"vscode": "^1.5.0"}}"#;
    let facts = run("usr/lib/vscode/extensions/git/package.json", content);
    let found = facts.packages().next().unwrap();
    let named = (&*found.kind, found.namespace.as_deref(), found.name.as_str(), found.role);
    let expected = ("vscode-extension", Some("vscode"), "git", Some(Role::EditorExtension));
    assert_eq!(named, expected);
    // A library for them is a package of npm.
    let facts = run("node_modules/git/package.json", content);
    assert_eq!(facts.packages().next().unwrap().kind, "npm");
}

#[test]
fn packages_of_other_managers_are_none_of_npms() {
    let found = |manifest: &str| {
        let facts = run(
            "opt/a/package.json",
            format!(r#"{{"name": "git", "version": "1.0.0", {manifest}}}"#),
        );
        facts.packages().map(|it| (it.kind.to_string(), it.role)).collect::<Vec<_>>()
    };
    let atoms = found(r#""engines": {"atom": "*"}"#);
    assert_eq!(atoms, [("generic".to_owned(), Some(Role::EditorExtension))]);
    assert_eq!(found(r#""unity": "2019.4""#), [("npm".to_owned(), Some(Role::Local))]);
    assert_eq!(found(r#""engines": {"node": "*"}"#), [("npm".to_owned(), None)]);
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
