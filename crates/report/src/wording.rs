//! What reports say of an evaluation, in the same words in all formats. Whatever more than
//! one of them says is worded here, and nowhere else.

use std::collections::BTreeMap;

use super::address::is_web;
use super::text::{count, counted, printable};
use inscan_evaluate::{
    Evaluation, Finding, LayerOf, Match, NameOf, Outcome, SecretFinding, Severity, Status,
    SuppressionCode, Uncovered, UncoveredKind,
};
use inscan_facts::history;
use inscan_facts::problem::{Hides, named};

/// Headings.
pub(super) const UPGRADES: &str = "Upgrades that fix the most findings";
pub(super) const NOT_EVALUATED: &str = "Not evaluated";
/// What the reader must not take for clean.
pub(super) const MAY_BE_VULNERABLE: &str = "may still be vulnerable";
/// Where there is no verdict.
pub(super) const NO_GATE: &str = "No gate set. Use e.g. `--fail-on high`.";

/// `https://…` of the advisory's own page, else of the first reference.
pub(super) fn page(finding: &Finding) -> Option<&str> {
    let advisories = finding.advisories.iter().filter_map(|advisory| advisory.url.as_deref());
    let references = finding.references.iter().map(|reference| reference.url.as_str());
    advisories.chain(references).find(|url| is_web(url))
}

/// What was not looked at, in one line without an end: `2 unreadable, 1 over a limit (there may be
/// packages in them)`. Of each problem its code and what it hides.
pub fn not_looked_at<'a>(problems: impl Iterator<Item = (&'a str, Hides)>) -> Option<String> {
    let mut by_code: BTreeMap<&str, usize> = BTreeMap::new();
    let of_packages = |hides: Hides| !hides.is_nothing() && hides != Hides::Secrets;
    for (code, _) in problems.filter(|(_, hides)| of_packages(*hides)) {
        *by_code.entry(code).or_default() += 1;
    }
    told(by_code.into_iter(), "packages")
}

/// The same of an evaluation.
pub(super) fn not_seen(evaluation: &Evaluation) -> Option<String> {
    let hidden = evaluation.uncovered.iter().filter(|one| one.kind == UncoveredKind::Hidden);
    let is_of_secrets = |one: &&Uncovered| one.message.starts_with("secrets ");
    let what = if hidden.clone().all(|one| is_of_secrets(&one)) { "secrets" } else { "packages" };
    told(hidden.map(|one| (one.problem.as_str(), one.count)), what)
}

fn told<'a>(counts: impl Iterator<Item = (&'a str, usize)>, what: &str) -> Option<String> {
    let mut all = 0;
    let parts: Vec<_> = counts
        .map(|(code, number)| {
            all += number;
            format!("{} {}", count(number as u64), printable(&named(code)))
        })
        .collect();
    let them = if all == 1 { "it" } else { "them" };
    (all > 0).then(|| format!("{} (there may be {what} in {them})", parts.join(", ")))
}

/// `django 3.2.0`.
pub(super) fn package(finding: &Finding) -> String {
    let version = Some(finding.package.version.as_str()).filter(|version| !version.is_empty());
    printable(&format!("{} {}", finding.package.name, version.unwrap_or("of unknown version")))
}

/// Whether there is a fix, in a few words: `fixed in 1.2.6`.
pub(super) fn fix(finding: &Finding) -> String {
    let said = match finding.status {
        Status::Fixed => {
            let version =
                finding.upgrade.as_deref().or(finding.fixed_versions.first().map(|it| &**it));
            return printable(&format!("fixed in {}", version.unwrap_or("a later version")));
        }
        Status::Affected => "no fix known",
        Status::WillNotFix => "will not be fixed",
        Status::FixDeferred => "fix deferred",
        Status::UnderInvestigation => "under investigation",
        Status::EndOfLife => "no fix: end of life",
    };
    said.to_owned()
}

/// `0.997 (percentile 99.9)`: the probability of exploitation within 30 days, and the share of
/// all vulnerabilities that have a lower one.
pub(super) fn epss(score: f64, percentile: f64) -> String {
    format!("{score:.3} (percentile {:.1})", percentile * 100.0)
}

/// What a version was compared with: `3.6 is in the affected range `< 3.7``.
pub(super) fn in_range(detail: &Match) -> String {
    format!("{} is in the affected range `{}`", detail.version, detail.range)
}

/// How the name that was looked up belongs to the package.
pub(super) fn name_of(detail: &Match) -> &'static str {
    match detail.name_of {
        NameOf::Package => "",
        NameOf::Source => "source package ",
        NameOf::AnyGroup => "by the artifact's name, in any group: ",
        NameOf::Cpe => "by CPE name only: ",
    }
}

