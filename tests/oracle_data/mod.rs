//! What the real engine answered, which lies beside the repository and is no part of it. Tests take it in with
//! `#[path = "…/oracle_data/mod.rs"] mod oracle_data;`.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// The unpacked archive. Without it (`../shared`, or where `INSCAN_SHARED` says) tests say that they are skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn oracle() -> Option<PathBuf> {
    let shared = std::env::var_os("INSCAN_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let archive = shared.join("oracle.tar.xz");
    if !archive.exists() {
        eprintln!("skipped: there is no {}", archive.display());
        return None;
    }
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    Some(UNPACKED.get_or_init(|| unpacked(&archive)).clone())
}

/// Once for all tests: it takes seconds. Whole or not at all, whoever else unpacks it at the same time.
fn unpacked(archive: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = folder.join("oracle-unpacked");
    if !target.exists() {
        let beside = tempfile::tempdir_in(folder).unwrap();
        let status =
            Command::new("tar").arg("-xJf").arg(archive).arg("-C").arg(beside.path()).status();
        assert!(status.unwrap().success(), "could not unpack {}", archive.display());
        let renamed = fs::rename(beside.path(), &target);
        assert!(renamed.is_ok() || target.exists(), "{renamed:?}");
    }
    target.join("oracle")
}

/// The JSON inside texts parsed, as often as there is any.
pub(crate) fn parsed(value: Value) -> Value {
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
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
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
