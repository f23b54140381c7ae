//! Rules about Dockerfiles, and how these are read.

use serde_json::Value;

use super::*;
use crate::gates::testing::{failure, fired, image};

const DOCKERFILE: &str = r#"# comment
FROM debian:10 AS base
RUN apt-get update && \
    apt-get upgrade -y && \
  # inner comment
    rm -rf /x
from	scratch
USER [appuser]
EXPOSE 22 80/tcp 443/udp
EXPOSE 8080-8090 $PORT
HEALTHCHECK NONE \"#;

fn actual() -> Value {
    image(&[], ("Actual", DOCKERFILE))
}

fn instruction(params: &[(&str, &str)], image: &Value) -> Vec<String> {
    fired(&GATE, "instruction", params, image)
}

#[test]
fn lines_are_joined_and_comments_skipped() {
    let image = ImageFacts {
        dockerfile: DOCKERFILE.to_owned(),
        dockerfile_mode: DockerfileMode::Actual,
        ..ImageFacts::default()
    };
    let lines = parsed(&image);
    let lines: Vec<_> = lines.iter().map(|line| (&*line.instruction, line.rest.as_str())).collect();
    assert_eq!(
        lines,
        [
            ("FROM", "debian:10 AS base"),
            ("RUN", "apt-get update && apt-get upgrade -y && rm -rf /x"),
            ("FROM", "scratch"),
            ("USER", "[appuser]"),
            ("EXPOSE", "22 80/tcp 443/udp"),
            ("EXPOSE", "8080-8090 $PORT"),
            ("HEALTHCHECK", "NONE"),
        ]
    );
}

#[test]
fn checks_hold_for_lines_of_the_instruction() {
    for (name, check, value, lines) in [
        ("FROM", "=", "scratch", &["scratch"][..]),
        ("FROM", "!=", "scratch", &["debian:10 AS base"]),
        ("FROM", "exists", "", &["debian:10 AS base", "scratch"]),
        ("FROM", "in", "scratch , debian:10", &["scratch"]),
        ("FROM", "not_in", "scratch", &["debian:10 AS base"]),
        ("USER", "like", ".*app", &["[appuser]"]),
        ("USER", "like", "app", &[]),
        ("USER", "not_like", "root", &["[appuser]"]),
        ("VOLUME", "!=", "x", &[]),
        ("FROM", "=", "", &[]),
    ] {
        let params = [("instruction", name), ("check", check), ("value", value)];
        let message = |line: &&str| {
            format!(
                "Dockerfile directive '{name}' check '{check}' matched against '{value}' for line \
                 '{line}'"
            )
        };
        let expected: Vec<_> = lines.iter().map(message).collect();
        assert_eq!(instruction(&params, &actual()), expected);
    }
    let absent = |name| instruction(&[("instruction", name), ("check", "not_exists")], &actual());
    assert_eq!(
        absent("VOLUME"),
        ["Dockerfile directive 'VOLUME' not found, matching condition 'not_exists' check"]
    );
    assert!(absent("FROM").is_empty());
    let bad = [("instruction", "RUN"), ("check", "like"), ("value", "(")];
    let failure = failure(&GATE, "instruction", &bad, &actual());
    assert!(failure.contains("not a regular expression"), "{failure}");
}

#[test]
fn a_guessed_dockerfile_is_skipped_where_the_actual_one_is_asked_for() {
    let exists = [("instruction", "RUN"), ("check", "exists")];
    let only = [exists[0], exists[1], ("actual_dockerfile_only", "TRUE")];
    for (mode, all, actual, not_provided) in
        [("Actual", 1, 1, 0), ("Guessed", 1, 0, 1), ("Unknown", 0, 0, 1)]
    {
        let image = image(&[], (mode, "RUN a"));
        assert_eq!(instruction(&exists, &image).len(), all, "{mode}");
        assert_eq!(instruction(&only, &image).len(), actual, "{mode}");
        let found = fired(&GATE, "no_dockerfile_provided", &[], &image);
        assert_eq!(found.len(), not_provided, "{mode}");
    }
}

