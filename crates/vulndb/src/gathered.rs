//! What has been read of the inputs so far, whatever order they come in.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::advisory::Advisory;
use super::end_of_life;
use super::facts::{EndOfLife, Kev, Rating, SourceFacts};
use super::schema::cve_number;
use super::staging::{self, Packed, Staging};

/// Reasons for which something was skipped are kept with one example; this many of them.
const MAX_REASONS: usize = 10_000;

pub(super) struct Gathered {
    pub staging: Staging,
    pub kev: BTreeMap<String, (Option<Timestamp>, Kev)>,
    /// By CVE: date of the scores, and both in one number.
    pub epss: BTreeMap<i64, (Option<i64>, i64)>,
    pub ratings: BTreeMap<i64, Rating>,
    pub end_of_life: BTreeMap<(String, String), BTreeMap<Rank, BTreeSet<String>>>,
    pub listed: BTreeMap<(String, String), String>,
    /// Groups of a feed that exist, with records or without.
    pub groups: BTreeSet<String>,
    pub sources: BTreeMap<String, SourceFacts>,
    pub skipped: BTreeMap<(String, String), Skipped>,
    /// The last second that is believed as a date of change: none lies in the future.
    pub now: i64,
}

/// Of two sources for the same, the one with the lower rank is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    DistroInfo,
    EndOfLifeDate,
}

/// Something of an input that is not in the database, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// The file.
    pub input: String,
    pub reason: String,
    pub count: u64,
    /// One of them: a member, a line.
    pub example: String,
}

impl Gathered {
    pub(super) fn new(now: i64) -> io::Result<Gathered> {
        Ok(Gathered {
            staging: Staging::new()?,
            kev: BTreeMap::new(),
            epss: BTreeMap::new(),
            ratings: BTreeMap::new(),
            end_of_life: BTreeMap::new(),
            listed: BTreeMap::new(),
            groups: BTreeSet::new(),
            sources: BTreeMap::new(),
            skipped: BTreeMap::new(),
            now,
        })
    }

    pub(super) fn skip(&mut self, input: &str, reason: &str, example: &str) {
        let key = (input.to_owned(), reason.to_owned());
        if self.skipped.len() >= MAX_REASONS && !self.skipped.contains_key(&key) {
            return;
        }
        let made = || Skipped {
            input: input.to_owned(),
            reason: reason.to_owned(),
            count: 0,
            example: example.to_owned(),
        };
        self.skipped.entry(key).or_insert_with(made).count += 1;
    }

    pub(super) fn advisory(
        &mut self,
        source: &str,
        newest: Option<Timestamp>,
        packed: Packed,
    ) -> io::Result<()> {
        self.count(source, 1, newest);
        self.staging.add(packed)
    }

    pub(super) fn whole(&mut self, advisory: &Advisory) -> io::Result<()> {
        self.advisory(&advisory.source, advisory.modified, staging::pack(advisory, false)?)
    }

    /// Counts records of a source, with their newest change.
    pub(super) fn count(&mut self, source: &str, records: u64, newest: Option<Timestamp>) {
        let facts = self
            .sources
            .entry(source.to_owned())
            .or_insert_with(|| SourceFacts { name: source.to_owned(), ..SourceFacts::default() });
        facts.records += records;
        let newest = newest.map(Timestamp::as_second).filter(|newest| *newest <= self.now);
        facts.newest = facts.newest.max(newest);
    }

    /// A feed's group exists, and was brought up to date then.
    pub(super) fn group(&mut self, group: String, synced: Option<Timestamp>) {
        let source = format!("feed:{group}");
        self.count(&source, 0, synced.filter(|synced| *synced > Timestamp::UNIX_EPOCH));
        if let Some(facts) = self.sources.get_mut(&source) {
            let synced = synced.map(Timestamp::as_second).filter(|synced| *synced <= self.now);
            facts.synced = facts.synced.max(synced);
        }
        self.groups.insert(group);
    }

    /// Of two catalogs the newer one is believed.
    pub(super) fn kev(&mut self, released: Option<Timestamp>, entry: Kev) {
        let order = |released: &Option<Timestamp>, entry: &Kev| {
            (*released, serde_json::to_string(entry).unwrap_or_default())
        };
        match self.kev.get(&entry.cve) {
            Some((date, known)) if order(date, known) >= order(&released, &entry) => {}
            _ => drop(self.kev.insert(entry.cve.clone(), (released, entry))),
        }
    }

    pub(super) fn epss(&mut self, date: Option<Timestamp>, scores: &[(i64, i64)]) {
        let date = date.map(Timestamp::as_second);
        for (cve, score) in scores {
            let known = self.epss.entry(*cve).or_insert((date, *score));
            *known = (*known).max((date, *score));
        }
    }

    /// What all say of a CVE's severity. False where it is no CVE.
    pub(super) fn rating(&mut self, cve: &str, rating: Rating) -> bool {
        let Some(number) = cve_number(cve) else { return false };
        let known = self.ratings.entry(number).or_default();
        known.severities.extend(rating.severities);
        known.severities.sort();
        known.severities.dedup();
        known.cwes.extend(rating.cwes);
        known.cwes.sort();
        known.cwes.dedup();
        known.severity_word = known.severity_word.take().max(rating.severity_word);
        known.exploitation = known.exploitation.take().max(rating.exploitation);
        true
    }

    pub(super) fn end_of_life(&mut self, rank: Rank, (product, release): end_of_life::Entry) {
        let written = serde_json::to_string(&release).unwrap_or_default();
        let ranks = self.end_of_life.entry((product, release.release)).or_default();
        ranks.entry(rank).or_default().insert(written);
    }

    pub(super) fn listed(&mut self, feed: &str, name: String, entry: &Value) {
        let written = entry.to_string();
        let known = self.listed.entry((feed.to_owned(), name)).or_default();
        if *known < written {
            *known = written;
        }
    }
}

/// What all sources say of one release, the most believed first.
pub(super) fn merged_release(ranks: &BTreeMap<Rank, BTreeSet<String>>) -> Option<EndOfLife> {
    ranks
        .values()
        // Of one rank the last in order, which is the one with the later dates.
        .flat_map(|written| written.iter().rev())
        .filter_map(|written| serde_json::from_str(written).ok())
        .reduce(end_of_life::merge)
}
