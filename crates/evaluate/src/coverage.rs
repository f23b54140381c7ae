//! What could not be judged: said for each reason, never shown as clean.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::evaluation::{Uncovered, UncoveredCode, UncoveredKind};
use super::{Options, names};
use inscan_document::Section;
use inscan_document::section::PackageRow;
use inscan_facts::problem::{Hides, MALFORMED, named};
use inscan_vulndb::EndOfLife;

/// How many examples a message names.
const EXAMPLES: usize = 3;

/// What is gathered while packages are looked up.
#[derive(Default)]
pub(super) struct Gaps {
    reasons: BTreeMap<names::Uncovered, Vec<usize>>,
    /// Packages whose version no order can read, by type, with the problems.
    versions: BTreeMap<String, (Vec<usize>, Vec<String>)>,
    /// Advisories whose own versions cannot be read.
    advisories: Vec<(usize, String)>,
}

impl Gaps {
    pub(super) fn add(&mut self, package: &PackageRow, index: usize, gap: names::Uncovered) {
        if gap.code == UncoveredCode::VersionNotComparable {
            let (packages, problems) = self.versions.entry(package.kind.clone()).or_default();
            packages.push(index);
            problems.push(gap.message);
        } else {
            self.reasons.entry(gap).or_default().push(index);
        }
    }

    pub(super) fn add_advisories(&mut self, index: usize, problems: Vec<String>) {
        self.advisories.extend(problems.into_iter().map(|problem| (index, problem)));
    }

    /// In order of the codes, then of the subjects.
    pub(super) fn told(self) -> Vec<Uncovered> {
        let reasons = self.reasons.into_iter().map(|(gap, packages)| Uncovered {
            code: gap.code,
            message: gap.message,
            subject: gap.subject,
            packages,
            ..Uncovered::default()
        });
        let versions = self.versions.into_iter().map(|(kind, (packages, problems))| Uncovered {
            code: UncoveredCode::VersionNotComparable,
            subject: format!("{} packages of type {kind}", packages.len()),
            message: format!("versions cannot be compared: {}", examples(&problems)),
            packages,
            ..Uncovered::default()
        });
        let mut told: Vec<_> = reasons.chain(versions).collect();
        if !self.advisories.is_empty() {
            let (mut packages, problems): (Vec<_>, Vec<_>) = self.advisories.into_iter().unzip();
            packages.dedup();
            told.push(Uncovered {
                code: UncoveredCode::VersionNotComparable,
                subject: format!("{} advisories", problems.len()),
                message: format!("their versions cannot be compared: {}", examples(&problems)),
                packages,
                ..Uncovered::default()
            });
        }
        told.sort_by(|a, b| (a.code, &a.subject).cmp(&(b.code, &b.subject)));
        told
    }
}

fn examples(texts: &[String]) -> String {
    first_of(texts, texts.len())
}

