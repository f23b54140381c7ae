//! JSON as real data has it: with a byte order mark, bytes that are no UTF-8,
//! `null` where a list is expected, numbers where texts are.

use std::borrow::Cow;

use inscan_facts::encoding;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

/// Text of the bytes: without a byte order mark, and with a replacement
/// character for what is no UTF-8 (UTF-16 has a mark). The flag says whether there was such.
pub(super) fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match encoding::in_utf8(bytes) {
        Cow::Owned(wide) => (Cow::Owned(String::from_utf8_lossy(&wide).into_owned()), false),
        Cow::Borrowed(bytes) => match String::from_utf8_lossy(bytes) {
            text @ Cow::Borrowed(_) => (text, false),
            text @ Cow::Owned(_) => (text, true),
        },
    }
}

/// A field that is a list; empty where it is missing, null or something else.
pub(super) fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A field that is an object.
pub(super) fn object<'a>(object: &'a Value, field: &str) -> Option<&'a Map<String, Value>> {
    object.get(field).and_then(Value::as_object)
}

/// A value as text, if it is one or a number; none where it is empty.
pub(super) fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

pub(super) fn text_of(object: &Value, field: &str) -> Option<String> {
    object.get(field).and_then(as_text)
}

/// The texts of a list, each once and in the order in which they come.
pub(super) fn texts(object: &Value, field: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for text in list(object, field).iter().filter_map(as_text) {
        if seen.insert(text.clone()) {
            texts.push(text);
        }
    }
    texts
}

/// A point in time as the sources write them: with or without a zone, a time,
/// or a `T`; none for what is no date.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    // `2026-08-16T00:00:00+0000`: the zone without its colon.
    if let Some((rest, zone)) = text.split_at_checked(text.len().saturating_sub(5))
        && zone.starts_with(['+', '-'])
        && zone.bytes().skip(1).all(|byte| byte.is_ascii_digit())
        && let Some((hours, minutes)) = zone.split_at_checked(3)
        && let Ok(time) = format!("{rest}{hours}:{minutes}").parse::<Timestamp>()
    {
        return Some(time);
    }
    // Without a zone it is taken as UTC, as everybody means it.
    if let Ok(time) = text.parse::<jiff::civil::DateTime>() {
        return in_utc(time);
    }
    in_utc(day(text)?.at(0, 0, 0, 0))
}

pub(super) fn time_of(object: &Value, field: &str) -> Option<Timestamp> {
    time(object.get(field)?.as_str()?)
}

/// A day, of which anything after `YYYY-MM-DD` is left away.
pub(super) fn day(text: &str) -> Option<Date> {
    text.trim().get(..10)?.parse().ok()
}

fn in_utc(time: jiff::civil::DateTime) -> Option<Timestamp> {
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_dates_as_sources_write_them() {
        let second = |text: &str| time(text).map(|time| time.as_second());
        for same in [
            "2024-02-29T12:00:00Z",
            "2024-02-29T12:00:00.000Z",
            "2024-02-29T14:00:00+02:00",
            "2024-02-29T14:00:00+0200",
            "2024-02-29 12:00:00",
            " 2024-02-29T12:00:00 ",
        ] {
            assert_eq!(second(same), Some(1_709_208_000), "{same}");
        }
        assert_eq!(second("2024-02-29"), Some(1_709_164_800));
        for wrong in ["", "yesterday", "2024-13-01", "0000", "2023-02-29T00:00:00Z", "+0000"] {
            assert_eq!(second(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_of_another_kind_is_as_if_it_were_not_there() {
        let object = json!({ "a": null, "b": "x", "c": [" x ", null, 7, "x", {}], "d": 1.5 });
        assert!(list(&object, "a").is_empty() && list(&object, "b").is_empty());
        assert_eq!(texts(&object, "c"), ["x", "7"]);
        assert_eq!(text_of(&object, "d").as_deref(), Some("1.5"));
        assert_eq!(text_of(&object, "a"), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(text(b"\xef\xbb\xbf{}"), (Cow::Borrowed("{}"), false));
        assert_eq!(text(b"\xff\xfe{\0}\0").0, "{}", "as PowerShell writes it");
        assert_eq!(text(b"a\xffb"), (Cow::Owned("a\u{fffd}b".into()), true));
    }
}
