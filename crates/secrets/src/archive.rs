//! Members of archives: jar, war, wheels, zip, and what gzip compressed. What is in them
//! is in the image.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use inscan_zip::{Data, Zip};

use super::{hidden, search_file};
use inscan_contract::{Content, Fact, Facts, Severity, path};

/// The code of what was not looked at since it is not text.
const NOT_TEXT: &str = "not-text";
/// Archives by the endings of their names.
pub(super) const SUFFIXES: [&str; 26] = [
    ".aab",
    ".aar",
    ".apk",
    ".docx",
    ".ear",
    ".egg",
    ".gz",
    ".hpi",
    ".ipa",
    ".jar",
    ".jpi",
    ".kar",
    ".nupkg",
    ".odt",
    ".original",
    ".par",
    ".pex",
    ".pyz",
    ".rar",
    ".sar",
    ".vsix",
    ".war",
    ".whl",
    ".xlsx",
    ".xpi",
    ".zip",
];
/// Larger ones are not opened.
pub(super) const MAX_ARCHIVE: u64 = 512 << 20;
/// Bytes that the members of one archive may have together, inflated.
const MAX_INFLATED: u64 = 128 << 20;
/// Members of one archive, and archives within archives.
const MAX_MEMBERS: usize = 20_000;
const MAX_DEPTH: usize = 2;

/// Members that hold no text: code, pictures, sounds, fonts.
const PASSED_OVER: [&str; 26] = [
    "avif",
    "bin",
    "bmp",
    "class",
    "dat",
    "dll",
    "dylib",
    "eot",
    "exe",
    "gif",
    "ico",
    "jpeg",
    "jpg",
    "kotlin_builtins",
    "kotlin_module",
    "lib",
    "mp3",
    "mp4",
    "otf",
    "pdf",
    "png",
    "so",
    "ttf",
    "webp",
    "woff",
    "woff2",
];

/// Whether its members are searched in place of its bytes: by its first bytes, whatever its
/// name, and by its name where a script is before the archive.
pub(super) fn is_archive(file: &[u8], start: &[u8]) -> bool {
    is_gzip(start) || start.starts_with(b"PK\x03\x04") || is_behind_script(file, start)
}

/// `app.jar` that starts itself, `tool.pyz`: a line for the shell and more, and then a zip.
pub(super) fn is_behind_script(file: &[u8], start: &[u8]) -> bool {
    start.starts_with(b"#!") && {
        let name = path::name(file).to_ascii_lowercase();
        SUFFIXES.iter().any(|suffix| name.ends_with(suffix.as_bytes()))
    }
}

fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(b"\x1f\x8b\x08")
}

/// Searches each member that may hold text. What a limit leaves out is a problem; how many
/// hold none is told.
pub(super) fn search(file: &[u8], content: &dyn Content, max_member: u64, out: &mut Facts) {
    let mut search =
        Search { file, max_member, inflated: 0, members: 0, left_out: 0, passed_over: 0, out };
    let mut start = [0; 4];
    let is_gzip = content.read_at(0, &mut start).is_ok() && is_gzip(&start);
    if is_gzip {
        search.gzip(content);
    } else {
        search.zip(content, b"", 0);
    }
    let (left_out, passed_over) = (search.left_out, search.passed_over);
    if left_out > 0 {
        let why = "too large, too many, or damaged";
        hidden(out, format!("{left_out} members were not searched for secrets: {why}"));
    }
    if passed_over > 0 {
        let what = "code, pictures, fonts or libraries";
        out.skip(NOT_TEXT, format!("{passed_over} members are {what}: not searched"));
    }
}

struct Search<'a, 'o> {
    file: &'a [u8],
    max_member: u64,
    inflated: u64,
    members: usize,
    left_out: usize,
    /// Those that are not text by their name.
    passed_over: usize,
    out: &'o mut Facts,
}

