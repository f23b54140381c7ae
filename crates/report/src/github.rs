//! Annotations of a GitHub workflow: lines on standard output that the runner
//! turns into messages at the top of the run.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::collections::BTreeMap;
use std::fmt::Write;

use super::text::{counted, printable};
use super::{policy as of_policy, wording};
use inscan_evaluate::{Evaluation, Finding, Outcome, SecretFinding, Severity};
use inscan_judge::{self as policy, Action};

/// GitHub shows ten of each level for one step, and drops the others in silence.
const MAX_OF_A_LEVEL: usize = 10;

/// One line for each package, not for each vulnerability: a package with forty is one piece of
/// work. The last of a full level says how many packages are left out.
pub(super) fn render(evaluation: &Evaluation, of_policies: Option<&policy::Evaluation>) -> String {
    let mut order = Vec::new();
    let mut packages: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in &evaluation.findings {
        let key = (finding.package.purl.as_str(), finding.package.location.as_str());
        packages.entry(key).or_insert_with(|| (order.push(key), Vec::new()).1).push(finding);
    }
    let mut levels: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for findings in order.iter().filter_map(|key| packages.get(key)) {
        let worst = findings.iter().map(|finding| finding.severity.level).max();
        let level = match worst {
            _ if findings.iter().any(|finding| finding.fails) => "error",
            Some(Severity::Critical | Severity::High) => "warning",
            _ => "notice",
        };
        levels.entry(level).or_default().push(annotation(level, findings, evaluation));
    }
    for secret in &evaluation.secrets {
        let level = match secret.severity {
            _ if secret.fails => "error",
            Severity::Critical | Severity::High => "warning",
            _ => "notice",
        };
        // A leaked credential comes before what an upgrade fixes.
        let rows = levels.entry(level).or_default();
        let place = rows.iter().take_while(|line| line.contains(" title=secret%3A ")).count();
        rows.insert(place, of_secret(level, secret));
    }
    for row in of_policies.iter().flat_map(|of_policies| &of_policies.rows) {
        let level = match row.action {
            Action::Stop => "error",
            Action::Warn => "warning",
            Action::Go => continue,
        };
        let title = format!("policy: {}.{}", row.gate, row.trigger);
        let rows = levels.entry(level).or_default();
        // What a policy says comes before packages.
        let place = rows.iter().take_while(|line| line.contains(" title=policy%3A ")).count();
        rows.insert(place, line(level, &title, &row.message));
    }
    let (level, outcome) = match evaluation.verdict.outcome {
        Outcome::Fail | Outcome::NotJudged => ("error", evaluation),
        Outcome::Pass | Outcome::NoGate => ("notice", evaluation),
    };
    levels.entry(level).or_default().insert(0, verdict(level, outcome));
    if let Some(of_policies) = of_policies {
        let level = if of_policies.passes() { "notice" } else { "error" };
        let line = line(level, "inscan: policy", &of_policy::verdict(of_policies));
        levels.entry(level).or_default().insert(0, line);
    }
    let uncovered = evaluation
        .uncovered
        .iter()
        .map(|one| line("warning", "inscan: not evaluated", &one.message));
    let warnings = levels.entry("warning").or_default();
    warnings.splice(0..0, uncovered);

    let mut text = String::new();
    for (level, lines) in &levels {
        let shown = match lines.len() {
            all if all > MAX_OF_A_LEVEL => MAX_OF_A_LEVEL - 1,
            all => all,
        };
        lines.iter().take(shown).for_each(|line| text.push_str(line));
        if shown < lines.len() {
            let left = lines.len() - shown;
            let message =
                format!("{left} more are in the other reports: GitHub shows ten of a kind");
            text.push_str(&line(level, "inscan: more", &message));
        }
    }
    text
}

fn verdict(level: &str, evaluation: &Evaluation) -> String {
    let title = format!("{}: {}", evaluation.tool.name, wording::image(evaluation));
    let mut message = wording::verdict(evaluation);
    if let Some(line) = wording::not_counted(evaluation) {
        let _ = write!(message, "\n{line}");
    }
    if evaluation.database.is_some() {
        let _ = write!(message, "\n{}", wording::extent(evaluation));
        if let Some(line) = wording::not_seen(evaluation) {
            let _ = write!(message, "\nnot looked at: {line}");
        }
        let severities = wording::severities(evaluation);
        if !severities.is_empty() {
            let _ = write!(message, ": {severities}");
        }
    }
    line(level, &title, &message)
}

