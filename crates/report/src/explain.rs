//! `inscan explain`: one vulnerability in one image, told in sentences.

use super::Style;
use super::page::{Page, wrapped};
use super::text::{counted, shown};
use super::wording;
use inscan_document::Section;
use inscan_evaluate::{
    Compared, Comparison, Evaluation, Explanation, Finding, Package, Suppression, gap,
};

/// Packages that are not affected are listed up to this many.
const MAX_CLEARED: usize = 20;

/// What `id` is, and what became of it in the image.
pub fn render(
    id: &str,
    explanation: &Explanation,
    evaluation: &Evaluation,
    section: &Section,
    style: &Style,
) -> String {
    let mut page = Page::new(style);
    what_it_is(id, explanation, evaluation, &mut page);
    let mut told = Vec::new();
    for finding in &evaluation.findings {
        if is_about(finding, explanation) {
            affected(finding, None, &mut page);
            told.push(finding.package.index);
        }
    }
    for one in &evaluation.suppressed {
        if is_about(&one.finding, explanation) {
            affected(&one.finding, Some(&one.by), &mut page);
            told.push(one.finding.package.index);
        }
    }
    cleared(explanation, &told, &mut page);
    not_evaluated(explanation, evaluation, section, &mut page);
    conclusion(explanation, evaluation, told.len(), &mut page);
    page.text
}

fn is_about(finding: &Finding, explanation: &Explanation) -> bool {
    let advisories = finding.advisories.iter().map(|advisory| &advisory.id);
    let mut names = finding.aliases.iter().chain(advisories);
    let compared =
        |index| explanation.comparisons.iter().any(|comparison| comparison.package.index == index);
    compared(finding.package.index) && names.any(|name| explanation.names.contains(name))
}

fn what_it_is(id: &str, explanation: &Explanation, evaluation: &Evaluation, page: &mut Page<'_>) {
    let title = explanation.names.first().map_or(id, String::as_str);
    page.line(&page.style.bold(&shown(title.as_bytes())));
    let others: Vec<&str> = explanation.names.iter().skip(1).map(String::as_str).collect();
    if !others.is_empty() {
        page.field("also called", &shown(others.join(", ").as_bytes()));
    }
    let mut titles = explanation.advisories.iter().map(|advisory| advisory.summary.as_str());
    if let Some(title) = titles.find(|title| !title.is_empty()) {
        page.field("title", &shown(title.as_bytes()));
    }
    let all = evaluation.findings.iter().chain(evaluation.suppressed.iter().map(|it| &it.finding));
    if let Some(finding) = all.into_iter().find(|finding| is_about(finding, explanation)) {
        page.field("severity", &severity(finding));
        if let Some(kev) = &finding.kev {
            let added = kev.added.as_deref().unwrap_or("an unknown day");
            let how = if kev.ransomware { ", also by ransomware" } else { "" };
            let text = format!("yes{how}: in CISA's catalogue since {added}");
            page.field("exploited", &shown(text.as_bytes()));
        }
        if let Some(epss) = &finding.epss {
            page.field("EPSS", &wording::epss(epss.score, epss.percentile));
        }
    }
    let advisories: Vec<&str> = explanation.advisories.iter().map(|it| it.id.as_str()).collect();
    if !advisories.is_empty() {
        page.field("advisories", &shown(advisories.join(", ").as_bytes()));
    }
}

fn severity(finding: &Finding) -> String {
    let rating = &finding.severity;
    let score = rating.score.map_or_else(String::new, |score| format!(", {score:.1}"));
    let source = match rating.source.as_str() {
        "" => ": no CVSS score or vendor rating".to_owned(),
        source => format!(" by {source}"),
    };
    let vector = rating.vector.as_deref().map_or_else(String::new, |vector| format!(", {vector}"));
    shown(format!("{}{score}{source}{vector}", rating.level.name()).as_bytes())
}

fn affected(finding: &Finding, by: Option<&Suppression>, page: &mut Page<'_>) {
    let package = &finding.package;
    let held = if by.is_some() { "affected, but suppressed" } else { "affected" };
    page.heading(&shown(format!("{} {}", package.name, package.version).as_bytes()), held);
    place(finding, page);
    for detail in &finding.matches {
        let text = format!(
            "{}`{}` in {}: {} of {} (version order: {})",
            wording::name_of(detail),
            detail.name,
            detail.ecosystem,
            wording::in_range(detail),
            detail.advisory,
            detail.scheme
        );
        page.field("compared", &shown(text.as_bytes()));
    }
    let fixed = match finding.fixed_versions.as_slice() {
        [] => "no fix known".to_owned(),
        versions => versions.join(", "),
    };
    page.field("fixed in", &shown(fixed.as_bytes()));
    if let Some(upgrade) = &finding.upgrade {
        page.field("upgrade to", &shown(upgrade.as_bytes()));
    }
    if let Some(by) = by {
        let note = by.note.as_deref().map_or_else(String::new, |note| format!(": {note}"));
        let until = by.expires.as_deref().map_or_else(String::new, |day| format!(" (until {day})"));
        page.field("suppressed", &shown(format!("{}{note}{until}", by.reason).as_bytes()));
    } else {
        let verdict = if finding.fails { "fails the gate" } else { "does not fail the gate" };
        page.field("verdict", verdict);
    }
}

