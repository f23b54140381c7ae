//! Members of archives: jar, war, wheels, zip, tar, and what is compressed. What is in them
//! is in the image.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use inscan_archives::{Fault, Form, Limits, Visitor, form_of, walk};

use super::{MAX_BINARY, hidden, search_file};
use inscan_contract::{Content, Fact, Facts, Severity, path};

/// The code of what was not looked at since it is not text.
const NOT_TEXT: &str = "not-text";
/// Archives by the endings of their names.
pub(super) const SUFFIXES: [&str; 34] = [
    ".aab",
    ".aar",
    ".apk",
    ".bz2",
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
    ".tar",
    ".tbz2",
    ".tgz",
    ".txz",
    ".tzst",
    ".vsix",
    ".war",
    ".whl",
    ".xlsx",
    ".xpi",
    ".xz",
    ".zip",
    ".zst",
];
/// Larger ones are not opened.
pub(super) const MAX_ARCHIVE: u64 = 512 << 20;
/// Bytes that the members of one archive may have together, inflated.
const MAX_INFLATED: u64 = 128 << 20;
/// What tells an archive.
const BLOCK: usize = 512;
/// Members of one archive, and archives within archives.
const MAX_MEMBERS: usize = 20_000;
const MAX_DEPTH: usize = 2;

/// Members that hold no text: code, pictures, sounds, fonts.
const PASSED_OVER: [&str; 28] = [
    "avif",
    "bin",
    "bmp",
    "class",
    "dat",
    "dll",
    "dylib",
    "eot",
    "exe",
    "fw",
    "gif",
    "ico",
    "jpeg",
    "jpg",
    "ko",
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
    match form_of(&start[..start.len().min(BLOCK)]) {
        // Modules of the kernel, firmware: no text is in them.
        Some(Form::Packed(_)) => !is_passed_over(stem(file)),
        Some(_) => true,
        None => is_behind_script(file, start),
    }
}

/// `app.jar` that starts itself, `tool.pyz`: a line for the shell and more, and then a zip.
pub(super) fn is_behind_script(file: &[u8], start: &[u8]) -> bool {
    start.starts_with(b"#!") && is_named(file)
}

fn is_named(file: &[u8]) -> bool {
    let name = path::name(file).to_ascii_lowercase();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix.as_bytes()))
}

/// `x.ko` of `x.ko.xz`.
fn stem(file: &[u8]) -> &[u8] {
    let name = path::name(file);
    name.iter().rposition(|&byte| byte == b'.').map_or(name, |dot| &name[..dot])
}

fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(b"\x1f\x8b\x08")
}

/// Searches each member that may hold text. What a limit leaves out is a problem; how many
/// hold none is told.
pub(super) fn search(file: &[u8], content: &dyn Content, max_member: u64, out: &mut Facts) {
    let start = start_of(content);
    // A script is before it.
    let form = form_of(&start).unwrap_or(Form::Zip);
    let mut search = Search {
        prefix: Vec::new(),
        depth: 0,
        max_member,
        inflated: 0,
        left_out: 0,
        damaged: 0,
        passed_over: 0,
        next: Next::Wanted,
        out,
    };
    if is_gzip(&start) && !holds_archive(content) {
        search.gzip(file, content);
    } else {
        search.walk(form, content, path::name(file));
    }
    let Search { mut left_out, damaged, passed_over, .. } = search;
    if is_named(file) {
        left_out += damaged;
    } else if damaged > 0 {
        // It only begins as an archive does.
        match content.bytes() {
            Ok(bytes) if content.len() <= MAX_BINARY => search_file(file, None, &bytes, out),
            _ => out.skip(NOT_TEXT, "it begins as an archive and is none: not searched"),
        }
    }
    if left_out > 0 {
        let why = "too large, too many, or damaged";
        hidden(out, format!("{left_out} members were not searched for secrets: {why}"));
    }
    if passed_over > 0 {
        let what = "code, pictures, fonts or libraries";
        out.skip(NOT_TEXT, format!("{passed_over} members are {what}: not searched"));
    }
}

fn start_of(content: &dyn Content) -> Vec<u8> {
    let mut start = vec![0; BLOCK];
    let length = content.read_at(0, &mut start).unwrap_or(0);
    start.truncate(length);
    start
}

/// Whether what gzip compressed is a tar or another archive.
fn holds_archive(content: &dyn Content) -> bool {
    let Ok(packed) = content.bytes() else { return false };
    let mut start = Vec::new();
    let read = MultiGzDecoder::new(&*packed).take(BLOCK as u64).read_to_end(&mut start);
    read.is_ok() && form_of(&start).is_some()
}

