//! The key that entries are sealed with. Whoever may write in the cache but does not have the
//! key can make no entry that is believed.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use aws_lc_rs::{hmac, rand};
use inscan_facts::digest::{Sha256, hex};
use rustix::fs::OFlags;

/// Shorter texts can be guessed.
const MIN_TEXT: usize = 16;

/// For HMAC-SHA256. It is in no message.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// Made of a text that only those know who may fill the cache.
    ///
    /// # Errors
    /// The text is too short.
    pub fn of_text(text: &str) -> io::Result<Key> {
        if text.len() < MIN_TEXT {
            return Err(io::Error::other(format!("the key is shorter than {MIN_TEXT} characters")));
        }
        let digest = Sha256::of(["inscan layer cache\0", text].concat().as_bytes());
        Ok(Key(hmac::Key::new(hmac::HMAC_SHA256, &digest.0)))
    }

    /// Of a file that is this user's alone; made where it is not there yet.
    ///
    /// # Errors
    /// It cannot be read or made, or others may read it, or it lies in a checkout, where others
    /// may have put it.
    pub fn in_file(path: &Path) -> io::Result<Key> {
        if let Some(checkout) = checkout(path) {
            let place = checkout.display();
            return Err(io::Error::other(format!("its key would lie in the checkout `{place}`")));
        }
        match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            read => return read,
        }
        read(path)
    }

    pub(super) fn sealing(&self) -> hmac::Context {
        hmac::Context::with_key(&self.0)
    }
}

fn read(path: &Path) -> io::Result<Key> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    let is_ours = metadata.is_file() && metadata.uid() == rustix::process::geteuid().as_raw();
    if !is_ours || metadata.mode() & 0o077 != 0 {
        let what = "is not this user's alone (it has to be a file of mode 0600)";
        return Err(io::Error::other(format!("`{}` {what}", path.display())));
    }
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text)?;
    Key::of_text(text.trim())
}

/// Whoever is first makes it for all.
fn make(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("there are no random numbers"))?;
    // Of mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", hex(&bytes))?;
    match file.persist_noclobber(path) {
        Err(failed) if failed.error.kind() != io::ErrorKind::AlreadyExists => Err(failed.error),
        _ => Ok(()),
    }
}

/// The checkout that a path lies in, if it lies in one.
fn checkout(path: &Path) -> Option<&Path> {
    let directories = path.ancestors().skip(1);
    directories.into_iter().find(|directory| fs::symlink_metadata(directory.join(".git")).is_ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_believed_while_it_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("new/cache.key");
        let seal = |key: Key| key.sealing().sign().as_ref().to_vec();
        let first = seal(Key::in_file(&place).unwrap());
        assert_eq!(seal(Key::in_file(&place).unwrap()), first);
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Key::in_file(&place).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&place, &link).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(Key::in_file(&link).is_err());
        fs::create_dir(folder.path().join(".git")).unwrap();
        assert!(Key::in_file(&place).is_err());
    }

    #[test]
    fn a_text_is_a_key_unless_it_can_be_guessed() {
        assert!(Key::of_text("short").is_err());
        assert!(Key::of_text("a long text of the CI's own").is_ok());
    }
}
