//! The legacy bundles that are built in, beside those that the engine was asked with.

use inscan_test_support::oracle::oracle;
use serde_json::Value;

use super::oracle::json_of;

/// Action, gate, trigger and parameters of each rule; ids of rules are nobody's affair.
fn rules(policy: &Value) -> Vec<String> {
    let rule = |rule: &Value| {
        let params = rule["params"].as_array().unwrap().iter();
        let mut params: Vec<_> =
            params.map(|param| format!("{}={}", param["name"], param["value"])).collect();
        params.sort();
        format!("{} {} {} {}", rule["action"], rule["gate"], rule["trigger"], params.join(" "))
    };
    policy["rules"].as_array().unwrap().iter().map(rule).collect()
}

fn built_in(name: &str) -> Value {
    crate::inscan(&["policy", "show", name, "-o", "json"]).run().ends(0).json()
}

#[test]
fn the_legacy_bundles_have_the_rules_that_the_engine_was_asked_with() {
    let Some(oracle) = oracle() else { return };
    let bundles = ["anchore-default", "sysdig-default"].map(built_in);
    let mut compared = [0; 2];
    for entry in std::fs::read_dir(oracle.join("policy-cases")).unwrap() {
        let case = entry.unwrap().path();
        let asked = json_of(&case.join("bundle.json"));
        let Some(index) = bundles.iter().position(|bundle| bundle["id"] == asked["id"]) else {
            continue;
        };
        // Customers of Sysdig added policies of their own; the others are the product's.
        let theirs = asked["policies"].as_array().unwrap();
        for ours in bundles[index]["policies"].as_array().unwrap() {
            let theirs = theirs.iter().find(|policy| policy["id"] == ours["id"]);
            let theirs = theirs.unwrap_or_else(|| panic!("{}: {}", case.display(), ours["id"]));
            assert_eq!(rules(ours), rules(theirs), "{}: {}", case.display(), ours["id"]);
            assert_eq!(ours["name"], theirs["name"], "{}", case.display());
        }
        compared[index] += 1;
    }
    assert!(compared.iter().all(|cases| *cases >= 5), "{compared:?}");
}
