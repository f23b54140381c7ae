//! Debian and what descends from it: `[epoch:]upstream[-revision]`.
//!
//! <https://www.debian.org/doc/debian-policy/ch-controlfields.html#version>. What
//! `dpkg --compare-versions` only warns about (a letter in front, an odd character)
//! is compared here too.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    epoch: u32,
    upstream: &'a str,
    revision: &'a str,
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return Err("it has a blank inside");
    }
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (read_epoch(epoch)?, rest),
        None => (0, text),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    if upstream.is_empty() {
        return Err("nothing stands where the upstream version should");
    }
    if revision.is_empty() {
        return Err("no revision follows the last `-`");
    }
    Ok(Version { epoch, upstream, revision })
}

/// dpkg keeps it in an int.
fn read_epoch(epoch: &str) -> Result<u32, &'static str> {
    if !digits::is_number(epoch) {
        return Err("its epoch is no number");
    }
    match epoch.parse() {
        Ok(epoch) if epoch <= i32::MAX as u32 => Ok(epoch),
        _ => Err("its epoch is too big"),
    }
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    let upstream = || order_parts(a.upstream.as_bytes(), b.upstream.as_bytes());
    let revision = || order_parts(a.revision.as_bytes(), b.revision.as_bytes());
    a.epoch.cmp(&b.epoch).then_with(upstream).then_with(revision)
}

/// In turn the characters up to the next digit, and the number from there.
fn order_parts(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = digits::split_where(a, |byte| !byte.is_ascii_digit());
        let (text_b, rest_b) = digits::split_where(b, |byte| !byte.is_ascii_digit());
        let (number_a, number_b);
        (number_a, a) = digits::split(rest_a);
        (number_b, b) = digits::split(rest_b);
        let found = order_text(text_a, text_b).then_with(|| digits::order(number_a, number_b));
        if found.is_ne() {
            return found;
        }
    }
    Ordering::Equal
}

fn order_text(a: &[u8], b: &[u8]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|at| weight(a.get(at)).cmp(&weight(b.get(at))))
        .find(|found| found.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// `~` comes before the end, letters come next, then everything else.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}
