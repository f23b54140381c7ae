//! Arch: `[epoch:]version[-release]`, <https://man.archlinux.org/man/vercmp.8>.

use std::cmp::Ordering;

use super::digits;

/// Written as rpm's are; only the order differs.
pub(super) use super::rpm::{Version, read};

/// A release counts only where both have one.
pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    let release = || match (a.release, b.release) {
        (Some(a), Some(b)) => order_parts(a, b),
        _ => Ordering::Equal,
    };
    digits::order(a.epoch, b.epoch)
        .then_with(|| order_parts(a.version, b.version))
        .then_with(release)
}

/// As rpm once did, but a word at the end makes a version earlier, and the number of
/// separators counts.
fn order_parts(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() && !b.is_empty() {
        let (gap_a, rest_a) = digits::split_where(a, |byte| !byte.is_ascii_alphanumeric());
        let (gap_b, rest_b) = digits::split_where(b, |byte| !byte.is_ascii_alphanumeric());
        (a, b) = (rest_a, rest_b);
        let (Some(first_a), Some(first_b)) = (a.first(), b.first()) else { break };
        if gap_a.len() != gap_b.len() {
            return gap_a.len().cmp(&gap_b.len());
        }
        let numbers = first_a.is_ascii_digit();
        if numbers != first_b.is_ascii_digit() {
            return numbers.cmp(&first_b.is_ascii_digit());
        }
        let belongs = |byte: u8| byte.is_ascii_alphanumeric() && byte.is_ascii_digit() == numbers;
        let (run_a, run_b);
        (run_a, a) = digits::split_where(a, belongs);
        (run_b, b) = digits::split_where(b, belongs);
        let found = if numbers { digits::order(run_a, run_b) } else { run_a.cmp(run_b) };
        if found.is_ne() {
            return found;
        }
    }
    let is_word = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_alphabetic);
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if !is_word(b) => Ordering::Less,
        _ if is_word(a) => Ordering::Less,
        _ => Ordering::Greater,
    }
}
