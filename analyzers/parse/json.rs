//! JSON as package managers leave it: sometimes with a byte order mark, and
//! with text where an object should be.

use std::borrow::Cow;

use serde_json::Value;

use crate::{Error, Facts, Result};

/// The document in a file. A byte order mark is skipped, and bytes that are
/// not UTF-8 are replaced: a name stays readable where an author's does not.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    check_density(bytes)?;
    let text = match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    // serde_json's own limit of 128 levels guards the stack.
    serde_json::from_str(&text).map_err(|error| {
        let message = match error.classify() {
            serde_json::error::Category::Eof => "JSON ends too early".to_owned(),
            _ => format!("not valid JSON: {}", without_position(&error)),
        };
        Error::at_line(error.line(), message)
    })
}

/// Values that any document may have, and bytes for each of the others. Each takes some hundred bytes
/// of memory once it is read, and has some thirty in documents of package managers.
const FREE_VALUES: usize = 250_000;
const BYTES_OF_VALUE: usize = 24;

/// Refuses JSON of which nearly every byte is a value, before it takes many times its size.
pub(crate) fn check_density(bytes: &[u8]) -> Result<()> {
    let most = FREE_VALUES + bytes.len() / BYTES_OF_VALUE;
    // Those in strings are counted as well: there are few.
    let opens = |byte: &&u8| matches!(**byte, b',' | b'[' | b'{');
    if bytes.len() > FREE_VALUES && bytes.iter().filter(opens).count() > most {
        return Err(Error::over_limit(format!("more than {most} values of JSON in one file")));
    }
    Ok(())
}

/// Bytes of memory that one tree may take; more is asked for.
const FREE_MEMORY: usize = 48 << 20;
/// What an object and any other value of JSON take as a tree.
const OF_OBJECT: usize = 700;
const OF_VALUE: usize = 48;
/// What a line or an item takes in trees of other formats.
const OF_ITEM: usize = 320;

/// Asks for the memory that a large text takes as a tree. False where there is none: the image is
/// refused then.
pub(crate) fn hold_tree(text: &[u8], out: &mut Facts) -> bool {
    if text.len() < FREE_MEMORY / OF_OBJECT {
        return true;
    }
    let count = |byte: u8| text.iter().filter(|&&it| it == byte).count();
    let (objects, values) = (count(b'{'), count(b',') + count(b'['));
    // A table of TOML begins with a bracket as well.
    let memory = match text.trim_ascii_start().first() {
        Some(b'{') => objects * OF_OBJECT + values * OF_VALUE,
        _ => (objects + values + count(b'\n')) * OF_ITEM,
    };
    memory <= FREE_MEMORY || out.hold(memory - FREE_MEMORY)
}

/// The message without the position, which our own error states.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The text of a member, if it is there, is text, and is not blank.
pub(crate) fn text<'a>(object: &'a Value, member: &str) -> Option<&'a str> {
    object.get(member)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The entries of a member that is a list; none where it is not.
pub(crate) fn list<'a>(object: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    object.get(member).and_then(Value::as_array).into_iter().flatten()
}

/// The members of a member that is an object; none where it is not.
pub(crate) fn members<'a>(
    object: &'a Value,
    member: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.get(member).and_then(Value::as_object).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Room;

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(text(&parse(b"\xef\xbb\xbf{\"a\": \" b \"}").unwrap(), "a"), Some("b"));
    }

    #[test]
    fn other_encodings_cost_only_their_own_letters() {
        assert_eq!(text(&parse(b"{\"a\": \"Caf\xe9\"}").unwrap(), "a"), Some("Caf\u{fffd}"));
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(
            parse(b"{\n x").unwrap_err().to_string(),
            "line 2: not valid JSON: key must be a string"
        );
        assert_eq!(parse(b"{").unwrap_err().to_string(), "line 1: JSON ends too early");
    }

    #[test]
    fn what_would_take_many_times_its_size_is_not_read() {
        let dense = format!("[{}0]", "0,".repeat(400_000));
        assert!(parse(dense.as_bytes()).unwrap_err().is_over_limit());
        let plain = format!("[{}0]", "\"a file of some package\",".repeat(400_000));
        assert!(parse(plain.as_bytes()).is_ok());
    }

    #[test]
    fn a_large_tree_asks_for_its_memory() {
        let room = Room::of(40 << 20, 0);
        let check = |text: String, expected| {
            assert_eq!(hold_tree(text.as_bytes(), &mut Facts::within(&room)), expected);
        };
        check(format!("{{{}1}}", "{},".repeat(70_000)), true);
        check("- a\n".repeat(200_000), true);
        check(format!("{{{}1}}", "{},".repeat(170_000)), false);
        check("- a\n".repeat(400_000), false);
        check("[[package]]\nname = \"a\"\n".repeat(200_000), false);
    }

    #[test]
    fn depth_is_an_error_and_not_a_crash() {
        assert!(parse(&[b'['; 100_000]).is_err());
    }
}
