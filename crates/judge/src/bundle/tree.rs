//! A bundle's text as a tree of values that know where they stand: JSON or
//! YAML, which is told by its first character.

mod json;
mod yaml;

use std::fmt;

use inscan_facts::encoding;
use serde_json::Value;

use super::problem::Problem;

/// A file of this size has a hundred thousand exceptions.
pub(super) const MAX_SIZE: usize = 32 << 20;

/// A bundle has seven levels; what others add to it may have some more.
const MAX_DEPTH: usize = 24;

/// The members of bundles that are no texts: in YAML all else is one, as `value: 7`.
const NO_TEXTS: [&str; 2] = ["enabled", "expiration_date"];

/// Counted from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) tree: Tree,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Flag(bool),
    /// As written.
    Number(String),
    Text(String),
    /// A scalar of YAML without quotes that is no text by YAML's rules, and what it is by them:
    /// people write `value: 7` and mean the text.
    Plain(String, Box<Tree>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Reads either form.
pub(super) fn read(bytes: &[u8]) -> Result<Node, Problem> {
    if bytes.len() > MAX_SIZE {
        return Err(Problem::whole(format!("the bundle is larger than {MAX_SIZE} bytes")));
    }
    let decoded = utf16(bytes);
    let bytes = decoded.as_deref().map_or(bytes, str::as_bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::whole(format!("the bundle is not UTF-8: byte {}", error.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.trim_start().chars().next() {
        None => Err(Problem::whole("the bundle is empty")),
        Some('{' | '[') => json::read(text),
        Some(_) => yaml::read(text),
    }
}

/// What PowerShell's `>` writes: with a mark, or told by the NUL in the first letter.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (is_little, bytes) = match bytes {
        [0xff, 0xfe, rest @ ..] => (true, rest),
        [0xfe, 0xff, rest @ ..] => (false, rest),
        [first, 0, ..] if *first != 0 => (true, bytes),
        [0, second, ..] if *second != 0 => (false, bytes),
        _ => return None,
    };
    char::decode_utf16(encoding::units(bytes, is_little)).collect::<Result<String, _>>().ok()
}

impl Node {
    /// As it is echoed in results.
    pub(super) fn value(&self) -> Value {
        self.tree.value()
    }
}

impl Tree {
    fn value(&self) -> Value {
        match self {
            Tree::Null => Value::Null,
            Tree::Flag(flag) => Value::Bool(*flag),
            Tree::Number(text) => serde_json::from_str(text)
                .map_or_else(|_| Value::String(text.clone()), Value::Number),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::Plain(text, _) => Value::String(text.clone()),
            Tree::List(items) => items.iter().map(Node::value).collect(),
            Tree::Map(entries) => entries
                .iter()
                .map(|(key, node)| match &node.tree {
                    Tree::Plain(_, tree) if NO_TEXTS.contains(&key.as_str()) => {
                        (key.clone(), tree.value())
                    }
                    _ => (key.clone(), node.value()),
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// For messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Tree::Null => "null",
            Tree::Flag(_) => "true or false",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "a text",
            Tree::Plain(_, tree) => tree.kind(),
            Tree::List(_) => "a list",
            Tree::Map(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        read(text.as_bytes()).unwrap().value()
    }

    #[test]
    fn json_and_yaml_give_the_same() {
        let json =
            value(r#"{"a": ["x", "1.10", null, "é\n"], "b": {"c": "1_0", "enabled": true}}"#);
        let yaml = value("a: [x, 1.10, ~, \"é\\n\"]\nb:\n  c: 1_0\n  enabled: true\n");
        assert_eq!(json, yaml);
        assert_eq!(json["b"]["c"], "1_0");
    }

    #[test]
    fn values_know_where_they_stand() {
        let second = |text: &str| match read(text.as_bytes()).unwrap().tree {
            Tree::Map(entries) => entries.last().unwrap().1.at,
            other => panic!("{other:?}"),
        };
        assert_eq!(second("{\n  \"ü\": 1, \"b\": 2}").to_string(), "line 2, column 16");
        assert_eq!(second("ü: 1\nb:   two").to_string(), "line 2, column 6");
    }

    #[test]
    fn plain_scalars_of_yaml_are_kept_as_written() {
        let Tree::Map(entries) = read(b"a: 1.10\nb: &x 0x1F\nc: *x\nd: yes").unwrap().tree else {
            panic!()
        };
        let plain = |index: usize| match &entries[index].1.tree {
            Tree::Plain(text, _) | Tree::Text(text) => text.as_str(),
            other => panic!("{other:?}"),
        };
        assert_eq!([plain(0), plain(1), plain(2), plain(3)], ["1.10", "0x1F", "0x1F", "yes"]);
    }

    #[test]
    fn what_is_neither_is_an_error_with_its_place() {
        for (text, expected) in [
            ("", "the bundle is empty"),
            ("{\n  \"a\" 1}", "line 2, column 7"),
            ("a: [1\nb", "line"),
            ("{\"a\": \"\\ud800\"}", "line 1, column"),
            (&"[".repeat(100_000), "not JSON: EOF"),
            (&format!("{}{}", "[".repeat(40), "]".repeat(40)), "deep"),
            (&"- ".repeat(10_000), ""),
        ] {
            let problem = read(text.as_bytes()).unwrap_err().to_string();
            assert!(problem.contains(expected), "{problem}");
        }
        let problem = read(b"{\"a\": \"\xff\"}").unwrap_err().to_string();
        assert!(problem.contains("byte 7"), "{problem}");
    }
}
