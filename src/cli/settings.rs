//! Where an option's value comes from when it is not typed: the environment
//! (`INSCAN_` and the flag's name), then the settings file, then the default.
//! Nothing else in the program looks at either.
//!
//! The file is YAML. A key at the top is the long name of a flag, and holds for
//! every command that has the flag; a section named after a command holds for
//! that command alone.
//!
//! A file that nobody named and that lies in the working directory may be that of a
//! checkout, and so of whoever is to be judged: it may make things stricter and nicer,
//! below what the user's own file says, and nothing else ([`HARMLESS`]).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::OsStr;
use clap::{Arg, ArgMatches, Command};
use inscan_facts::encoding;
use serde_json::Value;

use super::environment::Environment;
use super::failure::{Failure, Result};

/// Larger is no settings file.
const MAX_SIZE: u64 = 1 << 20;

/// The settings of one file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settings {
    values: BTreeMap<String, Value>,
}

/// Gives every flag of every command its environment variable.
pub(super) fn with_environment(command: Command) -> Command {
    let command = command.mut_args(|arg| match (arg.get_long(), arg.is_positional()) {
        (Some(long), false) if !matches!(long, "help" | "version") => {
            let name = variable(long);
            if is_passed_over(long, Environment::get().raw(&name)) {
                return arg;
            }
            // Values are not shown in `--help`: one day one of them is a token.
            arg.env(name).hide_env_values(true)
        }
        _ => arg,
    });
    command.mut_subcommands(with_environment)
}

fn variable(long: &str) -> String {
    format!("INSCAN_{}", long.replace('-', "_").to_uppercase())
}

/// Flags whose variable is not passed over where it is set to nothing: a job that means to set
/// a gate, and sets none, is not to pass.
const GATES: [&str; 9] = [
    "baseline",
    "db-max-age",
    "epss-above",
    "fail-on",
    "fail-on-kev",
    "fail-on-secrets",
    "on-uncovered",
    "policy",
    "policy-id",
];

/// A variable that is set to nothing is as good as not set, as in shells; and one with several
/// outputs is read by [`with_outputs`].
fn is_passed_over(long: &str, value: Option<&OsString>) -> bool {
    let Some(value) = value else { return false };
    value.is_empty() && !GATES.contains(&long)
        || long == "output" && value.to_str().is_some_and(|text| outputs(text).len() > 1)
}

/// `INSCAN_OUTPUT` with several outputs, between commas or line feeds, as defaults: above the
/// settings files, below what is typed.
pub(super) fn with_outputs(command: Command) -> Command {
    let Some(text) = Environment::get().text(&variable("output")) else { return command };
    let outputs = outputs(text);
    if outputs.len() < 2 {
        return command;
    }
    let subcommands: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    subcommands.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |sub| {
            let several = |arg: &Arg| matches!(arg.get_action(), clap::ArgAction::Append);
            let takes =
                sub.get_arguments().any(|arg| arg.get_long() == Some("output") && several(arg));
            if takes { set(sub, "output", &outputs, &mut false) } else { sub }
        })
    })
}

/// A comma before a format's name is between two outputs, any other is part of a file's name.
fn outputs(text: &str) -> Vec<String> {
    let mut outputs: Vec<String> = Vec::new();
    for part in text.split([',', '\n']).map(str::trim) {
        let name = part.split('=').next().unwrap_or_default();
        let is_output =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        match outputs.last_mut() {
            Some(last) if !is_output && !part.is_empty() => *last = format!("{last},{part}"),
            _ if part.is_empty() => {}
            _ => outputs.push(part.to_owned()),
        }
    }
    outputs
}

/// Where the vulnerability database lies where no place is named.
pub(super) fn database() -> Option<PathBuf> {
    Some(Environment::get().data_directory()?.join("inscan/vulnerabilities.db"))
}

