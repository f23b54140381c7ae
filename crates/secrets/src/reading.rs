//! Bytes of a file as what they are read as: text in UTF-8 or UTF-16, with or without a
//! mark, or the strings of a binary file.

use std::borrow::Cow;

use inscan_facts::encoding::from_utf16;

/// What a file's bytes are searched as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading<'a> {
    /// Everything counts.
    Text(Cow<'a, [u8]>),
    /// Only what has a form of its own counts: nothing is beside anything.
    Binary(Cow<'a, [u8]>),
}

/// How many bytes tell text from binary.
const TOLD_BY: usize = 8 << 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Utf16 { is_little: bool, mark: usize },
    Binary,
}

/// Whether a file that begins like this is text.
pub(super) fn is_text(start: &[u8]) -> bool {
    kind(start) != Kind::Binary
}

pub(super) fn read<'a>(bytes: &'a [u8], name: &[u8]) -> Reading<'a> {
    match kind(&bytes[..bytes.len().min(TOLD_BY)]) {
        Kind::Text if is_python(name) && bytes.contains(&0) => {
            Reading::Binary(Cow::Owned(strings_of_python(bytes)))
        }
        Kind::Text => {
            Reading::Text(Cow::Borrowed(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)))
        }
        Kind::Utf16 { is_little, mark } => {
            Reading::Text(Cow::Owned(from_utf16(&bytes[mark..], is_little).into_bytes()))
        }
        Kind::Binary if is_python(name) => Reading::Binary(Cow::Owned(strings_of_python(bytes))),
        Kind::Binary if bytes.starts_with(b"MZ") => Reading::Binary(with_wide_strings(bytes)),
        Kind::Binary => Reading::Binary(Cow::Borrowed(bytes)),
    }
}

/// Letters of UTF-16 in a row that are a text of a program.
const LEAST_WIDE: usize = 16;

/// Programs of Windows and .NET have their texts in UTF-16: they are put behind the bytes, a
/// line each.
fn with_wide_strings(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut strings = Vec::new();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(0, rest)) {
        let start = (at + found).saturating_sub(1);
        let pairs = bytes[start..].chunks_exact(2);
        let length = pairs.take_while(|pair| pair[1] == 0 && is_plain(pair[0])).count();
        if length >= LEAST_WIDE {
            let text = bytes[start..start + 2 * length].iter().step_by(2);
            strings.push(b'\n');
            strings.extend(text);
        }
        at = (at + found + 1).max(start + 2 * length);
    }
    match strings.is_empty() {
        true => Cow::Borrowed(bytes),
        false => Cow::Owned([bytes, &strings].concat()),
    }
}

/// Compiled modules, which may hold more text than code.
fn is_python(name: &[u8]) -> bool {
    name.ends_with(b".pyc") || name.ends_with(b".pyo")
}

fn kind(start: &[u8]) -> Kind {
    match start {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Kind::Binary,
        [0xff, 0xfe, ..] => return Kind::Utf16 { is_little: true, mark: 2 },
        [0xfe, 0xff, ..] => return Kind::Utf16 { is_little: false, mark: 2 },
        _ => {}
    }
    if memchr::memchr(0, start).is_none() {
        return Kind::Text;
    }
    let is_magic =
        [&b"\x7fELF"[..], b"PK\x03\x04", b"\x1f\x8b", b"MZ", b"SQLite format", b"\x89PNG"]
            .iter()
            .any(|magic| start.starts_with(magic));
    if is_magic {
        return Kind::Binary;
    }
    let nuls = start.iter().filter(|&&byte| byte == 0).count();
    let by_script = || [true, false].into_iter().find(|little| is_utf16_of_script(start, *little));
    if let Some(is_little) = utf16_without_mark(start).or_else(by_script) {
        return Kind::Utf16 { is_little, mark: 0 };
    }
    // A stray NUL makes no program of a text: shells and readers of settings go on. Between
    // the values of an environment there is one each.
    let is_control = |byte: &&u8| **byte < b' ' && !b"\0\t\n\r\x0c\x1b".contains(byte);
    let control = start.iter().filter(is_control).count();
    let high = start.iter().filter(|byte| **byte >= 0x7f).count();
    let is_mostly_text =
        control * 50 <= start.len() && nuls * 4 <= start.len() && high * 5 <= start.len();
    if is_mostly_text { Kind::Text } else { Kind::Binary }
}

/// Every other byte of ASCII in UTF-16 is NUL. True: little endian.
fn utf16_without_mark(start: &[u8]) -> Option<bool> {
    let pairs = start.len() / 2;
    if pairs < 4 {
        return None;
    }
    let count = |odd: usize| {
        start.chunks_exact(2).filter(|pair| pair[odd] == 0 && is_plain(pair[1 - odd])).count()
    };
    let (big, little) = (count(0), count(1));
    if little * 10 >= pairs * 8 {
        return Some(true);
    }
    (big * 10 >= pairs * 8).then_some(false)
}

