//! Whether the image passes: the conditions of the gate, compared with what was found.
//! What is reported and what fails are two questions; this is the second.

use super::evaluation::*;
use super::severity::Severity;

impl Gate {
    /// Whether there is any condition.
    pub fn is_set(&self) -> bool {
        self.needs_database() || self.fail_on_secrets.is_some()
    }

    /// Whether there is any condition that needs a database.
    pub fn needs_database(&self) -> bool {
        self.fail_on.is_some()
            || self.fail_on_kev
            || self.epss_above.is_some()
            || self.on_uncovered == OnUncovered::Fail
            || (self.max_database_age_days.is_some() && self.on_old_database == OnOldDatabase::Fail)
    }

    /// Whether the image fails for what could not be looked at.
    fn fails_if_hidden(&self) -> bool {
        match self.on_uncovered {
            OnUncovered::Fail => true,
            OnUncovered::FailIfHidden => self.is_set() || self.policies,
            OnUncovered::Warn | OnUncovered::Ignore => false,
        }
    }

    pub(super) fn is_broken_by(&self, finding: &Finding) -> bool {
        !self.broken_by(finding).is_empty()
    }

    /// The rules that a finding breaks, in the order of the reasons.
    fn broken_by(&self, finding: &Finding) -> Vec<Rule> {
        let fixable = !finding.fixed_versions.is_empty();
        // Whoever has malware installed is not helped by waiting for a fix.
        let is_left_out = self.only_fixed && !fixable && !finding.is_malicious();
        if is_left_out || finding.new == Some(false) {
            return Vec::new();
        }
        let is_unrated = finding.severity.level == Severity::Unknown;
        let weighed = match self.unrated {
            Unrated::As(level) if is_unrated => level,
            _ => finding.severity.level,
        };
        let severity = self.fail_on.is_some_and(|from| weighed >= from);
        let unrated =
            self.fail_on.is_some() && is_unrated && self.unrated == Unrated::Fail && !severity;
        let kev = self.fail_on_kev && finding.kev.is_some();
        let epss = self
            .epss_above
            .is_some_and(|above| finding.epss.as_ref().is_some_and(|epss| epss.score > above));
        let rules = [
            (severity, Rule::Severity),
            (unrated, Rule::Unrated),
            (kev, Rule::Kev),
            (epss, Rule::Epss),
        ];
        rules.into_iter().filter(|(broken, _)| *broken).map(|(_, rule)| rule).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Severity,
    Unrated,
    Kev,
    Epss,
}

/// Marks the findings that fail, and says why.
pub(super) fn judge(
    gate: &Gate,
    findings: &mut [Finding],
    uncovered: &[Uncovered],
    database: Option<&Database>,
) -> Verdict {
    let hidden = hidden(gate, uncovered);
    if !gate.needs_database() {
        return failed_or(Outcome::NoGate, hidden.into_iter().collect());
    }
    let not_judged = |code: &str, message: &str| {
        let (code, message) = (code.to_owned(), message.to_owned());
        let reason = Reason { code, message, findings: Vec::new() };
        let reasons = vec![reason];
        Verdict { outcome: Outcome::NotJudged, reasons, not_counted: None }
    };
    let Some(database) = database else {
        return not_judged("no-database", "no vulnerability database");
    };
    if gate.fail_on_kev && !database.has_kev {
        return not_judged(
            "no-kev-data",
            "the database has no list of exploited vulnerabilities (CISA KEV)",
        );
    }
    if gate.epss_above.is_some() && !database.has_epss {
        return not_judged(
            "no-epss-data",
            "the database has no probabilities of exploitation (EPSS)",
        );
    }
    let broken: Vec<Vec<Rule>> = findings.iter().map(|finding| gate.broken_by(finding)).collect();
    let mut reasons = Vec::new();
    for rule in [Rule::Severity, Rule::Unrated, Rule::Kev, Rule::Epss] {
        let breaks = |(at, rules): (usize, &Vec<Rule>)| rules.contains(&rule).then_some(at);
        let positions: Vec<usize> = broken.iter().enumerate().filter_map(breaks).collect();
        if !positions.is_empty() {
            reasons.push(reason(gate, rule, positions));
        }
    }
    for (finding, rules) in findings.iter_mut().zip(&broken) {
        finding.fails = !rules.is_empty();
    }
    reasons.extend(hidden);
    if gate.on_uncovered == OnUncovered::Fail {
        let subjects = subjects(uncovered, UncoveredKind::WithoutData);
        reasons.extend(subjects.map(|subjects| Reason {
            code: "uncovered".to_owned(),
            message: format!("not everything could be evaluated: {subjects}"),
            findings: Vec::new(),
        }));
    }
    if gate.on_old_database == OnOldDatabase::Fail
        && let Some(message) = too_old(gate, database)
    {
        reasons.push(Reason { code: "database-age".to_owned(), message, findings: Vec::new() });
    }
    failed_or(Outcome::Pass, reasons)
}

fn failed_or(outcome: Outcome, reasons: Vec<Reason>) -> Verdict {
    let outcome = if reasons.is_empty() { outcome } else { Outcome::Fail };
    Verdict { outcome, reasons, not_counted: None }
}

/// The findings that the gate does not weigh, since nobody rated them.
pub(super) fn unrated<'a>(
    gate: &'a Gate,
    findings: &'a [Finding],
) -> impl Iterator<Item = &'a Finding> {
    let weighed = gate.fail_on.unwrap_or_default() == Severity::Unknown
        || matches!(gate.unrated, Unrated::Fail | Unrated::As(_));
    let counts = move |finding: &&Finding| {
        let left_out = gate.only_fixed && finding.fixed_versions.is_empty();
        finding.severity.level == Severity::Unknown && !left_out && finding.new != Some(false)
    };
    findings.iter().filter(move |_| !weighed).filter(counts)
}

