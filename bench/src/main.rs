//! The least that reading an image can cost: every stored byte verified, every layer unpacked and
//! verified, every file with its three digests, by the fastest code for each that there is, with
//! everything in memory and on one thread. Nothing is looked at.
//!
//! `inscan-bench OCI_LAYOUT` prints JSON: bytes, and CPU seconds by step.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Default)]
struct Spent {
    stored: usize,
    unpacked: usize,
    files: usize,
    blob_digests: f64,
    inflate: f64,
    layer_digests: f64,
    file_digests: f64,
}

fn main() -> Result<()> {
    let layout: PathBuf = std::env::args_os().nth(1).ok_or("usage: inscan-bench OCI_LAYOUT")?.into();
    let mut spent = Spent::default();
    for layer in layers(&layout)? {
        read(&blob(&layout, &layer), &mut spent)?;
    }
    let Spent { stored, unpacked, files, blob_digests, inflate, layer_digests, file_digests } = spent;
    let cpu = blob_digests + inflate + layer_digests + file_digests;
    let steps = json!({
        "stored_bytes": stored, "unpacked_bytes": unpacked, "files": files, "cpu": cpu,
        "blob_digests": blob_digests, "inflate": inflate,
        "layer_digests": layer_digests, "file_digests": file_digests,
    });
    println!("{steps}");
    Ok(())
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

/// Digests of the layers of the first image.
fn layers(layout: &Path) -> Result<Vec<String>> {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let manifest = index["manifests"][0]["digest"].as_str().ok_or("no manifest")?;
    let manifest: Value = serde_json::from_slice(&fs::read(blob(layout, manifest))?)?;
    let layers = manifest["layers"].as_array().ok_or("no layers")?;
    Ok(layers.iter().filter_map(|layer| Some(layer["digest"].as_str()?.to_owned())).collect())
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn timed<T>(time: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = cpu();
    let done = work();
    *time += cpu() - begun;
    done
}

fn read(path: &Path, spent: &mut Spent) -> Result<()> {
    let stored = fs::read(path)?;
    spent.stored += stored.len();
    timed(&mut spent.blob_digests, || digest(&SHA256, &stored));
    let tar = match stored.get(..4) {
        Some([0x1f, 0x8b, ..]) => gunzip(&stored, &mut spent.inflate)?,
        Some([0x28, 0xb5, 0x2f, 0xfd]) => timed(&mut spent.inflate, || zstd::decode_all(&*stored))?,
        _ => stored,
    };
    spent.unpacked += tar.len();
    timed(&mut spent.layer_digests, || digest(&SHA256, &tar));
    let mut archive = tar::Archive::new(&*tar);
    let mut contents = Vec::new();
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let start = entry.raw_file_position() as usize;
            let end = start + entry.size() as usize;
            contents.push(tar.get(start..end).ok_or("a file beyond the end of its layer")?);
        }
    }
    spent.files += contents.len();
    // Sixteen side by side need contents of about one length.
    contents.sort_by_key(|content| content.len());
    for group in contents.chunks(16) {
        timed(&mut spent.file_digests, || inscan_hash::of_each(group));
    }
    Ok(())
}

/// A gzip file states the length of what is in it, if that is below 4 GiB.
fn gunzip(stored: &[u8], time: &mut f64) -> Result<Vec<u8>> {
    let length = stored.last_chunk().map(|bytes| u32::from_le_bytes(*bytes)).unwrap_or_default();
    let mut tar = vec![1; length as usize];
    let mut inflater = libdeflater::Decompressor::new();
    let length = timed(time, || inflater.gzip_decompress(stored, &mut tar));
    length.map_err(|error| format!("a layer of several gzip members, or above 4 GiB: {error:?}"))?;
    Ok(tar)
}
