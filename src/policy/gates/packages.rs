//! The packages of the image, of the OS and of languages, and whether the files
//! of OS packages are as they were installed.

use std::cmp::Ordering;

use super::comparison::{TEXTS, is_of_type, order_holds, text_holds};
use crate::policy::facts::{Facts, File, FileKind, Package, PackageFile};
use crate::policy::params::{Invalid, Params, ValueError};
use crate::policy::regex::Pattern;
use crate::policy::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};
use crate::versions;

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
            fire: verify,
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

fn required_package(facts: &Facts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
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

fn verify(facts: &Facts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let packages = params.list("only_packages");
    let directories = params.list("only_directories");
    let check = params.text("check");
    let mut matches = Vec::new();
    for recorded in facts.package_files()? {
        let PackageFile { path, package, .. } = recorded;
        let is_looked_at = packages
            .is_none_or(|names| names.iter().any(|name| **name == **package))
            && directories.is_none_or(|starts| starts.iter().any(|start| path.starts_with(start)));
        if !is_looked_at {
            continue;
        }
        if let Some(status) = difference(facts, recorded)?
            && check.is_none_or(|check| check == status)
        {
            matches.push(Match::of(format!(
                "VERIFY check against package db for package '{package}' failed on entry '{path}' \
                 with status: '{status}'"
            )));
        }
    }
    Ok(matches)
}

/// How a file is not as it was recorded. What is there to be changed never differs.
fn difference(
    facts: &Facts<'_>,
    recorded: &PackageFile,
) -> Result<Option<&'static str>, TriggerError> {
    if recorded.is_config {
        return Ok(None);
    }
    let files = facts.files()?;
    let Some(file) = files.get(&recorded.path).or_else(|| files.behind_links(&recorded.path))
    else {
        return Ok(Some("missing"));
    };
    let is_changed = has_other_mode(recorded, file)
        || has_other_size(recorded, file)
        || has_other_content(facts, recorded, file)?;
    Ok(is_changed.then_some("changed"))
}

const PERMISSIONS: u32 = 0o7777;

/// Type bits count where they were recorded.
fn has_other_mode(recorded: &PackageFile, file: &File<'_>) -> bool {
    let mode = recorded.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
    mode.is_some_and(|mode| {
        let mask = if mode > PERMISSIONS { u32::MAX } else { PERMISSIONS };
        file.mode & mask != mode
    })
}

/// Directories and links have sizes of the file system's own.
fn has_other_size(recorded: &PackageFile, file: &File<'_>) -> bool {
    file.kind == FileKind::File && recorded.size.is_some_and(|size| size != file.size)
}

fn has_other_content(
    facts: &Facts<'_>,
    recorded: &PackageFile,
    file: &File<'_>,
) -> Result<bool, TriggerError> {
    let Some(digest) = recorded.digest.as_deref().filter(|_| file.kind == FileKind::File) else {
        return Ok(false);
    };
    // Where rpm says of no algorithm, it is its first one.
    let algorithm = match &*recorded.algorithm {
        "unknown" if digest.len() == 32 => "md5",
        known @ ("md5" | "sha1" | "sha256") => known,
        _ => return Ok(false),
    };
    if !facts.has_sums(algorithm) {
        return Ok(false);
    }
    Ok(facts.sum(algorithm, &file.path)?.is_some_and(|sum| !sum.eq_ignore_ascii_case(digest)))
}

fn blacklist(facts: &Facts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
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
            Pattern::new(value)
                .map_err(|error| Invalid { param, error: ValueError::Pattern(error) })?;
        }
    }
    match ["type", "name", "version"].iter().any(|name| params.text(name).is_some()) {
        true => Ok(()),
        false => Err(Invalid {
            param: "name",
            error: ValueError::Absent("or else `type` or `version`".to_owned()),
        }),
    }
}

