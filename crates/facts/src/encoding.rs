//! Text that other systems wrote: byte order marks, and UTF-16 as Windows writes it.

use std::borrow::Cow;

/// Without a byte order mark, and in UTF-8. What is UTF-16 says so by its mark
/// (RFC 8259, 8.1: a mark may be ignored). Halves of a character that stand alone become U+FFFD.
pub fn in_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |rest, is_little| Cow::Owned(from_utf16(rest, is_little).into_bytes());
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => wide(rest, true),
        [0xfe, 0xff, rest @ ..] => wide(rest, false),
        _ => Cow::Borrowed(bytes),
    }
}

/// The units of UTF-16 in either order of bytes; an odd byte at the end is left out.
pub fn units(bytes: &[u8], is_little: bool) -> impl Iterator<Item = u16> {
    let unit = if is_little { u16::from_le_bytes } else { u16::from_be_bytes };
    bytes.chunks_exact(2).map(move |pair| unit([pair[0], pair[1]]))
}

/// UTF-16 as text. Halves of a character that stand alone become U+FFFD.
pub fn from_utf16(bytes: &[u8], is_little: bool) -> String {
    let chars = char::decode_utf16(units(bytes, is_little));
    chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_how_the_text_is_written() {
        let utf16 = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| {
            let units = "{\"é\": 1}".encode_utf16().flat_map(unit);
            mark.into_iter().chain(units).collect::<Vec<u8>>()
        };
        for bytes in [
            "{\"é\": 1}".as_bytes().to_vec(),
            "\u{feff}{\"é\": 1}".as_bytes().to_vec(),
            utf16([0xff, 0xfe], u16::to_le_bytes),
            utf16([0xfe, 0xff], u16::to_be_bytes),
        ] {
            assert_eq!(&*in_utf8(&bytes), "{\"é\": 1}".as_bytes());
        }
        assert_eq!(&*in_utf8(&[0xff, 0xfe, 0, 0xd8, 1]), "\u{fffd}".as_bytes());
        assert_eq!(&*in_utf8(b""), b"");
    }
}
