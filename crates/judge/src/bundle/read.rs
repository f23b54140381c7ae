//! From the tree of a bundle's text to the bundle.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::compile::{Given, Rule, Written};
use super::fault::{Fault, FaultKind};
use super::fields::{Fields, Findings, text};
use super::problem::{Place, Problem};
use super::tree::{self, Node, Tree};
use super::{Action, Bundle, ImageRule, Item, Mapping, Mode, Policy, VERSIONS, Whitelist, python};
use crate::mapping::{ImageSelector, NamePattern, Selector};

// The names of version 1.1 of the engine follow those of 1.0.
const WHITELISTS: [&str; 2] = ["whitelists", "allowlists"];
const WHITELIST_IDS: [&str; 2] = ["whitelist_ids", "allowlist_ids"];
const WHITELISTED_IMAGES: [&str; 2] = ["whitelisted_images", "allowlisted_images"];
const BLACKLISTED_IMAGES: [&str; 2] = ["blacklisted_images", "denylisted_images"];
/// The second is what an example of the engine's own documentation has.
const PARAMS: [&str; 2] = ["params", "parameters"];

pub(super) fn bundle(bytes: &[u8], mode: Mode) -> Result<Bundle, Vec<Problem>> {
    let root = tree::read(bytes).map_err(|problem| vec![problem])?;
    let root = as_stored(root);
    let mut findings = Findings::default();
    let bundle = read(&root, &mut findings);
    let Findings { mut problems, mut warnings } = findings;
    let Some(mut bundle) = bundle else { return Err(problems) };
    let faults = bundle.faults().flat_map(|fault| fault.problems.clone());
    match mode {
        Mode::Strict => problems.extend(faults),
        Mode::Tolerant => warnings.extend(faults),
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.place.at);
        return Err(problems);
    }
    warnings.sort_by_key(|problem| problem.place.at);
    bundle.warnings = warnings;
    Ok(bundle)
}

/// The bundle within what the engine's API gives out: its record of a bundle, or a list of
/// such records, of which the active one is meant.
fn as_stored(root: Node) -> Node {
    const WITHIN: [&str; 3] = ["policybundle", "policyBundle", "policy_bundle"];
    let member = |node: &Node, names: &[&str]| match &node.tree {
        Tree::Map(entries) => {
            let found = entries.iter().find(|(key, _)| names.contains(&key.as_str()));
            found.map(|(_, node)| node.clone())
        }
        _ => None,
    };
    let record = match &root.tree {
        Tree::List(records) => {
            let is_active = |record: &&Node| {
                let active = member(record, &["active"]);
                active.is_some_and(|node| node.tree == Tree::Flag(true))
            };
            let only = if records.len() == 1 { records.first() } else { None };
            only.or_else(|| records.iter().find(is_active)).cloned()
        }
        _ => None,
    };
    let record = record.unwrap_or(root);
    if member(&record, &["policies", "mappings"]).is_some() {
        return record;
    }
    match member(&record, &WITHIN) {
        Some(bundle) if matches!(bundle.tree, Tree::Map(_)) => bundle,
        _ => record,
    }
}

fn read(root: &Node, findings: &mut Findings) -> Option<Bundle> {
    let fields = Fields::of(root, "", findings)?;
    let id = fields.required_text(&["id"], findings);
    if let Some((version, place)) = fields.required_text(&["version"], findings)
        && !VERSIONS.contains(&version.as_str())
    {
        findings.wrong(unsupported(&version, place));
    }
    let mut policies = Vec::new();
    for (node, path) in fields.list(&["policies"], true, findings) {
        policies.extend(policy(node, &path, findings));
    }
    let mut whitelists = Vec::new();
    for (node, path) in fields.list(&WHITELISTS, false, findings) {
        whitelists.extend(whitelist(node, &path, findings));
    }
    let mut mappings = Vec::new();
    for (node, path) in fields.list(&["mappings"], true, findings) {
        mappings.extend(mapping(node, &path, findings));
    }
    let mut images = |names| {
        let items = fields.list(names, false, findings);
        items
            .into_iter()
            .filter_map(|(node, path)| image_rule(node, &path, findings))
            .collect::<Vec<_>>()
    };
    let whitelisted_images = images(&WHITELISTED_IMAGES);
    let blacklisted_images = images(&BLACKLISTED_IMAGES);
    let known = ["policies", "mappings"].iter().chain(&WHITELISTS);
    let known = known.chain(&WHITELISTED_IMAGES).chain(&BLACKLISTED_IMAGES);
    fields.unknown(&known.copied().collect::<Vec<_>>(), findings);
    let mut bundle = Bundle {
        id: id.map(|(id, _)| id).unwrap_or_default(),
        name: fields.optional_text(&["name"], findings),
        comment: fields.optional_text(&["comment"], findings),
        policies,
        whitelists,
        mappings,
        whitelisted_images,
        blacklisted_images,
        document: root.value(),
        warnings: Vec::new(),
    };
    find_duplicates(&mut bundle);
    find_dangling(&mut bundle);
    Some(bundle)
}

