use super::*;
use inscan_contract::testing::{Image, cut_everywhere};

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

/// Those that are none of a rule (`no:ID`), or none of any (`no`).
fn is_negative(id: &str) -> bool {
    id == "no" || id.starts_with("no:")
}

#[test]
fn every_rule_finds_its_example() {
    let missed: Vec<_> = examples()
        .into_iter()
        .filter(|(id, _)| !is_negative(id))
        .filter(|(id, text)| {
            let found = find(b"etc/app.conf", text.as_bytes());
            !found.iter().any(|it| it.rule == *id || *id == "any")
        })
        .collect();
    assert_eq!(missed, []);
}

#[test]
fn nothing_is_found_in_the_other_examples() {
    let found: Vec<_> = examples()
        .into_iter()
        .filter(|(id, _)| is_negative(id))
        .map(|(_, text)| (find(b"etc/app.conf", text.as_bytes()), text))
        .filter(|(found, _)| !found.is_empty())
        .collect();
    assert_eq!(found, []);
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
        assert!(rule.keywords.iter().all(|keyword| keyword.len() >= 3), "{id}");
        let has_capital = |keyword: &String| keyword.bytes().any(|byte| byte.is_ascii_uppercase());
        assert!(rule.exact || !rule.keywords.iter().any(has_capital), "{id} is exact");
        assert!(pack::compile(&rule.pattern).is_ok(), "{id} compiles");
        if rule.is_strong() {
            rule.regex_in_binary();
        }
        assert!(examples.iter().any(|(example, _)| example == id), "{id} has an example");
        let negative = format!("no:{id}");
        assert!(examples.iter().any(|(example, _)| *example == negative), "{id} has another");
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
fn what_was_typed_in_the_form_of_a_token_is_low_and_a_mask_is_nothing() {
    let severity = |text: &str| find(b"a.txt", text.as_bytes()).first().map(|one| one.severity);
    for (prefix, rest, expected) in [
        ("AKIA", "DEADBEEFDEADBEEF", Some(Severity::Low)),
        ("AKIA", "ZZZZZZZZZZZZZZZZ", Some(Severity::Low)),
        ("AIza", "SyAtestTESTt3s7te-_testtesttesttest", Some(Severity::Low)),
        ("AKIA", "XXXXXXXXXXXXXXXX", None),
        ("AKIA", "IOSFODNN7EXAMPLE", None),
        ("AIza", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", None),
        ("AIza", "SyAbcDefGhiJklMnoPqrStuVwxYz1234567", None),
        ("ACCA", "GGTTACGTACGTAACC", None),
        ("AKIA", "Q3EXQ7FSZUK4WB2M", Some(Severity::High)),
    ] {
        assert_eq!(severity(&[prefix, rest].concat()), expected, "{prefix} {rest}");
    }
}

#[test]
fn names_and_code_are_no_secret_that_signs_tokens() {
    let rules = |text: &str| find(b"a.js", text.as_bytes()).into_iter().map(|one| one.rule);
    for text in [
        "jwt_secret = process.env.JWT_SECRET",
        "jwtSecretKey: config.get('auth.jwt.secret')",
        "const jwtSecret = getJwtSecretFromVault()",
        "jwtSigningKey := os.Getenv(\"JWT_SIGNING_KEY\")",
        "String jwtSecretName = \"security.jwt.token.secret-key\"",
    ] {
        assert_eq!(rules(text).collect::<Vec<_>>(), <[String; 0]>::default(), "{text}");
    }
    for text in ["jwtSecret: 'development#product'", "JWT:\n  secret: \"development#product\"\n"] {
        assert_eq!(rules(text).collect::<Vec<_>>(), ["jwt-signing-secret"], "{text}");
    }
}

#[test]
fn a_private_key_is_found_at_its_first_line() {
    check(&format!("x\n{}", private_key()), &[("private-key", 2, 1)]);
}

#[test]
fn what_has_a_form_of_its_own_is_found_in_binary_files() {
    let bytes = [b"\0\0", token().as_bytes(), b"\0", private_key().as_bytes()].concat();
    let elf = [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", &bytes[..]].concat();
    check_at("opt/app", &elf, &[("github-token", 1, 19), ("private-key", 1, 60)]);
    let named = b"\x7fELF\x02\x01\0\0\0acme_api_key = \"q8w7e6r5t4y3u2i1o0p9a8s7\"\0\0";
    check_at("opt/app", named, &[]);
    // A program that reads keys has the armour's first line as a constant.
    check_at("opt/app", b"\x7fELF\0-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0", &[]);
}

#[test]
fn a_binary_file_has_one_finding_of_a_rule_and_shows_only_the_armour() {
    let key = private_key();
    let bytes = [b"\x7fELF\0\x01\x02", key.as_bytes(), b"\0", key.as_bytes()].concat();
    let facts = Image::new([("opt/app", bytes)]).run(&secrets());
    let [Fact::Secret(secret)] = &facts.facts[..] else { panic!("{facts:?}") };
    assert_eq!(secret.excerpt, format!("-----BEGIN {}-----********", "PRIVATE KEY"));
}

#[test]
fn a_stray_nul_hides_nothing() {
    let text = format!("\0DB_PASSWORD=q8W7#e6R5\nT={}\n", token());
    check_at("app/.env", text.as_bytes(), &[("password", 1, 14), ("github-token", 2, 3)]);
}

#[test]
fn what_is_encoded_once_is_found() {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let key = encode(&private_key());
    let config = format!("users:\n- user:\n    client-key-data: {key}\n");
    check_at("root/.kube/config", config.as_bytes(), &[("private-key", 3, 22)]);
    let bundle = encode(&format!("-----BEGIN CERTIFICATE-----\nMII=\n{}", private_key()));
    check(&format!("A={bundle}\n"), &[("private-key", 1, 3)]);
    check(
        &format!("A={}\n", encode(&format!("npm_{}", "q8W7e6R5t4Y3u2I1o0P9a8S7d6F5g4H3j2K1"))),
        &[("npm-token", 1, 3)],
    );
    check(&format!("A={}\n", encode("-----BEGIN CERTIFICATE-----\nMIIB\n")), &[]);
}

#[test]
fn members_of_archives_are_searched_as_files() {
    let text = format!("spring.datasource.password=q8W7#e6R5\ngithub={}\n", token());
    let jar = inscan_test_support::zip(&[
        ("META-INF/MANIFEST.MF", &b"a: b"[..]),
        ("BOOT-INF/application.properties", text.as_bytes()),
    ]);
    let facts = Image::new([("app/a.jar", jar)]).run(&secrets());
    let found = facts.facts.iter().map(|fact| match fact {
        Fact::Secret(secret) => (secret.rule.as_str(), secret.member.clone().unwrap_or_default()),
        other => panic!("unexpected {other:?}"),
    });
    let member = || "BOOT-INF/application.properties".into();
    assert_eq!(found.collect::<Vec<_>>(), [("password", member()), ("github-token", member())]);
}

#[test]
fn an_archive_is_one_whatever_its_name_and_what_is_before_it() {
    use inscan_test_support::{gzip, tar, zip};
    let text = format!("x\ngithub={}\n", token());
    let settings = [("etc/app.env", text.as_bytes())];
    let inner = gzip(&tar(&settings));
    let script = [&b"#!/bin/sh\nexec java -jar $0\n"[..], &zip(&settings)].concat();
    for (path, bytes, member) in [
        ("srv/a.tgz", gzip(&tar(&settings)), "etc/app.env"),
        ("srv/a", gzip(&tar(&settings)), "etc/app.env"),
        ("srv/a.tar", tar(&settings), "etc/app.env"),
        ("srv/a.b", zip(&settings), "etc/app.env"),
        ("srv/a.jar", script, "etc/app.env"),
        ("srv/a.zip", zip(&[("b.tgz", &inner[..])]), "b.tgz:etc/app.env"),
    ] {
        let facts = Image::new([(path, bytes)]).run(&secrets());
        let [Fact::Secret(found)] = &facts.facts[..] else { panic!("{path}: {:?}", facts.facts) };
        let place = (found.member.as_ref().map(ToString::to_string), found.line);
        assert_eq!(place, (Some(member.to_owned()), 2), "{path}");
        assert_eq!(facts.problems, [], "{path}");
    }
    let deep = zip(&[("b.tgz", &gzip(&tar(&[("c.tgz", &inner[..])]))[..])]);
    let facts = Image::new([("srv/a.zip", deep)]).run(&secrets());
    assert!(facts.facts.is_empty() && facts.problems.len() == 1, "{:?}", facts.problems);
}

#[test]
fn pictures_have_no_tokens() {
    let picture = "iVBORw0KGgoAAAANSUhEUgAAq8W7".repeat(60);
    let token = format!("EAA{}", "w798WWudfE7jJMeVFFlyVurq6kqK19E1ww1v5nU2vtyMLR9r");
    check(&format!("data:image/png;base64,{picture}/{token}+{picture}"), &[]);
    check(&format!("access_token={token}&fields=id"), &[("facebook-access-token", 1, 14)]);
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
    check_at("usr/lib/node_modules/a/index.js", text.as_bytes(), &both);
    check_at("srv/tests/a.py", text.as_bytes(), &both);
    check_at("srv/yarn.lock", text.as_bytes(), &both[1..]);
    let severities = |path: &str| {
        let found = find(path.as_bytes(), text.as_bytes());
        found.into_iter().map(|secret| secret.severity).collect::<Vec<_>>()
    };
    assert_eq!(severities("srv/settings.py"), [Severity::Medium, Severity::Critical]);
    assert_eq!(severities("srv/README.md"), [Severity::Low, Severity::Low]);
    assert_eq!(severities("srv/app.min.js"), [Severity::Low, Severity::Critical]);
}

#[test]
fn a_value_below_its_name_is_found() {
    let value = ["vQ7m2Kx9", "Lp4Rt8Wz", "3Bn6Yc1D"].concat();
    let pair = format!("env:\n- name: API_SECRET\n  value: '{value}'\n");
    check_at("k/deploy.yaml", pair.as_bytes(), &[("generic-credential", 3, 11)]);
    let block = format!("api_secret: |-\n  {value}\n");
    check_at("k/values.yaml", block.as_bytes(), &[("generic-credential", 2, 3)]);
    let dotted = format!("app.mail.api.key={value}\n");
    check_at("a.properties", dotted.as_bytes(), &[("generic-credential", 1, 18)]);
    check_at("k/a.yaml", b"- name: API_SECRET\n  valueFrom: x\n- name: B\n  value: c\n", &[]);
}

#[test]
fn what_programs_and_tests_of_them_say_is_no_password() {
    let none = |path: &str, text: &str| check_at(path, text.as_bytes(), &[]);
    none("a.json", "{\"Output\": \"--- PASS: TestIndexFunc (0.00s)\\n\"}");
    none("mvnw", "case \"${MVNW_PASSWORD:+has-password}\" in\n");
    none("a.go", "// We cannot simply pass \"lazyValue7x\" to it\n");
    none(
        "a.go",
        "headers.Add(\"Authorization\", \"Basic \"+base64.StdEncoding.EncodeToString(x))\n",
    );
    none("a.rs", "pub Semaphore: D3DDDI_SYNCHRONIZATION2_OBJECT,\n");
    none("a.go", "SalesforceOauth2ClientCredentials *SecretSalesforceOauth2Credentials\n");
    none("cpe.json", "{\"auth0\": \"cpe:2.3:a:auth0:auth0.js:8.12.1:*:*:*\"}");
    none("vendor.conf", "github.com/x/logrus-bugsnag 577dee27f20dd8f1a529f82210094af593be12bd\n");
    let imports = "fn(a: *const i8, ".repeat(60) + "lppassword : windows::core::PCWSTR) -> i32";
    none("a.rs", &format!("link!(\"netapi32.dll\" \"system\" {imports});\n"));
}

#[test]
fn a_fingerprint_tells_secrets_and_their_places_apart() {
    let of = |name: &[u8], token: &str| find(name, token.as_bytes())[0].fingerprint.clone();
    let other = token().replace("q8W7", "z8W7");
    assert_eq!(of(b"a", &token()), of(b"a", &token()));
    assert_ne!(of(b"a", &token()), of(b"b", &token()));
    assert_ne!(of(b"a", &token()), of(b"a", &other));
    assert_eq!(of(b"a", &token()).len(), 5);
}

#[test]
fn a_text_is_shown_with_its_secrets_masked() {
    let text = format!("RUN |1 NPM_TOKEN={} /bin/sh -c npm ci", token());
    assert_eq!(masked(b"history", &text), "RUN |1 NPM_TOKEN=ghp_******** /bin/sh -c npm ci");
    assert_eq!(masked(b"history", "RUN make"), "RUN make");
}

#[test]
fn what_is_not_searched_or_listed_is_a_problem() {
    let large = vec![b'x'; (1 << 20) + 1];
    let many = format!("{}\n", token()).repeat(MAX_SECRETS + 20);
    let config = inscan_contract::config::Secrets { enabled: true, max_file_size: 1 << 20 };
    let files = [("large", large), ("many", many.into_bytes())];
    let facts = Image::new(files).run(&Secrets { config });
    assert_eq!(facts.facts.len(), MAX_SECRETS);
    assert_eq!(facts.problems.len(), 2, "{:?}", facts.problems);
    assert_eq!(facts.problems[0].hides, Hides::Secrets);
}

#[test]
fn what_is_no_text_is_counted_where_it_is_left_out() {
    let program = [b"\x7fELF\x02\x01\x01\0", &vec![0; 4 << 20][..]].concat();
    let jar = inscan_test_support::zip(&[("A.class", &b"\xca\xfe"[..]), ("b.png", b"x")]);
    let skipped = |path: &str, bytes: &[u8]| {
        let mut facts = Facts::default();
        let start = &bytes[..bytes.len().min(512)];
        let head = FileHead { path: path.as_bytes(), mode: 0o755, size: bytes.len() as u64, start };
        secrets().inspect(&head, &bytes, &mut facts).unwrap();
        assert_eq!((facts.facts, facts.problems), (vec![], vec![]), "{path}");
        facts.skipped
    };
    let large = "binary, and larger than 4194304 bytes: not searched".to_owned();
    assert_eq!(skipped("opt/app", &program), [(OVER_LIMIT, large)]);
    let members = "2 members are code, pictures, fonts or libraries: not searched".to_owned();
    assert_eq!(skipped("a.jar", &jar), [("not-text", members)]);
}

#[test]
fn a_token_with_the_right_check_sum_counts_in_documentation_too() {
    let severity = |token: &[&str]| {
        find(b"app/README.md", token.concat().as_bytes()).first().map(|one| one.severity)
    };
    // Published by its owner, after it had been revoked.
    let known = ["ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"];
    assert_eq!(severity(&known), Some(Severity::Critical));
    assert_eq!(severity(&[known[0], known[1], "1mLq17"]), Some(Severity::Low));
    let of_gitlab = |sum: &str| {
        let token = ["glpat", "-bzox79Of-KE9FD2LjoXXF4CvyxA.0r", sum].concat();
        find(b"app/.env", token.as_bytes()).first().map(|one| one.severity)
    };
    assert_eq!(of_gitlab("03gxo7s"), Some(Severity::Critical));
    assert_eq!(of_gitlab("03gxo7t"), Some(Severity::Low));
}

#[test]
fn many_lesser_secrets_hide_no_worse_one() {
    let lesser = "url = https://user:hR7kQ2mZ9pLx4@host.example/\n".repeat(MAX_SECRETS + 50);
    let facts = Image::new([("config.ini", lesser + &token())]).run(&secrets());
    let is_critical =
        |fact: &Fact| matches!(fact, Fact::Secret(it) if it.severity == Severity::Critical);
    assert_eq!(
        (facts.facts.len(), facts.facts.iter().filter(|it| is_critical(it)).count()),
        (100, 1)
    );
}

#[test]
fn nothing_is_wanted_when_switched_off() {
    let config = inscan_contract::config::Secrets { enabled: false, ..Default::default() };
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
    cut_everywhere(&secrets(), "secret-files");
}