/// What to say of them.
pub(super) fn unrated_warning(gate: &Gate, number: usize) -> Option<Warning> {
    (gate.unrated == Unrated::Warn && number > 0).then(|| Warning {
        code: "unrated".to_owned(),
        message: format!(
            "{number} findings have no severity yet, and the gate does not weigh them (use `--unrated`)"
        ),
    })
}

/// Policies are asked as well: they are a gate, too, for what could not be looked at.
pub fn with_policies(evaluation: &mut Evaluation) {
    evaluation.gate.policies = true;
    let Verdict { outcome, reasons, .. } = &mut evaluation.verdict;
    if reasons.iter().all(|reason| reason.code != HIDDEN)
        && let Some(reason) = hidden(&evaluation.gate, &evaluation.uncovered)
    {
        *outcome = Outcome::Fail;
        reasons.push(reason);
    }
}

/// The code of its reason.
const HIDDEN: &str = "hidden";

fn hidden(gate: &Gate, uncovered: &[Uncovered]) -> Option<Reason> {
    let subjects = subjects(uncovered, UncoveredKind::Hidden).filter(|_| gate.fails_if_hidden())?;
    Some(Reason {
        code: HIDDEN.to_owned(),
        message: format!("not everything could be looked at: {subjects}"),
        findings: Vec::new(),
    })
}

fn subjects(uncovered: &[Uncovered], kind: UncoveredKind) -> Option<String> {
    let of_kind = uncovered.iter().filter(|one| one.kind == kind);
    let subjects: Vec<&str> = of_kind.map(|one| one.subject.as_str()).collect();
    (!subjects.is_empty()).then(|| subjects.join(", "))
}

/// Marks the secrets that fail, and adds them to the verdict. They need no database.
pub(super) fn judge_secrets(
    gate: &Gate,
    secrets: &mut [SecretFinding],
    were_searched: bool,
    verdict: &mut Verdict,
) {
    let Some(from) = gate.fail_on_secrets else { return };
    if verdict.outcome == Outcome::NoGate {
        verdict.outcome = Outcome::Pass;
    }
    for secret in secrets.iter_mut() {
        secret.fails = secret.severity >= from && secret.new != Some(false);
    }
    let failing = secrets.iter().filter(|secret| secret.fails).count();
    let reason = |code: &str, message: String| Reason {
        code: code.to_owned(),
        message,
        findings: Vec::new(),
    };
    if failing > 0 {
        let number =
            if failing == 1 { "1 secret".to_owned() } else { format!("{failing} secrets") };
        let worse = if from == Severity::Critical { "" } else { " or worse" };
        let new =
            gate.baseline.as_ref().map(|baseline| format!(", not in the baseline {baseline}"));
        let new = new.unwrap_or_default();
        let message = format!("{number} of severity {}{worse}{new}", from.name());
        verdict.reasons.push(reason("secrets", message));
    }
    if !were_searched {
        let message = "nobody searched the image for secrets".to_owned();
        verdict.reasons.push(reason("secrets-not-searched", message));
    }
    if verdict.outcome == Outcome::Pass && !verdict.reasons.is_empty() {
        verdict.outcome = Outcome::Fail;
    }
}

/// What to say where the database is older than was asked for.
pub(super) fn too_old(gate: &Gate, database: &Database) -> Option<String> {
    let most = gate.max_database_age_days?;
    match database.age_days {
        Some(age) if age <= most => None,
        Some(age) => {
            Some(format!("the vulnerability database is {age} days old (maximum: {most})"))
        }
        None => Some("the age of the vulnerability database is unknown".to_owned()),
    }
}

