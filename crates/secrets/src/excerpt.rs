//! Where a secret stands, and its line with all secrets in it masked.

use std::ops::Range;

use super::value::Shape;
use inscan_facts::entropy::entropy;

/// In characters.
const MAX_EXCERPT_LEN: usize = 120;
/// How much of the line before the secret is shown.
const BEFORE: usize = 60;
/// Secrets of at least so many bytes show their first characters, most often a prefix of
/// their kind.
const LONG: usize = 20;
const SHOWN: usize = 4;
const MASK: &[u8] = b"********";
/// How far a mask grows beyond what a rule matched, in bytes.
const MAX_GROWTH: usize = 4096;

/// Finds line and column, both from 1, of offsets in ascending order.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    line: u32,
    start: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Lines { text, offset: 0, line: 1, start: 0 }
    }

    /// Line and column, and where the line starts and ends.
    pub(super) fn position(&mut self, offset: usize) -> (u32, u32, Range<usize>) {
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        for at in memchr::memchr_iter(b'\n', passed) {
            self.line = self.line.saturating_add(1);
            self.start = self.offset + at + 1;
        }
        self.offset = self.offset.max(offset);
        let rest = self.text.get(offset..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(self.text.len(), |at| offset + at);
        let column = u32::try_from(offset - self.start).unwrap_or(u32::MAX).saturating_add(1);
        (self.line, column, self.start..end)
    }
}

/// Everything of a text that is masked: what rules matched, each as far as its value goes.
/// Sorted, without overlaps.
pub(super) struct Masks(Vec<Range<usize>>);

impl Masks {
    pub(super) fn of<'r>(text: &[u8], secrets: impl Iterator<Item = &'r Range<usize>>) -> Self {
        let mut all: Vec<Range<usize>> = secrets.map(|secret| whole(text, secret)).collect();
        all.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in all {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Masks(merged)
    }

    /// The mask at or behind an offset.
    fn next(&self, at: usize) -> Option<&Range<usize>> {
        let position = self.0.partition_point(|mask| mask.end <= at);
        self.0.get(position)
    }

    /// The whole text, masked.
    pub(super) fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        for mask in &self.0 {
            out.extend_from_slice(&text[at..mask.start]);
            out.extend_from_slice(&text[mask.start..mask.start + shown(mask)]);
            out.extend_from_slice(MASK);
            at = mask.end;
        }
        out.extend_from_slice(&text[at..]);
        out
    }
}

fn shown(mask: &Range<usize>) -> usize {
    if mask.len() >= LONG { SHOWN } else { 0 }
}

/// A match up to the end of the value that it is in: a rule may know the beginning only.
fn whole(text: &[u8], secret: &Range<usize>) -> Range<usize> {
    let is_end = |&byte: &u8| byte <= b' ' || b"\"'`<>,;(){}[]|&\\".contains(&byte);
    let behind = &text[secret.end..text.len().min(secret.end + MAX_GROWTH)];
    let more = behind.iter().position(is_end).unwrap_or(behind.len());
    // The host behind the password of a URL is no part of it.
    let more = if behind.first() == Some(&b'@') { 0 } else { more };
    let before = &text[secret.start.saturating_sub(MAX_GROWTH)..secret.start];
    let of_value = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+_~.-".contains(byte);
    let less = before.iter().rev().take_while(of_value).count();
    secret.start - less..secret.end + more
}

