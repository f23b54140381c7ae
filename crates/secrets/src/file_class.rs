//! How much a match counts, by the kind of its file: what a file is for is in its name,
//! who brought it is not.

use inscan_contract::Severity;
use inscan_contract::path;

/// How much a match in a file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileClass {
    /// Settings, scripts, source code: everything counts.
    Ordinary,
    /// Markup, generated or minified code, translations: words beside a value say little,
    /// so that what is known by them is of low severity.
    Generated,
    /// Documentation, examples and tests, by their name: what is found is of low severity.
    Sample,
    /// Lists of hashes: names of packages stand beside them, so that words say nothing.
    HashList,
}

/// Lists of hashes: they look like secrets and are public by design.
const HASH_LISTS: [&[u8]; 17] = [
    b".package-lock.json",
    b"Cargo.lock",
    b"Gemfile.lock",
    b"Pipfile.lock",
    b"RECORD",
    b"SHA256SUMS",
    b"bun.lock",
    b"composer.lock",
    b"go.sum",
    b"installed.json",
    b"npm-shrinkwrap.json",
    b"package-lock.json",
    b"packages.lock.json",
    b"pnpm-lock.yaml",
    b"poetry.lock",
    b"uv.lock",
    b"yarn.lock",
];

const HASH_LIST_SUFFIXES: [&[u8]; 4] = [b".md5sums", b".sha256sums", b".sum", b".sha256"];

const GENERATED_SUFFIXES: [&[u8]; 13] = [
    b".css",
    b".d.ts",
    b".htm",
    b".html",
    b".ipynb",
    b".map",
    b".min.js",
    b".min.mjs",
    b".mo",
    b".po",
    b".pot",
    b".svg",
    b".xhtml",
];

const DOCUMENTATION_SUFFIXES: [&[u8]; 10] = [
    b".adoc",
    b".asciidoc",
    b".info",
    b".md",
    b".mdx",
    b".pod",
    b".rdoc",
    b".rst",
    b".texi",
    b".textile",
];

/// Files without an ending that are documentation: licences and news.
const DOCUMENTATION: [&[u8]; 16] = [
    b"authors",
    b"changelog",
    b"changes",
    b"contributing",
    b"copying",
    b"copyright",
    b"credits",
    b"faq",
    b"hacking",
    b"licence",
    b"license",
    b"news",
    b"notice",
    b"readme",
    b"thanks",
    b"todo",
];

/// Long descriptions of Python's packages.
const DESCRIPTIONS: [&[u8]; 2] = [b"METADATA", b"PKG-INFO"];

/// Words of a name that say that a file is one of a test, or to be copied and filled in.
const SAMPLE_WORDS: [&[u8]; 7] =
    [b"example", b"examples", b"sample", b"samples", b"spec", b"test", b"tests"];

/// Endings of files to be filled in.
const TEMPLATES: [&[u8]; 4] = [b".dist", b".template", b".tmpl", b".tpl"];

const SAMPLE_PARTS: [&[u8]; 14] = [
    b"__tests__",
    b"doc",
    b"docs",
    b"example",
    b"examples",
    b"fixtures",
    b"man",
    b"sample",
    b"samples",
    b"spec",
    b"test",
    b"testdata",
    b"testing",
    b"tests",
];

/// What programs read when they start. Wherever they lie, they are used.
const SETTINGS: [&[u8]; 21] = [
    b"cfg",
    b"cnf",
    b"conf",
    b"config",
    b"dockerconfigjson",
    b"env",
    b"ini",
    b"jks",
    b"json",
    b"kdbx",
    b"keystore",
    b"netrc",
    b"npmrc",
    b"p12",
    b"pfx",
    b"pgpass",
    b"properties",
    b"toml",
    b"xml",
    b"yaml",
    b"yml",
];

impl FileClass {
    pub(super) fn of(file: &[u8]) -> Self {
        let name = path::name(file);
        let lower = name.to_ascii_lowercase();
        let ends = |suffixes: &[&[u8]]| suffixes.iter().any(|suffix| lower.ends_with(suffix));
        if HASH_LISTS.contains(&name) || ends(&HASH_LIST_SUFFIXES) {
            return FileClass::HashList;
        }
        let is_sample = is_sample(&lower) || ends(&TEMPLATES) || DESCRIPTIONS.contains(&name);
        if is_documentation(&lower) || ends(&DOCUMENTATION_SUFFIXES) || is_sample {
            return FileClass::Sample;
        }
        let ending = lower.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
        let has =
            |parts: &[&[u8]]| path::parts(path::parent(file)).any(|part| parts.contains(&part));
        if !SETTINGS.contains(&ending) && !lower.starts_with(b".") && has(&SAMPLE_PARTS) {
            return FileClass::Sample;
        }
        if ends(&GENERATED_SUFFIXES) {
            return FileClass::Generated;
        }
        FileClass::Ordinary
    }