/// Which file, which layer, which line of the Dockerfile.
fn place(finding: &Finding, page: &mut Page<'_>) {
    page.field("package", &shown(finding.package.purl.as_bytes()));
    page.field("file", &shown(format!("/{}", finding.package.location).as_bytes()));
    if let Some(layer) = &finding.layer {
        let base = if layer.base == Some(true) { ", of the base image" } else { "" };
        page.field("layer", &format!("{}{base}", layer.index + 1));
        let line = layer.created_by.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() {
            page.field("made by", &shown(line.as_bytes()));
        }
    }
}

fn cleared(explanation: &Explanation, told: &[usize], page: &mut Page<'_>) {
    let mut packages: Vec<(&Package, Vec<&Comparison>)> = Vec::new();
    for comparison in &explanation.comparisons {
        let package = &comparison.package;
        if told.contains(&package.index) {
            continue;
        }
        match packages.last_mut() {
            Some((known, all)) if known.index == package.index => all.push(comparison),
            _ => packages.push((package, vec![comparison])),
        }
    }
    for (package, comparisons) in packages.iter().take(MAX_CLEARED) {
        let title = shown(format!("{} {}", package.name, package.version).as_bytes());
        page.heading(&title, "not affected");
        page.field("file", &shown(format!("/{}", package.location).as_bytes()));
        for comparison in comparisons {
            let detail = &comparison.detail;
            let said = match &comparison.result {
                Compared::Affected(detail) => wording::in_range(detail),
                Compared::NotAffected(range) => {
                    format!("{} is outside the affected ranges: {range}", detail.version)
                }
                Compared::Unreadable(problem) => problem.clone(),
            };
            let text =
                format!("`{}` in {}: {said} ({})", detail.name, detail.ecosystem, detail.advisory);
            page.field("compared", &shown(text.as_bytes()));
        }
    }
    if packages.len() > MAX_CLEARED {
        let more = packages.len() - MAX_CLEARED;
        page.line("");
        page.line(&page.style.dim(&format!("  … and {more} more packages that are not affected")));
    }
}

/// Packages of that name that were never compared.
fn not_evaluated(
    explanation: &Explanation,
    evaluation: &Evaluation,
    section: &Section,
    page: &mut Page<'_>,
) {
    let names: Vec<&str> = explanation.concerned.iter().map(|(_, name)| name.as_str()).collect();
    for (index, package) in section.packages.iter().enumerate() {
        let source = package.source.as_ref().map_or("", |source| source.name.as_str());
        let is_named = names.contains(&package.name.as_str()) || names.contains(&source);
        if let (true, Some(gap)) = (is_named, gap(&evaluation.uncovered, index)) {
            let title = format!("{} {}", package.name, package.version);
            page.heading(&shown(title.as_bytes()), "not evaluated");
            page.field("because", &shown(gap.message.as_bytes()));
        }
    }
}

fn conclusion(
    explanation: &Explanation,
    evaluation: &Evaluation,
    affected: usize,
    page: &mut Page<'_>,
) {
    page.line("");
    let text = match (explanation.advisories.is_empty(), explanation.comparisons.is_empty()) {
        (true, _) => "The database has no advisory with this name.".to_owned(),
        (_, true) => {
            let concerned: Vec<String> = explanation
                .concerned
                .iter()
                .take(10)
                .map(|(ecosystem, name)| format!("{name} ({ecosystem})"))
                .collect();
            let more = match explanation.concerned.len().saturating_sub(10) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "It affects {}{more}; the image has no such package that could be compared.",
                concerned.join(", ")
            )
        }
        _ => {
            let packages = counted(affected, "package", "packages");
            format!("{packages} of the image affected.")
        }
    };
    let date = evaluation.database.as_ref().and_then(|database| database.date.as_deref());
    let data = date.map_or_else(String::new, |date| format!(" The data is of {date}."));
    for line in wrapped(&shown(format!("{text}{data}").as_bytes()), page.style.columns) {
        page.line(&line);
    }
}
