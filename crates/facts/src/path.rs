//! Small questions about paths, which are bytes with `/` between their parts.

use bstr::BString;

/// The last part: `env` of `usr/bin/env`.
pub fn name(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => &path[slash + 1..],
        None => path,
    }
}

/// All but the last part: `usr/bin` of `usr/bin/env`; empty for a path of one part.
pub fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => &path[..slash],
        None => b"",
    }
}

/// The parts of a path; empty ones and `.` are skipped.
pub fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// As paths of an image are written: without leading slash, empty parts and `.`;
/// the root is empty.
pub fn clean(path: &[u8]) -> BString {
    parts(path).collect::<Vec<_>>().join(&b'/').into()
}

/// Directory and name put together; the directory may be empty (the root).
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() {
        return name.to_vec();
    }
    [directory, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_paths_apart_and_puts_them_together() {
        assert_eq!(name(b"usr/bin/env"), b"env");
        assert_eq!(name(b"env"), b"env");
        assert_eq!(parent(b"usr/bin/env"), b"usr/bin");
        assert_eq!(parent(b"env"), b"");
        assert_eq!(join(b"", b"env"), b"env");
        assert_eq!(join(b"usr", b"env"), b"usr/env");
        assert_eq!(parts(b"./a//b/").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(clean(b"//usr//./bin/"), "usr/bin");
        assert_eq!(clean(b"/."), "");
    }
}