/// What to do about it, in one sentence.
pub(super) fn advice(finding: &Finding) -> String {
    let sentence = match (&finding.upgrade, finding.status) {
        (Some(upgrade), _) => format!("Upgrade {} to {upgrade}.", finding.package.name),
        (None, Status::Affected) => "No fix is known.".to_owned(),
        (None, Status::Fixed) => match finding.fixed_versions.is_empty() {
            true => "Fixed in a later version.".to_owned(),
            false => format!("Fixed in {}.", finding.fixed_versions.join(", ")),
        },
        (None, Status::WillNotFix) => "Its maintainers will not fix it.".to_owned(),
        (None, Status::FixDeferred) => "Its maintainers will fix it later.".to_owned(),
        (None, Status::UnderInvestigation) => "Its maintainers are investigating it.".to_owned(),
        (None, Status::EndOfLife) => "The release no longer gets updates.".to_owned(),
    };
    let guess = match finding.cpe_only {
        true => " Matched by CPE name only: it may be about another product of that name.",
        false => "",
    };
    printable(&format!("{sentence}{guess}"))
}

/// `layer 2 of 5 (RUN pip install …)`: counts from 1, as people do.
pub(super) fn layer(layer: &LayerOf, evaluation: &Evaluation) -> String {
    let of = match evaluation.layers.len() {
        0 => String::new(),
        all => format!(" of {all}"),
    };
    let base = if layer.base == Some(true) { ", base image" } else { "" };
    let made_by = Some(made_by(&layer.created_by)).filter(|line| !line.is_empty());
    let made_by = made_by.map(|line| format!(" ({})", shortened(&line, 200))).unwrap_or_default();
    format!("layer {}{of}{base}{made_by}", layer.index + 1)
}

/// A line of the image's history as its author wrote it, on one line.
pub fn made_by(line: &str) -> String {
    printable(&history::written(line).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// At most so many characters; what is cut off is an ellipsis.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters - 1).chain(['…']).collect(),
    }
}

/// Where a secret lies: `/srv/.env:3`, or the image's configuration.
pub(super) fn place_of_secret(secret: &SecretFinding) -> String {
    match &secret.path {
        Some(path) => printable(&format!("/{path}:{}", secret.line)),
        None => "the image's configuration".to_owned(),
    }
}

/// What a rule found: its sentence, or its name where there is none.
pub(super) fn about_secret(secret: &SecretFinding) -> String {
    printable(if secret.about.is_empty() { &secret.rule } else { &secret.about })
}

/// What else is known of a secret: its layer, whether it is gone, who brought it.
pub(super) fn remarks_on_secret(secret: &SecretFinding) -> String {
    let layer = secret.layer.as_ref().map(|layer| format!("in layer {}", layer.index + 1));
    let gone =
        (!secret.visible).then(|| "deleted by a later layer, and still in the image".to_owned());
    let origin =
        secret.origin.as_ref().map(|package| format!("as {} brought it", printable(package)));
    let new = (secret.new == Some(true)).then(|| "new".to_owned());
    [layer, gone, origin, new].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What to do about a secret.
pub(super) const SECRET_ADVICE: &str =
    "Withdraw it where it is valid, and build the image without it: `RUN --mount=type=secret`.";

/// The verdict in one word or two.
pub(super) fn outcome(evaluation: &Evaluation) -> &'static str {
    match evaluation.verdict.outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::NoGate if evaluation.database.is_none() => "NOT EVALUATED",
        Outcome::NoGate => "NO GATE SET",
        Outcome::NotJudged => "NOT EVALUATED",
    }
}

/// `FAIL: 3 findings of severity high or worse`, without a full stop.
pub(super) fn verdict(evaluation: &Evaluation) -> String {
    let outcome = match (evaluation.verdict.outcome, &evaluation.database) {
        (Outcome::NoGate, None) => "NOT EVALUATED: no vulnerability database",
        _ => outcome(evaluation),
    };
    let reasons = evaluation.verdict.reasons.iter();
    let reasons: Vec<_> = reasons.map(|reason| printable(&reason.message)).collect();
    match reasons.is_empty() {
        true => outcome.to_owned(),
        false => format!("{outcome}: {}", reasons.join("; ")),
    }
}

/// `not counted: 3 suppressed findings`: what stands beside the verdict.
pub(super) fn not_counted(evaluation: &Evaluation) -> Option<String> {
    let line = evaluation.verdict.not_counted.as_deref()?;
    Some(printable(&format!("not counted: {line}")))
}

