//! Exceptions: what a user has decided to live with, each with a reason and
//! perhaps a last day.
//!
//! A file is YAML:
//!
//! ```yaml
//! ignore:
//!   - id: CVE-2024-1234        # any name of the vulnerability, or an advisory's
//!     package: openssl         # its name, or its source package's; `*` stands for anything
//!     purl: pkg:deb/debian/*   # the whole package URL
//!     path: usr/lib/python3/*  # the file that proves the package
//!     reason: only reachable from the build network
//!     expires: 2026-12-31      # the last day
//!   - secret: password         # the rule that found a secret; `*` stands for anything
//!     path: app/test/*.env     # its file
//!     fingerprint: 1f3a9       # this secret, and no other in its place
//!     reason: of a test database
//! ```
//!
//! At least one of the first four is needed, and all that are there have to
//! match. What is stated without a `*` is compared as names and versions are ([`naming`]):
//! `pkg:golang/x.org/a@1.0` is `v1.0` too. With `secret` an entry is about secrets and nothing else. A plain list, one id on a line with `exp:2026-12-31` behind it where
//! it ends, and `#` before remarks, is read as well; and so are the lists of
//! backends ([`lists`]) and of other scanners ([`others`]).

mod lines;
mod lists;
mod others;

use inscan_document::Section;
use inscan_facts::purl;
use jiff::civil::Date;
use serde::Deserialize;

use super::evaluation::{Finding, Package, SecretFinding, Suppression, SuppressionCode, Warning};
use super::naming;
use super::pattern::glob;
use lines::Lines;

/// Of one file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Its name, for messages.
    pub source: String,
    pub entries: Vec<Exception>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exception {
    pub id: Option<String>,
    pub package: Option<String>,
    pub purl: Option<String>,
    pub path: Option<String>,
    /// The rule that found a secret.
    pub secret: Option<String>,
    /// Of a secret, as reports show it.
    pub fingerprint: Option<String>,
    pub reason: Option<String>,
    pub expires: Option<String>,
    /// Where it stands in its file, from 1.
    #[serde(skip)]
    line: Option<usize>,
    /// Set while reading.
    #[serde(skip)]
    last_day: Option<Date>,
    /// `package` is what policies' triggers call it: its name, or the file that proves it.
    #[serde(skip)]
    by_trigger: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    ignore: Vec<Exception>,
}

impl Exceptions {
    /// The error says which entry is wrong, on which line, and how.
    pub fn parse(source: &str, text: &str) -> Result<Exceptions, String> {
        // Trivy's list, which ends with the day that it names, and may name what is no vulnerability.
        let is_trivys = source.ends_with(".trivyignore");
        let mut entries = match plain(text, is_trivys)? {
            Some(entries) => entries,
            None => match lists::read(text).or_else(|| others::read(text)) {
                Some(entries) => entries?,
                None => yaml(text)?,
            },
        };
        for (number, entry) in entries.iter_mut().enumerate() {
            let place = entry.line.map_or_else(String::new, |line| format!("line {line}: "));
            let wrong = |error: String| format!("{place}entry {}: {error}", number + 1);
            if is_trivys {
                let last = entry.expires.as_deref().map(others::day_before);
                entry.expires = last.transpose().map_err(wrong)?;
            }
            entry.check().map_err(wrong)?;
        }
        Ok(Exceptions { source: source.to_owned(), entries })
    }
}

fn yaml(text: &str) -> Result<Vec<Exception>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let lines = Lines::of_yaml(text, "ignore");
    let placed = |(at, entry): (usize, Exception)| Exception { line: lines.get(at), ..entry };
    Ok(file.ignore.into_iter().enumerate().map(placed).collect())
}

/// A list of ids, if it is one: its first line is, and so every line has to be an id and perhaps its
/// last day. With `any_word`, an id is any word.
fn plain(text: &str, any_word: bool) -> Result<Option<Vec<Exception>>, String> {
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(id) = words.next() else { continue };
        let is_id = id.contains('-')
            && id.starts_with(|char: char| char.is_ascii_alphabetic())
            && !id.ends_with(':');
        let line = number + 1;
        match is_id || any_word {
            false if entries.is_empty() => return Ok(None),
            false => return Err(format!("line {line}: `{id}` is no id of a vulnerability")),
            true => {}
        }
        let mut entry =
            Exception { id: Some(id.to_owned()), line: Some(line), ..Exception::default() };
        for word in words {
            match word.strip_prefix("exp:") {
                Some(date) => entry.expires = Some(date.to_owned()),
                None => {
                    return Err(format!(
                        "line {line}: `{word}` cannot be expressed: write `exp:2026-12-31` for the last \
                         day, `#` before remarks, or {}",
                        others::OWN_FORM
                    ));
                }
            }
        }
        entries.push(entry);
    }
    Ok((!entries.is_empty()).then_some(entries))
}

