//! GitLab's container scanning report, version 15.0.4 of its form: what the job
//! gives as `artifacts:reports:container_scanning`.
//!
//! <https://docs.gitlab.com/user/application_security/container_scanning/>,
//! <https://gitlab.com/gitlab-org/security-products/security-report-schemas>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::content_id::uuid;
use super::json::some;
use super::text::printable;
use super::{address, json, wording};
use inscan_evaluate::{Evaluation, Finding, Outcome, SecretFinding, Severity};

const VERSION: &str = "15.0.4";
const SCHEMA: &str = "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v15.0.4/dist/container-scanning-report-format.json";

/// Characters that the form has room for.
const MAX_NAME: usize = 255;
const MAX_SOLUTION: usize = 7000;

/// What is suppressed is left out: GitLab would show it as open.
pub(super) fn render(evaluation: &Evaluation) -> String {
    // The form has no time but of this kind, and in UTC.
    let time = format!("{}T00:00:00", evaluation.date);
    let tool = json!({
        "id": evaluation.tool.name,
        "name": evaluation.tool.name,
        "version": evaluation.tool.version,
        "vendor": {"name": evaluation.tool.name},
    });
    let mut seen = BTreeMap::new();
    let vulnerabilities =
        evaluation.findings.iter().map(|it| vulnerability(it, &mut seen, evaluation));
    let mut same = BTreeMap::new();
    let secrets = evaluation.secrets.iter().map(|it| secret(it, &mut same, evaluation));
    json::text(json!({
        "version": VERSION,
        "schema": SCHEMA,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "container_scanning",
            "start_time": time,
            "end_time": time,
            "status": if evaluation.database.is_some() { "success" } else { "failure" },
            "messages": some(messages(evaluation)),
        },
        "vulnerabilities": vulnerabilities.chain(secrets).collect::<Vec<_>>(),
    }))
}

fn vulnerability(
    finding: &Finding,
    seen: &mut BTreeMap<String, usize>,
    evaluation: &Evaluation,
) -> Value {
    let package = &finding.package;
    let same = format!("{}\0{}\0{}", finding.id, package.purl, package.location);
    let number = seen.entry(same).or_default();
    *number += 1;
    let id = uuid(&[&finding.id, &package.purl, &package.location, &number.to_string()]);
    let links = wording::page(finding).into_iter();
    let links = links.chain(finding.references.iter().map(|reference| reference.url.as_str()));
    let mut addresses: Vec<&str> = Vec::new();
    for url in links.filter(|url| address::is_web(url)) {
        if !addresses.contains(&url) {
            addresses.push(url);
        }
    }
    let identifiers = [&finding.id].into_iter();
    let identifiers = identifiers.chain(finding.aliases.iter().filter(|id| **id != finding.id));
    let cwes = finding.cwes.iter().filter_map(|cwe| cwe.strip_prefix("CWE-")?.parse::<u32>().ok());
    let cwes = cwes.map(|number| {
        json!({
            "type": "cwe",
            "name": format!("CWE-{number}"),
            "value": number.to_string(),
            "url": format!("https://cwe.mitre.org/data/definitions/{number}.html"),
        })
    });
    let title = match finding.summary.is_empty() {
        true => finding.id.clone(),
        false => format!("{}: {}", finding.id, printable(&finding.summary)),
    };
    json!({
        "id": id,
        "name": wording::shortened(&title, MAX_NAME),
        "description": description(finding, evaluation),
        "severity": severity(finding.severity.level),
        "solution": wording::shortened(&wording::advice(finding), MAX_SOLUTION),
        "identifiers": identifiers.map(|id| identifier(id)).chain(cwes).collect::<Vec<_>>(),
        "links": some(addresses.into_iter().map(|url| json!({"url": url})).collect()),
        "details": details(finding, evaluation),
        "location": {
            "dependency": {
                "package": {"name": printable(&package.name)},
                "version": printable(&package.version),
            },
            "operating_system": operating_system(evaluation),
            "image": image(evaluation),
        },
    })
}

