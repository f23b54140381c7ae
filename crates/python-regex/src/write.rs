//! Writes the tree of a pattern in the syntax of an engine. No flags, names and
//! short forms are used whose meaning would have to be the same there.

use crate::Kind;
use crate::tree::{Case, Class, Greed, Item, Node, Position, Set, SetName};

/// Which engine reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// `regex`, over bytes without Unicode. What is not regular it does not know, and where a boundary
    /// of words is in a language other than ASCII's it does not see.
    Linear,
    /// `fancy-regex`. It reads text only: bytes are shown to it as [`shown`].
    Backtracking,
}

/// The bytes as text in which those that are not ASCII have no case, are no letters and no spaces:
/// characters for private use, in the same order.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| shown_char(char::from(byte))).collect()
}

fn shown_char(byte: char) -> char {
    match byte.is_ascii() {
        true => byte,
        false => char::from_u32(0xe000 + u32::from(byte)).unwrap_or(byte),
    }
}

/// The letters i that Python takes for each other where case is ignored, but Unicode's simple folding
/// does not: two with a dot and two without.
const LETTERS_I: [char; 4] = ['i', 'I', 'ı', 'İ'];

pub(crate) fn write(node: &Node, kind: Kind, engine: Engine) -> String {
    let mut writer = Writer { kind, engine, out: String::new() };
    writer.node(node);
    writer.out
}

struct Writer {
    kind: Kind,
    engine: Engine,
    out: String,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn bracketed(&mut self, start: &str, node: &Node) {
        self.put(start);
        self.node(node);
        self.put(")");
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Char(char, case) => self.char(*char, *case),
            Node::Class(class) => self.class(class),
            Node::Any { line_feed: true } => self.put("(?s:.)"),
            Node::Any { line_feed: false } => self.put(r"[^\n]"),
            Node::At(position) => self.position(*position),
            Node::Sequence(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Alternatives(nodes) => {
                for (at, node) in nodes.iter().enumerate() {
                    self.put(if at > 0 { "|" } else { "" });
                    self.node(node);
                }
            }
            Node::Group(node) => self.bracketed("(?:", node),
            // The linear engine is never asked for what a group matched.
            Node::Capture(node) => match self.engine {
                Engine::Linear => self.bracketed("(?:", node),
                Engine::Backtracking => self.bracketed("(", node),
            },
            Node::Atomic(node) => self.bracketed("(?>", node),
            Node::Look { ahead, negated, node } => self.bracketed(
                match (ahead, negated) {
                    (true, false) => "(?=",
                    (true, true) => "(?!",
                    (false, false) => "(?<=",
                    (false, true) => "(?<!",
                },
                node,
            ),
            Node::Repeat { node, least, most, greed } => self.repeat(node, *least, *most, *greed),
            // In brackets, as there may be a digit behind it.
            Node::BackReference { group, case } => {
                let flag = if *case == Case::Matters { "" } else { "i" };
                self.put(&format!(r"(?{flag}:\{group})"));
            }
            Node::Condition { group, yes, no } => {
                self.bracketed(&format!("(?({group})(?:"), yes);
                self.bracketed("|(?:", no);
                self.put(")");
            }
        }
    }

    fn repeat(&mut self, node: &Node, least: u32, most: Option<u32>, greed: Greed) {
        self.put(if greed == Greed::Possessive { "(?>" } else { "" });
        if node.is_empty() {
            self.repeat_empty(node, least, greed);
        } else {
            self.repeated(node);
            self.put(&counts(least, most));
            self.put(if greed == Greed::Lazy { "?" } else { "" });
        }
        self.put(if greed == Greed::Possessive { ")" } else { "" });
    }

    fn repeated(&mut self, node: &Node) {
        match node {
            Node::Char(..) | Node::Class(_) | Node::Any { .. } | Node::Group(_) => self.node(node),
            _ => self.bracketed("(?:", node),
        }
    }

    /// What matches no character does so once as well as many times; the engines do not repeat it.
    fn repeat_empty(&mut self, node: &Node, least: u32, greed: Greed) {
        self.put(if least == 0 && greed == Greed::Lazy { "(?:|" } else { "(?:" });
        self.repeated(node);
        self.put(if least == 0 && greed != Greed::Lazy { "|)" } else { ")" });
    }

