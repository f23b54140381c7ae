//! Red Hat and all who use rpm: `[epoch:]version[-release]`.
//!
//! <https://rpm-software-management.github.io/rpm/man/rpm-version.7>. rpm reads any
//! text that is not empty.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    pub(super) epoch: &'a [u8],
    pub(super) version: &'a [u8],
    pub(super) release: Option<&'a [u8]>,
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    let text = text.as_bytes();
    // Only digits before the colon are an epoch; none there means 0, as no epoch does.
    let (epoch, rest) = match digits::split(text) {
        (epoch, [b':', rest @ ..]) => (epoch, rest),
        _ => (&b""[..], text),
    };
    let dash = rest.iter().rposition(|byte| *byte == b'-');
    let (version, release) = match dash {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    Ok(Version { epoch, version, release })
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    let release = || match (a.release, b.release) {
        (Some(a), Some(b)) => order_parts(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    };
    digits::order(a.epoch, b.epoch)
        .then_with(|| order_parts(a.version, b.version))
        .then_with(release)
}

/// Runs of digits and runs of letters in turn; everything between them only separates.
pub(super) fn order_parts(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        a = digits::split_where(a, is_separator).1;
        b = digits::split_where(b, is_separator).1;
        match (a.first(), b.first()) {
            // Before everything, the end included.
            (Some(b'~'), Some(b'~')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            // After the end, and before everything else.
            (Some(b'^'), Some(b'^')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (Some(first), Some(second)) => {
                match (first.is_ascii_digit(), second.is_ascii_digit()) {
                    (true, false) => return Ordering::Greater,
                    (false, true) => return Ordering::Less,
                    (numbers, _) => {
                        let belongs = |byte: u8| {
                            byte.is_ascii_alphanumeric() && byte.is_ascii_digit() == numbers
                        };
                        let (run_a, run_b);
                        (run_a, a) = digits::split_where(a, belongs);
                        (run_b, b) = digits::split_where(b, belongs);
                        let by_value = if numbers { digits::order } else { <[u8]>::cmp };
                        let found = by_value(run_a, run_b);
                        if found.is_ne() {
                            return found;
                        }
                    }
                }
            }
            (a, b) => return a.is_some().cmp(&b.is_some()),
        }
    }
}

fn is_separator(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !matches!(byte, b'~' | b'^')
}
