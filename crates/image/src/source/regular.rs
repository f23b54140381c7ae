//! Opening a file that somebody named: it may be a pipe that nobody writes to, or a device.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

use inscan_facts::error::{shown, usage};

/// Opens a regular file; `None` where there is none. Never waits.
pub(super) fn open_regular(path: &Path) -> anyhow::Result<Option<File>> {
    let name = || shown(path.as_os_str().as_encoded_bytes());
    let without_waiting = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(without_waiting).open(path) {
        Ok(file) => file,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("could not open `{}`", name())),
    };
    if !file.metadata()?.is_file() {
        return Err(usage(format!(
            "`{}` is not a regular file; to read an image from a pipe, give `-` and the pipe as standard input",
            name()
        )));
    }
    Ok(Some(file))
}
