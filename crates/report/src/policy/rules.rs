//! What policies found, by policy and by rule: the worst first.

use std::collections::HashMap;

use inscan_judge::{Action, Evaluation, PolicyResult, Row, RuleText};

/// One rule that found something.
pub(crate) struct Fired<'a> {
    pub(crate) told: Option<&'a RuleText>,
    pub(crate) gate: &'static str,
    pub(crate) trigger: &'static str,
    /// What its matches count for; a rule of which all are excepted counts for nothing.
    pub(crate) action: Action,
    pub(crate) counting: Vec<&'a Row>,
    pub(crate) excepted: Vec<&'a Row>,
}

/// Each policy once, in the mapping's order, with its rules.
pub(crate) fn fired(evaluation: &Evaluation) -> Vec<(&PolicyResult, Vec<Fired<'_>>)> {
    let mut policies: Vec<(&PolicyResult, Vec<Fired<'_>>)> = Vec::new();
    for judged in &evaluation.policies {
        if !policies.iter().any(|(known, _)| known.id == judged.id) {
            policies.push((judged, of_policy(evaluation, &judged.id)));
        }
    }
    policies
}

fn of_policy<'a>(evaluation: &'a Evaluation, policy: &str) -> Vec<Fired<'a>> {
    let mut rules: Vec<Fired<'_>> = Vec::new();
    let mut known = HashMap::new();
    for row in evaluation.rows.iter().filter(|row| row.policy_id == policy) {
        let key = (row.place.path.as_str(), row.gate, row.trigger);
        let index = *known.entry(key).or_insert_with(|| {
            rules.push(Fired {
                told: evaluation.rules.iter().find(|told| told.place == row.place.path),
                gate: row.gate,
                trigger: row.trigger,
                action: Action::Go,
                counting: Vec::new(),
                excepted: Vec::new(),
            });
            rules.len() - 1
        });
        let Some(rule) = rules.get_mut(index) else { continue };
        if row.whitelisted.is_some() {
            rule.excepted.push(row);
        } else {
            rule.action = row.action;
            rule.counting.push(row);
        }
    }
    // Within an action as the evaluation has it, which is by gate.
    rules.sort_by_key(|rule| rule.action);
    rules
}

/// A message without the page that it names: what is told beside it has that.
pub(crate) fn message(row: &Row) -> String {
    let vulnerability = row.gate == "vulnerabilities" && row.trigger == "package";
    match row.message.rfind(" - http").filter(|_| vulnerability && row.message.ends_with(')')) {
        Some(at) => format!("{})", &row.message[..at]),
        None => row.message.clone(),
    }
}

/// By which list, and why.
pub(crate) fn excepted(row: &Row) -> String {
    let Some(by) = &row.whitelisted else { return String::new() };
    let item = by.item_id.as_ref().map_or_else(String::new, |id| format!(", {id}"));
    let notes = by.notes.as_ref().map_or_else(String::new, |notes| format!(": {notes}"));
    format!("excepted by {}{item}{notes}", by.whitelist_name.as_ref().unwrap_or(&by.whitelist_id))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing;
    use super::*;

    #[test]
    fn what_stops_comes_first_and_what_is_excepted_last() {
        let evaluation = testing::policy();
        let policies = fired(&evaluation);
        let [(judged, rules)] = &policies[..] else { panic!("one policy") };
        assert_eq!(judged.id, "p");
        let shown: Vec<_> = rules
            .iter()
            .map(|rule| (rule.action, rule.trigger, rule.counting.len(), rule.excepted.len()))
            .collect();
        let expected = [
            (Action::Stop, "effective_user", 1, 0),
            (Action::Warn, "instruction", 1, 0),
            (Action::Go, "always", 0, 1),
        ];
        assert_eq!(shown, expected);
        assert_eq!(excepted(rules[2].excepted[0]), "excepted by agreed, i: agreed on");
    }

    #[test]
    fn a_vulnerability_is_told_without_its_page() {
        let mut row = testing::policy().rows.remove(0);
        (row.gate, row.trigger) = ("vulnerabilities", "package");
        row.message = "HIGH in a (fixed in: 2)(CVE-1 - https://x.example/CVE-1)".into();
        assert_eq!(message(&row), "HIGH in a (fixed in: 2)(CVE-1)");
        row.message = "HIGH in a - http".into();
        assert_eq!(message(&row), row.message);
    }
}
