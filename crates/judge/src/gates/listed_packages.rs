//! What the gates `npms` and `ruby_gems` have in common: packages of a language
//! beside a list of all that its registry has.
//!
//! Only a feed service offers such lists; without one, as for the engine, every
//! package counts as unknown.

use std::collections::BTreeMap;

use crate::facts::{DocumentFacts, Listed};
use crate::params::Params;
use crate::spec::{Match, TriggerError};

/// A language: its kind of package, which is also the name of its list, and words in messages.
pub(super) struct Language {
    pub(super) kind: &'static str,
    pub(super) word: &'static str,
    pub(super) prefix: &'static str,
    /// In front of what is not the latest version.
    pub(super) not_latest: &'static str,
    pub(super) blacklisted: &'static str,
}

type Versions<'f> = BTreeMap<&'f str, Vec<&'f str>>;

/// An installed package that the list has.
struct ListedPackage<'f> {
    name: &'f str,
    versions: Vec<&'f str>,
    listed: Listed,
}

impl Language {
    /// The engine has no answer as soon as one package of the image is in the list.
    fn gives_up(&self, facts: &DocumentFacts<'_>) -> Result<bool, TriggerError> {
        Ok(facts.is_of_engine() && !self.known(facts)?.is_empty())
    }

    /// Installed versions by name.
    fn installed<'f>(&self, facts: &'f DocumentFacts<'_>) -> Result<Versions<'f>, TriggerError> {
        let mut versions = Versions::new();
        for package in facts.packages()?.iter().filter(|package| package.kind == self.kind) {
            let of_name = versions.entry(&package.name).or_default();
            if !of_name.contains(&&*package.version) {
                of_name.push(&package.version);
            }
        }
        Ok(versions)
    }

