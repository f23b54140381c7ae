//! The names in an image: `file_list/files.allinfo`, and `file_checksums`.

use std::borrow::Cow;
use std::cell::OnceCell;

use rayon::prelude::*;
use serde::Deserialize;

use super::source::{Source, Text};
use super::{Answer, Part, once_answer};

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// With a leading slash; white space in it is one blank.
    pub path: Cow<'a, str>,
    /// Type bits and permissions.
    pub mode: u32,
    pub size: u64,
    pub kind: FileKind,
    /// Target of a symbolic link, as written.
    pub target: Option<Box<str>>,
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
pub struct Files<'a> {
    rows: Vec<File<'a>>,
}

impl<'a> Files<'a> {
    pub fn iter(&self) -> std::slice::Iter<'_, File<'a>> {
        self.rows.iter()
    }

    /// In parts of some size: what is done with one file takes less time than handing it over.
    pub fn par_iter(&self) -> impl IndexedParallelIterator<Item = &File<'a>> {
        self.rows.par_iter().with_min_len(1024)
    }

    pub fn get(&self, path: &str) -> Option<&File<'a>> {
        let found = self.rows.binary_search_by(|file| (*file.path).cmp(path));
        found.ok().and_then(|at| self.rows.get(at))
    }
}

impl<'a> Files<'a> {
    /// What is at a path when the links in its parents are followed: package managers know
    /// `/bin/sh` where the image has `/usr/bin/sh` and a link.
    pub fn behind_links(&self, path: &str) -> Option<&File<'a>> {
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
                    let Some(target) = link.and_then(|file| file.target.as_deref()) else {
                        continue;
                    };
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

pub(super) fn read<'a>(source: &Source<'a>) -> Answer<Files<'a>> {
    let mut rows = Vec::new();
    match source {
        Source::Sbom(_) | Source::Nothing => return Err(source.lacks("the files of the image")),
        Source::Analysis(outputs) => outputs.files(|file| {
            rows.push(File {
                path: Cow::Owned(file.key.to_owned()),
                mode: file.mode,
                size: file.size,
                kind: FileKind::of(file.kind),
                target: file.target.map(String::into_boxed_str),
            });
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
                rows.push(File {
                    path: key,
                    mode: info.mode,
                    size: info.size,
                    kind: FileKind::of(&info.kind.0),
                    target: info.linkdst.map(|target| target.0.into()),
                });
                Ok(())
            })?;
        }
    }
    sort(&mut rows, |file| &file.path);
    Ok(Files { rows })
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

/// By key, which they mostly are already. Of one key the last counts, as in any JSON object.
fn sort<T>(rows: &mut Vec<T>, key: impl Fn(&T) -> &str) {
    if rows.is_sorted_by(|a, b| key(a) < key(b)) {
        return;
    }
    rows.reverse();
    rows.sort_by(|a, b| key(a).cmp(key(b)));
    rows.dedup_by(|later, first| key(later) == key(first));
}

pub(super) fn has_sums(source: &Source<'_>, algorithm: &str) -> bool {
    match source {
        Source::Analysis(outputs) => outputs.has_sums(algorithm),
        _ => source.has(CHECKSUMS, &format!("files.{algorithm}sums")),
    }
}

const CHECKSUMS: &str = "file_checksums";

/// In place of the checksum of what has no content.
const NO_CHECKSUM: &str = "DIRECTORY_OR_OTHER";

/// Checksums by path, of each algorithm that a rule asked for.
#[derive(Default)]
pub(super) struct Sums<'a> {
    md5: Part<SumList<'a>>,
    sha1: Part<SumList<'a>>,
    sha256: Part<SumList<'a>>,
}

type SumList<'a> = Vec<(Cow<'a, str>, Box<str>)>;

impl<'a> Sums<'a> {
    pub(super) fn get(
        &self,
        source: &Source<'a>,
        algorithm: &str,
        path: &str,
    ) -> Answer<Option<String>> {
        if !has_sums(source, algorithm) {
            let message = source.lacks(&format!("{algorithm} sums"));
            return Err(format!("{message}, or ask for another algorithm"));
        }
        if let Source::Analysis(outputs) = source {
            return Ok(outputs.sum(algorithm, path));
        }
        let part: &OnceCell<_> = match algorithm {
            "md5" => &self.md5,
            "sha1" => &self.sha1,
            "sha256" => &self.sha256,
            other => return Err(format!("there are no `{other}` sums in documents")),
        };
        let output = format!("files.{algorithm}sums");
        let sums = once_answer(part, || {
            let mut sums = Vec::new();
            source.each(CHECKSUMS, &output, &mut |key, value| {
                sums.push((key, value.into()));
                Ok(())
            })?;
            sort(&mut sums, |(path, _)| path);
            Ok(sums)
        })?;
        let at = sums.binary_search_by(|(known, _): &(Cow<'_, str>, _)| (**known).cmp(path));
        let sum = at.ok().and_then(|at| sums.get(at)).map(|(_, sum)| &**sum);
        Ok(sum.filter(|sum| *sum != NO_CHECKSUM).map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_key_the_last_counts() {
        let mut rows = vec![("b", 1), ("a", 2), ("b", 3)];
        sort(&mut rows, |row| row.0);
        assert_eq!(rows, [("a", 2), ("b", 3)]);
    }
}