    fn position(&mut self, position: Position) {
        match (position, self.engine) {
            (Position::TextStart, _) => self.put(r"\A"),
            (Position::TextEnd, _) => self.put(r"\z"),
            (Position::LineStart, _) => self.put("(?m:^)"),
            (Position::LineEnd, _) => self.put("(?m:$)"),
            // Nothing is behind it, so that it may take the line feed.
            (Position::LastLineEnd, Engine::Linear) => self.put(r"(?:\n?\z)"),
            (Position::LastLineEnd, Engine::Backtracking) => self.put(r"(?=\n?\z)"),
            (Position::WordBoundary { negated, .. }, Engine::Linear) => {
                self.put(if negated { r"(?-u:\B)" } else { r"(?-u:\b)" });
            }
            (Position::WordBoundary { negated, ascii }, Engine::Backtracking) => {
                let word = members(Set { name: SetName::Word, negated: false, ascii });
                // On its two sides it is the same, or not.
                let [inside, outside] = if negated { ["=", "!"] } else { ["!", "="] };
                self.put(&format!(
                    "(?:(?<={word})(?{inside}{word})|(?<!{word})(?{outside}{word}))",
                ));
            }
        }
    }

    fn char(&mut self, char: char, case: Case) {
        match case {
            Case::Matters => self.literal(char),
            _ => self.class(&Class { negated: false, items: vec![Item::Range(char, char)], case }),
        }
    }

    fn class(&mut self, class: &Class) {
        let folded = class.case == Case::Ignored && self.kind == Kind::Text;
        self.put(if folded { "(?i:[" } else { "[" });
        self.put(if class.negated { "^" } else { "" });
        for item in &class.items {
            self.item(*item);
            if let Item::Range(low, high) = *item {
                self.other_cases(low, high, class.case);
            }
        }
        self.put(if folded { "])" } else { "]" });
    }

    /// Those that the engine is not to find, or does not find, by itself.
    fn other_cases(&mut self, low: char, high: char, case: Case) {
        match case {
            Case::Matters => {}
            Case::IgnoredInAscii => {
                for (from, to) in [('a', 'A'), ('A', 'a')] {
                    let shift = |char: char| char::from(char as u8 - from as u8 + to as u8);
                    let last = char::from(from as u8 + 25);
                    let (low, high) = (low.max(from), high.min(last));
                    if low <= high {
                        self.item(Item::Range(shift(low), shift(high)));
                    }
                }
            }
            Case::Ignored if LETTERS_I.iter().any(|letter| (low..=high).contains(letter)) => {
                LETTERS_I.iter().for_each(|&letter| self.literal(letter));
            }
            Case::Ignored => {}
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Range(low, high) if low == high => self.literal(low),
            Item::Range(low, high) => {
                self.literal(low);
                self.put("-");
                self.literal(high);
            }
            Item::Set(set) => self.put(members(set)),
        }
    }

    /// As a number, where it may be special to an engine.
    fn literal(&mut self, char: char) {
        if char.is_ascii_alphanumeric() || char == '/' || char == '_' {
            self.out.push(char);
            return;
        }
        let number = match (self.kind, self.engine) {
            (Kind::Bytes, Engine::Backtracking) => shown_char(char),
            _ => char,
        };
        // Two digits are a byte to the linear engine over bytes; in braces they would be a character.
        let number = u32::from(number);
        self.put(&match number {
            0..=0xff => format!(r"\x{number:02x}"),
            _ => format!(r"\x{{{number:x}}}"),
        });
    }
}

fn counts(least: u32, most: Option<u32>) -> String {
    match (least, most) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (least, None) => format!("{{{least},}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    }
}

/// As a class that may stand in another one.
fn members(set: Set) -> &'static str {
    match (set.name, set.ascii, set.negated) {
        (SetName::Digit, true, false) => "[0-9]",
        (SetName::Digit, true, true) => "[^0-9]",
        (SetName::Digit, false, false) => r"[\d]",
        (SetName::Digit, false, true) => r"[^\d]",
        (SetName::Space, true, false) => r"[\t-\r\x20]",
        (SetName::Space, true, true) => r"[^\t-\r\x20]",
        // Python counts four separators more.
        (SetName::Space, false, false) => r"[\s\x1c-\x1f]",
        (SetName::Space, false, true) => r"[^\s\x1c-\x1f]",
        (SetName::Word, true, false) => "[0-9A-Za-z_]",
        (SetName::Word, true, true) => "[^0-9A-Za-z_]",
        // In Python marks that combine with a letter are of no word.
        (SetName::Word, false, false) => r"[\p{L}\p{N}_]",
        (SetName::Word, false, true) => r"[^\p{L}\p{N}_]",
    }
}
