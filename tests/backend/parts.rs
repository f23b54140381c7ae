//! What the tests are made of: the oracle's samples, an archive to send, the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use super::stand_in::{Behaviour, Served, TOKEN};
use crate::oracle_data::oracle;

pub(super) const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images/demo.oci.tar");
pub(super) const TAG: &str = "registry.example/team/demo:1.0";

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
