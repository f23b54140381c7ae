//! Judging through the binary: exit codes, what a person must find in what is shown, and
//! reports as files.

mod exceptions;
mod reports;
mod shown;
mod verdicts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

pub(super) use inscan_test_support::{DATABASE as DEMO, IMAGE};
use inscan_test_support::{DEMO_DAY, Inscan};
use serde_json::Value;

/// The binary on a day when the database was young.
pub(super) fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("INSCAN_NO_CACHE", "true").env("SOURCE_DATE_EPOCH", DEMO_DAY);
    inscan
}

pub(super) fn run(arguments: &[&str]) -> Output {
    inscan(arguments).output().unwrap()
}

/// Ends with the code, and says the words on stderr.
#[track_caller]
pub(super) fn ends(arguments: &[&str], code: i32, words: &[&str]) {
    inscan(arguments).run().ends(code).says(words);
}

/// What it prints, with this exit code.
#[track_caller]
pub(super) fn printed(arguments: &[&str], code: i32) -> String {
    inscan(arguments).run().ends(code).stdout
}

pub(super) fn json(arguments: &[&str], code: i32) -> Value {
    serde_json::from_str(&printed(arguments, code)).unwrap()
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(super) fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The analysis document of the demonstration's image.
pub(super) fn document(folder: &Path) -> PathBuf {
    file(folder, "document.json", printed(&["analyze", "-q", IMAGE], 0))
}