fn unsupported(version: &str, place: Place) -> Problem {
    let message = format!("the version `{version}` is not known");
    Problem::new(place, message).hint(format!("the version is `{}`", VERSIONS[0]))
}

/// A version that is wrong counts where its part is used.
fn version_faults(fields: &Fields<'_>, findings: &mut Findings) -> Vec<Fault> {
    match fields.required_text(&["version"], findings) {
        Some((version, place)) if !VERSIONS.contains(&version.as_str()) => {
            vec![Fault::unsupported_version(&version, unsupported(&version, place))]
        }
        _ => Vec::new(),
    }
}

fn policy(node: &Node, path: &str, findings: &mut Findings) -> Option<Policy> {
    let fields = Fields::of(node, path, findings)?;
    let (id, place) = fields.required_text(&["id"], findings)?;
    let faults = version_faults(&fields, findings);
    let mut rules = Vec::new();
    for (node, path) in fields.list(&["rules"], false, findings) {
        rules.extend(rule(node, &path, findings));
    }
    fields.no_expiry(findings);
    fields.unknown(&["rules"], findings);
    let name = fields.optional_text(&["name"], findings);
    let comment = fields.optional_text(&["comment"], findings);
    Some(Policy { id, name, comment, rules, faults, place })
}

fn rule(node: &Node, path: &str, findings: &mut Findings) -> Option<Rule> {
    let fields = Fields::of(node, path, findings)?;
    let gate = fields.required_text(&["gate"], findings);
    let trigger = fields.required_text(&["trigger"], findings);
    let action = fields.required_text(&["action"], findings);
    let action = action.and_then(|(written, place)| action_of(&written, place, findings));
    let mut given = Vec::new();
    for (node, path) in fields.list(&PARAMS, true, findings) {
        given.extend(param(node, &path, findings));
    }
    fields.no_expiry(findings);
    let known = ["gate", "trigger", "action", "why", "remedy"].iter().chain(&PARAMS).copied();
    fields.unknown(&known.collect::<Vec<_>>(), findings);
    let mut remark = |name| fields.optional_text(&[name], findings);
    let (id, why, remedy) = (remark("id"), remark("why"), remark("remedy"));
    let (gate, trigger, action) = (gate?, trigger?, action?);
    let place = fields.place;
    Some(Rule::compile(Written { id, gate, trigger, action, given, why, remedy, place }))
}

fn action_of(written: &str, place: Place, findings: &mut Findings) -> Option<Action> {
    let all = [Action::Stop, Action::Warn, Action::Go];
    let action = all.into_iter().find(|action| action.written() == written);
    if action.is_none() {
        let names = all.map(Action::written);
        let message = format!("the action is one of {}, and not `{written}`", names.join(", "));
        findings.wrong(Problem::new(place, message).did_you_mean(written, names));
    }
    action
}

fn param(node: &Node, path: &str, findings: &mut Findings) -> Option<Given> {
    let fields = Fields::of(node, path, findings)?;
    let name = fields.required_text(&["name"], findings);
    let value = fields.required_text(&["value"], findings);
    fields.unknown(&["name", "value"], findings);
    let ((name, name_place), (value, value_place)) = (name?, value?);
    Some(Given { name, value, name_place, value_place })
}

fn whitelist(node: &Node, path: &str, findings: &mut Findings) -> Option<Whitelist> {
    let fields = Fields::of(node, path, findings)?;
    let (id, place) = fields.required_text(&["id"], findings)?;
    let faults = version_faults(&fields, findings);
    let mut items = Vec::new();
    for (node, path) in fields.list(&["items"], false, findings) {
        items.extend(item(node, &path, findings));
    }
    fields.no_expiry(findings);
    fields.unknown(&["items"], findings);
    let name = fields.optional_text(&["name"], findings);
    Some(Whitelist { id, name, items, faults, place })
}

