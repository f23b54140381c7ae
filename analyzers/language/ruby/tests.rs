use serde_json::{Value, json};

use super::Ruby;
use crate::testing::{Image, cut_everywhere};
use crate::{Fact, Facts};

fn legacy(facts: &Facts) -> Option<Value> {
    facts.facts.iter().find_map(|fact| match fact {
        Fact::Legacy(legacy) => Some(legacy.value.parsed()),
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
    assert_eq!(sample.licenses, ["MIT", "Ruby"]);
    assert_eq!(sample.origin.as_deref(), Some("José Doe, Al"));
    assert_eq!(sample.qualifiers["platform"], "x86_64-linux");
    assert_eq!(sample.attributes["homepage"], "https://example.org/sample");
    assert_eq!(facts.packages().next().unwrap().attributes["default-gem"], "true");
}

#[test]
fn no_cut_is_a_crash() {
    cut_everywhere(&Ruby, "ruby");
}

#[track_caller]
fn check_source(required: &str, version: &str, expected: &[&str], problems: &[&str]) {
    let gemspec = format!(
        "{required}\nGem::Specification.new do |spec|\n  spec.name = 'a'\n  spec.version = {version}\nend\n"
    );
    let code = "module A\n  VERSION = '1.2'.freeze\n  Version = \"3\"\nend\n";
    let home = "srv/vendor/ruby/3.1.0/bundler/gems/a-0123456789ab";
    let files = [
        (format!("{home}/a.gemspec"), gemspec),
        (format!("{home}/lib/a/version.rb"), code.to_owned()),
    ];
    let facts = Image::new(files).run(&Ruby);
    let found: Vec<_> = facts.packages().map(|it| format!("{} {}", it.name, it.version)).collect();
    assert_eq!(found, expected);
    let messages: Vec<_> = facts.problems.iter().map(|problem| &*problem.message).collect();
    assert_eq!(messages, problems);
}

#[test]
fn the_version_of_a_source_is_the_constant_that_it_requires() {
    for required in [
        "require_relative 'lib/a/version'",
        "require_relative './lib/a/version.rb' if defined?(A)",
        "require_relative File.dirname(__FILE__) + '/lib/a/version'",
        "require_relative File.expand_path(\"lib/a/version\", __dir__)",
        "require_relative File.join(\n  'lib',\n  'a',\n  'version'\n)",
    ] {
        check_source(required, "A::VERSION", &["a 1.2"], &[]);
    }
    check_source("require_relative 'lib/a/version'", "A::Version", &["a 3"], &[]);
    check_source("", "'4'", &["a 4"], &[]);
    check_source("VERSION = '5'", "VERSION", &["a 5"], &[]);
    check_source(
        "$LOAD_PATH.unshift File.expand_path('lib', __dir__)\nrequire 'a/version'",
        "A::VERSION",
        &["a 1.2"],
        &[],
    );
    check_source("other.version = '6'\nconfig.name = 'b'", "'4'", &["a 4"], &[]);
    let lost = "the version `VERSION` of the gemspec was not found";
    check_source("require 'a/version'", "A::VERSION", &[], &[lost]);
    check_source("require_relative 'other'", "A::VERSION", &[], &[lost]);
    let computed = "the version in the gemspec is neither a string nor a constant";
    check_source("", "File.read('VERSION').strip", &[], &[computed]);
    check_source("", "version_of(:a)", &[], &[computed]);
}

#[test]
fn a_source_beside_its_specification_is_no_news_and_broken_ones_are_problems() {
    let facts = Image::new([
        ("3.1.0/gems/a-1/a.gemspec", "s.name = \"a\"\ns.version = \"1\""),
        ("3.1.0/gems/a-1/test/c.gemspec", "s.name = \"c\"\ns.version = \"1\""),
        ("3.1.0/specifications/a-1.gemspec", ""),
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
        "origins": ["One", "Jr", "Té", "T\\u00E9"], "sourcepkg": "https://h", "files": [],
    });
    assert_eq!(legacy(&facts), Some(expected));
}

#[test]
fn legacy_leaves_out_a_file_with_a_value_that_is_not_json() {
    let content = "s.name = \"a\"\ns.version = Gem::Version.new(\"1\")";
    let facts = Image::new([("specifications/a.gemspec", content)]).run(&Ruby);
    assert_eq!(facts.packages().count(), 1);
    assert_eq!(legacy(&facts), None);
}
