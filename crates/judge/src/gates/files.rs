//! The files of the image: what they are called, what they are like, and what
//! the search for configured expressions found in them.

use rayon::prelude::*;

use crate::facts::{DocumentFacts, File};
use crate::params::{Invalid, Params, ValueError};
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use inscan_python_regex::text::Pattern;

const EQUALITY: Kind = Kind::OneOf(&["equals", "not_equals"]);

pub(super) static GATE: Gate = Gate {
    name: "files",
    about: "What the files of the image are called, what they are like, and what was found in them",
    triggers: &[
        Trigger {
            name: "content_regex_match",
            aliases: &[],
            about: "Fires for each file that an expression of the analysis (`content_search` in \
                    its configuration) was found in; take the content out of the image",
            params: &[Param::optional(
                "regex_name",
                Kind::Text,
                "PASSWORDS",
                "The expression: its name or its text in the analyzer configuration; any, where \
                 there is none",
            )],
            check: None,
            fire: content_regex_match,
        },
        Trigger {
            name: "name_match",
            aliases: &[],
            about: "Fires for each path that an expression matches; leave the file out of the \
                    image, with `.dockerignore` or `rm` in the same `RUN`",
            params: &[Param::required(
                "regex",
                Kind::Regex,
                r".*\.pem",
                "Matches at the start of the path, which begins with a slash",
            )],
            check: None,
            fire: name_match,
        },
        Trigger {
            name: "attribute_match",
            aliases: &[],
            about: "Fires where a file has, or has not, a checksum or a mode; restore the file, or \
                    change its mode",
            params: &[
                Param::required("filename", Kind::Text, "/etc/passwd", "The path of the file"),
                Param::optional(
                    "checksum_algorithm",
                    Kind::OneOf(&["sha256", "sha1", "md5"]),
                    "sha256",
                    "What the checksum is made with",
                )
                .or("sha256"),
                Param::optional(
                    "checksum",
                    Kind::Text,
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                    "The checksum of the content, in hex",
                ),
                Param::optional(
                    "checksum_match",
                    EQUALITY,
                    "not_equals",
                    "Whether it fires for this checksum, or for any other",
                )
                .or("equals"),
                Param::optional(
                    "mode",
                    Kind::Text,
                    "00644",
                    "The permissions in octal, with the bits for set-user-id and the like",
                ),
                Param::optional(
                    "mode_op",
                    EQUALITY,
                    "not_equals",
                    "Whether it fires for these permissions, or for any others",
                )
                .or("equals"),
                Param::optional(
                    "skip_missing",
                    Kind::Boolean,
                    "false",
                    "Whether a file that is not there is skipped",
                )
                .or("true"),
            ],
            check: Some(check_mode),
            fire: attribute_match,
        },
        Trigger {
            name: "suid_or_guid_set",
            aliases: &[],
            about: "Fires for each file that runs as its owner or group, whoever starts it; where \
                    nobody needs it, take the bit away: `chmod a-s FILE`",
            params: &[],
            check: None,
            fire: suid_or_guid_set,
        },
    ],
};

fn content_regex_match(
    facts: &DocumentFacts<'_>,
    params: &Params,
) -> Result<Vec<Match>, TriggerError> {
    let wanted = params.text("regex_name");
    let found = facts.content_matches()?.iter().filter(|found| {
        wanted.is_none_or(|wanted| {
            [found.name(), found.regex(), &found.expression, &found.key].contains(&wanted)
                || found.key.trim_end() == wanted
        })
    });
    let message = |path: &str, expression: &str| {
        Match::of(format!(
            "File content analyzer found regexp match in container: file={path} regexp={expression}"
        ))
    };
    Ok(found.map(|found| message(&found.path, &found.expression)).collect())
}

fn name_match(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let Some(regex) = params.regex("regex") else { return Ok(Vec::new()) };
    let found = |file: File<'_>| match is_match(regex, file.path) {
        Ok(true) => Some(Ok(Match::of(format!(
            "Application of regex matched file found in container: file={} regexp={}",
            file.path,
            regex.as_str()
        )))),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    };
    // There may be hundreds of thousands of files, and a hundred such rules.
    match regex.required().split_first() {
        Some((longest, others)) => {
            let files = facts.files()?.containing(longest);
            let has_all = |file: &File<'_>| others.iter().all(|text| file.path.contains(text));
            files.filter(has_all).filter_map(found).collect()
        }
        None => facts.files()?.par_iter().filter_map(found).collect(),
    }
}

