//! Markdown, for the comment of a pull request: the verdict, what to upgrade, and
//! the rest folded.
//!
//! <https://github.github.com/gfm/>

use std::fmt::Write;

use super::text::{counted, printable};
use super::{policy as of_policy, wording};
use inscan_evaluate::{Evaluation, Finding, Outcome, SecretFinding, Severity};
use inscan_judge::{self as policy, Action};

/// What GitHub takes as a comment, in characters, less what a bot may add.
const MAX_LENGTH: usize = 64_000;

/// Rows before the fold.
const TOP: usize = 10;

/// Rows of policies; and how much of each is shown.
const POLICY_ROWS: usize = 25;
const MAX_MESSAGE: usize = 300;

pub(super) fn render(evaluation: &Evaluation, of_policies: Option<&policy::Evaluation>) -> String {
    let mut page =
        format!("## {} {}\n\n", sign(evaluation, of_policies), code(wording::image(evaluation)));
    let _ = writeln!(page, "**{}**", plain(&wording::verdict(evaluation)));
    if let Some(line) = wording::not_counted(evaluation) {
        let _ = writeln!(page, "\n{}", plain(&line));
    }
    if evaluation.database.is_some() {
        let _ = writeln!(page, "\n{}\n", extent(evaluation));
        counts(evaluation, &mut page);
        upgrades(evaluation, &mut page);
        let top = evaluation.findings.len().min(TOP);
        if top > 0 {
            let _ = writeln!(page, "\n### Worst findings\n\n{HEAD}");
            evaluation.findings.iter().take(top).for_each(|it| page.push_str(&row(it)));
        }
    }
    secrets(evaluation, &mut page);
    if let Some(of_policies) = of_policies {
        policies(of_policies, &mut page);
    }
    not_evaluated(evaluation, &mut page);
    let end = end(evaluation);
    rest(evaluation, MAX_LENGTH.saturating_sub(end.len()), &mut page);
    page + &end
}

/// Rows of secrets.
const SECRET_ROWS: usize = 25;

/// Secrets above low, and those that fail; the others are counted.
fn secrets(evaluation: &Evaluation, page: &mut String) {
    let all = &evaluation.secrets;
    if all.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n### Secrets\n");
    let is_told = |one: &&SecretFinding| one.severity > Severity::Low || one.fails;
    let told: Vec<_> = all.iter().filter(is_told).collect();
    if !told.is_empty() {
        page.push_str("| Rule | Severity | Place | |\n|---|---|---|---|\n");
    }
    for one in told.iter().take(SECRET_ROWS) {
        let fails = if one.fails { " **fails**" } else { "" };
        let _ = writeln!(
            page,
            "| {} | {}{fails} | {} | {} |",
            code(&one.rule),
            one.severity.name(),
            code(&wording::place_of_secret(one)),
            plain(&wording::remarks_on_secret(one)),
        );
    }
    let others = all.len() - told.len().min(SECRET_ROWS);
    if others > 0 {
        let _ = writeln!(page, "\n… and {others} more: `-o json` has them all");
    }
}

/// What the policies say, what stops first.
fn policies(evaluation: &policy::Evaluation, page: &mut String) {
    let sign = if evaluation.passes() { "✅" } else { "❌" };
    let _ = writeln!(page, "\n### {sign} Policy\n\n**{}**", plain(&of_policy::verdict(evaluation)));
    for problem in evaluation.faults.iter().flat_map(|fault| &fault.problems) {
        let _ = writeln!(page, "\n- {}", plain(&problem.to_string()));
    }
    let counts = |row: &&policy::Row| row.action != Action::Go;
    let mut rows: Vec<_> = evaluation.rows.iter().filter(counts).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|row| row.action);
    page.push_str("\n| Action | Rule | What was found |\n|---|---|---|\n");
    for row in rows.iter().take(POLICY_ROWS) {
        let rule = code(&format!("{}.{}", row.gate, row.trigger));
        let message = plain(&wording::shortened(&printable(&row.message), MAX_MESSAGE));
        let _ = writeln!(page, "| {} | {rule} | {message} |", row.action.shown());
    }
    if rows.len() > POLICY_ROWS {
        let _ = writeln!(page, "\n… and {} more: `-o json` has them all", rows.len() - POLICY_ROWS);
    }
}

