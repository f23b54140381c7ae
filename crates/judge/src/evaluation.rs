//! Holds the policies of one image against its facts: rows of what triggers
//! found, which of them count, and whether the image passes.

mod explanation;

use inscan_facts::digest::hex;
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::Value;

use super::bundle::{
    Action, Bundle, Compiled, Fault, FaultKind, Mapping, Place, Policy, Problem, Rule,
};
use super::facts::DocumentFacts;
use super::mapping::Image;
use super::spec::{Match, TriggerError};
use super::whitelist::{Exceptions, StaleException};

pub use explanation::{Asked, Explanation, Listed, RuleResult, Tried, explain};

/// The result for one image.
#[derive(Clone, Debug)]
pub struct Evaluation {
    pub bundle_id: String,
    pub bundle_name: Option<String>,
    pub image: Image,
    pub when: Timestamp,
    /// The policies that were asked, in the mapping's order.
    pub policies: Vec<PolicyResult>,
    /// The rules of these, for people.
    pub rules: Vec<RuleText>,
    pub rows: Vec<Row>,
    /// What the policies say, without the lists of images.
    pub policy_action: Action,
    pub final_action: Action,
    pub reason: Reason,
    /// What is wrong with the policies; all but the last kind stop.
    pub faults: Vec<Fault>,
    /// Exceptions that should be looked at again.
    pub stale_exceptions: Vec<StaleException>,
    /// The rules of the bundle that chose, as they were given.
    pub mapping: Option<Value>,
    pub whitelisted_image: Option<Value>,
    pub blacklisted_image: Option<Value>,
    /// The bundle as it was given.
    pub document: Value,
}

/// One policy, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyResult {
    pub id: String,
    pub name: Option<String>,
    pub action: Action,
}

/// What is said of a rule beside what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// Where it stands in the bundle, as its rows have it.
    pub place: String,
    pub id: Option<String>,
    pub why: Option<String>,
    pub remedy: Option<String>,
    /// What its trigger is about, where the rule itself says nothing.
    pub about: Option<&'static str>,
}

/// What one trigger found, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub trigger_id: String,
    pub gate: &'static str,
    pub trigger: &'static str,
    pub message: String,
    /// What it counts for: a match that is excepted, as `go`.
    pub action: Action,
    pub whitelisted: Option<Whitelisted>,
    pub policy_id: String,
    pub rule_id: String,
    /// Where the rule stands in the bundle.
    pub place: Place,
}

/// Which exception holds for a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whitelisted {
    pub whitelist_id: String,
    pub whitelist_name: Option<String>,
    pub item_id: Option<String>,
    pub notes: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Blacklisted,
    Whitelisted,
    Policy,
}

impl RuleText {
    fn of(rule: &Rule) -> Self {
        RuleText {
            place: rule.place.path.clone(),
            id: rule.id.clone(),
            why: rule.why.clone(),
            remedy: rule.remedy.clone(),
            about: rule.compiled.as_ref().map(|compiled| compiled.trigger.about),
        }
    }
}

impl Reason {
    /// As results have it.
    pub fn shown(self) -> &'static str {
        match self {
            Reason::Blacklisted => "blacklisted",
            Reason::Whitelisted => "whitelisted",
            Reason::Policy => "policy_evaluation",
        }
    }
}

impl Evaluation {
    pub fn passes(&self) -> bool {
        self.final_action != Action::Stop
    }

    /// `pass` or `fail`.
    pub fn status(&self) -> &'static str {
        if self.passes() { "pass" } else { "fail" }
    }

    /// Rows that count so.
    pub fn count(&self, action: Action) -> usize {
        self.rows.iter().filter(|row| row.action == action).count()
    }
}