/// `2 critical, 5 high`; only those there are.
pub(super) fn severities(evaluation: &Evaluation) -> String {
    let count = |severity: &Severity| evaluation.counts.severity.get(severity).copied();
    let parts = Severity::ALL.iter().filter_map(|severity| {
        let number = count(severity).filter(|number| *number > 0)?;
        Some(format!("{number} {}", severity.name()))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// `14 findings (12 vulnerabilities, 4 packages)`.
pub(super) fn extent(evaluation: &Evaluation) -> String {
    let counts = &evaluation.counts;
    if counts.findings == 0 {
        return "no findings".to_owned();
    }
    let findings = counted(counts.findings, "finding", "findings");
    let vulnerabilities = counted(counts.vulnerabilities, "vulnerability", "vulnerabilities");
    let packages = counted(counts.packages, "package", "packages");
    format!("{findings} ({vulnerabilities}, {packages})")
}

/// `2 fixable`, `1 known to be exploited` …: only those there are.
pub(super) fn properties(evaluation: &Evaluation) -> Vec<String> {
    let counts = &evaluation.counts;
    let all = [
        (counts.fixable, "fixable"),
        (counts.kev, "known to be exploited"),
        (counts.new.unwrap_or(0), "not in the baseline"),
        (counts.not_shown, "hidden by filters"),
    ];
    let some = all.into_iter().filter(|(number, _)| *number > 0);
    some.map(|(number, what)| format!("{number} {what}")).collect()
}

/// `data of 2026-01-01, 3 days old, 8 advisories`.
pub(super) fn database(evaluation: &Evaluation) -> Option<String> {
    let database = evaluation.database.as_ref()?;
    let date = database.date.as_deref().unwrap_or("unknown date");
    let age = match database.age_days {
        Some(0) => ", of today".to_owned(),
        Some(days) => format!(", {} old", counted(days as usize, "day", "days")),
        None => String::new(),
    };
    Some(printable(&format!("data of {date}{age}, {} advisories", count(database.advisories))))
}

/// The distribution by its name, and how long it gets security updates.
pub(super) fn distribution(evaluation: &Evaluation) -> Option<String> {
    let found = evaluation.image.distribution.as_ref()?;
    let name = found.name.clone().unwrap_or_else(|| format!("{} {}", found.id, found.version));
    let end = match &found.end_of_life {
        Some(day) if *day < evaluation.date => format!(", no security updates since {day}"),
        Some(day) => format!(", security updates until {day}"),
        None => String::new(),
    };
    Some(printable(&format!("{name}{end}")))
}

/// Why findings are suppressed, for a count of them.
pub(super) fn suppressed(code: SuppressionCode) -> &'static str {
    match code {
        SuppressionCode::Ignored => "by an exception",
        SuppressionCode::Vex => "by a VEX statement",
        SuppressionCode::OwnedByOsPackage => {
            "in files of OS packages, which are evaluated by their distribution's advisories"
        }
        SuppressionCode::Unimportant => "rated unimportant by the distribution",
        SuppressionCode::NotSecurity => "bug fixes and enhancements",
        SuppressionCode::NotAffected => "not affected, according to the distribution",
        SuppressionCode::Informational => "notices, such as an unmaintained package",
        SuppressionCode::OtherPlatform => "about another operating system",
        SuppressionCode::NotFromRegistry => {
            "about a registry's package, where this one is not from there"
        }
        SuppressionCode::CpeOnly => "matched by CPE name only",
        SuppressionCode::NotInstalled => {
            "in examples, test fixtures and the like, which do not run"
        }
    }
}

/// The reference it is reported under, else what the user named.
pub(super) fn image(evaluation: &Evaluation) -> &str {
    match evaluation.image.reference.is_empty() {
        true => &evaluation.image.source,
        false => &evaluation.image.reference,
    }
}

/// The day of the evaluation at midnight: its only clock.
pub(super) fn timestamp(evaluation: &Evaluation) -> String {
    format!("{}T00:00:00Z", evaluation.date)
}

/// A time as RFC 3339 has it, in UTC; `None` for what is none.
pub(super) fn date_time(text: &str) -> Option<String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.to_string());
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    Some(format!("{day}T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_history_is_what_its_author_wrote() {
        for (line, expected) in [
            ("/bin/sh -c #(nop) ADD file:1 in / ", "ADD file:1 in /"),
            ("|2 A=b C=d /bin/sh -c pip install x", "pip install x"),
            (
                "RUN /bin/sh -c apt-get update # buildkit",
                "RUN /bin/sh -c apt-get update # buildkit",
            ),
            ("|odd", "|odd"),
            ("", ""),
        ] {
            assert_eq!(made_by(line), expected);
        }
    }

    #[test]
    fn times_are_of_rfc_3339_or_not_there() {
        assert_eq!(date_time("2024-01-02").unwrap(), "2024-01-02T00:00:00Z");
        assert_eq!(date_time("2024-01-02T03:04:05+02:00").unwrap(), "2024-01-02T01:04:05Z");
        assert_eq!(date_time("yesterday"), None);
    }
}
