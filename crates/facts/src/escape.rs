//! Foreign text made safe to show: nothing from an image, a server or a file may steer
//! a terminal, turn the direction of a line around, or hide in it.

use std::borrow::Cow;
use std::fmt::Write;

/// Bytes as text, losslessly: printable UTF-8 stays as it is, a backslash is doubled, and
/// everything else is escaped (`\n`, `\x1b`, `\u{202e}`, `\xff`).
pub fn lossless(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => text.push_str("\\\\"),
                char => push(char, &mut text),
            }
        }
        push_bytes(chunk.invalid(), &mut text);
    }
    text
}

/// As [`lossless`] for text that is ours in part (messages): a backslash stays single.
pub fn printable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    message.chars().for_each(|char| push(char, &mut text));
    text
}

/// The beginning of a name or value for a message: as [`printable`], with bytes that are
/// not UTF-8 as `\xNN`, and an ellipsis after `most` characters.
pub fn cut(name: impl AsRef<[u8]>, most: usize) -> String {
    let mut text = String::new();
    // One character or one sequence that is none: what counts is that it ends.
    let chunks = name.as_ref().utf8_chunks();
    let pieces = chunks.flat_map(|chunk| {
        let valid = chunk.valid().chars().map(Ok);
        valid.chain((!chunk.invalid().is_empty()).then(|| Err(chunk.invalid())))
    });
    for (count, piece) in pieces.enumerate() {
        if count == most {
            text.push('…');
            break;
        }
        match piece {
            Ok(char) => push(char, &mut text),
            Err(bytes) => push_bytes(bytes, &mut text),
        }
    }
    text
}

/// The bytes as they are where they are UTF-8, for JSON, which escapes for itself; else
/// each byte that is not is written `\xNN`.
pub fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        push_bytes(chunk.invalid(), &mut text);
    }
    Cow::Owned(text)
}

fn push(char: char, text: &mut String) {
    match char {
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        char if char.is_ascii_control() => push_bytes(&[char as u8], text),
        char if steers(char) => {
            let _ = write!(text, "\\u{{{:x}}}", char as u32);
        }
        char => text.push(char),
    }
}

fn push_bytes(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// Whether a character steers what shows it, or cannot be seen: control characters, directions.
pub fn steers(char: char) -> bool {
    char.is_control() || is_invisible(char)
}

/// Characters that change what their neighbours look like without being seen:
/// directions, joiners, line separators, tags.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_reaches_the_terminal_raw() {
        assert_eq!(lossless("plain/ünï/日本".as_bytes()), "plain/ünï/日本");
        assert_eq!(lossless(b"a\x1b[31mb\x07\x7f"), r"a\x1b[31mb\x07\x7f");
        assert_eq!(lossless(b"back\\slash\xff\xc3"), r"back\\slash\xff\xc3");
        assert_eq!(lossless("\u{202e}gpj.exe\u{9b}".as_bytes()), r"\u{202e}gpj.exe\u{9b}");
        assert_eq!(printable("no `C:\\x`\n"), r"no `C:\x`\n");
    }

    #[test]
    fn what_turns_the_direction_or_ends_the_line_is_escaped_everywhere() {
        for code in [0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069] {
            let char = char::from_u32(code).unwrap().to_string();
            let expected = format!("\\u{{{code:x}}}");
            let shown = [lossless(char.as_bytes()), printable(&char), cut(&char, 1)];
            assert_eq!(shown, [&*expected; 3]);
        }
    }

    #[test]
    fn names_are_cut() {
        assert_eq!(cut("a\x1b[31m\u{202e}b\\", 200), r"a\x1b[31m\u{202e}b\");
        assert_eq!(cut(b"caf\xe9", 4), r"caf\xe9");
        assert_eq!(cut(b"caf\xe9s", 4), r"caf\xe9…");
        assert_eq!(cut("x".repeat(201), 200).chars().count(), 201);
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn only_what_is_not_utf_8_is_escaped_for_json() {
        assert_eq!(utf8("café\\x20\n".as_bytes()), "café\\x20\n");
        assert_eq!(utf8(b"caf\xe9/\xff"), "caf\\xe9/\\xff");
    }
}
