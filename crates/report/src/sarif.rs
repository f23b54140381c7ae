//! SARIF 2.1.0, as GitHub code scanning reads it: one rule for each
//! vulnerability, one result for each package that has it.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>,
//! <https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::content_id::fingerprint;
use super::markdown::{code, plain};
use super::sbom::repository_and_tag;
use super::text::printable;
use super::{address, json, wording};
use inscan_evaluate::{
    Evaluation, Finding, Outcome, Rating, SecretFinding, Severity, Suppression, Uncovered,
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// GitHub refuses a file with more. Findings come by risk, so the worst are kept.
const MAX_RESULTS: usize = 25_000;

/// GitHub cuts longer descriptions.
const MAX_DESCRIPTION: usize = 1000;

/// `with_suppressed`: for readers that honour suppressions. GitHub does not: there, what is
/// suppressed would be an open alert (<https://github.com/github/codeql-action/issues/1230>).
pub(super) fn render(evaluation: &Evaluation, with_suppressed: bool) -> String {
    let open = evaluation.findings.iter().map(|finding| (finding, None));
    let suppressed = evaluation.suppressed.iter().map(|it| (&it.finding, Some(&it.by)));
    let suppressed = suppressed.filter(|_| with_suppressed);
    let all: Vec<_> = open.chain(suppressed).collect();
    let shown = &all[..all.len().min(MAX_RESULTS)];

    let mut by_id: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for (finding, _) in shown {
        by_id.entry(&finding.id).or_default().push(finding);
    }
    let positions: BTreeMap<&str, usize> = by_id.keys().copied().zip(0..).collect();
    let rules = by_id.values().map(|findings| rule(findings, evaluation));
    let mut seen = BTreeMap::new();
    let results = shown.iter().map(|(finding, by)| {
        result(finding, *by, positions[finding.id.as_str()], &mut seen, evaluation)
    });
    let secrets = Secrets::of(evaluation, with_suppressed, MAX_RESULTS - shown.len());
    let (secret_rules, secret_results) = (secrets.rules(), secrets.results(positions.len()));
    let left_out = all.len() - shown.len() + secrets.left_out;
    let image = &evaluation.image;
    let repository = printable(repository_and_tag(wording::image(evaluation)).0);
    json::text(json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": evaluation.tool.name,
                "version": evaluation.tool.version,
                "semanticVersion": evaluation.tool.version,
                "rules": rules.chain(secret_rules).collect::<Vec<_>>(),
            }},
            // Up to the last slash it is the category: uploads for other images leave the alerts
            // of this one alone, and those of its next build take their place.
            "automationDetails": {"id": format!("{}/{}/", evaluation.tool.name, repository)},
            "invocations": [{
                "executionSuccessful": evaluation.verdict.outcome != Outcome::NotJudged,
                "toolExecutionNotifications": notifications(evaluation, left_out),
            }],
            "originalUriBaseIds": {"IMAGE": {
                "uri": "file:///",
                "description": {"text": "The root of the image's file system."},
            }},
            "columnKind": "utf16CodeUnits",
            "results": results.chain(secret_results).collect::<Vec<_>>(),
            "properties": {
                "image": image.reference,
                "imageDigest": image.digest,
                "imageId": image.id,
                "verdict": evaluation.verdict.outcome,
                "reasons": evaluation.verdict.reasons.iter().map(|it| &it.message).collect::<Vec<_>>(),
                "notCounted": evaluation.verdict.not_counted,
                "date": evaluation.date,
                "database": evaluation.database,
                "suppressed": evaluation.suppressed.len(),
                "uncoveredPackages": evaluation.counts.uncovered_packages,
            },
        }],
    }))
}

/// The secrets that there is room for, each with its exception.
struct Secrets<'a> {
    shown: Vec<(&'a SecretFinding, Option<&'a Suppression>)>,
    /// Their rules, each with the worst secret that it found.
    by_rule: BTreeMap<&'a str, &'a SecretFinding>,
    left_out: usize,
}

impl<'a> Secrets<'a> {
    fn of(evaluation: &'a Evaluation, with_suppressed: bool, room: usize) -> Self {
        let open = evaluation.secrets.iter().map(|secret| (secret, None));
        let excepted = evaluation.suppressed_secrets.iter().filter(|_| with_suppressed);
        let excepted = excepted.map(|it| (&it.secret, Some(&it.by)));
        let mut shown: Vec<_> = open.chain(excepted).collect();
        let left_out = shown.len().saturating_sub(room);
        shown.truncate(room);
        let mut by_rule: BTreeMap<&str, &SecretFinding> = BTreeMap::new();
        for (secret, _) in &shown {
            let worst = by_rule.entry(&secret.rule).or_insert(secret);
            if secret.severity > worst.severity {
                *worst = secret;
            }
        }
        Secrets { shown, by_rule, left_out }
    }

