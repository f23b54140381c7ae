//! Reads a pattern: <https://docs.python.org/3/library/re.html#regular-expression-syntax>.
//! Where that page is silent, what CPython 3.11 does was tried.

mod class;
mod flags;
mod group;

use crate::Kind;
use crate::tree::{Case, Greed, Node, Position, Width};

use flags::Flags;

/// Groups in groups. The engines take some more.
const MAX_DEPTH: usize = 40;

/// More repetitions than that make a program that is too large anyway.
const MAX_REPEAT: u32 = 65_535;

enum Stop {
    Wrong(String),
    /// Flags in the middle are for all of it.
    Again(Flags),
}

type Result<T> = std::result::Result<T, Stop>;

fn wrong<T>(what: impl Into<String>) -> Result<T> {
    Err(Stop::Wrong(what.into()))
}

/// The tree of a pattern. One over bytes is taken as its bytes in UTF-8.
///
/// # Errors
///
/// Says what is wrong where it is no pattern.
pub(crate) fn parse(pattern: &str, kind: Kind) -> std::result::Result<Node, String> {
    let bytes: String;
    let rest = match kind {
        Kind::Text => pattern,
        Kind::Bytes => {
            bytes = pattern.bytes().map(char::from).collect();
            &bytes
        }
    };
    let mut flags = Flags::of(kind);
    // Each time there is one flag more at least.
    for _ in 0..=Flags::COUNT {
        match Parser::new(rest, kind, flags).whole() {
            Ok(node) => return Ok(node),
            Err(Stop::Wrong(what)) => return Err(what),
            Err(Stop::Again(more)) => flags = more,
        }
    }
    Err("the flags cannot be understood".to_owned())
}

struct Parser<'a> {
    rest: &'a str,
    kind: Kind,
    /// Those that hold here.
    flags: Flags,
    /// Those of the whole pattern.
    whole: Flags,
    depth: usize,
    captures: Vec<Captured<'a>>,
    /// Within a look-behind: how many captures began before it.
    look_behind: Option<usize>,
    /// Numbers in conditions, which may name captures that come later.
    conditions: Vec<usize>,
}

struct Captured<'a> {
    name: Option<&'a str>,
    /// None while it is open.
    width: Option<Width>,
}

impl<'a> Parser<'a> {
    fn new(rest: &'a str, kind: Kind, flags: Flags) -> Self {
        Parser {
            rest,
            kind,
            flags,
            whole: flags,
            depth: 0,
            captures: Vec::new(),
            look_behind: None,
            conditions: Vec::new(),
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.rest = &self.rest[char.len_utf8()..];
        Some(char)
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: char) -> Option<&'a str> {
        let (before, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(before)
    }

    /// At most so many characters of a kind, all of which are ASCII.
    fn digits(&mut self, most: usize, is_digit: impl Fn(u8) -> bool) -> &'a str {
        let count = self.rest.bytes().take(most).take_while(|&byte| is_digit(byte)).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits
    }

