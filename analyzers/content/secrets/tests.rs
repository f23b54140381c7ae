use super::*;
use crate::testing::{Image, cut_everywhere};

const EXAMPLES: &str = include_str!("../../../fixtures/secrets/examples.txt");

fn secrets() -> Secrets {
    Secrets::new(&Config::default())
}

/// `(rule, line, column)` of each finding.
#[track_caller]
fn check_at(path: &str, bytes: &[u8], expected: &[(&str, u32, u32)]) {
    let facts = Image::new([(path, bytes)]).run(&secrets());
    assert_eq!(facts.problems, []);
    let found: Vec<_> = facts
        .facts
        .iter()
        .map(|fact| match fact {
            Fact::Secret(secret) => (secret.rule.as_str(), secret.line, secret.column),
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn check(text: &str, expected: &[(&str, u32, u32)]) {
    check_at("etc/app.env", text.as_bytes(), expected);
}

fn token() -> String {
    ["ghp", "_q8W7e6R5t4Y3u2I1o0P9a8S7d6F5g4H3j2K1"].concat()
}

fn private_key() -> String {
    let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
    format!("-----BEGIN {0}-----\n{body}\n-----END {0}-----\n", "PRIVATE KEY")
}

/// The examples of the fixtures: id and text, the markers taken out.
fn examples() -> Vec<(&'static str, String)> {
    let unescaped = |text: &str| {
        text.replace("<+>", "").replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
    };
    EXAMPLES
        .lines()
        .map(|line| line.split_once('\t').expect("a tab"))
        .map(|(id, text)| (id, unescaped(text)))
        .collect()
}

#[test]
fn every_rule_finds_its_example() {
    for (id, text) in examples().into_iter().filter(|(id, _)| *id != "no") {
        let found = find(b"etc/app.conf", text.as_bytes());
        assert!(found.iter().any(|secret| secret.rule == id), "{id}: {text:?} gave {found:?}");
    }
}

#[test]
fn nothing_is_found_in_the_other_examples() {
    for (_, text) in examples().into_iter().filter(|(id, _)| *id == "no") {
        assert_eq!(find(b"etc/app.conf", text.as_bytes()), [], "{text}");
    }
}

#[test]
fn every_rule_is_complete_and_has_an_example() {
    let rules = &pack().rules;
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    assert!(ids.is_sorted_by(|left, right| left < right), "rules are sorted by id");
    let examples = examples();
    for rule in rules {
        let id = &rule.id;
        assert!(
            !id.is_empty()
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
            "{id}"
        );
        assert!(rule.description.len() > 10, "{id} has a description");
        assert!(!rule.keywords.is_empty(), "{id} has keywords");
        assert!(rule.keywords.iter().all(|keyword| keyword.len() >= 2), "{id}");
        assert!(rule.compile().is_ok(), "{id} compiles");
        assert!(examples.iter().any(|(example, _)| example == id), "{id} has an example");
    }
}

#[test]
fn every_provider_is_found_by_its_name() {
    for provider in &pack().providers {
        let text = format!("{}_api_token = \"q8w7e6r5t4y3u2i1o0p9\"", provider.id);
        let found = find(b"etc/app.conf", text.as_bytes());
        assert_eq!(found.len(), 1, "{text}");
        assert!(description(&found[0].rule).is_some(), "{}", found[0].rule);
    }
}

#[test]
fn findings_have_line_and_column_and_no_secret() {
    let text = format!("# settings\r\n  TOKEN=\"{0}\"\nOTHER={0}", token());
    check(&text, &[("github-token", 2, 10), ("github-token", 3, 7)]);
    for secret in find(b"etc/app.env", text.as_bytes()) {
        assert!(secret.excerpt.contains("ghp_********"), "{}", secret.excerpt);
        assert!(!secret.excerpt.contains("q8W7"), "{}", secret.excerpt);
    }
}

#[test]
fn a_private_key_is_found_at_its_first_line() {
    check(&format!("x\n{}", private_key()), &[("private-key", 2, 1)]);
}

#[test]
fn only_private_keys_are_found_in_binary_files() {
    let bytes = [b"\0\0", token().as_bytes(), b"\n", private_key().as_bytes()].concat();
    check_at("opt/app", &bytes, &[("private-key", 2, 1)]);
    // A program that reads keys has the armour's first line as a constant.
    check_at("opt/app", b"\0-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0", &[]);
}

#[test]
fn a_binary_file_has_one_finding_and_shows_only_the_armour() {
    let bytes = [b"\0\x01\x02", private_key().as_bytes(), b"\0", private_key().as_bytes()].concat();
    let facts = Image::new([("opt/app", bytes)]).run(&secrets());
    let [Fact::Secret(secret)] = &facts.facts[..] else { panic!("{facts:?}") };
    assert_eq!(secret.excerpt, format!("-----BEGIN {}-----********", "PRIVATE KEY"));
}

#[test]
fn utf16_is_read() {
    let text = format!("a\ntoken: {}\n", token());
    let little = text.encode_utf16().flat_map(u16::to_le_bytes);
    let big = text.encode_utf16().flat_map(u16::to_be_bytes);
    let expected = [("github-token", 2, 8)];
    check_at("a.txt", &[0xff, 0xfe].into_iter().chain(little).collect::<Vec<_>>(), &expected);
    check_at("a.txt", &[0xfe, 0xff].into_iter().chain(big).collect::<Vec<_>>(), &expected);
}

#[test]
fn the_kind_of_file_decides_what_counts() {
    let text = format!("acme_api_key = \"q8w7e6r5t4y3u2i1o0p9a8s7\"\n{}", token());
    let both = [("generic-credential", 1, 17), ("github-token", 2, 1)];
    check_at("srv/settings.py", text.as_bytes(), &both);
    check_at("usr/lib/node_modules/a/index.js", text.as_bytes(), &both[1..]);
    check_at("srv/tests/a.py", text.as_bytes(), &both[1..]);
    check_at("srv/yarn.lock", text.as_bytes(), &[]);
}

#[test]
fn what_is_not_searched_or_listed_is_a_problem() {
    let large = vec![b'x'; (4 << 20) + 1];
    let many = format!("{}\n", token()).repeat(MAX_SECRETS + 20);
    let facts = Image::new([("large", large), ("many", many.into_bytes())]).run(&secrets());
    assert_eq!(facts.facts.len(), MAX_SECRETS);
    assert_eq!(facts.problems.len(), 2, "{:?}", facts.problems);
}

#[test]
fn nothing_is_wanted_when_switched_off() {
    let config = crate::config::Secrets { enabled: false, ..Default::default() };
    let secrets = Secrets { config };
    assert_eq!(secrets.wants(), []);
}

#[test]
fn keywords_without_end_cost_little() {
    let text = ["key=", "://a:", "-----BEGIN ", "PRIVATE KEY-----", "ghp_", "pass=", "curl -u "]
        .map(|word| word.repeat(20_000))
        .concat();
    find(b"x", text.as_bytes());
}

#[test]
fn any_cut_of_a_file_is_searched_without_panic() {
    cut_everywhere(&secrets(), "secrets");
}
