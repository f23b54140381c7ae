//! Runs of the binary under the legacy scanner's names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images/demo.oci.tar");
pub(crate) const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vulndb/demo.db");
/// What the image is.
pub(crate) const DIGEST: &str =
    "sha256:5cc94a52ecc8fbc5f760b985d1657f41986b7f4fc6153200f5cd8a7546451491";
pub(crate) const ID: &str = "71670a36d254f4265f9b3947965f40ac237dcd8b0f928946589dbbf9e4815834";

/// A place for one test: with links to the binary, and a `TMP_PATH`.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        for name in ["sysdig-inline-scan.sh", "inline_scan.sh"] {
            symlink(env!("CARGO_BIN_EXE_inscan"), directory.path().join(name)).unwrap();
        }
        Place { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Far from the settings of whoever runs the tests.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path(program));
        command.args(arguments).current_dir(self.directory.path());
        let ours = ["INSCAN_", "SYSDIG_", "TMP_PATH", "http_proxy", "https_proxy"];
        for (name, _) in std::env::vars_os() {
            if ours.iter().any(|begin| name.to_string_lossy().starts_with(begin)) {
                command.env_remove(name);
            }
        }
        command
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .env("XDG_DATA_HOME", "/nonexistent")
            .env("INSCAN_NO_CACHE", "true")
            .env("SOURCE_DATE_EPOCH", "1767323045")
            .env("TMP_PATH", self.path("tmp"))
            .stdin(Stdio::null());
        command
    }

    /// Of the second generation.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command("sysdig-inline-scan.sh", arguments))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("tmp/logs/info.log")).unwrap_or_default()
    }

    /// Everything that was left behind.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn below(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    below(&path, files);
                } else {
                    files.push((path.clone(), fs::read(&path).unwrap()));
                }
            }
        }
        let mut files = Vec::new();
        below(self.directory.path(), &mut files);
        files
    }
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(mut command: Command) -> Run {
        let Output { status, stdout, stderr } = command.output().unwrap();
        Run {
            code: status.code().unwrap(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// One line of JSON on stdout, and nothing on stderr.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        assert_eq!(self.stderr, "", "{self:?}");
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Run {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}
