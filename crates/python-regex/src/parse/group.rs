//! What stands in round brackets, and what refers to it.

use super::{Captured, MAX_DEPTH, Parser, Result, wrong};
use crate::Kind;
use crate::tree::{Node, Width};

impl<'a> Parser<'a> {
    /// Behind a `(`. A remark and flags are no node.
    pub(super) fn group(&mut self) -> Result<Option<Node>> {
        if !self.eat("?") {
            return self.capture(None).map(Some);
        }
        if self.eat("#") {
            return match self.skip_remark(')')? {
                true => Ok(None),
                false => wrong("a remark has no end"),
            };
        }
        if self.eat(":") {
            return Ok(Some(Node::Group(Box::new(self.inside()?))));
        }
        if self.eat(">") {
            return Ok(Some(Node::Atomic(Box::new(self.inside()?))));
        }
        for (sign, ahead, negated) in
            [("=", true, false), ("!", true, true), ("<=", false, false), ("<!", false, true)]
        {
            if self.eat(sign) {
                return self.look(ahead, negated).map(Some);
            }
        }
        if self.eat("P<") {
            let name = self.name('>')?;
            return self.capture(Some(name)).map(Some);
        }
        if self.eat("P=") {
            let name = self.name(')')?;
            return self.back_reference(name).map(Some);
        }
        if self.eat("(") {
            return self.condition().map(Some);
        }
        self.flags()
    }

    /// Behind the sign that says which group it is, to its closing bracket.
    pub(super) fn inside(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return wrong("groups are nested too deep");
        }
        let node = self.alternatives()?;
        self.depth -= 1;
        if self.eat(")") { Ok(node) } else { wrong("missing `)`") }
    }

    fn capture(&mut self, name: Option<&'a str>) -> Result<Node> {
        if name.is_some() && self.captures.iter().any(|capture| capture.name == name) {
            return wrong(format!("there are two groups `{}`", name.unwrap_or_default()));
        }
        let index = self.captures.len();
        self.captures.push(Captured { name, width: None });
        let node = self.inside()?;
        self.captures[index].width = Some(self.width(&node));
        Ok(Node::Capture(Box::new(node)))
    }

    fn look(&mut self, ahead: bool, negated: bool) -> Result<Node> {
        let outer = self.look_behind;
        if !ahead && outer.is_none() {
            self.look_behind = Some(self.captures.len());
        }
        let node = self.inside()?;
        self.look_behind = outer;
        let width = self.width(&node);
        if !ahead && width.least != width.most {
            return wrong("what a look-behind matches has to have a fixed length");
        }
        Ok(Node::Look { ahead, negated, node: Box::new(node) })
    }

    fn width(&self, node: &Node) -> Width {
        node.width(&|group| {
            let capture = group.checked_sub(1).and_then(|index| self.captures.get(index));
            capture.and_then(|capture| capture.width).unwrap_or(Width::UNKNOWN)
        })
    }

    /// To a group that has ended, by its number or name.
    pub(super) fn back_reference(&mut self, group: &str) -> Result<Node> {
        let number = self.number(group).filter(|&number| number <= self.captures.len());
        let Some(number) = number else { return wrong(format!("there is no group `{group}`")) };
        if self.captures[number - 1].width.is_none() {
            return wrong(format!("group `{group}` is not closed yet"));
        }
        self.outside_look_behind(number)?;
        Ok(Node::BackReference { group: number, case: self.flags.case() })
    }

    /// `(?(1)yes|no)`, behind its second bracket.
    fn condition(&mut self) -> Result<Node> {
        let Some(name) = self.until(')') else { return wrong("missing `)`") };
        let Some(group) = self.number(name) else {
            return wrong(format!("there is no group `{name}`"));
        };
        self.outside_look_behind(group)?;
        self.conditions.push(group);
        let (yes, no) = match self.inside()? {
            Node::Alternatives(branches) => match <[Node; 2]>::try_from(branches) {
                Ok([yes, no]) => (yes, no),
                Err(_) => return wrong("a condition has more than two branches"),
            },
            yes => (yes, Node::Sequence(Vec::new())),
        };
        Ok(Node::Condition { group, yes: Box::new(yes), no: Box::new(no) })
    }

    /// Of a group, which may be given by its name; from 1. The group need not be there.
    fn number(&self, group: &str) -> Option<usize> {
        if group.bytes().all(|byte| byte.is_ascii_digit()) {
            return group.parse().ok().filter(|&number| number > 0);
        }
        let index = self.captures.iter().position(|capture| capture.name == Some(group))?;
        Some(index + 1)
    }

    fn outside_look_behind(&self, group: usize) -> Result<()> {
        match self.look_behind.is_some_and(|before| group > before) {
            true => wrong("a look-behind refers to a group in itself"),
            false => Ok(()),
        }
    }

    fn name(&mut self, end: char) -> Result<&'a str> {
        match self.until(end) {
            Some(name) if self.is_name(name) => Ok(name),
            Some(name) => wrong(format!("`{name}` is no name of a group")),
            None => wrong("the name of a group has no end"),
        }
    }

    fn is_name(&self, name: &str) -> bool {
        let mut chars = name.chars();
        chars.next().is_some_and(|char| char.is_alphabetic() || char == '_')
            && chars.all(|char| char.is_alphanumeric() || char == '_')
            && (self.kind == Kind::Text || name.is_ascii())
    }
}