/// Told by a sign, and by the words beside it: of the gate and of the policies, the worse.
fn sign(evaluation: &Evaluation, of_policies: Option<&policy::Evaluation>) -> &'static str {
    match evaluation.verdict.outcome {
        _ if of_policies.is_some_and(|policies| !policies.passes()) => "❌",
        Outcome::NoGate if of_policies.is_some() => "✅",
        Outcome::Pass => "✅",
        Outcome::Fail => "❌",
        Outcome::NoGate if evaluation.database.is_some() => "ℹ️",
        Outcome::NoGate | Outcome::NotJudged => "⚠️",
    }
}

fn extent(evaluation: &Evaluation) -> String {
    let mut parts = [vec![wording::extent(evaluation)], wording::properties(evaluation)].concat();
    parts.extend(wording::not_seen(evaluation).map(|line| format!("not looked at: {line}")));
    parts.join("; ") + "."
}

fn counts(evaluation: &Evaluation, page: &mut String) {
    let names = Severity::ALL.map(Severity::name).join(" | ");
    let counts = &evaluation.counts.severity;
    let numbers = Severity::ALL.map(|it| counts.get(&it).copied().unwrap_or(0).to_string());
    let rule = Severity::ALL.map(|_| "---:").join("|");
    let _ = writeln!(page, "| {names} |\n|{rule}|\n| {} |", numbers.join(" | "));
}

fn upgrades(evaluation: &Evaluation, page: &mut String) {
    if evaluation.upgrades.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n### {}\n", wording::UPGRADES);
    for upgrade in evaluation.upgrades.iter().take(5) {
        let _ = writeln!(
            page,
            "- {} {} → {}: {}, worst {}",
            code(&upgrade.package),
            code(&upgrade.from),
            code(&upgrade.to),
            counted(upgrade.findings.len(), "finding", "findings"),
            upgrade.worst.name(),
        );
    }
}

const HEAD: &str =
    "| Vulnerability | Severity | Package | Version | Fix | Layer |\n|---|---|---|---|---|---:|";

fn row(finding: &Finding) -> String {
    let id = match wording::page(finding) {
        Some(page) => format!("[{}](<{page}>)", plain(&finding.id)),
        None => plain(&finding.id),
    };
    let exploited = if finding.kev.is_some() { " **exploited**" } else { "" };
    let guessed = if finding.cpe_only { " (by CPE name only)" } else { "" };
    let fix = match &finding.upgrade {
        Some(upgrade) => code(upgrade),
        None => plain(&wording::fix(finding)),
    };
    let layer = finding.layer.as_ref().map(|layer| (layer.index + 1).to_string());
    format!(
        "| {id}{exploited}{guessed} | {} | {} | {} | {fix} | {} |\n",
        finding.severity.level.name(),
        code(&finding.package.name),
        code(&finding.package.version),
        layer.unwrap_or_default(),
    )
}

fn not_evaluated(evaluation: &Evaluation, page: &mut String) {
    if !evaluation.uncovered.is_empty() {
        let (title, remark) = (wording::NOT_EVALUATED, wording::MAY_BE_VULNERABLE);
        let _ = writeln!(page, "\n### ⚠️ {title} ({remark})\n");
    }
    for one in &evaluation.uncovered {
        let packages = counted(one.packages.len(), "package", "packages");
        let _ = writeln!(page, "- {} ({packages})", plain(&one.message));
    }
    if !evaluation.warnings.is_empty() {
        page.push('\n');
    }
    for warning in &evaluation.warnings {
        let _ = writeln!(page, "- {}", plain(&warning.message));
    }
}

/// All others by layer, as many as a comment has room for.
fn rest(evaluation: &Evaluation, room: usize, page: &mut String) {
    let mut left_out = 0;
    for layer in &evaluation.layers {
        let of_layer = |it: &&Finding| it.layer.as_ref().is_some_and(|of| of.index == layer.index);
        let findings: Vec<_> = evaluation.findings.iter().filter(of_layer).collect();
        let base = if layer.base == Some(true) { ", base image" } else { "" };
        let found = counted(findings.len(), "finding", "findings");
        let made_by = wording::shortened(&wording::made_by(&layer.created_by), 100);
        // Within an HTML block there is no Markdown, and so no code.
        let made_by = made_by.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let summary = format!("Layer {}{base}: {found} — {made_by}", layer.index + 1);
        let mut fold = format!(
            "\n<details><summary>{}</summary>\n\n{HEAD}\n",
            summary.replace('@', "@<!-- -->")
        );
        const CLOSE: &str = "\n</details>\n";
        let before = left_out;
        for finding in &findings {
            let row = row(finding);
            match page.len() + fold.len() + row.len() + CLOSE.len() < room {
                true => fold.push_str(&row),
                false => left_out += 1,
            }
        }
        if !findings.is_empty() && left_out - before < findings.len() {
            page.push_str(&fold);
            page.push_str(CLOSE);
        }
    }
    if left_out > 0 {
        let _ = writeln!(page, "\n{left_out} more findings do not fit into a comment.");
    }
}

