//! What the tests are made of: the oracle's samples, an archive to send, the program.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

pub(super) use inscan_test_support::IMAGE as DEMO;
use inscan_test_support::Inscan;
use inscan_test_support::oracle::oracle;

use super::stand_in::{Behaviour, Served, TOKEN};
pub(super) const TAG: &str = "registry.example/team/demo:1.0";

/// A stand-in, where the samples are there.
pub(super) fn served(behaviour: Behaviour) -> Option<Served> {
    Some(Served::start(&oracle()?, behaviour))
}

/// inscan that is patient with a backend for a moment only.
pub(super) fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("INSCAN_NO_CACHE", "true").env("SOURCE_DATE_EPOCH", "1795343001");
    inscan.env("INSCAN_RETRIES", "1").env("INSCAN_POLL_INTERVAL", "0.01");
    inscan
}

/// `inscan upload` of the demo image with the right token.
pub(super) fn upload(served: &Served, more: &[&str]) -> Inscan {
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
pub(super) fn ends(mut command: Inscan, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(&output), stderr(&output));
    output
}
