//! Contents of files that the analysis kept (`retrieve_files` in its configuration).

use crate::facts::DocumentFacts;
use crate::params::Params;
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use inscan_python_regex::text::Pattern;

const PATH: Param = Param::required(
    "path",
    Kind::Text,
    "/etc/httpd.conf",
    "The path as it is in the analyzer configuration",
);

pub(super) static GATE: Gate = Gate {
    name: "retrieved_files",
    about: "Contents of the files that the analysis was told to keep",
    triggers: &[
        Trigger {
            name: "content_not_available",
            aliases: &[],
            about: "Fires where the analysis has not kept a file; name it under `retrieve_files` in \
                    the analyzer configuration, or add it to the image",
            params: &[PATH],
            check: None,
            fire: content_not_available,
        },
        Trigger {
            name: "content_regex",
            aliases: &[],
            about: "Fires where an expression matches in a kept file, or nowhere in it; change the \
                    file. A file that was not kept fires nothing: see `content_not_available`",
            params: &[
                PATH,
                Param::required(
                    "regex",
                    Kind::Regex,
                    ".*SSLEnabled.*",
                    "Matches at the start of a line, or of a word",
                ),
                Param::required(
                    "check",
                    Kind::OneOf(&["match", "no_match"]),
                    "match",
                    "Whether it fires where the expression matches, or where it does not",
                ),
            ],
            check: None,
            fire: content_regex,
        },
    ],
};

fn content_not_available(
    facts: &DocumentFacts<'_>,
    params: &Params,
) -> Result<Vec<Match>, TriggerError> {
    Ok(match facts.content(params.text("path").unwrap_or_default())? {
        Some(_) => Vec::new(),
        None => vec![Match::of("Cannot locate file in the image analysis")],
    })
}

fn content_regex(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let path = params.text("path").unwrap_or_default();
    let check = params.text("check").unwrap_or_default();
    let Some(regex) = params.regex("regex") else { return Ok(Vec::new()) };
    let Some(content) = facts.content(path)? else { return Ok(Vec::new()) };
    let text = std::str::from_utf8(&content).map_err(|_| {
        TriggerError::NotAnswerable(format!(
            "`{path}` is no text: take it out of the rule, or check it with `files.attribute_match`"
        ))
    })?;
    if is_in(regex, text)? != (check == "match") {
        return Ok(Vec::new());
    }
    let id = format!("{}+file://{path}", params.rule_id());
    let regex = regex.as_str();
    let message =
        format!("Content regex '{regex}' check '{check}' found in retrieved file '{path}'");
    Ok(vec![Match::with_id(id, message)])
}

fn is_in(regex: &Pattern, text: &str) -> Result<bool, TriggerError> {
    for part in text.split_whitespace().chain(text.lines()) {
        let is_match = regex.is_match_at_start(part);
        if is_match.map_err(|error| TriggerError::Pattern { param: "regex", error })? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::GATE;
    use crate::gates::testing::{failure, fired, with_outputs};

    fn kept() -> Value {
        // Of `/etc/ssh`: `# root may not\nPermitRootLogin no`; `/etc/bin` is no text.
        let files = json!({"/etc/ssh": "IyByb290IG1heSBub3QKUGVybWl0Um9vdExvZ2luIG5v",
            "/etc/bin": "/w==", "/etc/empty": "none"});
        with_outputs(&[("retrieve_files/file_content.all", files)])
    }

    #[test]
    fn an_expression_matches_a_word_or_a_line_or_nothing() {
        for (regex, is_found) in [
            ("root", true),
            ("oot", false),
            ("PermitRootLogin no", true),
            ("no$", true),
            (".*Login yes", false),
        ] {
            for (check, fires) in [("match", is_found), ("no_match", !is_found)] {
                let params = [("path", "/etc/ssh"), ("regex", regex), ("check", check)];
                let expected = fires.then(|| {
                    format!(
                        "rule-1+file:///etc/ssh: Content regex '{regex}' check '{check}' found in \
                         retrieved file '/etc/ssh'"
                    )
                });
                let found = fired(&GATE, "content_regex", &params, &kept());
                assert_eq!(found, Vec::from_iter(expected));
            }
        }
    }

    #[test]
    fn what_was_not_kept_fires_nothing_and_what_is_no_text_is_no_answer() {
        let check = |path, check| {
            let params = [("path", path), ("regex", ".*"), ("check", check)];
            fired(&GATE, "content_regex", &params, &kept()).len()
        };
        assert_eq!([check("/nope", "match"), check("/nope", "no_match")], [0, 0]);
        assert_eq!([check("/etc/empty", "match"), check("/etc/empty", "no_match")], [0, 1]);
        let binary = [("path", "/etc/bin"), ("regex", ".*"), ("check", "match")];
        let failure = failure(&GATE, "content_regex", &binary, &kept());
        assert!(failure.contains("`/etc/bin` is no text"), "{failure}");
    }

    #[test]
    fn a_file_is_available_if_it_was_kept() {
        for (path, expected) in
            [("/etc/empty", &[][..]), ("etc/ssh", &["Cannot locate file in the image analysis"])]
        {
            let found = fired(&GATE, "content_not_available", &[("path", path)], &kept());
            assert_eq!(found, expected);
        }
    }
}
