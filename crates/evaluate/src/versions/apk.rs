//! Alpine and what uses apk: `1.2.3b_rc1_p2~hash-r4`.
//!
//! Numbers, one letter, suffixes, a commit's hash, the package's revision. apk
//! orders what it cannot read too: below everything that begins the same.
//! <https://wiki.alpinelinux.org/wiki/Package_policies#Package_versioning>, and
//! `version.data` in apk-tools' tests.

use std::cmp::Ordering;

use super::digits;

pub(super) fn read(text: &str) -> Result<&[u8], &'static str> {
    if text.is_empty() { Err("it is empty") } else { Ok(text.as_bytes()) }
}

pub(super) fn order(a: &&[u8], b: &&[u8]) -> Ordering {
    let (mut tokens_a, mut tokens_b) = (Tokens::of(a), Tokens::of(b));
    loop {
        let (a, b) = (tokens_a.next(), tokens_b.next());
        let found = match (a, b) {
            (Token::Start(a), Token::Start(b)) => digits::order(a, b),
            (Token::Number(a), Token::Number(b)) => order_numbers(a, b),
            (Token::Letter(a), Token::Letter(b)) => a.cmp(&b),
            (Token::Suffix(a), Token::Suffix(b)) => a.cmp(&b),
            (Token::SuffixNumber(a), Token::SuffixNumber(b)) => digits::order(a, b),
            (Token::Commit(a), Token::Commit(b)) => a.cmp(b),
            (Token::Revision(a), Token::Revision(b)) => digits::order(a, b),
            (Token::End, Token::End) | (Token::Unreadable, Token::Unreadable) => {
                return Ordering::Equal;
            }
            // What goes on is later than what ends, but for `_alpha` and the like.
            (a, b) => return b.rank().cmp(&a.rank()),
        };
        if found.is_ne() {
            return found;
        }
    }
}

/// After a dot a leading zero makes it a decimal fraction: `1.06` comes before `1.1`.
fn order_numbers(a: &[u8], b: &[u8]) -> Ordering {
    if a.first() == Some(&b'0') || b.first() == Some(&b'0') {
        a.cmp(b)
    } else {
        digits::order(a, b)
    }
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Start(&'a [u8]),
    Number(&'a [u8]),
    Letter(u8),
    Suffix(usize),
    SuffixNumber(&'a [u8]),
    Commit(&'a [u8]),
    Revision(&'a [u8]),
    End,
    Unreadable,
}

/// In their order; those before `FINAL` are of versions not yet released.
const SUFFIXES: [&[u8]; 9] =
    [b"alpha", b"beta", b"pre", b"rc", b"cvs", b"svn", b"git", b"hg", b"p"];
const FINAL: usize = 4;

impl Token<'_> {
    /// Of two versions that are the same up to here, that with the smaller rank is later.
    fn rank(self) -> u8 {
        match self {
            Token::Start(_) | Token::Number(_) => 0,
            Token::Letter(_) => 1,
            Token::Suffix(suffix) if suffix >= FINAL => 2,
            Token::SuffixNumber(_) => 3,
            Token::Commit(_) => 4,
            Token::Revision(_) => 5,
            Token::End => 6,
            Token::Unreadable => 7,
            Token::Suffix(_) => 8,
        }
    }
}

struct Tokens<'a> {
    rest: &'a [u8],
    last: Token<'a>,
    started: bool,
}

impl<'a> Tokens<'a> {
    fn of(text: &'a [u8]) -> Self {
        Tokens { rest: text, last: Token::End, started: false }
    }

    fn next(&mut self) -> Token<'a> {
        if !self.started {
            self.started = true;
            self.last = Token::Start(self.digits());
            return self.last;
        }
        self.last = match (self.rest, self.last) {
            ([], _) => Token::End,
            // A dot before the letter adds nothing: `10.2.24.r0`.
            (
                [b'.', letter @ b'a'..=b'z', rest @ ..] | [letter @ b'a'..=b'z', rest @ ..],
                Token::Start(_) | Token::Number(_),
            ) => {
                self.rest = rest;
                Token::Letter(*letter)
            }
            ([b'.', rest @ ..], Token::Start(_) | Token::Number(_)) => {
                self.rest = rest;
                Token::Number(self.digits())
            }
            // No version of the policy, but of many packages: `6.6.2p1`.
            ([b'0'..=b'9', ..], Token::Letter(_)) => Token::Number(self.digits()),
            ([b'0'..=b'9', ..], Token::Suffix(_)) => Token::SuffixNumber(self.digits()),
            ([b'_', rest @ ..], last) if last.rank() <= 3 || matches!(last, Token::Suffix(_)) => {
                let (word, rest) = digits::split_where(rest, |byte| byte.is_ascii_lowercase());
                self.rest = rest;
                let known = SUFFIXES.iter().position(|suffix| *suffix == word);
                known.map_or(Token::Unreadable, Token::Suffix)
            }
            ([b'~', rest @ ..], last) if last.rank() <= 3 || matches!(last, Token::Suffix(_)) => {
                let hash;
                (hash, self.rest) = digits::split_where(rest, |byte| byte.is_ascii_hexdigit());
                Token::Commit(hash)
            }
            // The revision ends it.
            ([b'-', b'r', revision @ ..], _) if revision.iter().all(u8::is_ascii_digit) => {
                self.rest = &[];
                Token::Revision(revision)
            }
            _ => Token::Unreadable,
        };
        self.last
    }

    fn digits(&mut self) -> &'a [u8] {
        let number;
        (number, self.rest) = digits::split(self.rest);
        number
    }
}