    /// Up to a character, which no backslash stands before; false where the pattern ends first.
    fn skip_remark(&mut self, end: char) -> Result<bool> {
        while let Some(char) = self.next() {
            match char {
                '\\' if self.next().is_none() => return wrong("a backslash at the end"),
                char if char == end => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }

    fn whole(mut self) -> Result<Node> {
        let node = self.alternatives()?;
        if !self.rest.is_empty() {
            return wrong("unbalanced `)`");
        }
        match self.conditions.iter().find(|&&group| group > self.captures.len()) {
            Some(group) => wrong(format!("there is no group {group}")),
            None => Ok(node),
        }
    }

    /// Up to a closing bracket or the end.
    fn alternatives(&mut self) -> Result<Node> {
        let first = Node::Sequence(self.sequence()?);
        if self.peek() != Some('|') {
            return Ok(first);
        }
        let mut branches = vec![first];
        while self.eat("|") {
            branches.push(Node::Sequence(self.sequence()?));
        }
        Ok(Node::Alternatives(branches))
    }

    /// Up to a bar, a closing bracket or the end.
    fn sequence(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        while let Some(char) = self.peek() {
            if matches!(char, '|' | ')') {
                break;
            }
            self.next();
            match char {
                // Not what Unicode or Rust call white space.
                ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' if self.flags.verbose => {}
                '#' if self.flags.verbose => drop(self.skip_remark('\n')?),
                '*' => self.repeat(&mut nodes, "*", 0, None)?,
                '+' => self.repeat(&mut nodes, "+", 1, None)?,
                '?' => self.repeat(&mut nodes, "?", 0, Some(1))?,
                '{' => match self.counts()? {
                    Some((least, most)) => self.repeat(&mut nodes, "{", least, most)?,
                    None => nodes.push(self.char('{')),
                },
                '(' => nodes.extend(self.group()?),
                _ => nodes.push(self.one(char)?),
            }
        }
        Ok(nodes)
    }

    /// What begins with a character that is neither a bracket nor a repetition.
    fn one(&mut self, char: char) -> Result<Node> {
        Ok(match char {
            '[' => Node::Class(self.class()?),
            '\\' => self.escape()?,
            '.' => Node::Any { line_feed: self.flags.dot_all },
            '^' if self.flags.multi_line => Node::At(Position::LineStart),
            '^' => Node::At(Position::TextStart),
            '$' if self.flags.multi_line => Node::At(Position::LineEnd),
            '$' => Node::At(Position::LastLineEnd),
            char => self.char(char),
        })
    }

    fn char(&self, char: char) -> Node {
        let has_case = char.is_alphabetic();
        Node::Char(char, if has_case { self.flags.case() } else { Case::Matters })
    }

    fn repeat(
        &mut self,
        nodes: &mut Vec<Node>,
        sign: &str,
        least: u32,
        most: Option<u32>,
    ) -> Result<()> {
        let node = match nodes.pop() {
            None | Some(Node::At(_)) => return wrong(format!("nothing to repeat before `{sign}`")),
            Some(Node::Repeat { .. }) => return wrong(format!("`{sign}` repeats a repetition")),
            Some(node) => Box::new(node),
        };
        let greed = match () {
            () if self.eat("?") => Greed::Lazy,
            () if self.eat("+") => Greed::Possessive,
            () => Greed::Greedy,
        };
        nodes.push(Node::Repeat { node, least, most, greed });
        Ok(())
    }

    /// What stands behind a `{`, if it makes a repetition of it.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>> {
        let behind = self.rest;
        let least = self.digits(usize::MAX, |byte| byte.is_ascii_digit());
        let has_comma = self.eat(",");
        let most = match has_comma {
            true => self.digits(usize::MAX, |byte| byte.is_ascii_digit()),
            false => least,
        };
        if !self.eat("}") || least.is_empty() && !has_comma {
            self.rest = behind;
            return Ok(None);
        }
        let number = |text: &str| match text.parse::<u32>() {
            Ok(number) if number <= MAX_REPEAT => Ok(number),
            _ => wrong(format!("`{text}` repetitions are too many")),
        };
        let least = if least.is_empty() { 0 } else { number(least)? };
        let most = if most.is_empty() { None } else { Some(number(most)?) };
        match most.is_some_and(|most| most < least) {
            true => wrong(format!("`{{{least},…`: the least is more than the most")),
            false => Ok(Some((least, most))),
        }
    }

    /// Behind a backslash, outside a class.
    fn escape(&mut self) -> Result<Node> {
        let ascii = self.flags.ascii;
        let position = match self.peek() {
            Some('A') => Position::TextStart,
            Some('Z') => Position::TextEnd,
            Some('b') => Position::WordBoundary { negated: false, ascii },
            Some('B') => Position::WordBoundary { negated: true, ascii },
            Some('1'..='9') if !self.is_octal() => {
                let number = self.digits(2, |byte| byte.is_ascii_digit());
                return self.back_reference(number);
            }
            _ => return self.escaped_node(),
        };
        self.next();
        Ok(Node::At(position))
    }

    /// Three octal digits are a character, also where they begin with no zero.
    fn is_octal(&self) -> bool {
        let digits = self.rest.as_bytes().get(..3);
        digits.is_some_and(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pattern_is_an_error() {
        for pattern in [r"\N{BULLET}", r"\ud800", "a{99999999999}", "(?L)a"] {
            assert!(parse(pattern, Kind::Text).is_err(), "{pattern}");
        }
        assert!(parse("(?L)a", Kind::Bytes).is_err());
        assert!(parse(&"(".repeat(10_000), Kind::Text).is_err());
        assert!(parse(&"(?:".repeat(10_000), Kind::Text).is_err());
    }

    #[test]
    fn flags_hold_for_the_whole_pattern_wherever_they_stand() {
        assert_eq!(parse("a(?i)b", Kind::Text), parse("(?i)ab", Kind::Text));
        assert_eq!(parse("a b(?x) # c", Kind::Text), parse("ab", Kind::Text));
        assert_eq!(parse("(?s)(?m)(?i)(?a).", Kind::Text), parse("(?aims).", Kind::Text));
    }
}