    fn rules(&self) -> Vec<Value> {
        let rule = |(id, worst): (&&str, &&SecretFinding)| {
            let about = wording::about_secret(worst);
            let rating = Rating { level: worst.severity, ..Rating::default() };
            json!({
                "id": id,
                "name": "Secret",
                "shortDescription": {"text": about},
                "fullDescription": {"text": format!("{about} lies in the image.")},
                "help": {"text": wording::SECRET_ADVICE, "markdown": plain(wording::SECRET_ADVICE)},
                "defaultConfiguration": {"level": level(worst.severity)},
                "properties": {
                    "tags": ["secret", "security", worst.severity.name()],
                    "precision": "high",
                    "security-severity": score(&rating).map(|score| format!("{score:.1}")),
                },
            })
        };
        self.by_rule.iter().map(rule).collect()
    }

    /// `first`: how many rules stand before those of secrets.
    fn results(&self, first: usize) -> Vec<Value> {
        let positions: BTreeMap<&str, usize> = self.by_rule.keys().copied().zip(first..).collect();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let result = |(secret, by): &(&SecretFinding, Option<&Suppression>)| {
            let path = secret.path.as_deref().unwrap_or_default();
            let fingerprint = fingerprint(&["secret", &secret.rule, path, &secret.fingerprint]);
            let number = seen.entry(fingerprint.clone()).or_default();
            *number += 1;
            let fingerprint = format!("{fingerprint}:{number}");
            secret_result(secret, *by, positions[secret.rule.as_str()], &fingerprint)
        };
        self.shown.iter().map(result).collect()
    }
}

fn secret_result(
    secret: &SecretFinding,
    by: Option<&Suppression>,
    rule: usize,
    fingerprint: &str,
) -> Value {
    let about = wording::about_secret(secret);
    let mut text = format!("{about} in {}", wording::place_of_secret(secret));
    let remarks = wording::remarks_on_secret(secret);
    if !remarks.is_empty() {
        let _ = write!(text, ", {remarks}");
    }
    let _ = write!(text, ". {}", wording::SECRET_ADVICE);
    let layer = secret.layer.as_ref().map(|layer| {
        json!([{
            "name": format!("layer {}", layer.index + 1),
            "fullyQualifiedName": layer.diff_id,
            "decoratedName": printable(&layer.created_by),
            "kind": "layer",
        }])
    });
    let line = secret.line.max(1);
    json!({
        "ruleId": secret.rule,
        "ruleIndex": rule,
        "level": level(secret.severity),
        "message": {"text": text.replace('[', "\\[").replace(']', "\\]")},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {
                    "uri": uri(secret.path.as_deref().unwrap_or_default()),
                    "uriBaseId": "IMAGE",
                },
                "region": {"startLine": line, "startColumn": secret.column.max(1)},
            },
            "logicalLocations": layer,
        }],
        "partialFingerprints": {
            "primaryLocationLineHash": fingerprint,
            "inscanFinding/v1": fingerprint,
        },
        "baselineState": secret.new.map(|new| if new { "new" } else { "unchanged" }),
        "suppressions": by.map(suppression),
        "properties": {
            "severity": secret.severity,
            "excerpt": printable(&secret.excerpt),
            "fingerprint": secret.fingerprint,
            "visible": secret.visible,
            "origin": secret.origin.as_deref().map(printable),
            "layer": secret.layer,
            "failsGate": secret.fails,
        },
    })
}

fn suppression(by: &Suppression) -> Value {
    json!([{
        "kind": "external",
        "status": "accepted",
        "justification": printable(&by.reason),
        "properties": {"code": by.code, "note": by.note, "expires": by.expires},
    }])
}