/// Text of another script than Latin, with blanks and words of ASCII among it: as UTF-16 each
/// unit is a sign that texts have. Of other bytes some are none.
fn is_utf16_of_script(start: &[u8], is_little: bool) -> bool {
    let unit = |pair: &[u8]| match is_little {
        true => u16::from_le_bytes([pair[0], pair[1]]),
        false => u16::from_be_bytes([pair[0], pair[1]]),
    };
    let units = start.chunks_exact(2).map(unit);
    let is_control = |unit: u16| unit < 0x20 && !matches!(unit, 9 | 10 | 13) || unit == 0x7f;
    // Controls, private use, and what is no sign.
    let is_none = |unit: u16| {
        is_control(unit)
            || matches!(unit, 0x80..=0x9f | 0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfff0..)
    };
    let count = start.len() / 2;
    let ascii = units.clone().filter(|unit| (0x20..0x7f).contains(unit)).count();
    let feeds = units.clone().filter(|unit| *unit == 10).count();
    let is_text = std::char::decode_utf16(units.clone()).take(count - 1).all(|it| it.is_ok());
    count >= 16 && feeds > 0 && ascii * 5 >= count && is_text && !units.into_iter().any(is_none)
}

fn is_plain(byte: u8) -> bool {
    (b' '..0x7f).contains(&byte) || b"\t\n\r".contains(&byte)
}

/// The texts of a compiled module, a line each: the constants of its code are marshalled
/// as a letter for their kind, their length, and their bytes.
/// <https://github.com/python/cpython/blob/main/Python/marshal.c>
fn strings_of_python(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&first) = bytes.get(at) {
        let kind = first & 0x7f;
        let (head, length) = match kind {
            b'z' | b'Z' => (2, bytes.get(at + 1).map(|&length| usize::from(length))),
            b'a' | b'A' | b'u' | b't' | b's' => {
                let length = bytes.get(at + 1..at + 5).and_then(|four| four.try_into().ok());
                (5, length.map(|four| u32::from_le_bytes(four) as usize))
            }
            _ => (0, None),
        };
        let text = length
            .filter(|&length| length >= 4)
            .and_then(|length| bytes.get(at + head..(at + head).checked_add(length)?));
        let is_text = |text: &&[u8]| text.iter().all(|&byte| is_plain(byte) || byte >= 0x80);
        match text.filter(is_text) {
            Some(text) => {
                out.extend_from_slice(text);
                out.push(b'\n');
                at += head + text.len();
            }
            None => at += 1,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<&str>) {
        let found = match read(bytes, b"a.txt") {
            Reading::Text(text) => Some(String::from_utf8(text.into_owned()).unwrap()),
            Reading::Binary(_) => None,
        };
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn text_is_known_in_every_form() {
        let text = "token = über 99\r\n".repeat(20);
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(&little, Some(&text));
        check(&big, Some(&text));
        check(&[b"\xff\xfe", &little[..]].concat(), Some(&text));
        check(&[b"\xfe\xff", &big[..]].concat(), Some(&text));
        check(&[b"\xef\xbb\xbf", text.as_bytes()].concat(), Some(&text));
        check(b"\0A=b\nC=d\n", Some("\0A=b\nC=d\n"));
        check(b"A=bcdef\0C=defgh\0", Some("A=bcdef\0C=defgh\0"));
    }

    #[test]
    fn utf16_of_other_scripts_is_text() {
        let text = "# パスワードの設定ファイル\r\npassword = ab\r\n# имя и значение\r\n";
        check(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), Some(text));
        check(&text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(), Some(text));
    }

    #[test]
    fn texts_of_programs_of_windows_are_put_behind_them() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let bytes = [b"MZ\x01\x02\x03", &wide("a text of .NET here")[..], b"\x01\x02"].concat();
        let Reading::Binary(read) = read(&bytes, b"a.dll") else { panic!("text") };
        assert!(read.ends_with(b"\na text of .NET here"), "{read:?}");
    }

    #[test]
    fn a_compiled_module_of_much_text_is_no_text() {
        let text = "engine = create_engine('mysql://scott:tiger@host')\n".repeat(40);
        let bytes = [b"\xa7\r\r\n\0\0\0\0", text.as_bytes()].concat();
        assert!(matches!(read(&bytes, b"x/a.pyc"), Reading::Binary(_)));
        assert!(matches!(read(&bytes, b"x/a.txt"), Reading::Text(_)));
    }

    #[test]
    fn programs_and_pictures_are_binary() {
        check(b"\x7fELF\x02\x01\x01\0\0\0\0\0", None);
        check(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01", None);
        check(b"SQLite format 3\0aaaaaaaaaaaaaaaaaaaaaaaaaaaa", None);
    }

    #[test]
    fn the_texts_of_a_compiled_module_are_apart() {
        let bytes = b"\xa7\r\r\n\0\0\xda\x08abcdefghz\x05ijklmru\x06\0\0\0nopqrsN";
        assert_eq!(strings_of_python(bytes), b"abcdefgh\nijklm\nnopqrs\n");
    }
}