/// Holds the bundle against an image, as of a moment. With `only`, the policy of that id is asked
/// and no other. Where a rule cannot be answered there is no result: all such are told together.
pub fn evaluate(
    bundle: &Bundle,
    facts: &DocumentFacts<'_>,
    image: &Image,
    when: Timestamp,
    only: Option<&str>,
) -> Result<Evaluation, Vec<Problem>> {
    let chosen = chosen(bundle, image, only);
    let unusable = chosen.faults.iter().filter(|fault| fault.kind == FaultKind::Unusable);
    let unusable: Vec<_> = unusable.flat_map(|fault| fault.problems.clone()).collect();
    if !unusable.is_empty() {
        return Err(unusable);
    }
    let stops = chosen.faults.iter().any(|fault| fault.kind.stops());
    let mut exceptions = Exceptions::new(&chosen.whitelists, when);
    let mut rows = Vec::new();
    let mut policies = Vec::new();
    let mut rules = Vec::new();
    let mut problems = Vec::new();
    for policy in &chosen.policies {
        let first = rows.len();
        if !stops {
            fire(policy, facts, &mut exceptions, &mut rows, &mut problems);
        }
        let action = rows[first..].iter().filter(|row| row.whitelisted.is_none());
        let action = action.map(|row: &Row| row.action).min().unwrap_or(Action::Go);
        rules.extend(policy.rules.iter().map(RuleText::of));
        policies.push(PolicyResult { id: policy.id.clone(), name: policy.name.clone(), action });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let policy_action = match stops {
        true => Action::Stop,
        false => policies.iter().map(|policy| policy.action).min().unwrap_or(Action::Go),
    };
    let listed = |rules: &[super::bundle::ImageRule]| {
        let rule = rules.iter().find(|rule| rule.selector.matches(image));
        rule.map(|rule| rule.document.clone())
    };
    let blacklisted_image = listed(&bundle.blacklisted_images);
    let whitelisted_image = listed(&bundle.whitelisted_images);
    let (final_action, reason) = match (&blacklisted_image, &whitelisted_image) {
        (Some(_), _) => (Action::Stop, Reason::Blacklisted),
        // What is not understood lets nothing pass.
        (None, Some(_)) if !stops => (Action::Go, Reason::Whitelisted),
        _ => (policy_action, Reason::Policy),
    };
    Ok(Evaluation {
        bundle_id: bundle.id.clone(),
        bundle_name: bundle.name.clone(),
        image: image.clone(),
        when,
        policies,
        rules,
        rows,
        policy_action,
        final_action,
        reason,
        faults: chosen.faults.into_iter().cloned().collect(),
        stale_exceptions: exceptions.stale_exceptions(),
        mapping: chosen.mapping.map(|mapping| mapping.document.clone()),
        whitelisted_image,
        blacklisted_image,
        document: bundle.document.clone(),
    })
}

/// Whether a rule that holds for the image is about this gate.
pub fn asks(bundle: &Bundle, image: &Image, only: Option<&str>, gate: &str) -> bool {
    let Chosen { policies, faults, .. } = chosen(bundle, image, only);
    let rules = policies.iter().flat_map(|policy| &policy.rules);
    // Where something stops, no rule is asked.
    !faults.iter().any(|fault| fault.kind.stops())
        && rules.filter_map(|rule| rule.compiled.as_ref()).any(|rule| rule.gate.name == gate)
}

/// What holds for the image.
#[derive(Default)]
struct Chosen<'a> {
    mapping: Option<&'a Mapping>,
    policies: Vec<&'a Policy>,
    whitelists: Vec<&'a super::bundle::Whitelist>,
    faults: Vec<&'a Fault>,
}

