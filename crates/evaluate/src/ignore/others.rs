//! Lists of exceptions as other scanners have them: Trivy's `.trivyignore.yaml`, the `ignore:` of
//! Grype's configuration, and osv-scanner.toml. What an entry says and cannot be said here is an
//! error that names the entry and how to write it: an exception that is wider than it was meant
//! hides what nobody decided about.
//!
//! <https://trivy.dev/latest/docs/configuration/filtering/>,
//! <https://github.com/anchore/grype#specifying-matches-to-ignore>,
//! <https://google.github.io/osv-scanner/configuration/>

use inscan_facts::percent::{PURL_PART, encoded};
use jiff::civil::Date;
use serde_json::Value;

use super::Exception;
use super::lines::Lines;
use crate::ecosystem;

type Read = Result<Vec<Exception>, String>;

/// `None` where it is none of them.
pub(super) fn read(text: &str) -> Option<Read> {
    if text.contains("[[IgnoredVulns]]") || text.contains("[[PackageOverrides]]") {
        return Some(osv_scanner(text));
    }
    let file: Value = serde_saphyr::from_str(text).ok()?;
    if file["vulnerabilities"].is_array() && file.get("ignore").is_none() {
        let lines = Lines::of_yaml(text, "vulnerabilities");
        return Some(each(&file["vulnerabilities"], "vulnerabilities", &lines, trivy));
    }
    let is_grypes = |entry: &Value| {
        let keys = ["vulnerability", "fix-state", "namespace", "vex-status", "match-type"];
        keys.iter().any(|key| entry.get(key).is_some()) || entry["package"].is_object()
    };
    let entries = file["ignore"].as_array()?;
    let is_one = entries.iter().any(is_grypes);
    is_one.then(|| each(&file["ignore"], "ignore", &Lines::of_yaml(text, "ignore"), grype))
}

/// The exceptions of all entries; an error names the line and the entry, counted from 1.
fn each(entries: &Value, list: &str, lines: &Lines, read: fn(&Value) -> Read) -> Read {
    let mut all = Vec::new();
    for (number, entry) in entries.as_array().into_iter().flatten().enumerate() {
        let name = ["id", "vulnerability", "name"].iter().find_map(|key| entry[*key].as_str());
        let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
        let line = lines.get(number);
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        let wrong = |error| format!("{place}{list} entry {}{name}: {error}", number + 1);
        let read = read(entry).map_err(wrong)?;
        all.extend(read.into_iter().map(|entry| Exception { line, ..entry }));
    }
    Ok(all)
}

fn text(entry: &Value, key: &str) -> Option<String> {
    entry[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Refuses what has no meaning here.
fn only(entry: &Value, known: &[&str], hint: &str) -> Result<(), String> {
    let keys = entry.as_object().into_iter().flatten().map(|(key, _)| key);
    match keys.into_iter().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("`{key}` cannot be expressed: {hint}")),
        None => Ok(()),
    }
}

pub(super) const OWN_FORM: &str = "write it as `- {id: …, package: …, purl: 'pkg:TYPE/NAME@VERSION*', path: …, reason: …}` below `ignore:`";

