use super::*;

/// A bundle in the form that people write, with a rule of each kind of error put in.
fn yaml(rules: &str) -> String {
    format!(
        "id: b\nversion: 1_0\npolicies:\n  - id: p\n    version: 1_0\n    rules:\n{rules}\
         mappings:\n  - name: all\n    registry: '*'\n    repository: '*'\n    \
         image: {{type: tag, value: '*'}}\n    policy_ids: [p]\n"
    )
}

fn read(text: &str, mode: Mode) -> Result<Bundle, Vec<String>> {
    Bundle::read(text.as_bytes(), mode)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

const ALWAYS: &str = "      - {gate: always, trigger: always, action: STOP, params: []}\n";

#[test]
fn a_bundle_is_read() {
    let bundle = read(&yaml(ALWAYS), Mode::Strict).unwrap();
    assert_eq!(bundle.policies[0].rules[0].action, Action::Stop);
    assert!(bundle.policies[0].rules[0].compiled.is_some());
    assert_eq!(bundle.mappings[0].policy_ids, ["p"]);
    assert_eq!(bundle.document["mappings"][0]["image"]["value"], "*");
    assert!(bundle.warnings.is_empty(), "{:?}", bundle.warnings);
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let rules = "      - {gate: alway, trigger: always, action: STOP, params: []}\n      \
                 - {gate: always, trigger: allways, action: WARN, params: []}\n      \
                 - {gate: always, trigger: always, action: WARN, params: [{name: x, value: 1}]}\n";
    let expected = [
        "policies[0].rules[0].gate (line 7, column 16): there is no gate `alway`; did you mean `always`?",
        "policies[0].rules[1].trigger (line 8, column 33): the gate `always` has no trigger `allways`; did you mean `always`?",
        "policies[0].rules[2].params[0].name (line 9, column 71): the trigger `always` has no parameter `x`; it has none",
    ];
    assert_eq!(read(&yaml(rules), Mode::Strict).unwrap_err(), expected);
    // They may never be used.
    let bundle = read(&yaml(rules), Mode::Tolerant).unwrap();
    let warnings: Vec<_> = bundle.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, expected);
    assert_eq!(bundle.faults().count(), 3);
}

#[test]
fn what_the_engine_refuses_to_read_is_an_error_in_both_modes() {
    let json = |text: &str| format!("{{\"id\": \"b\", \"version\": \"1_0\", {text}}}");
    let rule = |text: &str| {
        json(&format!(
            "\"policies\": [{{\"id\": \"p\", \"version\": \"1_0\", \"rules\": [{text}]}}], \"mappings\": []"
        ))
    };
    for (text, expected) in [
        ("[]".into(), "has to be an object, and is a list"),
        ("{}".into(), "`id` is missing"),
        (json("\"policies\": []"), "`mappings` is missing"),
        (json("\"mappings\": []"), "`policies` is missing"),
        (
            json("\"policies\": {}, \"mappings\": []"),
            "policies (line 1, column 43): has to be a list",
        ),
        (
            "{\"id\": 7, \"version\": \"1_0\"}".into(),
            "has to be a text, and is a number; write `\"7\"`",
        ),
        (
            "{\"id\": \"b\", \"version\": \"2\"}".into(),
            "the version `2` is not known; the version is `1_0`",
        ),
        (
            rule(
                "{\"gate\": \"always\", \"trigger\": \"always\", \"action\": \"stop\", \"params\": []}",
            ),
            "the action is one of STOP, WARN, GO, and not `stop`; did you mean `STOP`?",
        ),
        (
            rule("{\"gate\": \"always\", \"trigger\": \"always\", \"action\": \"GO\"}"),
            "`params` is missing",
        ),
        (
            rule(
                "{\"gate\": \"always\", \"trigger\": \"always\", \"action\": \"GO\", \"params\": [{\"name\": \"a\", \"value\": null}]}",
            ),
            "params[0].value (line 1, column 174): has to be a text, and is null",
        ),
        (
            yaml(ALWAYS).replace("type: tag", "type: name"),
            "mappings[0].image.type (line 12, column 19): the type is one of tag, digest, id, and not `name`",
        ),
        (
            yaml(ALWAYS).replace("repository: '*'", "repository: 'regexp:('"),
            "not a regular expression",
        ),
        (
            yaml(ALWAYS) + "whitelists: []\nallowlists: []\n",
            "`whitelists` says the same as `allowlists`",
        ),
    ] {
        for mode in [Mode::Strict, Mode::Tolerant] {
            let problems = read(&text, mode)
                .unwrap_err()
                .join("\n")
                .replace("whitelists (line 14, column 13): says", "`whitelists` says");
            assert!(problems.contains(expected), "{text}\n{problems}");
        }
    }
}

