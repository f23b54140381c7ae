//! Composer: its versions (<https://getcomposer.org/doc/articles/versions.md>) in the
//! order of PHP's version_compare (<https://www.php.net/version_compare>).
//!
//! Composer fills every version up to four numbers before it compares: 1.0 is 1.0.0.
//! PHP alone does not: there 1.0 comes before 1.0.0, and even before 1.0.0-beta.

use std::cmp::Ordering;

use super::digits;

/// Numbers, then runs of letters and of digits.
pub(super) struct Version<'a> {
    parts: Vec<&'a str>,
}

/// How many numbers Composer makes of every version.
const NUMBERS: usize = 4;

/// What stands for the numbers of a branch that are still open: `1.x-dev` is after all of 1.
const OPEN: &str = "9999999";

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.trim_ascii();
    if text.starts_with("dev-") {
        return Err("it is a branch and has no place among versions");
    }
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    // `1.0.0+build`: Composer drops it.
    let text = text.split_once('+').map_or(text, |(before, _)| before);
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("it does not begin with a number");
    }
    if let Some(branch) = text.strip_suffix("-dev")
        && branch.split('.').any(is_open)
    {
        return read_branch(branch);
    }
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let mut parts: Vec<_> = numbers.split('.').filter(|number| !number.is_empty()).collect();
    parts.resize(parts.len().max(NUMBERS), "0");
    parts.extend(runs(rest));
    Ok(Version { parts })
}

/// As PHP's version_compare reads any text.
pub(super) fn read_php(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    Ok(Version { parts: runs(text).collect() })
}

fn read_branch(branch: &str) -> Result<Version<'_>, &'static str> {
    let mut parts: Vec<_> =
        branch.split('.').map(|part| if is_open(part) { OPEN } else { part }).collect();
    if !parts.iter().all(|part| digits::is_number(part)) {
        return Err("it is a branch and has no place among versions");
    }
    parts.resize(parts.len().max(NUMBERS), OPEN);
    parts.push("dev");
    Ok(Version { parts })
}

fn is_open(part: &str) -> bool {
    matches!(part, "x" | "X" | "*")
}

fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_ascii_alphanumeric()).flat_map(|word| {
        word.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).scan(
            0,
            move |start, run| {
                let from = *start;
                *start += run.len();
                word.get(from..*start)
            },
        )
    })
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    for at in 0..a.parts.len().max(b.parts.len()) {
        let found = match (a.parts.get(at), b.parts.get(at)) {
            (Some(a), Some(b)) => order_parts(a, b),
            (Some(a), None) => order_to_nothing(a),
            (None, Some(b)) => order_to_nothing(b).reverse(),
            (None, None) => Ordering::Equal,
        };
        if found.is_ne() {
            return found;
        }
    }
    Ordering::Equal
}

fn order_parts(a: &str, b: &str) -> Ordering {
    if digits::is_number(a) && digits::is_number(b) {
        digits::order(a.as_bytes(), b.as_bytes())
    } else {
        rank(a).cmp(&rank(b))
    }
}

fn order_to_nothing(part: &str) -> Ordering {
    if digits::is_number(part) { Ordering::Greater } else { rank(part).cmp(&NUMBER) }
}

const NUMBER: u8 = 5;

/// PHP looks at how a word begins, and minds its case; words it does not know are all alike.
fn rank(part: &str) -> u8 {
    match part {
        number if digits::is_number(number) => NUMBER,
        word if word.starts_with("dev") => 1,
        word if word.starts_with('a') => 2,
        word if word.starts_with('b') => 3,
        word if word.starts_with("RC") || word.starts_with("rc") => 4,
        word if word.starts_with('p') => 6,
        _ => 0,
    }
}
