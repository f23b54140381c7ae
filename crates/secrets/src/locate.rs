//! Secrets whose form a regular expression describes badly or slowly: private
//! keys in PEM armour and passwords in URLs.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

use sha1::{Digest, Sha1};

use super::value::{Shape, is_placeholder, is_reference};

/// How far behind its first line the body of a key is looked at.
const MAX_BODY_LEN: usize = 16 << 10;

/// A private key whose words `PRIVATE KEY` begin at an offset: the armour of
/// [RFC 7468](https://www.rfc-editor.org/rfc/rfc7468) or PGP with a body, which
/// may be written in one string with escaped line feeds.
pub(super) fn private_key(text: &[u8], words: usize) -> Option<Range<usize>> {
    let from = words.saturating_sub(48);
    let head = text.get(from..words)?;
    let begin = from + bstr::ByteSlice::rfind(head, b"BEGIN ")?;
    let kind = text.get(begin + 6..words)?;
    let of_kind = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    let dashes = text[..begin].iter().rev().take_while(|&&byte| byte == b'-').count();
    let behind = text.get(words + b"PRIVATE KEY".len()..)?;
    let behind = behind.strip_prefix(b" BLOCK").unwrap_or(behind);
    let closing = behind.iter().take_while(|&&byte| byte == b'-').count();
    if dashes < 4 || !(4..=5).contains(&closing) || !kind.iter().all(of_kind) {
        return None;
    }
    let body = behind.get(closing..)?;
    let body = &body[..body.len().min(MAX_BODY_LEN)];
    let end = bstr::ByteSlice::find(body, b"-----END").unwrap_or(body.len());
    let start = begin - dashes.min(5);
    let body_start = text.len() - behind.len() + closing;
    has_key_material(&body[..end]).then_some(start..body_start + end)
}

/// Whether a key is one that everyone has: of the tests of well-known software.
pub(super) fn is_published(key: &[u8]) -> bool {
    static KNOWN: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let lines = include_str!("published_keys.txt").lines();
        lines.filter(|line| !line.starts_with('#')).collect()
    });
    let body = bstr::ByteSlice::find(key, b"PRIVATE KEY").map_or(key, |at| &key[at + 11..]);
    let dashes = body.iter().position(|&byte| byte == b'-').unwrap_or(0);
    let body = &body[dashes..];
    let body = &body[body.iter().take_while(|&&byte| byte == b'-').count()..];
    let digest = Sha1::digest(material(body, usize::MAX).0);
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    known.contains(digits.as_str())
}

/// At least two dozen letters of base64, without header lines and escapes.
fn has_key_material(body: &[u8]) -> bool {
    let (material, is_cut) = material(body, 512);
    material.len() >= if is_cut { 64 } else { 24 } && is_material(&material)
}

/// The letters of base64 in the body of a key, at most so many, without header lines and
/// escapes. True: code or prose around a mere mention of the armour ended it.
fn material(body: &[u8], most: usize) -> (Vec<u8>, bool) {
    let mut material = Vec::new();
    for line in body.split(|&byte| byte == b'\n') {
        if line.contains(&b':') && line.len() < 100 {
            continue;
        }
        let mut bytes = line.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => material.push(byte),
                b' ' | b'\t' | b'\r' | b'"' | b'\'' | b',' | b'=' | b'.' | b'-' | b'#' => {}
                _ => return (material, true),
            }
            if material.len() >= most {
                return (material, false);
            }
        }
    }
    (material, false)
}

fn is_material(material: &[u8]) -> bool {
    let shape = Shape::of(material);
    shape.distinct >= 12 && (shape.digits > 0 || shape.upper > 0 && shape.lower > 0)
}

/// The password of a URL whose `://` begins at an offset: `scheme://user:password@host`.
pub(super) fn url_password(text: &[u8], colon: usize) -> Option<Range<usize>> {
    let from = colon + 3;
    let rest = text.get(from..text.len().min(from + 300))?;
    let of_scheme = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+.-".contains(byte);
    let scheme = text[..colon].iter().rev().take(40).take_while(of_scheme).count();
    // An apostrophe may be in a password, but not where one stands before the URL.
    let is_quoted = (colon - scheme).checked_sub(1).is_some_and(|before| text[before] == b'\'');
    let is_end = |&byte: &u8| {
        byte <= b' ' || b"\"`<>\\|^".contains(&byte) || byte >= 0x7f || is_quoted && byte == b'\''
    };
    let authority = &rest[..rest.iter().position(is_end).unwrap_or(rest.len())];
    let separator = authority.iter().position(|byte| b":/?#@".contains(byte))?;
    if authority[separator] != b':' {
        return None;
    }
    // The last `@` before the path: some passwords contain an unescaped `@`.
    let path = authority.iter().position(|&byte| byte == b'/').unwrap_or(authority.len());
    let at = authority[..path].iter().rposition(|&byte| byte == b'@')?;
    let at = match bstr::ByteSlice::find(&authority[..at], b",") {
        // Several hosts, each with its own user: the first is enough.
        Some(comma) => authority[..comma].iter().rposition(|&byte| byte == b'@').unwrap_or(at),
        None => at,
    };
    let password = authority.get(separator + 1..at)?;
    let host = authority.get(at + 1..)?;
    let user = &authority[..separator];
    let is_name = host.first().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_template =
        |part: &[u8]| is_reference(part) || part.iter().any(|byte| b"{}".contains(byte));
    // `%40` is an escape; a value of a program's format is none of a URL.
    let is_format = [&b"%d"[..], b"%v", b"%q"].contains(&password);
    if password.len() < 3
        || !is_name
        || is_format
        || is_template(user) && user != b"__token__"
        || is_template(password)
        || is_placeholder(password)
        || is_variable(password)
        || is_well_known(user, password)
    {
        return None;
    }
    let start = from + separator + 1;
    Some(start..start + password.len())
}

