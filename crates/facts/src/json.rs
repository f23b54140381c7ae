//! JSON as Go writes and reads it.
//!
//! Container engines, registries and their clients read what describes an image with Go's
//! `encoding/json`: names in any case, `null` as nothing at all. What it makes of a document is what
//! runs, so documents from outside are read here as it reads them. Where a name stands twice,
//! programs differ in which of the two they take: such a document is refused.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

/// What Go's programs expect at a place of a document.
#[derive(Debug)]
pub enum Form {
    /// Whatever stands there is kept.
    Any,
    Text,
    /// A struct: the names of its fields are found in any case. Other names are kept as they are.
    Object(&'static [(&'static str, Form)]),
    List(&'static Form),
    /// An object whose names are data: labels, annotations. Their case counts.
    Map(&'static Form),
}

/// The document with the names of fields in their own spelling. A field that is `null` is left
/// out; in lists and maps `null` is what Go makes of it, an empty value.
///
/// # Errors
/// Where it is no JSON, something follows it, a name stands twice, or something else than an
/// object stands in an object's place. The error's text may quote the document.
pub fn read(bytes: &[u8], form: &Form) -> serde_json::Result<Value> {
    let text = replaced(bytes);
    let mut deserializer = serde_json::Deserializer::from_slice(&text);
    let value = Seed(form).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// As [`read`], as a type whose every field has a default.
///
/// # Errors
/// As [`read`], and where the document is not of the type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], form: &Form) -> serde_json::Result<T> {
    serde_json::from_value(read(bytes, form)?)
}

/// Reads a field that may be `null`, as Go writes what is empty: then the default.
/// For `#[serde(deserialize_with = "…")]`.
///
/// # Errors
/// Where the value is neither `null` nor of the field's type.
pub fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Go reads each byte that is not UTF-8 as U+FFFD.
fn replaced(bytes: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(bytes).is_ok() {
        return Cow::Borrowed(bytes);
    }
    let mut text = Vec::with_capacity(bytes.len() + 64);
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            text.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    Cow::Owned(text)
}

/// Whether Go takes the one for the other. Its folding is Unicode's: two characters beyond ASCII
/// fold to a letter of it.
fn is_same(field: &str, name: &str) -> bool {
    let folded = |char: char| match char {
        '\u{17f}' => 'S',
        '\u{212a}' => 'K',
        other => other.to_ascii_uppercase(),
    };
    field.chars().map(folded).eq(name.chars().map(folded))
}

impl Form {
    /// What Go leaves in a list or a map for `null`.
    fn empty(&self) -> Value {
        match self {
            Form::Any => Value::Null,
            Form::Text => Value::String(String::new()),
            Form::List(_) => Value::Array(Vec::new()),
            Form::Object(_) | Form::Map(_) => Value::Object(Map::new()),
        }
    }

    fn item(&self) -> &Form {
        match self {
            Form::List(item) => item,
            _ => &Form::Any,
        }
    }

    /// The field that a name means, with its own spelling.
    fn field(&self, name: &str) -> Option<(&'static str, &Form)> {
        let Form::Object(fields) = self else { return None };
        let (field, form) = fields.iter().find(|(field, _)| is_same(field, name))?;
        Some((*field, form))
    }
}

#[derive(Clone, Copy)]
struct Seed<'f>(&'f Form);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn scalar<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.no_object("a single value").map(|()| value.into())
    }

    fn no_object<E: Error>(self, what: &str) -> Result<(), E> {
        match self.0 {
            Form::Object(_) => Err(E::custom(format_args!("{what} where an object is expected"))),
            _ => Ok(()),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Form::Object(_) => "an object",
            _ => "a value",
        })
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.scalar(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        // Serde would take a list for a struct's fields in their order.
        self.no_object("a list")?;
        let item = self.0.item();
        let mut items = Vec::new();
        while let Some(value) = list.next_element_seed(Seed(item))? {
            items.push(if value.is_null() { item.empty() } else { value });
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut seen = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            let field = self.0.field(&name);
            let spelled = field.map_or(name, |(field, _)| field.to_owned());
            if !seen.insert(spelled.clone()) {
                return Err(A::Error::custom(format_args!(
                    "`{spelled}` twice, perhaps in different spelling: programs do not agree on what it says"
                )));
            }
            let form = match (field, self.0) {
                (Some((_, form)), _) => form,
                (None, Form::Map(form)) => form,
                (None, _) => &Form::Any,
            };
            let value = entries.next_value_seed(Seed(form))?;
            match (value.is_null(), field.is_some(), self.0) {
                (true, true, _) => {}
                (true, _, Form::Map(form)) => drop(object.insert(spelled, form.empty())),
                _ => drop(object.insert(spelled, value)),
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ITEM: Form = Form::Object(&[("key", Form::Text), ("labels", Form::Map(&Form::Text))]);
    const FORM: Form = Form::Object(&[
        ("layers", Form::List(&ITEM)),
        ("rootfs", Form::Object(&[("diff_ids", Form::List(&Form::Text))])),
        ("tasks", Form::Any),
    ]);

    #[track_caller]
    fn check(text: &str, expected: Value) {
        assert_eq!(read(text.as_bytes(), &FORM).unwrap(), expected, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = read(text.as_bytes(), &FORM).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn fields_are_found_in_any_case_at_every_depth() {
        let folded = r#"{"LAYER\u017f": [{"\u212aEY": "a", "Labels": {"Key": "b", "key": "c"}}], "RootFS": {"Diff_IDs": ["x"]}}"#;
        check(
            folded,
            json!({"layers": [{"key": "a", "labels": {"Key": "b", "key": "c"}}], "rootfs": {"diff_ids": ["x"]}}),
        );
        check(r#"{"ta\u017f\u212as": 1}"#, json!({"tasks": 1}));
    }

    #[test]
    fn what_is_unknown_is_kept_as_it_is() {
        check(r#"{"Other": {"A": null, "a": [null]}}"#, json!({"Other": {"A": null, "a": [null]}}));
    }

    #[test]
    fn null_is_nothing_at_all() {
        check(
            r#"{"layers": null, "RootFS": {"diff_ids": [null]}}"#,
            json!({"rootfs": {"diff_ids": [""]}}),
        );
        check(
            r#"{"layers": [null, {"labels": {"a": null}}]}"#,
            json!({"layers": [{}, {"labels": {"a": ""}}]}),
        );
        check("null", Value::Null);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        for text in [
            r#"{"layers": [], "layers": []}"#,
            r#"{"layers": null, "Layers": []}"#,
            r#"{"layers": [], "layer\u017f": []}"#,
            r#"{"rootfs": {"diff_ids": [], "DIFF_IDS": []}}"#,
            r#"{"other": {"a": 1, "a": 1}}"#,
            r#"{"layers": [{"labels": {"a": "", "a": ""}}]}"#,
        ] {
            refused(text, "twice");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        refused(r#"{} {}"#, "trailing");
        refused(r#"{"rootfs": ["x"]}"#, "a list where an object is expected");
        refused(r#"{"rootfs": "x"}"#, "a single value where an object is expected");
        refused("", "EOF");
        refused(&format!("{{\"a\": {}", "[".repeat(200_000)), "recursion limit");
    }

    #[test]
    fn what_is_not_utf_8_is_replaced_as_go_does() {
        let value = read(b"{\"a\": \"\xe2\x82\"}", &FORM).unwrap();
        assert_eq!(value, json!({"a": "\u{fffd}\u{fffd}"}));
    }
}
