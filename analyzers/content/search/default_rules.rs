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

/// Finds the words of which every match of a default rule contains one, case ignored.
pub(super) fn keywords() -> AhoCorasick {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostFirst)
        .build([
            "aws_access_key_id",
            "aws_secret_access_key",
            "private key-",
            "\"auth\":",
            "api-key",
            "api_key",
        ])
        .expect("six short keywords")
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
