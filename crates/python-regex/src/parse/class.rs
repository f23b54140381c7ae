//! Sets of characters, and what a backslash stands before.

use super::{Parser, Result, wrong};
use crate::Kind;
use crate::tree::{Class, Item, Node, Set, SetName};

impl Parser<'_> {
    /// Behind a `[`.
    pub(super) fn class(&mut self) -> Result<Class> {
        let negated = self.eat("^");
        let mut items = Vec::new();
        loop {
            if !items.is_empty() && self.eat("]") {
                return Ok(Class { negated, items, case: self.flags.case() });
            }
            let low = self.class_item()?;
            // A hyphen at the end is one.
            if self.rest.starts_with("-]") || !self.eat("-") {
                items.push(low);
                continue;
            }
            match (low, self.class_item()?) {
                (Item::Range(low, _), Item::Range(high, _)) if low <= high => {
                    items.push(Item::Range(low, high));
                }
                (Item::Range(..), Item::Range(..)) => {
                    return wrong("a range of characters ends before it begins");
                }
                _ => return wrong("an end of a range is no character"),
            }
        }
    }

    /// A character, as the range of it alone, or a set.
    fn class_item(&mut self) -> Result<Item> {
        match self.next() {
            None => wrong("a class has no end"),
            Some('\\') if self.eat("b") => Ok(Item::Range('\u{8}', '\u{8}')),
            Some('\\') => self.escaped_item(),
            Some(char) => Ok(Item::Range(char, char)),
        }
    }

    /// What a backslash stands before, outside a class.
    pub(super) fn escaped_node(&mut self) -> Result<Node> {
        Ok(match self.escaped_item()? {
            Item::Range(char, _) => self.char(char),
            set @ Item::Set(_) => {
                Node::Class(Class { negated: false, items: vec![set], case: self.flags.case() })
            }
        })
    }

    /// What a backslash stands before, wherever that is.
    fn escaped_item(&mut self) -> Result<Item> {
        let Some(letter) = self.next() else { return wrong("a backslash at the end") };
        let set = match letter.to_ascii_lowercase() {
            'd' => Some(SetName::Digit),
            's' => Some(SetName::Space),
            'w' => Some(SetName::Word),
            _ => None,
        };
        if let Some(name) = set {
            let negated = letter.is_ascii_uppercase();
            return Ok(Item::Set(Set { name, negated, ascii: self.flags.ascii }));
        }
        let char = match letter {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => self.hex(2)?,
            'u' if self.kind == Kind::Text => self.hex(4)?,
            'U' if self.kind == Kind::Text => self.hex(8)?,
            '0'..='7' => self.octal(letter)?,
            letter if letter.is_ascii_alphanumeric() => {
                return wrong(format!(r"bad escape `\{letter}`"));
            }
            char => char,
        };
        Ok(Item::Range(char, char))
    }

    /// Three digits at most.
    fn octal(&mut self, first: char) -> Result<char> {
        let more = self.digits(2, |byte| (b'0'..=b'7').contains(&byte));
        let number = u32::from_str_radix(&format!("{first}{more}"), 8).ok();
        match number.filter(|&number| number <= 0o377).and_then(char::from_u32) {
            Some(char) => Ok(char),
            None => wrong(format!(r"`\{first}{more}` is no character")),
        }
    }

    /// Exactly so many digits.
    fn hex(&mut self, count: usize) -> Result<char> {
        let digits = self.digits(count, |byte| byte.is_ascii_hexdigit());
        if digits.len() < count {
            return wrong(format!("a character is written with {count} hex digits"));
        }
        let number = u32::from_str_radix(digits, 16).ok();
        match number.and_then(char::from_u32) {
            Some(char) => Ok(char),
            None => wrong(format!("there is no character {digits}")),
        }
    }
}
