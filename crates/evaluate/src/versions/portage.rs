//! Gentoo: `1.2.3b_rc1_p2-r4`, <https://projects.gentoo.org/pms/8/pms.html#version-comparison>.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    numbers: Vec<&'a str>,
    letter: Option<u8>,
    suffixes: Vec<(usize, &'a str)>,
    revision: &'a str,
}

/// In their order. Only `p` is later than no suffix.
const SUFFIXES: [&str; 5] = ["alpha", "beta", "pre", "rc", "p"];
const PATCH: usize = 4;

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    let (text, revision) = match text.rsplit_once("-r") {
        Some((text, revision)) if digits::is_number(revision) => (text, revision),
        _ => (text, "0"),
    };
    let mut parts = text.split('_');
    let numbers = parts.next().unwrap_or_default();
    let letter = numbers.bytes().last().filter(u8::is_ascii_lowercase);
    let numbers = &numbers[..numbers.len() - usize::from(letter.is_some())];
    let numbers: Vec<_> = numbers.split('.').collect();
    if !numbers.iter().all(|number| digits::is_number(number)) {
        return Err("it does not begin with numbers and dots");
    }
    let suffix = |part: &'_ str| -> Option<(usize, usize)> {
        let word = part.trim_end_matches(|char: char| char.is_ascii_digit());
        Some((SUFFIXES.iter().position(|known| *known == word)?, word.len()))
    };
    let suffixes = parts.map(|part| suffix(part).map(|(known, at)| (known, &part[at..])));
    let suffixes = suffixes.collect::<Option<Vec<_>>>().ok_or("it has a suffix that is unknown")?;
    Ok(Version { numbers, letter, suffixes, revision })
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    order_numbers(&a.numbers, &b.numbers)
        .then_with(|| a.letter.cmp(&b.letter))
        .then_with(|| order_suffixes(&a.suffixes, &b.suffixes))
        .then_with(|| digits::order(a.revision.as_bytes(), b.revision.as_bytes()))
}

fn order_numbers(a: &[&str], b: &[&str]) -> Ordering {
    let one = |(at, (a, b)): (usize, (&&str, &&str))| {
        if at > 0 && (a.starts_with('0') || b.starts_with('0')) {
            // A decimal fraction.
            a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
        } else {
            digits::order(a.as_bytes(), b.as_bytes())
        }
    };
    let found = a.iter().zip(b).enumerate().map(one).find(|found| found.is_ne());
    found.unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn order_suffixes(a: &[(usize, &str)], b: &[(usize, &str)]) -> Ordering {
    for at in 0..a.len().max(b.len()) {
        let found = match (a.get(at), b.get(at)) {
            (Some((a, number_a)), Some((b, number_b))) => {
                a.cmp(b).then_with(|| digits::order(number_a.as_bytes(), number_b.as_bytes()))
            }
            (Some((PATCH, _)), None) | (None, Some((0..PATCH, _))) => Ordering::Greater,
            _ => Ordering::Less,
        };
        if found.is_ne() {
            return found;
        }
    }
    Ordering::Equal
}