fn chosen<'a>(bundle: &'a Bundle, image: &Image, only: Option<&str>) -> Chosen<'a> {
    let mut chosen = Chosen::default();
    let mapping = bundle.mappings.iter().find(|mapping| mapping.selector.matches(image));
    let mut policy_ids: Vec<&str> = only.into_iter().collect();
    if let Some(mapping) = mapping {
        let is_valid = !mapping.faults.iter().any(|fault| fault.kind == FaultKind::Validation);
        if only.is_none() {
            chosen.faults.extend(&mapping.faults);
            policy_ids.extend(mapping.policy_ids.iter().map(String::as_str));
        }
        // As for the engine, a mapping that says nothing is none.
        chosen.mapping = is_valid.then_some(mapping);
        for id in &mapping.whitelist_ids {
            let lists = bundle.whitelists.iter().filter(|whitelist| whitelist.id == *id);
            for (index, whitelist) in lists.enumerate() {
                chosen.faults.extend(&whitelist.faults);
                if index == 0 {
                    chosen.whitelists.push(whitelist);
                }
            }
        }
    }
    for id in policy_ids {
        for (index, policy) in bundle.policies.iter().filter(|policy| policy.id == id).enumerate() {
            chosen.faults.extend(policy.faults());
            if index == 0 {
                chosen.policies.push(policy);
            }
        }
    }
    chosen
}

/// Rules in the order in which their gates are first named.
fn by_gate(policy: &Policy) -> Vec<(&Rule, &Compiled)> {
    let live = policy.rules.iter().filter_map(|rule| Some((rule, rule.compiled.as_ref()?)));
    let mut rules: Vec<_> = live.collect();
    let order: Vec<_> = rules.iter().map(|(_, compiled)| compiled.gate.name).collect();
    let place = |gate: &str| order.iter().position(|name| *name == gate);
    rules.sort_by_key(|(_, compiled)| place(compiled.gate.name));
    rules
}

fn fire(
    policy: &Policy,
    facts: &DocumentFacts<'_>,
    exceptions: &mut Exceptions<'_>,
    rows: &mut Vec<Row>,
    problems: &mut Vec<Problem>,
) {
    for (rule, compiled) in by_gate(policy) {
        match found(policy, rule, compiled, facts, exceptions) {
            Ok(found) => rows.extend(found),
            Err(error) => problems.push(unanswered(rule, compiled, &error)),
        }
    }
}

/// What one rule finds, each with the exception that holds for it.
fn found(
    policy: &Policy,
    rule: &Rule,
    compiled: &Compiled,
    facts: &DocumentFacts<'_>,
    exceptions: &mut Exceptions<'_>,
) -> Result<Vec<Row>, TriggerError> {
    let Compiled { gate, trigger, params } = compiled;
    let row = |Match { id, message, excused }| {
        let trigger_id = id.unwrap_or_else(|| trigger_id(gate.name, trigger.name, &message));
        let exception = exceptions.of(gate.name, &trigger_id);
        let whitelisted = exception.map(|(whitelist, item)| Whitelisted {
            whitelist_id: whitelist.id.clone(),
            whitelist_name: whitelist.name.clone(),
            item_id: item.id.clone(),
            notes: item.notes.clone(),
        });
        let whitelisted = whitelisted.or_else(|| {
            excused.map(|by| Whitelisted {
                whitelist_id: by.list,
                whitelist_name: Some(by.name),
                item_id: by.rule,
                notes: by.notes,
            })
        });
        Row {
            trigger_id,
            gate: gate.name,
            trigger: trigger.name,
            message,
            action: if whitelisted.is_some() { Action::Go } else { rule.action },
            whitelisted,
            policy_id: policy.id.clone(),
            rule_id: rule.shown_id().to_owned(),
            place: rule.place.clone(),
        }
    };
    Ok((trigger.fire)(facts, params)?.into_iter().map(row).collect())
}

fn unanswered(rule: &Rule, compiled: &Compiled, error: &TriggerError) -> Problem {
    let Compiled { gate, trigger, .. } = compiled;
    let message = format!("{}.{} has no answer: {error}", gate.name, trigger.name);
    Problem { place: rule.place.clone(), message, hint: None }
}

/// What the engine makes of a match that has no id of its own: whitelists name it.
pub fn trigger_id(gate: &str, trigger: &str, message: &str) -> String {
    let sum = Md5::new().chain_update(gate).chain_update(trigger).chain_update(message).finalize();
    hex(&sum)
}

#[cfg(test)]
mod tests;