/// The user of a URL whose password begins at an offset.
pub(super) fn user_before(text: &[u8], password: usize) -> &[u8] {
    let before = &text[password.saturating_sub(100)..password];
    let before = before.strip_suffix(b":").unwrap_or(before);
    before.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// `$PASSWORD`, which a shell puts a value in place of.
fn is_variable(password: &[u8]) -> bool {
    let name = password.strip_prefix(b"$").or_else(|| password.strip_prefix(b"@"));
    name.is_some_and(|name| name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_'))
}

/// What manuals write where a user would write a name and a password.
fn is_well_known(user: &[u8], password: &[u8]) -> bool {
    let is_one_of = |value: &[u8], words: &[&str]| {
        words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
    };
    let is_manuals =
        is_one_of(password, &["pass", "passwd", "pwd", "pw", "xxx", "password1", "port"]);
    // What everybody may log in with, and what comes with a server until somebody changes it.
    let is_everyones = user == password && is_one_of(user, &["anonymous", "guest"]);
    let is_nobodys = is_one_of(user, &["foo", "bar", "usr", "id", "u"]);
    is_manuals || is_everyones || is_nobodys && Shape::of(password).digits < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_url(text: &str, expected: Option<&str>) {
        let colon = text.find("://").expect("a url");
        let found = url_password(text.as_bytes(), colon).map(|range| &text[range]);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn passwords_of_urls_are_found() {
        check_url("x=postgres://app:h%40ck3d@db:5432/app", Some("h%40ck3d"));
        check_url("mongodb+srv://a:b@c!d@host/x", Some("b@c!d"));
        check_url("redis://:s3cr3t@cache", Some("s3cr3t"));
        check_url("mongodb://app:Tr0ub4dor3*@db/x", Some("Tr0ub4dor3*"));
        check_url("postgres://app:Tr0ub(4dor)3!@db/x", Some("Tr0ub(4dor)3!"));
        check_url("postgres://app:$a&b;c,d=9@db/x", Some("$a&b;c,d=9"));
        check_url("postgres://%(user)s:%(password)s@db/x", None);
        check_url("postgres://{user}:{password}@db/x", None);
        check_url("postgres://app:$PASSWORD@db/x", None);
        check_url("https://host:8080/a:b@c", None);
        check_url("https://user:${PASSWORD}@host", None);
        check_url("https://user:%s@host", None);
        check_url("amqp://user:****@host", None);
        check_url("http://user:pass@host", None);
        check_url("'https://host:80';@x", None);
    }

    #[track_caller]
    fn check_pem(text: &str, expected: bool) {
        let words = text.find("PRIVATE KEY").expect("a key");
        assert_eq!(private_key(text.as_bytes(), words).is_some(), expected, "{text}");
    }

    #[test]
    fn a_key_is_published_or_not() {
        // Of the tests of Go's crypto/x509: RFC 8410's example of a key.
        let published = format!(
            "-----BEGIN {0}-----\n{1}\n-----END {0}-----",
            "PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
        );
        assert!(!is_published(published.replace("MC4", "MD4").as_bytes()));
        let known =
            include_str!("published_keys.txt").lines().filter(|line| !line.starts_with('#'));
        assert!(known.clone().count() > 30 && known.into_iter().all(|line| line.len() == 16));
    }

    #[test]
    fn private_keys_need_a_body() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
        check_pem(&format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END"), true);
        check_pem(&format!("\"-----BEGIN EC PRIVATE KEY-----\\n{body}\\n-----END"), true);
        check_pem(&format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{body}"), true);
        check_pem("-----BEGIN PRIVATE KEY-----\nanything\n-----END PRIVATE KEY-----", false);
        check_pem("-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----", false);
        check_pem("if line == \"-----BEGIN PRIVATE KEY-----\" { return parse(line) }", false);
        check_pem("-----BEGIN PUBLIC KEY PRIVATE KEY", false);
    }
}