/// A settings file, and whether all of it holds.
#[derive(Debug, PartialEq)]
pub(super) struct SettingsFile {
    pub path: PathBuf,
    /// It was found in the working directory: only what is [`HARMLESS`] holds.
    pub found_here: bool,
}

/// The settings files that hold, each above the one before it: as named, and that one alone;
/// else what lies in the working directory, and the user's own.
pub(super) fn files(named: Option<PathBuf>) -> Vec<SettingsFile> {
    if let Some(path) = named {
        return vec![SettingsFile { path, found_here: false }];
    }
    let user = Environment::get().config_directory();
    let here = SettingsFile { path: "./.inscan.yaml".into(), found_here: true };
    let user = user.map(|user| user.join("inscan/config.yaml"));
    let user = user.map(|path| SettingsFile { path, found_here: false });
    [Some(here), user].into_iter().flatten().filter(|file| file.path.is_file()).collect()
}

/// What a file may set that lies in the working directory: how it looks, what is reported and
/// looked for beside the rest, and gates where the user has none. With a value: only to that.
/// What chooses outputs, exceptions, policies, databases, hosts, credentials, or the image's
/// platform and names, is not here.
const HARMLESS: &[(&str, Option<&str>)] = &[
    ("color", None),
    ("progress", None),
    ("timings", None),
    ("digests", None),
    ("malware", Some("true")),
    ("keep-owned", Some("true")),
    ("lockfiles", Some("true")),
    ("unimportant", Some("true")),
    ("informational", Some("true")),
    ("show-suppressed", Some("true")),
    ("fail-on", None),
    ("fail-on-kev", Some("true")),
    ("fail-on-secrets", None),
    ("epss-above", None),
    ("on-uncovered", Some("fail")),
    ("db-max-age", None),
];

fn is_harmless(key: &str, value: &Value) -> bool {
    let is_it = |(name, only): &(&str, Option<&str>)| {
        let value = || as_texts(key, value).unwrap_or_default();
        *name == key && only.is_none_or(|only| value() == [only])
    };
    HARMLESS.iter().any(is_it)
}

impl Settings {
    pub(super) fn read(file: &SettingsFile) -> Result<Settings> {
        let path = &file.path;
        if file.found_here && path.is_symlink() {
            let error = anyhow::anyhow!("`{}` is a symbolic link", path.display());
            return Err(Failure::usage(error).hint(
                "a settings file in the working directory is a file of its own; \
                 `--config FILE` reads any other",
            ));
        }
        let text = text(path, "settings file")?;
        Settings::parse(&text).map_err(|error| {
            let error = if file.found_here { without_text(&error) } else { error };
            Failure::usage(error.context(format!("settings file `{}`", path.display())))
                .hint("its keys are the long names of the flags, as in `platform: linux/arm64`")
        })
    }

    fn parse(text: &str) -> anyhow::Result<Settings> {
        if text.trim().is_empty() {
            return Ok(Settings::default());
        }
        Ok(Settings { values: serde_saphyr::from_str(text)? })
    }

    /// Leaves only what is [`HARMLESS`]; returns the keys of the rest.
    pub(super) fn restrict(&mut self) -> Vec<String> {
        let mut passed_over = Vec::new();
        self.values.retain(|key, value| match value {
            Value::Object(section) => {
                section.retain(|within, value| {
                    let holds = is_harmless(within, value);
                    if !holds {
                        passed_over.push(format!("{key}.{within}"));
                    }
                    holds
                });
                true
            }
            value => {
                let holds = is_harmless(key, value);
                if !holds {
                    passed_over.push(key.clone());
                }
                holds
            }
        });
        passed_over
    }

