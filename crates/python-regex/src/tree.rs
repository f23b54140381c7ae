//! The tree of a pattern. Flags are resolved: each node says itself what it matches.

/// A part of a pattern. In patterns over bytes, a character is the byte of the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Char(char, Case),
    Class(Class),
    /// `.`, of all characters, or of all but the line feed.
    Any {
        line_feed: bool,
    },
    At(Position),
    /// One after the other; perhaps none.
    Sequence(Vec<Node>),
    /// Two at least. Stands directly in a group, look-around or capture, or is the whole pattern.
    Alternatives(Vec<Node>),
    /// Brackets that count or change nothing.
    Group(Box<Node>),
    Capture(Box<Node>),
    /// What it matched once stays matched.
    Atomic(Box<Node>),
    Look {
        ahead: bool,
        negated: bool,
        node: Box<Node>,
    },
    Repeat {
        node: Box<Node>,
        least: u32,
        most: Option<u32>,
        greed: Greed,
    },
    BackReference {
        group: usize,
        case: Case,
    },
    Condition {
        group: usize,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

/// Whether upper and lower case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Matters,
    /// The same, for ASCII's letters only.
    IgnoredInAscii,
    Ignored,
}

/// A place in the text: matches no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    /// `$` without the flag `m`: at the end of the text, and before a line feed there.
    LastLineEnd,
    WordBoundary {
        negated: bool,
        ascii: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

/// One character of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) negated: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) case: Case,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Both ends are in it.
    Range(char, char),
    Set(Set),
}

/// `\d`, `\W` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) name: SetName,
    pub(crate) negated: bool,
    pub(crate) ascii: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetName {
    Digit,
    Space,
    Word,
}

/// How many characters a node matches: at least and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Width {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Width {
    pub(crate) const UNKNOWN: Width = Width { least: 0, most: u64::MAX };
    const NONE: Width = Width { least: 0, most: 0 };
    const ONE: Width = Width { least: 1, most: 1 };

    fn either(self, other: Width) -> Width {
        Width { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    fn then(self, other: Width) -> Width {
        Width {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
        }
    }

    fn repeated(self, least: u32, most: Option<u32>) -> Width {
        let all = |most: u32| self.most.saturating_mul(most.into());
        let endless = if self.most == 0 { 0 } else { u64::MAX };
        Width { least: self.least.saturating_mul(least.into()), most: most.map_or(endless, all) }
    }
}

impl Node {
    /// Whether it surely matches no character.
    pub(crate) fn is_empty(&self) -> bool {
        self.width(&|_| Width::UNKNOWN) == Width::NONE
    }

    /// The width, where `groups` says that of each captured group by its number.
    pub(crate) fn width(&self, groups: &dyn Fn(usize) -> Width) -> Width {
        match self {
            Node::Char(..) | Node::Class(_) | Node::Any { .. } => Width::ONE,
            Node::At(_) | Node::Look { .. } => Width::NONE,
            Node::Sequence(nodes) => {
                nodes.iter().fold(Width::NONE, |sum, node| sum.then(node.width(groups)))
            }
            Node::Alternatives(nodes) => {
                let widths = nodes.iter().map(|node| node.width(groups));
                widths.reduce(Width::either).unwrap_or(Width::NONE)
            }
            Node::Group(node) | Node::Capture(node) | Node::Atomic(node) => node.width(groups),
            Node::Repeat { node, least, most, .. } => node.width(groups).repeated(*least, *most),
            Node::BackReference { group, .. } => groups(*group),
            Node::Condition { yes, no, .. } => yes.width(groups).either(no.width(groups)),
        }
    }

    /// Whether it is a regular expression in the strict sense, which needs no backtracking. `$` is one
    /// only where nothing is behind it, as there it may as well take the line feed: `is_last` says so.
    pub(crate) fn is_regular(&self, is_last: bool) -> bool {
        match self {
            Node::At(Position::LastLineEnd) => is_last,
            Node::Char(..) | Node::Class(_) | Node::Any { .. } | Node::At(_) => true,
            Node::Sequence(nodes) => match nodes.split_last() {
                Some((last, others)) => {
                    others.iter().all(|node| node.is_regular(false)) && last.is_regular(is_last)
                }
                None => true,
            },
            Node::Alternatives(nodes) => nodes.iter().all(|node| node.is_regular(is_last)),
            Node::Group(node) | Node::Capture(node) => node.is_regular(is_last),
            Node::Repeat { node, greed, .. } => {
                *greed != Greed::Possessive && node.is_regular(false)
            }
            Node::Atomic(_)
            | Node::Look { .. }
            | Node::BackReference { .. }
            | Node::Condition { .. } => false,
        }
    }

    /// Whether there is a boundary of words in any language in it.
    pub(crate) fn has_unicode_boundary(&self) -> bool {
        match self {
            Node::At(Position::WordBoundary { ascii, .. }) => !ascii,
            Node::Char(..)
            | Node::Class(_)
            | Node::Any { .. }
            | Node::At(_)
            | Node::BackReference { .. } => false,
            Node::Sequence(nodes) | Node::Alternatives(nodes) => {
                nodes.iter().any(Node::has_unicode_boundary)
            }
            Node::Group(node)
            | Node::Capture(node)
            | Node::Atomic(node)
            | Node::Look { node, .. }
            | Node::Repeat { node, .. } => node.has_unicode_boundary(),
            Node::Condition { yes, no, .. } => {
                yes.has_unicode_boundary() || no.has_unicode_boundary()
            }
        }
    }
}