impl Exception {
    fn check(&mut self) -> Result<(), String> {
        let patterns = [&self.id, &self.package, &self.purl, &self.path];
        if self.secret.is_some() {
            let others = [("id", &self.id), ("package", &self.package), ("purl", &self.purl)];
            if let Some((name, _)) = others.into_iter().find(|(_, pattern)| pattern.is_some()) {
                return Err(format!("`{name}` is of vulnerabilities, and `secret` is of secrets"));
            }
            return self.check_day();
        }
        if self.fingerprint.is_some() {
            return Err("`fingerprint` needs `secret`, the rule that found it".to_owned());
        }
        if patterns.iter().all(|pattern| pattern.is_none()) && self.by_trigger {
            return Err("it would except all vulnerabilities".to_owned());
        }
        if patterns.iter().all(|pattern| pattern.is_none()) {
            return Err("one of `id`, `package`, `purl`, `path`, `secret` is needed".to_owned());
        }
        if let Some(empty) = patterns.into_iter().flatten().find(|text| text.trim().is_empty()) {
            return Err(format!("`{empty}` matches nothing"));
        }
        self.check_day()
    }

    fn check_day(&mut self) -> Result<(), String> {
        self.last_day =
            match &self.expires {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    format!("invalid date `{text}`, expected for example 2026-12-31")
                })?),
            };
        Ok(())
    }

    fn has_expired(&self, today: Date) -> bool {
        self.last_day.is_some_and(|last| today > last)
    }

    /// In a message: `CVE-2024-1 in openssl`.
    fn shown(&self) -> String {
        let secret = self.secret.as_ref().map(|rule| match &self.fingerprint {
            Some(fingerprint) => format!("the secret {rule} ({fingerprint})"),
            None => format!("the secret {rule}"),
        });
        let what = secret.as_deref().or(self.id.as_deref()).unwrap_or("everything");
        let places = [&self.package, &self.purl, &self.path];
        let places: Vec<&str> = places.into_iter().flatten().map(String::as_str).collect();
        if places.is_empty() { what.to_owned() } else { format!("{what} in {}", places.join(", ")) }
    }

    fn matches_secret(&self, secret: &SecretFinding) -> bool {
        let Some(rule) = &self.secret else { return false };
        let path = |pattern: &String| {
            let path = secret.path.as_deref().unwrap_or_default();
            glob(pattern.trim_start_matches('/'), path)
        };
        glob(rule, &secret.rule)
            && self.path.as_ref().is_none_or(path)
            && self.fingerprint.as_ref().is_none_or(|own| *own == secret.fingerprint)
    }

    fn matches(&self, section: &Section, finding: &Finding) -> bool {
        if self.secret.is_some() {
            return false;
        }
        let package = &finding.package;
        let fits = |pattern: &Option<String>, names: &[&str]| {
            let is_one = |pattern: &str, name: &str| {
                glob(pattern, name) || naming::is_name(&package.kind, pattern, name)
            };
            let fits = |pattern: &String| names.iter().any(|name| is_one(pattern, name));
            pattern.as_ref().is_none_or(fits)
        };
        let path = |pattern: &String| {
            glob(pattern.trim_start_matches('/'), package.location.trim_start_matches('/'))
        };
        if self.by_trigger {
            let called = called_by_triggers(package);
            let called: Vec<&str> = called.iter().map(String::as_str).collect();
            return self.id.as_ref().is_none_or(|id| is_named(finding, id))
                && fits(&self.package, &called);
        }
        let names: Vec<&str> =
            [package.name.as_str()].into_iter().chain(package.source.as_deref()).collect();
        self.id.as_ref().is_none_or(|id| is_named(finding, id))
            && fits(&self.package, &names)
            && self.purl.as_ref().is_none_or(|pattern| is_purl_of(pattern, section, package))
            && self.path.as_ref().is_none_or(path)
    }
}

/// As text, as it was once written, or as a name: `pkg:golang/x.org/a@1.0` of `v1.0`.
fn is_purl_of(pattern: &str, section: &Section, package: &Package) -> bool {
    let row = section.packages.get(package.index);
    glob(pattern, &package.purl)
        || purl::former(&package.purl).is_some_and(|url| glob(pattern, &url))
        || row.is_some_and(|row| naming::fits(pattern, section, row))
}

