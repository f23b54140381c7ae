//! Texts as Python writes them (`repr`, which chooses its quotes): the engine's problems
//! repeat parts of a bundle so.

use super::tree::{Node, Tree};

pub(super) fn text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for char in text.chars() {
        match char {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            char if char == quote => {
                shown.push('\\');
                shown.push(char);
            }
            char if (char as u32) < 0x20 || char as u32 == 0x7f => {
                shown.push_str(&format!("\\x{:02x}", char as u32));
            }
            char => shown.push(char),
        }
    }
    shown.push(quote);
    shown
}

pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<_> = texts.into_iter().map(text).collect();
    format!("[{}]", texts.join(", "))
}

pub(super) fn value(node: &Node) -> String {
    match &node.tree {
        Tree::Null => "None".to_owned(),
        Tree::Flag(true) => "True".to_owned(),
        Tree::Flag(false) => "False".to_owned(),
        Tree::Number(number) => number.clone(),
        Tree::Text(written) | Tree::Plain(written, _) => text(written),
        Tree::List(items) => {
            let items: Vec<_> = items.iter().map(value).collect();
            format!("[{}]", items.join(", "))
        }
        Tree::Map(entries) => {
            let entry = |(key, node): &(String, Node)| format!("{}: {}", text(key), value(node));
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tree;

    #[test]
    fn values_are_written_as_python_does() {
        let node = tree::read(br#"{"a": ["it's", "\\d\n"], "b": {"c": null, "d": true}}"#).unwrap();
        assert_eq!(value(&node), r#"{'a': ["it's", '\\d\n'], 'b': {'c': None, 'd': True}}"#);
        assert_eq!(list(["a", "b"]), "['a', 'b']");
    }
}
