use serde_json::{Value, json};

use super::*;
use crate::bundle::Mode;
use crate::whitelist::State;

/// Two policies that fire always; `mapping` and the rest are put in.
fn bundle(more: Value) -> Bundle {
    let policy = |id: &str, action: &str| {
        json!({"id": id, "version": "1_0", "name": id, "rules": [
            {"id": format!("rule-{id}"), "gate": "always", "trigger": "ALWAYS", "action": action, "params": []}]})
    };
    let mut bundle = json!({
        "id": "b", "version": "1_0", "policies": [policy("stop", "STOP"), policy("warn", "WARN")],
        "mappings": [mapping("*", &["stop"], &[])]});
    for (key, value) in more.as_object().unwrap() {
        bundle[key] = value.clone();
    }
    Bundle::read(bundle.to_string().as_bytes(), Mode::Tolerant).unwrap()
}

fn mapping(repository: &str, policies: &[&str], whitelists: &[&str]) -> Value {
    json!({"id": repository, "name": "m", "registry": "*", "repository": repository,
        "image": {"type": "tag", "value": "*"}, "policy_ids": policies, "whitelist_ids": whitelists})
}

fn image() -> Image {
    Image { tag: "docker.io/team/app:1".into(), digest: "sha256:d".into(), id: "1d".into() }
}

fn judge(bundle: &Bundle, when: &str) -> Evaluation {
    evaluate(bundle, &DocumentFacts::default(), &image(), when.parse().unwrap(), None).unwrap()
}

const NOW: &str = "2026-11-26T12:00:00Z";

#[test]
fn the_first_mapping_that_fits_says_which_policies_are_asked() {
    for (mappings, rows, action) in [
        (json!([mapping("*", &["stop"], &[])]), 1, Action::Stop),
        (
            json!([mapping("other", &["stop"], &[]), mapping("team/*", &["warn"], &[])]),
            1,
            Action::Warn,
        ),
        (json!([mapping("*", &["warn", "stop"], &[])]), 2, Action::Stop),
        (json!([mapping("*", &["warn", "warn"], &[])]), 2, Action::Warn),
        (json!([mapping("other", &["stop"], &[])]), 0, Action::Go),
        (json!([]), 0, Action::Go),
    ] {
        let evaluation = judge(&bundle(json!({"mappings": mappings})), NOW);
        assert_eq!((evaluation.rows.len(), evaluation.final_action), (rows, action), "{mappings}");
        assert_eq!(evaluation.passes(), action != Action::Stop);
    }
    let bundle = bundle(json!({}));
    let only =
        evaluate(&bundle, &DocumentFacts::default(), &image(), NOW.parse().unwrap(), Some("warn"));
    assert_eq!(only.unwrap().final_action, Action::Warn);
}

#[test]
fn listed_images_pass_or_fail_whatever_the_policies_say() {
    let rule = |kind: &str, value: &str| json!([{"name": "x", "registry": "*", "repository": "*", "image": {"type": kind, "value": value}}]);
    for (key, rule, action, reason) in [
        ("whitelisted_images", rule("digest", "sha256:d"), Action::Go, Reason::Whitelisted),
        ("allowlisted_images", rule("id", "1d"), Action::Go, Reason::Whitelisted),
        ("whitelisted_images", rule("tag", "2"), Action::Stop, Reason::Policy),
        ("denylisted_images", rule("tag", "1"), Action::Stop, Reason::Blacklisted),
    ] {
        let evaluation = judge(&bundle(json!({key: rule})), NOW);
        assert_eq!((evaluation.final_action, evaluation.reason), (action, reason), "{key} {rule}");
        assert_eq!(evaluation.policy_action, Action::Stop);
    }
    let both =
        json!({"whitelisted_images": rule("tag", "1"), "blacklisted_images": rule("tag", "1")});
    assert_eq!(judge(&bundle(both), NOW).reason, Reason::Blacklisted);
}

fn excepted(item: Value) -> Bundle {
    bundle(json!({
        "mappings": [mapping("*", &["stop"], &["w"])],
        "whitelists": [{"id": "w", "version": "1_0", "name": "wl", "items": [item]}]}))
}

