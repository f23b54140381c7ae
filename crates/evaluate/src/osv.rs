//! Whether an advisory's entry holds for a version: OSV's evaluation,
//! <https://ossf.github.io/osv-schema/#evaluation>.
//!
//! An entry lists versions, or has ranges of events, or both; one that holds is
//! enough. The events of a range are sorted by the ecosystem's own order, and the
//! last one at or below the version decides. Ranges over git commits are passed
//! over. What the data cannot say is an error, never "not affected".
//!
//! A version in the data that its ecosystem cannot read is taken so that nothing
//! is missed: an upper bound as not there, a lower one as standing right behind
//! the event before it. The range's text says so.

use std::cmp::Ordering;

use crate::versions::range::{self, Syntax, UnreadableRange};
use crate::versions::{self, Scheme, Unreadable};
use inscan_vulndb::{Affected, Event, Range, RangeKind};

/// What an entry says of a version, with the range it was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Affected {
        range: String,
        /// The next fix above the version, in its branch.
        fixed: Option<String>,
    },
    NotAffected {
        range: String,
    },
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotSay {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Expression(#[from] UnreadableRange),
    #[error("it has only git ranges, with which no version can be compared")]
    OnlyGit,
    #[error("it has only ranges of a kind that is not known")]
    UnknownKind,
    #[error("it names no versions")]
    NoVersions,
}

pub(super) fn judge(
    affected: &Affected,
    scheme: Scheme,
    version: &str,
) -> Result<Judgement, CannotSay> {
    if let Some(expression) = &affected.specific.expression {
        return judge_expression(expression, affected, scheme, version);
    }
    let ranges = || affected.ranges.iter().filter(|range| is_comparable(range));
    if is_listed(&affected.versions, scheme, version) {
        // The range that it is in as well knows its fix.
        let also = ranges().filter_map(|range| judge_range(range, scheme, version).ok());
        let fixed = also.into_iter().find_map(|judgement| match judgement {
            Judgement::Affected { fixed, .. } => fixed,
            Judgement::NotAffected { .. } => None,
        });
        return Ok(Judgement::Affected { range: format!("= {version}"), fixed });
    }
    let mut texts = Vec::new();
    let mut unreadable = None;
    for range in ranges() {
        match judge_range(range, scheme, version) {
            Ok(Judgement::NotAffected { range }) => texts.push(range),
            Ok(affected) => return Ok(affected),
            Err(error) => unreadable = Some(error),
        }
    }
    if let Some(error) = unreadable {
        return Err(error.into());
    }
    if !affected.versions.is_empty() {
        texts.push(listed(&affected.versions));
    }
    if texts.is_empty() {
        return Err(nothing_to_compare(&affected.ranges));
    }
    Ok(Judgement::NotAffected { range: texts.join(" or ") })
}

/// A feed's own notation, in place of ranges.
fn judge_expression(
    expression: &str,
    affected: &Affected,
    scheme: Scheme,
    version: &str,
) -> Result<Judgement, CannotSay> {
    versions::check(scheme, version)?;
    let range = expression.to_owned();
    Ok(match range::satisfies(Syntax::Feed(scheme), version, expression)? {
        true => Judgement::Affected { range, fixed: affected.specific.fix.clone() },
        false => Judgement::NotAffected { range },
    })
}

/// Every fixed version it names, in the order of the data, each once.
pub(super) fn fixed_versions(affected: &Affected) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let ranges = affected.ranges.iter().filter(|range| is_comparable(range));
    for event in ranges.flat_map(|range| &range.events) {
        if let Event::Fixed(version) = event
            && !found.contains(version)
        {
            found.push(version.clone());
        }
    }
    found.extend(affected.specific.fix.clone().filter(|fix| !found.contains(fix)));
    found
}

/// An event is needed: without one, nothing is in a range.
fn is_comparable(range: &Range) -> bool {
    matches!(range.kind, RangeKind::Semver | RangeKind::Ecosystem) && !range.events.is_empty()
}

fn nothing_to_compare(ranges: &[Range]) -> CannotSay {
    let has = |kind| ranges.iter().any(|range| range.kind == kind);
    if has(RangeKind::Other) {
        CannotSay::UnknownKind
    } else if has(RangeKind::Git) {
        CannotSay::OnlyGit
    } else {
        CannotSay::NoVersions
    }
}

/// As it is written, or written another way: 1.0 and 1.0.0.
fn is_listed(listed: &[String], scheme: Scheme, version: &str) -> bool {
    listed.iter().any(|other| other == version)
        || listed
            .iter()
            .filter(|other| may_be_equal(other, version))
            .any(|other| versions::against(scheme, version, other) == Ok(Ordering::Equal))
}

/// Lists are long and comparing costs: the first numbers tell most apart. Epochs of zero may
/// be there or not.
fn may_be_equal(a: &str, b: &str) -> bool {
    fn first_number(text: &str) -> &str {
        let is_digit = |char: char| char.is_ascii_digit();
        let text = text.trim_start_matches(|char| !is_digit(char)).trim_start_matches('0');
        text.split(|char| !is_digit(char)).next().unwrap_or_default()
    }
    first_number(a) == first_number(b) || a.contains([':', '!']) != b.contains([':', '!'])
}