fn is_match(regex: &Pattern, text: &str) -> Result<bool, TriggerError> {
    regex.is_match_at_start(text).map_err(|error| TriggerError::Pattern { param: "regex", error })
}

fn check_mode(params: &Params) -> Result<(), Invalid> {
    let Some(mode) = params.text("mode") else { return Ok(()) };
    let wrong = || ValueError::Unusable("permissions in octal, as `00644`".to_owned());
    mode_of(mode).map(drop).ok_or_else(|| Invalid { param: "mode", kind: None, error: wrong() })
}

const PERMISSIONS: u32 = 0o7777;

/// With or without `0o`, leading zeros and type bits.
fn mode_of(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.strip_prefix("0o").unwrap_or(text);
    u32::from_str_radix(digits, 8).ok().map(|mode| mode & PERMISSIONS)
}

fn attribute_match(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let path = params.text("filename").unwrap_or_default();
    let Some(file) = facts.files()?.get(path) else {
        let is_skipped = params.flag("skip_missing").unwrap_or(true);
        let message = format!("filename={path} and skip_missing=False");
        return Ok(if is_skipped { Vec::new() } else { vec![Match::of(message)] });
    };
    let parts = [checksum(facts, params, file)?, mode(params, file)];
    let mut message = format!("filename={path}");
    let mut asked = 0;
    for part in parts.into_iter().flatten() {
        let Some(part) = part else { return Ok(Vec::new()) };
        message += &format!(" and {part}");
        asked += 1;
    }
    Ok(if asked > 0 { vec![Match::of(message)] } else { Vec::new() })
}

/// A condition that was not asked for, one that does not hold, or what holds.
type Condition = Option<Option<String>>;

fn checksum(
    facts: &DocumentFacts<'_>,
    params: &Params,
    file: File<'_>,
) -> Result<Condition, TriggerError> {
    let Some(wanted) = params.text("checksum") else { return Ok(None) };
    let algorithm = params.text("checksum_algorithm").unwrap_or("sha256");
    let operation = params.text("checksum_match").unwrap_or("equals");
    let sum = facts.sum(algorithm, file.path)?;
    // Links, directories and devices have no content, which is another than the one wanted.
    let sum = sum.as_deref().unwrap_or("DIRECTORY_OR_OTHER");
    let holds = (sum == wanted) == (operation == "equals");
    let message = format!("checksum={sum} op={operation} specified_checksum={wanted}");
    Ok(Some(holds.then_some(message)))
}

fn mode(params: &Params, file: File<'_>) -> Condition {
    let wanted = mode_of(params.text("mode")?)?;
    let operation = params.text("mode_op").unwrap_or("equals");
    let mode = file.mode & PERMISSIONS;
    let holds = (mode == wanted) == (operation == "equals");
    let message = format!("mode={mode:#o} op={operation} specified_mode={wanted:#o}");
    Some(holds.then_some(message))
}

const SET_USER_OR_GROUP_ID: u32 = 0o6000;

