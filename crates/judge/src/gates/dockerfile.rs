//! What the image's Dockerfile says: the actual one where it was given to the
//! analysis, or else what the image's history lets guess. The format is
//! <https://docs.docker.com/reference/dockerfile/>.

use super::comparison::text_holds;
use crate::facts::{DockerfileMode, DocumentFacts, ImageFacts};
use crate::params::{Invalid, Params, ValueError};
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use inscan_document::config::ContainerConfig;
use inscan_python_regex::text::Pattern;

const ACTUAL_ONLY: Param = Param::optional(
    "actual_dockerfile_only",
    Kind::Boolean,
    "true",
    "Pass over Dockerfiles that are guessed from the image's history",
)
.or("false");

const LIST_TYPE: Kind = Kind::OneOf(&["whitelist", "blacklist", "allowlist", "denylist"]);

pub(super) static GATE: Gate = Gate {
    name: "dockerfile",
    about: "What the Dockerfile says: the one given with `--dockerfile`, or else the one that the \
            image's history and configuration let guess",
    triggers: &[
        Trigger {
            name: "instruction",
            aliases: &[],
            about: "Fires for each line of an instruction that the check holds for, or once where \
                    the instruction is missing; change that line of the Dockerfile",
            params: &[
                Param::required(
                    "instruction",
                    Kind::OneOf(INSTRUCTIONS),
                    "HEALTHCHECK",
                    "The instruction whose lines are looked at",
                ),
                Param::required(
                    "check",
                    Kind::OneOf(&[
                        "=",
                        "!=",
                        "exists",
                        "not_exists",
                        "like",
                        "not_like",
                        "in",
                        "not_in",
                    ]),
                    "not_exists",
                    "How the text behind the instruction is held against the value; `like` is a \
                     regular expression that matches at its start, `in` a list between commas",
                ),
                Param::optional(
                    "value",
                    Kind::Text,
                    ".*latest.*",
                    "What it is held against; every check but `exists` and `not_exists` needs it",
                ),
                ACTUAL_ONLY,
            ],
            check: Some(check_value),
            fire: instruction,
        },
        Trigger {
            name: "effective_user",
            aliases: &[],
            about: "Fires where the user that containers run as is forbidden, or not among those \
                    allowed; end the Dockerfile with `USER` and an account of its own",
            params: &[
                Param::required("users", Kind::List, "root,docker", "Names or numbers of users"),
                Param::required(
                    "type",
                    LIST_TYPE,
                    "denylist",
                    "Whether these users are forbidden, or the only ones allowed",
                ),
            ],
            check: None,
            fire: effective_user,
        },
        Trigger {
            name: "exposed_ports",
            aliases: &[],
            about: "Fires for each exposed port that is forbidden, or not among those allowed; \
                    take it out of `EXPOSE`, and the service behind it out of the image",
            params: &[
                Param::required("ports", Kind::Numbers, "22,23", "Ports, of any protocol"),
                Param::required(
                    "type",
                    LIST_TYPE,
                    "denylist",
                    "Whether these ports are forbidden, or the only ones allowed",
                ),
                ACTUAL_ONLY,
            ],
            check: None,
            fire: exposed_ports,
        },
        Trigger {
            name: "no_dockerfile_provided",
            aliases: &[],
            about: "Fires where the analysis was not given a Dockerfile; give it with \
                    `--dockerfile`",
            params: &[],
            check: None,
            fire: no_dockerfile_provided,
        },
    ],
};

const INSTRUCTIONS: &[&str] = &[
    "ADD",
    "ARG",
    "COPY",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "USER",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "VOLUME",
    "WORKDIR",
];

fn check_value(params: &Params) -> Result<(), Invalid> {
    match (params.text("check"), params.text("value")) {
        (Some("like" | "not_like"), Some(value)) => {
            Pattern::new(value).map(drop).map_err(|error| Invalid {
                param: "value",
                kind: None,
                error: ValueError::Pattern(error),
            })
        }
        _ => Ok(()),
    }
}

fn instruction(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let Some(lines) = lines(facts, params)? else { return Ok(Vec::new()) };
    let instruction = params.text("instruction").unwrap_or_default();
    let check = params.text("check").unwrap_or_default();
    let value = params.text("value");
    let mut found = lines.iter().filter(|line| line.instruction == instruction).peekable();
    if check == "not_exists" {
        let message = format!(
            "Dockerfile directive '{instruction}' not found, matching condition '{check}' check"
        );
        return Ok(if found.peek().is_none() { vec![Match::of(message)] } else { Vec::new() });
    }
    let mut matches = Vec::new();
    for line in found {
        if holds(check, value, &line.rest)? {
            let value = value.unwrap_or_default();
            matches.push(Match::of(format!(
                "Dockerfile directive '{instruction}' check '{check}' matched against '{value}' \
                 for line '{}'",
                line.rest
            )));
        }
    }
    Ok(matches)
}

