//! An image kept as an OCI layout
//! (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>): each blob verified
//! before it has its name, and named in the index when all of them are there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::interrupt;
use crate::progress::Progress;
use crate::source::{Blobs, Image, LayerRef};
use inscan_facts::digest::{BlobDigest, Digest};

/// Layers that are fetched at once.
const MAX_THREADS: usize = 64;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A layout has few images; its index is small.
const MAX_INDEX_BYTES: u64 = 64 << 20;
const PIECE: usize = 256 << 10;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Layers that were read, and their bytes.
    pub read: usize,
    pub bytes: u64,
    /// Layers that were there already, and right.
    pub there: usize,
}

/// Keeps an image in a layout, which is made where there is none. An image of the same name in
/// it is replaced; what else is in it stays.
pub fn keep(
    image: &Image,
    blobs: &dyn Blobs,
    directory: &Path,
    name: Option<&str>,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Kept> {
    let Some(manifest) = &image.manifest else {
        bail!("the image has no manifest: it was made from something else than stored blobs");
    };
    let layout = Layout::prepare(directory)?;
    let kept = layout.keep_layers(image, blobs, threads, progress)?;
    layout.keep_bytes(&image.config, &config_digest(manifest, image))?;
    layout.keep_bytes(manifest, &image.manifest_digest.into())?;
    layout.name(manifest, &image.manifest_digest, name)?;
    Ok(kept)
}

/// As the manifest has it, whatever the algorithm.
fn config_digest(manifest: &[u8], image: &Image) -> BlobDigest {
    let manifest = serde_json::from_slice::<Value>(manifest).unwrap_or_default();
    let stated = manifest.pointer("/config/digest").and_then(Value::as_str);
    let stated = stated.and_then(|text| text.parse().ok());
    stated.unwrap_or_else(|| image.config_digest.into())
}

fn make_directory(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("could not make the directory `{}`", directory.display()))
}

struct Layout {
    directory: PathBuf,
    blobs: PathBuf,
}

