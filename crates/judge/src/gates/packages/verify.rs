//! Whether the files of OS packages are as their package manager recorded them.

use crate::facts::{DocumentFacts, File, FileKind, PackageFile};
use crate::params::Params;
use crate::spec::{Match, TriggerError};

pub(super) fn verify(
    facts: &DocumentFacts<'_>,
    params: &Params,
) -> Result<Vec<Match>, TriggerError> {
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

/// How a file is not as it was recorded. What is there to be changed is at most missing.
fn difference(
    facts: &DocumentFacts<'_>,
    recorded: &PackageFile,
) -> Result<Option<&'static str>, TriggerError> {
    let files = facts.files()?;
    // The engine follows no links.
    let elsewhere = || files.behind_links(&recorded.path).filter(|_| !facts.is_of_engine());
    let Some(file) = files.get(&recorded.path).or_else(elsewhere) else {
        return Ok(Some("missing"));
    };
    if recorded.is_config {
        return Ok(None);
    }
    let is_changed = has_other_mode(recorded, file)
        || has_other_size(recorded, file)
        || has_other_content(facts, recorded, file)?;
    Ok(is_changed.then_some("changed"))
}

const PERMISSIONS: u32 = 0o7777;

/// Type bits count where they were recorded. Links have no permissions of their own.
fn has_other_mode(recorded: &PackageFile, file: File<'_>) -> bool {
    if !matches!(file.kind, FileKind::File | FileKind::Directory) {
        return false;
    }
    let mode = recorded.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
    mode.is_some_and(|mode| {
        let mask = if mode > PERMISSIONS { u32::MAX } else { PERMISSIONS };
        file.mode & mask != mode
    })
}

/// Directories and links have sizes of the file system's own.
fn has_other_size(recorded: &PackageFile, file: File<'_>) -> bool {
    file.kind == FileKind::File && recorded.size.is_some_and(|size| size != file.size)
}

fn has_other_content(
    facts: &DocumentFacts<'_>,
    recorded: &PackageFile,
    file: File<'_>,
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
    Ok(facts.sum(algorithm, file.path)?.is_some_and(|sum| !sum.eq_ignore_ascii_case(digest)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::gates::packages::GATE;
    use crate::gates::testing::{fired, with_outputs};

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
        let link = verified(0, 0, &record("/bin", r#""mode": "0700""#));
        assert!(link.is_empty(), "{link:?}");
        let config = verified(0, 0, &record("/etc/gone", r#""conffile": true"#));
        assert_eq!(config, ["'/etc/gone' with status: 'missing'"]);
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
