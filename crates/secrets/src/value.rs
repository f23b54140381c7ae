//! What a value looks like: could these bytes be a secret at all?

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// Counts over the bytes of one value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub(super) length: usize,
    pub(super) digits: usize,
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) distinct: usize,
    /// Separated parts (`-`, `_`, `.`, `:`, `/`) that hold a digit.
    pub(super) parts_with_digit: usize,
    pub(super) parts: usize,
    /// The longest part that holds both letters and digits, or only digits.
    pub(super) longest_mixed_part: usize,
    /// How often a letter is followed by a digit or the other way round.
    pub(super) turns: usize,
}

impl Shape {
    pub(super) fn of(value: &[u8]) -> Self {
        let mut shape = Shape { length: value.len(), ..Shape::default() };
        let mut seen = [false; 256];
        let mut part = Part::default();
        let mut previous = 0_u8;
        for &byte in value {
            shape.distinct += usize::from(!std::mem::replace(&mut seen[usize::from(byte)], true));
            match byte {
                b'0'..=b'9' => shape.digits += 1,
                b'a'..=b'z' => shape.lower += 1,
                b'A'..=b'Z' => shape.upper += 1,
                _ => {}
            }
            let turn = previous.is_ascii_alphabetic() && byte.is_ascii_digit()
                || previous.is_ascii_digit() && byte.is_ascii_alphabetic();
            shape.turns += usize::from(turn);
            previous = byte;
            if matches!(byte, b'-' | b'_' | b'.' | b':' | b'/') {
                shape.close(&mut part);
            } else {
                part.length += 1;
                part.digits += usize::from(byte.is_ascii_digit());
            }
        }
        shape.close(&mut part);
        shape
    }

    fn close(&mut self, part: &mut Part) {
        let part = std::mem::take(part);
        if part.length == 0 {
            return;
        }
        self.parts += 1;
        if part.digits > 0 {
            self.parts_with_digit += 1;
            self.longest_mixed_part = self.longest_mixed_part.max(part.length);
        }
    }

    pub(super) fn letters(&self) -> usize {
        self.lower + self.upper
    }

    pub(super) fn is_alphanumeric(&self) -> bool {
        self.letters() + self.digits == self.length
    }

    /// Words joined by `_`, `-` or `.`, rather than something drawn at random:
    /// no part is long and mixed, and few parts hold a digit.
    pub(super) fn is_wordy(&self) -> bool {
        self.longest_mixed_part < 10 && (self.parts_with_digit < 2 || self.length < 18)
    }
}

#[derive(Default)]
struct Part {
    length: usize,
    digits: usize,
}

pub(super) fn is_hex(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_hexdigit)
}

/// 8-4-4-4-12 hexadecimal digits.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Words that only a placeholder has in it, lower case.
static PLACEHOLDERS: Words = Words::new(&[
    b"example",
    b"xxxx",
    b"changeme",
    b"change_me",
    b"change-me",
    b"placeholder",
    b"redacted",
    b"your_",
    b"your-",
    b"yourapi",
    b"yourkey",
    b"yourtoken",
    b"yoursecret",
    b"insert_",
    b"dummy",
    b"notreal",
    b"****",
    b"....",
    b"-----",
    b"some-other",
    b"goes_here",
    b"_here_",
]);

/// True for what stands in place of a secret: `changeme`, `${TOKEN}`, `<token>`, `%s`, `aaaaaaaa`.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    is_mask(value) || is_repetitive(value)
}

