//! What the tests are made of: the oracle's samples, an archive to send, the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use super::stand_in::{Behaviour, Served, TOKEN};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
pub(super) const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images/demo.oci.tar");
pub(super) const TAG: &str = "registry.example/team/demo:1.0";

/// The unpacked archive of the engine's real output, which is not part of the repository:
/// without it (`../shared`, or where `INSCAN_SHARED` says) tests say that they are skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(super) fn oracle() -> Option<PathBuf> {
    let shared = std::env::var_os("INSCAN_SHARED")
        .map_or_else(|| Path::new(ROOT).join("../shared"), PathBuf::from);
    let archive = shared.join("oracle.tar.xz");
    if !archive.exists() {
        eprintln!("skipped: there is no {}", archive.display());
        return None;
    }
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    let unpacked = UNPACKED.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-backend");
        let done = target.join("unpacked");
        if !done.exists() {
            fs::create_dir_all(&target).unwrap();
            let mut tar = Command::new("tar");
            tar.arg("-xJf").arg(&archive).arg("-C").arg(&target);
            tar.args(["oracle/http-samples", "oracle/images/alpine-37"]);
            assert!(tar.status().unwrap().success(), "could not unpack {}", archive.display());
            fs::write(&done, "").unwrap();
        }
        target.join("oracle")
    });
    Some(unpacked.clone())
}

/// A stand-in, where the samples are there.
pub(super) fn served(behaviour: Behaviour) -> Option<Served> {
    Some(Served::start(&oracle()?, behaviour))
}

/// inscan with nothing of the user's own settings and tokens.
pub(super) fn inscan(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inscan"));
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", "/nonexistent").env("INSCAN_NO_CACHE", "true");
    command.env("INSCAN_RETRIES", "1").env("INSCAN_POLL_INTERVAL", "0.01");
    command.env("SOURCE_DATE_EPOCH", "1795343001").stdin(Stdio::null());
    command
}

/// `inscan upload` of the demo image with the right token.
pub(super) fn upload(served: &Served, more: &[&str]) -> Command {
    let url = served.url();
    let mut command = inscan(&["upload", DEMO, "--tag", TAG, "--url", &url]);
    command.args(more).env("INSCAN_TOKEN", TOKEN);
    command
}

/// The archive of the demo image, in a file that is made once.
pub(super) fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("backend-demo.tgz");
        let output = format!("archive={}", path.display());
        let status = inscan(&["archive", DEMO, "--tag", TAG, "--quiet", "-o", &output]).status();
        assert!(status.unwrap().success());
        path
    })
}

pub(super) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(super) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A run that has to end so; what it said.
#[track_caller]
pub(super) fn ends(mut command: Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    output
}
