//! How much a match counts, by the path of its file.

use crate::path;

/// How much a match in a file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileClass {
    /// Settings, scripts, source code: everything counts.
    Ordinary,
    /// Code of published packages, which everyone may read: words around a
    /// value mean nothing there, only tokens of a form of their own count.
    Published,
    /// Documentation, examples, tests, generated or minified code: the same,
    /// and what is found is of low severity.
    Sample,
    /// Lists of hashes, public certificates, translations: nothing counts.
    Ignored,
}

/// Lists of hashes: they look like secrets and are public by design.
const HASH_LISTS: [&[u8]; 13] = [
    b".package-lock.json",
    b"Cargo.lock",
    b"Gemfile.lock",
    b"Pipfile.lock",
    b"RECORD",
    b"composer.lock",
    b"go.sum",
    b"npm-shrinkwrap.json",
    b"package-lock.json",
    b"pnpm-lock.yaml",
    b"poetry.lock",
    b"uv.lock",
    b"yarn.lock",
];

const IGNORED_SUFFIXES: [&[u8]; 10] = [
    b".md5sums",
    b".sha256sums",
    b".po",
    b".pot",
    b".svg",
    b".css",
    b".crt",
    b".cer",
    b".asc",
    b".sum",
];

const SAMPLE_SUFFIXES: [&[u8]; 16] = [
    b".md",
    b".rst",
    b".html",
    b".htm",
    b".map",
    b".min.js",
    b".min.mjs",
    b".adoc",
    b".texi",
    b".d.ts",
    b".1",
    b".3",
    b".5",
    b".7",
    b".8",
    b".pod",
];

const IGNORED_PARTS: [&[u8]; 4] = [b"locale", b"locales", b"i18n", b"zoneinfo"];

const SAMPLE_PARTS: [&[u8]; 16] = [
    b"__tests__",
    b"test",
    b"tests",
    b"testing",
    b"testdata",
    b"fixtures",
    b"spec",
    b"specs",
    b"example",
    b"examples",
    b"sample",
    b"samples",
    b"doc",
    b"docs",
    b"man",
    b"info",
];

pub(super) fn of(file: &[u8]) -> FileClass {
    let name = path::name(file);
    let lower = name.to_ascii_lowercase();
    let ends = |suffixes: &[&[u8]]| suffixes.iter().any(|suffix| lower.ends_with(suffix));
    let has = |parts: &[&[u8]]| path::parts(path::parent(file)).any(|part| parts.contains(&part));
    if HASH_LISTS.contains(&name) || ends(&IGNORED_SUFFIXES) || has(&IGNORED_PARTS) {
        return FileClass::Ignored;
    }
    let is_sample_name = lower.split(|byte| !byte.is_ascii_alphanumeric()).any(|word| {
        [b"example".as_slice(), b"examples", b"sample", b"samples", b"test", b"tests", b"spec"]
            .contains(&word)
    });
    if ends(&SAMPLE_SUFFIXES) || is_sample_name || has(&SAMPLE_PARTS) {
        return FileClass::Sample;
    }
    if is_published(file) {
        return FileClass::Published;
    }
    FileClass::Ordinary
}

/// Below a directory that package managers fill.
fn is_published(file: &[u8]) -> bool {
    const ROOTS: [&[u8]; 5] =
        [b"usr/lib/", b"usr/share/", b"usr/include/", b"var/lib/dpkg/", b"lib/"];
    const PARTS: [&[u8]; 6] = [
        b"node_modules",
        b"site-packages",
        b"dist-packages",
        b"gems",
        b"vendor",
        b"bower_components",
    ];
    ROOTS.iter().any(|root| file.starts_with(root))
        || path::parts(path::parent(file)).any(|part| PARTS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_how_much_a_match_means() {
        for (path, expected) in [
            ("etc/app.env", FileClass::Ordinary),
            ("app/config/latest.yml", FileClass::Ordinary),
            ("root/.npmrc", FileClass::Ordinary),
            ("usr/share/doc/x/README", FileClass::Sample),
            ("app/node_modules/x/dist/x.min.js", FileClass::Sample),
            ("app/node_modules/x/index.js", FileClass::Published),
            ("usr/lib/python3.11/http/client.py", FileClass::Published),
            ("app/test_tokens.py", FileClass::Sample),
            ("app/.env.example", FileClass::Sample),
            ("app/yarn.lock", FileClass::Ignored),
            ("usr/share/locale/de/x.txt", FileClass::Ignored),
            ("var/lib/dpkg/info/x.md5sums", FileClass::Ignored),
        ] {
            assert_eq!(of(path.as_bytes()), expected, "{path}");
        }
    }
}