/// The same, as far as a word or a sign tells it.
pub(super) fn is_mask(value: &[u8]) -> bool {
    if is_reference(value) {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    PLACEHOLDERS.are_in(&lower)
}

/// Words joined as in names: `security.jwt.secret-key`, `secretOfSession`.
pub(super) fn is_name(value: &[u8]) -> bool {
    let is_of_words =
        value.iter().all(|byte| byte.is_ascii_alphabetic() || b"._:/-".contains(byte));
    is_of_words && !is_random_word(value)
}

/// Letters in mixed case as no word has them: `xKzQbTwPlo`.
pub(super) fn is_random_word(value: &[u8]) -> bool {
    let is_letters = value.iter().all(u8::is_ascii_alphabetic);
    let changes = value
        .windows(2)
        .filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
        .count();
    is_letters && value.len() >= 10 && changes * 4 >= value.len()
}

/// What a template or a shell puts a value in place of: `${NAME}`, `$NAME`, `<name>`,
/// `{name}`, `%NAME%`, `%(name)s`, `[name]`, `(name)`.
pub(super) fn is_reference(value: &[u8]) -> bool {
    const WITHIN: [&[u8]; 7] = [b"${", b"{{", b"$(", b"#{", b"<%", b"%(", b"%s"];
    if WITHIN.iter().any(|sign| contains(value, sign)) {
        return true;
    }
    let is_name = |name: &[u8]| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    match value {
        [b'$', name @ ..] if is_begin_of_path(name) => true,
        [b'$', name @ ..] => {
            let is_short = name.len() < 2 || name.first().is_some_and(u8::is_ascii_digit);
            is_name(name) && !is_short && is_of_one_case(name)
        }
        [b'%', name @ .., b'%'] | [b'@', name @ .., b'@'] => is_name(name),
        [b'_', b'_', name @ .., b'_', b'_'] => is_name(name),
        [b'<', .., b'>'] => true,
        [b'{', .., b'}'] | [b'[', .., b']'] | [b'(', .., b')'] => true,
        [b'<', ..] => contains(value, b" "),
        _ => false,
    }
}

/// `$BASE_URL/login`: the name of a variable, and then a path.
fn is_begin_of_path(text: &[u8]) -> bool {
    let of_name = |byte: &&u8| byte.is_ascii_uppercase() || **byte == b'_';
    let length = text.iter().take_while(of_name).count();
    length > 2 && text.get(length) == Some(&b'/')
}

/// Names of variables are in one case, or begin each word of them with a capital.
fn is_of_one_case(name: &[u8]) -> bool {
    let digits = name.iter().filter(|byte| byte.is_ascii_digit()).count();
    let has_upper = name.iter().any(u8::is_ascii_uppercase);
    let has_lower = name.iter().any(u8::is_ascii_lowercase);
    !(has_upper && has_lower && digits > 1) && digits * 3 < name.len()
}

/// Fewer than five different bytes in a dozen, or one of them over and over.
pub(super) fn is_repetitive(value: &[u8]) -> bool {
    let is_mask = |byte: &u8| b"*xX.-_#".contains(byte);
    if value.len() > 2 && value.iter().all(is_mask) {
        return true;
    }
    if value.len() < 8 {
        return false;
    }
    let mut counts = [0_usize; 256];
    for &byte in value {
        counts[usize::from(byte)] += 1;
    }
    let distinct = counts.iter().filter(|&&count| count > 0).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    distinct < 5 || most * 2 > value.len()
}

/// A long stretch of the alphabet or of counting: typed by a person.
pub(super) fn has_sequence(value: &[u8]) -> bool {
    longest_run(value) >= 10
}

/// Signs in a row of which each follows the one before it, in either case: `aBcd`, `7890`.
pub(super) fn longest_run(value: &[u8]) -> usize {
    let (mut longest, mut length) = (value.len().min(1), 1);
    for pair in value.windows(2) {
        let (first, second) = (pair[0].to_ascii_lowercase(), pair[1].to_ascii_lowercase());
        let goes_on = second == first.wrapping_add(1) || pair == b"90";
        length = if goes_on { length + 1 } else { 1 };
        longest = longest.max(length);
    }
    longest
}

/// Words that begin with capitals, as names of functions do: no letters drawn at random
/// have so many small ones in a row.
pub(super) fn is_camel_case(value: &[u8]) -> bool {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let capitals = value.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let small_runs = value.split(|byte| !byte.is_ascii_lowercase());
    let longest = small_runs.map(<[u8]>::len).max().unwrap_or(0);
    capitals > 0 && longest >= 5 && letters >= capitals * 5
}

/// Words that manuals use in place of a password.
pub(super) fn is_common_word(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 20] = [
        b"admin",
        b"changeit",
        b"default",
        b"false",
        b"hidden",
        b"none",
        b"null",
        b"optional",
        b"pass",
        b"passwd",
        b"password",
        b"pwd",
        b"required",
        b"secret",
        b"str",
        b"string",
        b"test",
        b"true",
        b"undefined",
        b"unused",
    ];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// <https://en.wikipedia.org/wiki/Fowler-Noll-Vo_hash_function>
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Several words that are looked for at once.
pub(super) struct Words {
    all: &'static [&'static [u8]],
    automaton: OnceLock<AhoCorasick>,
}

impl Words {
    pub(super) const fn new(all: &'static [&'static [u8]]) -> Self {
        Words { all, automaton: OnceLock::new() }
    }

    /// Whether one of them is in a text.
    pub(super) fn are_in(&self, text: &[u8]) -> bool {
        let automaton = self.automaton.get_or_init(|| {
            let builder = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(self.all);
            builder.expect("some short words")
        });
        automaton.is_match(text)
    }
}

/// Bytes up to which looking is faster than preparing to look.
const SHORT: usize = 256;

pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return true };
    if haystack.len() > SHORT {
        return bstr::ByteSlice::find(haystack, needle).is_some();
    }
    (0..=haystack.len().saturating_sub(needle.len()))
        .any(|at| haystack.get(at) == Some(first) && haystack[at + 1..].starts_with(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known() {
        for value in [
            "changeme_please",
            "${TOKEN}",
            "$TOKEN",
            "<your token>",
            "%s",
            "AKIAIOSFODNN7EXAMPLE",
            "{{ .Values.token }}",
            "{0}",
            "%API_KEY%",
            "00000000000000000000",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in
            ["8f2c1d", "super$ecret", "#gets0m3", "A1b2C3d4E5f6G7h8", "$Zq9mmX4t", "%Zq9!x"]
        {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn words_are_told_from_random_values() {
        let is_wordy = |value: &str| Shape::of(value.as_bytes()).is_wordy();
        assert!(is_wordy("user_token_v2"));
        assert!(is_wordy("com.example.api-key1"));
        assert!(!is_wordy("sk_4f8a91c0d27be653"));
        assert!(!is_wordy("0f8e-11ac-93bd-77e0-a1b2"));
    }
}
