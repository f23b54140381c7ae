//! Paths and link targets as JSON text. They are bytes, and need not be UTF-8.

/// A path as text: itself where it is UTF-8, else with each byte that is not
/// written `\xNN`. What is lost (a file could be *named* so) the caller keeps
/// beside it, see [`exact`].
pub use inscan_facts::escape::utf8 as shown;

/// The bytes in hex, where the text alone would not be exact.
pub fn exact(path: &[u8]) -> Option<String> {
    std::str::from_utf8(path).is_err().then(|| inscan_facts::digest::hex(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_text_is_escaped_and_its_bytes_are_kept() {
        assert_eq!(shown("café\\x20".as_bytes()), "café\\x20");
        assert_eq!(exact("café".as_bytes()), None);
        assert_eq!(shown(b"caf\xe9/\xff"), "caf\\xe9/\\xff");
        assert_eq!(exact(b"a\xff").as_deref(), Some("61ff"));
    }
}