fn end(evaluation: &Evaluation) -> String {
    let database = match &evaluation.database {
        Some(it) => format!("data of {}", it.date.as_deref().unwrap_or("unknown date")),
        None => "no vulnerability database".to_owned(),
    };
    let suppressed = match evaluation.suppressed.len() {
        0 => String::new(),
        number => format!(", {} suppressed", counted(number, "finding", "findings")),
    };
    let Evaluation { tool, date, .. } = evaluation;
    let by = format!("{} {}, {date}, {database}{suppressed}", tool.name, tool.version);
    format!("\n<sub>{}</sub>\n", plain(&by))
}

/// As code: whatever is in it stays as it is.
pub(super) fn code(text: &str) -> String {
    let text = printable(text).replace('|', "\\|");
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A fence of several, and blanks where the text itself begins or ends with a backtick.
    match longest {
        0 => format!("{fence}{text}{fence}"),
        _ => format!("{fence} {text} {fence}"),
    }
}

/// As prose. What could be markup has a backslash; `@name` calls nobody.
pub(super) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in printable(text).chars() {
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '$' | '!' => {
                escaped.push('\\');
                escaped.push(char);
            }
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation};

    #[test]
    fn the_verdict_comes_first_and_the_rest_is_folded() {
        let page = render(&evaluation(), None);
        let has = |part: &str| assert!(page.contains(part), "no `{part}` in:\n{page}");
        assert!(page.starts_with("## ❌ `registry.example/app/web:1.0`\n\n**FAIL: 1 finding"));
        has("3 findings (3 vulnerabilities, 2 packages); 2 fixable; 1 known to be exploited.");
        has("| 1 | 0 | 1 | 1 | 0 | 0 |");
        has("- `django` `3.2.0` → `3.2.13`: 2 findings, worst critical");
        has(
            "| [CVE-2022-28346](<https://github.com/advisories/GHSA-2gwj-7jmv-h26r>) **exploited** | critical | `django` | `3.2.0` | `3.2.13` | 2 |",
        );
        has(
            "### ⚠️ Not evaluated (may still be vulnerable)\n\n- the database has nothing about conda (1 package)",
        );
        has("<details><summary>Layer 1, base image: 1 finding — ADD rootfs.tar in /</summary>");
        has("1 finding suppressed");
    }

    #[test]
    fn fits_into_a_comment_and_says_what_does_not() {
        let mut evaluation = evaluation();
        evaluation.findings = vec![evaluation.findings[0].clone(); 5000];
        let page = render(&evaluation, None);
        assert!(page.chars().count() <= 65_000, "{}", page.len());
        assert!(page.contains("more findings do not fit"));
        assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
    }

    #[test]
    fn names_are_neither_markup_nor_mentions() {
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(plain("<b> @all *x* [y](z)"), "&lt;b&gt; @<!-- -->all \\*x\\* \\[y\\](z)");
        let page = render(&testing::hostile(), None);
        assert!(!page.contains("<img src=x onerror=alert(1)>\u{202e}"));
        assert!(!page.chars().any(|char| char.is_control() && char != '\n'));
        assert!(!page.contains("\n@all"));
    }

    #[test]
    fn tells_what_policies_stop_first() {
        let page = render(&testing::evaluation(), Some(&testing::policy()));
        let has = |part: &str| assert!(page.contains(part), "no `{part}` in:\n{page}");
        has("### ❌ Policy\n\n**Policy bundle: FAIL (1 violation, 1 warning)**");
        has(
            "| stop | `dockerfile.effective_user` | root found |\n| warn | `dockerfile.instruction` | no check |",
        );
        assert!(!page.contains("Unconditional trigger match"), "an excepted row");
    }

    #[test]
    fn the_heading_tells_of_policies_too() {
        let without_gate = Evaluation { verdict: Default::default(), ..testing::evaluation() };
        let page = render(&without_gate, Some(&testing::policy()));
        assert!(page.starts_with("## ❌"), "{page}");
        let page = render(&without_gate, None);
        assert!(page.starts_with("## ℹ️"), "{page}");
    }
}
