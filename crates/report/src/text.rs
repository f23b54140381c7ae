//! Text of an image on a terminal: nothing in it may steer the terminal, and
//! it fits into the columns there are.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Bytes of an image as text: what is printable UTF-8 stays as it is, and
/// everything else is escaped (`\n`, `\x1b`, `\u{202e}`), losslessly.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => text.push_str("\\\\"),
                char => push_printable(char, &mut text),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// As [`shown`] for text that is ours in part (messages): backslashes stay single.
pub fn printable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    message.chars().for_each(|char| push_printable(char, &mut text));
    text
}

fn push_printable(char: char, text: &mut String) {
    match char {
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        char if char.is_ascii_control() => {
            let _ = write!(text, "\\x{:02x}", char as u32);
        }
        char if char.is_control() || is_invisible(char) => {
            let _ = write!(text, "\\u{{{:x}}}", char as u32);
        }
        char => text.push(char),
    }
}

/// Characters that change what their neighbours look like without being seen:
/// directions, joiners, line separators, tags.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Columns it takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// At most so many columns; what is cut off is an ellipsis.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = columns.saturating_sub(1);
    for char in text.chars() {
        let Some(rest) = left.checked_sub(char.width().unwrap_or(0)) else { break };
        cut.push(char);
        left = rest;
    }
    cut.push('…');
    cut
}

/// `29.1 MB`: decimal, as image tools count.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be rounded to 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 layer`, `2 layers`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_image_reaches_the_terminal_raw() {
        assert_eq!(shown("plain/ünï/日本".as_bytes()), "plain/ünï/日本");
        assert_eq!(shown(b"a\x1b[31mb\x07\x7f"), r"a\x1b[31mb\x07\x7f");
        assert_eq!(shown(b"back\\slash\xff\xc3"), r"back\\slash\xff\xc3");
        assert_eq!(shown("\u{202e}gpj.exe\u{9b}".as_bytes()), r"\u{202e}gpj.exe\u{9b}");
        assert_eq!(printable("no `C:\\x`\n"), r"no `C:\x`\n");
    }

    #[test]
    fn what_is_cut_ends_in_an_ellipsis_and_fits() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(width(&cut("日本語", 4)), 3);
        assert_eq!(cut("x", 0), "…");
    }

    #[test]
    fn numbers_are_for_reading() {
        let sizes = [0, 999, 1000, 1_500_000, 999_960, 4_500_000_000].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.5 MB", "1.0 MB", "4.5 GB"]);
        assert_eq!([0, 999, 1000, 1234567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "layer", "layers"), "1 layer");
    }
}