#[test]
fn the_last_user_counts_and_without_one_it_is_root() {
    let denied = " found as effective user, which is explicity not allowed list";
    let other = " found as effective user, which is not on the allowed list";
    for (dockerfile, users, kind, expected) in [
        ("FROM a", "root, docker", "blacklist", Some(("root", denied))),
        ("FROM a", "root", "allowlist", None),
        ("USER root\nUSER app", "root", "denylist", None),
        ("USER root\nUSER app", "root", "whitelist", Some(("app", other))),
        ("USER [app]", "app", "blacklist", Some(("app", denied))),
        ("USER root:root", "root", "blacklist", Some(("root:root", denied))),
        ("USER 0", "root", "blacklist", Some(("0", denied))),
        ("USER 0:5", "root", "whitelist", None),
        ("USER app:root", "root", "blacklist", None),
    ] {
        let image = image(&[], ("Actual", dockerfile));
        let found = fired(&GATE, "effective_user", &[("users", users), ("type", kind)], &image);
        let expected = expected.map(|(user, words)| format!("User {user}{words}"));
        assert_eq!(found, Vec::from_iter(expected), "{dockerfile} {users} {kind}");
    }
}

#[test]
fn ports_are_compared_without_protocol_and_within_ranges() {
    for (ports, kind, expected) in [
        ("22", "blacklist", &["22"][..]),
        ("80, 443", "denylist", &["80/tcp", "443/udp"]),
        ("8085", "blacklist", &["8080-8090"]),
        ("8091,0,9", "blacklist", &[]),
        ("22,80,443", "whitelist", &["8080-8090", "$PORT"]),
        ("22", "allowlist", &["80/tcp", "443/udp", "8080-8090", "$PORT"]),
    ] {
        let list = match kind {
            "whitelist" | "allowlist" => "which is not in policy file ALLOWEDPORTS list",
            _ => "which is in policy file DENIEDPORTS list",
        };
        let message = |port: &&str| format!("Dockerfile exposes port ({port}) {list}");
        let expected: Vec<_> = expected.iter().map(message).collect();
        let params = [("ports", ports), ("type", kind)];
        assert_eq!(fired(&GATE, "exposed_ports", &params, &actual()), expected);
    }
    let range = image(&[], ("Actual", "EXPOSE 80-81"));
    let params = [("ports", "80,81"), ("type", "whitelist")];
    assert!(fired(&GATE, "exposed_ports", &params, &range).is_empty());
    let endless = image(&[], ("Actual", "EXPOSE 0-4294967295"));
    assert_eq!(fired(&GATE, "exposed_ports", &params, &endless).len(), 1);
}

#[test]
fn what_builders_write_into_the_history_is_understood() {
    let history = "FROM scratch\nRUN USER app\nRUN EXPOSE map[22/tcp:{} 80/tcp:{}]\n\
                   RUN RUN /bin/sh -c true # buildkit\nRUN /bin/sh -c USER\n";
    let guessed = image(&[], ("Guessed", history));
    let params = [("ports", "22"), ("type", "blacklist")];
    assert_eq!(
        fired(&GATE, "exposed_ports", &params, &guessed),
        ["Dockerfile exposes port (22/tcp) which is in policy file DENIEDPORTS list"]
    );
    let root = [("users", "root"), ("type", "blacklist")];
    assert!(fired(&GATE, "effective_user", &root, &guessed).is_empty());
    let run = instruction(&[("instruction", "RUN"), ("check", "exists")], &guessed);
    assert_eq!(run.len(), 2, "{run:?}");
    assert!(run[0].ends_with("for line '/bin/sh -c true # buildkit'"), "{run:?}");
    // In one that was given it is what it says.
    let given = image(&[], ("Actual", "RUN USER app"));
    assert_eq!(fired(&GATE, "effective_user", &root, &given).len(), 1);
}
