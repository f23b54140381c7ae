//! JUnit's XML, as Jenkins, GitLab and others show it: one suite for each type
//! of package, one test for each finding. What fails the gate is a failure, and
//! what nobody could judge is skipped with the reason.
//!
//! There is no official schema. The elements are those of
//! <https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd>.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::text::printable;
use super::{policy as of_policy, wording};
use inscan_evaluate::{Evaluation, Finding, Outcome, Suppression};
use inscan_judge::{self as policy, Action};

pub(super) fn render(evaluation: &Evaluation, of_policies: Option<&policy::Evaluation>) -> String {
    let mut suites: BTreeMap<&str, Suite> = BTreeMap::new();
    for finding in &evaluation.findings {
        suites.entry(&finding.package.kind).or_default().add(finding, None, evaluation);
    }
    for suppressed in &evaluation.suppressed {
        let suite = suites.entry(&suppressed.finding.package.kind).or_default();
        suite.add(&suppressed.finding, Some(&suppressed.by), evaluation);
    }
    let mut named: Vec<(String, Suite)> = vec![("gate".to_owned(), gate(evaluation))];
    let secrets = secrets(evaluation);
    named.extend((secrets.tests > 0).then(|| ("secrets".to_owned(), secrets)));
    named.extend(of_policies.map(|of_policies| ("policy".to_owned(), policies(of_policies))));
    named.extend(suites.into_iter().map(|(kind, suite)| (printable(kind), suite)));
    let uncovered = uncovered(evaluation);
    named.extend((uncovered.tests > 0).then(|| ("not evaluated".to_owned(), uncovered)));

    let total = |count: fn(&Suite) -> usize| named.iter().map(|(_, it)| count(it)).sum::<usize>();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"0\">",
        escaped(&format!("{} {}", evaluation.tool.name, wording::image(evaluation))),
        total(|it| it.tests),
        total(|it| it.failures),
        total(|it| it.errors),
    );
    for (number, (name, suite)) in named.iter().enumerate() {
        let Suite { tests, failures, errors, skipped, cases } = suite;
        let _ = writeln!(
            xml,
            "  <testsuite id=\"{number}\" name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" \
             errors=\"{errors}\" skipped=\"{skipped}\" timestamp=\"{}T00:00:00\" time=\"0\">\n{cases}  </testsuite>",
            escaped(name),
            escaped(&evaluation.date),
        );
    }
    xml.push_str("</testsuites>\n");
    xml
}

#[derive(Default)]
struct Suite {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    cases: String,
}

