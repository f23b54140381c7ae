//! Contents by the sha256 of what they are, compressed: in a folder, or in a bucket of object
//! storage. The database says which there are: a content is written before its row is, and is
//! removed a day after its last row went.
//!
//! Who removes one condemns it first, in its row, and who puts one that is condemned waits until
//! it is gone: so a content is never removed between being found and being named.

#[cfg(feature = "s3")]
mod bucket;
mod folder;

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::json;

#[cfg(feature = "s3")]
use self::bucket::Bucket;
#[cfg(feature = "s3")]
pub use self::bucket::{BucketPlace, Credentials, Usual};
use self::folder::Folder;
use crate::store::now;
use crate::{Error, Millis, Result, Store, Tx, values};

/// A quarter of gzip's time for two thirds of its size, for documents.
const LEVEL: i32 = 3;
/// Who writes a content and then its row has this long.
const YOUNG: Millis = 24 * 3600 * 1000;
/// One that was condemned so long ago was forgotten by whoever did it.
const CONDEMNED: Millis = 10 * 60 * 1000;
/// Contents that are asked about at once.
const PIECE: usize = 500;
/// How often a damaged or broken answer of object storage is asked for again.
#[cfg(feature = "s3")]
const READS: u32 = 4;

/// Where contents are.
#[derive(Clone, Debug)]
pub enum Contents {
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    Bucket(Box<BucketPlace>),
}

/// All contents.
#[derive(Debug)]
pub struct Blobs {
    kept: Kept,
    /// For what is not yet complete.
    temporary: PathBuf,
}

#[derive(Debug)]
enum Kept {
    Folder(Folder),
    #[cfg(feature = "s3")]
    Bucket(Box<Bucket>),
}

/// What is known of a content without reading it.
#[derive(Clone, Copy, Debug)]
struct About {
    stored: u64,
    written_at: Millis,
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

/// What [`Blobs::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub whole: u64,
    pub bytes: u64,
    /// Digests, each with what is wrong.
    pub wrong: Vec<(String, String)>,
    /// There, and without a row: leftovers, which are removed after a day.
    pub orphans: u64,
}

impl NewBlob {
    /// Says that it is there. To be done in the unit of work that needs it.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn keep(&self, tx: &Tx<'_>, now: Millis) -> Result<()> {
        tx.run(
            "INSERT INTO blob (digest, size, stored, made_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (digest) DO UPDATE SET size = excluded.size, stored = excluded.stored, made_at = excluded.made_at",
            values![&self.digest, self.size, self.stored, now],
        )
        .map(drop)
    }

    /// Begins its day anew, before its contents are relied upon. False: it is being removed.
    fn claim(&self, tx: &Tx<'_>, now: Millis) -> Result<bool> {
        let changed = tx.run(
            "INSERT INTO blob (digest, size, stored, made_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (digest) DO UPDATE SET made_at = excluded.made_at \
             WHERE blob.made_at >= 0 OR -blob.made_at < CAST($5 AS BIGINT)",
            values![&self.digest, self.size, self.stored, now, now - CONDEMNED],
        )?;
        Ok(changed == 1)
    }

    fn is_condemned(&self, tx: &Tx<'_>, now: Millis) -> Result<bool> {
        let row = tx.row(
            "SELECT 1 FROM blob WHERE digest = $1 AND made_at < 0 AND -made_at >= CAST($2 AS BIGINT)",
            values![&self.digest, now - CONDEMNED],
        )?;
        Ok(row.is_some())
    }
}

impl Blobs {
    /// `temporary` is for what is not yet complete; a folder of contents has its own place for it.
    ///
    /// # Errors
    /// Where the folder is not there and cannot be made, or the bucket cannot be used.
    #[cfg_attr(not(feature = "s3"), expect(unused_variables, reason = "a folder is its own place"))]
    pub fn open(contents: &Contents, temporary: &Path) -> Result<Blobs> {
        let temporary = match contents {
            Contents::Folder(folder) => folder.clone(),
            #[cfg(feature = "s3")]
            Contents::Bucket(_) => temporary.to_owned(),
        };
        let kept = match contents {
            Contents::Folder(folder) => Kept::Folder(Folder::open(folder)?),
            #[cfg(feature = "s3")]
            Contents::Bucket(place) => Kept::Bucket(Box::new(Bucket::open(place)?)),
        };
        Ok(Blobs { kept, temporary })
    }