fn suid_or_guid_set(facts: &DocumentFacts<'_>, _: &Params) -> Result<Vec<Match>, TriggerError> {
    let files = facts.files()?.iter().filter(|file| file.mode & SET_USER_OR_GROUP_ID != 0);
    let message = |file: File<'_>| {
        format!("SUID or SGID found set on file {}. Mode: {:#o}", file.path, file.mode)
    };
    Ok(files.map(|file| Match::of(message(file))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::GATE;
    use crate::gates::testing::{failure, fired, with_outputs};

    fn files() -> Value {
        let info = |kind: &str, mode: u32| {
            json!({"mode": mode, "size": 1, "type": kind, "linkdst": null}).to_string()
        };
        with_outputs(&[
            (
                "file_list/files.allinfo",
                json!({"/etc": info("dir", 0o42755), "/etc/café": info("file", 0o100_644),
                    "/etc/two words": info("file", 0o100_600)}),
            ),
            (
                "file_checksums/files.sha256sums",
                json!({"/etc": "DIRECTORY_OR_OTHER", "/etc/café": "ab", "/etc/two words": "cd"}),
            ),
            (
                "content_search/regexp_matches.all",
                json!({"/etc/café": json!({"Tk9QQVNTPV5yb290\n": [0]}).to_string()}),
            ),
        ])
    }

    #[test]
    fn names_match_at_their_start() {
        for (regex, expected) in [
            (".*caf.*", &["/etc/café"][..]),
            ("/etc/two", &["/etc/two words"]),
            ("etc", &[]),
            ("/etc$", &["/etc"]),
            ("", &["/etc", "/etc/café", "/etc/two words"]),
        ] {
            let message = |path: &&str| {
                format!(
                    "Application of regex matched file found in container: file={path} regexp={regex}"
                )
            };
            let expected: Vec<String> = expected.iter().map(message).collect();
            assert_eq!(fired(&GATE, "name_match", &[("regex", regex)], &files()), expected);
        }
        let failure = failure(&GATE, "name_match", &[("regex", "(")], &files());
        assert!(failure.contains("not a regular expression"), "{failure}");
    }

    #[test]
    fn an_attribute_is_equal_or_not_and_all_that_was_asked_for_has_to_hold() {
        let attribute = |params: &[(&str, &str)]| {
            let params = [&[("filename", "/etc/café")], params].concat();
            fired(&GATE, "attribute_match", &params, &files())
        };
        assert_eq!(
            attribute(&[("checksum", "ab"), ("mode", "00644")]),
            ["filename=/etc/café and checksum=ab op=equals specified_checksum=ab \
                 and mode=0o644 op=equals specified_mode=0o644"]
        );
        assert_eq!(
            attribute(&[("checksum", "x"), ("checksum_match", "not_equals")]),
            ["filename=/etc/café and checksum=ab op=not_equals specified_checksum=x"]
        );
        assert_eq!(
            attribute(&[("mode", "0600"), ("mode_op", "not_equals")]),
            ["filename=/etc/café and mode=0o644 op=not_equals specified_mode=0o600"]
        );
        for params in [
            &[][..],
            &[("checksum", "x")],
            &[("mode", "600")],
            &[("checksum", "ab"), ("mode", "600")],
            &[("checksum", "ab"), ("checksum_match", "not_equals")],
        ] {
            assert!(attribute(params).is_empty(), "{params:?}");
        }
        let ask = |params: &[(&str, &str)]| failure(&GATE, "attribute_match", params, &files());
        assert!(ask(&[("filename", "/etc"), ("mode", "rw-")]).contains("permissions in octal"));
        let sha1 = [("filename", "/etc/café"), ("checksum", "a"), ("checksum_algorithm", "sha1")];
        assert!(ask(&sha1).contains("does not tell sha1 sums"));
    }

    #[test]
    fn a_directory_has_another_checksum_and_a_missing_file_fires_if_asked() {
        let directory = [("filename", "/etc"), ("checksum", "x"), ("checksum_match", "not_equals")];
        assert_eq!(
            fired(&GATE, "attribute_match", &directory, &files()),
            ["filename=/etc and checksum=DIRECTORY_OR_OTHER op=not_equals specified_checksum=x"]
        );
        let same = [("filename", "/etc"), ("checksum", "x")];
        assert!(fired(&GATE, "attribute_match", &same, &files()).is_empty());
        let missing = [("filename", "/nope")];
        assert!(fired(&GATE, "attribute_match", &missing, &files()).is_empty());
        let missing = [("filename", "/nope"), ("skip_missing", "false")];
        assert_eq!(
            fired(&GATE, "attribute_match", &missing, &files()),
            ["filename=/nope and skip_missing=False"]
        );
    }

    #[test]
    fn set_id_bits_of_users_and_groups_fire() {
        assert_eq!(
            fired(&GATE, "suid_or_guid_set", &[], &files()),
            ["SUID or SGID found set on file /etc. Mode: 0o42755"]
        );
    }

    #[test]
    fn an_expression_is_named_by_its_name_its_text_or_its_key() {
        let message = "File content analyzer found regexp match in container: \
                       file=/etc/café regexp=NOPASS=^root";
        for name in ["NOPASS", "^root", "NOPASS=^root", "Tk9QQVNTPV5yb290\n", "Tk9QQVNTPV5yb290"] {
            let params = [("regex_name", name)];
            assert_eq!(fired(&GATE, "content_regex_match", &params, &files()), [message], "{name}");
        }
        assert_eq!(fired(&GATE, "content_regex_match", &[], &files()), [message]);
        let other = [("regex_name", "PASS")];
        assert!(fired(&GATE, "content_regex_match", &other, &files()).is_empty());
    }
}