/// What stands behind the `+` in the ids of a policy's matches: the package's name, or for guesses
/// by CPE names its file, its folder, or name and version.
fn called_by_triggers(package: &Package) -> Vec<String> {
    let mut parts = package.location.rsplit('/');
    let file = parts.next().unwrap_or_default().to_owned();
    let folder = parts.next().unwrap_or_default().to_owned();
    let artifact = match package.kind.as_str() {
        "maven" => package.name.rsplit(':').next().unwrap_or_default(),
        _ => &package.name,
    };
    vec![artifact.to_owned(), file, folder, format!("{artifact}-{}", package.version)]
}

/// An advisory may be about several CVEs under one name: whoever has decided about one of them
/// has not about the others.
fn is_named(finding: &Finding, id: &str) -> bool {
    let is_cve = |name: &String| name.starts_with("CVE-");
    let cves = finding.aliases.iter().filter(|name| is_cve(name)).count();
    let advisories = finding.advisories.iter().map(|advisory| &advisory.id);
    let mut names = finding.aliases.iter().chain(advisories);
    let id = id.to_ascii_uppercase();
    names.any(|name| glob(&id, &name.to_ascii_uppercase()) && !(cves > 1 && is_cve(name)))
}

/// Which exceptions hold, and what has to be said about them afterwards.
pub(super) struct Ledger<'a> {
    today: Date,
    /// File, entry, and how many findings it matched.
    entries: Vec<(&'a str, &'a Exception, usize)>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(files: &'a [Exceptions], today: Date) -> Self {
        let entries = files
            .iter()
            .flat_map(|file| file.entries.iter().map(|entry| (file.source.as_str(), entry, 0)));
        Ledger { today, entries: entries.collect() }
    }

    /// The first exception that holds for a finding; all that match it are used.
    pub(super) fn suppression(
        &mut self,
        section: &Section,
        finding: &Finding,
    ) -> Option<Suppression> {
        self.first(|entry| entry.matches(section, finding))
    }

    /// The same for a secret.
    pub(super) fn secret_suppression(&mut self, secret: &SecretFinding) -> Option<Suppression> {
        self.first(|entry| entry.matches_secret(secret))
    }

    fn first(&mut self, matches: impl Fn(&Exception) -> bool) -> Option<Suppression> {
        let mut found = None;
        for (file, entry, used) in &mut self.entries {
            if !matches(entry) {
                continue;
            }
            *used += 1;
            if found.is_none() && !entry.has_expired(self.today) {
                found = Some(Suppression {
                    code: SuppressionCode::Ignored,
                    reason: format!("an exception in {file}: {}", entry.shown()),
                    source: Some((*file).to_owned()),
                    rule: Some(entry.shown()),
                    note: entry.reason.clone(),
                    expires: entry.expires.clone(),
                });
            }
        }
        found
    }

    /// Those that expired, and those that match nothing.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> {
        self.entries.iter().filter_map(|(file, entry, used)| {
            let shown = entry.shown();
            let (code, message) = match (entry.has_expired(self.today), used) {
                (true, used) => {
                    let last = entry.expires.as_deref().unwrap_or_default();
                    let message = format!(
                        "{file}: the exception for {shown} expired on {last}; findings that count again: {used}"
                    );
                    ("exception-expired", message)
                }
                (false, 0) => {
                    ("exception-unused", format!("{file}: the exception for {shown} matches no finding"))
                }
                (false, _) => return None,
            };
            Some(Warning { code: code.to_owned(), message })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::Advisory;
    use super::*;
    use inscan_document::section::PackageRow;

    fn finding(aliases: &[&str]) -> Finding {
        Finding {
            aliases: aliases.iter().map(|name| (*name).to_owned()).collect(),
            advisories: vec![Advisory { id: "DSA-1-1".into(), url: None }],
            package: Package {
                name: "libssl3".into(),
                source: Some("openssl".into()),
                purl: "pkg:deb/debian/libssl3@3.0".into(),
                location: "var/lib/dpkg/status".into(),
                ..Package::default()
            },
            ..Finding::default()
        }
    }

    #[track_caller]
    fn check(text: &str, expected: bool) {
        let files = [Exceptions::parse("f", text).unwrap()];
        let mut ledger = Ledger::new(&files, "2026-06-01".parse().unwrap());
        let found =
            ledger.suppression(&Section::default(), &finding(&["CVE-1", "GHSA-1"])).is_some();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_pattern_that_is_there_has_to_match() {
        check("ignore: [{id: CVE-1}]", true);
        check("ignore: [{id: GHSA-1, reason: x, expires: 2026-06-01}]", true);
        check("ignore: [{id: DSA-1-1}]", true);
        check("ignore: [{id: CVE-2}]", false);
        check("ignore: [{id: CVE-1, package: openssl}]", true);
        check("ignore: [{id: CVE-1, package: 'libssl*', path: /var/*}]", true);
        check("ignore: [{id: CVE-1, package: curl}]", false);
        check("ignore: [{purl: 'pkg:deb/*'}]", true);
        check("ignore: [{purl: 'pkg:deb'}]", false);
        check("ignore: [{id: CVE-1, expires: 2026-05-31}]", false);
        check("# ours\nCVE-1  # why\n\nCVE-2 exp:2030-01-01\n", true);
        check("CVE-1 exp:2026-01-01", false);
        check("", false);
    }

    #[test]
    fn a_purl_of_former_times_still_matches() {
        let mut found = finding(&["CVE-1"]);
        found.package.purl = "pkg:rpm/redhat/openssl@3.0?arch=x&distro=rhel-9.4".into();
        for pattern in ["pkg:rpm/rhel/openssl@*", "pkg:rpm/redhat/*", "pkg:rpm/*"] {
            let text = format!("ignore: [{{purl: '{pattern}'}}]");
            let files = [Exceptions::parse("f", &text).unwrap()];
            let mut ledger = Ledger::new(&files, "2026-06-01".parse().unwrap());
            assert!(ledger.suppression(&Section::default(), &found).is_some(), "{pattern}");
        }
    }

    #[test]
    fn names_and_versions_are_compared_as_such() {
        let (go, torch) = ("pkg:golang/x.org/a@v1.0.0", "pkg:pypi/torch@2.0.0%2Bcu117");
        let deb = "pkg:deb/debian/a@1.0-1?arch=x";
        for (url, pattern, expected) in [
            (go, "pkg:golang/x.org/a@1.0.0", true),
            (go, "pkg:golang/X.org%2fa@1.0.0", true),
            (go, "pkg:golang/x.org/a@1.0.1", false),
            (go, "pkg:*/*@1.0.0", true),
            (go, "pkg:golang/x.org/*@1.0", true),
            (go, "pkg:golang/y.org/*@1.0.0", false),
            (torch, "pkg:pypi/Torch@2.0", true),
            (torch, "pkg:pypi/torch@2.0%2Bcpu", false),
            ("pkg:gem/a@1.16.5-java", "pkg:gem/a@1.16.5", true),
            (deb, "pkg:deb/debian/a@0:1.0-1", true),
            (deb, "pkg:deb/debian/a@1.0-1?arch=y", false),
            (deb, "pkg:deb/debian/a@1.0-1?arch=*", true),
        ] {
            let installed = purl::parse(url).unwrap();
            let mut found = finding(&["CVE-1"]);
            found.package.purl = url.into();
            let row = PackageRow {
                purl: url.into(),
                kind: installed.kind,
                name: installed.name,
                version: installed.version.unwrap(),
                ..PackageRow::default()
            };
            let section = Section { packages: vec![row], ..Section::default() };
            let text = format!("ignore: [{{purl: '{pattern}', id: cve-1}}]");
            let files = [Exceptions::parse("f", &text).unwrap()];
            let mut ledger = Ledger::new(&files, "2026-06-01".parse().unwrap());
            let holds = ledger.suppression(&section, &found).is_some();
            assert_eq!(holds, expected, "{url} {pattern}");
        }
    }

    #[test]
    fn lists_of_backends_are_read() {
        let item = |trigger_id: &str, more: &str| {
            format!(
                r#"{{"id": "vulnexception_1", "name": "n", "version": "1_0", "items": [{{"id": "i1",
                    "gate": "vulnerabilities", "trigger_id": "{trigger_id}", "notes": "why"{more}}}]}}"#
            )
        };
        check(&item("CVE-1+*", ""), true);
        check(&item("GHSA-1+libssl3", ""), true);
        check(&item("*+libssl*", ""), true);
        check(&item("CVE-1+openssl", ""), false);
        check(&item("CVE-2+*", ""), false);
        check(&item("CVE-1+*", r#", "enabled": false"#), false);
        check(&item("CVE-1+*", r#", "expiration_date": null"#), true);
        check(&item("CVE-1+*", r#", "expiration_date": 0"#), true);
        // The first second of 2026-06-02, and of 2026-06-01.
        check(&item("CVE-1+*", r#", "expiration_date": 1780358400"#), true);
        check(&item("CVE-1+*", r#", "expiration_date": 1780272000"#), false);
        check(&item("CVE-1+*", r#", "expires_on": "2026-06-02T00:00:00Z""#), true);
        check(&item("CVE-1+*", r#", "expires_on": "2026-06-01""#), false);
        check(&format!("[{}, {}]", item("CVE-9+*", ""), item("CVE-1+*", "")), true);
        check("id: global\nitems:\n- {trigger_id: CVE-1+*, expiration_date: 1780358400}\n", true);

        let text = item("CVE-1+*", r#", "expiration_date": 1780358400"#);
        let found = &Exceptions::parse("f", &text).unwrap().entries[0];
        assert_eq!(found.shown(), "CVE-1");
        assert_eq!(
            (found.reason.as_deref(), found.expires.as_deref()),
            (Some("why"), Some("2026-06-01"))
        );
        for (text, expected) in [
            (item("*+*", ""), "it would except all vulnerabilities"),
            (
                item("x", r#", "gate": "files""#).replace(r#""gate": "vulnerabilities","#, ""),
                "gate `files`",
            ),
            (item("CVE-1+*", r#", "expires_on": "soon""#), "item 1 (i1): when it ends"),
            (r#"{"items": [{"id": "x"}]}"#.to_owned(), "trigger_id"),
        ] {
            let error = Exceptions::parse("f", &text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_trigger_names_a_package_or_its_file() {
        let mut jar = finding(&["CVE-1"]);
        jar.package = Package {
            kind: "maven".into(),
            name: "org.x:log4j-core".into(),
            version: "2.14.1".into(),
            location: "opt/app.war:WEB-INF/lib/log4j-core-2.14.1.jar".into(),
            ..Package::default()
        };
        for (called, expected) in [
            ("log4j-core", true),
            ("log4j-core-2.14.1.jar", true),
            ("log4j-core-2.14.1", true),
            ("org.x:log4j-core", false),
        ] {
            let text = format!(r#"{{"items": [{{"trigger_id": "CVE-1+{called}"}}]}}"#);
            let files = [Exceptions::parse("f", &text).unwrap()];
            let mut ledger = Ledger::new(&files, "2026-06-01".parse().unwrap());
            assert_eq!(
                ledger.suppression(&Section::default(), &jar).is_some(),
                expected,
                "{called}"
            );
        }
    }

    #[test]
    fn one_cve_of_several_is_not_enough() {
        let files = [Exceptions::parse("f", "CVE-1").unwrap()];
        let mut ledger = Ledger::new(&files, "2026-06-01".parse().unwrap());
        assert_eq!(
            ledger.suppression(&Section::default(), &finding(&["CVE-1", "CVE-2", "GO-1"])),
            None
        );
    }

    #[test]
    fn what_expired_or_matches_nothing_is_said() {
        let text = "ignore: [{id: CVE-1, expires: 2026-05-01}, {id: CVE-9}, {id: GHSA-1}]";
        let files = [Exceptions::parse("f.yaml", text).unwrap()];
        let mut ledger = Ledger::new(&files, "2026-06-01".parse().unwrap());
        ledger.suppression(&Section::default(), &finding(&["CVE-1", "GHSA-1"]));
        let said: Vec<_> = ledger.warnings().map(|warning| warning.message).collect();
        assert_eq!(
            said,
            [
                "f.yaml: the exception for CVE-1 expired on 2026-05-01; findings that count again: 1",
                "f.yaml: the exception for CVE-9 matches no finding",
            ]
        );
    }

    #[test]
    fn a_wrong_file_says_where() {
        for (text, expected) in [
            ("ignore:\n- {id: CVE-1}\n- {reason: x}\n", "line 3: entry 2: one of `id`"),
            ("CVE-1\nopenssl\n", "line 2: `openssl` is no id"),
            ("CVE-1 openssl\n", "line 1: `openssl` cannot be expressed"),
            ("\nCVE-1 exp:soon\n", "line 2: entry 1: invalid date `soon`"),
            ("ignore: [{id: CVE-1, expires: soon}]", "entry 1: invalid date `soon`"),
            ("ignore: [{id: CVE-1, pakage: x}]", "pakage"),
            ("ignored: []", "ignored"),
            ("ignore: [{id: ''}]", "matches nothing"),
        ] {
            let error = Exceptions::parse("f", text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
