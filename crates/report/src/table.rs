//! The evaluation for people: what is vulnerable, where it comes from, which
//! upgrade fixes the most findings, what could not be evaluated, and the verdict, which is
//! last so that it stands above the next prompt.

use std::collections::BTreeMap;

use super::page::{Page, wrapped};
use super::policy;
use super::report::Report;
use super::text::{count, counted, cut, shown, width};
use super::wording;
use inscan_evaluate::{
    Evaluation, Finding, Outcome, SecretFinding, Severity, Suppressed, UncoveredCode,
};
use inscan_facts::package_type;

/// Most upgrades that are named; `-o json` has all.
const MAX_UPGRADES: usize = 5;
/// Columns of the widest severity, and of a CVE's id.
const SEVERITY: usize = 10;
const ID: usize = 20;

pub(super) fn render(report: &Report<'_>) -> String {
    let evaluation = report.evaluation;
    let mut page = Page::new(report.style);
    head(evaluation, &mut page);
    findings(evaluation, &mut page);
    layers(evaluation, &mut page);
    upgrades(evaluation, &mut page);
    secrets(evaluation, &mut page);
    suppressed(report, &mut page);
    uncovered(evaluation, &mut page);
    warnings(evaluation, &mut page);
    if let Some(of_policies) = report.policy {
        let (matches, excepted) = (report.every_match, report.show_suppressed);
        policy::table(of_policies, policy::More { matches, excepted }, &mut page);
    }
    // Policies are a gate of their own.
    if report.policy.is_none() || evaluation.verdict.outcome != Outcome::NoGate {
        verdict(evaluation, &mut page);
    }
    if let Some(of_policies) = report.policy {
        page.line("");
        let code = if of_policies.passes() { "1;32" } else { "1;31" };
        let line = shown(policy::verdict(of_policies).as_bytes());
        page.line(&page.style.paint(code, &line));
    }
    page.text
}

fn head(evaluation: &Evaluation, page: &mut Page<'_>) {
    let image = &evaluation.image;
    page.heading("Vulnerabilities", "");
    page.field("image", &shown(image.reference.as_bytes()));
    if let Some(distribution) = wording::distribution(evaluation) {
        page.field("distribution", &distribution);
    }
    let none = "none, so packages are not evaluated. Fetch public data with `inscan db update`, or use `--db FILE`";
    page.field("database", &wording::database(evaluation).unwrap_or_else(|| none.to_owned()));
    if let Some(line) = wording::not_seen(evaluation) {
        page.field("not looked at", &line);
    }
    if evaluation.database.is_some() {
        let evaluated = count(evaluation.counts.judged_packages as u64);
        let packages = count(image.packages as u64);
        page.field("evaluated", &format!("{evaluated} of {packages} packages"));
        page.field("found", &wording::extent(evaluation));
        let severities = severities(&evaluation.counts.severity, page);
        let properties = wording::properties(evaluation).join("; ");
        for line in [severities, properties].iter().filter(|line| !line.is_empty()) {
            page.field("", line);
        }
    }
}

