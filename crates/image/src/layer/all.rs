//! All layers of an image, several at once.

use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use inscan_tar::Packing;

use super::cache::Cache;
use super::read::{Beside, read_timed};
use super::scan::LayerScan;
use super::segment::Pass;
use crate::budget::Stored;
use crate::fault;
use crate::progress::Progress;
use crate::source::{Blobs, Image, LayerRef, shown};
use crate::timings::LayerTimes;
use inscan_facts::digest::{BlobDigest, Digest, Sha256};

/// Reads and verifies every layer, base first in the result. `threads` layers are
/// in flight at once; the largest are begun first, so that the last one to end is short.
pub fn read_all(
    image: &Image,
    blobs: &dyn Blobs,
    pass: &Pass<'_>,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<LayerScan>> {
    let mut sizes = image.layers.iter().map(|layer| layer.size);
    let all = sizes.try_fold(0u64, |all, size| all.checked_add(size?));
    progress.reading_begins(image.layers.len(), all);
    let mut order: Vec<usize> = (0..image.layers.len()).collect();
    order.sort_by_key(|&number| std::cmp::Reverse(image.layers[number].size));
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<Option<Result<LayerScan>>>> =
        Mutex::new(order.iter().map(|_| None).collect());
    let work = || {
        while let Some(&number) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = read_one(image, number, blobs, pass, progress);
            if outcome.is_err() {
                // The others end what they have begun, and begin nothing more.
                next.store(order.len(), Ordering::Relaxed);
            }
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes[number] = Some(outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, order.len().max(1)) {
            // Where no more threads can be made, those that are there do the work.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(cache) = pass.usable_cache() {
        cache.evict();
    }
    // Where several layers failed, the lowest is named, whichever failed first.
    let mut scans = Vec::with_capacity(outcomes.len());
    let mut outcomes: Vec<_> = outcomes.into_iter().collect();
    if let Some(failed) = outcomes.iter().position(|outcome| matches!(outcome, Some(Err(_)))) {
        outcomes.drain(..failed);
    }
    for outcome in outcomes {
        scans.push(outcome.context("a layer was not read")??);
    }
    Ok(scans)
}

fn read_one(
    image: &Image,
    number: usize,
    blobs: &dyn Blobs,
    pass: &Pass<'_>,
    progress: &dyn Progress,
) -> Result<LayerScan> {
    let layer = &image.layers[number];
    let of = image.layers.len();
    let cache = pass.usable_cache();
    let begun = Instant::now();
    let start = || start(blobs, layer);
    if let Some(scan) = cache.and_then(|cache| cache.find(layer, &pass.keeper, start)) {
        pass.count_known(&scan, scan.blob_size)?;
        pass.clocks.layer(number, cached(&scan, begun));
        progress.layer_cached(number, of, scan.blob_size);
        return Ok(scan);
    }
    progress.layer_begins(number, of, layer.size);
    let named = || format!("could not read layer {} of {of}", number + 1);
    let opening = Instant::now();
    let blob = blobs.open(layer).with_context(named)?;
    let opened = opening.elapsed();
    let advance = Box::new(|bytes| progress.layer_advances(number, bytes));
    let mut times = LayerTimes::default();
    let blob_hash = layer.digest.and_then(|digest| digest.hash_beside());
    let beside = Beside { blob: blob_hash, tar: layer.diff_id.hash_beside() };
    let scan =
        read_timed(pass, blob, beside, advance, &|bytes| bytes, &mut times).with_context(named)?;
    times.wait += opened;
    times.total += opened;
    pass.clocks.layer(number, times);
    verify(layer, &scan).with_context(named)?;
    keep(cache, &scan, progress);
    progress.layer_ends(number);
    Ok(scan)
}

fn cached(scan: &LayerScan, begun: Instant) -> LayerTimes {
    let (size, total) = (scan.blob_size, begun.elapsed());
    LayerTimes { is_cached: true, size, total, ..LayerTimes::default() }
}

/// The layer's first bytes: its compression is in them.
fn start(blobs: &dyn Blobs, layer: &LayerRef) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    // What is wrong with it will be said where it is read.
    blobs.open(layer).ok()?.take(Packing::START_LEN as u64).read_to_end(&mut start).ok()?;
    Some(start)
}

