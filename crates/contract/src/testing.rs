//! An image in memory, for the analyzers' own tests: files by path, run
//! through an analyzer's wants, `inspect` and `analyze` as the core would.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bstr::BString;

use crate::{
    Analyzer, Content, Fact, Facts, FileHead, FileInfo, FileKind, Files, Matcher, Result,
    START_LEN, Use,
};

/// A small image: `("etc/os-release", b"ID=debian")`.
#[derive(Default)]
pub struct Image {
    files: BTreeMap<Vec<u8>, Vec<u8>>,
    symlinks: BTreeMap<Vec<u8>, Vec<u8>>,
    wanted: Vec<Vec<u8>>,
    facts: BTreeMap<Vec<u8>, Facts>,
}

impl Image {
    /// Of files by their paths.
    pub fn new<P: AsRef<[u8]>, C: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        let files = files
            .into_iter()
            .map(|(path, content)| (path.as_ref().to_vec(), content.as_ref().to_vec()))
            .collect();
        Image { files, ..Image::default() }
    }

    /// Every regular file below a directory of `fixtures/`.
    pub fn fixture(directory: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(directory);
        let mut image = Image::default();
        image.load(&root, b"");
        assert!(!image.files.is_empty(), "no files in {}", root.display());
        image
    }

    fn load(&mut self, directory: &Path, below: &[u8]) {
        use std::os::unix::ffi::OsStrExt;
        for entry in fs::read_dir(directory).expect("fixture directory") {
            let entry = entry.expect("fixture entry");
            let path = crate::path::join(below, entry.file_name().as_bytes());
            if entry.file_type().expect("fixture type").is_dir() {
                self.load(&entry.path(), &path);
            } else {
                self.files.insert(path, fs::read(entry.path()).expect("fixture file"));
            }
        }
    }

    /// With a symbolic link.
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.symlinks.insert(path.into(), target.into());
        self
    }

    /// What the analyzer finds. Panics if it breaks its own size limits.
    #[track_caller]
    pub fn run(mut self, analyzer: &dyn Analyzer) -> Facts {
        let matcher = Matcher::new([analyzer.wants()]);
        let mut found = Facts::default();
        for (path, content) in &self.files {
            let start = &content[..content.len().min(START_LEN)];
            for (_, want) in matcher.matches(path, start) {
                if content.len() as u64 > want.max_size {
                    found.problem_at(path.clone(), "too large");
                    continue;
                }
                if want.use_ == Use::Keep {
                    self.wanted.push(path.clone());
                }
                if want.use_ == Use::Inspect {
                    let head = FileHead { path, size: content.len() as u64, mode: 0o755, start };
                    let facts = self.facts.entry(path.clone()).or_default();
                    let content = content.as_slice();
                    if let Err(error) = analyzer.inspect(&head, &content as &dyn Content, facts) {
                        found.problem_at(path.clone(), error);
                    }
                    if *facts != Facts::default() {
                        self.wanted.push(path.clone());
                    }
                }
            }
        }
        self.wanted.dedup();
        for facts in self.facts.values() {
            found.facts.extend(facts.facts.iter().cloned());
            found.problems.extend(facts.problems.iter().cloned());
        }
        let outcome = analyzer.analyze(&self, &mut found);
        if let Err(error) = outcome {
            found.problem(error);
        }
        found
    }

    fn resolve(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut path = path.to_vec();
        for _ in 0..40 {
            let link = (1..=path.len())
                .filter(|&end| end == path.len() || path[end] == b'/')
                .find_map(|end| self.symlinks.get(&path[..end]).map(|target| (end, target)));
            let Some((end, target)) = link else { return Some(path) };
            let base = if target.starts_with(b"/") {
                Vec::new()
            } else {
                crate::path::parent(&path[..end]).to_vec()
            };
            let joined = [&base[..], b"/", target, &path[end..]].concat();
            let mut parts: Vec<&[u8]> = Vec::new();
            for part in crate::path::parts(&joined) {
                if part == b".." {
                    parts.pop();
                } else {
                    parts.push(part);
                }
            }
            path = parts.join(&b'/');
        }
        None
    }

    fn info(&self, path: &[u8]) -> Option<FileInfo> {
        let info = |kind, size| FileInfo {
            path: BString::from(path),
            kind,
            size,
            mode: 0o755,
            uid: 0,
            gid: 0,
        };
        if let Some(content) = self.files.get(path) {
            return Some(info(FileKind::Regular, content.len() as u64));
        }
        if self.symlinks.contains_key(path) {
            return Some(info(FileKind::Symlink, 0));
        }
        let below = [path, b"/"].concat();
        let is_directory = self.files.keys().any(|file| file.starts_with(&below));
        is_directory.then(|| info(FileKind::Directory, 0))
    }
}

impl Files for Image {
    fn get(&self, path: &[u8]) -> Option<FileInfo> {
        self.info(&self.resolve(path)?)
    }

    fn entry(&self, path: &[u8]) -> Option<FileInfo> {
        self.info(path)
    }

    fn read(&self, path: &[u8]) -> Result<Option<Cow<'_, [u8]>>> {
        let resolved = self.resolve(path);
        let content = resolved.and_then(|path| self.files.get(&path));
        Ok(content.map(|content| Cow::Borrowed(content.as_slice())))
    }

    fn wanted(&self) -> Vec<FileInfo> {
        self.wanted.iter().filter_map(|path| self.info(path)).collect()
    }

    fn list(&self, directory: &[u8]) -> Vec<BString> {
        let Some(directory) = self.resolve(directory) else { return Vec::new() };
        let paths = self.files.keys().chain(self.symlinks.keys());
        let below = paths.filter_map(|path| {
            let below = path.strip_prefix(&directory[..])?;
            let below = if directory.is_empty() { below } else { below.strip_prefix(b"/")? };
            crate::path::parts(below).next()
        });
        below.map(BString::from).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn facts(&self, path: &[u8]) -> &[Fact] {
        let resolved = self.resolve(path);
        resolved.and_then(|path| self.facts.get(&path)).map_or(&[], |facts| &facts.facts)
    }
}

/// Every prefix of every file of the image, one file cut at a time: no analyzer may panic.
pub fn cut_everywhere(analyzer: &dyn Analyzer, fixture: &str) {
    let whole = Image::fixture(fixture);
    for (path, content) in &whole.files {
        let step = (content.len() / 200).max(1);
        for cut in (0..content.len()).step_by(step) {
            let mut files = whole.files.clone();
            files.insert(path.clone(), content[..cut].to_vec());
            Image { files, ..Image::default() }.run(analyzer);
        }
    }
}
