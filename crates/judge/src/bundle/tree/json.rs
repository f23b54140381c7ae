//! JSON to a tree with positions. serde_json tells where an error is, but not
//! where a value is: each level is read as raw texts, whose addresses say it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_DEPTH, Node, Position, Tree};
use crate::bundle::problem::Problem;

pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| {
        let deep = error.to_string().contains("recursion limit");
        let what = if deep { "nested too deep".to_owned() } else { without_place(&error) };
        let at = Position { line: error.line(), column: error.column() };
        Problem::at(at, format!("not JSON: {what}"))
    })?;
    let source = Source { text, lines: line_starts(text) };
    source.node(whole, 0)
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

fn line_starts(text: &str) -> Vec<usize> {
    let feeds = memchr::memchr_iter(b'\n', text.as_bytes());
    std::iter::once(0).chain(feeds.map(|at| at + 1)).collect()
}

impl Source<'_> {
    fn position(&self, part: &str) -> Position {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    fn node(&self, raw: &RawValue, depth: usize) -> Result<Node, Problem> {
        let text = raw.get();
        let at = self.position(text);
        if depth > MAX_DEPTH {
            return Err(Problem::at(at, "nested too deep"));
        }
        let wrong = |error: serde_json::Error| {
            Problem::at(at, format!("not JSON: {}", without_place(&error)))
        };
        let tree = match text.as_bytes().first() {
            Some(b'{') => {
                let entries: Entries<'_> = serde_json::from_str(text).map_err(wrong)?;
                let node = |(key, raw)| Ok((key, self.node(raw, depth + 1)?));
                Tree::Map(entries.0.into_iter().map(node).collect::<Result<_, Problem>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
                let node = |raw: &&RawValue| self.node(raw, depth + 1);
                Tree::List(items.iter().map(node).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Tree::Text(serde_json::from_str(text).map_err(wrong)?),
            Some(b't') => Tree::Flag(true),
            Some(b'f') => Tree::Flag(false),
            Some(b'n') => Tree::Null,
            _ => Tree::Number(text.to_owned()),
        };
        Ok(Node { at, tree })
    }
}

/// In their order, and all of them: a key may be there twice.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
