//! A bundle: its rules with their reasons, which images they hold for, and what
//! is excepted.

use serde_json::{Map, Value};

use super::Style;
use super::json::text;
use super::page::{Page, wrapped};
use super::text::{counted, shown};
use inscan_judge::bundle::{Action, Bundle, Item, Mapping, Rule};
use inscan_judge::mapping::{ImageSelector, NamePattern, Selector};

/// As a file of JSON with what other engines know of, for a server or their tools.
pub fn json(bundle: &Bundle) -> String {
    let mut document = bundle.document.clone();
    let policies = document.get_mut("policies").and_then(Value::as_array_mut);
    for policy in policies.into_iter().flatten() {
        let rules = policy.get_mut("rules").and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
            remove_ours(rule);
        }
    }
    text(document)
}

fn remove_ours(rule: &mut Map<String, Value>) {
    rule.remove("why");
    rule.remove("remedy");
}

/// For people.
pub fn table(bundle: &Bundle, style: &Style) -> String {
    let mut page = Page::new(style);
    let name = bundle.name.as_deref().unwrap_or(&bundle.id);
    page.line(&style.bold(&shown(name.as_bytes())));
    if bundle.name.as_ref().is_some_and(|name| *name != bundle.id) {
        page.field("id", &shown(bundle.id.as_bytes()));
    }
    if let Some(comment) = &bundle.comment {
        page.field("about", &shown(comment.as_bytes()));
    }
    for policy in &bundle.policies {
        let name = policy.name.as_deref().unwrap_or(&policy.id);
        let id = if name == policy.id { String::new() } else { format!("{}  ", policy.id) };
        let rules = counted(policy.rules.len(), "rule", "rules");
        let remark = style.dim(&shown(format!("{id}{rules}").as_bytes()));
        page.heading(&format!("Policy {}", shown(name.as_bytes())), &remark);
        policy.rules.iter().for_each(|one| rule(one, &mut page));
    }
    page.heading("Images", "the first matching mapping applies");
    for (number, mapping) in bundle.mappings.iter().enumerate() {
        let which = which_images(mapping);
        page.line(&format!("  {}. {}", number + 1, shown(which.as_bytes())));
    }
    for (rules, what) in [
        (&bundle.blacklisted_images, "fails, whatever the policies find"),
        (&bundle.whitelisted_images, "passes, whatever the policies find"),
    ] {
        for rule in rules {
            let text = format!("{}  {what}", selected(&rule.selector));
            page.line(&format!("  -  {}", shown(text.as_bytes())));
        }
    }
    for whitelist in bundle.whitelists.iter().filter(|list| !list.items.is_empty()) {
        let name = whitelist.name.as_deref().unwrap_or(&whitelist.id);
        let items = counted(whitelist.items.len(), "exception", "exceptions");
        page.heading(&format!("Whitelist {}", shown(name.as_bytes())), &items);
        whitelist.items.iter().for_each(|item| exception(item, &mut page));
    }
    page.text
}

fn rule(rule: &Rule, page: &mut Page<'_>) {
    page.line("");
    let action = painted(rule.action, &format!("{:4}", rule.action.written()), page.style);
    let name = format!("{}.{}", rule.gate, rule.trigger);
    let name = page.style.bold(&shown(name.as_bytes()));
    let id = rule.id.as_deref().unwrap_or_default();
    page.line(&format!("  {action}  {name}  {}", page.style.dim(&shown(id.as_bytes()))));
    let given = rule.given.iter().map(|given| format!("{} = {}", given.name, given.value));
    let given = given.collect::<Vec<_>>().join("; ");
    if !given.is_empty() {
        below(&given, page);
    }
    for (label, text) in [("why: ", &rule.why), ("fix: ", &rule.remedy)] {
        if let Some(text) = text {
            below(&format!("{label}{text}"), page);
        }
    }
}