fn severities(of: &BTreeMap<Severity, usize>, page: &Page<'_>) -> String {
    let number = |level: Severity| of.get(&level).copied().filter(|number| *number > 0);
    let parts = Severity::ALL.into_iter().filter_map(|level| {
        let text = format!("{} {}", count(number(level)? as u64), level.name());
        Some(page.style.severity(level, &text))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// By where they come from, then by package, the worst of each first.
fn findings(evaluation: &Evaluation, page: &mut Page<'_>) {
    let base = evaluation.base.as_ref();
    let part = |wanted: Option<bool>| -> Vec<&Finding> {
        let of_base = |finding: &Finding| finding.layer.as_ref().and_then(|layer| layer.base);
        let all = evaluation.findings.iter();
        match base {
            None => all.collect(),
            Some(_) => {
                all.filter(|one| of_base(one).unwrap_or(false) == wanted.unwrap_or(false)).collect()
            }
        }
    };
    match base {
        None => packages("Findings", "", &part(None), page),
        Some(base) => {
            let layers = counted(base.layers, "layer", "layers");
            let name = base.name.as_deref().map_or_else(String::new, |name| format!("{name}, "));
            let remark = shown(format!("{name}{layers}, {}", base.how).as_bytes());
            packages("In the base image", &remark, &part(Some(true)), page);
            packages("Added on top of the base image", "", &part(Some(false)), page);
        }
    }
}

fn packages(title: &str, remark: &str, findings: &[&Finding], page: &mut Page<'_>) {
    if findings.is_empty() {
        return;
    }
    page.heading(title, &format!("{}  {}", findings.len(), page.style.dim(remark)));
    // In the order of their first, that is their worst, finding.
    let mut groups: Vec<(Key<'_>, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let key = key(finding);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(finding),
            None => groups.push((key, vec![finding])),
        }
    }
    for (_, group) in groups {
        package(&group, page);
    }
}

/// Binary packages of one source in one layer are one line: they are upgraded together.
type Key<'a> = (&'a str, &'a str, &'a str, Option<usize>, &'a str);

fn key(finding: &Finding) -> Key<'_> {
    let package = &finding.package;
    let is_os = package_type::is_system(&package.kind);
    let name = package.source.as_deref().unwrap_or(&package.name);
    let location = if is_os { "" } else { package.location.as_str() };
    let layer = finding.layer.as_ref().map(|layer| layer.index);
    (&package.kind, name, &package.version, layer, location)
}

fn package(group: &[&Finding], page: &mut Page<'_>) {
    let Some(first) = group.first() else { return };
    let (kind, name, version, layer, location) = key(first);
    let mut binaries: Vec<&str> = group.iter().map(|one| one.package.name.as_str()).collect();
    binaries.sort_unstable();
    binaries.dedup();
    let of = match binaries.as_slice() {
        [only] if *only == name => String::new(),
        names => format!(" ({})", names.join(", ")),
    };
    let place = if location.is_empty() { String::new() } else { format!("  /{location}") };
    let layer = layer.map_or_else(String::new, |layer| format!("  layer {}", layer + 1));
    let title = shown(format!("{name} {version}").as_bytes());
    let rest = shown(format!("  {kind}{of}{place}").as_bytes());
    page.line("");
    let room = page.style.columns.saturating_sub(width(&title) + width(&layer) + 2);
    let rest = page.style.dim(&format!("{}{layer}", cut(&rest, room)));
    page.line(&format!("  {}{rest}", page.style.bold(&title)));
    let mut told: Vec<&str> = Vec::new();
    for finding in group {
        // The same vulnerability in each binary package of the source.
        if !told.contains(&finding.id.as_str()) {
            told.push(&finding.id);
            line(finding, page);
        }
    }
}

/// `    critical  CVE-2021-44228  fixed in 2.15.0  exploited  EPSS 0.94  title`.
fn line(finding: &Finding, page: &mut Page<'_>) {
    let level = finding.severity.level;
    let severity = page.style.severity(level, &format!("{:SEVERITY$}", level.name()));
    let mark = if finding.fails { page.style.bold("✗") } else { " ".to_owned() };
    let id = shown(finding.id.as_bytes());
    let mut facts = vec![wording::fix(finding)];
    if let Some(kev) = &finding.kev {
        facts.push(if kev.ransomware { "exploited by ransomware" } else { "exploited" }.to_owned());
    }
    if let Some(epss) = finding.epss.as_ref().filter(|epss| epss.score >= 0.01) {
        facts.push(format!("EPSS {:.2}", epss.score));
    }
    if finding.new == Some(true) {
        facts.push("new".to_owned());
    }
    if finding.cpe_only {
        facts.push("by CPE name only".to_owned());
    }
    let facts = facts.join(", ");
    let start = format!("  {mark} {severity}{id:ID$}  {facts}");
    // Colours take no columns: what is measured is what is seen.
    let seen = 4 + SEVERITY + width(&id).max(ID) + 2 + width(&facts);
    let room = page.style.columns.saturating_sub(seen + 2);
    let title = shown(finding.summary.as_bytes());
    let title = if room >= 20 { page.style.dim(&cut(&title, room)) } else { String::new() };
    page.line(&format!("{start}  {title}"));
}

fn layers(evaluation: &Evaluation, page: &mut Page<'_>) {
    if evaluation.findings.is_empty() {
        return;
    }
    page.heading("By layer", "");
    for layer in evaluation.layers.iter().filter(|layer| layer.findings > 0) {
        let of_base = if layer.base == Some(true) { " (base)" } else { "" };
        let number = format!("{}{of_base}", layer.index + 1);
        let line = format!("  {number:<10}{}", severities(&layer.severity, page));
        page.line(&line);
        let made_by = wording::made_by(&layer.created_by);
        if !made_by.is_empty() {
            let room = page.style.columns.saturating_sub(12);
            page.line(&format!("            {}", page.style.dim(&cut(&made_by, room))));
        }
    }
}

fn upgrades(evaluation: &Evaluation, page: &mut Page<'_>) {
    if evaluation.upgrades.is_empty() {
        return;
    }
    page.heading(wording::UPGRADES, "");
    for upgrade in evaluation.upgrades.iter().take(MAX_UPGRADES) {
        let (package, from, to) = (&upgrade.package, &upgrade.from, &upgrade.to);
        let line = shown(format!("{package} {from} → {to}").as_bytes());
        let number = counted(upgrade.findings.len(), "finding", "findings");
        let worst = page.style.severity(upgrade.worst, upgrade.worst.name());
        page.line(&format!("  {line}  {number}, worst {worst}"));
    }
    let more = evaluation.upgrades.len().saturating_sub(MAX_UPGRADES);
    if more > 0 {
        page.line(&page.style.dim(&format!("  … and {more} more: `-o json` has them all")));
    }
}

/// Those of severity low are counted alone, unless they fail.
fn secrets(evaluation: &Evaluation, page: &mut Page<'_>) {
    let all = &evaluation.secrets;
    let excepted = evaluation.suppressed_secrets.len();
    if all.is_empty() && excepted == 0 {
        return;
    }
    let excepted = if excepted > 0 { format!(", {excepted} excepted") } else { String::new() };
    let failing = evaluation.counts.failing_secrets;
    let failing = if failing > 0 { format!(", {failing} fail") } else { String::new() };
    page.heading("Secrets", &format!("{}{failing}{excepted}", count(all.len() as u64)));
    let is_told = |one: &&SecretFinding| one.severity > Severity::Low || one.fails;
    let told: Vec<&SecretFinding> = all.iter().filter(is_told).collect();
    page.list(&told, |page, one| secret(one, page));
    let others = all.len() - told.len();
    if others > 0 {
        let line = format!("  {} of severity low: `-o json` has them all", count(others as u64));
        page.line(&page.style.dim(&line));
    }
}

fn secret(secret: &SecretFinding, page: &mut Page<'_>) {
    let level = secret.severity;
    let severity = page.style.severity(level, &format!("{:SEVERITY$}", level.name()));
    let mark = if secret.fails { page.style.bold("✗") } else { " ".to_owned() };
    let place = shown(wording::place_of_secret(secret).as_bytes());
    let rule = shown(secret.rule.as_bytes());
    page.line(&format!("  {mark} {severity}{rule}  {place}"));
    let remarks = wording::remarks_on_secret(secret);
    let about = wording::about_secret(secret);
    let about = if remarks.is_empty() { about } else { format!("{about}; {remarks}") };
    let room = page.style.columns.saturating_sub(14);
    page.line(&format!("              {}", page.style.dim(&cut(&about, room))));
}

fn suppressed(report: &Report<'_>, page: &mut Page<'_>) {
    let all = &report.evaluation.suppressed;
    if all.is_empty() {
        return;
    }
    let hint = if report.show_suppressed { "" } else { "use `--show-suppressed` to list them" };
    page.heading("Suppressed", &format!("{}  {}", all.len(), page.style.dim(hint)));
    for (code, number) in &report.evaluation.counts.suppressed {
        page.field(&count(*number as u64), wording::suppressed(*code));
    }
    if report.show_suppressed {
        all.iter().for_each(|one| exempt(one, page));
    }
}

fn exempt(one: &Suppressed, page: &mut Page<'_>) {
    let finding = &one.finding;
    let package = &finding.package;
    let level = page.style.severity(finding.severity.level, finding.severity.level.name());
    let title = format!("{}  {} {}", finding.id, package.name, package.version);
    page.line(&format!("  - {}  {level}", shown(title.as_bytes())));
    let note = one.by.note.as_deref().map_or_else(String::new, |note| format!(": {note}"));
    let until = one.by.expires.as_deref().map_or_else(String::new, |day| format!(" (until {day})"));
    let reason = shown(format!("{}{note}{until}", one.by.reason).as_bytes());
    for part in wrapped(&reason, page.style.columns.saturating_sub(6)) {
        page.line(&format!("      {}", page.style.dim(&part)));
    }
}

fn uncovered(evaluation: &Evaluation, page: &mut Page<'_>) {
    let all = &evaluation.uncovered;
    let all: Vec<_> = all.iter().filter(|one| one.code != UncoveredCode::NoDatabase).collect();
    if all.is_empty() {
        return;
    }
    page.heading(wording::NOT_EVALUATED, &page.style.dim(wording::MAY_BE_VULNERABLE));
    for one in all {
        let packages = match one.packages.len() {
            0 => String::new(),
            number => format!(" ({})", counted(number, "package", "packages")),
        };
        page.hanging(&shown(format!("{}{packages}", one.message).as_bytes()));
    }
}

fn warnings(evaluation: &Evaluation, page: &mut Page<'_>) {
    if evaluation.warnings.is_empty() {
        return;
    }
    page.heading("Warnings", "");
    for warning in &evaluation.warnings {
        page.hanging(&shown(warning.message.as_bytes()));
    }
}

fn verdict(evaluation: &Evaluation, page: &mut Page<'_>) {
    let verdict = &evaluation.verdict;
    page.line("");
    // The verdict is last, above the next prompt.
    if let Some(line) = wording::not_counted(evaluation) {
        page.line(&page.style.dim(&shown(line.as_bytes())));
    }
    let code = match verdict.outcome {
        Outcome::Pass => "1;32",
        Outcome::Fail | Outcome::NotJudged => "1;31",
        Outcome::NoGate => return page.line(&page.style.dim(wording::NO_GATE)),
    };
    let reasons: Vec<&str> = verdict.reasons.iter().map(|it| it.message.as_str()).collect();
    let word = page.style.paint(code, wording::outcome(evaluation));
    match reasons.split_first() {
        None => page.line(&word),
        Some((first, more)) => {
            page.line(&format!("{word}  {}", shown(first.as_bytes())));
            more.iter()
                .for_each(|reason| page.line(&format!("      {}", shown(reason.as_bytes()))));
        }
    }
}
