//! A value beside a name that tells what it is: `webflow_api_key = "…"`.
//!
//! Read by hand and not by a regular expression: the words in question (`key`,
//! `token`) stand everywhere, and nearly all of them can be skipped after a
//! look at the next few bytes.

use std::ops::Range;

use super::password::stands_for_another;
use super::value::{
    Shape, Words, contains, has_sequence, is_camel_case, is_hex, is_placeholder, is_uuid,
    longest_run,
};
use inscan_facts::entropy::entropy;

/// A value, and what is between it and the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) value: Range<usize>,
    /// True if `=`, `:` or `>` is between name and value.
    pub(super) by_operator: bool,
    /// True if a word such as `key` or `secret` is between them.
    pub(super) credential: bool,
    /// True if the last of these words ends with `id`.
    pub(super) is_identifier: bool,
    pub(super) on_same_line: bool,
}

/// Which name precedes the value. The less specific, the stricter the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// The name of a provider and a word such as `token`.
    ProviderCredential,
    /// The name of a provider alone.
    Provider,
    /// A word such as `api_key` alone.
    Credential,
    /// A word that nothing else is called by: `acme_token`, `client_secret`.
    NamedCredential,
}

/// Bytes between a name and its value.
const MAX_GAP: usize = 90;
/// Connecting words between a name and its value. Of line feeds one is allowed.
const MAX_WORDS: usize = 7;
/// Bytes of a value.
const MAX_VALUE_LEN: usize = 2000;

/// Words between a name and its value, lower case; with `true` those that name a credential.
const CONNECTORS: &[(&str, bool)] = &[
    ("access", true),
    ("account", false),
    ("admin", false),
    ("api", false),
    ("app", false),
    ("application", false),
    ("as", false),
    ("auth", true),
    ("authorization", true),
    ("authtoken", true),
    ("base", false),
    ("base64", false),
    ("basic", false),
    ("bearer", false),
    ("bot", false),
    ("build", false),
    ("byte", false),
    ("ci", false),
    ("cli", false),
    ("client", false),
    ("cloud", false),
    ("code", false),
    ("config", false),
    ("connection", false),
    ("consumer", false),
    ("credential", true),
    ("credentials", true),
    ("customer", false),
    ("default", false),
    ("deploy", false),
    ("dev", false),
    ("developer", false),
    ("encoded", false),
    ("encryption", false),
    ("env", false),
    ("global", false),
    ("id", false),
    ("identifier", false),
    ("ingest", false),
    ("insert", false),
    ("integration", false),
    ("internal", false),
    ("is", false),
    ("jwt", true),
    ("key", true),
    ("keys", true),
    ("license", true),
    ("live", false),
    ("login", false),
    ("machine", false),
    ("main", false),
    ("management", false),
    ("master", false),
    ("my", false),
    ("new", false),
    ("oauth", true),
    ("oauth2", true),
    ("of", false),
    ("organization", false),
    ("param", false),
    ("parser", false),
    ("pass", true),
    ("passwd", true),
    ("password", true),
    ("pat", true),
    ("personal", false),
    ("platform", false),
    ("primary", false),
    ("private", true),
    ("prod", false),
    ("production", false),
    ("project", false),
    ("pub", false),
    ("public", false),
    ("pw", true),
    ("pwd", true),
    ("read", false),
    ("ref", false),
    ("refresh", false),
    ("rest", false),
    ("root", false),
    ("sandbox", false),
    ("secret", true),
    ("secrets", true),
    ("secure", false),
    ("server", false),
    ("service", false),
    ("session", true),
    ("shared", false),
    ("sid", false),
    ("signature", false),
    ("signing", true),
    ("staging", false),
    ("storage", false),
    ("str", false),
    ("string", false),
    ("system", false),
    ("test", false),
    ("text", false),
    ("the", false),
    ("to", false),
    ("token", true),
    ("tokens", true),
    ("tok", true),
    ("use", false),
    ("user", false),
    ("username", false),
    ("v1", false),
    ("v2", false),
    ("v3", false),
    ("value", false),
    ("var", false),
    ("verification", false),
    ("web", false),
    ("webhook", false),
    ("with", false),
    ("write", false),
];