fn below(text: &str, page: &mut Page<'_>) {
    let text = shown(text.as_bytes());
    for line in wrapped(&text, page.style.columns.saturating_sub(8)) {
        page.line(&format!("        {line}"));
    }
}

/// The word stands there too: the colour says nothing of its own.
pub(super) fn painted(action: Action, text: &str, style: &Style) -> String {
    match action {
        Action::Stop => style.paint("1;31", text),
        Action::Warn => style.paint("33", text),
        Action::Go => style.paint("2", text),
    }
}

fn which_images(mapping: &Mapping) -> String {
    let policies = mapping.policy_ids.join(", ");
    let exceptions = match mapping.whitelist_ids.as_slice() {
        [] => String::new(),
        ids => format!(", except {}", ids.join(", ")),
    };
    format!("{}  →  {policies}{exceptions}", selected(&mapping.selector))
}

/// `docker.io/library/*:*`, as it is written in the bundle.
pub(super) fn selected(selector: &Selector) -> String {
    let name = format!("{}/{}", pattern(&selector.registry), pattern(&selector.repository));
    match &selector.image {
        ImageSelector::Tag(tag) => format!("{name}:{}", pattern(tag)),
        ImageSelector::Digest(digest) => format!("{name}@{digest}"),
        ImageSelector::Id(id) => format!("{name}, id {id}"),
    }
}

fn pattern(pattern: &NamePattern) -> String {
    match pattern {
        NamePattern::Glob(text) => text.clone(),
        NamePattern::Regex(pattern) => format!("regexp:{}", pattern.as_str()),
    }
}

fn exception(item: &Item, page: &mut Page<'_>) {
    let until = item.expires.map(|time| {
        let day = time.to_zoned(jiff::tz::TimeZone::UTC).date();
        format!(", until {day}")
    });
    let off = if item.enabled { "" } else { ", switched off" };
    let until = until.unwrap_or_default();
    let text = format!("{}  {}{until}{off}", item.gate, item.trigger_id);
    page.line(&format!("  -  {}", shown(text.as_bytes())));
    if let Some(notes) = &item.notes {
        below(notes, page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_judge::Mode;

    const BUNDLE: &str = r#"
id: b
version: "1_0"
name: Team
policies:
  - id: p
    version: "1_0"
    rules:
      - {id: r, gate: always, trigger: always, action: STOP, params: [], why: Because., remedy: Leave it.}
whitelists:
  - id: w
    version: "1_0"
    items: [{gate: always, trigger_id: always, expires_on: 2027-01-31, notes: agreed}]
mappings:
  - {name: m, registry: "*", repository: "regexp:app.*", image: {type: tag, value: "1.*"}, policy_ids: [p], whitelist_ids: [w]}
blacklisted_images:
  - {name: bad, registry: "*", repository: old, image: {type: digest, value: "sha256:1"}}
"#;

    #[test]
    fn a_bundle_is_told_with_reasons_images_and_exceptions() {
        let bundle = Bundle::read(BUNDLE.as_bytes(), Mode::Strict).unwrap();
        let expected = "\
Team
  id              b

Policy p  1 rule

  STOP  always.always  r
        why: Because.
        fix: Leave it.

Images  the first matching mapping applies
  1. */regexp:app.*:1.*  →  p, except w
  -  */old@sha256:1  fails, whatever the policies find

Whitelist w  1 exception
  -  always  always, until 2027-02-01
        agreed
";
        assert_eq!(table(&bundle, &Style::plain()), expected);
    }

    #[test]
    fn other_engines_get_what_they_know() {
        let bundle = Bundle::read(BUNDLE.as_bytes(), Mode::Strict).unwrap();
        let value: Value = serde_json::from_str(&json(&bundle)).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let rule = &value["policies"][0]["rules"][0];
        let mut keys = keys(rule);
        keys.sort();
        assert_eq!(keys, ["action", "gate", "id", "params", "trigger"]);
        Bundle::read(json(&bundle).as_bytes(), Mode::Strict).unwrap();
    }
}