/// Only what was verified: all later runs believe it.
fn keep(cache: Option<&Cache>, scan: &LayerScan, progress: &dyn Progress) {
    if let Some(trouble) = cache.and_then(|cache| cache.keep(scan)) {
        progress.note(&trouble);
    }
}

/// Reads one layer of an archive that passes by. Where the member's name is its digest,
/// and the layer is known, its bytes are hashed and not looked at again. `whole` counts the
/// archive as it is stored.
pub fn read_passing(
    name: &str,
    stored: &mut (dyn Read + Send),
    number: usize,
    pass: &Pass<'_>,
    whole: &Stored,
    progress: &dyn Progress,
) -> Result<LayerScan> {
    let begun = Instant::now();
    let before = whole.bytes();
    // An archive that is compressed itself has fewer bytes than its layers.
    let of_image = |layer: u64| layer.min(whole.bytes() - before);
    let cache = pass.usable_cache();
    let digest = digest_in_name(name);
    if let Some(digest) = digest
        && let Some(scan) = cache.and_then(|cache| cache.find_blob(digest, &pass.keeper))
    {
        let (actual, size) = hash(stored)?;
        if (actual, size) != (digest, scan.blob_size) {
            return Err(fault::changed(format!(
                "digest mismatch in `{}`: its content is {actual}",
                shown(name)
            )));
        }
        pass.count_known(&scan, of_image(size))?;
        pass.clocks.layer(number, cached(&scan, begun));
        progress.layer_cached(number, 0, scan.blob_size);
        return Ok(scan);
    }
    progress.layer_begins(number, 0, None);
    let advance = Box::new(|bytes| progress.layer_advances(number, bytes));
    let mut times = LayerTimes::default();
    // What the configuration says of the tar may come later. It goes by the same digest in all
    // that is made.
    let hash = || BlobDigest::Sha512([0; 64]).hash();
    let beside = match name.starts_with("blobs/sha512/") {
        true => Beside { blob: Some(hash()), tar: Some(hash()) },
        false => Beside::default(),
    };
    let scan = read_timed(pass, Box::new(stored), beside, advance, &of_image, &mut times);
    pass.clocks.layer(number, times);
    progress.layer_ends(number);
    // Both digests are of what was read. Whether they are those of an image its manifest
    // says, which has not passed by yet; for the cache that makes no difference.
    scan.inspect(|scan| keep(cache, scan, progress))
}

/// `blobs/sha256/HEX` (Docker from 25 on, OCI), `HEX.tar` (podman, skopeo). It is a
/// supposition: what passes by is hashed.
fn digest_in_name(name: &str) -> Option<Digest> {
    let hex = name.strip_prefix("blobs/sha256/").or(name.strip_suffix(".tar"))?;
    format!("sha256:{hex}").parse().ok()
}

fn hash(stored: &mut dyn Read) -> io::Result<(Digest, u64)> {
    let mut sha256 = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match stored.read(&mut buffer) {
            Ok(0) => return Ok((sha256.finish(), size)),
            Ok(count) => {
                sha256.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What was read is what the manifest and the configuration name.
pub fn verify(layer: &LayerRef, scan: &LayerScan) -> Result<()> {
    let location = shown(&layer.location);
    if let Some(expected) = layer.digest {
        let found = scan.blob_digest_as(&expected).ok_or_else(|| not_taken(&location))?;
        if expected != found {
            return Err(fault::changed(format!(
                "digest mismatch in `{location}`: expected {expected}, got {found}: \
                 the image is damaged or was tampered with; pull or save it again"
            )));
        }
    }
    if let Some(expected) = layer.size
        && expected != scan.blob_size
    {
        return Err(fault::changed(format!(
            "size mismatch in `{location}`: expected {expected} bytes, got {}",
            scan.blob_size
        )));
    }
    let found = scan.diff_id_as(&layer.diff_id).ok_or_else(|| not_taken(&location))?;
    if layer.diff_id != found {
        return Err(fault::changed(format!(
            "diff id mismatch in `{location}`: the configuration says {}, its content is {found}: \
             the image is damaged or was tampered with; pull or save it again",
            layer.diff_id
        )));
    }
    Ok(())
}

/// Of an archive that passes by, and says too late what its layers are verified by.
fn not_taken(location: &str) -> anyhow::Error {
    fault::not_understood(format!(
        "`{location}` has a sha512 digest, which was not known when it passed by; \
         save the image to a file, and scan that"
    ))
}