impl Layout {
    fn prepare(directory: &Path) -> Result<Self> {
        let blobs = directory.join("blobs");
        make_directory(&blobs.join("sha256"))?;
        let layout = Layout { directory: directory.to_owned(), blobs };
        let marker = directory.join("oci-layout");
        if !marker.exists() {
            layout.write_whole(&marker, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Ok(layout)
    }

    fn keep_layers(
        &self,
        image: &Image,
        blobs: &dyn Blobs,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Kept> {
        let sizes: Option<Vec<u64>> = image.layers.iter().map(|layer| layer.size).collect();
        progress.reading_begins(
            image.layers.len(),
            sizes.map(|sizes| sizes.into_iter().fold(0, u64::saturating_add)),
        );
        let next = AtomicUsize::new(0);
        let outcome = Mutex::new(Ok(Kept::default()));
        let locked = || outcome.lock().unwrap_or_else(PoisonError::into_inner);
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, image.layers.len().max(1)).min(MAX_THREADS) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(layer) = image.layers.get(number) else { return };
                        if locked().is_err() {
                            return;
                        }
                        let done = self.keep_layer(image, number, layer, blobs, progress);
                        let mut outcome = locked();
                        match (&mut *outcome, done) {
                            (Ok(kept), Ok(Some(bytes))) => {
                                kept.read += 1;
                                kept.bytes += bytes;
                            }
                            (Ok(kept), Ok(None)) => kept.there += 1,
                            (first @ Ok(_), Err(error)) => *first = Err(error),
                            (Err(_), _) => {}
                        }
                    }
                });
            }
        });
        outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that were read; `None` where the layer is there already.
    fn keep_layer(
        &self,
        image: &Image,
        number: usize,
        layer: &LayerRef,
        blobs: &dyn Blobs,
        progress: &dyn Progress,
    ) -> Result<Option<u64>> {
        let of = image.layers.len();
        let named = || format!("could not keep layer {} of {of}", number + 1);
        let digest = layer
            .digest
            .with_context(|| format!("{}: the digest of what is stored is not known", named()))?;
        if self.has(&digest)? {
            progress.layer_cached(number, of, layer.size.unwrap_or_default());
            return Ok(None);
        }
        progress.layer_begins(number, of, layer.size);
        let mut blob = blobs.open(layer).with_context(named)?;
        let advance = |bytes| progress.layer_advances(number, bytes);
        let bytes = self.keep_blob(&mut blob, &digest, advance).with_context(named)?;
        progress.layer_ends(number);
        Ok(Some(bytes))
    }

    fn path(&self, digest: &BlobDigest) -> PathBuf {
        self.blobs.join(digest.algorithm()).join(digest.hex())
    }

    /// Whether a blob is there, and what its name says.
    fn has(&self, digest: &BlobDigest) -> Result<bool> {
        let path = self.path(digest);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                return Err(error).with_context(|| format!("could not open `{}`", path.display()));
            }
        };
        let mut hash = digest.hash();
        let mut piece = vec![0; PIECE];
        loop {
            let read = file
                .read(&mut piece)
                .with_context(|| format!("could not read `{}`", path.display()))?;
            if read == 0 {
                return Ok(hash.finish() == *digest);
            }
            hash.update(&piece[..read]);
        }
    }

    fn keep_bytes(&self, bytes: &[u8], digest: &BlobDigest) -> Result<()> {
        if !self.has(digest)? {
            self.keep_blob(&mut io::Cursor::new(bytes), digest, |_| {})?;
        }
        Ok(())
    }

    fn keep_blob(
        &self,
        blob: &mut dyn Read,
        digest: &BlobDigest,
        advance: impl Fn(u64),
    ) -> Result<u64> {
        let directory = self.blobs.join(digest.algorithm());
        make_directory(&directory)?;
        let mut temporary = self.temporary(&directory)?;
        let mut hash = digest.hash();
        let mut piece = vec![0; PIECE];
        let mut bytes = 0;
        loop {
            let read = blob.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
            let written = temporary.write_all(&piece[..read]);
            written.with_context(|| format!("could not write to `{}`", directory.display()))?;
            bytes += read as u64;
            advance(read as u64);
        }
        let found = hash.finish();
        ensure!(
            found == *digest,
            "digest mismatch: expected {digest}, got {found}: the image is damaged or was tampered with; pull or save it again"
        );
        self.put(temporary, &self.path(digest))?;
        Ok(bytes)
    }

    /// Enters the manifest into the index.
    fn name(&self, manifest: &[u8], digest: &Digest, name: Option<&str>) -> Result<()> {
        // Two at once would otherwise each write an index without the other's image.
        let marker = self.directory.join("oci-layout");
        let lock = File::open(&marker)
            .with_context(|| format!("could not open `{}`", marker.display()))?;
        lock.lock().with_context(|| format!("could not lock `{}`", marker.display()))?;
        let path = self.directory.join("index.json");
        let mut index = read_index(&path)?;
        let media_type = serde_json::from_slice::<Value>(manifest).ok();
        let media_type = media_type.as_ref().and_then(|it| it.get("mediaType")?.as_str());
        let mut entry = json!({
            "mediaType": media_type.unwrap_or(MANIFEST),
            "digest": digest.to_string(),
            "size": manifest.len(),
        });
        if let Some(name) = name {
            entry["annotations"] = json!({REF_NAME: name});
        }
        let entries = index.get_mut("manifests").and_then(Value::as_array_mut);
        let entries =
            entries.with_context(|| format!("`{}` has no `manifests`", path.display()))?;
        let ref_name = |entry: &Value| {
            entry.get("annotations").and_then(|all| all.get(REF_NAME)?.as_str()).map(str::to_owned)
        };
        entries.retain(|earlier| match name {
            Some(name) => ref_name(earlier).as_deref() != Some(name),
            None => ref_name(earlier).is_some() || earlier.get("digest") != entry.get("digest"),
        });
        entries.push(entry);
        self.write_whole(&path, index.to_string().as_bytes())
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut temporary = self.temporary(&self.directory)?;
        let written = temporary.write_all(bytes);
        written.with_context(|| format!("could not write `{}`", path.display()))?;
        self.put(temporary, path)
    }

    /// Removed if the run is interrupted.
    fn temporary(&self, directory: &Path) -> Result<NamedTempFile> {
        let made = tempfile::Builder::new().prefix(".inscan-").make_in(directory, |path| {
            interrupt::unfinished(path);
            let made = OpenOptions::new().write(true).create_new(true).open(path);
            made.inspect_err(|_| interrupt::finished(path))
        });
        made.with_context(|| format!("could not write to `{}`", directory.display()))
    }

    fn put(&self, temporary: NamedTempFile, place: &Path) -> Result<()> {
        let path = temporary.path().to_owned();
        let put = temporary.persist(place).map_err(|failed| failed.error);
        interrupt::finished(&path);
        put.with_context(|| format!("could not write `{}`", place.display()))?;
        Ok(())
    }
}

fn read_index(path: &Path) -> Result<Value> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(json!({"schemaVersion": 2, "manifests": []}));
        }
        Err(error) => {
            return Err(error).with_context(|| format!("could not open `{}`", path.display()));
        }
    };
    let mut bytes = Vec::new();
    file.take(MAX_INDEX_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("could not read `{}`", path.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("could not understand `{}`: it is no index", path.display()))
}
