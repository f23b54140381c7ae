//! Exceptions of a bundle, held against what triggers found. There may be ten
//! thousand of them and of the matches: they are looked up by what stands
//! before the first `*`.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::bundle::{Item, Whitelist};
use super::mapping::NamePattern;

/// The lists of one mapping, in its order.
pub(super) struct Exceptions<'a> {
    entries: Vec<Entry<'a>>,
    by_gate: HashMap<String, OfGate<'a>>,
    now: Timestamp,
}

#[derive(Default)]
struct OfGate<'a> {
    /// Entries by the text before the first `*`.
    by_start: HashMap<&'a str, Vec<usize>>,
    /// The lengths of these texts.
    lengths: BTreeSet<usize>,
}

struct Entry<'a> {
    whitelist: &'a Whitelist,
    item: &'a Item,
    pattern: NamePattern,
    /// How many matches it fits.
    fits: usize,
}

impl<'a> Exceptions<'a> {
    pub(super) fn new(whitelists: &[&'a Whitelist], now: Timestamp) -> Self {
        let mut entries = Vec::new();
        let mut by_gate: HashMap<String, OfGate<'a>> = HashMap::new();
        for whitelist in whitelists {
            for item in &whitelist.items {
                // It was read before, so it can be.
                let Ok(pattern) = NamePattern::new(&item.trigger_id) else { continue };
                let start = match &pattern {
                    NamePattern::Glob(_) => item.trigger_id.split('*').next().unwrap_or_default(),
                    NamePattern::Regex(_) => "",
                };
                let of_gate = by_gate.entry(item.gate.to_lowercase()).or_default();
                of_gate.lengths.insert(start.len());
                of_gate.by_start.entry(start).or_default().push(entries.len());
                entries.push(Entry { whitelist, item, pattern, fits: 0 });
            }
        }
        Exceptions { entries, by_gate, now }
    }

    /// The first exception that holds for this match, if there is one.
    pub(super) fn of(&mut self, gate: &str, trigger_id: &str) -> Option<(&'a Whitelist, &'a Item)> {
        let mut first: Option<usize> = None;
        let OfGate { by_start, lengths } = self.by_gate.get(gate)?;
        for length in lengths.iter().copied().take_while(|length| *length <= trigger_id.len()) {
            let Some(start) = trigger_id.get(..length) else { continue };
            for index in by_start.get(start).into_iter().flatten() {
                let Some(entry) = self.entries.get_mut(*index) else { continue };
                if !entry.pattern.matches(trigger_id) {
                    continue;
                }
                entry.fits += 1;
                let holds = entry.item.enabled && !has_expired(entry.item, self.now);
                if holds && first.is_none_or(|first| *index < first) {
                    first = Some(*index);
                }
            }
        }
        let entry = self.entries.get(first?)?;
        Some((entry.whitelist, entry.item))
    }

    /// Exceptions that fit something and hold no longer, and those that fit nothing.
    pub(super) fn stale_exceptions(&self) -> Vec<StaleException> {
        let stale = |entry: &Entry<'_>| {
            let expired = has_expired(entry.item, self.now);
            let state = match (entry.item.enabled, expired, entry.fits) {
                (true, true, fits) if fits > 0 => State::Expired,
                (true, false, 0) => State::Unused,
                _ => return None,
            };
            Some(StaleException {
                state,
                whitelist_id: entry.whitelist.id.clone(),
                item_id: entry.item.id.clone(),
                gate: entry.item.gate.clone(),
                trigger_id: entry.item.trigger_id.clone(),
                expired: entry.item.expires.filter(|_| expired),
                notes: entry.item.notes.clone(),
                fits: entry.fits,
            })
        };
        self.entries.iter().filter_map(stale).collect()
    }
}

fn has_expired(item: &Item, now: Timestamp) -> bool {
    item.expires.is_some_and(|expires| now >= expires)
}

/// An exception that should be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleException {
    pub state: State,
    pub whitelist_id: String,
    pub item_id: Option<String>,
    pub gate: String,
    pub trigger_id: String,
    pub expired: Option<Timestamp>,
    pub notes: Option<String>,
    /// How many matches it would cover.
    pub fits: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It fits matches, which count again.
    Expired,
    /// It fits nothing that was found.
    Unused,
}

impl StaleException {
    /// One sentence.
    pub fn message(&self) -> String {
        let StaleException { whitelist_id, gate, trigger_id, fits, .. } = self;
        let what = format!("the exception `{trigger_id}` of `{gate}` in the list `{whitelist_id}`");
        match (self.state, self.expired) {
            (State::Expired, Some(expired)) => {
                let day = expired.to_zoned(jiff::tz::TimeZone::UTC).date();
                format!("{what} expired on {day}; matches that count again: {fits}")
            }
            _ => format!("{what} matches nothing"),
        }
    }
}
