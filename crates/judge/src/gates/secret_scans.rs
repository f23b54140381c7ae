//! What the search for secrets found in the files of the image. Which
//! expressions it looks for is in the configuration of the analysis.

use crate::facts::{DocumentFacts, Found};
use crate::params::Params;
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};

pub(super) static GATE: Gate = Gate {
    name: "secret_scans",
    about: "Secrets that were found in the files of the image",
    triggers: &[Trigger {
        name: "content_regex_checks",
        aliases: &[],
        about: "Fires for each file and expression of the search for secrets (`secret_search` in \
                the analyzer configuration), or once where nothing was found; withdraw the secret, \
                and build the image with it mounted: `RUN --mount=type=secret`",
        params: &[
            Param::optional(
                "content_regex_name",
                Kind::Text,
                "AWS_ACCESS_KEY",
                "Names of expressions in the analyzer configuration: those that are within this \
                 text",
            ),
            Param::optional(
                "filename_regex",
                Kind::Regex,
                "/etc/.*",
                "Look at paths that this matches at their start only",
            ),
            Param::optional(
                "match_type",
                Kind::OneOf(&["found", "notfound"]),
                "found",
                "Whether it fires for what was found, or where nothing was",
            )
            .or("found"),
        ],
        check: None,
        fire: content_regex_checks,
    }],
};

fn content_regex_checks(
    facts: &DocumentFacts<'_>,
    params: &Params,
) -> Result<Vec<Match>, TriggerError> {
    let names = params.text("content_regex_name");
    let paths = params.regex("filename_regex");
    let mut matches = Vec::new();
    for found in facts.secrets()? {
        let is_path = paths.map_or(Ok(true), |paths| paths.is_match_at_start(&found.path));
        let is_path =
            is_path.map_err(|error| TriggerError::Pattern { param: "filename_regex", error })?;
        if is_path && names.is_none_or(|names| is_named(found, names)) {
            matches.push(Match::of(format!(
                "Secret content search analyzer found regexp match in container: file={} regexp={}",
                found.path, found.expression
            )));
        }
    }
    if params.text("match_type") != Some("notfound") {
        return Ok(matches);
    }
    Ok(match matches.as_slice() {
        [] => vec![Match::of(format!(
            "Secret content search analyzer did not find regexp match in container: \
             filename_regex={} content_regex_name={}",
            paths.map_or("*", |paths| paths.as_str()),
            names.unwrap_or("all")
        ))],
        _ => Vec::new(),
    })
}

/// Bundles name several expressions in one text: `['AWS_ACCESS_KEY', 'PRIV_KEY']`. One that was
/// given no name is named by itself.
fn is_named(found: &Found, names: &str) -> bool {
    match found.name() {
        "" => found.expression == names,
        name => names.contains(name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::GATE;
    use crate::gates::testing::{fired, with_outputs};

    fn secrets() -> Value {
        // `EQ=a=b=c`, and `^root`, which has no name.
        let lines = json!({"RVE9YT1iPWM=\n": [0], "XnJvb3Q=\n": [1]}).to_string();
        with_outputs(&[("secret_search/regexp_matches.all", json!({"/srv/ids": lines}))])
    }

    #[test]
    fn findings_fire_by_name_and_path() {
        let prefix = "Secret content search analyzer found regexp match in container: \
                      file=/srv/ids regexp=";
        let (named, nameless) = ("EQ=a=b=c", "^root");
        for (params, expected) in [
            (&[][..], &[named, nameless][..]),
            (&[("content_regex_name", "EQ")], &[named]),
            (&[("content_regex_name", "['AWS', 'EQ']")], &[named]),
            (&[("content_regex_name", "E")], &[]),
            (&[("content_regex_name", "^root")], &[nameless]),
            (&[("filename_regex", "/srv/.*")], &[named, nameless]),
            (&[("filename_regex", "srv")], &[]),
        ] {
            let found = fired(&GATE, "content_regex_checks", params, &secrets());
            let found: Vec<_> =
                found.iter().map(|message| message.strip_prefix(prefix).unwrap()).collect();
            assert_eq!(found, expected, "{params:?}");
        }
    }

    #[test]
    fn what_was_not_found_fires_once() {
        let not = ("match_type", "notfound");
        let prefix = "Secret content search analyzer did not find regexp match in container: ";
        for (params, expected) in [
            (&[not][..], None),
            (
                &[not, ("content_regex_name", "NOSUCH")],
                Some("filename_regex=* content_regex_name=NOSUCH"),
            ),
            (&[not, ("filename_regex", "/x")], Some("filename_regex=/x content_regex_name=all")),
        ] {
            let found = fired(&GATE, "content_regex_checks", params, &secrets());
            assert_eq!(found, Vec::from_iter(expected.map(|text| format!("{prefix}{text}"))));
        }
    }
}