impl Search<'_, '_> {
    fn gzip(&mut self, content: &dyn Content) {
        if self.out.is_overworked() {
            return self.left_out += 1;
        }
        let inner = self.file.strip_suffix(b".gz").unwrap_or(self.file);
        let Ok(bytes) = content.bytes() else { return self.left_out += 1 };
        let mut inflated = Vec::new();
        let limit = self.max_member;
        let outcome = MultiGzDecoder::new(&*bytes).take(limit + 1).read_to_end(&mut inflated);
        if inflated.len() as u64 > limit {
            inflated.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            self.left_out += 1;
        } else if outcome.is_err() && inflated.is_empty() {
            return self.left_out += 1;
        }
        self.out.inflated(inflated.len() as u64);
        search_file(inner, None, &inflated, self.out);
    }

    /// What gzip compressed within an archive, within what is left for all members.
    fn gzip_member(&mut self, name: &[u8], bytes: &[u8]) {
        let limit = self.max_member.min(MAX_INFLATED.saturating_sub(self.inflated));
        let mut inflated = Vec::new();
        let outcome = MultiGzDecoder::new(bytes).take(limit + 1).read_to_end(&mut inflated);
        self.inflated += inflated.len() as u64;
        self.out.inflated(inflated.len() as u64);
        if inflated.len() as u64 > limit {
            inflated.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            self.left_out += 1;
        } else if outcome.is_err() {
            self.left_out += 1;
        }
        let inner = name.strip_suffix(b".gz").unwrap_or(name);
        search_file(inner, Some(name), &inflated, self.out);
    }

    fn zip(&mut self, content: &dyn Content, before: &[u8], depth: usize) {
        let Ok(zip) = Zip::open(content) else { return self.left_out += 1 };
        for member in &zip.members {
            let name = &member.name[..];
            if name.ends_with(b"/") {
                continue;
            }
            if is_passed_over(name) {
                self.passed_over += 1;
                continue;
            }
            self.members += 1;
            let is_over = self.out.is_overworked();
            if is_over || self.members > MAX_MEMBERS || self.inflated > MAX_INFLATED {
                self.left_out += 1;
                continue;
            }
            let is_nested = is_zip(name);
            let limit = if is_nested { MAX_INFLATED - self.inflated } else { self.max_member };
            let Ok(data) = zip.data(member, limit) else {
                // What is too large was inflated as far as that.
                self.out.inflated(limit);
                self.left_out += 1;
                continue;
            };
            let whole = [before, name].concat();
            match data {
                Data::Stored(window) if is_nested => self.nested(&window, &whole, depth),
                Data::Stored(window) if window.len() > limit => self.left_out += 1,
                Data::Stored(window) => match window.bytes() {
                    Ok(bytes) => self.member(&whole, &bytes, depth),
                    Err(_) => self.left_out += 1,
                },
                Data::Inflated(bytes) if is_nested => {
                    self.inflated += bytes.len() as u64;
                    self.out.inflated(bytes.len() as u64);
                    self.nested(&&bytes[..], &whole, depth);
                }
                Data::Inflated(bytes) => self.member(&whole, &bytes, depth),
            }
        }
    }

    fn nested(&mut self, content: &dyn Content, name: &[u8], depth: usize) {
        if depth + 1 < MAX_DEPTH {
            self.zip(content, &[name, b":"].concat(), depth + 1);
        } else {
            self.left_out += 1;
        }
    }

    fn member(&mut self, name: &[u8], bytes: &[u8], depth: usize) {
        self.inflated += bytes.len() as u64;
        self.out.inflated(bytes.len() as u64);
        let from = self.out.facts.len();
        if is_gzip(bytes) {
            self.gzip_member(name, bytes);
        } else {
            search_file(name, Some(name), bytes, self.out);
        }
        // An archive within an archive is a library: words in it say little.
        for fact in &mut self.out.facts[from..] {
            if let Fact::Secret(secret) = fact
                && depth > 0
                && secret.by_name
            {
                secret.severity = Severity::Low;
            }
        }
    }
}

fn ending(name: &[u8]) -> Vec<u8> {
    path::name(name).rsplit(|&byte| byte == b'.').next().unwrap_or_default().to_ascii_lowercase()
}

fn is_zip(name: &[u8]) -> bool {
    [&b"jar"[..], b"war", b"ear", b"zip", b"whl", b"aar"].contains(&&ending(name)[..])
}

fn is_passed_over(name: &[u8]) -> bool {
    let ending = ending(name);
    PASSED_OVER.iter().any(|one| one.as_bytes() == ending)
}
