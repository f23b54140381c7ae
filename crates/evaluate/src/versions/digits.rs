//! Numbers of any length, compared as the strings of digits they are.

use std::cmp::Ordering;

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// By value: leading zeros mean nothing, and no digits at all are zero.
pub(super) fn order(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (without_zeros(a), without_zeros(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The longest start of digits, and the rest.
pub(super) fn split(text: &[u8]) -> (&[u8], &[u8]) {
    split_where(text, |byte| byte.is_ascii_digit())
}

/// The longest start of bytes for which `belongs` holds, and the rest.
pub(super) fn split_where(text: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !belongs(*byte)).unwrap_or(text.len());
    text.split_at(end)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|digit| **digit == b'0').count();
    &number[zeros..]
}
