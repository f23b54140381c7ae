//! The five default expressions of `secret_search`, matched without a regular
//! expression engine: each is a keyword, then runs of one alphabet.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::config;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultRule {
    AwsAccessKey,
    AwsSecretKey,
    PrivateKey,
    DockerAuth,
    ApiKey,
}

impl DefaultRule {
    /// The rule of a configured expression, if that is one of the default ones.
    pub(super) fn of(expression: &str) -> Option<Self> {
        match expression {
            config::AWS_ACCESS_KEY => Some(DefaultRule::AwsAccessKey),
            config::AWS_SECRET_KEY => Some(DefaultRule::AwsSecretKey),
            config::PRIVATE_KEY => Some(DefaultRule::PrivateKey),
            config::DOCKER_AUTH => Some(DefaultRule::DockerAuth),
            config::API_KEY => Some(DefaultRule::ApiKey),
            _ => None,
        }
    }

    /// Whether the expression matches at the start of the line.
    pub(super) fn matches(self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match self {
            DefaultRule::AwsAccessKey => {
                assigned(line, &[b"aws_access_key_id"], u8::is_ascii_alphanumeric, 20, 20)
            }
            DefaultRule::AwsSecretKey => {
                let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"/+=".contains(byte);
                assigned(line, &[b"aws_secret_access_key"], of_base64, 40, 40)
            }
            DefaultRule::PrivateKey => is_private_key(line),
            DefaultRule::DockerAuth => is_docker_auth(line),
            DefaultRule::ApiKey => {
                assigned(line, &[b"api-key", b"api_key"], u8::is_ascii_alphanumeric, 20, 60)
            }
        }
    }
}

/// Every match of a default rule contains one of these, case ignored.
const KEYWORDS: [&str; 6] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "private key-",
    "\"auth\":",
    "api-key",
    "api_key",
];

/// Finds the keywords.
pub(super) fn keywords() -> AhoCorasick {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostFirst)
        .build(KEYWORDS)
        .expect("six short keywords")
}

/// Four bytes of each keyword stand where this is true, and few other texts have them. No branches, so that the
/// compiler makes vectors of a loop over it.
#[inline(always)]
fn may_be_keyword(first: u8, second: u8, third: u8, fourth: u8) -> bool {
    let rest = [second | 0x20, third | 0x20, fourth | 0x20];
    let is = |text: &[u8; 3]| (rest[0] == text[0]) & (rest[1] == text[1]) & (rest[2] == text[2]);
    let is_before_key = (first == b'_') | (first == b'-') | (first == b' ');
    (is_before_key & is(b"key")) | ((first == b'"') & is(b"aut"))
}

/// Bytes before the four of [`may_be_keyword`] in a keyword, and with them and behind.
const BEFORE: usize = 17;
const BEHIND: usize = 8;

/// Where keywords begin. Of those that overlap each other not all are told.
pub(super) fn begins_of_keywords<'t>(
    keywords: &'t AhoCorasick,
    text: &'t [u8],
) -> impl Iterator<Item = usize> + 't {
    places(text).flat_map(move |place| {
        let start = place.saturating_sub(BEFORE);
        let around = &text[start..text.len().min(place + BEHIND)];
        keywords.find_iter(around).map(move |hit| start + hit.start()).collect::<Vec<_>>()
    })
}

