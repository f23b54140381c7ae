//! One HTML page with everything in it: it works from a file, without a network,
//! and loads nothing.
//!
//! What people read first is in the page as text. The findings are JSON in it,
//! and a script of ours makes the table, so that thousands of them stay quick.
//! The page's own policy lets no other script or style run, whatever a package
//! is called: <https://developer.mozilla.org/docs/Web/HTTP/Guides/CSP>.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value as Context};
use serde_json::{Value, json};

use super::address;
use super::policy as policies;
use super::text::{counted, printable};
use super::wording;
use inscan_evaluate::{Evaluation, Finding, Match, Outcome, SecretFinding, Severity, Suppression};
use inscan_facts::digest::Sha256;
use inscan_judge::{self as policy, Action};

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

const MAX_UPGRADES: usize = 10;
const MAX_REFERENCES: usize = 15;
const MAX_SECRETS: usize = 500;

pub(super) fn render(evaluation: &Evaluation, policy: Option<&policy::Evaluation>) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let context = Context::from(Serde(context(evaluation, policy)));
    environment.render_str(PAGE, context).expect("the page is tested with what it is given")
}

fn context(evaluation: &Evaluation, policy: Option<&policy::Evaluation>) -> Value {
    let hash = |text: &str| BASE64.encode(Sha256::of(text.as_bytes()).0);
    let suppressed = evaluation.suppressed.len();
    let kinds: BTreeSet<_> =
        evaluation.findings.iter().map(|it| it.package.kind.as_str()).collect();
    let upgrades = evaluation.upgrades.iter().take(MAX_UPGRADES).map(|upgrade| {
        json!({
            "package": printable(&upgrade.package),
            "from": printable(&upgrade.from),
            "to": printable(&upgrade.to),
            "findings": counted(upgrade.findings.len(), "finding", "findings"),
            "worst": upgrade.worst.name(),
        })
    });
    let uncovered = evaluation.uncovered.iter().map(|it| {
        let packages = match it.packages.len() {
            0 => String::new(),
            number => counted(number, "package", "packages"),
        };
        json!({"message": printable(&it.message), "packages": packages})
    });
    let warnings = evaluation.warnings.iter().map(|warning| printable(&warning.message));
    let reasons = evaluation.verdict.reasons.iter().map(|reason| printable(&reason.message));
    let tool = format!("{} {}", evaluation.tool.name, evaluation.tool.version);
    let base = evaluation.base.as_ref().map(|base| {
        let of = counted(base.layers, "layer is", "layers are");
        let name = base.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        printable(&format!("{of} of the base image{name}, {}.", base.how))
    });
    json!({
        "style": STYLE,
        "script": SCRIPT,
        "style_hash": hash(STYLE),
        "script_hash": hash(SCRIPT),
        "tool": tool,
        "date": evaluation.date,
        "image": {"name": printable(wording::image(evaluation))},
        "outcome": outcome(evaluation, policy),
        "policy": policy.map(of_policy),
        "reasons": reasons.collect::<Vec<_>>(),
        "facts": facts(evaluation),
        "judged": evaluation.database.is_some(),
        "uncovered": uncovered.collect::<Vec<_>>(),
        "warnings": warnings.collect::<Vec<_>>(),
        "extent": extent(evaluation),
        "tiles": tiles(evaluation),
        "upgrades": upgrades.collect::<Vec<_>>(),
        "secrets": secrets(evaluation),
        "more_secrets": evaluation.secrets.len().saturating_sub(MAX_SECRETS),
        "secret_advice": wording::SECRET_ADVICE,
        "layers": layers(evaluation),
        "base": base,
        "severities": Severity::ALL.map(Severity::name),
        "upgrades_title": wording::UPGRADES,
        "not_evaluated": wording::NOT_EVALUATED,
        "may_be_vulnerable": wording::MAY_BE_VULNERABLE,
        "kinds": kinds,
        "has_new": evaluation.findings.iter().any(|finding| finding.new.is_some()),
        "suppressed": suppressed,
        "footer": format!("Made by {tool} from data of {}; this file is complete and loads nothing.",
            evaluation.database.as_ref().and_then(|it| it.date.as_deref()).unwrap_or("no database")),
        "data": data(evaluation),
    })
}

/// For the text of an element. The template engine's own escapes slashes too, and then no
/// path can be searched for in the page.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#x27;")
}

