//! Judging through the binary: exit codes, what a person must find in what is shown, and
//! reports as files.

mod exceptions;
mod html;
mod reports;
mod shown;
mod verdicts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) const IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images/demo.oci.tar");
pub(crate) const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vulndb/demo.db");

/// The binary with the arguments, far from the settings and databases of whoever runs the tests.
pub(crate) fn inscan(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inscan"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INSCAN_") {
            command.env_remove(name);
        }
    }
    command
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_DATA_HOME", "/nonexistent")
        .env("INSCAN_NO_CACHE", "true")
        .env("NO_COLOR", "1")
        .env("SOURCE_DATE_EPOCH", "1767323045")
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    inscan(arguments).output().unwrap()
}

/// Ends with the code, and says the words on stderr.
#[track_caller]
pub(crate) fn ends(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    for word in words {
        assert!(errors.contains(word), "{arguments:?}: no `{word}` in: {errors}");
    }
}

/// What it prints, with this exit code.
#[track_caller]
pub(crate) fn printed(arguments: &[&str], code: i32) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn json(arguments: &[&str], code: i32) -> Value {
    serde_json::from_str(&printed(arguments, code)).unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The analysis document of the demonstration's image.
pub(crate) fn document(folder: &Path) -> PathBuf {
    file(folder, "document.json", printed(&["analyze", "-q", IMAGE], 0))
}