fn item(node: &Node, path: &str, findings: &mut Findings) -> Option<Item> {
    let fields = Fields::of(node, path, findings)?;
    let gate = fields.required_text(&["gate"], findings);
    let trigger_id = fields.required_text(&["trigger_id"], findings);
    let expires = [expires_on(&fields, findings), expiration_date(&fields, findings)];
    let enabled = enabled(&fields, findings);
    let ends = ["expires_on", "expiration_date"];
    fields.no_expiry_but(&ends, findings);
    fields.unknown(&["gate", "trigger_id", "enabled"], findings);
    let notes = fields.optional_text(&["notes"], findings);
    let notes = notes.or_else(|| fields.optional_text(&["description", "comment"], findings));
    let trigger_id = trigger_id.and_then(|(pattern, place)| match NamePattern::new(&pattern) {
        Ok(_) => Some(pattern),
        Err(error) => {
            findings.wrong(Problem::new(place, error.to_string()));
            None
        }
    });
    Some(Item {
        id: fields.optional_text(&["id"], findings),
        gate: gate?.0,
        trigger_id: trigger_id?,
        enabled,
        // The earlier of the two, should both be there.
        expires: expires.into_iter().flatten().min(),
        notes: notes.filter(|notes| !notes.is_empty()),
        place: fields.place,
    })
}