/// The line around a secret. All secrets of the line are masked, the one in
/// question showing its first characters if it is long; and so is whatever else
/// looks drawn at random.
pub(super) fn excerpt(
    text: &[u8],
    line: Range<usize>,
    secret: &Range<usize>,
    masks: &Masks,
) -> String {
    let from = line.start.max(secret.start.saturating_sub(BEFORE));
    let mut out = String::new();
    let mut at = from;
    while at < line.end && out.chars().count() < MAX_EXCERPT_LEN {
        let mask = masks.next(at);
        if let Some(mask) = mask.filter(|mask| mask.start <= at) {
            let shown = if mask.start == secret.start { shown(mask) } else { 0 };
            out.push_str(&printable(&text[mask.start..mask.start + shown]));
            out.push_str("********");
            at = mask.end;
        } else {
            let end = mask.map_or(line.end, |mask| mask.start).min(line.end);
            let end = end.min(at + MAX_EXCERPT_LEN);
            out.push_str(&printable(&without_random_words(&text[at..end])));
            at = end;
        }
    }
    out.trim().chars().take(MAX_EXCERPT_LEN).collect()
}

/// What no rule knows may be a secret all the same.
fn without_random_words(text: &[u8]) -> Vec<u8> {
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"+_~$!#%^*-".contains(&byte);
    let mut out = Vec::with_capacity(text.len());
    for word in text.chunk_by(|left, right| of_word(*left) == of_word(*right)) {
        out.extend_from_slice(if is_random(word) { MASK } else { word });
    }
    out
}

fn is_random(word: &[u8]) -> bool {
    let shape = Shape::of(word);
    let is_mixed = shape.digits >= 2 && shape.letters() >= 2 || shape.digits > 15;
    shape.length >= 12 && is_mixed && !shape.is_wordy() && entropy(word) > 2.8
}

fn printable(bytes: &[u8]) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    String::from_utf8_lossy(bytes).chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, secret: &str, expected: &str) {
        let start = text.find(secret).expect("secret in text");
        let secret = start..start + secret.len();
        let mut lines = Lines::new(text.as_bytes());
        let (_, _, line) = lines.position(start);
        let masks = Masks::of(text.as_bytes(), [&secret].into_iter());
        let shown = excerpt(text.as_bytes(), line, &secret, &masks);
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_secret_is_masked() {
        check("a\n key = \"hunter2\" # x\nb", "hunter2", "key = \"********\" # x");
        check("k=abcd0123456789abcdef", "abcd0123456789abcdef", "k=abcd********");
        check("-----BEGIN\nMII\n", "-----BEGIN\nMII", "********");
    }

    #[test]
    fn the_mask_goes_to_the_end_of_the_value() {
        check(
            "\"k\": \"abcd0123456789abcdef/GH+12==\"",
            "abcd0123456789abcdef",
            "\"k\": \"abcd********\"",
        );
        check("x=abcd0123456789abcdef", "0123456789abcdef", "x=********");
        check("postgres://u:hunter2@db/x", "hunter2", "postgres://u:********@db/x");
    }

    #[test]
    fn what_looks_random_beside_a_secret_is_masked() {
        check(
            "a=hunter2, refresh=\"1//0gq8W7e6R5t4Y3\"",
            "hunter2",
            "a=********, refresh=\"1//********\"",
        );
    }

    #[test]
    fn a_whole_text_is_masked() {
        let text = b"RUN A=hunter2 make";
        let masks = Masks::of(text, [&(6..13)].into_iter());
        assert_eq!(masks.apply(text), b"RUN A=******** make");
    }

    #[test]
    fn the_excerpt_is_short_and_printable() {
        let line = format!("{}\x1b[31m secret={}", "é".repeat(500), "s".repeat(10));
        let start = line.len() - 10;
        let secret = start..line.len();
        let masks = Masks::of(line.as_bytes(), [&secret].into_iter());
        let shown = excerpt(line.as_bytes(), 0..line.len(), &secret, &masks);
        assert!(shown.chars().count() <= MAX_EXCERPT_LEN);
        assert!(!shown.chars().any(char::is_control));
        assert!(shown.ends_with("secret=********"), "{shown}");
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let mut lines = Lines::new(b"ab\ncd\n");
        assert_eq!(lines.position(0), (1, 1, 0..2));
        assert_eq!(lines.position(4), (2, 2, 3..5));
        assert_eq!(lines.position(4), (2, 2, 3..5));
    }
}
