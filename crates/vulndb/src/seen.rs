//! When records of a feed, and the versions that repair, were first seen. A feed
//! does not say it, and a database that is built anew every day would not know:
//! so it is told of the database before it, and takes over what that has seen.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::advisory::{Advisory, Affected, Event};
use super::facts::{Freshness, SourceFacts};
use super::name;
use super::read::{Database, Result};

/// The database before the one that is built.
pub(super) struct Before<'a> {
    database: &'a Database,
    /// When its groups were brought up to date.
    days: HashMap<String, i64>,
    /// By package: number of the advisory, version that repairs, and when it was first there.
    fixes: HashMap<(String, String), Fixes>,
}

type Fixes = HashMap<i64, Vec<(String, Option<i64>)>>;

impl<'a> Before<'a> {
    pub(super) fn new(database: &'a Database) -> Self {
        Before { database, days: HashMap::new(), fixes: HashMap::new() }
    }

    /// Takes over the dates of a feed's record that has none of its own.
    pub(super) fn date(
        &mut self,
        advisory: &mut Advisory,
        sources: &BTreeMap<String, SourceFacts>,
    ) -> Result<()> {
        let Some(group) = advisory.source.strip_prefix("feed:").map(str::to_owned) else {
            return Ok(());
        };
        let known = self.database.record(&advisory.id, &advisory.source)?;
        let Some((number, known)) = known else { return Ok(()) };
        let published = known.published.map(Timestamp::as_second);
        let first = match published.or(known.first_seen) {
            Some(first) => first,
            None => self.day(&group)?,
        };
        if advisory.published.is_none() {
            advisory.first_seen = Some(first);
        }
        let facts = sources.get(&advisory.source);
        let now = facts.and_then(|facts| facts.synced.or(facts.newest)).filter(|day| *day > 0);
        for affected in &mut advisory.affected {
            let fixes: Vec<String> = repairing(affected).map(str::to_owned).collect();
            if fixes.is_empty() || affected.specific.fix_seen.is_some() {
                continue;
            }
            let known = self.of_package(affected)?.get(&number);
            let seen = known.into_iter().flatten().find(|(fix, _)| fixes.contains(fix));
            affected.specific.fix_seen = match seen {
                Some((_, seen)) => Some(seen.unwrap_or(first)),
                None => now,
            };
        }
        Ok(())
    }

    fn day(&mut self, group: &str) -> Result<i64> {
        if let Some(day) = self.days.get(group) {
            return Ok(*day);
        }
        let day = match self.database.freshness(group)? {
            Freshness::Of(day) => day,
            Freshness::Missing | Freshness::Never => self.database.about()?.built,
        };
        self.days.insert(group.to_owned(), day.as_second());
        Ok(day.as_second())
    }

    fn of_package(&mut self, affected: &Affected) -> Result<&Fixes> {
        let key = name::key(&affected.ecosystem, &affected.name).into_owned();
        let key = (affected.ecosystem.clone(), key);
        if !self.fixes.contains_key(&key) {
            let mut fixes = Fixes::new();
            for (number, known) in self.database.entries_for(&key.0, &key.1)? {
                let seen = known.specific.fix_seen;
                let of_it = repairing(&known).map(|fix| (fix.to_owned(), seen));
                fixes.entry(number).or_default().extend(of_it);
            }
            self.fixes.insert(key.clone(), fixes);
        }
        Ok(self.fixes.entry(key).or_default())
    }
}

fn repairing(affected: &Affected) -> impl Iterator<Item = &str> {
    let events = affected.ranges.iter().flat_map(|range| &range.events);
    let fixed = events.filter_map(|event| match event {
        Event::Fixed(version) => Some(version.as_str()),
        _ => None,
    });
    fixed.chain(affected.specific.fix.as_deref())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::{Value, json};

    use super::super::build::{Dates, build_after};
    use super::*;
    use inscan_facts::progress::Silent;

    fn record(id: &str, fixed: &[(&str, &str)]) -> Value {
        let fixed = fixed.iter().map(|(name, version)| json!({"Name": name, "Version": version}));
        json!({"Vulnerability": {"Name": id, "NamespaceName": "debian:12", "Severity": "Low",
            "FixedIn": fixed.collect::<Vec<_>>()}})
    }

    /// Of a group that was brought up to date on that day.
    fn database(
        folder: &Path,
        day: &str,
        records: &[Value],
        before: Option<&Database>,
    ) -> Database {
        let from = folder.join(day);
        fs::create_dir(&from).unwrap();
        let page = json!({"data": records, "next_token": null});
        fs::write(from.join("debian:12.json"), page.to_string()).unwrap();
        let groups =
            json!([{"feed_name": "vulnerabilities", "name": "debian:12", "last_sync": day}]);
        fs::write(from.join("groups.json"), groups.to_string()).unwrap();
        let to = folder.join(format!("{day}.db"));
        let dates = Dates { now: "2026-12-01T00:00:00Z".parse().unwrap(), built: None };
        build_after(before, &[from], &to, dates, &Silent).unwrap();
        Database::open(&to).unwrap()
    }

    #[test]
    fn what_was_seen_before_keeps_its_date() {
        let folder = tempfile::tempdir().unwrap();
        let records = |fix: &str| [record("CVE-1", &[("a", fix), ("b", "2"), ("c", "None")])];
        let first = database(folder.path(), "2026-11-01", &records("None"), None);
        let second = database(folder.path(), "2026-11-10", &records("1.5"), Some(&first));
        let mut third = records("1.5").to_vec();
        third.push(record("CVE-2", &[("a", "9")]));
        let third = database(folder.path(), "2026-11-20", &third, Some(&second));
        let day = |day: &str| format!("{day}T00:00:00Z").parse::<Timestamp>().unwrap().as_second();
        let of = |name: &str| {
            let all = third.advisories_for("debian:12", name).unwrap().into_iter();
            all.map(|it| (it.first_seen, it.affected[0].specific.fix_seen)).collect::<Vec<_>>()
        };
        let (old, middle) = (Some(day("2026-11-01")), Some(day("2026-11-10")));
        // The new one has no date but its group's.
        assert_eq!(of("a"), [(old, middle), (None, None)]);
        assert_eq!(of("b"), [(old, old)]);
        assert_eq!(of("c"), [(old, None)]);
    }
}