/// A check that needs a value and has none holds for nothing.
fn holds(check: &str, value: Option<&str>, text: &str) -> Result<bool, TriggerError> {
    match (check, value) {
        ("exists", _) => Ok(true),
        (check, Some(value)) => text_holds(check, text, value)
            .map_err(|error| TriggerError::Pattern { param: "value", error }),
        (_, None) => Ok(false),
    }
}

fn effective_user(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let Some(lines) = lines(facts, params)? else { return Ok(Vec::new()) };
    let last = lines.iter().rfind(|line| line.instruction == "USER");
    let last = last.map(|line| line.rest.trim_matches(['[', ']', ' ']));
    // Who containers run as stands in the image's configuration; the Dockerfile tells it
    // where that is not known.
    let user = match facts.configuration() {
        Some(config) => Some(config.user.as_str()).filter(|user| !user.is_empty()),
        None => last,
    };
    let user = user.unwrap_or("root");
    let is_listed = is_listed(user, params.list("users").unwrap_or_default());
    let message = match (is_allowlist(params), is_listed) {
        (false, true) => {
            format!("User {user} found as effective user, which is explicity not allowed list")
        }
        (true, false) => {
            format!("User {user} found as effective user, which is not on the allowed list")
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![Match::of(message)])
}

/// A group behind a colon makes no other user, and root is 0.
fn is_listed(user: &str, listed: &[String]) -> bool {
    let name = user.split(':').next().unwrap_or(user);
    let same = match name {
        "root" => "0",
        "0" => "root",
        other => other,
    };
    listed.iter().any(|listed| [user, name, same].contains(&listed.as_str()))
}

fn is_allowlist(params: &Params) -> bool {
    matches!(params.text("type"), Some("whitelist" | "allowlist"))
}

fn exposed_ports(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let Some(lines) = lines(facts, params)? else { return Ok(Vec::new()) };
    let listed = params.list("ports").unwrap_or_default();
    let mut exposed: Vec<&str> =
        lines.iter().filter(|line| line.instruction == "EXPOSE").flat_map(ports).collect();
    // What the history does not tell: of base images, and of builders that write none.
    for port in facts.configuration().iter().flat_map(|config| &config.exposed_ports) {
        if !exposed.iter().any(|told| number(told) == number(port)) {
            exposed.push(port.strip_suffix("/tcp").unwrap_or(port));
        }
    }
    // The engine compares words, also where one is a range.
    let words = facts.is_of_engine();
    let is_listed = |port: &str, of_range: fn(&str, &[String]) -> bool| match words {
        true => listed.iter().any(|listed| listed == number(port)),
        false => of_range(port, listed),
    };
    let mut matches = Vec::new();
    for port in exposed {
        let message = match is_allowlist(params) {
            true if !is_listed(port, is_within) => {
                format!(
                    "Dockerfile exposes port ({port}) which is not in policy file ALLOWEDPORTS list"
                )
            }
            false if is_listed(port, is_hit) => {
                format!("Dockerfile exposes port ({port}) which is in policy file DENIEDPORTS list")
            }
            _ => continue,
        };
        matches.push(Match::of(message));
    }
    Ok(matches)
}

/// Builders write `EXPOSE map[22/tcp:{} 80/tcp:{}]` into the history.
fn ports(line: &Line) -> impl Iterator<Item = &str> {
    let inner = line.rest.strip_prefix("map[").and_then(|rest| rest.strip_suffix(']'));
    let text = inner.unwrap_or(&line.rest);
    text.split_whitespace().map(|port| port.strip_suffix(":{}").unwrap_or(port))
}

/// Whether one of the listed ports is exposed: as it is written, or within a range.
fn is_hit(port: &str, listed: &[String]) -> bool {
    match range(port) {
        Some((first, last)) => listed
            .iter()
            .any(|port| port.parse::<u32>().is_ok_and(|port| first <= port && port <= last)),
        None => listed.iter().any(|listed| listed == number(port)),
    }
}

/// Whether all that is exposed is listed.
fn is_within(port: &str, listed: &[String]) -> bool {
    match range(port) {
        Some((first, last)) => (first..=last.min(first.saturating_add(65_535)))
            .all(|port| listed.iter().any(|listed| listed.parse::<u32>() == Ok(port))),
        None => listed.iter().any(|listed| listed == number(port)),
    }
}

/// Of `8080-8090/tcp` the ends.
fn range(port: &str) -> Option<(u32, u32)> {
    let (first, last) = number(port).split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Without its protocol.
fn number(port: &str) -> &str {
    match port.split_once('/') {
        Some((number, "tcp" | "udp")) => number,
        _ => port,
    }
}

fn no_dockerfile_provided(
    facts: &DocumentFacts<'_>,
    _: &Params,
) -> Result<Vec<Match>, TriggerError> {
    Ok(match facts.image()?.dockerfile_mode {
        DockerfileMode::Actual => Vec::new(),
        _ => vec![Match::of("Image was not analyzed with an actual Dockerfile")],
    })
}

/// An instruction, with all that is behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// In capitals.
    pub(super) instruction: String,
    pub(super) rest: String,
}

/// `None`: there is no Dockerfile that the rule is about.
fn lines(facts: &DocumentFacts<'_>, params: &Params) -> Result<Option<Vec<Line>>, TriggerError> {
    let image = facts.image()?;
    let actual_only = params.flag("actual_dockerfile_only").unwrap_or(false);
    let configured = || facts.configuration().map(of_configuration).unwrap_or_default();
    Ok(match image.dockerfile_mode {
        DockerfileMode::Guessed | DockerfileMode::Unknown if actual_only => None,
        DockerfileMode::Unknown => Some(configured()).filter(|lines| !lines.is_empty()),
        DockerfileMode::Guessed => {
            let mut lines = parsed(image);
            let known = |line: &Line| lines.iter().any(|one| one.instruction == line.instruction);
            let more: Vec<Line> = configured().into_iter().filter(|line| !known(line)).collect();
            lines.extend(more);
            Some(lines)
        }
        DockerfileMode::Actual => Some(parsed(image)),
    })
}

/// The instructions that an image's configuration is made by: builders that write no history
/// (Jib, ko, Bazel, buildpacks) leave nothing else.
fn of_configuration(config: &ContainerConfig) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut put = |instruction: &str, rest: String| {
        lines.push(Line { instruction: instruction.to_owned(), rest });
    };
    let words = |words: &[String]| serde_json::to_string(words).unwrap_or_default();
    for port in &config.exposed_ports {
        put("EXPOSE", port.strip_suffix("/tcp").unwrap_or(port).to_owned());
    }
    config.env.iter().for_each(|variable| put("ENV", variable.clone()));
    config.labels.iter().for_each(|(name, value)| put("LABEL", format!("{name}={value}")));
    config.volumes.iter().for_each(|path| put("VOLUME", path.clone()));
    config.on_build.iter().for_each(|line| put("ONBUILD", line.clone()));
    if !config.entrypoint.is_empty() {
        put("ENTRYPOINT", words(&config.entrypoint));
    }
    if !config.cmd.is_empty() {
        put("CMD", words(&config.cmd));
    }
    if let Some(check) = config.healthcheck.as_ref().filter(|check| !check.test.is_empty()) {
        put("HEALTHCHECK", check.test.join(" "));
    }
    if !config.working_dir.is_empty() {
        put("WORKDIR", config.working_dir.clone());
    }
    if let Some(signal) = &config.stop_signal {
        put("STOPSIGNAL", signal.clone());
    }
    if !config.shell.is_empty() {
        put("SHELL", words(&config.shell));
    }
    if !config.user.is_empty() {
        put("USER", config.user.clone());
    }
    lines
}

