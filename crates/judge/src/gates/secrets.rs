//! What inscan's own search found: keys, tokens and passwords in files, archives and the
//! image's configuration, by rules that the legacy engine does not have.

use crate::facts::{DocumentFacts, NotSearched};
use crate::params::Params;
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use inscan_evaluate::{SecretFinding, Severity};

pub(super) static GATE: Gate = Gate {
    name: "secrets",
    about: "Secrets that inscan's own rules find: in files of all layers, archives and the \
            image's configuration",
    triggers: &[Trigger {
        name: "found",
        aliases: &[],
        about: "Fires for each secret of a severity or worse, and for each file that could not be \
                searched for any; withdraw the secret, and build the image with it mounted: \
                `RUN --mount=type=secret`",
        params: &[
            Param::optional(
                "severity",
                Kind::OneOf(&["low", "medium", "high", "critical"]),
                "high",
                "The least severity that it fires for",
            )
            .or("high"),
            Param::optional(
                "rules",
                Kind::List,
                "github-token,private-key",
                "Look at what these rules find and at nothing else",
            ),
            Param::optional(
                "path_regex",
                Kind::Regex,
                "/srv/.*",
                "Look at paths that this matches at their start only; the configuration has none",
            ),
        ],
        check: None,
        fire: found,
    }],
};

fn found(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let least = params.text("severity").and_then(|name| name.parse().ok());
    let least = least.unwrap_or(Severity::High);
    let rules = params.list("rules");
    let paths = params.regex("path_regex");
    let of_path = |path: Option<&str>| -> Result<(String, bool), TriggerError> {
        let path = path.map(|path| format!("/{path}")).unwrap_or_default();
        let is_path = paths.map_or(Ok(true), |paths| paths.is_match_at_start(&path));
        let is_path =
            is_path.map_err(|error| TriggerError::Pattern { param: "path_regex", error })?;
        Ok((path, is_path))
    };
    let mut matches = Vec::new();
    for secret in facts.found_secrets()? {
        let (path, is_path) = of_path(secret.path.as_deref())?;
        let is_rule = rules.is_none_or(|rules| rules.contains(&secret.rule));
        if is_path && is_rule && secret.severity >= least {
            matches.push(told(secret, &path));
        }
    }
    for NotSearched { path, reason } in facts.not_searched() {
        let (path, is_path) = of_path(path.as_deref())?;
        if is_path {
            let place = if path.is_empty() { "the image" } else { &path };
            let message = format!("Secrets may be missing: {place}: {reason}");
            matches.push(Match::with_id(format!("not-searched+{path}"), message));
        }
    }
    Ok(matches)
}

/// Exceptions name it by rule, path and fingerprint: another secret in its place is another.
fn told(secret: &SecretFinding, path: &str) -> Match {
    let SecretFinding { rule, severity, line, fingerprint, .. } = secret;
    let place = match path {
        "" => "the image's configuration".to_owned(),
        path => format!("{path}:{line}"),
    };
    let gone = if secret.visible { "" } else { ", deleted by a later layer" };
    let id = format!("{rule}+{path}+{fingerprint}");
    Match::with_id(id, format!("Secret of severity {}: {rule} in {place}{gone}", severity.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(params: &[(&str, &str)], expected: &[&str]) {
        let secret = |rule: &str, severity, path: Option<&str>| SecretFinding {
            rule: rule.into(),
            severity,
            path: path.map(str::to_owned),
            visible: path != Some("srv/old"),
            line: 3,
            fingerprint: "1f3a9".into(),
            ..SecretFinding::default()
        };
        let secrets = vec![
            secret("github-token", Severity::Critical, Some("srv/.env")),
            secret("private-key", Severity::Critical, Some("srv/old")),
            secret("password", Severity::Medium, None),
        ];
        let facts = DocumentFacts::default().with_secrets(secrets);
        let params = crate::gates::testing::params(&GATE, "found", params);
        let found = found(&facts, &params).unwrap();
        let ids: Vec<_> = found.iter().filter_map(|one| one.id.as_deref()).collect();
        assert_eq!(ids, expected);
        assert!(found.iter().all(|one| !one.message.contains("1f3a9")));
    }

    #[test]
    fn what_was_not_searched_for_secrets_fires() {
        let mut section = inscan_document::Section::default();
        section.problems.push(inscan_document::section::ProblemRow {
            path: Some("srv/dump.sql".into()),
            hides: inscan_facts::problem::Hides::Secrets,
            message: "not searched for secrets: larger than 1 bytes".into(),
            ..Default::default()
        });
        let fired = |params: &[(&str, &str)]| {
            let document = DocumentFacts::of_section(&section).with_secrets(Vec::new());
            let params = crate::gates::testing::params(&GATE, "found", params);
            let all = found(&document, &params).unwrap().into_iter();
            all.map(|one| (one.id.unwrap_or_default(), one.message)).collect::<Vec<_>>()
        };
        let told =
            "Secrets may be missing: /srv/dump.sql: not searched for secrets: larger than 1 bytes";
        assert_eq!(fired(&[]), [("not-searched+/srv/dump.sql".to_owned(), told.to_owned())]);
        assert_eq!(fired(&[("path_regex", "/opt/")]), []);
    }

    #[test]
    fn secrets_fire_by_severity_rule_and_path() {
        let (token, key) = ("github-token+/srv/.env+1f3a9", "private-key+/srv/old+1f3a9");
        check(&[], &[token, key]);
        check(&[("severity", "low")], &[token, key, "password++1f3a9"]);
        check(&[("rules", "private-key")], &[key]);
        check(&[("path_regex", "/srv/[.]")], &[token]);
    }
}
