//! Material of others that lies beside the project and is no part of it: what the reference engine answered, and the
//! acceptance data. And how its documents are compared with ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Map, Value};

use crate::need_shared;

/// The unpacked answers of the reference engine. `None`: the test is skipped.
#[track_caller]
pub fn oracle() -> Option<PathBuf> {
    Some(unpacked(&need_shared("oracle.tar.xz")?).join("oracle"))
}

/// The unpacked acceptance data. `None`: the test is skipped.
#[track_caller]
pub fn cases() -> Option<PathBuf> {
    Some(unpacked(&need_shared("cases.tar.xz")?).join("cases"))
}

/// A folder for what several tests use, and the next run of them again.
fn scratch() -> PathBuf {
    let tests = std::env::current_exe().expect("a test runs from a file");
    // target/debug/deps/files-0123456789abcdef
    let folder = tests.ancestors().nth(3).expect("it is in a target folder").join("tmp");
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// The folder of an archive's content. Unpacked once, which takes seconds; completely or not at all, even where somebody
/// else does it at the same time.
fn unpacked(archive: &Path) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let size = fs::metadata(archive).unwrap().len();
    let name = archive.file_name().unwrap().to_string_lossy();
    let folder = scratch();
    let target = folder.join(format!("{name}-{size}"));
    if !target.exists() {
        let beside = tempfile::tempdir_in(&folder).unwrap();
        let status =
            Command::new("tar").arg("-xJf").arg(archive).arg("-C").arg(beside.path()).status();
        assert!(status.unwrap().success(), "could not unpack {}", archive.display());
        let renamed = fs::rename(beside.path(), &target);
        assert!(renamed.is_ok() || target.exists(), "{renamed:?}");
    }
    target
}

/// A JSON file, also where only its `.gz` is there.
pub fn bytes_or_gz(path: &Path) -> Option<Vec<u8>> {
    if path.exists() {
        return Some(fs::read(path).unwrap());
    }
    let packed = PathBuf::from(format!("{}.gz", path.display()));
    packed.exists().then(|| Command::new("gzip").arg("-dc").arg(packed).output().unwrap().stdout)
}

/// The JSON inside texts parsed, as often as there is any.
pub fn parsed(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str(&text).map_or(Value::String(text), parsed)
        }
        Value::Array(items) => items.into_iter().map(parsed).collect(),
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| (key, parsed(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// `*` stands for any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
