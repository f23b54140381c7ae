//! How much room the cache takes, and how it gets less. Many processes may do this at
//! once: each removes what it finds, and what is gone already is as well.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::place::{LAYERS, UNFINISHED};
use super::version;

/// What nobody wrote to for so long belongs to a process that is no more.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// File systems give room in blocks.
const BLOCK: u64 = 4096;

/// One file of the cache.
struct CachedFile {
    path: PathBuf,
    size: u64,
    used: SystemTime,
    is_layer: bool,
    is_unfinished: bool,
    is_of_this_version: bool,
}

impl CachedFile {
    /// Its writer is no more, and left it unfinished.
    fn is_abandoned(&self) -> bool {
        let age = SystemTime::now().duration_since(self.used);
        self.is_unfinished && age.is_ok_and(|age| age > ABANDONED)
    }
}

/// What is in the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub directory: PathBuf,
    /// In bytes, as the file system counts.
    pub size: u64,
    pub layers: usize,
    /// Those that this version of inscan can use.
    pub usable: usize,
    /// Files that are being written, or never were to the end.
    pub unfinished: usize,
    /// When anything in it was last used.
    pub used: Option<SystemTime>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    pub layers: usize,
    /// In bytes.
    pub size: u64,
}

/// What is in the cache below a directory; nothing where there is none.
pub fn status(directory: &Path) -> io::Result<Status> {
    let root = directory.join(LAYERS);
    let mut status = Status { directory: root.clone(), ..Status::default() };
    for entry in entries(&root)? {
        status.size += entry.size;
        status.layers += usize::from(entry.is_layer);
        status.usable += usize::from(entry.is_layer && entry.is_of_this_version);
        status.unfinished += usize::from(entry.is_unfinished);
        status.used = status.used.max(Some(entry.used));
    }
    Ok(status)
}

/// Removes what was not used for so long; without it, everything.
pub fn clean(directory: &Path, unused_for: Option<Duration>) -> io::Result<Cleaned> {
    let root = directory.join(LAYERS);
    let before = match unused_for {
        Some(unused_for) => SystemTime::now().checked_sub(unused_for),
        None => Some(SystemTime::now()),
    };
    let mut cleaned = Cleaned::default();
    for entry in entries(&root)? {
        let is_old = before.is_some_and(|before| entry.used < before) || unused_for.is_none();
        let is_in_work = entry.is_unfinished && !entry.is_abandoned();
        if is_old && !is_in_work && remove(&entry)? {
            cleaned.size += entry.size;
            cleaned.layers += usize::from(entry.is_layer);
        }
    }
    remove_empty(&root);
    Ok(cleaned)
}

/// Removes what was not used for the longest time, until a tenth of the limit is free.
pub(super) fn make(root: &Path, limit: u64) {
    // What cannot be seen cannot be removed: the next run tries again.
    let Ok(mut entries) = entries(root) else { return };
    for entry in entries.extract_if(.., |entry| entry.is_unfinished) {
        if entry.is_abandoned() {
            let _ = remove(&entry);
        }
    }
    let mut size: u64 = entries.iter().map(|entry| entry.size).sum();
    if size <= limit {
        return;
    }
    entries.sort_by_key(|entry| entry.used);
    let enough = limit - limit / 10;
    for entry in entries {
        if size <= enough {
            break;
        }
        let _ = remove(&entry);
        size -= entry.size;
    }
    remove_empty(root);
}

/// True if it was there.
fn remove(entry: &CachedFile) -> io::Result<bool> {
    match fs::remove_file(&entry.path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Directories of versions nobody uses any more.
fn remove_empty(root: &Path) {
    for directory in fs::read_dir(root).into_iter().flatten().flatten() {
        if is_set(&directory) {
            // Only one that is empty is removed.
            let _ = fs::remove_dir(directory.path());
        }
    }
}

/// All files that are the cache's. Others, wherever they come from, are none of its business.
fn entries(root: &Path) -> io::Result<Vec<CachedFile>> {
    let directories = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        directories => directories?,
    };
    let version = version();
    let mut entries = Vec::new();
    for directory in directories {
        let directory = directory?;
        if !is_set(&directory) {
            continue;
        }
        let is_of_this_version =
            directory.file_name().as_encoded_bytes().starts_with(version.as_bytes());
        let files = match fs::read_dir(directory.path()) {
            // Another process has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            files => files?,
        };
        for file in files {
            entries.extend(entry(&file?, is_of_this_version));
        }
    }
    Ok(entries)
}

fn entry(file: &DirEntry, is_of_this_version: bool) -> Option<CachedFile> {
    let name = file.file_name();
    let name = name.to_str()?;
    let is_unfinished = name.starts_with(UNFINISHED);
    let is_layer = is_hex(name, 64);
    let is_blob = name.strip_suffix(".blob").is_some_and(|digest| is_hex(digest, 64));
    let metadata = file.metadata().ok().filter(|metadata| metadata.is_file())?;
    (is_unfinished || is_layer || is_blob).then(|| CachedFile {
        path: file.path(),
        size: metadata.len().next_multiple_of(BLOCK),
        used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        is_layer,
        is_unfinished,
        is_of_this_version,
    })
}

/// `VERSION-SET`
fn is_set(directory: &DirEntry) -> bool {
    let name = directory.file_name();
    let parts = name.to_str().and_then(|name| name.split_once('-'));
    parts.is_some_and(|(version, set)| is_hex(version, 16) && is_hex(set, 16))
        && directory.file_type().is_ok_and(|kind| kind.is_dir())
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