/// What is to be done with the member whose name was given last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Wanted,
    PassedOver,
    TooLarge,
}

struct Search<'o> {
    /// `inner.tgz:` for the members of an archive in the archive.
    prefix: Vec<u8>,
    depth: usize,
    max_member: u64,
    inflated: u64,
    left_out: usize,
    /// What nobody can read.
    damaged: usize,
    /// Those that are not text by their name.
    passed_over: usize,
    next: Next,
    out: &'o mut Facts,
}

impl Search<'_> {
    fn walk(&mut self, form: Form, content: &dyn Content, name: &[u8]) {
        let left = MAX_INFLATED.saturating_sub(self.inflated);
        let unpacked = left.min(self.out.inflatable());
        let depth = MAX_DEPTH - 1 - self.depth;
        let limits = Limits { depth, members: MAX_MEMBERS, held: MAX_INFLATED, unpacked };
        let unpacked = walk(form, content, name, limits, self);
        self.inflated += unpacked;
        self.out.inflated(unpacked);
    }

    /// What gzip compressed alone, as far as it is searched.
    fn gzip(&mut self, file: &[u8], content: &dyn Content) {
        if self.out.is_overworked() {
            return self.left_out += 1;
        }
        let inner = file.strip_suffix(b".gz").unwrap_or(file);
        let Ok(bytes) = content.bytes() else { return self.left_out += 1 };
        let mut inflated = Vec::new();
        let limit = self.max_member;
        let outcome = MultiGzDecoder::new(&*bytes).take(limit + 1).read_to_end(&mut inflated);
        if inflated.len() as u64 > limit {
            inflated.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            self.left_out += 1;
        } else if outcome.is_err() && inflated.is_empty() {
            return self.damaged += 1;
        }
        self.out.inflated(inflated.len() as u64);
        search_file(inner, None, &inflated, self.out);
    }

    fn nested(&mut self, form: Form, content: &dyn Content, within: &[u8], name: &[u8]) {
        if self.depth + 1 + usize::from(!within.is_empty()) >= MAX_DEPTH {
            return self.left_out += 1;
        }
        let length = self.prefix.len();
        self.prefix.extend([within, name, b":"].concat());
        self.depth += 1;
        self.walk(form, content, path::name(name));
        self.depth -= 1;
        self.prefix.truncate(length);
    }

    fn member(&mut self, within: &[u8], name: &[u8], bytes: &[u8]) {
        self.inflated += bytes.len() as u64;
        let from = self.out.facts.len();
        let whole = [&self.prefix[..], within, name].concat();
        search_file(&whole, Some(&whole), bytes, self.out);
        // An archive within an archive is a library: words in it say little.
        for fact in &mut self.out.facts[from..] {
            if let Fact::Secret(secret) = fact
                && (self.depth > 0 || !within.is_empty())
                && secret.by_name
            {
                secret.severity = Severity::Low;
            }
        }
    }
}

impl Visitor for Search<'_> {
    fn named(&mut self, _: &[u8], name: &[u8], size: u64) -> bool {
        self.next = if is_passed_over(name) {
            self.passed_over += 1;
            Next::PassedOver
        } else if size > self.max_member && !is_named(name) {
            Next::TooLarge
        } else {
            Next::Wanted
        };
        self.next == Next::Wanted && size <= self.max_member
    }

    fn begins(&mut self, _: &[u8]) -> bool {
        self.left_out += usize::from(self.next == Next::TooLarge);
        std::mem::replace(&mut self.next, Next::Wanted) == Next::Wanted
    }

    fn content(&mut self, within: &[u8], name: &[u8], content: &dyn Content) {
        if self.out.is_overworked() || self.inflated > MAX_INFLATED {
            return self.left_out += 1;
        }
        if let Some(form) = form_of(&start_of(content)) {
            return self.nested(form, content, within, name);
        }
        match content.bytes() {
            Ok(bytes) => self.member(within, name, &bytes),
            Err(_) => self.left_out += 1,
        }
    }

    fn fault(&mut self, _: &[u8], _: &[u8], fault: Fault) {
        match fault {
            Fault::Damaged(_) => self.damaged += 1,
            Fault::OverLimit(_) | Fault::Closed(_) => self.left_out += 1,
        }
    }
}

fn ending(name: &[u8]) -> Vec<u8> {
    path::name(name).rsplit(|&byte| byte == b'.').next().unwrap_or_default().to_ascii_lowercase()
}

fn is_passed_over(name: &[u8]) -> bool {
    let ending = ending(name);
    PASSED_OVER.iter().any(|one| one.as_bytes() == ending)
}
