//! Java itself: `8u402-b06`, `1.8.0_402` and `11.0.2+9`, <https://openjdk.org/jeps/223>.
//!
//! The build (`+9`, `-b06`) is of the distributor and does not count.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    numbers: Vec<&'a str>,
    /// `ea`, `internal`. None: a release.
    pre: Option<&'a str>,
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.split_once('+').map_or(text, |(before, _build)| before);
    let (numbers, rest) = split_numbers(text);
    let mut numbers: Vec<_> = numbers.split('.').collect();
    // Of Java 8 and before: the update.
    let mut rest = rest;
    for mark in ["_", "u", "-update"] {
        if let Some(behind) = rest.strip_prefix(mark) {
            let (update, after) = split_numbers(behind);
            // `8u402` names no third number.
            let missing = 2_usize.saturating_sub(numbers.len() - usize::from(is_old(&numbers)));
            numbers.extend(std::iter::repeat_n("0", missing));
            numbers.push(update);
            rest = after;
            break;
        }
    }
    if !numbers.iter().all(|number| digits::is_number(number)) {
        return Err("it does not begin with numbers and dots");
    }
    if is_old(&numbers) {
        numbers.remove(0);
    }
    let pre = match rest.strip_prefix('-') {
        Some(pre) => pre.split('-').next().filter(|word| is_stage(word)),
        None if rest.is_empty() => None,
        None => return Err("something that is no update follows its numbers"),
    };
    Ok(Version { numbers, pre })
}

/// `1.8.0` is Java 8.
fn is_old(numbers: &[&str]) -> bool {
    matches!(numbers, ["1", _, ..])
}

fn split_numbers(text: &str) -> (&str, &str) {
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.');
    text.split_at(end.unwrap_or(text.len()))
}

/// A word such as `ea`; `b06` is a build, and what begins with a digit a distributor's own.
fn is_stage(word: &str) -> bool {
    let is_build = word.strip_prefix('b').is_some_and(digits::is_number);
    word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !is_build
        && word != "ga"
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    fn part<'a>(numbers: &[&'a str], at: usize) -> &'a [u8] {
        numbers.get(at).copied().unwrap_or_default().as_bytes()
    }
    let numbers = (0..a.numbers.len().max(b.numbers.len()))
        .map(|at| digits::order(part(&a.numbers, at), part(&b.numbers, at)))
        .find(|found| found.is_ne());
    numbers.unwrap_or(Ordering::Equal).then_with(|| match (a.pre, b.pre) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    })
}