fn reason(gate: &Gate, rule: Rule, findings: Vec<usize>) -> Reason {
    let number = match findings.len() {
        1 => "1 finding".to_owned(),
        number => format!("{number} findings"),
    };
    let (code, message) = match rule {
        Rule::Severity => {
            let from = gate.fail_on.unwrap_or(Severity::Unknown);
            let worse = if from == Severity::Critical { "" } else { " or worse" };
            ("severity", format!("{number} of severity {}{worse}", from.name()))
        }
        Rule::Unrated => ("unrated", format!("{number} without a severity")),
        Rule::Kev => ("kev", format!("{number} known to be exploited")),
        Rule::Epss => {
            let above = gate.epss_above.unwrap_or_default();
            ("epss", format!("{number} with an EPSS probability above {above}"))
        }
    };
    let mut message = message;
    if gate.only_fixed {
        message.push_str(", with a fix");
    }
    if let Some(baseline) = &gate.baseline {
        message.push_str(&format!(", not in the baseline {baseline}"));
    }
    Reason { code: code.to_owned(), message, findings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(level: Severity, fixed: bool, kev: bool, epss: f64) -> Finding {
        Finding {
            severity: Rating { level, ..Rating::default() },
            fixed_versions: if fixed { vec!["2".into()] } else { Vec::new() },
            kev: kev.then(Kev::default),
            epss: Some(Epss { score: epss, percentile: 0.5 }),
            ..Finding::default()
        }
    }

    #[track_caller]
    fn check(gate: Gate, expected: &[usize]) {
        let mut findings = [
            finding(Severity::Critical, false, false, 0.1),
            finding(Severity::High, true, false, 0.0),
            finding(Severity::Low, true, true, 0.9),
        ];
        findings[1].new = gate.baseline.as_ref().map(|_| false);
        let database = Database { has_kev: true, has_epss: true, ..Database::default() };
        let verdict = judge(&gate, &mut findings, &[], Some(&database));
        let failing: Vec<_> =
            findings.iter().enumerate().filter(|(_, one)| one.fails).map(|(at, _)| at).collect();
        assert_eq!(failing, expected);
        let outcome = if expected.is_empty() { Outcome::Pass } else { Outcome::Fail };
        assert_eq!(verdict.outcome, if gate.is_set() { outcome } else { Outcome::NoGate });
    }

    #[test]
    fn each_rule_stops_what_it_names() {
        let high = Some(Severity::High);
        check(Gate::default(), &[]);
        check(Gate { fail_on: high, ..Gate::default() }, &[0, 1]);
        check(Gate { fail_on: high, only_fixed: true, ..Gate::default() }, &[1]);
        check(Gate { fail_on: Some(Severity::Unknown), ..Gate::default() }, &[0, 1, 2]);
        check(Gate { fail_on_kev: true, ..Gate::default() }, &[2]);
        check(Gate { epss_above: Some(0.1), ..Gate::default() }, &[2]);
        check(Gate { only_fixed: true, ..Gate::default() }, &[]);
        check(Gate { fail_on: high, baseline: Some("b".into()), ..Gate::default() }, &[0]);
    }

    #[track_caller]
    fn check_secrets(gate: Gate, were_searched: bool, expected: Outcome, codes: &[&str]) {
        let mut secrets = [Severity::Critical, Severity::Low].map(|severity| SecretFinding {
            severity,
            new: gate.baseline.as_ref().map(|_| severity == Severity::Low),
            ..SecretFinding::default()
        });
        let mut verdict = judge(&gate, &mut [], &[], None);
        judge_secrets(&gate, &mut secrets, were_searched, &mut verdict);
        assert_eq!(verdict.outcome, expected);
        let reasons: Vec<_> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
        assert_eq!(reasons, codes);
    }

    #[test]
    fn secrets_fail_by_their_severity_and_without_a_database() {
        let from = |severity| Gate { fail_on_secrets: Some(severity), ..Gate::default() };
        let baseline = Some("b".to_owned());
        check_secrets(Gate::default(), true, Outcome::NoGate, &[]);
        check_secrets(from(Severity::High), true, Outcome::Fail, &["secrets"]);
        let known = Gate { baseline: baseline.clone(), ..from(Severity::High) };
        check_secrets(known, true, Outcome::Pass, &[]);
        check_secrets(Gate { baseline, ..from(Severity::Low) }, true, Outcome::Fail, &["secrets"]);
        let codes = &["secrets", "secrets-not-searched"];
        check_secrets(from(Severity::Critical), false, Outcome::Fail, codes);
        let both = Gate { fail_on: Some(Severity::High), ..from(Severity::Critical) };
        check_secrets(both, true, Outcome::NotJudged, &["no-database", "secrets"]);
    }

    #[test]
    fn what_nobody_rated_is_weighed_as_asked() {
        let low = Some(Severity::Low);
        let outcome = |gate: &Gate, severity: Severity| {
            let mut findings = [finding(severity, false, false, 0.0)];
            let verdict = judge(gate, &mut findings, &[], Some(&Database::default()));
            (verdict.outcome, unrated(gate, &findings).count())
        };
        let gate = |unrated| Gate { fail_on: low, unrated, ..Gate::default() };
        let unknown = Severity::Unknown;
        assert_eq!(outcome(&gate(Unrated::Pass), unknown), (Outcome::Pass, 1));
        assert_eq!(outcome(&gate(Unrated::Warn), unknown), (Outcome::Pass, 1));
        assert_eq!(outcome(&gate(Unrated::Warn), Severity::Negligible), (Outcome::Pass, 0));
        assert_eq!(outcome(&gate(Unrated::Fail), unknown), (Outcome::Fail, 0));
        assert_eq!(outcome(&gate(Unrated::As(Severity::Medium)), unknown), (Outcome::Fail, 0));
        assert_eq!(outcome(&gate(Unrated::As(Severity::Negligible)), unknown), (Outcome::Pass, 0));
        let only_fixed = Gate { only_fixed: true, ..gate(Unrated::Warn) };
        assert_eq!(outcome(&only_fixed, unknown), (Outcome::Pass, 0));
        assert!(unrated_warning(&gate(Unrated::Warn), 1).is_some());
        assert!(unrated_warning(&gate(Unrated::Pass), 1).is_none());
    }

    #[test]
    fn a_gate_without_its_data_says_nothing() {
        let kev = Gate { fail_on_kev: true, ..Gate::default() };
        let epss = Gate { epss_above: Some(0.1), ..Gate::default() };
        for (gate, code) in [(kev, "no-kev-data"), (epss, "no-epss-data")] {
            let verdict = judge(&gate, &mut [], &[], Some(&Database::default()));
            assert_eq!((verdict.outcome, &*verdict.reasons[0].code), (Outcome::NotJudged, code));
        }
    }

    #[test]
    fn what_cannot_be_judged_is_no_pass() {
        let gate = Gate { fail_on: Some(Severity::High), ..Gate::default() };
        assert_eq!(judge(&gate, &mut [], &[], None).outcome, Outcome::NotJudged);
        assert_eq!(judge(&Gate::default(), &mut [], &[], None).outcome, Outcome::NoGate);

        let strict = Gate { on_uncovered: OnUncovered::Fail, ..Gate::default() };
        let uncovered = [Uncovered { subject: "debian 14".into(), ..Uncovered::default() }];
        let database = Some(Database { age_days: Some(9), ..Database::default() });
        let verdict = judge(&strict, &mut [], &uncovered, database.as_ref());
        assert_eq!(verdict.outcome, Outcome::Fail);
        assert_eq!(verdict.reasons[0].message, "not everything could be evaluated: debian 14");

        let hidden = Uncovered {
            subject: "1 cut".into(),
            kind: UncoveredKind::Hidden,
            ..Uncovered::default()
        };
        let outcome = |on_uncovered, gate: &Gate, uncovered: &Uncovered| {
            let gate = Gate { on_uncovered, ..gate.clone() };
            judge(&gate, &mut [], std::slice::from_ref(uncovered), database.as_ref()).outcome
        };
        let policies = Gate { policies: true, ..Gate::default() };
        assert_eq!(outcome(OnUncovered::FailIfHidden, &gate, &hidden), Outcome::Fail);
        assert_eq!(outcome(OnUncovered::FailIfHidden, &gate, &uncovered[0]), Outcome::Pass);
        assert_eq!(outcome(OnUncovered::FailIfHidden, &policies, &hidden), Outcome::Fail);
        assert_eq!(outcome(OnUncovered::FailIfHidden, &policies, &uncovered[0]), Outcome::NoGate);
        assert_eq!(outcome(OnUncovered::FailIfHidden, &Gate::default(), &hidden), Outcome::NoGate);
        assert_eq!(outcome(OnUncovered::Warn, &gate, &hidden), Outcome::Pass);
        assert_eq!(outcome(OnUncovered::Ignore, &policies, &hidden), Outcome::NoGate);
        assert_eq!(outcome(OnUncovered::Fail, &Gate::default(), &hidden), Outcome::Fail);

        let mut fresh = Gate { max_database_age_days: Some(8), ..Gate::default() };
        assert_eq!(judge(&fresh, &mut [], &[], database.as_ref()).outcome, Outcome::Fail);
        fresh.max_database_age_days = Some(9);
        assert_eq!(judge(&fresh, &mut [], &[], database.as_ref()).outcome, Outcome::Pass);
        fresh.max_database_age_days = Some(1);
        fresh.on_old_database = OnOldDatabase::Warn;
        assert_eq!(judge(&fresh, &mut [], &[], database.as_ref()).outcome, Outcome::NoGate);
    }
}
