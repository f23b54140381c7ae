//! Flags in a pattern: `(?im)` for all of it, `(?i-s:` for a group.

use super::{Parser, Result, Stop, wrong};
use crate::Kind;
use crate::tree::{Case, Node};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    ignore_case: bool,
    pub(super) multi_line: bool,
    pub(super) dot_all: bool,
    pub(super) verbose: bool,
    /// Only ASCII has digits, letters and spaces.
    pub(super) ascii: bool,
}

impl Flags {
    pub(super) const COUNT: usize = 5;

    pub(super) fn of(kind: Kind) -> Self {
        Flags {
            ignore_case: false,
            multi_line: false,
            dot_all: false,
            verbose: false,
            ascii: kind == Kind::Bytes,
        }
    }

    pub(super) fn case(self) -> Case {
        match self.ignore_case {
            false => Case::Matters,
            true if self.ascii => Case::IgnoredInAscii,
            true => Case::Ignored,
        }
    }

    fn with(self, other: Self) -> Self {
        Flags {
            ignore_case: self.ignore_case | other.ignore_case,
            multi_line: self.multi_line | other.multi_line,
            dot_all: self.dot_all | other.dot_all,
            verbose: self.verbose | other.verbose,
            ascii: self.ascii | other.ascii,
        }
    }
}

impl<'a> Parser<'a> {
    /// Behind a `(?`. Flags for the whole pattern are no node.
    pub(super) fn flags(&mut self) -> Result<Option<Node>> {
        let on = self.digits(usize::MAX, |byte| byte.is_ascii_alphabetic());
        match self.next() {
            Some(')') if !on.is_empty() => self.whole_flags(on).map(|()| None),
            Some(':') if !on.is_empty() => self.flagged_group(on, "").map(Some),
            Some('-') => {
                let off = self.digits(usize::MAX, |byte| byte.is_ascii_alphabetic());
                if off.is_empty() || !self.eat(":") {
                    return wrong("flags that are turned off need a `:` behind them");
                }
                self.flagged_group(on, off).map(Some)
            }
            Some(other) => wrong(format!("unknown extension `?{on}{other}`")),
            None => wrong("missing `)`"),
        }
    }

    /// The whole pattern is read again with flags that are new.
    fn whole_flags(&mut self, on: &str) -> Result<()> {
        let mut flags = self.flags;
        self.turn(&mut flags, on, true)?;
        let whole = self.whole.with(flags);
        if whole == self.whole { Ok(()) } else { Err(Stop::Again(whole)) }
    }

    fn flagged_group(&mut self, on: &'a str, off: &'a str) -> Result<Node> {
        if let Some(both) = on.chars().find(|&flag| off.contains(flag)) {
            return wrong(format!("the flag `{both}` is turned on and off"));
        }
        let outside = self.flags;
        let mut flags = outside;
        self.turn(&mut flags, on, true)?;
        self.turn(&mut flags, off, false)?;
        self.flags = flags;
        let inside = self.inside();
        self.flags = outside;
        Ok(Node::Group(Box::new(inside?)))
    }

    fn turn(&self, flags: &mut Flags, letters: &str, on: bool) -> Result<()> {
        if letters.contains('a') && letters.contains('u') {
            return wrong("the flags `a` and `u` exclude each other");
        }
        for letter in letters.chars() {
            match letter {
                'i' => flags.ignore_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_all = on,
                'x' => flags.verbose = on,
                'a' if on => flags.ascii = true,
                'u' if on && self.kind == Kind::Text => flags.ascii = false,
                'L' => {
                    return wrong("the flag `L` is not supported: what it means is up to a locale");
                }
                other => return wrong(format!("`{other}` is no flag here")),
            }
        }
        Ok(())
    }
}
