//! Which files an analyzer wants, as data, and one matcher over all of them.

use std::collections::HashMap;

use inscan_facts::path;

/// One kind of file an analyzer wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which files.
    pub pattern: Pattern,
    /// Whether their bytes are kept.
    pub use_: Use,
    /// In bytes. A larger file is not handed over, and is a problem in the document.
    pub max_size: u64,
    /// In bytes. Of a larger file only the [`FileHead`](crate::FileHead) is handed
    /// over, so that the analyzer itself decides what to say of it.
    pub content_up_to: u64,
}

/// What an analyzer does with the files it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Its bytes are kept for `analyze`.
    Keep,
    /// It is handed to `inspect` while the layer passes; its bytes are not kept.
    Inspect,
}

/// Which files an analyzer wants. Compared byte by byte; case matters except where said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every file. Only with [`Use::Inspect`].
    Any,
    /// A file directly in a directory of this name, wherever that is, whose own
    /// name ends with a suffix: `In("conda-meta", ".json")`.
    In(String, String),
    /// A file whose first bytes are these.
    Magic(&'static [u8]),
    /// A file that has these bytes at an offset within its first 512.
    MagicAt(usize, &'static [u8]),
    /// A file of this name, in any directory.
    Name(String),
    /// Exactly this path.
    Path(String),
    /// A file whose name ends with this, in any directory. ASCII case is ignored.
    Suffix(String),
    /// A file whose first bytes have no NUL among them.
    Text,
    /// A file anywhere below a directory whose path ends with a suffix
    /// (which may be empty): `Under("var/lib/dpkg/info", ".list")`.
    Under(String, String),
}

impl Want {
    /// Files that `analyze` reads. `max_size` is in bytes.
    pub fn keep(pattern: Pattern, max_size: u64) -> Self {
        Want { pattern, use_: Use::Keep, max_size, content_up_to: max_size }
    }

    /// Files that `inspect` sees. `max_size` is in bytes.
    pub fn inspect(pattern: Pattern, max_size: u64) -> Self {
        Want { pattern, use_: Use::Inspect, max_size, content_up_to: max_size }
    }

    /// Every file that matches, whatever its size, with the content of those up to a size.
    pub fn inspect_heads(pattern: Pattern, content_up_to: u64) -> Self {
        Want { content_up_to, ..Want::inspect(pattern, u64::MAX) }
    }
}

impl Pattern {
    /// [`Pattern::In`].
    pub fn within(directory: &str, suffix: &str) -> Self {
        Pattern::In(directory.to_owned(), suffix.to_owned())
    }

    /// [`Pattern::Name`].
    pub fn name(name: &str) -> Self {
        Pattern::Name(name.to_owned())
    }

    /// [`Pattern::Path`].
    pub fn path(path: &str) -> Self {
        Pattern::Path(path.to_owned())
    }

    /// [`Pattern::Suffix`].
    pub fn suffix(suffix: &str) -> Self {
        Pattern::Suffix(suffix.to_ascii_lowercase())
    }

    /// [`Pattern::Under`].
    pub fn under(directory: &str, suffix: &str) -> Self {
        Pattern::Under(directory.to_owned(), suffix.to_owned())
    }
}

/// The wants of all analyzers, ready to be asked about each file of a layer.
///
/// A question costs four hash look-ups, one look at each suffix and directory
/// pattern, and one at each magic number: there are some dozens in all.
#[derive(Default)]
pub struct Matcher {
    wants: Vec<(usize, Want)>,
    any: Vec<usize>,
    by_path: HashMap<Vec<u8>, Vec<usize>>,
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    /// Suffixes by their last byte, lower case.
    by_suffix: HashMap<u8, Vec<usize>>,
    by_first_part: HashMap<Vec<u8>, Vec<usize>>,
    /// By the name of the directory a file is in.
    by_parent: HashMap<Vec<u8>, Vec<usize>>,
    magic: Vec<usize>,
    text: Vec<usize>,
}

impl Matcher {
    /// `wants` holds for each analyzer, by position, what it wants.
    pub fn new(wants: impl IntoIterator<Item = Vec<Want>>) -> Self {
        let mut matcher = Matcher::default();
        for (analyzer, wants) in wants.into_iter().enumerate() {
            for want in wants {
                matcher.add(analyzer, want);
            }
        }
        matcher
    }

    fn add(&mut self, analyzer: usize, want: Want) {
        let id = self.wants.len();
        match &want.pattern {
            Pattern::Any => self.any.push(id),
            Pattern::In(directory, _) => {
                self.by_parent.entry(directory.clone().into()).or_default().push(id);
            }
            Pattern::Magic(_) | Pattern::MagicAt(..) => self.magic.push(id),
            Pattern::Name(name) => self.by_name.entry(name.clone().into()).or_default().push(id),
            Pattern::Path(path) => self.by_path.entry(path.clone().into()).or_default().push(id),
            Pattern::Suffix(suffix) => match suffix.as_bytes().last() {
                Some(last) => self.by_suffix.entry(last.to_ascii_lowercase()).or_default().push(id),
                None => self.any.push(id),
            },
            Pattern::Text => self.text.push(id),
            Pattern::Under(directory, _) => {
                let first = path::parts(directory.as_bytes()).next().unwrap_or_default();
                self.by_first_part.entry(first.to_vec()).or_default().push(id);
            }
        }
        self.wants.push((analyzer, want));
    }

    /// Who wants this file: `(analyzer, want)`, each analyzer at most once for
    /// each use, in the order of the analyzers. `start` is the first bytes of
    /// its content. Sizes are for the caller to compare.
    pub fn matches(&self, file: &[u8], start: &[u8]) -> Vec<(usize, &Want)> {
        let mut found: Vec<usize> = self.any.clone();
        let name = path::name(file);
        found.extend(self.by_path.get(file).into_iter().flatten());
        found.extend(self.by_name.get(name).into_iter().flatten());
        if let Some(last) = name.last() {
            let candidates = self.by_suffix.get(&last.to_ascii_lowercase()).into_iter().flatten();
            found.extend(candidates.filter(|&&id| match &self.wants[id].1.pattern {
                Pattern::Suffix(suffix) => ends_with_ignoring_case(name, suffix.as_bytes()),
                _ => false,
            }));
        }
        let candidates = self.by_parent.get(path::name(path::parent(file)));
        found.extend(candidates.into_iter().flatten().filter(
            |&&id| match &self.wants[id].1.pattern {
                Pattern::In(_, suffix) => name.ends_with(suffix.as_bytes()),
                _ => false,
            },
        ));
        let first = path::parts(file).next().unwrap_or_default();
        for first in [first, b""] {
            let candidates = self.by_first_part.get(first).into_iter().flatten();
            found.extend(candidates.filter(|&&id| match &self.wants[id].1.pattern {
                Pattern::Under(directory, suffix) => is_under(file, directory, suffix),
                _ => false,
            }));
        }
        found.extend(self.magic.iter().filter(|&&id| match &self.wants[id].1.pattern {
            Pattern::Magic(magic) => start.starts_with(magic),
            Pattern::MagicAt(at, magic) => {
                start.get(*at..).is_some_and(|rest| rest.starts_with(magic))
            }
            _ => false,
        }));
        if !start.is_empty() && !start.contains(&0) {
            found.extend(&self.text);
        }
        self.distinct(found)
    }

    fn distinct(&self, mut found: Vec<usize>) -> Vec<(usize, &Want)> {
        // The larger allowance wins where two wants of one analyzer meet.
        found.sort_by_key(|&id| {
            let (analyzer, want) = &self.wants[id];
            let sizes = (want.max_size, want.content_up_to);
            (*analyzer, want.use_ == Use::Inspect, std::cmp::Reverse(sizes))
        });
        found.dedup_by_key(|id| {
            let (analyzer, want) = &self.wants[*id];
            (*analyzer, want.use_ == Use::Inspect)
        });
        found.into_iter().map(|id| (self.wants[id].0, &self.wants[id].1)).collect()
    }
}

fn ends_with_ignoring_case(name: &[u8], suffix: &[u8]) -> bool {
    name.len() >= suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

fn is_under(file: &[u8], directory: &str, suffix: &str) -> bool {
    let below = if directory.is_empty() {
        Some(file)
    } else {
        file.strip_prefix(directory.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"))
    };
    below.is_some_and(|below| !below.is_empty() && below.ends_with(suffix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: Pattern, file: &str, start: &[u8], expected: bool) {
        let matcher = Matcher::new([vec![], vec![Want::keep(pattern, 10)]]);
        let found = matcher.matches(file.as_bytes(), start);
        assert_eq!(!found.is_empty(), expected, "{file}");
        assert!(found.iter().all(|(analyzer, _)| *analyzer == 1));
    }

    #[test]
    fn patterns_match_what_they_say() {
        check(Pattern::path("etc/os-release"), "etc/os-release", b"", true);
        check(Pattern::path("etc/os-release"), "x/etc/os-release", b"", false);
        check(Pattern::name("METADATA"), "a/b/METADATA", b"", true);
        check(Pattern::name("METADATA"), "METADATA", b"", true);
        check(Pattern::name("METADATA"), "a/METADATA/b", b"", false);
        check(Pattern::suffix(".jar"), "a/b.JAR", b"", true);
        check(Pattern::suffix(".jar"), "jar", b"", false);
        check(Pattern::within("conda-meta", ".json"), "opt/conda-meta/a.json", b"", true);
        check(Pattern::within("conda-meta", ".json"), "conda-meta/a.json", b"", true);
        check(Pattern::within("conda-meta", ".json"), "conda-meta/b/a.json", b"", false);
        check(Pattern::within("conda-meta", ".json"), "conda-meta/a.txt", b"", false);
        check(Pattern::under("var/lib/dpkg", ".list"), "var/lib/dpkg/info/a.list", b"", true);
        check(Pattern::under("var/lib/dpkg", ""), "var/lib/dpkg", b"", false);
        check(Pattern::under("var/lib/dpkg", ""), "var/lib/dpkgs", b"", false);
        check(Pattern::under("", ".list"), "a.list", b"", true);
        check(Pattern::Magic(b"\x7fELF"), "a", b"\x7fELF\x02", true);
        check(Pattern::Magic(b"\x7fELF"), "a", b"\x7fEL", false);
        check(Pattern::MagicAt(2, b"tar"), "a", b"ustar", true);
        check(Pattern::MagicAt(2, b"tar"), "a", b"tar", false);
        check(Pattern::MagicAt(2, b"tar"), "a", b"", false);
        check(Pattern::Any, "a", b"", true);
        check(Pattern::Text, "a", b"text", true);
        check(Pattern::Text, "a", b"te\0t", false);
        check(Pattern::Text, "a", b"", false);
    }

    #[test]
    fn an_analyzer_is_named_once_for_each_use_with_its_largest_allowance() {
        let matcher = Matcher::new([vec![
            Want::keep(Pattern::name("a"), 1),
            Want::keep(Pattern::path("a"), 2),
            Want::inspect(Pattern::Any, 3),
        ]]);
        let sizes: Vec<_> =
            matcher.matches(b"a", b"").iter().map(|(_, want)| want.max_size).collect();
        assert_eq!(sizes, [2, 3]);
    }
}
