//! The packages of the image, of the OS and of languages, and whether the files
//! of OS packages are as they were installed.

mod verify;

use std::cmp::Ordering;

use super::comparison::{TEXTS, is_of_type, order_holds, text_holds};
use crate::facts::{DocumentFacts, Package};
use crate::params::{Invalid, Params, ValueError};
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use inscan_evaluate::versions;
use inscan_python_regex::text::Pattern;

pub(super) static GATE: Gate = Gate {
    name: "packages",
    about: "The packages of the operating system and of languages: which have to be there, which \
            must not, and whether their files were changed",
    triggers: &[
        Trigger {
            name: "required_package",
            aliases: &[],
            about: "Fires where a package is missing, or there in another version than asked for; \
                    install it",
            params: &[
                Param::required("name", Kind::Text, "libssl3", "The name of the package"),
                Param::optional(
                    "version",
                    Kind::Text,
                    "3.0.11-1~deb12u2",
                    "The version it has to be",
                ),
                Param::optional(
                    "version_match_type",
                    Kind::OneOf(&["exact", "minimum"]),
                    "minimum",
                    "Whether it has to be this version, or this or a later one",
                )
                .or("exact"),
            ],
            check: None,
            fire: required_package,
        },
        Trigger {
            name: "verify",
            aliases: &[],
            about: "Fires for each file of an OS package that is missing or not as the package \
                    manager recorded it; install the package anew, or find out who changed it",
            params: &[
                Param::optional(
                    "only_packages",
                    Kind::List,
                    "libssl3,openssl",
                    "Look at the files of these packages only",
                ),
                Param::optional(
                    "only_directories",
                    Kind::List,
                    "/usr,/etc",
                    "Look at paths that begin so only",
                ),
                Param::optional(
                    "check",
                    Kind::OneOf(&["changed", "missing"]),
                    "changed",
                    "Tell of changed files only, or of missing ones",
                ),
            ],
            check: None,
            fire: verify::verify,
        },
        Trigger {
            name: "blacklist",
            aliases: &["denylist"],
            about: "Fires for each installed package with a forbidden name, or a forbidden version \
                    of it; remove it, or update it",
            params: &[
                Param::required("name", Kind::Text, "telnetd", "The name of the package"),
                Param::optional(
                    "version",
                    Kind::Text,
                    "0.17",
                    "Forbid this version only (of rpm and apk packages without the release)",
                ),
            ],
            check: None,
            fire: blacklist,
        },
        Trigger {
            name: "metadata",
            aliases: &[],
            about: "Fires for each installed package that all given checks hold for; remove it, or \
                    update it",
            params: &[
                Param::optional(
                    "type",
                    Kind::Text,
                    "npm",
                    "The type of package: as in package URLs, or `os`, `non-os`, `all`",
                ),
                Param::optional("name", Kind::Text, "libssl.*", "What the name is held against"),
                Param::optional(
                    "name_comparison",
                    Kind::OneOf(TEXTS),
                    "like",
                    "How it is held against it; `like` is a regular expression that matches at its \
                     start, `in` a list between commas",
                )
                .or("="),
                Param::optional("version", Kind::Text, "3.0", "What the version is held against"),
                Param::optional(
                    "version_comparison",
                    Kind::OneOf(VERSIONS),
                    "<",
                    "How it is held against it; earlier and later are as the package's manager \
                     orders them",
                )
                .or("="),
            ],
            check: Some(check_patterns),
            fire: metadata,
        },
    ],
};

const VERSIONS: &[&str] = &["=", "!=", "<", "<=", ">", ">=", "like", "not_like", "in", "not_in"];

fn required_package(
    facts: &DocumentFacts<'_>,
    params: &Params,
) -> Result<Vec<Match>, TriggerError> {
    let name = params.text("name").unwrap_or_default();
    let version = params.text("version");
    let is_minimum = params.text("version_match_type") == Some("minimum");
    let mut packages = facts.packages()?.iter().filter(|package| package.name == name).peekable();
    if packages.peek().is_none() {
        let version = version.map(|version| format!(",{version}")).unwrap_or_default();
        let message =
            format!("Required input package ({name}{version}) is not present in container image");
        return Ok(vec![Match::of(message)]);
    }
    let Some(wanted) = version else { return Ok(Vec::new()) };
    let mut matches = Vec::new();
    for package in packages {
        let installed = package.full_version();
        if installed == wanted {
            continue;
        }
        if !is_minimum {
            // The engine prints the name where the version should be; ids are made of it.
            matches.push(Match::of(format!(
                "Required input package ({name}) is present ({installed}), but not at the version \
                 specified in policy ({name})"
            )));
        } else if facts.is_of_engine() && !package.is_of_os {
            return Err(TriggerError::NotAnswerable(format!(
                "the legacy engine compares versions of the distribution's packages only, and \
                 `{name}` is none: analyze the image anew, or ask for the exact version"
            )));
        } else if order(package, &installed, wanted)? == Ordering::Less {
            matches.push(Match::of(format!(
                "Required min-version input package ({name}) is present ({installed}), but is \
                 lower version than what is specified in policy ({wanted})"
            )));
        }
    }
    Ok(matches)
}

