//! `inscan policy explain`: rule by rule, what a bundle says of an image and why.

use serde_json::{Value, json};

use super::Style;
use super::bundle::{painted, selected};
use super::json::text;
use super::page::{Page, wrapped};
use super::text::{counted, shown};
use inscan_judge::bundle::{Action, Bundle, Rule};
use inscan_judge::whitelist::{StaleException, State};
use inscan_judge::{
    Asked, Evaluation, Explanation, Image, Listed, Problem, Reason, Row, RuleResult, Tried,
    Whitelisted,
};

/// What one rule found is told up to so many times, unless all is asked for.
const MAX_ROWS: usize = 5;

/// What is explained.
pub struct Explained<'a> {
    pub bundle: &'a Bundle,
    pub image: &'a Image,
    pub explanation: &'a Explanation<'a>,
    /// Every match, however many there are.
    pub all: bool,
}

pub fn table(explained: &Explained<'_>, style: &Style) -> String {
    let Explained { bundle, image, explanation, .. } = explained;
    let mut page = Page::new(style);
    let name = bundle.name.as_deref().unwrap_or(&bundle.id);
    page.line(&style.bold(&shown(name.as_bytes())));
    for (label, value) in [("image", &image.tag), ("digest", &image.digest), ("id", &image.id)] {
        if !value.is_empty() {
            page.field(label, &shown(value.as_bytes()));
        }
    }
    page.heading("Which policies", "");
    for (number, tried) in explanation.mappings.iter().enumerate() {
        let place = selected(&tried.mapping.selector);
        page.line(&format!("  {}. {}", number + 1, shown(place.as_bytes())));
        below(&mapping(tried), &mut page);
    }
    if !explanation.mappings.iter().any(|tried| tried.chosen) {
        page.hanging(
            "no mapping applies to this image: no rule is evaluated, and the image passes",
        );
    }
    for listed in &explanation.images {
        page.line(&format!("  -  {}", shown(selected(&listed.rule.selector).as_bytes())));
        below(&list(listed), &mut page);
    }
    for policy in &explanation.not_asked {
        let name = policy.name.as_deref().unwrap_or(&policy.id);
        page.hanging(&shown(format!("policy {name} is not used").as_bytes()));
    }
    explanation.policies.iter().for_each(|asked| policy(asked, explained.all, &mut page));
    match &explanation.result {
        Ok(evaluation) => result(evaluation, &mut page),
        Err(problems) => no_result(problems, &mut page),
    }
    page.text
}

fn mapping(tried: &Tried<'_>) -> String {
    let mapping = tried.mapping;
    match &tried.mismatch {
        Some(mismatch) => no_fit(mismatch.what, &mismatch.found),
        None if tried.chosen => {
            let except = match mapping.whitelist_ids.as_slice() {
                [] => "no whitelist".to_owned(),
                lists => format!("whitelists: {}", lists.join(", ")),
            };
            format!(
                "applies, the first that matches; policies: {}; {except}",
                mapping.policy_ids.join(", ")
            )
        }
        None => "matches, but an earlier mapping applies".to_owned(),
    }
}

fn no_fit(what: &str, found: &str) -> String {
    match found {
        "" => format!("does not match: the image's {what} is unknown"),
        found => format!("does not match: the image's {what} is `{found}`"),
    }
}

fn list(listed: &Listed<'_>) -> String {
    match &listed.mismatch {
        Some(mismatch) => no_fit(mismatch.what, &mismatch.found),
        None if listed.fails => "lists this image: it fails, whatever the policies find".to_owned(),
        None => "lists this image: it passes, unless it is also blacklisted".to_owned(),
    }
}

fn policy(asked: &Asked<'_>, all: bool, page: &mut Page<'_>) {
    let name = asked.policy.name.as_deref().unwrap_or(&asked.policy.id);
    let fired = asked.rules.iter().filter(|(_, answer)| fires(answer)).count();
    let rules = counted(asked.rules.len(), "rule", "rules");
    let remark = page.style.dim(&format!("{rules}, {fired} with matches"));
    page.heading(&format!("Policy {}", shown(name.as_bytes())), &remark);
    asked.rules.iter().for_each(|(one, answer)| rule(one, answer, all, page));
}

fn fires(answer: &RuleResult) -> bool {
    matches!(answer, RuleResult::Found(rows) if !rows.is_empty())
}

fn rule(rule: &Rule, answer: &RuleResult, all: bool, page: &mut Page<'_>) {
    page.line("");
    let action = painted(rule.action, &format!("{:4}", rule.action.written()), page.style);
    let name = page.style.bold(&shown(format!("{}.{}", rule.gate, rule.trigger).as_bytes()));
    let id = page.style.dim(&shown(rule.id.as_deref().unwrap_or_default().as_bytes()));
    page.line(&format!("  {action}  {name}  {id}"));
    let given = rule.given.iter().map(|given| format!("{} = {}", given.name, given.value));
    below(&given.collect::<Vec<_>>().join("; "), page);
    below(&said(answer), page);
    if let RuleResult::Found(rows) = answer {
        let most = if all { rows.len() } else { MAX_ROWS };
        rows.iter().take(most).for_each(|row| found(row, page));
        if rows.len() > most {
            below(&format!("… and {} more: use `--all` to list them", rows.len() - most), page);
        }
    }
    if fires(answer) {
        for (label, text) in [("why: ", &rule.why), ("fix: ", &rule.remedy)] {
            if let Some(text) = text {
                below(&format!("{label}{text}"), page);
            }
        }
    }
}

