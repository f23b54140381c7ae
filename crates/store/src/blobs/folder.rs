//! Contents in a folder: whole or not at all, also after a power failure.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{About, digest_of, name};
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Folder> {
        fs::create_dir_all(folder)
            .map_err(Error::io(format!("cannot make `{}`", folder.display())))?;
        Ok(Folder(folder.to_owned()))
    }

    pub(super) fn shown(&self) -> String {
        self.0.display().to_string()
    }

    fn path(&self, digest: &str) -> Result<PathBuf> {
        Ok(self.0.join(name(digest)?))
    }

    pub(super) fn about(&self, digest: &str) -> Result<Option<About>> {
        match fs::metadata(self.path(digest)?) {
            Ok(about) => Ok(Some(About::of(&about))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format!("cannot read the content {digest}"))(error)),
        }
    }

    pub(super) fn place(&self, file: tempfile::NamedTempFile, digest: &str) -> Result<()> {
        let path = self.path(digest)?;
        let folder = path.parent().unwrap_or(&self.0);
        let placed = (|| {
            fs::create_dir_all(folder)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(folder)?.sync_all()?;
            File::open(&self.0)?.sync_all()
        })();
        placed.map_err(Error::io(format!("cannot write below `{}`", self.0.display())))
    }

    pub(super) fn read(&self, digest: &str) -> Result<File> {
        File::open(self.path(digest)?).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoBlob(digest.to_owned()),
            _ => Error::io(format!("cannot read the content {digest}"))(error),
        })
    }

    pub(super) fn remove(&self, digest: &str) -> Result<()> {
        match fs::remove_file(self.path(digest)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("cannot remove the content {digest}"))(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn each(&self, tell: &mut dyn FnMut(&str, About) -> bool) -> Result<()> {
        let cannot = || format!("cannot read `{}`", self.0.display());
        for folder in fs::read_dir(&self.0).map_err(Error::io(cannot()))? {
            let folder = folder.map_err(Error::io(cannot()))?;
            if !folder.path().is_dir() {
                continue;
            }
            let above = folder.file_name();
            for file in fs::read_dir(folder.path()).map_err(Error::io(cannot()))? {
                let file = file.map_err(Error::io(cannot()))?;
                let Ok(about) = file.metadata() else { continue };
                let name = Path::new(&above).join(file.file_name());
                let digest = name.to_str().and_then(digest_of);
                if digest.is_some_and(|digest| !tell(digest, About::of(&about))) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl About {
    /// One without a time is as if it were of now: it is left alone.
    fn of(about: &fs::Metadata) -> About {
        let written = about.modified().unwrap_or_else(|_| SystemTime::now());
        let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
        let written_at = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        About { stored: about.len(), written_at }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::{Blobs, Contents, Place, Store};

    fn blobs() -> (tempfile::TempDir, Store, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Place::Folder(folder.path().to_owned()), &[]).unwrap();
        let contents = Contents::Folder(folder.path().join("contents"));
        let blobs = Blobs::open(&contents, folder.path()).unwrap();
        (folder, store, blobs)
    }

    fn path(folder: &tempfile::TempDir, digest: &str) -> PathBuf {
        folder.path().join("contents").join(name(digest).unwrap())
    }

    #[test]
    fn the_same_content_is_kept_once() {
        let (_folder, store, blobs) = blobs();
        let first = blobs.put(&store, &mut &b"some content"[..]).unwrap();
        assert_eq!(first.size, 12);
        assert_eq!(blobs.put(&store, &mut &b"some content"[..]).unwrap().digest, first.digest);
        assert_eq!(blobs.get(&first.digest, 12).unwrap(), b"some content");
        assert!(matches!(blobs.get(&first.digest, 11), Err(Error::BlobDamaged(_))));
        assert!(matches!(blobs.get(&"0".repeat(64), 9), Err(Error::NoBlob(_))));
        assert!(matches!(blobs.get("../../etc/passwd", 9), Err(Error::NoBlob(_))));
    }

    #[test]
    fn what_is_damaged_or_something_else_is_told() {
        let (folder, store, blobs) = blobs();
        let blob = blobs.put(&store, &mut &b"some content"[..]).unwrap();
        let path = path(&folder, &blob.digest);
        let mut kept = fs::read(&path).unwrap();
        *kept.last_mut().unwrap() ^= 1;
        fs::write(&path, kept).unwrap();
        assert!(matches!(blobs.get(&blob.digest, 99), Err(Error::BlobDamaged(_))));
        fs::write(&path, zstd::encode_all(&b"another one"[..], 3).unwrap()).unwrap();
        assert!(matches!(blobs.get(&blob.digest, 99), Err(Error::BlobDamaged(_))));
    }

    #[test]
    fn what_nobody_names_goes_after_a_day() {
        let (folder, store, blobs) = blobs();
        let [named, old, young, again] = ["named", "old", "young", "again"]
            .map(|text| blobs.put(&store, &mut text.as_bytes()).unwrap().digest);
        for digest in [&named, &old, &again] {
            let file = File::options().append(true).open(path(&folder, digest)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(48 * 3600)).unwrap();
        }
        // Somebody relies on it from now on, though no row names it yet.
        blobs.put(&store, &mut &b"again"[..]).unwrap();
        let of_named = |_: &crate::Tx<'_>, asked: &str| {
            Ok(HashSet::from([named.clone()]).into_iter().filter(|it| asked.contains(it)).collect())
        };
        assert_eq!(blobs.collect(&store, &of_named).unwrap().0, 1);
        assert!(matches!(blobs.get(&old, 9), Err(Error::NoBlob(_))));
        for digest in [&named, &young, &again] {
            assert!(blobs.get(digest, 9).is_ok());
        }
        let old = blobs.put(&store, &mut &b"old"[..]).unwrap();
        assert_eq!(blobs.get(&old.digest, 9).unwrap(), b"old");
    }

    #[test]
    fn a_check_reads_all_contents() {
        let (folder, store, blobs) = blobs();
        for text in ["whole", "damaged", "missing"] {
            let blob = blobs.put(&store, &mut text.as_bytes()).unwrap();
            store.write(|tx| blob.keep(tx, 1)).unwrap();
            match text {
                "damaged" => fs::write(path(&folder, &blob.digest), "nonsense").unwrap(),
                "missing" => fs::remove_file(path(&folder, &blob.digest)).unwrap(),
                _ => {}
            }
        }
        blobs.put(&store, &mut &b"an orphan"[..]).unwrap();
        let checked = blobs.check(&store, &mut |_| {}).unwrap();
        assert_eq!((checked.whole, checked.bytes, checked.wrong.len()), (1, 5, 2));
        assert_eq!(checked.orphans, 1);
    }
}