    /// A rule's severity here; `contextual`: it goes by the words around the value.
    pub(super) fn severity(self, of_rule: Severity, contextual: bool) -> Severity {
        match self {
            FileClass::Sample => Severity::Low,
            FileClass::Generated if contextual => Severity::Low,
            _ => of_rule,
        }
    }

    /// Whether the words beside a value mean anything.
    pub(super) fn has_context(self) -> bool {
        self != FileClass::HashList
    }
}

fn is_documentation(lower: &[u8]) -> bool {
    let stem = lower.strip_suffix(b".txt").or_else(|| lower.strip_suffix(b".gz")).unwrap_or(lower);
    let first = stem.split(|&byte| byte == b'.' || byte == b'-').next().unwrap_or_default();
    DOCUMENTATION.contains(&lower)
        || DOCUMENTATION.contains(&stem)
        || lower == b"history.txt"
        || lower.starts_with(b"readme")
        || lower.starts_with(b"changelog")
        || first == b"license"
        || is_manual(stem)
}

/// A page of the manual: `curl.1`, `printf.3p`, `git.1.gz`.
fn is_manual(lower: &[u8]) -> bool {
    let Some(dot) = lower.iter().rposition(|&byte| byte == b'.') else { return false };
    match &lower[dot + 1..] {
        [b'1'..=b'9'] => {
            dot > 0 && lower[..dot].iter().any(u8::is_ascii_alphabetic) && !is_version(lower)
        }
        [b'1'..=b'9', letters @ ..] => {
            letters.len() <= 4
                && letters.iter().all(u8::is_ascii_lowercase)
                && matches!(letters, b"p" | b"pm" | b"perl" | b"ssl" | b"x" | b"posix" | b"tcl")
        }
        _ => false,
    }
}

/// `libc.so.6`, `app-1.2`, `access.log.1`: numbers that count.
fn is_version(lower: &[u8]) -> bool {
    let before = &lower[..lower.len() - 2];
    before.last().is_some_and(u8::is_ascii_digit)
        || [&b".so"[..], b".log", b".env", b".bak", b".conf", b".yml", b".json", b".sql"]
            .iter()
            .any(|ending| before.ends_with(ending))
}

fn is_sample(lower: &[u8]) -> bool {
    let is_word = |word: &[u8]| SAMPLE_WORDS.contains(&word);
    lower.split(|byte| !byte.is_ascii_alphanumeric()).any(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_much_a_match_means() {
        for (path, expected) in [
            ("etc/app.env", FileClass::Ordinary),
            ("app/config/latest.yml", FileClass::Ordinary),
            ("root/.npmrc", FileClass::Ordinary),
            ("usr/lib/python3.11/http/client.py", FileClass::Ordinary),
            ("app/node_modules/x/index.js", FileClass::Ordinary),
            ("usr/share/nginx/html/.env", FileClass::Ordinary),
            ("app/test/settings.yml", FileClass::Ordinary),
            ("var/log/access.log.1", FileClass::Ordinary),
            ("lib/libc.so.6", FileClass::Ordinary),
            ("usr/share/doc/x/README", FileClass::Sample),
            ("usr/share/man/man3/printf.3p", FileClass::Sample),
            ("usr/share/man/man1/git.1.gz", FileClass::Sample),
            ("x/a-1.dist-info/METADATA", FileClass::Sample),
            ("x/a.egg-info/PKG-INFO", FileClass::Sample),
            ("app/LICENSE.txt", FileClass::Sample),
            ("app/CHANGES", FileClass::Sample),
            ("app/test_tokens.py", FileClass::Sample),
            ("app/.env.example", FileClass::Sample),
            ("app/x.min.js", FileClass::Generated),
            ("usr/share/locale/de/x.po", FileClass::Generated),
            ("app/yarn.lock", FileClass::HashList),
            ("var/lib/dpkg/info/x.md5sums", FileClass::HashList),
        ] {
            assert_eq!(FileClass::of(path.as_bytes()), expected, "{path}");
        }
    }
}