fn rule(findings: &[&Finding], evaluation: &Evaluation) -> Value {
    let worst = findings.iter().max_by(|a, b| {
        let key = |finding: &Finding| (finding.severity.level, score(&finding.severity));
        key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    let Some(worst) = worst else { return Value::Null };
    let description = match worst.summary.is_empty() {
        true => format!("{} in {}", worst.id, worst.package.name),
        false => worst.summary.clone(),
    };
    let description = wording::shortened(&printable(&description), MAX_DESCRIPTION);
    let mut tags = vec!["vulnerability", "security", worst.severity.level.name()];
    tags.extend(findings.iter().any(|finding| finding.kev.is_some()).then_some("exploited"));
    let cwes: Vec<_> = worst.cwes.iter().map(|cwe| cwe.to_lowercase()).collect();
    // GitHub takes 20 tags at most.
    let cwes = cwes.iter().take(10).map(|cwe| format!("external/cwe/{cwe}"));
    let tags: Vec<_> = tags.into_iter().map(str::to_owned).chain(cwes).collect();
    json!({
        "id": worst.id,
        "name": "VulnerablePackage",
        "shortDescription": {"text": format!("{} ({})", worst.id, worst.package.name)},
        "fullDescription": {"text": description},
        "help": {
            "text": help_text(worst, findings),
            "markdown": help_markdown(worst, findings, evaluation),
        },
        "helpUri": wording::page(worst),
        "defaultConfiguration": {"level": level(worst.severity.level)},
        "properties": {
            "tags": tags,
            "precision": "very-high",
            "security-severity": score(&worst.severity).map(|score| format!("{score:.1}")),
        },
    })
}

fn help_text(worst: &Finding, findings: &[&Finding]) -> String {
    let mut text = printable(&worst.summary);
    for finding in findings {
        let _ = write!(text, "\n{}: {}", wording::package(finding), wording::advice(finding));
    }
    text.trim_start().to_owned()
}

fn help_markdown(worst: &Finding, findings: &[&Finding], evaluation: &Evaluation) -> String {
    let mut text = plain(&worst.summary);
    let rating = &worst.severity;
    let _ = write!(text, "\n\n**Severity**: {}", rating.level.name());
    if let Some(score) = rating.score {
        let _ = write!(text, ", {score:.1}");
    }
    if !rating.source.is_empty() {
        let _ = write!(text, " by {}", plain(&rating.source));
    }
    if let Some(epss) = &worst.epss {
        let _ = write!(text, "  \n**Probability of exploitation**: {:.1} %", epss.score * 100.0);
    }
    if worst.kev.is_some() {
        text.push_str("  \n**Exploited**: in CISA's catalogue of known exploited vulnerabilities");
    }
    let aliases: Vec<_> = worst.aliases.iter().filter(|id| **id != worst.id).collect();
    if !aliases.is_empty() {
        let aliases: Vec<_> = aliases.iter().map(|id| code(id)).collect();
        let _ = write!(text, "  \n**Also known as**: {}", aliases.join(", "));
    }
    text.push_str("\n\n| Package | Installed | Fixed in | Brought by |\n|---|---|---|---|\n");
    for finding in findings {
        let fixed = finding.upgrade.clone().into_iter();
        let fixed: Vec<_> = match finding.upgrade {
            Some(_) => fixed.collect(),
            None => finding.fixed_versions.clone(),
        };
        let layer = finding.layer.as_ref().map(|layer| wording::layer(layer, evaluation));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            code(&finding.package.name),
            code(&finding.package.version),
            if fixed.is_empty() { "—".to_owned() } else { code(&fixed.join(", ")) },
            plain(&layer.unwrap_or_default()),
        );
    }
    let references = worst.references.iter().map(|reference| reference.url.as_str());
    let pages: Vec<_> = wording::page(worst).into_iter().chain(references).collect();
    let mut listed: Vec<&str> = Vec::new();
    for page in pages.into_iter().filter(|page| address::is_web(page)) {
        if !listed.contains(&page) && listed.len() < 20 {
            listed.push(page);
        }
    }
    for page in listed {
        let _ = write!(text, "\n- <{page}>");
    }
    text
}

/// A number that GitHub shows as our severity: the score where it is within the bounds of the
/// severity, else the nearest that is, as a distribution may rate lower than the vector says.
fn score(rating: &Rating) -> Option<f64> {
    let (low, high, without) = match rating.level {
        Severity::Critical => (9.0, 10.0, 9.5),
        Severity::High => (7.0, 8.9, 8.0),
        Severity::Medium => (4.0, 6.9, 5.5),
        Severity::Low => (0.1, 3.9, 2.0),
        Severity::Negligible => (0.1, 0.1, 0.1),
        Severity::Unknown => return rating.score.filter(|score| score.is_finite()),
    };
    Some(rating.score.filter(|score| score.is_finite()).unwrap_or(without).clamp(low, high))
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        // Nobody rated it: to be looked at.
        Severity::Medium | Severity::Unknown => "warning",
        Severity::Low | Severity::Negligible => "note",
    }
}