fn order(package: &Package, installed: &str, wanted: &str) -> Result<Ordering, TriggerError> {
    let Package { kind, name, .. } = package;
    let Some(scheme) = versions::of_package(kind, name) else {
        return Err(TriggerError::NotAnswerable(format!(
            "the order of `{kind}` versions is not known: ask for the exact version of `{name}`"
        )));
    };
    versions::compare(scheme, installed, wanted).map_err(|error| {
        TriggerError::NotAnswerable(format!(
            "the versions of `{name}` cannot be compared: {error}: write `version` as `{kind}` \
             packages have it"
        ))
    })
}

fn blacklist(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let name = params.text("name").unwrap_or_default();
    let version = params.text("version");
    let forbidden = facts.packages()?.iter().filter(|package| {
        package.name == name && version.is_none_or(|version| package.version == version)
    });
    let version = version.map(|version| format!("-{version}")).unwrap_or_default();
    let message = format!("Package is blacklisted: {name}{version}");
    Ok(forbidden.map(|_| Match::of(message.clone())).collect())
}

/// Expressions have to be such, and something has to be checked.
fn check_patterns(params: &Params) -> Result<(), Invalid> {
    for (param, comparison) in [("name", "name_comparison"), ("version", "version_comparison")] {
        if let (Some(value), Some("like" | "not_like")) =
            (params.text(param), params.text(comparison))
        {
            Pattern::new(value).map_err(|error| Invalid {
                param,
                kind: None,
                error: ValueError::Pattern(error),
            })?;
        }
    }
    match ["type", "name", "version"].iter().any(|name| params.text(name).is_some()) {
        true => Ok(()),
        false => Err(Invalid {
            param: "name",
            kind: None,
            error: ValueError::Absent("or else `type` or `version`".to_owned()),
        }),
    }
}

fn metadata(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let kind = params.text("type").unwrap_or_default();
    let comparison = |name| params.text(name).unwrap_or("=");
    let mut matches = Vec::new();
    for package in facts.packages()? {
        let version = package.full_version();
        let is_named = || match params.text("name") {
            Some(name) => holds("name", comparison("name_comparison"), &package.name, name),
            None => Ok(true),
        };
        let is_version = || match (params.text("version"), comparison("version_comparison")) {
            (None, _) => Ok(true),
            (Some(wanted), check @ ("<" | "<=" | ">" | ">=")) => {
                Ok(order_holds(check, order(package, &version, wanted)?))
            }
            (Some(wanted), check) => holds("version", check, &version, wanted),
        };
        if is_of_type(&package.kind, package.is_of_os, kind) && is_named()? && is_version()? {
            matches.push(Match::of(format!(
                "Package matches the rule: {}-{version} ({})",
                package.name, package.kind
            )));
        }
    }
    Ok(matches)
}