/// How a test ended, with what is said of it.
enum End<'a> {
    Passed,
    Failure(&'a str, &'a str),
    Error(&'a str),
    Skipped(&'a str),
}

impl Suite {
    fn test(&mut self, class: &str, name: &str, end: End<'_>, output: &str) {
        self.tests += 1;
        let (class, name) = (escaped(class), escaped(name));
        let _ =
            write!(self.cases, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\">");
        let _ = match end {
            End::Passed => Ok(()),
            End::Failure(kind, message) => {
                self.failures += 1;
                let (kind, message, body) = (escaped(kind), escaped(message), escaped(output));
                write!(
                    self.cases,
                    "<failure type=\"{kind}\" message=\"{message}\">{body}</failure>"
                )
            }
            End::Error(message) => {
                self.errors += 1;
                write!(self.cases, "<error type=\"not-judged\" message=\"{}\"/>", escaped(message))
            }
            End::Skipped(message) => {
                self.skipped += 1;
                write!(self.cases, "<skipped message=\"{}\"/>", escaped(message))
            }
        };
        if !output.is_empty() {
            let _ = write!(self.cases, "<system-out>{}</system-out>", escaped(output));
        }
        self.cases.push_str("</testcase>\n");
    }

    fn add(&mut self, finding: &Finding, by: Option<&Suppression>, evaluation: &Evaluation) {
        let severity = finding.severity.level.name();
        let class = format!("{}.{}", finding.package.kind, finding.package.name);
        let name = format!("{} in {}", finding.id, wording::package(finding));
        let message = format!("{severity}: {}", finding.summary);
        let reason = by.map(|by| format!("suppressed: {}", by.reason));
        let end = match &reason {
            Some(reason) => End::Skipped(reason),
            None if finding.fails => End::Failure(severity, &message),
            None => End::Passed,
        };
        self.test(&class, &name, end, &details(finding, evaluation));
    }
}

/// Lines for the reader of a failure.
fn details(finding: &Finding, evaluation: &Evaluation) -> String {
    let mut lines = vec![
        printable(&finding.summary),
        format!("severity: {}", finding.severity.level.name()),
        wording::advice(finding),
        printable(&format!("in: /{}", finding.package.location)),
    ];
    if let Some(layer) = &finding.layer {
        lines.push(format!("brought by: {}", wording::layer(layer, evaluation)));
    }
    lines.extend(wording::page(finding).map(str::to_owned));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// What is no finding and still decides: a test for each reason, or one that passes.
fn gate(evaluation: &Evaluation) -> Suite {
    let mut suite = Suite::default();
    let verdict = wording::verdict(evaluation);
    if let Some(line) = wording::not_counted(evaluation) {
        suite.test("gate", "not counted", End::Skipped(&line), "");
    }
    match evaluation.verdict.outcome {
        Outcome::Pass => suite.test("gate", "verdict", End::Passed, &verdict),
        Outcome::NoGate => suite.test("gate", "verdict", End::Skipped(&verdict), ""),
        Outcome::NotJudged => suite.test("gate", "verdict", End::Error(&verdict), ""),
        Outcome::Fail => {
            for reason in &evaluation.verdict.reasons {
                let end = End::Failure(&reason.code, &reason.message);
                suite.test("gate", &reason.code, end, &printable(&reason.message));
            }
        }
    }
    suite
}

/// A test for the verdict, and one for each row: what stops is a failure.
fn policies(evaluation: &policy::Evaluation) -> Suite {
    let mut suite = Suite::default();
    let verdict = of_policy::verdict(evaluation);
    let end = match evaluation.passes() {
        true => End::Passed,
        false => End::Failure("stop", &verdict),
    };
    suite.test("policy", "verdict", end, &verdict);
    for problem in evaluation.faults.iter().flat_map(|fault| &fault.problems) {
        let (name, message) = (problem.place.to_string(), problem.to_string());
        suite.test("policy", &name, End::Error(&message), "");
    }
    for row in &evaluation.rows {
        let class = format!("policy.{}.{}", row.policy_id, row.gate);
        let name = format!("{}: {}", row.trigger, row.message);
        let output = format!("{}\n{} by the rule {}", row.message, row.action.shown(), row.rule_id);
        let excepted = row.whitelisted.as_ref().map(of_policy::exception);
        let end = match (&excepted, row.action) {
            (Some(reason), _) => End::Skipped(reason),
            (None, Action::Stop) => End::Failure("stop", &row.message),
            (None, _) => End::Passed,
        };
        suite.test(&class, &name, end, &printable_lines(&output));
    }
    suite
}

fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

fn secrets(evaluation: &Evaluation) -> Suite {
    let mut suite = Suite::default();
    let open = evaluation.secrets.iter().map(|secret| (secret, None));
    let excepted = evaluation.suppressed_secrets.iter().map(|it| (&it.secret, Some(&it.by)));
    for (secret, by) in open.chain(excepted) {
        let place = wording::place_of_secret(secret);
        let severity = secret.severity.name();
        let message = format!("{severity}: {} in {place}", wording::about_secret(secret));
        let reason = by.map(|by| format!("suppressed: {}", by.reason));
        let end = match &reason {
            Some(reason) => End::Skipped(reason),
            None if secret.fails => End::Failure(severity, &message),
            None => End::Passed,
        };
        let mut lines = vec![message.clone(), wording::remarks_on_secret(secret)];
        lines.push(wording::SECRET_ADVICE.to_owned());
        lines.retain(|line| !line.is_empty());
        let class = format!("secret.{}", secret.rule);
        let name = format!("{} in {place}", secret.rule);
        suite.test(&class, &name, end, &lines.join("\n"));
    }
    suite
}

fn uncovered(evaluation: &Evaluation) -> Suite {
    let mut suite = Suite::default();
    for one in &evaluation.uncovered {
        suite.test("not evaluated", &one.subject, End::Skipped(&one.message), "");
    }
    suite
}

/// Text and attribute values of XML 1.0, which has no place for control characters:
/// <https://www.w3.org/TR/xml/#charsets>. Line feeds stay; everything else is made printable.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            xml.push_str("&#10;");
        }
        for char in printable(line).chars() {
            match char {
                '<' => xml.push_str("&lt;"),
                '>' => xml.push_str("&gt;"),
                '&' => xml.push_str("&amp;"),
                '"' => xml.push_str("&quot;"),
                '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
                char => xml.push(char),
            }
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use quick_xml::events::Event;
    use quick_xml::{Reader, XmlVersion};

    use super::*;
    use crate::testing::{self, evaluation};

    #[test]
    fn what_fails_the_gate_is_a_failure_and_what_is_not_judged_is_skipped() {
        let xml = render(&evaluation(), None);
        let has = |part: &str| assert!(xml.contains(part), "no `{part}` in:\n{xml}");
        has(
            "<testsuites name=\"inscan registry.example/app/web:1.0\" tests=\"6\" failures=\"2\" errors=\"0\"",
        );
        has(
            "<testcase classname=\"pypi.django\" name=\"CVE-2022-28346 in django 3.2.0\" time=\"0\"><failure type=\"critical\" message=\"critical: SQL injection in QuerySet.annotate()\">",
        );
        has("name=\"CVE-2023-3446 in libssl3 3.0.9-1\" time=\"0\"><system-out>");
        has("<skipped message=\"suppressed: accepted in exceptions.yaml\"/>");
        has("<skipped message=\"the database has nothing about conda\"/>");
        has("<testsuite id=\"0\" name=\"gate\" tests=\"1\" failures=\"1\"");
    }

    #[test]
    fn a_row_of_a_policy_that_stops_is_a_failure() {
        let xml = render(&evaluation(), Some(&testing::policy()));
        let has = |part: &str| assert!(xml.contains(part), "no `{part}` in:\n{xml}");
        has(
            "<testsuite id=\"1\" name=\"policy\" tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\"",
        );
        has(
            "<testcase classname=\"policy.p.dockerfile\" name=\"effective_user: root found\" time=\"0\"><failure type=\"stop\" message=\"root found\">",
        );
        has(
            "name=\"instruction: no check\" time=\"0\"><system-out>no check&#10;warn by the rule r</system-out>",
        );
        has("<skipped message=\"excepted by the list `agreed`: agreed on\"/>");
    }

    #[test]
    fn without_a_database_it_is_an_error() {
        let xml = render(&testing::without_database(), None);
        assert!(xml.contains("errors=\"1\"") && xml.contains("there is no vulnerability database"));
    }

    /// A parser that is not ours reads it, and counts as the attributes do.
    #[test]
    fn is_well_formed_whatever_packages_are_called() {
        let xml = render(&testing::hostile(), None);
        let controls = xml.chars().filter(|char| char.is_control() && *char != '\n').count();
        assert_eq!(controls, 0);
        assert!(!xml.contains("<img") && !xml.contains('\u{202e}') && !xml.contains('\u{fffe}'));
        let mut reader = Reader::from_str(&xml);
        reader.config_mut().check_end_names = true;
        let (mut cases, mut failures) = (0, 0);
        loop {
            match reader.read_event().unwrap() {
                Event::Start(element) => {
                    for attribute in element.attributes() {
                        let value = attribute.unwrap().normalized_value(XmlVersion::Implicit1_0);
                        assert!(!value.unwrap().contains('\u{1b}'));
                    }
                    cases += usize::from(element.name().as_ref() == "testcase");
                    failures += usize::from(element.name().as_ref() == "failure");
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert!(xml.contains(&format!("tests=\"{cases}\" failures=\"{failures}\"")));
    }
}
