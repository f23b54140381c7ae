//! Files of the cache: their names, and how they come to be.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::frame::{Head, Kind};
use crate::interrupt;

/// All of the layer cache, within the directory that is inscan's.
pub(super) const LAYERS: &str = "layers";
/// How a file begins that is being written.
pub(super) const UNFINISHED: &str = ".new-";

pub(super) fn name(head: &Head) -> String {
    match head.kind {
        Kind::Layer => head.of.hex(),
        Kind::Blob => format!("{}.blob", head.of.hex()),
    }
}

/// What is written here is believed later: not where others may write. A directory need not be there.
pub(super) fn check(directory: &Path) -> io::Result<()> {
    match fs::symlink_metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        Ok(metadata) => is_ours(&metadata),
    }
}

/// This user's or root's, and nobody else may write it.
fn is_ours(metadata: &Metadata) -> io::Result<()> {
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    match metadata.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(io::Error::other("others may write there; take that away with `chmod go-w`")),
    }
}

/// Makes the directories that are missing: nobody else may look into them, since content
/// of images is in them.
pub(super) fn make(root: &Path, directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let is_new = !root.is_dir();
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    if is_new {
        // Backups pass over a directory with this file: https://bford.info/cachedir/
        let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# Layers that inscan has read.\n";
        put(&root.join("CACHEDIR.TAG"), u64::MAX, |file| file.write_all(tag.as_bytes()))?;
    }
    Ok(())
}

/// Opens a regular file that is ours, without following a link or ever waiting, as a pipe would
/// have it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    is_ours(&metadata)?;
    Ok(file)
}

/// Writes a file whole or not at all, and says how long it is. One of more than `most`
/// bytes is not kept.
pub(super) fn put(
    place: &Path,
    most: u64,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<u64> {
    let directory = place.parent().unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new().prefix(UNFINISHED).make_in(directory, |path| {
        interrupt::unfinished(path);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        file.inspect_err(|_| interrupt::finished(path))
    })?;
    let path = temporary.path().to_owned();
    let written = (|| {
        let mut file = BufWriter::with_capacity(64 << 10, temporary.as_file());
        content(&mut file)?;
        file.flush()?;
        drop(file);
        let len = temporary.as_file().metadata()?.len();
        if len > most {
            return Ok(0);
        }
        temporary.persist(place).map_err(|failed| failed.error)?;
        Ok(len)
    })();
    interrupt::finished(&path);
    written
}