fn trivy(entry: &Value) -> Read {
    only(entry, &["id", "paths", "purls", "expired_at", "statement"], OWN_FORM)?;
    let texts = |key: &str| -> Vec<String> {
        let all = entry[key].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let optional = |all: Vec<String>| -> Vec<Option<String>> {
        if all.is_empty() { vec![None] } else { all.into_iter().map(Some).collect() }
    };
    let paths: Vec<String> =
        texts("paths").iter().map(|path| one_pattern(path)).collect::<Result<_, _>>()?;
    let purls = texts("purls");
    let whole = Exception {
        id: Some(text(entry, "id").ok_or("it has no `id`")?),
        reason: text(entry, "statement"),
        expires: text(entry, "expired_at").map(|day| day_before(&day)).transpose()?,
        ..Exception::default()
    };
    let paths = optional(paths);
    let made = optional(purls).into_iter().flat_map(|purl| {
        let entry = |path: &Option<String>| Exception {
            purl: purl.clone(),
            path: path.clone(),
            ..whole.clone()
        };
        paths.iter().map(entry).collect::<Vec<_>>()
    });
    Ok(made.collect())
}

fn grype(entry: &Value) -> Read {
    let hint = format!("use an option (`--only-fixed`, `--vex`), or {OWN_FORM}");
    only(entry, &["vulnerability", "include-aliases", "reason", "package"], &hint)?;
    let package = &entry["package"];
    only(package, &["name", "version", "type", "location"], &hint)?;
    let kind = text(package, "type").map(|kind| purl_type(&kind)).transpose()?;
    let version = text(package, "version").map(|version| encoded(version, PURL_PART));
    let purl = any_of(kind.as_deref(), version.as_deref());
    Ok(vec![Exception {
        id: text(entry, "vulnerability"),
        package: text(package, "name"),
        purl,
        path: text(package, "location").map(|path| one_pattern(&path)).transpose()?,
        reason: text(entry, "reason"),
        ..Exception::default()
    }])
}

/// Syft's names of types of packages: <https://github.com/anchore/syft/blob/main/syft/pkg/type.go>.
fn purl_type(kind: &str) -> Result<String, String> {
    const TYPES: [(&str, &str); 12] = [
        ("apk", "apk"),
        ("deb", "deb"),
        ("dotnet", "nuget"),
        ("gem", "gem"),
        ("go-module", "golang"),
        ("java-archive", "maven"),
        ("npm", "npm"),
        ("php-composer", "composer"),
        ("python", "pypi"),
        ("rpm", "rpm"),
        ("rust-crate", "cargo"),
        ("conan", "conan"),
    ];
    let known = TYPES.iter().find(|(name, _)| *name == kind).map(|(_, purl)| (*purl).to_owned());
    known.ok_or_else(|| format!("the type `{kind}` is not known: {OWN_FORM}"))
}

fn osv_scanner(text: &str) -> Read {
    let file: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let file = serde_json::to_value(file).map_err(|error| error.to_string())?;
    only(&file, &["IgnoredVulns", "PackageOverrides"], "it is no exception, and is not read here")?;
    let lines = Lines::of_toml(text, "IgnoredVulns");
    let mut all = each(&file["IgnoredVulns"], "IgnoredVulns", &lines, |entry| {
        only(entry, &["id", "ignoreUntil", "reason"], OWN_FORM)?;
        Ok(vec![Exception {
            id: Some(self::text(entry, "id").ok_or("it has no `id`")?),
            reason: self::text(entry, "reason"),
            expires: day(&entry["ignoreUntil"]).map(|day| day_before(&day)).transpose()?,
            ..Exception::default()
        }])
    })?;
    let lines = Lines::of_toml(text, "PackageOverrides");
    all.extend(each(&file["PackageOverrides"], "PackageOverrides", &lines, overridden)?);
    Ok(all)
}

/// The package URLs of all packages of a type, or of all types, in a version or in any.
fn any_of(kind: Option<&str>, version: Option<&str>) -> Option<String> {
    let with_version = version.map(|version| format!("@{version}")).unwrap_or_default();
    (kind.is_some() || version.is_some())
        .then(|| format!("pkg:{}/*{with_version}", kind.unwrap_or("*")))
}

/// A package of which nothing is to be reported.
fn overridden(entry: &Value) -> Read {
    let ignores = entry["ignore"] == true || entry["vulnerability"]["ignore"] == true;
    if !ignores {
        return Ok(Vec::new());
    }
    const KNOWN: [&str; 8] = [
        "ecosystem",
        "effectiveUntil",
        "ignore",
        "license",
        "name",
        "reason",
        "version",
        "vulnerability",
    ];
    only(entry, &KNOWN, OWN_FORM)?;
    let kind =
        match text(entry, "ecosystem") {
            Some(name) => {
                let kind = ecosystem::type_of(&name);
                Some(kind.ok_or_else(|| {
                    format!("the ecosystem `{name}` cannot be expressed: {OWN_FORM}")
                })?)
            }
            None => None,
        };
    let version = text(entry, "version").map(|version| encoded(version, PURL_PART));
    let purl = any_of(kind, version.as_deref());
    let package = text(entry, "name");
    if package.is_none() && purl.is_none() {
        return Err("it has no `name`".to_owned());
    }
    Ok(vec![Exception {
        package,
        purl,
        reason: text(entry, "reason"),
        expires: day(&entry["effectiveUntil"]).map(|day| day_before(&day)).transpose()?,
        ..Exception::default()
    }])
}

/// A date of TOML, which becomes an object.
fn day(value: &Value) -> Option<String> {
    let inner = value.as_object().and_then(|all| all.values().next());
    value.as_str().or_else(|| inner?.as_str()).map(str::to_owned)
}

/// They hold until a moment: the day before it is the last whole one.
pub(super) fn day_before(text: &str) -> Result<String, String> {
    let day: Date = text
        .get(..10)
        .unwrap_or(text)
        .parse()
        .map_err(|_| format!("when it ends cannot be read: `{text}`"))?;
    let last = day.yesterday().map_err(|error| error.to_string())?;
    Ok(last.to_string())
}

/// `*` crosses folders here, and there only `**` does.
fn one_pattern(path: &str) -> Result<String, String> {
    let simple = path.replace("**/", "*").replace("**", "*");
    let is_wider = path.replace("**", "").contains(['*', '?', '[', '{']);
    match is_wider {
        true => Err(format!("the pattern `{path}` cannot be expressed: {OWN_FORM}")),
        false => Ok(simple),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each what it is about, and its last day.
    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = read(text).unwrap().unwrap();
        let found: Vec<_> =
            found.iter().map(|it| (it.shown(), it.expires.clone().unwrap_or_default())).collect();
        let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lists_of_other_scanners_are_read() {
        check(
            "vulnerabilities:\n  - id: CVE-1\n    paths: ['usr/**']\n    expired_at: 2026-06-02\n    statement: x\n\
             \x20 - id: CVE-2\n    purls: ['pkg:npm/a@1', 'pkg:npm/b']\n",
            &[
                ("CVE-1 in usr/*", "2026-06-01"),
                ("CVE-2 in pkg:npm/a@1", ""),
                ("CVE-2 in pkg:npm/b", ""),
            ],
        );
        check(
            "fail-on-severity: high\nignore:\n  - vulnerability: CVE-1\n    package: {name: libcurl, version: 1.5.1}\n\
             \x20 - package: {type: go-module, location: '/usr/**'}\n",
            &[("CVE-1 in libcurl, pkg:*/*@1.5.1", ""), ("everything in pkg:golang/*, /usr/*", "")],
        );
        check(
            "[[IgnoredVulns]]\nid = \"GO-1\"\nignoreUntil = 2026-06-02\nreason = \"x\"\n\
             [[PackageOverrides]]\nname = \"lib\"\nignore = true\n\
             [[PackageOverrides]]\nname = \"lib\"\necosystem = \"Go\"\nversion = \"1\"\nignore = true\n",
            &[
                ("GO-1", "2026-06-01"),
                ("everything in lib", ""),
                ("everything in lib, pkg:golang/*@1", ""),
            ],
        );
        assert!(read("ignore: [{id: CVE-1}]").is_none());
    }

    #[test]
    fn what_cannot_be_said_here_is_refused() {
        for (text, expected) in [
            (
                "ignore: [{vulnerability: CVE-1, fix-state: unknown}]",
                "line 1: ignore entry 1 (CVE-1): `fix-state`",
            ),
            (
                "vulnerabilities:\n- id: CVE-0\n- id: CVE-1\n  paths: ['usr/*/x']\n",
                "line 3: vulnerabilities entry 2 (CVE-1): the pattern `usr/*/x`",
            ),
            ("vulnerabilities: [{paths: [x]}]", "vulnerabilities entry 1: it has no `id`"),
            (
                "[[IgnoredVulns]]\nid = \"a\"\n[[PackageOverrides]]\nname = \"a\"\ngroup = \"dev\"\nignore = true\n",
                "line 3: PackageOverrides entry 1 (a): `group` cannot be",
            ),
            ("[[IgnoredVulns]]\nid = \n", "TOML parse error at line 2"),
        ] {
            let error = read(text).unwrap().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
