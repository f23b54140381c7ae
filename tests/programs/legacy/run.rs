//! Runs of the binary under the legacy scanner's names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

pub(super) use inscan_test_support::{DATABASE, IMAGE as DEMO};
use inscan_test_support::{DEMO_DAY, Inscan, Run};
use tempfile::TempDir;

/// What the image is.
pub(super) const DIGEST: &str =
    "sha256:5cc94a52ecc8fbc5f760b985d1657f41986b7f4fc6153200f5cd8a7546451491";
pub(super) const ID: &str = "71670a36d254f4265f9b3947965f40ac237dcd8b0f928946589dbbf9e4815834";

/// A place for one test: with links to the binary, and a `TMP_PATH`.
pub(super) struct Place {
    pub(super) directory: TempDir,
}

impl Place {
    pub(super) fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        for name in ["sysdig-inline-scan.sh", "inline_scan.sh"] {
            symlink(crate::BINARY, directory.path().join(name)).unwrap();
        }
        Place { directory }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// One of the programs, in this place.
    pub(super) fn command(&self, program: &str, arguments: &[&str]) -> Inscan {
        let mut command = Inscan::new(self.path(program));
        command.args(arguments).current_dir(self.directory.path());
        command.env("INSCAN_NO_CACHE", "true").env("SOURCE_DATE_EPOCH", DEMO_DAY);
        command.env("TMP_PATH", self.path("tmp"));
        command
    }

    /// Of the second generation.
    pub(super) fn run(&self, arguments: &[&str]) -> Run {
        self.command("sysdig-inline-scan.sh", arguments).run()
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path("tmp/logs/info.log")).unwrap_or_default()
    }

    /// Everything that was left behind.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
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