/// The form knows packages alone: the file stands in the place of one.
fn secret(
    secret: &SecretFinding,
    seen: &mut BTreeMap<String, usize>,
    evaluation: &Evaluation,
) -> Value {
    let place = wording::place_of_secret(secret);
    let path = secret.path.as_deref().unwrap_or_default();
    let same = format!("{}\0{path}\0{}", secret.rule, secret.fingerprint);
    let number = seen.entry(same).or_default();
    *number += 1;
    let parts = ["secret", &secret.rule, path, &secret.fingerprint, &number.to_string()];
    let title = format!("{} in {place}", wording::about_secret(secret));
    let remarks = wording::remarks_on_secret(secret);
    let description = match remarks.is_empty() {
        true => format!("{title}."),
        false => format!("{title}, {remarks}."),
    };
    let name = printable(&secret.rule);
    let rule = json!({"type": "inscan_secret", "name": name, "value": name});
    json!({
        "id": uuid(&parts),
        "name": wording::shortened(&title, MAX_NAME),
        "description": description,
        "severity": severity(secret.severity),
        "solution": wording::SECRET_ADVICE,
        "identifiers": [rule],
        "details": {"file": {"type": "text", "name": "File", "value": place}},
        "location": {
            "dependency": {"package": {"name": place}, "version": ""},
            "operating_system": operating_system(evaluation),
            "image": image(evaluation),
        },
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
        Severity::Negligible => "Info",
        Severity::Unknown => "Unknown",
    }
}

fn identifier(id: &str) -> Value {
    let id = printable(id);
    let kind = id.split('-').next().unwrap_or_default().to_lowercase();
    let (kind, page) = match kind.as_str() {
        "cve" => ("cve", "https://nvd.nist.gov/vuln/detail/"),
        "ghsa" => ("ghsa", "https://github.com/advisories/"),
        _ => ("osv", "https://osv.dev/vulnerability/"),
    };
    let url = format!("{page}{id}");
    let url = Some(url).filter(|url| address::is_web(url));
    json!({"type": kind, "name": id, "value": id, "url": url})
}

fn description(finding: &Finding, evaluation: &Evaluation) -> String {
    let mut parts = vec![printable(&finding.summary)];
    parts.push(format!("Found in /{}.", printable(&finding.package.location)));
    if let Some(layer) = &finding.layer {
        parts.push(format!("Brought by {}.", wording::layer(layer, evaluation)));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn details(finding: &Finding, evaluation: &Evaluation) -> Value {
    let mut items = serde_json::Map::new();
    let mut text = |key: &str, name: &str, value: String| {
        if !value.is_empty() {
            items.insert(key.to_owned(), json!({"type": "text", "name": name, "value": value}));
        }
    };
    text("file", "File", printable(&format!("/{}", finding.package.location)));
    let layer = finding.layer.as_ref().map(|layer| wording::layer(layer, evaluation));
    text("layer", "Layer", layer.unwrap_or_default());
    text("fixed", "Fixed in", printable(&finding.fixed_versions.join(", ")));
    let exploited = finding.kev.as_ref().map(|_| "yes, says CISA".to_owned());
    text("exploited", "Exploited", exploited.unwrap_or_default());
    let epss = finding.epss.as_ref().map(|epss| format!("{:.1} %", epss.score * 100.0));
    text("epss", "Probability of exploitation", epss.unwrap_or_default());
    Value::Object(items)
}

/// `debian:12`, as GitLab's own scanner names it.
fn operating_system(evaluation: &Evaluation) -> String {
    match &evaluation.image.distribution {
        Some(distribution) if !distribution.id.is_empty() => {
            printable(&format!("{}:{}", distribution.id, distribution.version))
        }
        _ => "unknown".to_owned(),
    }
}

fn image(evaluation: &Evaluation) -> String {
    match wording::image(evaluation) {
        "" => "unknown".to_owned(),
        image => printable(image),
    }
}

fn messages(evaluation: &Evaluation) -> Vec<Value> {
    let message = |level: &str, text: &str| json!({"level": level, "value": printable(text)});
    let mut messages = Vec::new();
    let is_without = evaluation.database.is_none() && evaluation.verdict.outcome == Outcome::NoGate;
    let verdict = wording::verdict(evaluation);
    let is_fatal = is_without || evaluation.verdict.outcome == Outcome::NotJudged;
    if is_fatal {
        messages.push(message("fatal", &verdict));
    }
    let uncovered = evaluation.uncovered.iter();
    messages.extend(uncovered.map(|it| message("warn", &format!("not evaluated: {}", it.message))));
    messages.extend(evaluation.warnings.iter().map(|it| message("warn", &it.message)));
    let suppressed = evaluation.suppressed.len();
    if suppressed > 0 {
        messages.push(message("info", &format!("{suppressed} suppressed findings are left out")));
    }
    if !is_fatal {
        messages.push(message("info", &verdict));
    }
    messages.extend(wording::not_counted(evaluation).map(|line| message("info", &line)));
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation};

    /// What version 15.0.4 of the form requires of the members that we write, in our own words:
    /// see `fixtures/schemas/README.md`.
    fn required() -> Value {
        let text = json!({"type": "string", "minLength": 1});
        let time = json!({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"});
        let web = json!({"type": "string", "pattern": "^https?://.+"});
        let tool = json!({
            "type": "object",
            "required": ["id", "name", "version", "vendor"],
            "properties": {"id": text, "name": text, "version": text, "vendor": {
                "type": "object", "required": ["name"], "properties": {"name": text}}},
        });
        json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "required": ["scan", "version", "vulnerabilities"],
            "properties": {
                "version": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
                "schema": web,
                "scan": {
                    "type": "object",
                    "required": ["analyzer", "scanner", "start_time", "end_time", "status", "type"],
                    "properties": {
                        "analyzer": tool, "scanner": tool, "start_time": time, "end_time": time,
                        "status": {"enum": ["success", "failure"]},
                        "type": {"const": "container_scanning"},
                        "messages": {"type": "array", "items": {
                            "type": "object", "required": ["level", "value"],
                            "properties": {"level": {"enum": ["info", "warn", "fatal"]}, "value": text}}},
                    },
                },
                "vulnerabilities": {"type": "array", "items": {
                    "type": "object",
                    "required": ["id", "identifiers", "location"],
                    "properties": {
                        "id": text,
                        "name": {"type": "string", "maxLength": 255},
                        "description": {"type": "string", "maxLength": 1_048_576},
                        "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
                        "solution": {"type": "string", "maxLength": 7000},
                        "identifiers": {"type": "array", "minItems": 1, "items": {
                            "type": "object", "required": ["type", "name", "value"],
                            "properties": {"type": text, "name": text, "value": text, "url": web}}},
                        "links": {"type": "array", "items": {
                            "type": "object", "required": ["url"], "properties": {"url": web}}},
                        "details": {"type": "object", "additionalProperties": {
                            "type": "object", "required": ["name", "type", "value"],
                            "properties": {"name": text, "type": {"const": "text"}, "value": {"type": "string"}}}},
                        "location": {
                            "type": "object",
                            "required": ["dependency", "operating_system", "image"],
                            "properties": {
                                "operating_system": text,
                                "image": text,
                                "dependency": {
                                    "type": "object", "required": ["package", "version"],
                                    "properties": {
                                        "version": {"type": "string"},
                                        "package": {"type": "object", "required": ["name"]}}},
                            },
                        },
                    },
                }},
            },
        })
    }

    #[track_caller]
    fn parsed(evaluation: &Evaluation) -> Value {
        let value = serde_json::from_str(&render(evaluation)).unwrap();
        let validator = jsonschema::validator_for(&required()).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        value
    }

    #[test]
    fn has_what_the_form_requires() {
        parsed(&testing::hostile());
        let value = parsed(&evaluation());
        let first = &value["vulnerabilities"][0];
        assert_eq!(first["severity"], "Critical");
        assert_eq!(first["solution"], "Upgrade django to 3.2.13.");
        assert_eq!(first["location"]["operating_system"], "debian:12");
        assert_eq!(first["location"]["image"], "registry.example/app/web:1.0");
        assert_eq!(
            first["identifiers"][0]["url"],
            "https://nvd.nist.gov/vuln/detail/CVE-2022-28346"
        );
        assert_eq!(first["identifiers"][3]["value"], "89");
        assert_eq!(value["scan"]["messages"][0]["level"], "warn");
    }

    #[test]
    fn without_a_database_the_scan_failed() {
        let value = parsed(&testing::without_database());
        assert_eq!(value["scan"]["status"], "failure");
        assert_eq!(value["scan"]["messages"][0]["level"], "fatal");
    }

    #[test]
    fn ids_are_the_same_every_time_and_each_is_there_once() {
        let mut evaluation = evaluation();
        evaluation.findings.push(evaluation.findings[0].clone());
        let ids = |value: &Value| -> Vec<String> {
            let all = value["vulnerabilities"].as_array().unwrap().iter();
            all.map(|it| it["id"].as_str().unwrap().to_owned()).collect()
        };
        let first = ids(&parsed(&evaluation));
        assert_eq!(first, ids(&parsed(&evaluation)));
        assert_ne!(first[0], first[3]);
    }
}