#[test]
fn both_spellings_and_the_items_of_others_are_read() {
    let text = yaml(ALWAYS)
        .replace("params: []", "parameters: []")
        .replace("policy_ids: [p]", "policy_ids: [p]\n    allowlist_ids: [w]")
        + "allowlists:\n  - id: w\n    version: 1_0\n    items:\n      \
         - {id: i, gate: always, trigger_id: '*', enabled: false, expiration_date: 1700000000, notes: why}\n      \
         - {gate: always, trigger_id: '*', expires_on: 2026-01-31T00:00:00Z, description: d, created_at: x}\n";
    let bundle = read(&text, Mode::Strict).unwrap();
    let [first, second] = &bundle.whitelists[0].items[..] else { panic!() };
    assert_eq!((first.enabled, first.notes.as_deref()), (false, Some("why")));
    assert_eq!(first.expires.unwrap().as_second(), 1_700_000_000);
    assert_eq!(second.expires.unwrap().to_string(), "2026-01-31T00:00:00Z");
    assert_eq!(second.notes.as_deref(), Some("d"));
    assert_eq!(bundle.mappings[0].whitelist_ids, ["w"]);
    assert!(bundle.warnings.is_empty(), "{:?}", bundle.warnings);
}

#[test]
fn an_end_where_nothing_ends_is_an_error() {
    let list = "whitelists:\n  - {id: w, version: 1_0, items: [], expires_on: 2026-01-31}\n";
    for (text, key) in [
        (
            yaml(ALWAYS).replace("policy_ids: [p]", "policy_ids: [p]\n    expires: 2026-01-31"),
            "expires",
        ),
        (yaml(ALWAYS) + list, "expires_on"),
    ] {
        for mode in [Mode::Strict, Mode::Tolerant] {
            let problems = read(&text, mode).unwrap_err().join("\n");
            assert!(problems.contains(key) && problems.contains("ends nothing"), "{problems}");
        }
    }
}

#[test]
fn slips_of_the_pen_are_told() {
    let text = yaml(ALWAYS).replace("policy_ids: [p]", "policy_ids: [p]\n    whitelist_id: []");
    let bundle = read(&text, Mode::Tolerant).unwrap();
    assert_eq!(
        bundle.warnings[0].to_string(),
        "mappings[0].whitelist_id (line 14, column 19): is not known, and says nothing; did you mean `whitelist_ids`?"
    );
    let text = yaml(ALWAYS).replace("policy_ids: [p]", "policy_ids: [q]");
    let problems = read(&text, Mode::Strict).unwrap_err();
    assert_eq!(
        problems,
        ["mappings[0] (line 9, column 5): there is no policy `q`; did you mean `p`?"]
    );
}

#[test]
fn what_is_used_twice_or_by_nobody_is_told_in_strict_mode() {
    let twice = yaml(ALWAYS).replace("mappings:", "  - {id: p, version: 1_0}\nmappings:");
    let problems = read(&twice, Mode::Strict).unwrap_err().join("\n");
    assert!(
        problems.contains("the policy `p` is there before: policies[0].id (line 4"),
        "{problems}"
    );
    let both = yaml(ALWAYS).replace("policy_ids: [p]", "policy_ids: [p]\n    policy_id: p");
    let problems = read(&both, Mode::Strict).unwrap_err().join("\n");
    assert!(problems.contains("has both `policy_id` and `policy_ids`"), "{problems}");
    let none = yaml(ALWAYS).replace("policy_ids: [p]", "policy_ids: []");
    let problems = read(&none, Mode::Strict).unwrap_err().join("\n");
    assert!(problems.contains("names no policy"), "{problems}");
}

#[test]
fn a_bundle_cut_anywhere_is_an_error_or_a_bundle() {
    let text = yaml(ALWAYS);
    let json = serde_json::to_string(&read(&text, Mode::Strict).unwrap().document).unwrap();
    for text in [text, json] {
        for end in 0..text.len() {
            let _ = Bundle::read(&text.as_bytes()[..end], Mode::Tolerant);
        }
    }
}