/// The value behind a name that ends at an offset, if what stands between
/// them is only operators, quotes and words that qualify a name.
pub(super) fn value_after(text: &[u8], name_end: usize) -> Option<Assigned> {
    let mut at = name_end;
    let mut words = 0;
    let mut line_feeds = 0;
    let mut by_operator = false;
    let mut credential = false;
    let mut is_identifier = false;
    while at < name_end + MAX_GAP {
        let byte = *text.get(at)?;
        match byte {
            b'=' | b':' | b'>' => by_operator = true,
            b',' if is_between_arguments(text, at) => by_operator = true,
            b'\n' if (by_operator || credential) && line_feeds == 0 => line_feeds = 1,
            b'\n' => return None,
            b' ' | b'\t' | b'\r' | b'"' | b'\'' | b'`' | b',' | b'[' | b'|' | b'?' | b'\\'
            | b'.' | b'_' => {}
            // A dash joins words, but may also be the first byte of a random value.
            b'-' if !starts_value(text, at) => {}
            _ => {
                let rest = &text[at..];
                if let Some((length, names_credential)) = connector(rest) {
                    is_identifier = rest[..length].to_ascii_lowercase().ends_with(b"id");
                    words += 1;
                    if words > MAX_WORDS {
                        return None;
                    }
                    credential |= names_credential;
                    at += length;
                    continue;
                }
                let end = at + value_length(rest);
                let behind = &text[end..];
                let is_call = behind.starts_with(b"(") || behind.starts_with(b"[");
                let is_cut = end - at < 8 || end - at > MAX_VALUE_LEN || behind.starts_with(b"..");
                return (at > name_end && !is_call && !is_cut).then_some(Assigned {
                    value: at..end,
                    by_operator,
                    credential,
                    is_identifier,
                    on_same_line: line_feeds == 0,
                });
            }
        }
        at += 1;
    }
    None
}

/// Whether a value may follow at all. Nearly every `key` and `token` of a program
/// is skipped by this test.
pub(super) fn may_assign(text: &[u8], word_end: usize) -> bool {
    let next = text.get(word_end..word_end + 2).unwrap_or_default();
    match next {
        [b'(' | b')' | b'[' | b']' | b'{' | b'}' | b';' | b'.' | b',' | b'+' | b'/' | b'\n', _] => {
            false
        }
        [b' ', b'.'] => text.get(word_end + 2) == Some(&b'='),
        [b' ', second] => b"=:>?\"'`|".contains(second) || second.is_ascii_alphanumeric(),
        [_, _] => true,
        _ => false,
    }
}

/// Whether a comma stands between two quoted arguments of a call, the first of them a name:
/// `setenv("NAME", "value")`.
fn is_between_arguments(text: &[u8], comma: usize) -> bool {
    let rest = &text[comma + 1..];
    let blanks = rest.iter().take(40).take_while(|byte| byte.is_ascii_whitespace()).count();
    let is_quoted = rest.get(blanks).is_some_and(|quote| b"\"'`".contains(quote));
    let Some((quote, before)) = text[comma.saturating_sub(80)..comma].split_last() else {
        return false;
    };
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let name = before.iter().rev().take_while(|byte| of_name(byte)).count();
    is_quoted
        && b"\"'".contains(quote)
        && before[..before.len() - name]
            .strip_suffix(&[*quote])
            .is_some_and(|call| call.trim_ascii_end().ends_with(b"("))
}

/// A `-` right behind a quote or operator is part of the value.
fn starts_value(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    let after = text.get(at + 1);
    before.is_some_and(|byte| b"\"'`= ".contains(byte))
        && after.is_some_and(u8::is_ascii_alphanumeric)
        && before != Some(&b' ')
}