fn listed(versions: &[String]) -> String {
    match versions {
        [one] => format!("= {one}"),
        [first, .., last] => format!("one of {} from {first} to {last}", versions.len()),
        [] => String::new(),
    }
}

static FIRST: Event = Event::Introduced(String::new());

/// An event at its place among versions. None: before every version.
#[derive(Clone, Copy)]
struct Placed<'a> {
    event: &'a Event,
    at: Option<&'a str>,
}

impl Placed<'_> {
    fn opens(&self) -> bool {
        matches!(self.event, Event::Introduced(_))
    }

    /// Whether it has a say about the version.
    fn concerns(&self, scheme: Scheme, version: &str) -> Result<bool, Unreadable> {
        let Some(at) = self.at else { return Ok(true) };
        let order = versions::against(scheme, version, at)?;
        Ok(if matches!(self.event, Event::LastAffected(_)) { order.is_gt() } else { order.is_ge() })
    }
}

fn judge_range(range: &Range, scheme: Scheme, version: &str) -> Result<Judgement, Unreadable> {
    let (events, unread) = sorted(range, scheme);
    if !is_before_limits(range, scheme, version)? {
        return Ok(Judgement::NotAffected { range: text(&events, &unread) });
    }
    let mut open = None;
    let mut rest = events.len();
    for (place, event) in events.iter().enumerate() {
        if event.concerns(scheme, version)? {
            open = event.opens().then_some(place);
        } else {
            rest = rest.min(place);
        }
    }
    let Some(open) = open else {
        return Ok(Judgement::NotAffected { range: text(&events, &unread) });
    };
    let closing = events.iter().skip(rest.max(open + 1)).find(|event| !event.opens());
    let fixed = closing.and_then(|closing| match closing.event {
        Event::Fixed(version) => Some(version.clone()),
        _ => None,
    });
    let branch: Vec<_> = events.get(open).into_iter().chain(closing).copied().collect();
    Ok(Judgement::Affected { range: text(&branch, &unread), fixed })
}

/// Limits aside; and the events that could not be placed, in words. The sort is stable: of
/// two events at one version, the later in the data has the last word.
fn sorted<'a>(range: &'a Range, scheme: Scheme) -> (Vec<Placed<'a>>, Vec<String>) {
    let mut placed: Vec<Placed> = Vec::new();
    let mut unread = Vec::new();
    // A range needs one; where there is none, it begins with the first version.
    if !range.events.iter().any(|event| matches!(event, Event::Introduced(_))) {
        placed.push(Placed { event: &FIRST, at: None });
    }
    for event in &range.events {
        let (word, version) = match event {
            Event::Introduced(version) if version == "0" => {
                placed.push(Placed { event, at: None });
                continue;
            }
            Event::Introduced(version) => ("introduced", version),
            Event::Fixed(version) => ("fixed", version),
            Event::LastAffected(version) => ("last affected", version),
            Event::Limit(_) => continue,
        };
        if versions::check(scheme, version).is_ok() {
            placed.push(Placed { event, at: Some(version) });
            continue;
        }
        unread.push(format!("{word} `{version}`"));
        if matches!(event, Event::Introduced(_)) {
            let at = placed.last().and_then(|before| before.at);
            placed.push(Placed { event, at });
        }
    }
    // All of them were read above.
    versions::sort_by(&mut placed, |a, b| match (a.at, b.at) {
        (Some(a), Some(b)) => versions::compare(scheme, a, b).unwrap_or(Ordering::Equal),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    (placed, unread)
}

/// Without limits, and below one of them. One that cannot be read limits nothing.
fn is_before_limits(range: &Range, scheme: Scheme, version: &str) -> Result<bool, Unreadable> {
    let mut limited = false;
    for event in &range.events {
        let Event::Limit(limit) = event else { continue };
        if limit == "*" || versions::check(scheme, limit).is_err() {
            return Ok(true);
        }
        if versions::against(scheme, version, limit)?.is_lt() {
            return Ok(true);
        }
        limited = true;
    }
    Ok(!limited)
}

/// `>= 1.0, < 1.2 or >= 2.0, <= 2.3`.
fn text(events: &[Placed], unread: &[String]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut open: Option<&Placed> = None;
    for event in events {
        let upper = match event.event {
            Event::Fixed(version) => format!("< {version}"),
            Event::LastAffected(version) => format!("<= {version}"),
            _ => {
                open = open.or(Some(event));
                continue;
            }
        };
        if let Some(from) = open.take() {
            parts.push(match from.at {
                Some(from) => format!(">= {from}, {upper}"),
                None => upper,
            });
        }
    }
    if let Some(from) = open {
        parts.push(from.at.map_or("every version".to_owned(), |from| format!(">= {from}")));
    }
    let mut text = parts.join(" or ");
    if !unread.is_empty() {
        text = format!("{text} (not read: {})", unread.join(", "));
    }
    text
}

#[cfg(test)]
mod tests;