    fn known<'f>(
        &self,
        facts: &'f DocumentFacts<'_>,
    ) -> Result<Vec<ListedPackage<'f>>, TriggerError> {
        let mut found = Vec::new();
        for (name, versions) in self.installed(facts)? {
            if let Some(listed) = facts.listings().get(self.kind, name)? {
                found.push(ListedPackage { name, versions, listed });
            }
        }
        Ok(found)
    }

    pub(super) fn not_latest(&self, facts: &DocumentFacts<'_>) -> Result<Vec<Match>, TriggerError> {
        if self.gives_up(facts)? {
            return Ok(Vec::new());
        }
        let mut matches = Vec::new();
        for ListedPackage { name, versions, listed } in self.known(facts)? {
            let Some(latest) = listed.latest else { continue };
            matches.extend(versions.iter().filter(|version| **version != latest).map(|version| {
                Match::of(format!(
                    "{}Package ({name}) version ({version}) installed but is not the latest version \
                     ({latest})",
                    self.not_latest
                ))
            }));
        }
        Ok(matches)
    }

    pub(super) fn unknown(&self, facts: &DocumentFacts<'_>) -> Result<Vec<Match>, TriggerError> {
        if self.gives_up(facts)? {
            return Ok(Vec::new());
        }
        let Language { kind, word, prefix, .. } = self;
        let mut matches = Vec::new();
        for name in self.installed(facts)?.into_keys() {
            if facts.listings().get(kind, name)?.is_none() {
                matches.push(Match::of(format!(
                    "{prefix}NOTOFFICIAL Package ({name}) in container but not in official {word} \
                     feed."
                )));
            }
        }
        Ok(matches)
    }

    pub(super) fn unknown_versions(
        &self,
        facts: &DocumentFacts<'_>,
    ) -> Result<Vec<Match>, TriggerError> {
        if self.gives_up(facts)? {
            return Ok(Vec::new());
        }
        let mut matches = Vec::new();
        for ListedPackage { name, versions, listed } in self.known(facts)? {
            let all: Vec<_> =
                listed.versions.iter().map(|version| format!("'{version}'")).collect();
            let unknown =
                versions.iter().filter(|version| !listed.versions.iter().any(|it| it == *version));
            matches.extend(unknown.map(|version| {
                Match::of(format!(
                    "{}BADVERSION Package ({name}) version ({version}) installed but version is not \
                     in the official feed for this package ([{}])",
                    self.prefix,
                    all.join(", ")
                ))
            }));
        }
        Ok(matches)
    }

    pub(super) fn blacklisted(
        &self,
        facts: &DocumentFacts<'_>,
        params: &Params,
    ) -> Result<Vec<Match>, TriggerError> {
        let name = params.text("name").unwrap_or_default();
        let installed = self.installed(facts)?;
        let Some(versions) = installed.get(name) else { return Ok(Vec::new()) };
        let message = match params.text("version") {
            None => format!("{} Package is blacklisted: {name}", self.blacklisted),
            Some(version) if versions.contains(&version) => {
                format!("{} Package is blacklisted: {name}-{version}", self.blacklisted)
            }
            Some(_) => return Ok(Vec::new()),
        };
        Ok(vec![Match::of(message)])
    }

    /// Also where there is no package of the language.
    pub(super) fn no_list(&self, facts: &DocumentFacts<'_>) -> Result<Vec<Match>, TriggerError> {
        if facts.listings().has(self.kind)? {
            return Ok(Vec::new());
        }
        let (kind, word) = (self.kind, self.blacklisted);
        Ok(vec![Match::of(format!(
            "{word} packages are present but the anchore {kind} feed is not available - will be \
             unable to perform checks that require feed data"
        ))])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use crate::facts::DocumentFacts;
    use crate::gates::testing::with_outputs;
    use crate::gates::{npms, ruby_gems};
    use crate::params::Params;
    use crate::spec::Gate;
    use inscan_document::Section;
    use inscan_facts::progress::Silent;
    use inscan_vulndb::Database;
    use inscan_vulndb::build::{Dates, build};

    /// What fires in an image of two npm packages and a gem, with a list of npm's packages or none.
    fn fired(
        gate: &'static Gate,
        trigger: &str,
        params: &[(&str, &str)],
        has_list: bool,
    ) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("feed")).unwrap();
        let page = json!({"next_token": null, "data": [
            {"plain": {"versions": ["1.0.0", "1.2.4"], "latest": "1.2.4"}}]});
        let name = if has_list { "feed/npm.json" } else { "feed/other.json" };
        fs::write(folder.path().join(name), page.to_string()).unwrap();
        let file = folder.path().join("database");
        let dates = Dates { now: "2026-11-22T00:00:00Z".parse().unwrap(), built: None };
        build(&[folder.path().join("feed")], &file, dates, &Silent).unwrap();
        let database = Database::open(&file).unwrap();

        let image = with_outputs(&[
            (
                "package_list/pkgs.npms",
                json!({"/a": r#"{"name": "plain", "versions": ["1.2.3"]}"#,
                    "/b": r#"{"name": "plain", "versions": ["1.2.4"]}"#,
                    "/c": r#"{"name": "@own/it", "versions": ["1"]}"#}),
            ),
            ("package_list/pkgs.gems", json!({"/d": r#"{"name": "rake", "versions": ["13.0"]}"#})),
        ]);
        let text = json!({"document": [{"image": {"imagedata": image}}]}).to_string();
        let section = Section::default();
        let facts =
            DocumentFacts::of_document(text.as_bytes(), &section).unwrap().with_database(&database);
        let trigger = gate.triggers.iter().find(|it| it.name == trigger).unwrap();
        let given = params.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let params = Params::of(trigger, "rule-1", &given.collect::<Vec<_>>()).unwrap();
        let matches = (trigger.fire)(&facts, &params).unwrap();
        matches.into_iter().map(|found| found.message).collect()
    }

    #[test]
    fn packages_are_held_against_the_list() {
        for (trigger, expected) in [
            (
                "newer_version_in_feed",
                &["NPMNOTLATEST Package (plain) version (1.2.3) installed but is not the latest \
                   version (1.2.4)"][..],
            ),
            (
                "unknown_in_feeds",
                &["NPMNOTOFFICIAL Package (@own/it) in container but not in official NPM feed."],
            ),
            (
                "version_not_in_feeds",
                &["NPMBADVERSION Package (plain) version (1.2.3) installed but version is not in \
                   the official feed for this package (['1.0.0', '1.2.4'])"],
            ),
            ("feed_data_unavailable", &[]),
        ] {
            assert_eq!(fired(&npms::GATE, trigger, &[], true), expected);
        }
    }

    #[test]
    fn without_a_list_every_package_is_unknown() {
        let unknown = fired(&npms::GATE, "unknown_in_feeds", &[], false);
        assert_eq!(unknown.len(), 2, "{unknown:?}");
        for trigger in ["newer_version_in_feed", "version_not_in_feeds"] {
            assert!(fired(&npms::GATE, trigger, &[], false).is_empty());
        }
        assert_eq!(
            fired(&ruby_gems::GATE, "not_found_in_feed", &[], true),
            ["GEMNOTOFFICIAL Package (rake) in container but not in official GEM feed."]
        );
        assert_eq!(
            fired(&ruby_gems::GATE, "feed_data_unavailable", &[], true),
            [
                "Gem packages are present but the anchore gem feed is not available - will be unable \
              to perform checks that require feed data"
            ]
        );
    }

    #[test]
    fn a_forbidden_package_fires_once_by_name_or_version() {
        let (npm, name) = (&npms::GATE, "blacklisted_name_version");
        for (params, expected) in [
            (&[("name", "plain")][..], &["NPM Package is blacklisted: plain"][..]),
            (
                &[("name", "plain"), ("version", "1.2.4")],
                &["NPM Package is blacklisted: plain-1.2.4"],
            ),
            (&[("name", "plain"), ("version", "9")], &[]),
            (&[("name", "rake")], &[]),
        ] {
            assert_eq!(fired(npm, name, params, true), expected);
        }
        assert_eq!(
            fired(&ruby_gems::GATE, "blacklist", &[("name", "rake")], true),
            ["Gem Package is blacklisted: rake"]
        );
    }
}