fn holds(param: &'static str, check: &str, text: &str, value: &str) -> Result<bool, TriggerError> {
    text_holds(check, text, value).map_err(|error| TriggerError::Pattern { param, error })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::GATE;
    use crate::gates::testing::{failure, fired, with_outputs};

    fn packages() -> Value {
        let os = |kind: &str, version: &str, release: &str| {
            json!({"type": kind, "version": version, "release": release}).to_string()
        };
        with_outputs(&[
            (
                "package_list/pkgs.allinfo",
                json!({"musl": os("APKG", "1.1.18", "r2"), "libfoo1": os("dpkg", "1:2.3-4", "N/A")}),
            ),
            (
                "package_list/pkgs.python",
                json!({"/x": r#"{"name": "requests", "version": "2.23.0"}"#}),
            ),
            ("package_list/pkgs.new", json!({"/y": r#"{"name": "odd", "version": "1"}"#})),
        ])
    }

    #[test]
    fn a_required_package_has_to_be_there_in_the_version() {
        let minimum = ("version_match_type", "minimum");
        let low = |name: &str, installed: &str, wanted: &str| {
            format!(
                "Required min-version input package ({name}) is present ({installed}), but is \
                 lower version than what is specified in policy ({wanted})"
            )
        };
        let absent = |what: &str| {
            format!("Required input package ({what}) is not present in container image")
        };
        for (params, expected) in [
            (&[("name", "musl")][..], vec![]),
            (&[("name", "nope")], vec![absent("nope")]),
            (&[("name", "nope"), ("version", "1")], vec![absent("nope,1")]),
            (&[("name", "musl"), ("version", "1.1.18-r2")], vec![]),
            (
                &[("name", "musl"), ("version", "1.1.18")],
                vec![
                    "Required input package (musl) is present (1.1.18-r2), but not at the version \
                     specified in policy (musl)"
                        .to_owned(),
                ],
            ),
            (&[("name", "musl"), ("version", "1.1.18-r1"), minimum], vec![]),
            (
                &[("name", "musl"), ("version", "1.1.18-r10"), minimum],
                vec![low("musl", "1.1.18-r2", "1.1.18-r10")],
            ),
            (&[("name", "libfoo1"), ("version", "9"), minimum], vec![]),
            (&[("name", "requests"), ("version", "2.3"), minimum], vec![]),
            (
                &[("name", "requests"), ("version", "2.24"), minimum],
                vec![low("requests", "2.23.0", "2.24")],
            ),
            (&[("name", "musl"), minimum], vec![]),
        ] {
            assert_eq!(fired(&GATE, "required_package", params, &packages()), expected);
        }
        let ask = |params: &[(&str, &str)]| failure(&GATE, "required_package", params, &packages());
        let unknown = ask(&[("name", "odd"), ("version", "2"), minimum]);
        assert!(unknown.contains("ask for the exact version of `odd`"), "{unknown}");
        let unreadable = ask(&[("name", "requests"), ("version", "new"), minimum]);
        assert!(unreadable.contains("cannot be compared"), "{unreadable}");
    }

    #[test]
    fn a_forbidden_package_fires_by_name_or_version_without_release() {
        for (params, expected) in [
            (&[("name", "musl")][..], &["Package is blacklisted: musl"][..]),
            (&[("name", "mus")], &[]),
            (&[("name", "musl"), ("version", "1.1.18")], &["Package is blacklisted: musl-1.1.18"]),
            (&[("name", "musl"), ("version", "1.1.18-r2")], &[]),
            (
                &[("name", "libfoo1"), ("version", "1:2.3-4")],
                &["Package is blacklisted: libfoo1-1:2.3-4"],
            ),
            (&[("name", "requests")], &["Package is blacklisted: requests"]),
        ] {
            assert_eq!(fired(&GATE, "denylist", params, &packages()), expected);
        }
    }

    #[test]
    fn metadata_fires_where_all_checks_hold() {
        let (musl, libfoo) = ("musl-1.1.18-r2 (apk)", "libfoo1-1:2.3-4 (deb)");
        let requests = "requests-2.23.0 (pypi)";
        for (params, expected) in [
            (&[("type", "os")][..], &[libfoo, musl][..]),
            (&[("type", "python")], &[requests]),
            (&[("name", "musl")], &[musl]),
            (&[("name", "(musl|req)"), ("name_comparison", "like")], &[musl, requests]),
            (&[("name", "musl,libfoo1"), ("name_comparison", "in"), ("type", "apk")], &[musl]),
            (&[("name", "requests"), ("version", "2.23.0")], &[requests]),
            (&[("name", "requests"), ("version", "2.3"), ("version_comparison", ">")], &[requests]),
            (&[("name", "requests"), ("version", "2.3"), ("version_comparison", "<=")], &[]),
            (&[("name", "musl"), ("version", "1.1.*"), ("version_comparison", "not_like")], &[]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|it| format!("Package matches the rule: {it}")).collect();
            assert_eq!(fired(&GATE, "metadata", params, &packages()), expected, "{params:?}");
        }
        for (params, expected) in [
            (&[][..], "or else `type` or `version`"),
            (&[("name", "("), ("name_comparison", "like")], "not a regular expression"),
            (
                &[("name", "odd"), ("version", "1"), ("version_comparison", "<")],
                "the order of `new` versions is not known",
            ),
        ] {
            let failure = failure(&GATE, "metadata", params, &packages());
            assert!(failure.contains(expected), "{failure}");
        }
    }
}
