//! Text that is encoded in base64 once: private keys in kubeconfigs, TLS secrets and
//! variables, and tokens by their own form.

use std::ops::Range;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bytes of one encoded text.
const MAX_RUN: usize = 128 << 10;

/// Padding and unused bits do not matter to readers.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// How a word looks within base64, at each of the three places that it may begin at.
/// Letters that its neighbours have a part in are left out.
pub(super) fn forms(word: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let mut bytes = vec![0; before];
        bytes.extend(word);
        let all = STANDARD.encode(&bytes);
        let start = [0, 2, 3][before];
        let end = bytes.len() * 8 / 6;
        all.get(start..end).unwrap_or_default().to_owned()
    })
}

/// The letters of base64 around an offset, over as many lines as they are wrapped to.
pub(super) fn run_around(text: &[u8], found: &Range<usize>) -> Range<usize> {
    let mut start = found.start;
    let least = found.start.saturating_sub(MAX_RUN);
    loop {
        while start > least && is_letter(text[start - 1]) {
            start -= 1;
        }
        match wrapped_before(text, start) {
            Some(before) if before > least => start = before,
            _ => break,
        }
    }
    let mut end = found.end;
    let most = text.len().min(found.end + MAX_RUN);
    loop {
        while end < most && (is_letter(text[end]) || text[end] == b'=') {
            end += 1;
        }
        match wrapped_behind(text, end) {
            Some(behind) if behind < most => end = behind,
            _ => break,
        }
    }
    start..end
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// The end of the line before, where that line has letters of base64 alone.
fn wrapped_before(text: &[u8], start: usize) -> Option<usize> {
    let blanks = text[..start].iter().rev().take_while(|byte| b" \t".contains(byte)).count();
    let feed = (start - blanks).checked_sub(1).filter(|&at| text[at] == b'\n')?;
    let end = feed - usize::from(feed > 0 && text[feed - 1] == b'\r');
    let length = text[..end].iter().rev().take(200).take_while(|byte| is_letter(**byte)).count();
    let before = end.checked_sub(length + 1).map_or(b'\n', |at| text[at]);
    (length >= 40 && b" \t\n".contains(&before)).then_some(end)
}

/// The begin of the next line, where that has letters of base64 alone.
fn wrapped_behind(text: &[u8], end: usize) -> Option<usize> {
    let rest = &text[end..];
    let feed = usize::from(rest.first() == Some(&b'\r'));
    let rest = rest[feed..].strip_prefix(b"\n")?;
    let blanks = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
    let rest = &rest[blanks..];
    let length = rest.iter().take_while(|byte| is_letter(**byte) || **byte == b'=').count();
    let behind = rest.get(length).copied().unwrap_or(b'\n');
    (length > 0 && matches!(behind, b'\n' | b'\r')).then_some(text.len() - rest.len())
}

/// Decodes base64 of either alphabet, wrapped or not. `None` for what is none.
pub(super) fn decode(run: &[u8]) -> Option<Vec<u8>> {
    let mut letters: Vec<u8> = run
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    while letters.last() == Some(&b'=') {
        letters.pop();
    }
    // One letter alone is no byte: the run was cut.
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    (!letters.is_empty()).then(|| STANDARD.decode(&letters).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_three_forms() {
        for before in ["", "x", "xy", "xyz"] {
            let text = STANDARD.encode(format!("{before}PRIVATE KEY-----"));
            let found = forms(b"PRIVATE KEY").iter().any(|form| text.contains(form.as_str()));
            assert!(found, "{text}");
        }
    }

    #[test]
    fn a_run_goes_over_wrapped_lines() {
        let line = "QUJD".repeat(16);
        let text = format!("key: |\n    {line}\n    {line}\n    QUJD=\nother: x");
        let at = text.find("QUJD").unwrap() + 70;
        let run = run_around(text.as_bytes(), &(at..at + 4));
        assert_eq!(decode(&text.as_bytes()[run]).unwrap(), "ABC".repeat(33).as_bytes());
        let one = format!("a: {line}\nb: {line}\n");
        let run = run_around(one.as_bytes(), &(10..14));
        assert_eq!(&one[run], line);
    }
}
