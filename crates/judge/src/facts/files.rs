//! The names in an image: `file_list/files.allinfo`.

use std::ops::Range;

use memchr::memmem::Finder;
use rayon::prelude::*;
use serde::Deserialize;

use super::Lookup;
use super::source::{Source, Text};

/// One name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'f> {
    /// With a leading slash; white space in it is one blank.
    pub path: &'f str,
    /// Type bits and permissions.
    pub mode: u32,
    pub size: u64,
    pub kind: FileKind,
    /// Target of a symbolic link, as written.
    pub target: Option<&'f str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    Device,
    /// A word that is not known.
    Other,
}

impl FileKind {
    fn of(word: &str) -> Self {
        match word {
            "file" => FileKind::File,
            "dir" => FileKind::Directory,
            "slink" => FileKind::Symlink,
            "dev" => FileKind::Device,
            _ => FileKind::Other,
        }
    }
}

/// All names, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// One after another, each with a line feed behind it: so all of them are searched at once.
    paths: String,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    path: Range<usize>,
    mode: u32,
    size: u64,
    kind: FileKind,
    target: Option<Box<str>>,
}

impl Files {
    fn push(&mut self, path: &str, mode: u32, size: u64, kind: FileKind, target: Option<Box<str>>) {
        let start = self.paths.len();
        self.paths.push_str(path);
        let path = start..self.paths.len();
        self.paths.push('\n');
        self.rows.push(Row { path, mode, size, kind, target });
    }

    /// By path, which they mostly are already. Of one path the last counts, as in any JSON object.
    fn sorted(mut self) -> Self {
        let is_sorted = self.rows.is_sorted_by(|a, b| self.path(a) < self.path(b));
        if is_sorted {
            return self;
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.reverse();
        rows.sort_by(|a, b| self.path(a).cmp(self.path(b)));
        rows.dedup_by(|later, first| self.path(later) == self.path(first));
        let mut sorted = Files::default();
        for row in rows {
            sorted.push(self.path(&row), row.mode, row.size, row.kind, row.target.clone());
        }
        sorted
    }

    fn path(&self, row: &Row) -> &str {
        &self.paths[row.path.clone()]
    }

    fn file<'f>(&'f self, row: &'f Row) -> File<'f> {
        let Row { mode, size, kind, .. } = *row;
        File { path: self.path(row), mode, size, kind, target: row.target.as_deref() }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = File<'_>> {
        self.rows.iter().map(|row| self.file(row))
    }

    /// In parts of some size: what is done with one file takes less time than handing it over.
    pub fn par_iter(&self) -> impl IndexedParallelIterator<Item = File<'_>> {
        self.rows.par_iter().with_min_len(1024).map(|row| self.file(row))
    }

    pub fn get(&self, path: &str) -> Option<File<'_>> {
        let found = self.rows.binary_search_by(|row| self.path(row).cmp(path));
        found.ok().and_then(|at| self.rows.get(at)).map(|row| self.file(row))
    }

    /// Those with this text in their paths: a search through a hundred thousand takes 3 ms.
    pub fn containing(&self, text: &str) -> impl Iterator<Item = File<'_>> {
        let finder = Finder::new(text).into_owned();
        let (mut at, mut rows) = (0, self.rows.iter());
        std::iter::from_fn(move || {
            let found = at + finder.find(self.paths.as_bytes().get(at..)?)?;
            let row = rows.find(|row| row.path.end >= found)?;
            at = row.path.end + 1;
            Some(self.file(row))
        })
    }

    /// What is at a path when the links in its parents are followed: package managers know
    /// `/bin/sh` where the image has `/usr/bin/sh` and a link.
    pub fn behind_links(&self, path: &str) -> Option<File<'_>> {
        let mut rest: Vec<&str> = path.split('/').rev().collect();
        let mut at = String::new();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            match name {
                "" | "." => continue,
                ".." => at.truncate(at.rfind('/').unwrap_or(0)),
                name => {
                    let parent = at.len();
                    at.push('/');
                    at.push_str(name);
                    // Not a link at the end: it is what was asked for.
                    let link = self.get(&at).filter(|_| !rest.is_empty());
                    let Some(target) = link.and_then(|file| file.target) else { continue };
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    at.truncate(if target.starts_with('/') { 0 } else { parent });
                    rest.extend(target.split('/').rev());
                }
            }
        }
        self.get(&at)
    }
}

/// As the Linux kernel counts.
const MAX_LINKS: usize = 40;

const MODULE: &str = "file_list";
const ALL: &str = "files.allinfo";

pub(super) fn read(source: &Source<'_>) -> Lookup<Files> {
    let mut files = Files::default();
    match source {
        Source::Section(_) | Source::Nothing => return Err(source.lacks("the files of the image")),
        Source::Analysis(outputs) => outputs.files(&mut |file| {
            let target = file.target.map(String::into_boxed_str);
            files.push(file.key, file.mode, file.size, FileKind::of(file.kind), target);
        }),
        Source::Document(_) => {
            // An image without files has neither; one alone is half of an analysis.
            if source.has(MODULE, "files.all") && !source.has(MODULE, ALL) {
                return Err(source.lacks("what the files of the image are like"));
            }
            source.each(MODULE, ALL, &mut |key, value| {
                let info: Info<'_> = serde_json::from_str(value).map_err(|error| {
                    format!("`{MODULE}/{ALL}` in the document cannot be understood: {error}")
                })?;
                let target = info.linkdst.map(|target| target.0.into());
                files.push(&key, info.mode, info.size, FileKind::of(&info.kind.0), target);
                Ok(())
            })?;
        }
    }
    Ok(files.sorted())
}

#[derive(Deserialize)]
struct Info<'a> {
    mode: u32,
    size: u64,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    linkdst: Option<Text<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Files {
        let mut files = Files::default();
        for (number, path) in paths.iter().enumerate() {
            files.push(path, number as u32, 0, FileKind::File, None);
        }
        files.sorted()
    }

    #[test]
    fn paths_are_in_order_and_of_one_path_the_last_counts() {
        for (paths, expected) in [
            (&["/a", "/b"][..], &[("/a", 0), ("/b", 1)][..]),
            (&["/b", "/a", "/b"], &[("/a", 1), ("/b", 2)]),
            (&["/a", "/a"], &[("/a", 1)]),
            (&[], &[]),
        ] {
            let files = files(paths);
            let found: Vec<_> = files.iter().map(|file| (file.path, file.mode)).collect();
            assert_eq!(found, expected);
            assert_eq!(files.get("/b").is_some(), paths.contains(&"/b"));
        }
    }

    #[test]
    fn a_text_is_found_once_in_each_path() {
        let files = files(&["/a.pem", "/a.pem.pem", "/b", "/pem", "/x/a.pem"]);
        let containing =
            |text: &str| files.containing(text).map(|file| file.path).collect::<Vec<_>>();
        assert_eq!(containing(".pem"), ["/a.pem", "/a.pem.pem", "/x/a.pem"]);
        assert_eq!(containing("/"), ["/a.pem", "/a.pem.pem", "/b", "/pem", "/x/a.pem"]);
        assert_eq!(containing("b"), ["/b"]);
        assert!(containing("c").is_empty());
        assert!(containing("/b/pem").is_empty());
    }
}
