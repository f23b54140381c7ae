//! Percent-encoding (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>), and which
//! bytes stay as they are in each place where we write it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What RFC 3986 calls unreserved stays: letters, digits and `-._~`.
pub const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One part of a package URL: as [`UNRESERVED`], and `:` stays
/// (<https://github.com/package-url/purl-spec>).
pub const PURL_PART: &AsciiSet = &UNRESERVED.remove(b':');

/// The path of a `file:` address as SQLite reads it: `/` stays, `~` does not
/// (<https://sqlite.org/uri.html>).
pub const FILE_PATH: &AsciiSet = &UNRESERVED.remove(b'/').add(b'~');

/// The bytes, each that is not kept written `%XX` in capital hex digits.
pub fn encoded(bytes: impl AsRef<[u8]>, encode: &'static AsciiSet) -> String {
    percent_encode(bytes.as_ref(), encode).to_string()
}

/// `%40` is `@`. What is not two hex digits stays as it is.
pub fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_keeps_its_own_characters() {
        let all = "aZ9-._~:/ %é";
        assert_eq!(encoded(all, UNRESERVED), "aZ9-._~%3A%2F%20%25%C3%A9");
        assert_eq!(encoded(all, PURL_PART), "aZ9-._~:%2F%20%25%C3%A9");
        assert_eq!(encoded(all, FILE_PATH), "aZ9-._%7E%3A/%20%25%C3%A9");
        assert_eq!(encoded(b"\xff", UNRESERVED), "%FF");
    }
}
