//! YAML to a tree with positions.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::{MAX_DEPTH, Node, Position, Tree};
use crate::bundle::problem::Problem;

pub(super) fn read(text: &str) -> Result<Node, Problem> {
    // Its own limit of depth is more than a thread's stack has room for.
    let budget = serde_saphyr::budget! { max_depth: MAX_DEPTH };
    let options = serde_saphyr::options! { budget: budget };
    let found: Spanned<Found> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Problem::whole(format!("not YAML: {}", error.without_snippet())))?;
    node(text, found, 0)
}

enum Found {
    Tree(Tree),
    List(Vec<Spanned<Found>>),
    Map(Vec<(String, Spanned<Found>)>),
}

fn node(text: &str, found: Spanned<Found>, depth: usize) -> Result<Node, Problem> {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let place = found.referenced;
    let at = Position { line: number(place.line()), column: number(place.column()) };
    if depth > MAX_DEPTH {
        return Err(Problem::at(at, "nested too deep"));
    }
    let tree = match found.value {
        Found::Tree(Tree::Text(written)) => Tree::Text(written),
        Found::Tree(tree) => {
            let span = found.defined.span();
            let part = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
                text.get(number(start)..number(start).checked_add(number(length))?)
            });
            match part {
                Some(part) if !matches!(tree, Tree::Null) => {
                    Tree::Plain(part.trim().to_owned(), Box::new(tree))
                }
                _ => tree,
            }
        }
        Found::List(items) => {
            let items = items.into_iter().map(|item| node(text, item, depth + 1));
            Tree::List(items.collect::<Result<_, _>>()?)
        }
        Found::Map(entries) => {
            let entry = |(key, value)| Ok((key, node(text, value, depth + 1)?));
            Tree::Map(entries.into_iter().map(entry).collect::<Result<_, Problem>>()?)
        }
    };
    Ok(Node { at, tree })
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Null))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Flag(flag)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Number(number.to_string())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Number(number.to_string())))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Number(number.to_string())))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Number(number.to_string())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Number(number.to_string())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Tree(Tree::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Found::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Found::Map(entries))
    }
}