/// The worst first; those that an exception lets pass are last.
fn secrets(evaluation: &Evaluation) -> Vec<Value> {
    let row = |secret: &SecretFinding, by: Option<&Suppression>| {
        json!({
            "severity": secret.severity.name(),
            "rule": printable(&secret.rule),
            "about": wording::about_secret(secret),
            "place": escaped(&wording::place_of_secret(secret)),
            "remarks": wording::remarks_on_secret(secret),
            "excerpt": printable(&secret.excerpt),
            "fails": secret.fails,
            "excepted": by.map(|by| printable(&by.reason)),
        })
    };
    let open = evaluation.secrets.iter().take(MAX_SECRETS).map(|secret| row(secret, None));
    let excepted = evaluation.suppressed_secrets.iter().take(MAX_SECRETS);
    open.chain(excepted.map(|it| row(&it.secret, Some(&it.by)))).collect()
}

/// Most matches of one rule on the page.
const MAX_MATCHES: usize = 20;

fn of_policy(policy: &policy::Evaluation) -> Value {
    let rules = policies::fired(policy).into_iter().flat_map(|(_, rules)| rules);
    let rules = rules.filter(|rule| !rule.counting.is_empty()).map(|rule| {
        let matches = rule.counting.iter().take(MAX_MATCHES);
        let matches: Vec<_> = matches.map(|row| printable(&policies::message(row))).collect();
        let told = |text: Option<&str>| text.map(printable);
        json!({
            "action": rule.action.shown(),
            "class": match rule.action { Action::Stop => "high", Action::Warn => "medium", Action::Go => "low" },
            "name": format!("{}.{}", rule.gate, rule.trigger),
            "count": counted(rule.counting.len(), "match", "matches"),
            "more": rule.counting.len() - matches.len(),
            "matches": matches,
            "why": told(rule.told.and_then(|told| told.why.as_deref())),
            "remedy": told(rule.told.and_then(|told| told.remedy.as_deref().or(told.about))),
        })
    });
    let excepted = policy.rows.iter().filter(|row| row.whitelisted.is_some()).count();
    let problems = policy.faults.iter().flat_map(|fault| &fault.problems);
    let stale_exceptions = policy.stale_exceptions.iter().map(|stale| printable(&stale.message()));
    let remarks = problems.map(|problem| printable(&problem.to_string())).chain(stale_exceptions);
    json!({
        "name": printable(policy.bundle_name.as_deref().unwrap_or(&policy.bundle_id)),
        "verdict": policies::verdict(policy),
        "rules": rules.collect::<Vec<_>>(),
        "excepted": (excepted > 0).then(|| counted(excepted, "match", "matches")),
        "remarks": remarks.collect::<Vec<_>>(),
    })
}

fn outcome(evaluation: &Evaluation, policy: Option<&policy::Evaluation>) -> Value {
    match policy {
        Some(policy) if !policy.passes() => return json!({"short": "FAIL", "class": "bad"}),
        Some(_) if evaluation.verdict.outcome == Outcome::NoGate => {
            return json!({"short": "PASS", "class": "good"});
        }
        _ => {}
    }
    let class = match evaluation.verdict.outcome {
        Outcome::Pass => "good",
        Outcome::NoGate if evaluation.database.is_some() => "",
        Outcome::Fail | Outcome::NoGate | Outcome::NotJudged => "bad",
    };
    json!({"short": wording::outcome(evaluation), "class": class})
}

fn facts(evaluation: &Evaluation) -> Vec<Value> {
    let image = &evaluation.image;
    let platform = [image.os.as_deref(), image.architecture.as_deref()];
    let platform: Vec<_> = platform.into_iter().flatten().collect();
    let counts = &evaluation.counts;
    let packages = format!(
        "{}, {} evaluated, {} not",
        counted(image.packages, "package", "packages"),
        counts.judged_packages,
        counts.uncovered_packages
    );
    let facts = [
        ("Packages", packages, false),
        ("Not looked at", wording::not_seen(evaluation).unwrap_or_default(), false),
        ("Not counted", evaluation.verdict.not_counted.clone().unwrap_or_default(), false),
        (
            "Distribution",
            wording::distribution(evaluation).unwrap_or_else(|| "unknown".into()),
            false,
        ),
        ("Platform", platform.join("/"), false),
        ("Created", image.created.clone().unwrap_or_default(), false),
        (
            "Database",
            wording::database(evaluation)
                .unwrap_or_else(|| "none, so packages are not evaluated".into()),
            false,
        ),
        ("Source", image.source.clone(), true),
        ("Manifest", image.digest.clone(), true),
        ("Image id", image.id.clone(), true),
    ];
    let said = facts.into_iter().filter(|(_, value, _)| !value.is_empty());
    said.map(|(name, value, code)| json!({"name": name, "value": printable(&value), "code": code}))
        .collect()
}

