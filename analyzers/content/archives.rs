//! Archives in the image: what is installed in them. A function's zip, an application in a tar, a
//! system for a chroot, a program that gzip compressed, an archive of PHP. Each archive is looked at as an image of
//! its own, by the analyzers of packages; a location is written `app.zip:lib/x.dist-info/METADATA`.
//!
//! Jars, wheels and other archives that one analyzer knows by their names are left to it.

mod inside;

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};
use inscan_archives::{Fault, Form, Limits, Visitor, form_of, is_phar, is_zip_behind, walk};

use crate::parse::executable;
use crate::parse::fixtures::is_fixtures;
use crate::problem::{MALFORMED, OPAQUE, OVER_LIMIT};
use crate::{
    Analyzer, Content, Facts, FileHead, Hides, Matcher, Pattern, Result, START_LEN, Use, Want, path,
};
use inside::Inside;

/// A release of a JDK has 30,000 sources in one zip.
const MAX_MEMBERS: usize = 200_000;
/// As for archives of Java.
const MAX_HELD: u64 = 256 << 20;
/// Of one file of the image.
const MAX_UNPACKED: u64 = 8 << 30;
const MAX_DEPTH: usize = 4;
/// Further problems of one archive are only counted.
const MAX_PROBLEMS: usize = 20;
/// What begins so may be an archive. A tar has its mark at an offset.
const MAGICS: [&[u8]; 6] =
    [b"PK\x03\x04", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0", b"#!"];
const TAR: Pattern = Pattern::MagicAt(257, b"ustar");

pub(crate) struct Archives {
    inner: Vec<Box<dyn Analyzer>>,
    matcher: Matcher,
    /// The same without what is told by first bytes.
    by_name: Matcher,
}

impl Archives {
    /// With the analyzers that look at what is in an archive.
    pub(crate) fn new(inner: Vec<Box<dyn Analyzer>>) -> Self {
        let wants = || inner.iter().map(|it| it.wants());
        let is_named = |want: &Want| {
            let by_content = matches!(
                want.pattern,
                Pattern::Any | Pattern::Magic(_) | Pattern::MagicAt(..) | Pattern::Text
            );
            !by_content
        };
        let matcher = Matcher::new(wants());
        let by_name = Matcher::new(wants().map(|all| all.into_iter().filter(is_named).collect()));
        Archives { inner, matcher, by_name }
    }

    fn is_named(&self, name: &[u8]) -> bool {
        !self.by_name.matches(name, b"").is_empty()
    }
}

impl Analyzer for Archives {
    fn name(&self) -> &'static str {
        "archives"
    }

    fn about(&self) -> &'static str {
        "Packages that are installed in an archive: zip, tar, compressed files, also behind a program"
    }

    fn wants(&self) -> Vec<Want> {
        let magics = MAGICS.map(Pattern::Magic).into_iter().chain([TAR]);
        let wants = magics.map(|magic| Want::inspect_heads(magic, u64::MAX));
        let phar = Want::inspect_heads(Pattern::suffix(".phar"), u64::MAX);
        wants.chain([phar]).chain(executable::wants()).collect()
    }

    /// As those that look at what is in it.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let form = match form_of(file.start) {
            Some(form) => form,
            None if is_zip_behind(content) => Form::Zip,
            None if is_named_phar(file) && is_phar(content) => Form::Phar,
            None => return Ok(()),
        };
        if self.is_named(file.path) {
            return Ok(());
        }
        let unpacked = MAX_UNPACKED.min(out.inflatable());
        let limits = Limits { depth: MAX_DEPTH, members: MAX_MEMBERS, held: MAX_HELD, unpacked };
        let mut opened = Opened {
            archives: self,
            file: file.path,
            is_fixture: path::parts(path::parent(file.path)).any(is_fixtures),
            insides: BTreeMap::new(),
            members: 0,
            problems: 0,
            out,
        };
        let unpacked = walk(form, content, path::name(file.path), limits, &mut opened);
        let members = opened.members;
        opened.state();
        // Each member's name is looked at, and the beginning of many.
        out.inflated(unpacked + members * START_LEN as u64);
        Ok(())
    }
}

/// By the name, or by the interpreter that its first line names.
fn is_named_phar(file: &FileHead<'_>) -> bool {
    let line = file.start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    file.path.ends_with(b".phar") || (line.starts_with(b"#!") && line.ends_with_str("php"))
}

/// An archive that is walked.
struct Opened<'a> {
    archives: &'a Archives,
    file: &'a [u8],
    is_fixture: bool,
    /// By the archive in the archive: empty for the file itself.
    insides: BTreeMap<BString, Inside>,
    members: u64,
    problems: usize,
    out: &'a mut Facts,
}

impl Visitor for Opened<'_> {
    fn named(&mut self, within: &[u8], name: &[u8], size: u64) -> bool {
        self.members += 1;
        let count = self.archives.inner.len();
        let inside = self.insides.entry(within.into()).or_insert_with(|| Inside::of(count));
        inside.add(name, size, self.out);
        self.archives.is_named(name)
    }

    fn begins(&mut self, start: &[u8]) -> bool {
        !start.is_empty() && !self.archives.matcher.matches(b"", start).is_empty()
    }

    fn content(&mut self, within: &[u8], name: &[u8], content: &dyn Content) {
        let Some(inside) = self.insides.get_mut(within) else { return };
        let mut start = [0; START_LEN];
        let read = content.read_at(0, &mut start).unwrap_or(0);
        let (size, start) = (content.len(), &start[..read]);
        let head = FileHead { path: name, size, mode: 0o644, start };
        let mut left_out = 0;
        for (analyzer, want) in self.archives.matcher.matches(name, start) {
            if size > want.max_size {
                left_out += 1;
            } else if want.use_ == Use::Keep {
                inside.keep(analyzer, name, content, self.out);
            } else {
                inside.inspect(analyzer, &*self.archives.inner[analyzer], &head, content, self.out);
            }
        }
        if left_out > 0 {
            let message = format!("too large for {left_out} analyzers");
            self.fault(within, name, Fault::OverLimit(message));
        }
    }

    fn fault(&mut self, within: &[u8], name: &[u8], fault: Fault) {
        self.problems += 1;
        if self.problems > MAX_PROBLEMS {
            return;
        }
        let (message, hides, code) = match fault {
            // Nobody can read what is not there.
            Fault::Damaged(message) => (message, Hides::Nothing, MALFORMED),
            Fault::OverLimit(message) => (message, Hides::Packages, OVER_LIMIT),
            Fault::Closed(message) => (message, Hides::Packages, OPAQUE),
        };
        let message = match [within, name].concat() {
            place if place.is_empty() => message,
            place => {
                format!("`{}`: {message}", BStr::new(place.strip_suffix(b":").unwrap_or(&place)))
            }
        };
        match hides {
            Hides::Packages if !self.is_fixture => self.out.hidden_here(code, message),
            _ => self.out.problem(message),
        }
    }
}

impl Opened<'_> {
    /// States what was found in the archive, and in those within it.
    fn state(self) {
        for (within, inside) in self.insides {
            let place = [self.file, b":", &within].concat();
            let found = inside.state(&self.archives.inner, &place, self.is_fixture, self.out);
            self.out.facts.extend(found.facts);
            self.out.problems.extend(found.problems);
        }
        if let Some(more @ 1..) = self.problems.checked_sub(MAX_PROBLEMS) {
            self.out.hidden_here(OVER_LIMIT, format!("{more} more problems in this archive"));
        }
    }
}

#[cfg(test)]
mod tests;