    /// The command with these settings as its defaults, and warnings about keys that no command knows.
    pub(super) fn apply(&self, mut command: Command) -> anyhow::Result<(Command, Vec<String>)> {
        let mut warnings = Vec::new();
        for (key, value) in &self.values {
            let known = if command.find_subcommand(key).is_some() {
                let Value::Object(section) = value else {
                    anyhow::bail!("`{key}` is a command: expected a section of its flags");
                };
                for (key_within, value) in section {
                    let values = as_texts(key_within, value)?;
                    let mut known = false;
                    command = command.mut_subcommand(key, |subcommand| {
                        set(subcommand, key_within, &values, &mut known)
                    });
                    if !known {
                        warnings.push(format!("`{key}` has no flag `--{key_within}`"));
                    }
                }
                true
            } else {
                let values = as_texts(key, value)?;
                let mut known = false;
                command = set(command, key, &values, &mut known);
                let names: Vec<String> =
                    command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
                for name in names {
                    // A command's own section says it closer.
                    if !self.section_has(&name, key) {
                        command =
                            command.mut_subcommand(name, |sub| set(sub, key, &values, &mut known));
                    } else {
                        known = true;
                    }
                }
                known
            };
            if !known {
                warnings.push(format!("no command has a flag `--{key}`"));
            }
        }
        Ok((command, warnings))
    }

    fn section_has(&self, command: &str, key: &str) -> bool {
        self.values.get(command).is_some_and(|section| section.get(key).is_some())
    }
}

/// Where the error is, and nothing of the text: the file may be somebody else's, and whoever reads
/// the log as well.
fn without_text(error: &anyhow::Error) -> anyhow::Error {
    let location = error.downcast_ref::<serde_saphyr::Error>().and_then(|error| error.location());
    match location {
        Some(at) => anyhow::anyhow!("not valid at line {}, column {}", at.line(), at.column()),
        None => anyhow::anyhow!("not valid"),
    }
}

/// The flag of a command, and of those below it.
fn set(mut command: Command, long: &str, values: &[String], known: &mut bool) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| set(sub, long, values, known));
    }
    let is_it = |arg: &&Arg| arg.get_long() == Some(long) && !arg.is_positional();
    let Some(id) = command.get_arguments().find(is_it).map(|arg| arg.get_id().clone()) else {
        return command;
    };
    *known = true;
    let values: Vec<OsStr> = values.iter().map(|value| OsStr::from(value.clone())).collect();
    command.mut_arg(id, |arg| arg.default_values(values))
}

/// A value, or a list of them, as it would be typed.
fn as_texts(key: &str, value: &Value) -> anyhow::Result<Vec<String>> {
    let as_text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => anyhow::bail!("`{key}`: expected a value or a list of values"),
    };
    match value {
        Value::Array(values) => values.iter().map(as_text).collect(),
        value => Ok(vec![as_text(value)?]),
    }
}

/// The path that `--config` or `INSCAN_CONFIG` names.
pub(super) fn named_file(matches: &ArgMatches) -> Option<PathBuf> {
    matches.get_one::<PathBuf>("config").cloned()
}