fn result<'a>(
    finding: &'a Finding,
    by: Option<&Suppression>,
    rule: usize,
    seen: &mut BTreeMap<String, usize>,
    evaluation: &'a Evaluation,
) -> Value {
    let package = &finding.package;
    // The version is not part of it: what an upgrade does not fix is the same alert.
    let arch = package.arch.as_deref().unwrap_or_default();
    let parts = [&finding.id, &package.kind, &package.name, arch, &package.location];
    let fingerprint = fingerprint(&parts);
    let number = seen.entry(fingerprint.clone()).or_default();
    *number += 1;
    let fingerprint = format!("{fingerprint}:{number}");

    let mut logical = vec![json!({
        "name": package.name,
        "fullyQualifiedName": package.purl,
        "kind": "package",
    })];
    if let Some(layer) = &finding.layer {
        logical.push(json!({
            "name": format!("layer {}", layer.index + 1),
            "fullyQualifiedName": layer.diff_id,
            "decoratedName": printable(&layer.created_by),
            "kind": "layer",
        }));
    }
    json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": level(finding.severity.level),
        "message": {"text": message(finding, evaluation)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&package.location), "uriBaseId": "IMAGE"},
                // GitHub shows no result without a line; a package has none.
                "region": {"startLine": 1},
            },
            "logicalLocations": logical,
        }],
        // GitHub looks at the first alone.
        "partialFingerprints": {
            "primaryLocationLineHash": fingerprint,
            "inscanFinding/v1": fingerprint,
        },
        "baselineState": finding.new.map(|new| if new { "new" } else { "unchanged" }),
        "suppressions": by.map(suppression),
        "rank": finding.epss.as_ref().map(|epss| (epss.score * 100.0).clamp(0.0, 100.0)),
        "properties": {
            "package": package.name,
            "type": package.kind,
            "version": package.version,
            "purl": package.purl,
            "severity": finding.severity,
            "status": finding.status,
            "fixedVersions": finding.fixed_versions,
            "upgrade": finding.upgrade,
            "aliases": finding.aliases,
            "exploited": finding.kev.is_some(),
            "epss": finding.epss,
            "layer": finding.layer,
            "failsGate": finding.fails,
        },
    })
}

/// In a message, square brackets make a link unless a backslash is before them (section 3.11.6).
fn message(finding: &Finding, evaluation: &Evaluation) -> String {
    let mut text = format!(
        "{} has {} ({})",
        wording::package(finding),
        finding.id,
        finding.severity.level.name()
    );
    if !finding.summary.is_empty() {
        let summary = printable(&finding.summary);
        let _ = write!(text, ": {}", wording::shortened(&summary, 300).trim_end_matches('.'));
    }
    let _ = write!(text, ". {}", wording::advice(finding));
    if let Some(layer) = &finding.layer {
        let _ = write!(text, " Brought by {}.", wording::layer(layer, evaluation));
    }
    text.replace('[', "\\[").replace(']', "\\]")
}

