//! Regular expressions in the dialect of Python's `re` over bytes.
//!
//! Expressions run on a linear engine if it supports them. Look-around and back
//! references need a backtracking engine, which has a limit. It reads text, so bytes
//! are decoded as Latin-1 for it.
//! The dialect: <https://docs.python.org/3/library/re.html#regular-expression-syntax>

/// How many steps back one line may cost.
const BACKTRACK_LIMIT: usize = 100_000;
/// How large a compiled expression may grow, in bytes.
const SIZE_LIMIT: usize = 4 << 20;

pub(super) enum Expression {
    Linear(regex::bytes::Regex),
    Backtracking(fancy_regex::Regex),
}

impl Expression {
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let anchored = format!(r"\A(?:{})", translated(pattern));
        let linear = regex::bytes::RegexBuilder::new(&anchored)
            .unicode(false)
            .size_limit(SIZE_LIMIT)
            .build();
        if let Ok(regex) = linear {
            return Ok(Expression::Linear(regex));
        }
        fancy_regex::RegexBuilder::new(&latin1(ascii_classes(&anchored).as_bytes()))
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(SIZE_LIMIT)
            .build()
            .map(Expression::Backtracking)
            .map_err(|error| error.to_string())
    }

    pub(super) fn matches(&self, line: &[u8]) -> Result<bool, String> {
        match self {
            Expression::Linear(regex) => Ok(regex.is_match(line)),
            Expression::Backtracking(regex) => {
                regex.is_match(&latin1(line)).map_err(|error| error.to_string())
            }
        }
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Translates what Python writes differently from the engines: `$` and `\Z` at the end of
/// a line, and literal brackets and braces.
fn translated(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    // How far into a class: none, just behind its `[` or `[^`, or further.
    let mut class = Class::None;
    while let Some(letter) = rest.chars().next() {
        let (head, tail) = rest.split_at(letter.len_utf8());
        let mut tail = tail;
        let within = class;
        if class == Class::Start {
            class = Class::Inside;
        }
        match (letter, within) {
            ('\\', _) => {
                let escaped = tail.chars().next().map_or(0, char::len_utf8);
                let (name, behind) = tail.split_at(escaped);
                tail = behind;
                out.push_str(&match name {
                    "Z" => r"\z".to_owned(),
                    _ => format!("\\{name}"),
                });
            }
            ('[', Class::None) => {
                class = Class::Start;
                out.push('[');
                if let Some(behind) = tail.strip_prefix('^') {
                    out.push('^');
                    tail = behind;
                }
            }
            (']', Class::Inside) => {
                class = Class::None;
                out.push(']');
            }
            // A `]` that comes first, and what has a meaning in a class only here.
            (']', Class::Start) | ('[' | '&' | '~', Class::Start | Class::Inside) => {
                out.push('\\');
                out.push(letter);
            }
            ('$', Class::None) => out.push_str(r"(?:\n?\z)"),
            ('{', Class::None) if !starts_with_count(tail) => out.push_str(r"\{"),
            _ => out.push_str(head),
        }
        rest = tail;
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    None,
    Start,
    Inside,
}

/// `3}`, `3,}` or `3,5}`: what makes of a brace a repetition.
fn starts_with_count(text: &str) -> bool {
    let Some((count, _)) = text.split_once('}') else { return false };
    let (least, most) = count.split_once(',').unwrap_or((count, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// `\w`, `\d` and `\s` mean ASCII in a pattern over bytes; their complements need no class of their own
/// only outside brackets, which is where they are used.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::new();
    let mut letters = pattern.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            in_class = letter == '[' || in_class && letter != ']';
            out.push(letter);
            continue;
        }
        let name = letters.next();
        let (members, negated) = match name {
            Some('d') => ("0-9", false),
            Some('w') => ("0-9A-Za-z_", false),
            Some('s') => (r"\t-\r ", false),
            Some('D') => ("0-9", true),
            Some('W') => ("0-9A-Za-z_", true),
            Some('S') => (r"\t-\r ", true),
            _ => {
                out.push('\\');
                out.extend(name);
                continue;
            }
        };
        match (in_class, negated) {
            (true, false) => out.push_str(members),
            (_, true) => out.extend(["[^", members, "]"]),
            (false, false) => out.extend(["[", members, "]"]),
        }
    }
    out
}