#[test]
fn an_exception_holds_for_its_gate_and_ids_until_it_expires() {
    let item = |more: Value| {
        let mut item = json!({"id": "i", "gate": "Always", "trigger_id": "alw*"});
        for (key, value) in more.as_object().unwrap() {
            item[key] = value.clone();
        }
        item
    };
    for (more, holds) in [
        (json!({}), true),
        (json!({"trigger_id": "always"}), true),
        (json!({"trigger_id": "regexp:a.*s$"}), true),
        (json!({"trigger_id": "ALWAYS"}), false),
        (json!({"gate": "*"}), false),
        (json!({"enabled": false}), false),
        (json!({"enabled": true, "expiration_date": null}), true),
        (json!({"expiration_date": 1}), false),
        (json!({"expiration_date": 4102444800_u64}), true),
        (json!({"expires_on": "2026-11-26T11:59:59Z"}), false),
        (json!({"expires_on": "2026-11-26T12:00:01Z"}), true),
        (json!({"expires_on": "2026-11-26T13:30:00+02:00"}), false),
        (json!({"expires_on": "2026-11-26"}), true),
        (json!({"expires_on": "2026-11-25"}), false),
    ] {
        let evaluation = judge(&excepted(item(more.clone())), NOW);
        let row = &evaluation.rows[0];
        assert_eq!(row.whitelisted.is_some(), holds, "{more}");
        let action = if holds { Action::Go } else { Action::Stop };
        assert_eq!((row.action, evaluation.final_action), (action, action), "{more}");
    }
}

#[test]
fn exceptions_that_expired_or_fit_nothing_are_told() {
    let state = |item: Value| {
        let stale_exceptions = judge(&excepted(item), NOW).stale_exceptions;
        stale_exceptions.first().map(|stale| (stale.state, stale.message()))
    };
    let expired = json!({"gate": "always", "trigger_id": "*", "expires_on": "2026-01-31"});
    assert_eq!(
        state(expired),
        Some((
            State::Expired,
            "the exception `*` of `always` in the list `w` expired on 2026-02-01; matches that count again: 1"
                .into()
        ))
    );
    let unused = json!({"gate": "files", "trigger_id": "*"});
    assert_eq!(state(unused).unwrap().0, State::Unused);
    assert_eq!(state(json!({"gate": "always", "trigger_id": "*"})), None);
}

#[test]
fn the_first_list_that_fits_is_named() {
    let list = |id: &str, trigger_id: &str| json!({"id": id, "version": "1_0", "items": [{"id": id, "gate": "always", "trigger_id": trigger_id}]});
    let bundle = bundle(json!({
        "mappings": [mapping("*", &["stop"], &["one", "two", "three"])],
        "whitelists": [list("three", "always"), list("two", "*"), list("one", "other")]}));
    let row = judge(&bundle, NOW).rows.remove(0);
    assert_eq!(row.whitelisted.unwrap().whitelist_id, "two");
}

#[test]
fn what_is_wrong_with_the_policies_in_use_stops_and_has_no_rows() {
    let policies = |rule: Value| {
        json!({"policies": [
            {"id": "stop", "version": "1_0", "rules": [rule]},
            {"id": "unused", "version": "9", "rules": [{"gate": "nope", "trigger": "x", "action": "GO", "params": []}]}]})
    };
    let rule = |gate: &str, params: Value| json!({"id": "r", "gate": gate, "trigger": "always", "action": "WARN", "params": params});
    for (rule, kind, action) in [
        (rule("nosuch", json!([])), "GateNotFoundError", Action::Stop),
        (
            rule("always", json!([{"name": "x", "value": "y"}])),
            "InvalidParameterError",
            Action::Stop,
        ),
        (
            json!({"gate": "suiddiff", "trigger": "suidfileadd", "action": "STOP", "params": []}),
            "EndOfLifedError",
            Action::Go,
        ),
        (
            json!({"gate": "suiddiff", "trigger": "nosuch", "action": "GO", "params": []}),
            "TriggerNotFoundError",
            Action::Stop,
        ),
    ] {
        let evaluation = judge(&bundle(policies(rule.clone())), NOW);
        assert_eq!(evaluation.faults[0].kind.name(), kind, "{rule}");
        assert_eq!((evaluation.faults.len(), evaluation.rows.len()), (1, 0), "{rule}");
        assert_eq!(evaluation.final_action, action, "{rule}");
    }
}

#[test]
fn ids_of_matches_are_those_of_the_engine() {
    for (gate, trigger, message, id) in [
        (
            "dockerfile",
            "instruction",
            "Dockerfile directive 'HEALTHCHECK' not found, matching condition 'not_exists' check",
            "41cb7cdf04850e33a11f80c42bf660b3",
        ),
        (
            "files",
            "suid_or_guid_set",
            "SUID or SGID found set on file /bin/mount. Mode: 0o104755",
            "bcd2d285f87b13dd5d94b770bc7d69bb",
        ),
    ] {
        assert_eq!(trigger_id(gate, trigger, message), id);
    }
}