fn metadata(facts: &Facts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
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
    use crate::policy::gates::testing::{failure, fired, with_outputs};

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

    /// Of a file that should be of two bytes with this digest, in a link's directory.
    fn verified(mode: u32, size: u64, recorded: &str) -> Vec<String> {
        let info = |kind: &str, mode: u32, size: u64, link: Value| {
            json!({"mode": mode, "size": size, "type": kind, "linkdst": link}).to_string()
        };
        let files = json!({
            "/bin": info("slink", 0o120_777, 7, json!("usr/bin")),
            "/usr/bin": info("dir", 0o40_755, 0, Value::Null),
            "/usr/bin/a": info("file", mode, size, Value::Null),
            "/loop": info("slink", 0o120_777, 7, json!("loop")),
        });
        let image = with_outputs(&[
            ("file_list/files.allinfo", files),
            ("file_checksums/files.md5sums", json!({"/usr/bin/a": "00".repeat(16)})),
            ("file_package_verify/distro.pkgfilemeta", serde_json::from_str(recorded).unwrap()),
        ]);
        let prefix = "VERIFY check against package db for package 'p' failed on entry ";
        let found = fired(&GATE, "verify", &[], &image);
        found.iter().map(|message| message.strip_prefix(prefix).unwrap().to_owned()).collect()
    }

    #[test]
    fn a_file_is_missing_or_changed_in_mode_size_or_content() {
        let zeros = "00".repeat(16);
        let ones = "11".repeat(16);
        let record = |path: &str, fields: &str| {
            let list = format!(r#"[{{"package": "p", {fields}}}]"#);
            json!({ path: list }).to_string()
        };
        let md5 = |digest: &str| format!(r#""digest": "{digest}", "digestalgo": "md5""#);
        let changed = "'/bin/a' with status: 'changed'";
        for (mode, size, fields, expected) in [
            (0o100_755, 2, md5(&zeros), None),
            (0o100_755, 2, md5(&ones), Some(changed)),
            (0o100_755, 2, format!(r#""conffile": true, {}"#, md5(&ones)), None),
            (0o100_755, 2, md5(&ones).replace("md5", "unknown"), Some(changed)),
            (0o100_755, 2, md5(&ones).replace("md5", "sha512"), None),
            (0o100_755, 2, md5(&ones).replace("md5", "sha1"), None),
            (0o100_755, 2, r#""mode": "0755", "size": "2""#.into(), None),
            (0o104_755, 2, r#""mode": "0755""#.into(), Some(changed)),
            (0o100_755, 2, r#""mode": "100755""#.into(), None),
            (0o100_755, 2, r#""mode": "40755""#.into(), Some(changed)),
            (0o100_755, 2, r#""size": "3""#.into(), Some(changed)),
            (0o100_755, 2, r#""size": null, "mode": null, "digest": null"#.into(), None),
        ] {
            let found = verified(mode, size, &record("/bin/a", &fields));
            assert_eq!(found, Vec::from_iter(expected), "{mode:o} {fields}");
        }
        for path in ["/bin/b", "/loop/a", "/a", "/bin/../../a"] {
            let found = verified(0o100_755, 2, &record(path, "\"size\": null"));
            assert_eq!(found, [format!("'{path}' with status: 'missing'")]);
        }
        let directory = verified(0, 0, &record("/usr/bin", r#""size": "4096", "mode": "40755""#));
        assert!(directory.is_empty(), "{directory:?}");
        let link = verified(0, 0, &record("/bin", r#""mode": "0777""#));
        assert!(link.is_empty(), "{link:?}");
    }

    #[test]
    fn packages_directories_and_kinds_can_be_chosen() {
        let record = |package: &str| format!(r#"[{{"package": "{package}"}}]"#);
        let image = with_outputs(&[(
            "file_package_verify/distro.pkgfilemeta",
            json!({"/a/b": record("p"), "/c": record("q")}),
        )]);
        for (params, expected) in [
            (&[][..], 2),
            (&[("only_packages", "p, x")], 1),
            (&[("only_directories", "/a")], 1),
            (&[("only_directories", "/b")], 0),
            (&[("check", "missing")], 2),
            (&[("check", "changed")], 0),
        ] {
            assert_eq!(fired(&GATE, "verify", params, &image).len(), expected, "{params:?}");
        }
    }
}