fn annotation(level: &str, findings: &[&Finding], evaluation: &Evaluation) -> String {
    let Some(first) = findings.first() else { return String::new() };
    let worst = findings.iter().map(|finding| finding.severity.level).max().unwrap_or_default();
    let title = format!(
        "{}: {}, {} at worst",
        wording::package(first),
        counted(findings.len(), "vulnerability", "vulnerabilities"),
        worst.name()
    );
    let ids: Vec<_> = findings.iter().take(10).map(|finding| printable(&finding.id)).collect();
    let more = findings.len() - ids.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let mut message = format!("{}{more}", ids.join(", "));
    // What fixes the whole package, where one upgrade does.
    let upgrade = evaluation.upgrades.iter().find(|upgrade| {
        upgrade.package == first.package.name && upgrade.from == first.package.version
    });
    match upgrade {
        Some(upgrade) => {
            let (package, to) = (printable(&upgrade.package), printable(&upgrade.to));
            let fixed = counted(upgrade.findings.len(), "finding", "findings");
            let _ = write!(message, "\nUpgrade {package} to {to}: this fixes {fixed}.");
        }
        None => {
            let _ = write!(message, "\n{}", wording::advice(first));
        }
    }
    if let Some(layer) = &first.layer {
        let _ = write!(message, "\nBrought by {}.", wording::layer(layer, evaluation));
    }
    let _ = write!(message, "\n/{}", printable(&first.package.location));
    line(level, &title, &message)
}

fn of_secret(level: &str, secret: &SecretFinding) -> String {
    let title = format!("secret: {} ({})", printable(&secret.rule), secret.severity.name());
    let place = wording::place_of_secret(secret);
    let mut message = format!("{} in {place}", wording::about_secret(secret));
    let remarks = wording::remarks_on_secret(secret);
    if !remarks.is_empty() {
        let _ = write!(message, "\n{remarks}");
    }
    let _ = write!(message, "\n{}", wording::SECRET_ADVICE);
    line(level, &title, &message)
}

fn line(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(&printable(title)), data(message))
}

/// Line feeds are ours; everything else of another's text was made printable.
fn data(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation};

    #[test]
    fn one_line_for_each_package_and_one_for_the_verdict() {
        assert_eq!(
            render(&evaluation(), None),
            "::error title=inscan%3A registry.example/app/web%3A1.0::FAIL: 1 finding is \
             high or worse%0A3 findings (3 vulnerabilities, 2 packages): 1 critical, 1 medium, 1 low\n\
             ::error title=django 3.2.0%3A 2 vulnerabilities%2C critical at worst::CVE-2022-28346, \
             CVE-2022-1%0AUpgrade django to 3.2.13: this fixes 2 findings.%0ABrought by layer 2 of 2 (RUN pip \
             install django==3.2.0).%0A/usr/lib/python3/dist-packages/Django-3.2.0.dist-info/METADATA\n\
             ::notice title=libssl3 3.0.9-1%3A 1 vulnerability%2C medium at worst::CVE-2023-3446%0AIts \
             maintainers will not fix it.%0ABrought by layer 1 of 2, base image (ADD rootfs.tar in \
             /).%0A/var/lib/dpkg/status\n\
             ::warning title=inscan%3A not evaluated::the database has nothing about conda\n"
        );
    }

    #[test]
    fn no_more_than_github_shows() {
        let mut evaluation = evaluation();
        for number in 0..50 {
            let mut finding = testing::finding("CVE-2022-28346", Severity::Critical);
            finding.package.purl = format!("pkg:pypi/p{number}@1");
            evaluation.findings.push(finding);
        }
        let text = render(&evaluation, None);
        let errors: Vec<_> = text.lines().filter(|line| line.starts_with("::error")).collect();
        assert_eq!(errors.len(), 10);
        assert!(errors[9].contains("43 more are"), "{}", errors[9]);
    }

    #[test]
    fn a_package_cannot_speak_to_the_runner() {
        let mut hostile = testing::hostile();
        hostile.findings[0].package.name = "a\n::set-output name=x::y\r::error::%0A,:".into();
        for line in render(&hostile, None).lines() {
            let level = line.strip_prefix("::").and_then(|line| line.split(' ').next());
            assert!(matches!(level, Some("error" | "warning" | "notice")), "{line}");
            assert!(!line.contains('\r') && !line.contains('\u{1b}'), "{line}");
        }
    }
}