/// One sentence.
fn said(answer: &RuleResult) -> String {
    match answer {
        RuleResult::Found(rows) if rows.is_empty() => "no match".to_owned(),
        RuleResult::Found(rows) => {
            let excepted = rows.iter().filter(|row| row.whitelisted.is_some()).count();
            let times = counted(rows.len(), "match", "matches");
            match excepted {
                0 => times,
                all if all == rows.len() => format!("{times}, excepted"),
                some => format!("{times}, {some} of them excepted"),
            }
        }
        RuleResult::None(why) => format!("cannot be evaluated: {why}"),
        RuleResult::Retired => "does nothing: its gate was retired".to_owned(),
        RuleResult::Wrong(problems) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            format!("invalid: {}", problems.join("; "))
        }
    }
}

fn found(row: &Row, page: &mut Page<'_>) {
    let action = painted(row.action, row.action.shown(), page.style);
    page.line(&format!("        {action}  {}", shown(row.trigger_id.as_bytes())));
    indented(&row.message, 14, page);
    if let Some(by) = &row.whitelisted {
        indented(&excepted(by), 14, page);
    }
}

fn excepted(by: &Whitelisted) -> String {
    let item = by.item_id.as_ref().map_or_else(String::new, |id| format!(", {id}"));
    let notes = by.notes.as_ref().map_or_else(String::new, |notes| format!(": {notes}"));
    format!("excepted by {}{item}{notes}", by.whitelist_name.as_ref().unwrap_or(&by.whitelist_id))
}

fn below(text: &str, page: &mut Page<'_>) {
    if !text.is_empty() {
        indented(text, 8, page);
    }
}

fn indented(text: &str, columns: usize, page: &mut Page<'_>) {
    for line in wrapped(&shown(text.as_bytes()), page.style.columns.saturating_sub(columns)) {
        page.line(&format!("{:columns$}{line}", ""));
    }
}

fn result(evaluation: &Evaluation, page: &mut Page<'_>) {
    if !evaluation.stale_exceptions.is_empty() {
        page.heading("Stale exceptions", "");
    }
    for stale in &evaluation.stale_exceptions {
        page.hanging(&shown(stale.message().as_bytes()));
    }
    page.heading("Result", "");
    for policy in &evaluation.policies {
        let name = policy.name.as_deref().unwrap_or(&policy.id);
        page.field("policy", &shown(format!("{name}: {}", policy.action.shown()).as_bytes()));
    }
    let why = match evaluation.reason {
        Reason::Policy if evaluation.faults.iter().any(|fault| fault.kind.stops()) => {
            "the policies are invalid, so the image does not pass"
        }
        Reason::Policy => "decided by the policies",
        Reason::Blacklisted => "the bundle blacklists this image",
        Reason::Whitelisted => "the bundle whitelists this image",
    };
    let action = evaluation.final_action;
    let line = format!("{}, {}: {why}", evaluation.status(), action.shown());
    page.field("image", &painted(action, &line, page.style));
}

fn no_result(problems: &[Problem], page: &mut Page<'_>) {
    page.heading("Result", "");
    page.field("image", "no result: some rules cannot be evaluated");
    problems.iter().for_each(|problem| page.hanging(&shown(problem.to_string().as_bytes())));
}

pub fn json(explained: &Explained<'_>) -> String {
    let Explained { bundle, image, explanation, .. } = explained;
    let policies = explanation.policies.iter().map(|asked| {
        let rules = asked.rules.iter().map(|(rule, answer)| json_rule(rule, answer));
        let rules: Vec<_> = rules.collect();
        json!({"id": asked.policy.id, "name": asked.policy.name, "rules": rules})
    });
    let result = match &explanation.result {
        Ok(evaluation) => json!({
            "status": evaluation.status(),
            "final_action": evaluation.final_action.shown(),
            "reason": evaluation.reason.shown(),
            "policy_action": evaluation.policy_action.shown(),
            "exceptions": evaluation.stale_exceptions.iter().map(json_stale_exception).collect::<Vec<_>>(),
        }),
        Err(problems) => json!({"problems": told(problems)}),
    };
    text(json!({
        "bundle": {"id": bundle.id, "name": bundle.name},
        "image": {"tag": image.tag, "digest": image.digest, "id": image.id},
        "mappings": explanation.mappings.iter().map(json_mapping).collect::<Vec<_>>(),
        "images": explanation.images.iter().map(json_listed).collect::<Vec<_>>(),
        "policies": policies.collect::<Vec<_>>(),
        "not_asked": explanation.not_asked.iter().map(|policy| &policy.id).collect::<Vec<_>>(),
        "result": result,
    }))
}

fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn json_mapping(tried: &Tried<'_>) -> Value {
    json!({
        "name": tried.mapping.name,
        "images": selected(&tried.mapping.selector),
        "policies": tried.mapping.policy_ids,
        "whitelists": tried.mapping.whitelist_ids,
        "chosen": tried.chosen,
        "mismatch": tried.mismatch.as_ref().map(|it| json!({"what": it.what, "found": it.found})),
    })
}

fn json_listed(listed: &Listed<'_>) -> Value {
    json!({
        "images": selected(&listed.rule.selector),
        "action": if listed.fails { Action::Stop.shown() } else { Action::Go.shown() },
        "fits": listed.mismatch.is_none(),
        "mismatch": listed.mismatch.as_ref().map(|it| json!({"what": it.what, "found": it.found})),
    })
}

fn json_rule(rule: &Rule, answer: &RuleResult) -> Value {
    let (word, problems, rows) = match answer {
        RuleResult::Found(rows) if rows.is_empty() => ("nothing", Vec::new(), &rows[..]),
        RuleResult::Found(rows) => ("found", Vec::new(), &rows[..]),
        RuleResult::None(why) => ("no-answer", vec![why.clone()], &[][..]),
        RuleResult::Retired => ("retired", Vec::new(), &[][..]),
        RuleResult::Wrong(problems) => ("wrong", told(problems), &[][..]),
    };
    let given = rule.given.iter().map(|given| json!({"name": given.name, "value": given.value}));
    json!({
        "id": rule.id,
        "gate": rule.gate,
        "trigger": rule.trigger,
        "action": rule.action.shown(),
        "params": given.collect::<Vec<_>>(),
        "why": rule.why,
        "remedy": rule.remedy,
        "answer": word,
        "problems": problems,
        "matches": rows.iter().map(json_row).collect::<Vec<_>>(),
    })
}

fn json_row(row: &Row) -> Value {
    json!({
        "trigger_id": row.trigger_id,
        "message": row.message,
        "action": row.action.shown(),
        "excepted": row.whitelisted.as_ref().map(|by| json!({
            "whitelist": by.whitelist_id, "name": by.whitelist_name, "id": by.item_id,
            "notes": by.notes,
        })),
    })
}

fn json_stale_exception(stale: &StaleException) -> Value {
    json!({
        "state": match stale.state { State::Expired => "expired", State::Unused => "unused" },
        "whitelist": stale.whitelist_id,
        "gate": stale.gate,
        "trigger_id": stale.trigger_id,
        "notes": stale.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_judge::facts::DocumentFacts;
    use inscan_judge::{Mode, explain};

    const BUNDLE: &str = r#"
id: b
version: "1_0"
name: Team
policies:
  - {id: unused, version: "1_0", rules: []}
  - id: p
    version: "1_0"
    rules:
      - {id: r, gate: always, trigger: always, action: STOP, params: [], why: Because., remedy: Leave it.}
      - {gate: malware, trigger: scans, action: STOP, params: []}
whitelists:
  - id: w
    version: "1_0"
    items:
      - {id: i, gate: always, trigger_id: always, notes: agreed}
      - {gate: files, trigger_id: x}
mappings:
  - {name: n, registry: quay.io, repository: "*", image: {type: tag, value: "*"}, policy_ids: [p], whitelist_ids: []}
  - {name: m, registry: "*", repository: "*", image: {type: tag, value: "*"}, policy_ids: [p], whitelist_ids: [w]}
whitelisted_images:
  - {name: good, registry: "*", repository: app, image: {type: digest, value: "sha256:1"}}
"#;

    #[test]
    fn says_for_each_rule_what_it_found_and_what_became_of_it() {
        let bundle = Bundle::read(BUNDLE.as_bytes(), Mode::Strict).unwrap();
        let image = Image { tag: "docker.io/app:1".into(), ..Image::default() };
        let when = "2026-11-26T12:00:00Z".parse().unwrap();
        let explanation = explain(&bundle, &DocumentFacts::default(), &image, when, None);
        let explained =
            Explained { bundle: &bundle, image: &image, explanation: &explanation, all: false };
        let table = table(&explained, &Style::plain());
        let expected = "\
Team
  image           docker.io/app:1

Which policies
  1. quay.io/*:*
        does not match: the image's registry is `docker.io`
  2. */*:*
        applies, the first that matches; policies: p; whitelists: w
  -  */app@sha256:1
        does not match: the image's digest is unknown
  - policy unused is not used

Policy p  2 rules, 1 with matches

  STOP  always.always  r
        1 match, excepted
        go  always
              Unconditional trigger match
              excepted by w, i: agreed
        why: Because.
        fix: Leave it.

  STOP  malware.scans
";
        assert!(table.starts_with(expected), "{table}");
        let json: Value = serde_json::from_str(&json(&explained)).unwrap();
        let rule = &json["policies"][0]["rules"][0];
        assert_eq!(rule["matches"][0]["excepted"]["notes"], "agreed");
        assert_eq!(json["mappings"][0]["mismatch"]["found"], "docker.io");
    }
}