fn first_of(texts: &[String], count: usize) -> String {
    let more = count.saturating_sub(EXAMPLES);
    let mut text = texts.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// A release that is no longer cared for: advisories for it are no longer written.
pub(super) fn end_of_life(distribution: &str, end: &EndOfLife, today: Date) -> Option<Uncovered> {
    if end.is_over(today) != Some(true) {
        return None;
    }
    if last_day(distribution, end).is_some_and(|until| today <= until) {
        return None;
    }
    let when = end.ends.map_or_else(String::new, |date| format!(" on {date}"));
    let extended = match end.extended {
        Some(until) if today <= until => format!(" (extended support, until {until}, not counted)"),
        _ => String::new(),
    };
    Some(Uncovered {
        code: UncoveredCode::EndOfLife,
        subject: distribution.to_owned(),
        message: format!(
            "security updates for {distribution} ended{when}{extended}: \
             later vulnerabilities are missing from its advisories"
        ),
        ..Uncovered::default()
    })
}

/// Until when everybody gets security updates. Debian's long-term support is for everybody,
/// that of the others for customers.
pub(super) fn last_day(distribution: &str, end: &EndOfLife) -> Option<Date> {
    match end.extended {
        Some(until) if distribution.starts_with("debian") => end.ends.max(Some(until)),
        _ => end.ends,
    }
}

/// How many places are named in JSON.
const PLACES: usize = 100;

/// What could not be looked at, where it may have held packages: one for each code of a problem,
/// in their order. Where secrets, policies or lock files are judged, also what may have held only
/// what these look for.
pub(super) fn not_analyzed(section: &Section, options: &Options) -> Vec<Uncovered> {
    let counts = |hides: Hides| match hides {
        Hides::Nothing => false,
        Hides::Packages | Hides::Content => true,
        Hides::Secrets => options.gate.fail_on_secrets.is_some(),
        Hides::Files => options.gate.policies,
        Hides::Lockfiles => options.lockfiles,
    };
    let problems = section.problems.iter().filter(|problem| counts(problem.hides));
    let problems =
        problems.map(|one| (&*one.code, one.path.as_deref(), one.message.as_str(), one.hides));
    let skipped = section.skipped.files.iter().filter(|file| counts(file.hides));
    let skipped =
        skipped.map(|one| (&*one.code, Some(one.path.as_str()), one.reason.as_str(), one.hides));
    let mut by_code: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (code, path, message, hides) in problems.chain(skipped) {
        let code = if code.is_empty() { MALFORMED } else { code };
        by_code.entry(code).or_default().push((path, message, hides));
    }
    by_code.into_iter().map(|(code, all)| hidden(code, &all)).collect()
}

fn hidden(code: &str, all: &[(Option<&str>, &str, Hides)]) -> Uncovered {
    let said = all.iter().take(EXAMPLES + 1).map(|(path, message, _)| {
        let place = path.map_or_else(String::new, |path| format!("/{path}: "));
        format!("{place}{message}")
    });
    let has = |wanted: Hides| all.iter().any(|(.., hides)| *hides == wanted);
    let of_packages = [Hides::Packages, Hides::Lockfiles];
    let parts = [
        (of_packages.into_iter().any(has), "packages"),
        (has(Hides::Secrets), "secrets"),
        (has(Hides::Files), "files"),
    ];
    let parts = parts.iter().filter(|(is_there, _)| has(Hides::Content) || *is_there);
    let what = match parts.map(|(_, name)| *name).collect::<Vec<_>>()[..] {
        [one] => one.to_owned(),
        [one, two] => format!("{one} and {two}"),
        _ => "packages, secrets and files".to_owned(),
    };
    let examples = first_of(&said.collect::<Vec<_>>(), all.len());
    let places = all.iter().filter_map(|(path, ..)| *path).take(PLACES).map(str::to_owned);
    Uncovered {
        code: UncoveredCode::NotAnalyzed,
        kind: UncoveredKind::Hidden,
        subject: format!("{} {}", all.len(), named(code)),
        message: format!("{what} may be missing: {examples}"),
        problem: code.to_owned(),
        count: all.len(),
        places: places.collect(),
        packages: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use inscan_document::section::ProblemRow;

    use super::super::evaluation::Gate;
    use super::super::severity::Severity;
    use super::*;

    #[track_caller]
    fn check(distribution: &str, end: EndOfLife, expected: Option<&str>) {
        let today = "2026-11-25".parse().unwrap();
        let told = end_of_life(distribution, &end, today);
        assert_eq!(told.map(|told| told.message).as_deref(), expected);
    }

    #[test]
    fn an_ended_release_is_said() {
        let end = |ends: &str, extended: &str| EndOfLife {
            ends: ends.parse().ok(),
            extended: extended.parse().ok(),
            ..EndOfLife::default()
        };
        check("debian 13", end("2028-08-09", ""), None);
        check("debian 12", end("2026-07-11", "2028-06-30"), None);
        check(
            "debian 10",
            end("2022-09-10", "2024-06-30"),
            Some(
                "security updates for debian 10 ended on 2022-09-10: \
                 later vulnerabilities are missing from its advisories",
            ),
        );
        check(
            "ubuntu 18.04",
            end("2023-05-31", "2028-04-30"),
            Some(
                "security updates for ubuntu 18.04 ended on 2023-05-31 (extended support, \
                 until 2028-04-30, not counted): later vulnerabilities are missing from its advisories",
            ),
        );
    }

    #[test]
    fn what_hides_packages_is_told_by_its_code() {
        let problem = |code: &str, path: &str, hides| ProblemRow {
            code: code.into(),
            path: Some(path.into()),
            message: "no permission".into(),
            hides,
            ..ProblemRow::default()
        };
        let section = Section {
            problems: vec![
                problem("unreadable", "b", Hides::Content),
                problem("malformed", "c/test/package.json", Hides::Nothing),
                problem("cut", "d", Hides::Packages),
                problem("unreadable", "a", Hides::Packages),
                problem("over-limit", "e", Hides::Secrets),
                problem("over-limit", "f", Hides::Files),
                problem("malformed", "yarn.lock", Hides::Lockfiles),
            ],
            ..Section::default()
        };
        let told = |secrets: Option<Severity>, policies| {
            let gate = Gate { fail_on_secrets: secrets, policies, ..Gate::default() };
            let options = Options { gate, lockfiles: secrets.is_some(), ..Options::default() };
            let told = not_analyzed(&section, &options).into_iter();
            told.map(|one| (one.subject, one.message)).collect::<Vec<_>>()
        };
        let both =
            "packages, secrets and files may be missing: /b: no permission; /a: no permission";
        let cut = ("1 cut", "packages may be missing: /d: no permission");
        let large = ("1 over a limit", "secrets may be missing: /e: no permission");
        let owned = |all: &[(&str, &str)]| -> Vec<_> {
            all.iter()
                .map(|(subject, message)| (subject.to_string(), message.to_string()))
                .collect()
        };
        assert_eq!(told(None, false), owned(&[cut, ("2 unreadable", both)]));
        let secrets = Some(Severity::High);
        let lock = ("1 malformed", "packages may be missing: /yarn.lock: no permission");
        assert_eq!(told(secrets, false), owned(&[cut, lock, large, ("2 unreadable", both)]));
        let file = ("1 over a limit", "files may be missing: /f: no permission");
        assert_eq!(told(None, true), owned(&[cut, file, ("2 unreadable", both)]));
        let all = (
            "2 over a limit",
            "secrets and files may be missing: /e: no permission; /f: no permission",
        );
        assert_eq!(told(secrets, true), owned(&[cut, lock, all, ("2 unreadable", both)]));
    }

    #[test]
    fn versions_without_an_order_are_told_together() {
        let mut gaps = Gaps::default();
        for index in 0..5 {
            let package = PackageRow { kind: "golang".into(), ..PackageRow::default() };
            let gap = names::Uncovered {
                code: UncoveredCode::VersionNotComparable,
                subject: String::new(),
                message: format!("p{index} has no version"),
            };
            gaps.add(&package, index, gap);
        }
        let told = gaps.told();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].subject, "5 packages of type golang");
        assert!(told[0].message.ends_with("p2 has no version; and 2 more"), "{told:?}");
        assert_eq!(told[0].packages, [0, 1, 2, 3, 4]);
    }
}
