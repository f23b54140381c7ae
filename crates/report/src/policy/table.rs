//! What policies say, for people on a terminal: what failed, where, and how it is
//! fixed.

use super::rules::{Fired, excepted, fired, message};
use crate::bundle::painted;
use crate::page::{Page, wrapped};
use crate::text::{counted, shown};
use inscan_judge::{Action, Evaluation, Row};

/// Most matches of one rule, unless all are asked for.
const MAX_ROWS: usize = 5;

/// What is listed that is mostly too much.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct More {
    /// Every match of every rule.
    pub(crate) matches: bool,
    /// What exceptions cover.
    pub(crate) excepted: bool,
}

pub(crate) fn table(evaluation: &Evaluation, more: More, page: &mut Page<'_>) {
    let name = evaluation.bundle_name.as_deref().unwrap_or(&evaluation.bundle_id);
    page.heading("Policy", &page.style.dim(&shown(name.as_bytes())));
    for problem in evaluation.faults.iter().flat_map(|fault| &fault.problems) {
        page.field("problem", &shown(problem.to_string().as_bytes()));
    }
    let policies = fired(evaluation);
    for (judged, rules) in &policies {
        if policies.len() > 1 {
            let name = judged.name.as_deref().unwrap_or(&judged.id);
            page.line("");
            let action = painted(judged.action, judged.action.shown(), page.style);
            page.line(&format!("  {}: {action}", page.style.bold(&shown(name.as_bytes()))));
        }
        rules.iter().for_each(|one| rule(one, more, page));
    }
    let hidden = evaluation.rows.iter().filter(|row| row.whitelisted.is_some()).count();
    if hidden > 0 && !more.excepted {
        page.line("");
        let text = format!(
            "{}, use `--show-suppressed` to list them",
            counted(hidden, "match", "matches")
        );
        page.field("excepted", &text);
    }
    if !evaluation.stale_exceptions.is_empty() {
        page.line("");
    }
    for stale in &evaluation.stale_exceptions {
        page.hanging(&shown(stale.message().as_bytes()));
    }
}

fn rule(rule: &Fired<'_>, more: More, page: &mut Page<'_>) {
    if rule.counting.is_empty() && !more.excepted {
        return;
    }
    page.line("");
    let word = if rule.counting.is_empty() { Action::Go } else { rule.action };
    let action = painted(word, &format!("{:4}", word.shown()), page.style);
    let name = page.style.bold(&format!("{}.{}", rule.gate, rule.trigger));
    let id = rule.told.and_then(|told| told.id.as_deref()).unwrap_or_default();
    let matches = counted(rule.counting.len(), "match", "matches");
    let remark = page.style.dim(&shown(format!("{id}  {matches}").trim_start().as_bytes()));
    page.line(&format!("  {action}  {name}  {remark}"));
    let most = if more.matches { rule.counting.len() } else { MAX_ROWS };
    rule.counting.iter().take(most).for_each(|row| found(&message(row), page));
    if let Some(rest @ 1..) = rule.counting.len().checked_sub(most) {
        let text = format!("… and {rest} more: use `--policy-all` to list them");
        page.line(&format!("        {}", page.style.dim(&text)));
    }
    if more.excepted {
        let most = if more.matches { rule.excepted.len() } else { MAX_ROWS };
        let told = |row: &&Row| format!("{}; {}", excepted(row), message(row));
        rule.excepted.iter().take(most).for_each(|row| found(&told(row), page));
        if let Some(rest @ 1..) = rule.excepted.len().checked_sub(most) {
            page.line(&format!(
                "        … and {rest} more excepted: use `--policy-all` to list them"
            ));
        }
    }
    let Some(told) = rule.told.filter(|_| !rule.counting.is_empty()) else { return };
    match (&told.why, &told.remedy) {
        (None, None) => told.about.iter().for_each(|about| remark_below("about", about, page)),
        (why, remedy) => {
            why.iter().for_each(|why| remark_below("why", why, page));
            remedy.iter().for_each(|remedy| remark_below("fix", remedy, page));
        }
    }
}

fn found(text: &str, page: &mut Page<'_>) {
    let text = shown(text.as_bytes());
    for (number, line) in wrapped(&text, page.style.columns.saturating_sub(10)).iter().enumerate() {
        let bullet = if number == 0 { "-" } else { " " };
        page.line(&format!("        {bullet} {line}"));
    }
}

fn remark_below(label: &str, text: &str, page: &mut Page<'_>) {
    let text = shown(format!("{label}: {text}").as_bytes());
    for line in wrapped(&text, page.style.columns.saturating_sub(8)) {
        page.line(&format!("        {}", page.style.dim(&line)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Style, testing};
    use inscan_judge::RuleText;

    fn shown_with(evaluation: &Evaluation, more: More) -> String {
        let style = Style::plain();
        let mut page = Page::new(&style);
        table(evaluation, more, &mut page);
        page.text
    }

    #[test]
    fn rules_are_told_with_what_they_found_and_how_it_is_mended() {
        let mut evaluation = testing::policy();
        evaluation.rules = vec![RuleText {
            place: "policies[0].rules[0]".into(),
            id: Some("r".into()),
            why: Some("It matters.".into()),
            remedy: Some("Change it.".into()),
            about: None,
        }];
        let expected = "
Policy  bundle

  stop  dockerfile.effective_user  r  1 match
        - root found
        why: It matters.
        fix: Change it.

  warn  dockerfile.instruction  r  1 match
        - no check
        why: It matters.
        fix: Change it.

  excepted        1 match, use `--show-suppressed` to list them
";
        assert_eq!(shown_with(&evaluation, More::default()), expected);
        let whole = shown_with(&evaluation, More { matches: true, excepted: true });
        let last = "\
  go    always.always  r  0 matches
        - excepted by agreed, i: agreed on; Unconditional trigger match
";
        assert!(whole.ends_with(last), "{whole}");
    }

    #[test]
    fn many_matches_are_folded_unless_all_are_asked_for() {
        let mut evaluation = testing::policy();
        let row = evaluation.rows[0].clone();
        evaluation.rows = vec![row; 8];
        let short = shown_with(&evaluation, More::default());
        assert_eq!(short.matches("- root found").count(), 5, "{short}");
        assert!(short.contains("… and 3 more: use `--policy-all` to list them"), "{short}");
        let long = shown_with(&evaluation, More { matches: true, excepted: false });
        assert_eq!(long.matches("- root found").count(), 8, "{long}");
    }
}
