//! Numbers as headers and records write them.

use memchr::memchr;

/// A header's number: octal digits or, with the first bit set, a big-endian number in base 256
/// and two's complement. `None`: it is none, or beyond 64 bits.
pub(crate) fn number(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => base_256(field),
        _ => octal(field),
    }
}

/// Octal digits with blanks and NULs on either side; nothing at all is 0. What follows a NUL
/// behind the first digit does not count.
pub(crate) fn octal(field: &[u8]) -> Option<i64> {
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_filler(byte)) else { return Some(0) };
    let end = field.iter().rposition(|byte| !is_filler(byte)).map_or(start, |last| last + 1);
    let mut value = 0u64;
    for &byte in until_nul(&field[start..end]) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 7 || value >> 60 > 0 {
            return None;
        }
        value = value << 3 | u64::from(digit);
    }
    i64::try_from(value).ok()
}

fn base_256(field: &[u8]) -> Option<i64> {
    let inverted = if field[0] & 0x40 == 0 { 0 } else { 0xff };
    let mut value = u64::from((field[0] ^ inverted) & 0x7f);
    for &byte in &field[1..] {
        if value >> 56 > 0 {
            return None;
        }
        value = value << 8 | u64::from(byte ^ inverted);
    }
    let value = i64::try_from(value).ok()?;
    Some(if inverted == 0 { value } else { !value })
}

/// A record's number: decimal digits, with or without a sign.
pub(crate) fn decimal(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0i64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        let digit = i64::from((digit < 10).then_some(digit)?);
        let value = value.checked_mul(10)?;
        if is_negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    })
}

/// Whether a text is seconds, with or without digits behind a point.
pub(crate) fn is_time(text: &[u8]) -> bool {
    let point = memchr(b'.', text).unwrap_or(text.len());
    let fraction = text.get(point + 1..).unwrap_or_default();
    decimal(&text[..point]).is_some() && fraction.iter().all(u8::is_ascii_digit)
}

pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr(0, bytes).unwrap_or(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: &[u8], expected: Option<i64>) {
        assert_eq!(number(field), expected, "{}", field.escape_ascii());
    }

    #[test]
    fn numbers_of_headers_are_octal_or_of_base_256() {
        check(b"0000644\0", Some(0o644));
        check(b"   644 \0", Some(0o644));
        check(b"\0\0\x00755\0", Some(0o755));
        check(b"\0\0 12\0zz", Some(0o12));
        check(b"        ", Some(0));
        check(b"00 0644\0", None);
        check(b"0000648\0", None);
        check(b"+000644\0", None);
        check(b"\x80\0\0\0\0\0\0\x05", Some(5));
        check(b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2));
        check(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX));
        check(b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None);
        check(b"\x80\x01\0\0\0\0\0\0\0\0\0\0", None);
    }

    #[test]
    fn numbers_of_records_are_decimal_with_a_sign() {
        let cases = [("0", Some(0)), ("+7", Some(7)), ("-2", Some(-2)), ("007", Some(7))];
        for (text, expected) in cases {
            assert_eq!(decimal(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(decimal(b"-9223372036854775808"), Some(i64::MIN));
        for text in ["", "-", "1_0", " 1", "1 ", "9223372036854775808", "0x1", "1.5"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_may_have_a_fraction() {
        assert!(["1", "-1.5", "1.", "0.1234567890123"].iter().all(|text| is_time(text.as_bytes())));
        assert!(!["", ".5", "1.-5", "1.5.5", "x"].iter().any(|text| is_time(text.as_bytes())));
    }
}
