//! The legacy bundles hold the rules that are written here, and ours their form.

use super::*;
use crate::bundle::{Policy, Rule};

const SECRETS: &str =
    "content_regex_name=['AWS_ACCESS_KEY', 'AWS_SECRET_KEY', 'PRIV_KEY', 'DOCKER_AUTH', 'API_KEY']";
const ENV: &str = "check=like;instruction=ENV;\
                   value=.*(password|PASSWORD|passwd|PASSWD|AWS|secret|SECRET).*";

/// Action, gate and trigger, parameters in the order of their names.
fn told(rule: &Rule) -> String {
    let mut params: Vec<_> =
        rule.given.iter().map(|given| format!("{}={}", given.name, given.value)).collect();
    params.sort();
    let action = rule.action.written();
    format!("{action} {}.{} {}", rule.gate, rule.trigger, params.join(";")).trim_end().to_owned()
}

fn check(policy: &Policy, name: &str, expected: &[&str]) {
    assert_eq!(policy.name.as_deref(), Some(name));
    let rules: Vec<_> = policy.rules.iter().map(told).collect();
    assert_eq!(rules, expected, "{}", policy.id);
}

#[test]
fn the_bundle_of_anchore_rule_for_rule() {
    let bundle = named("2c53a13c-1765-11e8-82ef-23527761d060").unwrap().bundle();
    assert_eq!(bundle.id, "2c53a13c-1765-11e8-82ef-23527761d060");
    assert_eq!(bundle.name.as_deref(), Some("Default bundle"));
    let [policy] = &bundle.policies[..] else { panic!("one policy") };
    check(
        policy,
        "DefaultPolicy",
        &[
            "STOP dockerfile.exposed_ports ports=22;type=blacklist",
            "WARN dockerfile.instruction check=not_exists;instruction=HEALTHCHECK",
            "WARN vulnerabilities.stale_feed_data max_days_since_sync=2",
            "WARN vulnerabilities.vulnerability_data_unavailable",
            "WARN vulnerabilities.package package_type=all;severity=medium;severity_comparison==",
            "STOP vulnerabilities.package package_type=all;severity=medium;severity_comparison=>",
        ],
    );
    let [whitelist] = &bundle.whitelists[..] else { panic!("one whitelist") };
    assert_eq!(whitelist.name.as_deref(), Some("Global Whitelist"));
    assert_eq!(bundle.mappings[0].policy_ids, [policy.id.as_str()]);
}

#[test]
fn the_bundle_of_sysdig_rule_for_rule() {
    let bundle = named("sysdig-default").unwrap().bundle();
    assert_eq!(bundle.id, "default");
    assert_eq!(bundle.name.as_deref(), Some("Default Sysdig policy bundle"));
    let stale = "WARN vulnerabilities.stale_feed_data max_days_since_sync=7";
    let healthcheck = "WARN dockerfile.instruction check=not_exists;instruction=HEALTHCHECK";
    let user = "WARN dockerfile.instruction check=not_exists;instruction=USER";
    let root = "WARN dockerfile.effective_user type=blacklist;users=root";
    let ssh = "WARN dockerfile.exposed_ports ports=22;type=blacklist";
    let add = "WARN dockerfile.instruction check=exists;instruction=ADD";
    let suid = "WARN files.suid_or_guid_set";
    let secrets = format!("WARN secret_scans.content_regex_checks {SECRETS}");
    let env = format!("WARN dockerfile.instruction {ENV}");
    let high = "severity=high;severity_comparison=>=";
    let fixed = format!("vulnerabilities.package fix_available=true;package_type=all;{high}");
    let [default, dockerfile, nist, pci] = &bundle.policies[..] else { panic!("four policies") };
    check(
        default,
        "DefaultPolicy",
        &[
            healthcheck,
            user,
            stale,
            &format!("WARN {fixed}"),
            &secrets,
            "WARN passwd_file.content_not_available",
            suid,
            ssh,
        ],
    );
    check(
        dockerfile,
        "Default Configuration Policy - Dockerfile Best Practices",
        &[
            stale,
            "WARN dockerfile.instruction check=like;instruction=RUN;value=.*apt-get upgrade.*",
            "WARN dockerfile.instruction check=like;instruction=RUN;value=.*yum upgrade.*",
            healthcheck,
            root,
            ssh,
            "WARN dockerfile.instruction check==;instruction=LABEL;value=latest",
            &env,
            user,
            add,
        ],
    );
    check(
        nist,
        "Default Audit Policy - NIST 800-190",
        &[
            stale,
            "WARN npms.unknown_in_feeds",
            &format!("WARN vulnerabilities.package package_type=non-os;{high}"),
            &format!("WARN vulnerabilities.package package_type=os;{high}"),
            user,
            ssh,
            &secrets,
            &env,
            healthcheck,
            "WARN ruby_gems.not_found_in_feed",
            "WARN metadata.attribute attribute=like_distro;check=not_in;\
             value=alpine, busybox, centos, ubuntu, debian, fedora, ol",
            add,
            root,
            suid,
        ],
    );
    check(
        pci,
        "Default Audit Policy - PCI",
        &[
            stale,
            "WARN files.content_regex_match regex_name=.*(admin|ADMIN|password|PASSWORD).*",
            &format!("STOP {fixed}"),
            &secrets,
            suid,
            root,
            user,
        ],
    );
}

