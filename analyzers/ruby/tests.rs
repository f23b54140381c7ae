use serde_json::{Value, json};

use super::Ruby;
use crate::testing::{Image, cut_everywhere};
use crate::{Fact, Facts};

fn legacy(facts: &Facts) -> Option<&Value> {
    facts.facts.iter().find_map(|fact| match fact {
        Fact::Legacy(legacy) => Some(&legacy.value),
        _ => None,
    })
}

#[test]
fn reads_what_rubygems_writes() {
    let facts = Image::fixture("ruby").run(&Ruby);
    assert_eq!(facts.problems, []);
    let found: Vec<_> =
        facts.packages().map(|package| (&*package.name, &*package.version)).collect();
    assert_eq!(found, [("json", "2.6.3"), ("sample", "1.2.3")]);
    let sample = facts.packages().last().unwrap();
    assert_eq!(sample.licences, ["MIT", "Ruby"]);
    assert_eq!(sample.origin.as_deref(), Some("José Doe, Al"));
    assert_eq!(sample.qualifiers["platform"], "x86_64-linux");
    assert_eq!(sample.attributes["homepage"], "https://example.org/sample");
    assert_eq!(facts.packages().next().unwrap().attributes["default-gem"], "true");
}

#[test]
fn no_cut_is_a_crash() {
    cut_everywhere(&Ruby, "ruby");
}

#[test]
fn source_gemspecs_are_not_installed_and_broken_ones_are_problems() {
    let facts = Image::new([
        ("gems/a-1/a.gemspec", "s.name = \"a\"\ns.version = \"1\""),
        ("specifications/b.gemspec", "s.name = \"b\""),
        ("specifications/c.gemspec", "s.name ="),
    ])
    .run(&Ruby);
    assert_eq!(facts.packages().count(), 0);
    let messages: Vec<_> = facts.problems.iter().map(|problem| &*problem.message).collect();
    assert_eq!(messages, ["no version in the specification", "no name in the specification"]);
}

#[test]
fn legacy_entries_keep_their_peculiar_form() {
    let content = r#"
        s.name = "a".freeze
        s.version = "1"
        s.version = "2"
        s.license = "no"
        s.licenses = ["MIT".freeze]
        s.authors = ["One, Jr".freeze, "T\u{e9}".freeze, "T\u00E9"]
        s.homepage = "https://h"
    "#;
    let facts = Image::new([("srv/specifications-x/y.gemspec", content)]).run(&Ruby);
    let expected = json!({
        "name": "a", "lics": ["MIT"], "versions": ["1", "2"], "latest": "2",
        "origins": ["One", " Jr", " Té", " T\\u00E9"], "sourcepkg": "https://h", "files": [],
    });
    assert_eq!(legacy(&facts), Some(&expected));
}

#[test]
fn legacy_leaves_out_a_file_with_a_value_that_is_not_json() {
    let content = "s.name = \"a\"\ns.version = Gem::Version.new(\"1\")";
    let facts = Image::new([("specifications/a.gemspec", content)]).run(&Ruby);
    assert_eq!(facts.packages().count(), 1);
    assert_eq!(legacy(&facts), None);
}
