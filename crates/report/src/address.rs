//! Which addresses a reader may follow, and a strict form takes: nothing but http and https,
//! well-formed as RFC 3986 has it. Homepages and references come from packages and advisories,
//! and one that is not well-formed makes a whole bill of materials invalid.
//! <https://www.rfc-editor.org/rfc/rfc3986#appendix-A>

use std::net::Ipv6Addr;

/// Longer ones are not links for people.
const MAX_LENGTH: usize = 2000;

pub(super) fn is_web(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest.filter(|rest| rest.len() < MAX_LENGTH) else { return false };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    is_authority(authority)
        && is_made_of(path, b":@/")
        && is_made_of(query, b":@/?")
        && is_made_of(fragment, b":@/?")
}

/// A host, with a user before and a port behind it.
fn is_authority(authority: &str) -> bool {
    let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<Ipv6Addr>().is_err() {
                return false;
            }
            ("6", rest)
        }
        None => place.find(':').map_or((place, ""), |at| place.split_at(at)),
    };
    let is_port = match port.strip_prefix(':') {
        Some(number) => number.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    is_port && !host.is_empty() && is_made_of(host, b"") && is_made_of(user, b":")
}

/// Of what RFC 3986 calls unreserved, of its `sub-delims`, of bytes that are percent-encoded, and
/// of these.
fn is_made_of(text: &str, others: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_plain = byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=".contains(&byte)
            || others.contains(&byte);
        let mut is_digit = || bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        if !(is_plain || byte == b'%' && is_digit() && is_digit()) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_addresses_of_the_web_are_links() {
        for good in [
            "https://example.org/a?b=c#d",
            "http://example.org",
            "https://example.org:8443/a%20b/(c);d?e=/?#f/?",
            "https://user:x@example.org/",
            "https://[2001:db8::1]:80/",
        ] {
            assert!(is_web(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "https://",
            "https://:80/",
            "https://a b",
            "https://a\"onclick",
            "//a",
            "https://a\u{202e}b",
            "https://example.com/[x]",
            "https://[x]/",
            "https://example.com/%zz",
            "https://example.com/%4",
            "https://example.com:port/",
            "https://example.com/#a#b",
            "https://example.com/a|b",
            "https://example.com/08-08-2018.html]",
        ] {
            assert!(!is_web(bad), "{bad}");
        }
    }
}
