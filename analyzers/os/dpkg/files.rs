//! The files of a package: `info/NAME.list`, `.md5sums`, `.conffiles`, and diversions.

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};

use super::{DIVERSIONS, INFO};
use crate::parse::control::Paragraph;
use crate::parse::tally::Tally;
use crate::{Facts, Files, Package, PackageFile, path};

/// By path: where dpkg puts the file instead, and the package it is not diverted for.
pub(super) type Diversions = HashMap<BString, (BString, String)>;

/// The `Conffiles` of a status paragraph: ` /etc/bar.conf DIGEST [obsolete]`.
/// An obsolete one is stated without its digest, which is no longer valid.
pub(super) fn conffiles(paragraph: &Paragraph, out: &mut Facts) -> Vec<PackageFile> {
    let lines = paragraph.lines("Conffiles").take_while(|line| out.hold_file(2 * line.len()));
    lines.filter_map(conffile).collect()
}

fn conffile(line: &[u8]) -> Option<PackageFile> {
    // The path may contain blanks; the digest and the mark cannot.
    let (mut rest, mut last) = line.rsplit_once_str(" ")?;
    let mut is_current = true;
    while last == b"obsolete" || last == b"remove-on-upgrade" {
        is_current = false;
        (rest, last) = rest.rsplit_once_str(" ")?;
    }
    let digest = is_current.then(|| hex(last)).flatten();
    Some(PackageFile { conffile: true, ..file(rest, digest) })
}

/// Adds what `info` states about a package. False if there is no list.
pub(super) fn add_listed(
    image: &dyn Files,
    package: &mut Package,
    diversions: &Diversions,
    out: &mut Facts,
) -> bool {
    let mut files = Collected::new(package, diversions, out);
    let mut stem = BString::default();
    let mut list = None;
    // Packages that can be installed for several architectures have it in the file name.
    for candidate in stems(package) {
        stem = candidate;
        list = read(image, &[&stem[..], b".list"].concat(), out);
        if list.is_some() {
            break;
        }
    }
    for line in list.as_deref().unwrap_or_default().lines().filter(|line| !line.is_empty()) {
        files.add(file(line, None), out);
    }
    for candidate in if list.is_some() { vec![stem] } else { stems(package) } {
        files.add_md5sums(image, &[&candidate[..], b".md5sums"].concat(), out);
        let conffiles = read(image, &[&candidate[..], b".conffiles"].concat(), out);
        for line in conffiles.as_deref().unwrap_or_default().lines() {
            // `remove-on-upgrade /etc/x` is one that the package no longer has.
            if line.starts_with(b"/") {
                files.add(PackageFile { conffile: true, ..file(line.trim_end(), None) }, out);
            }
        }
    }
    package.files = files.files;
    list.is_some()
}

pub(super) fn add_md5sums(
    image: &dyn Files,
    package: &mut Package,
    path: &[u8],
    diversions: &Diversions,
    out: &mut Facts,
) {
    let mut files = Collected::new(package, diversions, out);
    files.add_md5sums(image, path, out);
    package.files = files.files;
}

/// The beginning of the names of the files about a package.
fn stems(package: &Package) -> Vec<BString> {
    let name = &package.name;
    let arch = package.arch.as_deref().filter(|arch| !arch.contains('/'));
    let with_arch = arch.map(|arch| format!("{INFO}/{name}:{arch}").into());
    with_arch.into_iter().chain([format!("{INFO}/{name}").into()]).collect()
}

fn read(image: &dyn Files, path: &[u8], out: &mut Facts) -> Option<Vec<u8>> {
    match image.read(path) {
        Ok(text) => text.map(|text| text.into_owned()),
        Err(error) => {
            out.problem_at(path, error);
            None
        }
    }
}

/// The files of one package by path, put together from several lists.
struct Collected<'a> {
    files: Vec<PackageFile>,
    by_path: HashMap<BString, usize>,
    package: String,
    diversions: &'a Diversions,
}

impl<'a> Collected<'a> {
    fn new(package: &mut Package, diversions: &'a Diversions, out: &mut Facts) -> Self {
        let mut files = Collected {
            files: Vec::new(),
            by_path: HashMap::new(),
            package: package.name.clone(),
            diversions,
        };
        std::mem::take(&mut package.files).into_iter().for_each(|file| files.add(file, out));
        files
    }

    fn add(&mut self, mut file: PackageFile, out: &mut Facts) {
        if let Some((target, except)) = self.diversions.get(&file.path)
            && *except != self.package
        {
            file.path.clone_from(target);
        }
        match self.by_path.get(&file.path) {
            Some(&at) => {
                let known = &mut self.files[at];
                known.conffile |= file.conffile;
                if known.digest.is_none() {
                    (known.digest, known.algorithm) = (file.digest, file.algorithm);
                }
            }
            // It is known by its path as well.
            None if out.hold_file(2 * file.path.len() + 96) => {
                self.by_path.insert(file.path.clone(), self.files.len());
                self.files.push(file);
            }
            None => {}
        }
    }

    /// Lines of a digest, two blanks, and a path without leading slash.
    fn add_md5sums(&mut self, image: &dyn Files, path: &[u8], out: &mut Facts) {
        let text = read(image, path, out).unwrap_or_default();
        let mut tally = Tally::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            match md5sum(line) {
                Some(file) => self.add(file, out),
                None => tally.add("not a digest and a path", number + 1),
            }
        }
        tally.report(path, out);
    }
}

fn md5sum(line: &[u8]) -> Option<PackageFile> {
    let (digest, path) = line.split_at_checked(32)?;
    // `*` stands for a file read as binary.
    let path = path.strip_prefix(b"  ").or_else(|| path.strip_prefix(b" *"))?;
    Some(file(path, Some(hex(digest)?)))
}

/// A digest: MD5 here, SHA-256 in newer opkg.
fn hex(digest: &[u8]) -> Option<String> {
    let is_digest = matches!(digest.len(), 32 | 64) && digest.iter().all(u8::is_ascii_hexdigit);
    is_digest.then(|| digest.to_str_lossy().to_ascii_lowercase())
}

fn file(path: &[u8], digest: Option<String>) -> PackageFile {
    let algorithm = digest.as_ref().map(|hex| if hex.len() == 32 { "md5" } else { "sha256" });
    let algorithm = algorithm.map(Into::into);
    PackageFile { path: path::clean(path), digest, algorithm, ..PackageFile::default() }
}

/// Three lines each: a path, where it goes instead, and the package that it
/// stays with, `:` for none.
pub(super) fn diversions(image: &dyn Files, out: &mut Facts) -> Diversions {
    let text = read(image, DIVERSIONS.as_bytes(), out).unwrap_or_default();
    let lines: Vec<&BStr> = text.lines().map(ByteSlice::as_bstr).collect();
    lines
        .chunks_exact(3)
        .map(|lines| {
            (path::clean(lines[0]), (path::clean(lines[1]), lines[2].to_str_lossy().into_owned()))
        })
        .collect()
}