/// Lines that end in a backslash go on in the next that is no comment.
pub(super) fn parsed(image: &ImageFacts) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut joined = String::new();
    let written = image.dockerfile.lines().map(str::trim);
    for line in written.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_suffix('\\') {
            Some(part) => joined.push_str(part),
            None => {
                joined.push_str(line);
                lines.extend(split(&std::mem::take(&mut joined)));
            }
        }
    }
    lines.extend(split(&joined));
    if image.dockerfile_mode == DockerfileMode::Guessed {
        lines.iter_mut().for_each(take_builders_word);
    }
    lines
}

fn split(line: &str) -> Option<Line> {
    let (instruction, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let instruction = instruction.to_uppercase();
    (!instruction.is_empty()).then(|| Line { instruction, rest: rest.trim().to_owned() })
}

/// BuildKit writes instructions into the history as they are (`USER app`), where older builders
/// wrote commands (`/bin/sh -c #(nop)  USER app`): the guessed Dockerfile has `RUN USER app`.
fn take_builders_word(line: &mut Line) {
    if line.instruction != "RUN" {
        return;
    }
    let (first, rest) = line.rest.split_once(' ').unwrap_or((&line.rest, ""));
    if INSTRUCTIONS.contains(&first) {
        *line = Line { instruction: first.to_owned(), rest: rest.trim().to_owned() };
    }
}

#[cfg(test)]
mod tests;
