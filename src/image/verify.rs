//! That a layer is what the manifest and the configuration say it is.

use super::error::{broken, shown};
use super::manifest::place;
use super::{Image, LayerRef};
use crate::layer::LayerScan;

/// Compares all layers of an image with what was read.
pub fn check_layers<'a>(
    image: &Image,
    scans: impl IntoIterator<Item = &'a LayerScan>,
) -> anyhow::Result<()> {
    let of = image.layers.len();
    for (index, (layer, scan)) in image.layers.iter().zip(scans).enumerate() {
        check_layer(index, of, layer, scan)?;
    }
    Ok(())
}

/// Compares one layer, the `index`th of `of`, with what was read.
pub fn check_layer(
    index: usize,
    of: usize,
    layer: &LayerRef,
    scan: &LayerScan,
) -> anyhow::Result<()> {
    let mismatch = |what: &str, expected: String, got: String| {
        Err(broken(format!(
            "{} ({}): {what} mismatch: expected {expected}, got {got}; it was changed or damaged, get the image again",
            place(index, of),
            shown(&layer.location)
        )))
    };
    if let Some(digest) = layer.digest
        && digest != scan.blob_digest
    {
        return mismatch("digest", digest.to_string(), scan.blob_digest.to_string());
    }
    if let Some(size) = layer.size
        && size != scan.blob_size
    {
        return mismatch("size", size.to_string(), scan.blob_size.to_string());
    }
    if layer.diff_id != scan.diff_id {
        return mismatch("diff id", layer.diff_id.to_string(), scan.diff_id.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    #[expect(
        clippy::field_reassign_with_default,
        reason = "some fields are the layer module's own"
    )]
    fn a_layer_that_is_another_is_named() {
        let layer = LayerRef {
            location: "a/layer.tar".to_owned(),
            diff_id: Digest([1; 32]),
            ..LayerRef::default()
        };
        let mut scan = LayerScan::default();
        scan.diff_id = Digest([1; 32]);
        assert!(check_layer(2, 7, &layer, &scan).is_ok());
        let error = check_layer(2, 7, &layer, &LayerScan::default()).unwrap_err().to_string();
        assert!(
            error.starts_with("layer 3 of 7 (a/layer.tar): diff id mismatch: expected sha256:0101"),
            "{error}"
        );
        let error = check_layer(0, 1, &LayerRef { digest: Some(Digest([2; 32])), ..layer }, &scan)
            .unwrap_err();
        assert!(error.to_string().contains("digest mismatch: expected sha256:0202"), "{error}");
    }
}