/// As version 1.1 of the engine has it: a time, or a day, which is the last then.
fn expires_on(fields: &Fields<'_>, findings: &mut Findings) -> Option<Timestamp> {
    let (node, place) = fields.member(&["expires_on"], findings)?;
    if matches!(node.tree, Tree::Null) {
        return None;
    }
    let written = text(node).unwrap_or_default();
    let day = || {
        let day: jiff::civil::Date = written.parse().ok()?;
        Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    // Without an offset it is taken for UTC.
    let civil = || {
        let time: jiff::civil::DateTime = written.parse().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let has_time = written.contains([':', 'T', 't']);
    let time = written.parse().ok().or_else(|| if has_time { civil() } else { day() });
    if time.is_none() {
        let message = "is no time as in `2027-01-31T12:00:00Z`, and no day as in `2027-01-31`";
        findings.wrong(Problem::new(place, message));
    }
    time
}

/// As Sysdig has it: seconds since 1970, or null.
fn expiration_date(fields: &Fields<'_>, findings: &mut Findings) -> Option<Timestamp> {
    let (node, place) = fields.member(&["expiration_date"], findings)?;
    let seconds = match &node.tree {
        Tree::Null => return None,
        Tree::Number(text) | Tree::Plain(text, _) | Tree::Text(text) => text.parse().ok(),
        _ => None,
    };
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    if time.is_none() {
        findings.wrong(Problem::new(place, "is no number of seconds since 1970"));
    }
    time
}

fn enabled(fields: &Fields<'_>, findings: &mut Findings) -> bool {
    let Some((node, place)) = fields.member(&["enabled"], findings) else { return true };
    let tree = match &node.tree {
        Tree::Plain(_, tree) => tree,
        other => other,
    };
    match tree {
        Tree::Flag(flag) => *flag,
        Tree::Null => true,
        _ => {
            findings.wrong(Problem::new(place, "has to be `true` or `false`"));
            true
        }
    }
}

fn mapping(node: &Node, path: &str, findings: &mut Findings) -> Option<Mapping> {
    let fields = Fields::of(node, path, findings)?;
    let name = fields.required_text(&["name"], findings);
    let selector = selector(&fields, findings);
    let one = fields.optional_text(&["policy_id"], findings);
    let many = fields.texts(&["policy_ids"], findings);
    let whitelist_ids = fields.texts(&WHITELIST_IDS, findings);
    let known = ["registry", "repository", "image", "policy_id", "policy_ids"];
    let known: Vec<_> = known.iter().chain(&WHITELIST_IDS).copied().collect();
    fields.no_expiry(findings);
    fields.unknown(&known, findings);
    let mut faults = Vec::new();
    if one.is_some() && !many.is_empty() {
        let details = format!(
            "Cannot have both policy_id and policy_ids properties set for mapping rule: {} ()",
            python::value(node)
        );
        let message = "has both `policy_id` and `policy_ids`";
        let problem = Problem::new(fields.place.clone(), message).hint("keep one of them");
        faults.push(Fault::new(FaultKind::Validation, details, problem));
    }
    let policy_ids = one.map_or(many, |one| vec![one]);
    if policy_ids.is_empty() {
        let details = format!(
            "No policy_id or policy_ids property found for mapping rule: {} ()",
            python::value(node)
        );
        let problem = Problem::new(fields.place.clone(), "names no policy");
        let problem = problem.hint("add `policy_ids`, a list of ids of policies");
        faults.push(Fault::new(FaultKind::Validation, details, problem));
    }
    Some(Mapping {
        name: name?.0,
        selector: selector?,
        policy_ids,
        whitelist_ids,
        faults,
        document: node.value(),
        place: fields.place,
    })
}

fn image_rule(node: &Node, path: &str, findings: &mut Findings) -> Option<ImageRule> {
    let fields = Fields::of(node, path, findings)?;
    let name = fields.required_text(&["name"], findings);
    let selector = selector(&fields, findings);
    fields.no_expiry(findings);
    fields.unknown(&["registry", "repository", "image"], findings);
    name?;
    Some(ImageRule { selector: selector?, document: node.value() })
}

fn selector(fields: &Fields<'_>, findings: &mut Findings) -> Option<Selector> {
    let registry = pattern(fields, "registry", findings);
    let repository = pattern(fields, "repository", findings);
    let image = image(fields, findings);
    Some(Selector { registry: registry?, repository: repository?, image: image? })
}

fn pattern(fields: &Fields<'_>, name: &str, findings: &mut Findings) -> Option<NamePattern> {
    let (text, place) = fields.required_text(&[name], findings)?;
    match NamePattern::new(&text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            findings.wrong(Problem::new(place, error.to_string()));
            None
        }
    }
}

fn image(fields: &Fields<'_>, findings: &mut Findings) -> Option<ImageSelector> {
    let Some((node, place)) = fields.member(&["image"], findings) else {
        findings.wrong(fields.missing("image"));
        return None;
    };
    let fields = Fields::of(node, &place.path, findings)?;
    let kind = fields.required_text(&["type"], findings);
    let value = fields.required_text(&["value"], findings);
    fields.unknown(&["type", "value"], findings);
    let ((kind, place), (value, value_place)) = (kind?, value?);
    match kind.as_str() {
        "digest" => Some(ImageSelector::Digest(value)),
        "id" => Some(ImageSelector::Id(value)),
        "tag" => match NamePattern::new(&value) {
            Ok(pattern) => Some(ImageSelector::Tag(pattern)),
            Err(error) => {
                findings.wrong(Problem::new(value_place, error.to_string()));
                None
            }
        },
        _ => {
            let known = ["tag", "digest", "id"];
            let message = format!("the type is one of {}, and not `{kind}`", known.join(", "));
            findings.wrong(Problem::new(place, message).did_you_mean(&kind, known));
            None
        }
    }
}

/// Ids that are there more than once: which one is meant, nobody knows.
fn find_duplicates(bundle: &mut Bundle) {
    let mut seen = BTreeMap::new();
    for policy in &mut bundle.policies {
        if let Some(first) = seen.insert(policy.id.clone(), policy.place.clone()) {
            policy.faults.push(duplicate("policy", &policy.id, &policy.place, &first));
        }
    }
    let mut seen = BTreeMap::new();
    for whitelist in &mut bundle.whitelists {
        if let Some(first) = seen.insert(whitelist.id.clone(), whitelist.place.clone()) {
            let fault = duplicate("whitelist", &whitelist.id, &whitelist.place, &first);
            whitelist.faults.push(fault);
        }
    }
}

fn duplicate(kind: &str, id: &str, place: &Place, first: &Place) -> Fault {
    let message = format!("the {kind} `{id}` is there before: {first}");
    Fault::duplicate(kind, id, Problem::new(place.clone(), message))
}

/// Mappings that name what is not there.
fn find_dangling(bundle: &mut Bundle) {
    let policies: Vec<_> = bundle.policies.iter().map(|policy| policy.id.as_str()).collect();
    let whitelists: Vec<_> = bundle.whitelists.iter().map(|list| list.id.as_str()).collect();
    for mapping in &mut bundle.mappings {
        let ids = [("policy", &mapping.policy_ids, &policies)];
        let ids = ids.into_iter().chain([("whitelist", &mapping.whitelist_ids, &whitelists)]);
        for (kind, ids, known) in ids {
            for id in ids.iter().filter(|id| !known.contains(&id.as_str())) {
                let message = format!("there is no {kind} `{id}`");
                let problem = Problem::new(mapping.place.clone(), message);
                let problem = problem.did_you_mean(id, known.iter().copied());
                mapping.faults.push(Fault::not_found(kind, id, problem));
            }
        }
    }
}
