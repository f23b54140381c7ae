//! Contents by the sha256 of what they are, compressed. The database says which there are: a
//! content is written before its row is, and is removed a day after its last row went.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};

use crate::{Error, Millis, Result, Tx, values};

/// A quarter of gzip's time for two thirds of its size, for documents.
const LEVEL: i32 = 3;
/// Who writes a content and then its row has this long.
const YOUNG: Duration = Duration::from_secs(24 * 3600);

/// A folder of contents.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
}

/// A content that is kept and has no row yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlob {
    /// Hex digits of the sha256.
    pub digest: String,
    /// In bytes, as it is.
    pub size: i64,
    /// In bytes, as it is kept.
    pub stored: i64,
}

impl NewBlob {
    /// Says that it is there. To be done in the unit of work that needs it.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn keep(&self, tx: &Tx<'_>, now: Millis) -> Result<()> {
        tx.run(
            "INSERT INTO blob (digest, size, stored, made_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (digest) DO UPDATE SET made_at = excluded.made_at",
            values![&self.digest, self.size, self.stored, now],
        )
        .map(drop)
    }
}

impl Blobs {
    /// # Errors
    /// Where the folder is not there and cannot be made.
    pub fn open(folder: &Path) -> Result<Blobs> {
        fs::create_dir_all(folder)
            .map_err(Error::io(format!("cannot make `{}`", folder.display())))?;
        Ok(Blobs { folder: folder.to_owned() })
    }

    fn path(&self, digest: &str) -> Result<PathBuf> {
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        match digest.get(..2) {
            Some(start) if is_digest => Ok(self.folder.join(start).join(format!("{digest}.zst"))),
            _ => Err(Error::NoBlob(digest.chars().take(80).collect())),
        }
    }

    /// Keeps a content. Where it is there already, nothing is written.
    ///
    /// # Errors
    /// Where it cannot be read, or the folder cannot be written.
    pub fn put(&self, content: &mut dyn Read) -> Result<NewBlob> {
        let cannot = || format!("cannot write below `{}`", self.folder.display());
        let beside = tempfile::NamedTempFile::new_in(&self.folder).map_err(Error::io(cannot()))?;
        let mut hash = Context::new(&SHA256);
        let mut size: i64 = 0;
        let mut packed = zstd::Encoder::new(beside, LEVEL).map_err(Error::io(cannot()))?;
        packed.include_checksum(true).map_err(Error::io(cannot()))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match content.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(Error::io("cannot read what is to be kept"))?,
            };
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            hash.update(bytes);
            size += i64::try_from(read).unwrap_or_default();
            packed.write_all(bytes).map_err(Error::io(cannot()))?;
        }
        let file = packed.finish().map_err(Error::io(cannot()))?;
        let digest = hex(hash.finish().as_ref());
        let stored = file.as_file().metadata().map_err(Error::io(cannot()))?.len();
        let blob = NewBlob { digest, size, stored: i64::try_from(stored).unwrap_or(i64::MAX) };
        let path = self.path(&blob.digest)?;
        if touch(&path) {
            return Ok(blob);
        }
        self.place(file, &path).map_err(Error::io(cannot()))?;
        Ok(blob)
    }

    /// Whole or not at all, also after a power failure.
    fn place(&self, file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder)?.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }

    /// Reads a content of at most `most` bytes.
    ///
    /// # Errors
    /// Where it is not there, is damaged or is larger.
    pub fn get(&self, digest: &str, most: u64) -> Result<Vec<u8>> {
        let file = File::open(self.path(digest)?).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoBlob(digest.to_owned()),
            _ => Error::io(format!("cannot read the content {digest}"))(error),
        })?;
        let damaged = |_| Error::BlobDamaged(digest.to_owned());
        let mut content = Vec::new();
        let unpacked = zstd::Decoder::new(file).map_err(damaged)?;
        unpacked.take(most + 1).read_to_end(&mut content).map_err(damaged)?;
        match content.len() as u64 > most {
            true => Err(Error::BlobDamaged(digest.to_owned())),
            false => Ok(content),
        }
    }

    /// Removes the contents that no row names. Returns how many, and their bytes.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn collect(&self, is_named: &dyn Fn(&str) -> Result<bool>) -> Result<(u64, u64)> {
        let cannot = || format!("cannot read `{}`", self.folder.display());
        let (mut count, mut bytes) = (0, 0);
        for folder in fs::read_dir(&self.folder).map_err(Error::io(cannot()))? {
            let folder = folder.map_err(Error::io(cannot()))?.path();
            if !folder.is_dir() {
                continue;
            }
            for file in fs::read_dir(&folder).map_err(Error::io(cannot()))? {
                let file = file.map_err(Error::io(cannot()))?;
                let Ok(about) = file.metadata() else { continue };
                let name = file.file_name().to_string_lossy().into_owned();
                let Some(digest) = name.strip_suffix(".zst") else { continue };
                if is_young(&about) || is_named(digest)? {
                    continue;
                }
                if fs::remove_file(file.path()).is_ok() {
                    count += 1;
                    bytes += about.len();
                }
            }
        }
        Ok((count, bytes))
    }
}

/// Whether it is there; then its day begins again.
fn touch(path: &Path) -> bool {
    File::options().append(true).open(path).is_ok_and(|file| {
        let _ = file.set_modified(SystemTime::now());
        true
    })
}

fn is_young(about: &fs::Metadata) -> bool {
    let age = about.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_none_or(|age| age < YOUNG)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&folder.path().join("contents")).unwrap();
        (folder, blobs)
    }

    #[test]
    fn the_same_content_is_kept_once() {
        let (_folder, blobs) = blobs();
        let first = blobs.put(&mut &b"some content"[..]).unwrap();
        assert_eq!(first.size, 12);
        assert_eq!(blobs.put(&mut &b"some content"[..]).unwrap().digest, first.digest);
        assert_eq!(blobs.get(&first.digest, 12).unwrap(), b"some content");
        assert!(matches!(blobs.get(&first.digest, 11), Err(Error::BlobDamaged(_))));
        assert!(matches!(blobs.get(&"0".repeat(64), 9), Err(Error::NoBlob(_))));
        assert!(matches!(blobs.get("../../etc/passwd", 9), Err(Error::NoBlob(_))));
    }

    #[test]
    fn what_is_damaged_is_told() {
        let (_folder, blobs) = blobs();
        let blob = blobs.put(&mut &b"some content"[..]).unwrap();
        let path = blobs.path(&blob.digest).unwrap();
        let mut kept = fs::read(&path).unwrap();
        *kept.last_mut().unwrap() ^= 1;
        fs::write(&path, kept).unwrap();
        assert!(matches!(blobs.get(&blob.digest, 99), Err(Error::BlobDamaged(_))));
    }

    #[test]
    fn what_nobody_names_goes_after_a_day() {
        let (_folder, blobs) = blobs();
        let [named, old, young] =
            ["named", "old", "young"].map(|text| blobs.put(&mut text.as_bytes()).unwrap().digest);
        let long_ago = SystemTime::now() - 2 * YOUNG;
        for digest in [&named, &old] {
            let file = File::options().append(true).open(blobs.path(digest).unwrap()).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        let (count, _) = blobs.collect(&|digest| Ok(digest == named)).unwrap();
        assert_eq!(count, 1);
        assert!(blobs.get(&old, 9).is_err());
        assert!(blobs.get(&named, 9).is_ok() && blobs.get(&young, 9).is_ok());
    }
}