/// A path as a relative reference: <https://www.rfc-editor.org/rfc/rfc3986#section-4.2>.
fn uri(path: &str) -> String {
    let path = if path.is_empty() { "." } else { path };
    let mut uri = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'.'
            | b'-'
            | b'_'
            | b'~'
            | b'+'
            | b'@' => {
                uri.push(byte as char);
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

/// What was not evaluated, and what else the user should know.
fn notifications(evaluation: &Evaluation, left_out: usize) -> Vec<Value> {
    let note = |code: &str, level: &str, message: &str| {
        let text = printable(message).replace('[', "\\[").replace(']', "\\]");
        json!({"descriptor": {"id": code}, "level": level, "message": {"text": text}})
    };
    let mut notes = Vec::new();
    for Uncovered { code, message, packages, .. } in &evaluation.uncovered {
        let code = serde_json::to_value(code).unwrap_or_default();
        let packages = super::text::counted(packages.len(), "package", "packages");
        let message = format!("not evaluated: {message} ({packages})");
        notes.push(note(code.as_str().unwrap_or_default(), "warning", &message));
    }
    for warning in &evaluation.warnings {
        notes.push(note(&warning.code, "warning", &warning.message));
    }
    if evaluation.verdict.outcome == Outcome::NotJudged {
        notes.push(note("not-judged", "error", &wording::verdict(evaluation)));
    }
    if left_out > 0 {
        let message = format!(
            "{left_out} findings of least risk are left out: code scanning takes {MAX_RESULTS}"
        );
        notes.push(note("left-out", "warning", &message));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation, holds_against};

    fn parsed(evaluation: &Evaluation, with_suppressed: bool) -> Value {
        let value = serde_json::from_str(&render(evaluation, with_suppressed)).unwrap();
        holds_against("sarif-2.1.0.json", &value);
        value
    }

    #[test]
    fn holds_against_the_published_schema() {
        parsed(&evaluation(), true);
        parsed(&testing::without_database(), true);
        parsed(&testing::hostile(), true);
        parsed(&Evaluation::default(), true);
    }

    #[test]
    fn a_finding_is_a_result_of_its_rule_in_its_file_and_layer() {
        let value = parsed(&evaluation(), false);
        let run = &value["runs"][0];
        let result = &run["results"][0];
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(
            (&rule["id"], &result["ruleId"]),
            (&json!("CVE-2022-28346"), &json!("CVE-2022-28346"))
        );
        assert_eq!(rule["properties"]["security-severity"], "9.8");
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .unwrap()
                .contains("| `django` | `3.2.0` | `3.2.13` |")
        );
        let place = &result["locations"][0];
        let file = "usr/lib/python3/dist-packages/Django-3.2.0.dist-info/METADATA";
        assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], file);
        assert_eq!(place["logicalLocations"][1]["fullyQualifiedName"], testing::DIFF_IDS[1]);
        assert_eq!(
            result["message"]["text"],
            "django 3.2.0 has CVE-2022-28346 (critical): SQL injection in QuerySet.annotate(). \
             Upgrade django to 3.2.13. Brought by layer 2 of 2 (RUN pip install django==3.2.0)."
        );
        assert_eq!(run["automationDetails"]["id"], "inscan/registry.example/app/web/");
    }

    #[test]
    fn what_is_suppressed_is_there_only_where_asked_for() {
        let count =
            |with| parsed(&evaluation(), with)["runs"][0]["results"].as_array().unwrap().len();
        assert_eq!((count(false), count(true)), (3, 4));
        let value = parsed(&evaluation(), true);
        let suppression = &value["runs"][0]["results"][3]["suppressions"][0];
        assert_eq!(suppression["justification"], "accepted in exceptions.yaml");
    }

    #[test]
    fn fingerprints_outlive_an_upgrade_that_mends_nothing() {
        let hash = |evaluation: &Evaluation| {
            let value = parsed(evaluation, false);
            value["runs"][0]["results"][0]["partialFingerprints"]["primaryLocationLineHash"].clone()
        };
        let mut later = evaluation();
        later.findings[0].package.version = "3.2.1".into();
        later.date = "2027-01-01".into();
        assert_eq!(hash(&evaluation()), hash(&later));
        // Two versions in one lock file are two alerts.
        let mut twice = evaluation();
        twice.findings.push(twice.findings[0].clone());
        let value = parsed(&twice, false);
        let hashes: std::collections::BTreeSet<_> = value["runs"][0]["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["partialFingerprints"]["primaryLocationLineHash"].to_string())
            .collect();
        assert_eq!(hashes.len(), 4);
    }

    #[test]
    fn the_number_for_github_is_within_the_severity() {
        let rating = |level, number| Rating { level, score: number, ..Rating::default() };
        assert_eq!(score(&rating(Severity::Low, Some(9.8))), Some(3.9));
        assert_eq!(score(&rating(Severity::High, Some(7.5))), Some(7.5));
        assert_eq!(score(&rating(Severity::Medium, None)), Some(5.5));
        assert_eq!(score(&rating(Severity::Unknown, None)), None);
        assert_eq!(score(&rating(Severity::High, Some(f64::NAN))), Some(8.0));
    }

    #[test]
    fn what_could_not_be_judged_is_said() {
        let value = parsed(&evaluation(), false);
        let notes = &value["runs"][0]["invocations"][0]["toolExecutionNotifications"];
        assert_eq!(
            notes[0]["message"]["text"],
            "not evaluated: the database has nothing about conda (1 package)"
        );
        let value = parsed(&testing::without_database(), false);
        assert_eq!(value["runs"][0]["invocations"][0]["executionSuccessful"], false);
    }

    #[test]
    fn hostile_names_make_no_links_and_steer_nothing() {
        let text = render(&testing::hostile(), true);
        let value: Value = serde_json::from_str(&text).unwrap();
        let message = value["runs"][0]["results"][0]["message"]["text"].as_str().unwrap();
        assert!(!message.contains('\u{202e}') && message.contains("\\[click\\]"), "{message}");
        let uri = &value["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
            ["uri"];
        assert_eq!(uri, "a%20b%3Fc%23d/%3C/script%3E.json");
    }
}
