//! All layers of an image, several at once.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use super::read;
use super::scan::LayerScan;
use super::segment::Pass;
use crate::image::{Blobs, Image, LayerRef, shown};
use crate::progress::Progress;

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
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, order.len().max(1)) {
            scope.spawn(|| {
                while let Some(&number) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = read_one(image, number, blobs, pass, progress);
                    if outcome.is_err() {
                        // The others end what they have begun, and begin nothing more.
                        next.store(order.len(), Ordering::Relaxed);
                    }
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes[number] = Some(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
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
    progress.layer_begins(number, image.layers.len(), layer.size);
    let named = || format!("could not read layer {} of {}", number + 1, image.layers.len());
    let blob = blobs.open(layer).with_context(named)?;
    let advance = Box::new(|bytes| progress.layer_advances(number, bytes));
    let scan = read(pass, blob, advance).with_context(named)?;
    verify(layer, &scan).with_context(named)?;
    progress.layer_ends(number);
    Ok(scan)
}

/// What was read is what the manifest and the configuration name.
pub fn verify(layer: &LayerRef, scan: &LayerScan) -> Result<()> {
    let location = shown(&layer.location);
    if let Some(expected) = layer.digest
        && expected != scan.blob_digest
    {
        bail!(
            "digest mismatch in `{location}`: expected {expected}, got {}: \
             the image is damaged or was tampered with; pull or save it again",
            scan.blob_digest
        );
    }
    if let Some(expected) = layer.size
        && expected != scan.blob_size
    {
        bail!("size mismatch in `{location}`: expected {expected} bytes, got {}", scan.blob_size);
    }
    if layer.diff_id != scan.diff_id {
        bail!(
            "diff id mismatch in `{location}`: the configuration says {}, its content is {}: \
             the image is damaged or was tampered with; pull or save it again",
            layer.diff_id,
            scan.diff_id
        );
    }
    Ok(())
}