fn extent(evaluation: &Evaluation) -> String {
    let mut parts = [vec![wording::extent(evaluation)], wording::properties(evaluation)].concat();
    if !evaluation.suppressed.is_empty() {
        parts.push(format!("{} suppressed", evaluation.suppressed.len()));
    }
    parts.join("; ") + "."
}

/// Buttons that count and filter.
fn tiles(evaluation: &Evaluation) -> Vec<Value> {
    let counts = &evaluation.counts;
    let tile = |name: &str, filter: &str, class: &str, count: usize| json!({"name": name, "filter": filter, "class": class, "count": count});
    let severities = Severity::ALL.iter().map(|severity| {
        let name = severity.name();
        tile(name, name, name, counts.severity.get(severity).copied().unwrap_or(0))
    });
    let others = [
        tile("exploited", "exploited", "", counts.kev),
        tile("fixable", "fixable", "", counts.fixable),
        tile("fail the gate", "fails", "", counts.failing),
    ];
    severities.chain(others).filter(|tile| tile["count"] != 0).collect()
}

/// Each with bars whose lengths compare the layers.
fn layers(evaluation: &Evaluation) -> Vec<Value> {
    let most = evaluation.layers.iter().map(|layer| layer.findings).max().unwrap_or(0).max(1);
    let layers = evaluation.layers.iter().map(|layer| {
        let mut x = 0.0;
        let mut bars = Vec::new();
        let mut words = Vec::new();
        for severity in Severity::ALL {
            let number = layer.severity.get(&severity).copied().unwrap_or(0);
            if number > 0 {
                let width = number as f64 * 100.0 / most as f64;
                let round = |number: f64| (number * 100.0).round() / 100.0;
                bars.push(json!({"class": severity.name(), "x": round(x), "width": round(width)}));
                words.push(format!("{number} {}", severity.name()));
                x += width;
            }
        }
        let summary = match (layer.findings, words.is_empty()) {
            (0, _) if evaluation.database.is_some() => "nothing found".to_owned(),
            (0, _) => String::new(),
            (number, true) => counted(number, "finding", "findings"),
            (_, false) => words.join(", "),
        };
        json!({
            "index": layer.index,
            "base": layer.base == Some(true),
            "created_by": wording::made_by(&layer.created_by),
            "diff_id": printable(&layer.diff_id),
            "findings": layer.findings,
            "bars": bars,
            "summary": summary,
        })
    });
    layers.collect()
}

/// The findings as the script reads them.
fn data(evaluation: &Evaluation) -> String {
    let open = evaluation.findings.iter().map(|it| finding(it, None));
    let suppressed = evaluation.suppressed.iter().map(|it| finding(&it.finding, Some(&it.by)));
    let layers = evaluation.layers.iter().map(|layer| {
        json!({
            "created_by": wording::made_by(&layer.created_by),
            "diff_id": printable(&layer.diff_id),
            "base": layer.base == Some(true),
        })
    });
    let layers: Vec<_> = layers.collect();
    in_script(&json!({
        "findings": open.chain(suppressed).collect::<Vec<_>>(),
        "layers": layers,
        "severities": Severity::ALL.map(Severity::name),
    }))
}