    /// Keeps a content. Where it is there already, nothing is written.
    ///
    /// # Errors
    /// Where it cannot be read, or the place cannot be written.
    pub fn put(&self, store: &Store, content: &mut dyn Read) -> Result<NewBlob> {
        let (file, blob) = self.packed(content)?;
        // For as long as its removal may take.
        for _ in 0..300 {
            let is_there = self.kept.about(&blob.digest)?.is_some();
            let is_free = match is_there {
                true => store.write(|tx| blob.claim(tx, now()))?,
                false => !store.read(|tx| blob.is_condemned(tx, now()))?,
            };
            if !is_free {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            if !is_there || self.kept.about(&blob.digest)?.is_none() {
                self.kept.place(file, &blob)?;
            }
            return Ok(blob);
        }
        Err(Error::BlobGoes(blob.digest))
    }

    /// Compressed in a file of its own, with what it is.
    fn packed(&self, content: &mut dyn Read) -> Result<(tempfile::NamedTempFile, NewBlob)> {
        let cannot = || format!("cannot write below `{}`", self.temporary.display());
        let beside =
            tempfile::NamedTempFile::new_in(&self.temporary).map_err(Error::io(cannot()))?;
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
        let stored = i64::try_from(stored).unwrap_or(i64::MAX);
        Ok((file, NewBlob { digest, size, stored }))
    }

    /// Reads a content of at most `most` bytes, and holds it against its digest.
    ///
    /// # Errors
    /// Where it is not there, is damaged or is larger.
    pub fn get(&self, digest: &str, most: u64) -> Result<Vec<u8>> {
        let mut reads = 1;
        loop {
            match self.read(digest, most) {
                Err(error) if reads < self.kept.reads() && !matches!(error, Error::NoBlob(_)) => {
                    thread::sleep(Duration::from_millis(100 << reads));
                    reads += 1;
                }
                done => return done,
            }
        }
    }

    fn read(&self, digest: &str, most: u64) -> Result<Vec<u8>> {
        let stored = self.kept.open(digest)?;
        let damaged = |error: io::Error| match of_connection(&error) {
            Some(told) => Error::Objects(told),
            None => Error::BlobDamaged(digest.to_owned()),
        };
        let mut content = Vec::new();
        let unpacked = zstd::Decoder::new(stored).map_err(damaged)?;
        unpacked.take(most.saturating_add(1)).read_to_end(&mut content).map_err(damaged)?;
        let is_whole = content.len() as u64 <= most
            && hex(aws_lc_rs::digest::digest(&SHA256, &content).as_ref()) == digest;
        is_whole.then_some(content).ok_or_else(|| Error::BlobDamaged(digest.to_owned()))
    }

    /// Removes the contents that no row names. `named` says which of some digests (a list in JSON)
    /// are. Returns how many were removed, and their bytes.
    ///
    /// # Errors
    /// Where the place cannot be read, or the database refuses.
    pub fn collect(
        &self,
        store: &Store,
        named: &dyn Fn(&Tx<'_>, &str) -> Result<HashSet<String>>,
    ) -> Result<(u64, u64)> {
        let (mut count, mut bytes) = (0, 0);
        let mut old = Vec::new();
        let mut all = Ok(());
        self.kept.each(&mut |digest, about| {
            if about.is_old() {
                old.push(digest.to_owned());
            }
            if old.len() >= PIECE {
                all = self.collect_some(
                    store,
                    named,
                    &std::mem::take(&mut old),
                    &mut count,
                    &mut bytes,
                );
            }
            all.is_ok()
        })?;
        all?;
        self.collect_some(store, named, &old, &mut count, &mut bytes)?;
        Ok((count, bytes))
    }

    fn collect_some(
        &self,
        store: &Store,
        named: &dyn Fn(&Tx<'_>, &str) -> Result<HashSet<String>>,
        digests: &[String],
        count: &mut u64,
        bytes: &mut u64,
    ) -> Result<()> {
        let named_of = |tx: &Tx<'_>, digests: &[String]| named(tx, &json!(digests).to_string());
        let kept = store.read(|tx| named_of(tx, digests))?;
        for digest in digests.iter().filter(|digest| !kept.contains(*digest)) {
            let at = now();
            let condemned = store.write(|tx| {
                let is_named = !named_of(tx, std::slice::from_ref(digest))?.is_empty();
                if is_named { Ok(false) } else { condemn(tx, digest, at) }
            })?;
            if !condemned {
                continue;
            }
            if let Some(about) = self.kept.about(digest)?.filter(About::is_old) {
                self.kept.remove(digest)?;
                *count += 1;
                *bytes += about.stored;
            }
            store.write(|tx| {
                tx.run("DELETE FROM blob WHERE digest = $1 AND made_at = $2", values![digest, -at])
            })?;
        }
        Ok(())
    }

    /// Reads all contents that have a row, and holds each against its digest. `tell` is told of each.
    ///
    /// # Errors
    /// Where the database refuses, or the place cannot be listed.
    pub fn check(&self, store: &Store, tell: &mut dyn FnMut(&str)) -> Result<Checked> {
        let mut checked = Checked::default();
        let mut after = String::new();
        loop {
            let rows = store.read(|tx| {
                tx.rows(
                    "SELECT digest, size FROM blob WHERE digest > $1 AND made_at >= 0 ORDER BY digest LIMIT 1000",
                    values![&after],
                )
            })?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let mut fields = row.fields();
                let (digest, size) =
                    (fields.text()?, u64::try_from(fields.int()?).unwrap_or_default());
                tell(&digest);
                match self.get(&digest, size) {
                    Ok(content) => {
                        checked.whole += 1;
                        checked.bytes += content.len() as u64;
                    }
                    Err(error) => checked.wrong.push((digest.clone(), error.to_string())),
                }
                after = digest;
            }
        }
        let mut all = Vec::new();
        self.kept.each(&mut |digest, _| {
            all.push(digest.to_owned());
            true
        })?;
        for digests in all.chunks(PIECE) {
            let rows = store.read(|tx| {
                let list = json!(digests).to_string();
                tx.row("SELECT COUNT(*) FROM blob WHERE digest IN {list:$1}", values![&list])
            })?;
            let known = rows.map_or(Ok(0), crate::Row::int)?;
            checked.orphans +=
                (digests.len() as u64).saturating_sub(u64::try_from(known).unwrap_or_default());
        }
        Ok(checked)
    }

    /// As it is shown to people.
    pub fn place(&self) -> String {
        match &self.kept {
            Kept::Folder(folder) => folder.shown(),
            #[cfg(feature = "s3")]
            Kept::Bucket(bucket) => bucket.shown(),
        }
    }
}

/// Says that a content goes. False: somebody needs it, or removes it already.
fn condemn(tx: &Tx<'_>, digest: &str, now: Millis) -> Result<bool> {
    let changed = tx.run(
        "INSERT INTO blob (digest, size, stored, made_at) VALUES ($1, 0, 0, $2) \
         ON CONFLICT (digest) DO UPDATE SET made_at = excluded.made_at \
         WHERE (blob.made_at >= 0 AND blob.made_at < CAST($3 AS BIGINT)) \
           OR (blob.made_at < 0 AND -blob.made_at < CAST($4 AS BIGINT))",
        values![digest, -now, now - YOUNG, now - CONDEMNED],
    )?;
    Ok(changed == 1)
}

/// What a connection says of itself, where a content broke off with it.
#[cfg(feature = "s3")]
fn of_connection(error: &io::Error) -> Option<String> {
    error.get_ref()?.downcast_ref::<inscan_net::Error>().map(ToString::to_string)
}

#[cfg(not(feature = "s3"))]
fn of_connection(_: &io::Error) -> Option<String> {
    None
}

impl Kept {
    fn about(&self, digest: &str) -> Result<Option<About>> {
        match self {
            Kept::Folder(folder) => folder.about(digest),
            #[cfg(feature = "s3")]
            Kept::Bucket(bucket) => bucket.about(digest),
        }
    }

    fn place(&self, file: tempfile::NamedTempFile, blob: &NewBlob) -> Result<()> {
        match self {
            Kept::Folder(folder) => folder.place(file, &blob.digest),
            #[cfg(feature = "s3")]
            Kept::Bucket(bucket) => bucket.place(file, &blob.digest),
        }
    }

    fn open(&self, digest: &str) -> Result<Box<dyn Read>> {
        match self {
            Kept::Folder(folder) => Ok(Box::new(folder.read(digest)?)),
            #[cfg(feature = "s3")]
            Kept::Bucket(bucket) => Ok(Box::new(bucket.read(digest)?)),
        }
    }

    fn remove(&self, digest: &str) -> Result<()> {
        match self {
            Kept::Folder(folder) => folder.remove(digest),
            #[cfg(feature = "s3")]
            Kept::Bucket(bucket) => bucket.remove(digest),
        }
    }

    /// Until `tell` says that it is enough.
    fn each(&self, tell: &mut dyn FnMut(&str, About) -> bool) -> Result<()> {
        match self {
            Kept::Folder(folder) => folder.each(tell),
            #[cfg(feature = "s3")]
            Kept::Bucket(bucket) => bucket.each(tell),
        }
    }

    /// What a disk says it says again.
    fn reads(&self) -> u32 {
        match self {
            Kept::Folder(_) => 1,
            #[cfg(feature = "s3")]
            Kept::Bucket(_) => READS,
        }
    }
}

impl About {
    fn is_old(&self) -> bool {
        now() - self.written_at > YOUNG
    }
}

/// The name below a folder or a prefix: `ab/abcd….zst`.
fn name(digest: &str) -> Result<String> {
    let is_digest = digest.len() == 64
        && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match digest.get(..2) {
        Some(start) if is_digest => Ok(format!("{start}/{digest}.zst")),
        _ => Err(Error::NoBlob(digest.chars().take(80).collect())),
    }
}

/// The digest of a name, where it is one of ours.
fn digest_of(name: &str) -> Option<&str> {
    let digest = name.rsplit('/').next()?.strip_suffix(".zst")?;
    self::name(digest).is_ok_and(|ours| name == ours).then_some(digest)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