#[test]
fn each_policy_of_sysdig_has_a_name_of_its_own() {
    for (name, policy) in [
        ("sysdig-default", "default"),
        ("dockerfile_best_practices", "dockerfile_best_practices"),
        ("nist_800-190", "nist_800-190"),
        ("sysdig-pci", "pci"),
    ] {
        let bundle = named(name).unwrap().bundle();
        let [mapping] = &bundle.mappings[..] else { panic!("one mapping") };
        assert_eq!(mapping.policy_ids, [policy]);
    }
}

#[test]
fn all_are_read_strictly_and_names_are_unique() {
    let mut names: Vec<&str> = Vec::new();
    for builtin in all() {
        let read = Bundle::read(builtin.text().as_bytes(), Mode::Strict);
        let bundle = read.unwrap_or_else(|problems| panic!("{}: {problems:#?}", builtin.name));
        assert_eq!(bundle.warnings, [], "{}", builtin.name);
        assert_eq!(bundle.faults().count(), 0, "{}", builtin.name);
        names.extend(builtin.aliases.iter().chain([&builtin.name]));
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn every_rule_of_ours_says_why_and_how_to_mend_it() {
    for builtin in all().iter().filter(|builtin| {
        !builtin.name.starts_with("anchore-") && !builtin.name.starts_with("sysdig-")
    }) {
        for rule in builtin.bundle().policies.iter().flat_map(|policy| &policy.rules) {
            let said =
                |text: &Option<String>| text.as_ref().is_some_and(|text| text.ends_with('.'));
            assert!(rule.id.is_some(), "{}", builtin.name);
            assert!(said(&rule.why) && said(&rule.remedy), "{} {:?}", builtin.name, rule.id);
        }
    }
}

#[test]
fn the_starter_is_right_also_with_what_it_has_in_comments() {
    let (text, images) = STARTER.split_once("blacklisted_images: []\n").unwrap();
    let text = text.replace("    items: []\n", "").replace("    # ", "    ");
    let images: Vec<_> = images.lines().map(|line| line.trim_start_matches("# ")).collect();
    let images = images.join("\n").replace("#   ", "  ");
    let whole = format!("{text}{images}\n");
    for (text, exceptions) in [(STARTER, 0), (whole.as_str(), 1)] {
        let bundle = Bundle::read(text.as_bytes(), Mode::Strict)
            .unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        assert_eq!(bundle.warnings, []);
        assert_eq!(bundle.whitelists[0].items.len(), exceptions);
        assert_eq!(bundle.blacklisted_images.len(), exceptions);
    }
}