/// The longest connecting word that a text begins with, if a word ends there:
/// at something that is no letter or digit, or where another such word begins.
fn connector(text: &[u8]) -> Option<(usize, bool)> {
    let letters = text.iter().take(24).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let run = &text[..letters];
    connectors_at(run)
        .filter(|(word, _)| ends_word(run, word.len()))
        .max_by_key(|(word, _)| word.len())
        .map(|&(word, names_credential)| (word.len(), names_credential))
}

/// The connecting words that a run of letters and digits begins with.
fn connectors_at(run: &[u8]) -> impl Iterator<Item = &'static (&'static str, bool)> {
    let first = run.first().map_or(0, u8::to_ascii_lowercase);
    let start = CONNECTORS.partition_point(|(word, _)| word.as_bytes()[0] < first);
    CONNECTORS[start..].iter().take_while(move |(word, _)| word.as_bytes()[0] == first).filter(
        move |(word, _)| {
            run.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
        },
    )
}

/// `accessToken`, `ACCESSTOKEN`, `apikey`: words of the list may follow each other at once.
fn ends_word(run: &[u8], at: usize) -> bool {
    match run.get(at) {
        None => true,
        Some(next) if next.is_ascii_alphabetic() => {
            let rest = &run[at..];
            connectors_at(rest).any(|(word, _)| rest.len() == word.len() || word.len() > 2)
        }
        Some(_) => false,
    }
}

/// What values are made of. `marks.rs` has the same.
pub(super) fn is_of_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+/=.~:%!@$*#^".contains(&byte)
}

fn value_length(text: &[u8]) -> usize {
    let limit = &text[..text.len().min(MAX_VALUE_LEN + 1)];
    let mut length = limit.iter().take_while(|byte| is_of_value(**byte)).count();
    while length > 0 && b".:!#".contains(&text[length - 1]) {
        length -= 1;
    }
    length
}

/// Whether a value may be a secret, given what the name before it says.
pub(super) fn is_credible(value: &[u8], assigned: &Assigned, context: Context) -> bool {
    let shape = Shape::of(value);
    if is_placeholder(value) || is_path_or_reference(value, &shape) {
        return false;
    }
    match context {
        Context::ProviderCredential => is_credential(value, &shape, assigned.by_operator),
        Context::Provider if assigned.by_operator => {
            shape.length >= 14 && shape.digits >= 2 && is_credential(value, &shape, true)
        }
        Context::Provider => {
            (shape.is_alphanumeric() || is_uuid(value))
                && shape.length >= 20
                && shape.digits >= 3
                && is_credential(value, &shape, false)
        }
        Context::Credential => {
            assigned.by_operator
                && assigned.on_same_line
                && !assigned.is_identifier
                && is_generic(value, &shape)
        }
        Context::NamedCredential => {
            is_credible(value, assigned, Context::Credential)
                || assigned.by_operator
                    && assigned.on_same_line
                    && !assigned.is_identifier
                    && is_drawn(value, &shape)
        }
    }
}

/// URLs, paths, version numbers, dotted names, dates.
fn is_path_or_reference(value: &[u8], shape: &Shape) -> bool {
    let slashes = value.iter().filter(|&&byte| byte == b'/').count();
    let dots = value.iter().filter(|&&byte| byte == b'.').count();
    let colons = value.iter().filter(|&&byte| byte == b':').count();
    // `cpe:2.3:a:vendor:product`, `arn:aws:…`: names in parts.
    contains(value, b"//")
        || colons > 3
        || contains(value, b"::")
        || contains(value, b"#")
        || contains(value, b"==") && !value.ends_with(b"==")
        || value.first().is_some_and(|first| b"/.~#@%".contains(first)) && shape.digits < 6
        || slashes > 0 && shape.longest_mixed_part < 16
        || dots > 1 && shape.longest_mixed_part < 12
        || (dots == 1 && shape.letters() > 0 && shape.is_wordy())
        || shape.letters() == 0 && shape.digits + dots + slashes < shape.length
        || value.iter().filter(|&&byte| b"$*#^!%@".contains(&byte)).count() > shape.length / 6
}