/// Where [`may_be_keyword`] is true, 64 places at a time.
fn places(text: &[u8]) -> impl Iterator<Item = usize> {
    const PLACES: usize = 64;
    (0..text.len()).step_by(PLACES).flat_map(move |start| {
        let mut padded = [0; PLACES + 3];
        let rest = &text[start..];
        let bytes = rest.first_chunk::<{ PLACES + 3 }>().unwrap_or_else(|| {
            padded[..rest.len()].copy_from_slice(rest);
            &padded
        });
        let is_place =
            |at: usize| may_be_keyword(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
        let is_any = (0..PLACES).fold(false, |any, at| any | is_place(at));
        let places = if is_any { 0..PLACES } else { 0..0 };
        places.filter(|at| is_place(*at)).map(|at| start + at).collect::<Vec<_>>()
    })
}

/// A keyword, blanks, `=`, and somewhere behind it a whole run of one alphabet
/// of a length in question. The look-around says no more than "whole run":
/// neither the byte before nor the one behind is of that alphabet.
fn assigned(
    line: &[u8],
    keywords: &[&[u8]],
    of_alphabet: impl Fn(&u8) -> bool,
    shortest: usize,
    longest: usize,
) -> bool {
    let equals = keywords
        .iter()
        .flat_map(|keyword| ends_of(line, keyword))
        .filter_map(|end| after_blanks(line, end))
        .filter(|&at| line.get(at) == Some(&b'='))
        .min();
    let Some(equals) = equals else { return false };
    let mut at = 0;
    line.chunk_by(|left, right| of_alphabet(left) == of_alphabet(right)).any(|run| {
        let start = at;
        at += run.len();
        start > equals
            && (shortest..=longest).contains(&run.len())
            && run.first().is_some_and(&of_alphabet)
    })
}

fn is_private_key(line: &[u8]) -> bool {
    let name = line.iter().position(|&byte| byte != b'-').filter(|&dashes| dashes > 0);
    let Some((begin, rest)) = name.and_then(|at| line[at..].split_at_checked(5)) else {
        return false;
    };
    begin.eq_ignore_ascii_case(b"BEGIN") && ends_of(rest, b"PRIVATE KEY-").next().is_some()
}

fn is_docker_auth(line: &[u8]) -> bool {
    let opening = ends_of(line, b"\"auth\":")
        .filter_map(|end| after_blanks(line, end))
        .find(|&at| line.get(at) == Some(&b'"'));
    let closing = line.iter().rposition(|&byte| byte == b'"');
    matches!((opening, closing), (Some(opening), Some(closing)) if closing >= opening + 2)
}

/// Where each occurrence of a word ends, case ignored.
fn ends_of<'a>(line: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    line.windows(word.len())
        .enumerate()
        .filter(move |(_, window)| window.eq_ignore_ascii_case(word))
        .map(move |(at, _)| at + word.len())
}

fn after_blanks(line: &[u8], from: usize) -> Option<usize> {
    let blanks = line.get(from..)?.iter().take_while(|&&byte| byte == b' ').count();
    Some(from + blanks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_found_wherever_it_stands() {
        let search = keywords();
        for word in KEYWORDS {
            for (before, behind) in (0..140).flat_map(|before| [(before, 0), (before, 90)]) {
                let word = if before % 2 == 0 { word.to_uppercase() } else { word.to_owned() };
                let text = format!("{}{word}{}", "k".repeat(before), "y".repeat(behind));
                let begins: Vec<_> = begins_of_keywords(&search, text.as_bytes()).collect();
                assert_eq!(begins, [before], "{text}");
            }
        }
    }

    #[test]
    fn lines_with_keywords_are_those_that_contain_one() {
        let search = keywords();
        let pieces =
            ["\n", "aws_", "access_", "key", "_key", " key", "-key", "_id", "\"auth\"", ":"];
        let pieces: Vec<_> =
            pieces.into_iter().chain(["api", "-", "secret_"]).chain(KEYWORDS).collect();
        let mut state = 1_u32;
        for _ in 0..2000 {
            let text: String = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                pieces[(state >> 16) as usize % pieces.len()]
            })
            .take(40)
            .collect();
            let line = |begin: usize| text[..begin].matches('\n').count();
            let found: std::collections::BTreeSet<_> =
                begins_of_keywords(&search, text.as_bytes()).map(line).collect();
            let lines = text.split('\n').enumerate();
            let expected =
                lines.filter(|(_, line)| KEYWORDS.iter().any(|word| line.contains(word)));
            assert!(found.into_iter().eq(expected.map(|(number, _)| number)), "{text}");
        }
    }
}
