//! CycloneDX in XML, into the form that it has in JSON: <https://cyclonedx.org/docs/1.6/xml/>.
//!
//! An element becomes an object of its attributes and elements; those that hold a list
//! become one.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value, json};

use crate::Error;

/// Elements within elements: components within components take two each.
const MAX_DEPTH: usize = 100;

/// The lists of the form: the element, and what is in it.
const LISTS: [(&str, &str); 8] = [
    ("components", "component"),
    ("properties", "property"),
    ("licenses", ""),
    ("hashes", "hash"),
    ("externalReferences", "reference"),
    ("dependencies", "dependency"),
    ("tools", "tool"),
    ("occurrences", "occurrence"),
];

/// An element that is not closed yet.
struct Open {
    name: String,
    value: Map<String, Value>,
    text: String,
    /// Of a list.
    items: Vec<Value>,
}

pub(crate) fn as_json(bytes: &[u8]) -> Result<Value, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&text);
    let broken = |error: String| Error::Broken(format!("not well-formed XML: {error}"));
    let mut open: Vec<Open> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|error| broken(error.to_string()))?;
        match event {
            Event::Start(start) => {
                if open.is_empty() && local(&start) != "bom" {
                    return Err(Error::None);
                }
                if open.len() == MAX_DEPTH {
                    return Err(Error::Broken("its elements are nested too deeply".to_owned()));
                }
                open.push(opened(&start));
            }
            Event::Empty(start) => close(opened(&start), &mut open),
            Event::End(_) => {
                let Some(last) = open.pop() else { continue };
                if open.is_empty() {
                    return document(last);
                }
                close(last, &mut open);
            }
            Event::Text(text) => {
                if let Some(last) = open.last_mut() {
                    last.text.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let Some(last) = open.last_mut() {
                    last.text.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(last) = open.last_mut() {
                    last.text.push(character(&reference));
                }
            }
            Event::Eof => return Err(broken("it ends too early".to_owned())),
            _ => {}
        }
    }
}

fn document(bom: Open) -> Result<Value, Error> {
    let is_cyclonedx = bom.value.iter().any(|(name, value)| {
        name.starts_with("xmlns") && value.as_str().is_some_and(|it| it.contains("cyclonedx.org"))
    });
    if !is_cyclonedx {
        return Err(Error::None);
    }
    let mut document = bom.value;
    let version = document.get("version").and_then(Value::as_str).and_then(|it| it.parse().ok());
    document.insert("version".to_owned(), json!(version.unwrap_or(1_u64)));
    document.insert("bomFormat".to_owned(), json!("CycloneDX"));
    Ok(Value::Object(document))
}

fn local(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_owned()
}

fn opened(start: &BytesStart<'_>) -> Open {
    let attributes = start.attributes().flatten().map(|attribute| {
        let name = attribute.key.as_ref().to_owned();
        (name, json!(unescaped(&attribute.value)))
    });
    Open { name: local(start), value: attributes.collect(), text: String::new(), items: Vec::new() }
}

/// Puts an element into the one that holds it.
fn close(element: Open, open: &mut [Open]) {
    let Some(parent) = open.last_mut() else { return };
    let Open { name, value, text, items } = element;
    let text = text.trim();
    let list = LISTS.iter().find(|(list, _)| *list == name);
    let is_item =
        LISTS.iter().any(|(list, item)| *list == parent.name && (item.is_empty() || *item == name));
    let closed = match (name.as_str(), list) {
        // An element of the same name holds the elements of the list from 1.5 on.
        ("tools", _) if !value.is_empty() => Value::Object(value),
        (_, Some(_)) => Value::Array(items),
        ("expression", _) => json!({"expression": text}),
        ("license", _) => json!({"license": value}),
        ("property", _) => json!({"name": value.get("name"), "value": text}),
        ("dependency", _) if parent.name == "dependency" => {
            let on = parent.value.entry("dependsOn").or_insert(json!([]));
            if let (Some(all), Some(reference)) = (on.as_array_mut(), value.get("ref")) {
                all.push(reference.clone());
            }
            return;
        }
        _ if value.is_empty() => json!(text),
        _ => Value::Object(value),
    };
    match is_item {
        true => parent.items.push(closed),
        false => {
            parent.value.insert(name, closed);
        }
    }
}

/// `amp`, `#38`, `#x26`.
fn character(reference: &str) -> char {
    match reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        other => {
            let number = match other.strip_prefix("#x") {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => other.strip_prefix('#').and_then(|number| number.parse().ok()),
            };
            number.and_then(char::from_u32).unwrap_or('\u{fffd}')
        }
    }
}

/// Of attributes.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(';') {
            Some((reference, rest)) => {
                whole.push(character(reference));
                whole.push_str(rest);
            }
            None => {
                whole.push('&');
                whole.push_str(part);
            }
        }
    }
    whole
}
