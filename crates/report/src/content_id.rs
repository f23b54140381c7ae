//! Identifiers that are made of content alone: the same report has the same ones.

use inscan_facts::digest::{Digest, Sha256, hex};

/// A UUID of version 8, whose bits are of a sha256: <https://www.rfc-editor.org/rfc/rfc9562#section-5.8>.
pub(super) fn uuid(content: &[&str]) -> String {
    let mut bytes = of(content).0;
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes[..16]);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    parts.join("-")
}

/// 32 hex digits: enough to tell all findings of the world apart.
pub(super) fn fingerprint(content: &[&str]) -> String {
    hex(&of(content).0[..16])
}

/// Each part with its length before it, so that no two lists are the same bytes.
fn of(content: &[&str]) -> Digest {
    let mut sha256 = Sha256::new();
    for part in content {
        sha256.update(&(part.len() as u64).to_be_bytes());
        sha256.update(part.as_bytes());
    }
    sha256.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        let uuid = uuid(&["a", "b"]);
        assert_eq!(uuid.len(), 36);
        assert_eq!((&uuid[14..15], &uuid[8..9]), ("8", "-"));
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
        assert_eq!(fingerprint(&["ab", "c"]), fingerprint(&["ab", "c"]));
    }
}