/// The text of a file that a user names to set something.
pub(super) fn text(path: &Path, what: &str) -> Result<String> {
    let read = || -> anyhow::Result<String> {
        let metadata = fs::metadata(path)?;
        anyhow::ensure!(metadata.is_file(), "not a regular file");
        anyhow::ensure!(metadata.len() <= MAX_SIZE, "larger than {MAX_SIZE} bytes");
        Ok(String::from_utf8(encoding::in_utf8(&fs::read(path)?).into_owned())?)
    };
    read().map_err(|error| {
        Failure::usage(error.context(format!("could not read {what} `{}`", path.display())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name);
        Command::new("inscan")
            .arg(flag("color").global(true))
            .subcommand(
                Command::new("scan")
                    .arg(flag("platform"))
                    .arg(flag("output").action(clap::ArgAction::Append)),
            )
            .subcommand(Command::new("analyze").arg(flag("platform")))
    }

    /// The values of a flag of `scan` after parsing, with these settings.
    fn check(settings: &str, typed: &[&str], flag: &str) -> Vec<String> {
        let settings = Settings::parse(settings).unwrap();
        let (command, _) = settings.apply(command()).unwrap();
        let typed = ["inscan", "scan"].iter().chain(typed);
        let matches = command.get_matches_from(typed);
        let scan = matches.subcommand_matches("scan").unwrap();
        scan.get_many::<String>(flag).unwrap_or_default().cloned().collect()
    }

    #[test]
    fn several_outputs_are_told_from_a_comma_in_a_name() {
        assert_eq!(outputs("table"), ["table"]);
        assert_eq!(outputs("table,sarif=a.sarif, json=b"), ["table", "sarif=a.sarif", "json=b"]);
        assert_eq!(outputs("table\njson=b\n"), ["table", "json=b"]);
        assert_eq!(outputs("json=A,B.json"), ["json=A,B.json"]);
    }

    #[test]
    fn a_variable_that_is_empty_is_none_but_for_gates() {
        let empty = OsString::new();
        assert!(is_passed_over("platform", Some(&empty)));
        assert!(!is_passed_over("fail-on", Some(&empty)));
        assert!(!is_passed_over("platform", Some(&"linux/amd64".into())));
        assert!(is_passed_over("output", Some(&"table,json=x".into())));
        assert!(!is_passed_over("platform", None));
    }

    #[test]
    fn a_flag_stands_above_the_file() {
        assert_eq!(check("platform: linux/arm64", &[], "platform"), ["linux/arm64"]);
        let typed = ["--platform", "linux/386"];
        assert_eq!(check("platform: linux/arm64", &typed, "platform"), ["linux/386"]);
    }

    #[test]
    fn a_section_of_a_command_stands_above_the_top() {
        let settings = "platform: a\nscan:\n  platform: b\n  output: [summary, document=x]\n";
        assert_eq!(check(settings, &[], "platform"), ["b"]);
        assert_eq!(check(settings, &[], "output"), ["summary", "document=x"]);
    }

    #[test]
    fn unknown_keys_are_warnings() {
        let settings = "colour: always\nscan: {platfrom: x}\n";
        let (_, warnings) = Settings::parse(settings).unwrap().apply(command()).unwrap();
        let expected = ["no command has a flag `--colour`", "`scan` has no flag `--platfrom`"];
        assert_eq!(warnings, expected);
    }

    #[test]
    fn what_lies_in_the_working_directory_makes_nothing_laxer() {
        let text = "color: never\noutput: [document=/etc/x]\ndb: other.db\nfail-on: low\n\
            only-fixed: true\nunimportant: true\nlockfiles: false\non-uncovered: fail\n\
            scan: {ignore: all.yaml, fail-on-kev: true, on-uncovered: ignore}\n";
        let mut settings = Settings::parse(text).unwrap();
        let expected =
            ["db", "lockfiles", "only-fixed", "output", "scan.ignore", "scan.on-uncovered"];
        assert_eq!(settings.restrict(), expected);
        let kept: Vec<&String> = settings.values.keys().collect();
        assert_eq!(kept, ["color", "fail-on", "on-uncovered", "scan", "unimportant"]);
        assert_eq!(settings.values["scan"], serde_json::json!({"fail-on-kev": true}));
    }

    #[test]
    fn each_harmless_key_is_a_flag_of_scan() {
        let inscan = crate::cli::definition();
        let scan = inscan.find_subcommand("scan").unwrap();
        for (key, _) in HARMLESS {
            let mut flags = scan.get_arguments().chain(inscan.get_arguments());
            assert!(flags.any(|flag| flag.get_long() == Some(*key)), "{key}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_shape_is_an_error_that_names_the_key() {
        let error = |settings: &str| {
            let settings = Settings::parse(settings).unwrap();
            settings.apply(command()).unwrap_err().to_string()
        };
        assert_eq!(error("color: {a: b}"), "`color`: expected a value or a list of values");
        assert_eq!(error("scan: 1"), "`scan` is a command: expected a section of its flags");
        assert!(Settings::parse("a: [1,").is_err());
    }
}
