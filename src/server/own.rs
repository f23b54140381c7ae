//! The folder of one process below that for temporary files, which several processes may share.
//! What one left behind that ended in the middle is removed by the next one that starts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::ids;

/// A folder, and the lock that says that somebody is there.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) folder: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Own {
    /// Makes one below `all`, where nobody makes or removes another at the same time.
    pub(crate) fn make(all: &Path) -> io::Result<Own> {
        let one_at_a_time = File::create(all.join("lock"))?;
        one_at_a_time.lock()?;
        remove_left(all)?;
        let name = ids::uuid();
        let lock = all.join(format!("{name}.lock"));
        let held = File::create(&lock)?;
        held.lock()?;
        let folder = all.join(name);
        fs::create_dir(&folder)?;
        Ok(Own { folder, lock, _held: held })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock);
    }
}

fn remove_left(all: &Path) -> io::Result<()> {
    for entry in fs::read_dir(all)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == "lock") {
            continue;
        }
        let lock = path.with_extension("lock");
        let is_held = File::open(&lock).is_ok_and(|lock| lock.try_lock().is_err());
        if !is_held {
            // Another's file that cannot be removed is in nobody's way.
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_goes_and_what_is_used_stays() {
        let all = tempfile::tempdir().unwrap();
        let left = all.path().join("left");
        fs::create_dir(&left).unwrap();
        fs::write(all.path().join("left.lock"), "").unwrap();
        let one = Own::make(all.path()).unwrap();
        assert!(!left.exists() && one.folder.is_dir());
        let other = Own::make(all.path()).unwrap();
        assert!(one.folder.is_dir() && other.folder.is_dir());
        drop(one);
        assert_eq!(fs::read_dir(all.path()).unwrap().count(), 3);
    }
}
