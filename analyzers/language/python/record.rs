//! `RECORD`: the files of a distribution, one a line of comma-separated values:
//! path, `sha256=` and the digest in base64, size.
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use inscan_facts::digest::hex;

use crate::{PackageFile, path};

/// A path of `installed-files.txt`.
pub(super) fn installed(line: &str, base: &[u8]) -> PackageFile {
    PackageFile { path: resolve(line.as_bytes(), base).into(), ..PackageFile::default() }
}

/// A file that a `RECORD` names. `base` is the directory its path is relative to.
pub(super) fn file(line: &str, base: &[u8]) -> Option<PackageFile> {
    let (path, rest) = first_value(line)?;
    let (digest, size) = rest.rsplit_once(',')?;
    let (algorithm, digest) = digest.split_once('=').unzip();
    let digest = digest.and_then(hex_of_base64);
    let algorithm = digest.is_some().then(|| match algorithm {
        // Nearly all digests are of this kind: no allocation for its name.
        Some("sha256") => Cow::Borrowed("sha256"),
        other => Cow::Owned(other.unwrap_or_default().to_owned()),
    });
    Some(PackageFile {
        path: resolve(path.as_bytes(), base).into(),
        algorithm,
        digest,
        size: size.trim().parse().ok(),
        ..PackageFile::default()
    })
}

/// The first value of a line and what follows its comma. Quoted, where a comma is in it.
fn first_value(line: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = line.strip_prefix('"') else {
        let (path, rest) = line.split_once(',')?;
        return (!path.is_empty()).then_some((Cow::Borrowed(path), rest));
    };
    let mut from = 0;
    loop {
        let quote = from + quoted.get(from..)?.find('"')?;
        let after = quoted.get(quote + 1..)?;
        if after.starts_with('"') {
            from = quote + 2;
            continue;
        }
        return Some((quoted[..quote].replace("\"\"", "\"").into(), after.strip_prefix(',')?));
    }
}

/// A path as the image has it: `..` goes up, at the root it stays.
fn resolve(file: &[u8], base: &[u8]) -> Vec<u8> {
    let base = if file.starts_with(b"/") { b"" } else { base };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path::parts(base).chain(path::parts(file)) {
        if part == b".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join(&b'/')
}

/// Hex digits of URL-safe base64 without padding; some tools write the other alphabet, or pad.
fn hex_of_base64(text: &str) -> Option<String> {
    let alphabet = if text.contains(['+', '/']) { STANDARD_NO_PAD } else { URL_SAFE_NO_PAD };
    let digest = alphabet.decode(text.trim_end_matches('=')).ok()?;
    (!digest.is_empty()).then(|| hex(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, Option<&str>, Option<u64>)>) {
        let file = file(line, b"usr/lib/site-packages");
        let found = file
            .as_ref()
            .map(|file| (str::from_utf8(&file.path).unwrap(), file.digest.as_deref(), file.size));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn reads_path_digest_and_size() {
        check(
            "a/b.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0",
            Some((
                "usr/lib/site-packages/a/b.py",
                Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                Some(0),
            )),
        );
        check(
            "a,sha256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=,0",
            Some((
                "usr/lib/site-packages/a",
                Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                Some(0),
            )),
        );
        check("a,sha256=?,0", Some(("usr/lib/site-packages/a", None, Some(0))));
        check(
            "a-1.dist-info/RECORD,,",
            Some(("usr/lib/site-packages/a-1.dist-info/RECORD", None, None)),
        );
    }

    #[test]
    fn paths_may_be_quoted_relative_and_absolute() {
        check("\"a,\"\"b\"\".py\",,3", Some(("usr/lib/site-packages/a,\"b\".py", None, Some(3))));
        check("../../bin/a,,", Some(("usr/bin/a", None, None)));
        check("../../../../../a,,", Some(("a", None, None)));
        check("/etc/a,,", Some(("etc/a", None, None)));
    }

    #[test]
    fn other_lines_are_skipped() {
        for line in ["", "<<<<<<< HEAD", "a,b", "\"a", "\"a\"\"", ",,"] {
            check(line, None);
        }
    }
}