/// JSON that no `</script>` or `<!--` in it can end: <https://html.spec.whatwg.org/#restrictions-for-contents-of-script-elements>.
fn in_script(value: &Value) -> String {
    let text = value.to_string();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn finding(finding: &Finding, by: Option<&Suppression>) -> Value {
    let all =
        |texts: &[String]| -> Vec<String> { texts.iter().map(|text| printable(text)).collect() };
    let text = |text: &Option<String>| text.as_deref().map(printable);
    let Finding { package, severity, .. } = finding;
    let references = finding.references.iter().map(|reference| reference.url.as_str());
    let references = references.filter(|url| address::is_web(url)).take(MAX_REFERENCES);
    let advisories = finding.advisories.iter().map(|advisory| {
        let url = advisory.url.as_deref().filter(|url| address::is_web(url));
        (printable(&advisory.id), url)
    });
    let advisories = advisories.map(|(id, url)| json!({"id": id, "url": url}));
    let score = severity.score.filter(|score| score.is_finite());
    let mut value = BTreeMap::from([
        ("rank", json!(finding.rank)),
        ("id", json!(printable(&finding.id))),
        ("aliases", json!(all(&finding.aliases))),
        ("package", json!(printable(&package.name))),
        ("version", json!(printable(&package.version))),
        ("type", json!(package.kind)),
        ("purl", json!(printable(&package.purl))),
        ("location", json!(printable(&package.location))),
        ("layer", json!(finding.layer.as_ref().map(|layer| layer.index))),
        ("severity", json!(severity.level.name())),
        ("score", json!(score)),
        ("by", json!(printable(&severity.source))),
        ("vector", json!(text(&severity.vector))),
        ("fix", json!(wording::fix(finding))),
        ("fixed", json!(all(&finding.fixed_versions))),
        ("upgrade", json!(text(&finding.upgrade))),
        ("kev", json!(finding.kev)),
        ("epss", json!(finding.epss.as_ref().map(|epss| epss.score))),
        (
            "epss_text",
            json!(finding.epss.as_ref().map(|it| wording::epss(it.score, it.percentile))),
        ),
        ("summary", json!(printable(&finding.summary))),
        ("published", json!(text(&finding.published))),
        ("advisories", json!(advisories.collect::<Vec<_>>())),
        ("references", json!(references.collect::<Vec<_>>())),
        ("cwes", json!(all(&finding.cwes))),
        ("matches", json!(finding.matches.iter().map(why).collect::<Vec<_>>())),
        ("fails", json!(finding.fails)),
        ("new", json!(finding.new)),
        ("suppressed", json!(by.map(|by| printable(&by.reason)))),
    ]);
    value.retain(|_, value| !value.is_null());
    json!(value)
}

/// `GHSA-…: django 3.2.0 is in the affected range `>= 3.2, < 3.2.13` (PyPI, order of pep440)`.
fn why(one: &Match) -> String {
    let Match { advisory, ecosystem, name, scheme, .. } = one;
    let (name_of, in_range) = (wording::name_of(one), wording::in_range(one));
    printable(&format!("{advisory}: {name_of}{name} {in_range} ({ecosystem}, order of {scheme})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation};

    /// What lies between the two, which are there once.
    fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
        assert_eq!(page.matches(start).count(), 1, "{start}");
        page.split(start).nth(1).unwrap().split(end).next().unwrap()
    }

    fn embedded(page: &str) -> Value {
        serde_json::from_str(between(page, "id=\"data\">", "</script>")).unwrap()
    }

    #[test]
    fn says_what_was_found_and_what_was_not_evaluated() {
        let page = render(&evaluation(), None);
        let shown = page.replace("&#x2f;", "/").replace("&#x27;", "'");
        for part in [
            "<title>registry.example/app/web:1.0: FAIL</title>",
            "1 finding is high or worse",
            "the database has nothing about conda",
            "3 findings (3 vulnerabilities, 2 packages)",
            "<b>1</b> critical",
            "RUN pip install django==3.2.0",
            "1 layer is of the base image, a guess by the history.",
        ] {
            assert!(shown.contains(part), "no `{part}`");
        }
        let data = embedded(&page);
        assert_eq!(data["findings"].as_array().unwrap().len(), 4);
        assert_eq!(data["findings"][3]["suppressed"], "accepted in exceptions.yaml");
        assert_eq!(
            data["findings"][0]["matches"][0],
            "GHSA-2gwj-7jmv-h26r: django 3.2.0 is in the affected range `>= 3.2, < 3.2.13` \
             (PyPI, order of pep440)"
        );
    }

    #[test]
    fn loads_nothing() {
        let page = render(&evaluation(), None);
        let own = [PAGE, STYLE, SCRIPT].join("\n");
        for loading in [
            "src=", "@import", "url(", "<link", "<iframe", "fetch(", "XMLHttp", "import(",
            "http://", "https://",
        ] {
            assert!(!own.contains(loading), "{loading}");
        }
        // Addresses of advisories are data, and only the script makes links of them.
        let without_data = page.replace(between(&page, "id=\"data\">", "</script>"), "");
        assert!(!without_data.contains("https://"));
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
        assert!(
            policy.starts_with("default-src &#x27;none&#x27;")
                || policy.starts_with("default-src 'none'"),
            "{policy}"
        );
    }

    #[test]
    fn hostile_names_are_harmless() {
        let page = render(&testing::hostile(), None);
        assert_eq!(page.matches("</script>").count(), 2, "ours");
        assert!(!page.contains("<img"));
        for char in page.chars() {
            assert!(!char.is_control() || char == '\n', "{char:?}");
            assert!(!('\u{202a}'..='\u{202e}').contains(&char));
        }
        let data = embedded(&page).to_string();
        assert!(!data.contains("javascript:"), "no address but of the web");
    }

    #[test]
    fn without_a_database_it_says_so() {
        let page = render(&testing::without_database(), None);
        assert!(page.contains("<strong>NOT EVALUATED</strong>"));
        assert!(page.contains("none, so packages are not evaluated"));
        assert!(!page.contains("id=\"findings\""));
        render(&Evaluation::default(), None);
    }
}
