//! Names of things that have none: random, and unguessable where they are secrets.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use inscan_facts::digest::hex;

/// 128 random bits as a UUID (version 4), which clients also take for a token.
pub(crate) fn uuid() -> String {
    let mut bytes = [0u8; 16];
    // Only a machine that is broken has no random numbers.
    rand::fill(&mut bytes).expect("random numbers");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// What is kept of a secret that has enough bits: nobody finds it by trying.
pub(crate) fn hashed(secret: &str) -> String {
    hashed_bytes(secret.as_bytes())
}

/// The sha256 in hex digits.
pub(crate) fn hashed_bytes(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Of several texts, so that none can pass for part of another.
pub(crate) fn hash_of(parts: &[&str]) -> String {
    let mut all = String::new();
    for part in parts {
        all.push_str(&format!("{}:", part.len()));
        all.push_str(part);
    }
    hashed(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_form_of_a_uuid_and_is_another_each_time() {
        let (one, two) = (uuid(), uuid());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
    }

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(hash_of(&["ab", "c"]), hash_of(&["a", "bc"]));
    }
}
