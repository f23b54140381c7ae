//! Where a secret stands, and its line with the secret masked.

use std::ops::Range;

/// In characters.
const MAX_EXCERPT_LEN: usize = 120;
/// How much of the line before the secret is shown.
const BEFORE: usize = 60;
/// Secrets of at least so many bytes show their first characters, most often a prefix of
/// their kind.
const LONG: usize = 20;
const SHOWN: usize = 4;

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

/// The line around a secret. All secrets of the line are masked, the one in
/// question showing its first characters if it is long.
pub(super) fn excerpt(
    text: &[u8],
    line: Range<usize>,
    secret: &Range<usize>,
    others: &[Range<usize>],
) -> String {
    let from = line.start.max(secret.start.saturating_sub(BEFORE));
    let mut out = String::new();
    let mut at = from;
    while at < line.end && out.chars().count() < MAX_EXCERPT_LEN {
        let masked = others.iter().find(|other| other.contains(&at));
        if let Some(masked) = masked {
            let shown = if masked == secret && masked.len() >= LONG { SHOWN } else { 0 };
            out.push_str(&printable(&text[masked.start..masked.start + shown]));
            out.push_str("********");
            at = masked.end;
        } else {
            let next = others.iter().map(|other| other.start).filter(|&start| start > at).min();
            let end = next.unwrap_or(line.end).min(line.end).min(at + MAX_EXCERPT_LEN);
            out.push_str(&printable(&text[at..end]));
            at = end;
        }
    }
    out.trim().chars().take(MAX_EXCERPT_LEN).collect()
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
        let shown = excerpt(text.as_bytes(), line, &secret, std::slice::from_ref(&secret));
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_secret_is_masked() {
        check("a\n key = \"hunter2\" # x\nb", "hunter2", "key = \"********\" # x");
        check("k=abcd0123456789abcdef", "abcd0123456789abcdef", "k=abcd********");
        check("-----BEGIN\nMII\n", "-----BEGIN\nMII", "********");
    }

    #[test]
    fn the_excerpt_is_short_and_printable() {
        let line = format!("{}\x1b[31m secret={}", "é".repeat(500), "s".repeat(10));
        let start = line.len() - 10;
        let secret = start..line.len();
        let shown = excerpt(line.as_bytes(), 0..line.len(), &secret, std::slice::from_ref(&secret));
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
