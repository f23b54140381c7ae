//! What the fuzz targets share: an image of one file for each analyzer.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::LazyLock;

use bstr::BString;
use inscan_analyzers::{
    Analyzer, Config, Fact, Facts, FileHead, FileInfo, FileKind, Files, Matcher, Pattern,
    START_LEN, Use, Want, all, path,
};

/// All analyzers, made once.
pub fn analyzers() -> &'static [Box<dyn Analyzer>] {
    static ANALYZERS: LazyLock<Vec<Box<dyn Analyzer>>> = LazyLock::new(|| all(&Config::default()));
    &ANALYZERS
}

/// First byte: which analyzer; second: which of its wants; the rest is a file's
/// content. `None` where the bytes are too few, or the want is no path.
pub fn one_file(data: &[u8]) -> Option<Facts> {
    let [analyzer, want, content @ ..] = data else { return None };
    let analyzers = analyzers();
    let analyzer = &analyzers[usize::from(*analyzer) % analyzers.len()];
    let wants = analyzer.wants();
    let want = wants.get(usize::from(*want) % wants.len().max(1))?;
    Some(OneFile::new(want, content).analyzed_by(&**analyzer))
}

/// A file for what is only read from files: of this process alone, and overwritten each time.
pub fn scratch(name: &str) -> PathBuf {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        // In memory where there is such a place.
        let shared = PathBuf::from("/dev/shm");
        let place = if shared.is_dir() { shared } else { std::env::temp_dir() };
        let folder = place.join(format!("inscan-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    });
    FOLDER.join(name)
}

struct OneFile<'a> {
    path: BString,
    content: Cow<'a, [u8]>,
    facts: Vec<Fact>,
}

impl<'a> OneFile<'a> {
    fn new(want: &Want, content: &'a [u8]) -> Self {
        let mut content = Cow::Borrowed(content);
        let path = match &want.pattern {
            Pattern::Any | Pattern::Text => "srv/file".to_owned(),
            Pattern::In(directory, suffix) => format!("srv/{directory}/file{suffix}"),
            Pattern::Magic(magic) => {
                content.to_mut().splice(..0, magic.iter().copied());
                "srv/file".to_owned()
            }
            Pattern::Name(name) => format!("srv/{name}"),
            Pattern::Path(path) => path.clone(),
            Pattern::Suffix(suffix) => format!("srv/file{suffix}"),
            Pattern::Under(directory, suffix) => format!("{directory}/file{suffix}"),
        };
        OneFile { path: path.into(), content, facts: Vec::new() }
    }

    fn analyzed_by(mut self, analyzer: &dyn Analyzer) -> Facts {
        let content = self.content.clone();
        let start = &content[..content.len().min(START_LEN)];
        let matcher = Matcher::new([analyzer.wants()]);
        let mut inspected = Facts::default();
        for (_, want) in matcher.matches(&self.path, start) {
            if want.use_ == Use::Inspect && content.len() as u64 <= want.max_size {
                let head =
                    FileHead { path: &self.path, size: content.len() as u64, mode: 0o755, start };
                // An error is an answer; only panics and hangs are not.
                let _ = analyzer.inspect(&head, &&*content, &mut inspected);
            }
        }
        self.facts = inspected.facts;
        let mut found = Facts::default();
        let _ = analyzer.analyze(&self, &mut found);
        found
    }

    fn info(&self, at: &[u8]) -> Option<FileInfo> {
        let is_file = at == &self.path[..];
        let is_directory = at.is_empty()
            || self.path.strip_prefix(at).is_some_and(|below| below.starts_with(b"/"));
        (is_file || is_directory).then(|| FileInfo {
            path: at.into(),
            kind: if is_file { FileKind::Regular } else { FileKind::Directory },
            size: if is_file { self.content.len() as u64 } else { 0 },
            mode: 0o755,
            uid: 0,
            gid: 0,
        })
    }
}

impl Files for OneFile<'_> {
    fn get(&self, path: &[u8]) -> Option<FileInfo> {
        self.info(path)
    }

    fn entry(&self, path: &[u8]) -> Option<FileInfo> {
        self.info(path)
    }

    fn read(&self, path: &[u8]) -> inscan_analyzers::Result<Option<Cow<'_, [u8]>>> {
        Ok((path == &self.path[..]).then_some(Cow::Borrowed(&self.content)))
    }

    fn wanted(&self) -> Vec<FileInfo> {
        self.info(&self.path).into_iter().collect()
    }

    fn list(&self, directory: &[u8]) -> Vec<BString> {
        let below = match directory {
            b"" => Some(&self.path[..]),
            _ => self.path.strip_prefix(directory).and_then(|below| below.strip_prefix(b"/")),
        };
        below.and_then(|below| path::parts(below).next()).map(BString::from).into_iter().collect()
    }

    fn facts(&self, path: &[u8]) -> &[Fact] {
        if path == &self.path[..] { &self.facts } else { &[] }
    }
}