fn is_credential(value: &[u8], shape: &Shape, by_operator: bool) -> bool {
    if is_constant(value, shape) || shape.digits <= 2 && is_camel_case(value) {
        return false;
    }
    // The digits that most providers draw.
    let is_drawn_hex = is_hex(value) && matches!(value.len(), 32 | 40 | 64);
    if is_uuid(value) || by_operator && is_drawn_hex && shape.distinct >= 6 {
        return true;
    }
    let enough = if by_operator { 10 } else { 12 };
    if shape.length < enough || shape.distinct < 6 || shape.is_wordy() && shape.digits > 0 {
        return false;
    }
    match (shape.digits, shape.letters()) {
        (_, 0) => shape.length >= if by_operator { 15 } else { 24 },
        // Words in mixed case are the name of a variable or function.
        (0, _) => {
            by_operator
                && shape.length >= 20
                && shape.is_alphanumeric()
                && !is_camel_case(value)
                && !stands_for_another(value)
        }
        (1, _) => shape.length >= 16 && entropy(value) > 3.2,
        (digits, _) => digits * 14 >= shape.length || shape.turns > 4 || entropy(value) > 4.2,
    }
}

/// `D3DDDI_SYNCHRONIZATION_OBJECT_FLAGS`: the name of a constant.
fn is_constant(value: &[u8], shape: &Shape) -> bool {
    shape.lower == 0
        && value.contains(&b'_')
        && shape.digits * 6 <= shape.length
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Whether a whole value of a setting that a word such as `secret` names looks drawn at
/// random: several kinds of signs, and no words among them.
pub(super) fn is_credible_setting(value: &[u8]) -> bool {
    let shape = Shape::of(value);
    let others = shape.length - shape.letters() - shape.digits;
    let kinds = [shape.digits, shape.lower, shape.upper, others];
    let kinds = kinds.into_iter().filter(|&count| count > 0).count();
    let is_secret = shape.length >= 12
        && shape.length <= 512
        && kinds >= 3
        && shape.digits >= 2
        && shape.distinct >= 9
        && entropy(value) > 3.0;
    // Signs that join words are in names of things too: what is random among those is told
    // by other tests.
    let has_sign =
        value.iter().any(|byte| !byte.is_ascii_alphanumeric() && !b"_-.:/".contains(byte));
    is_secret
        && has_sign
        && !has_sequence(value)
        && !stands_for_another(value)
        && !value.iter().any(u8::is_ascii_whitespace)
        && !contains(value, b"(")
        && !contains(value, b"\\x")
        && !contains(value, b"..")
        && !is_path_or_reference(value, &shape)
}

/// Names of things that are no secret by themselves: `api_key_id`, `tokenUrl`.
pub(super) fn is_identifier(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    [&b"id"[..], b"url", b"uri", b"name", b"path", b"file", b"type", b"ref"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The test for a value behind a mere word such as `api_key`: it has to look random.
fn is_generic(value: &[u8], shape: &Shape) -> bool {
    if is_uuid(value) {
        return true;
    }
    if is_hex(value) {
        let is_length = (24..=128).contains(&shape.length) && shape.length.is_multiple_of(8);
        return is_length && shape.digits >= 4 && entropy(value) > 3.0;
    }
    if has_random_case(value, shape) {
        return true;
    }
    let is_mixed = shape.digits >= 3 && shape.turns >= 5 && shape.distinct >= 12;
    let is_plain = shape.is_alphanumeric() && shape.length >= 20;
    let is_base64 = shape.length >= 24
        && shape.upper >= 3
        && shape.lower >= 3
        && value.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte));
    is_mixed && (is_plain || is_base64) && entropy(value) > 3.5
}

/// Long, and capitals stand side by side as often as chance has it: in names they do not.
fn has_random_case(value: &[u8], shape: &Shape) -> bool {
    let pairs = |is: fn(&[u8]) -> bool| value.windows(2).filter(|pair| is(pair)).count() * 8;
    let length = shape.length;
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    (32..=128).contains(&length)
        && shape.digits > 0
        && value.iter().all(is_key)
        && pairs(|pair| pair.iter().all(u8::is_ascii_uppercase)) >= length
        && pairs(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()) >= length
        && entropy(value) > 4.2
        && !has_sequence(value)
}

/// Whether letters and digits are mixed as in no word: shorter and with fewer digits than
/// where the name says less.
fn is_drawn(value: &[u8], shape: &Shape) -> bool {
    (14..=128).contains(&shape.length)
        && shape.is_alphanumeric()
        && !is_hex(value)
        && shape.digits >= 2
        && shape.letters() >= 6
        && shape.turns >= 3
        && shape.distinct >= 9
        && entropy(value) > 3.0
        && longest_run(value) < 6
        && !is_camel_case(value)
}

/// Names that are of credentials and of nothing else.
pub(super) fn is_strong_name(name: &[u8]) -> bool {
    const WORDS: [&[u8]; 9] = [
        b"token",
        b"secret",
        b"apikey",
        b"api_key",
        b"api-key",
        b"access_key",
        b"accesskey",
        b"auth_key",
        b"private_key",
    ];
    WORDS.iter().any(|word| contains(name, word))
}

/// The name that a credential's word belongs to, lower case: what stands
/// directly before it, and the word itself.
pub(super) fn name_before(text: &[u8], word: &Range<usize>) -> Vec<u8> {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-. ".contains(byte);
    let from = word.start.saturating_sub(40);
    let before = &text[from..word.start];
    let length = before.iter().rev().take_while(|byte| of_name(byte)).count();
    let mut name = before[before.len() - length..].to_ascii_lowercase();
    name.extend(text[word.clone()].to_ascii_lowercase());
    name
}

/// `api_key`, `secretToken`, … but not `publicKey` or `cache_key`.
pub(super) fn names_credential(name: &[u8]) -> bool {
    static PUBLIC: Words = Words::new(&[
        b"public",
        b"pub",
        b"foreign",
        b"cache",
        b"keyword",
        b"monkey",
        b"donkey",
        b"csrf",
        b"xsrf",
        b"next",
        b"page",
        b"continuation",
        b"integrity",
        b"host",
        b"finger",
        b"gpg",
        b"commit",
        b"keyid",
        b"tokenizer",
        b"sort",
        b"turkey",
        b"antiforgery",
        b"authenticity",
        // Keys of tables, maps, messages and keyboards.
        b"primary",
        b"partition",
        b"rowkey",
        b"row_key",
        b"mapkey",
        b"map_key",
        b"groupkey",
        b"group_key",
        b"objectkey",
        b"object_key",
        b"dedup",
        b"routing",
        b"topology",
        b"registry",
        b"hotkey",
        b"hot_key",
        b"shortcut",
        b"unique",
        b"index",
        b"lookup",
        b"message_key",
        b"event_key",
        b"idempotency",
        // What tells versions and places of things apart, and what pages are sent with.
        b"hash_key",
        b"hash-key",
        b"hashkey",
        b"etag",
        b"checksum",
        b"digest",
        b"verification",
        b"site_key",
        b"site-key",
        b"sitekey",
        b"sync_token",
        b"synctoken",
        b"cursor",
        // Their credentials have a form of their own, and rules for it.
        b"_authtoken",
        b"meraki",
        b"telegram",
    ]);
    !PUBLIC.are_in(name)
}

/// What keys of accounts are called, and keys of tables and maps are not.
const OF_KEYS: [&[u8]; 16] = [
    b"api", b"access", b"private", b"secret", b"auth", b"encrypt", b"signing", b"account",
    b"service", b"client", b"admin", b"master", b"session", b"app", b"license", b"storage",
];

/// `key` and nothing before it, which is a key of anything. `heroku.api.key` is not.
pub(super) fn is_bare_key(name: &[u8]) -> bool {
    let mut words = name.trim_ascii().rsplit(|byte| b" .".contains(byte));
    let is_key = matches!(words.next(), Some(b"key" | b"_key" | b"-key"));
    let before = words.next().filter(|_| !name.contains(&b' ')).unwrap_or_default();
    is_key && !OF_KEYS.iter().any(|word| before.starts_with(word))
}

/// `acme_key`, of which only the value tells that it is no key of a table.
pub(super) fn is_plain_key(name: &[u8]) -> bool {
    name.ends_with(b"key") && !OF_KEYS.iter().any(|word| contains(name, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value found behind `acme`, if it is credible there.
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let end = text.find("acme").expect("acme") + 4;
        let found = value_after(text.as_bytes(), end).filter(|assigned| {
            let context =
                if assigned.credential { Context::ProviderCredential } else { Context::Provider };
            is_credible(&text.as_bytes()[assigned.value.clone()], assigned, context)
        });
        assert_eq!(found.map(|assigned| &text[assigned.value]), expected, "{text}");
    }

    #[test]
    fn values_are_found_behind_names_of_many_styles() {
        let value = "q8w7e6r5t4y3u2i1o0p9";
        for text in [
            "acme_api_key = \"q8w7e6r5t4y3u2i1o0p9\"",
            "acmeApiToken: 'q8w7e6r5t4y3u2i1o0p9',",
            "ACME SECRET q8w7e6r5t4y3u2i1o0p9".to_lowercase().as_str(),
            "<acmeToken>\n   q8w7e6r5t4y3u2i1o0p9\n</acmeToken>",
            "env(\"acme_KEY\", \"q8w7e6r5t4y3u2i1o0p9\")",
            "acme_TOKEN ?= \"q8w7e6r5t4y3u2i1o0p9\"",
            "var acmeToken string = \"q8w7e6r5t4y3u2i1o0p9\"",
            "\"acmeToken\" => \"q8w7e6r5t4y3u2i1o0p9\"",
            "acme-access-key-q8w7e6r5t4y3u2i1o0p9",
            "acme=q8w7e6r5t4y3u2i1o0p9",
            "setenv(\"acme_TOKEN\", \"q8w7e6r5t4y3u2i1o0p9\")",
            "acme private access key\nq8w7e6r5t4y3u2i1o0p9\n",
        ] {
            check(text, Some(value));
        }
    }

    #[test]
    fn code_and_references_are_no_values() {
        for text in [
            "acme_token = get_token_v2(user)",
            "acme_token = os.environ['ACME_TOKEN_V2']",
            "acme_token = ${ACME_TOKEN_2}",
            "acme_token_url: https://acme.test/oauth2/v1/token",
            "acme token is read from /etc/acme/token1234",
            "acme_api_key = your_api_key_1234",
            "acme key: 2024-01-02",
            "acme-sdk-key-1.22.333",
            "acme prices\nq8w7e6r5t4y3u2i1o0p9\n",
            "[\"acme_token\", \"q8w7e6r5\"]",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn names_of_public_things_are_no_credentials() {
        for (name, expected) in [
            ("my_api_key", true),
            ("clientsecret", true),
            ("auth_token", true),
            ("publickeytoken", false),
            ("cache_key", false),
            ("sort_key", false),
        ] {
            assert_eq!(names_credential(name.as_bytes()), expected, "{name}");
        }
    }
}
