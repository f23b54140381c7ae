//! The small JSON files of an image, wherever they lie, and that they are what their digests say.

use std::fmt;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::manifest::Descriptor;
use crate::fault;
use inscan_facts::digest::{BlobDigest, Digest, Sha256};
use inscan_facts::error::shown;
use inscan_facts::json::{self, Form};

/// The largest manifest that registries take is 4 MiB; configurations are smaller.
pub(super) const MAX_DOCUMENT_BYTES: u64 = 8 << 20;

/// The files of a layout or an archive, by name: `index.json`, `blobs/sha256/…`, `0a1b…/layer.tar`.
pub(super) trait Documents {
    /// A small file whole; `None` where there is none.
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>>;

    /// The size of any file; `None` where there is none.
    fn size(&self, name: &str) -> anyhow::Result<Option<u64>>;

    /// The first bytes of a file: those that tell how it is compressed.
    fn start(&self, name: &str) -> anyhow::Result<Vec<u8>>;

    /// Whether each document has to be asked for over the network: then what an index says of
    /// its images is believed until one is chosen.
    fn is_remote(&self) -> bool {
        false
    }
}

pub(super) fn too_large(name: &str, size: u64) -> anyhow::Error {
    fault::over_limit(format!(
        "`{}` has {size} bytes; at most {MAX_DOCUMENT_BYTES} of a manifest or configuration are read",
        shown(name)
    ))
}

/// Where a blob lies in an OCI layout.
pub(super) fn blob_name(digest: &BlobDigest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// The other way round. `None` for what is no blob's name.
pub(super) fn digest_in(name: &str) -> Option<BlobDigest> {
    name.strip_prefix("blobs/")?.replacen('/', ":", 1).parse().ok()
}

pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    Sha256::of(bytes)
}

/// Reads a blob and verifies it. `what` it is goes into the error: "manifest".
pub(super) fn fetch(
    documents: &dyn Documents,
    descriptor: &Descriptor,
    what: &str,
) -> anyhow::Result<Vec<u8>> {
    let digest = descriptor.digest(what)?;
    let bytes = documents
        .read(&blob_name(&digest))
        .with_context(|| format!("could not read the {what} {digest}"))?
        .ok_or_else(|| {
            fault::incomplete(format!(
                "the {what} {digest} is missing: the copy is not complete; make it again"
            ))
        })?;
    verify(&bytes, &digest, what)?;
    if let Some(size) = descriptor.size
        && u64::try_from(size) != Ok(bytes.len() as u64)
    {
        return Err(fault::changed(format!(
            "the {what} {digest} has {} bytes, but what refers to it says {size}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

pub(super) fn verify(bytes: &[u8], expected: &BlobDigest, what: &str) -> anyhow::Result<()> {
    let found = expected.of_same(bytes);
    if found != *expected {
        return Err(fault::changed(format!(
            "the {what} is not what its digest says: expected {expected}, got {found}; it was changed or damaged, get it again"
        )));
    }
    Ok(())
}

/// Reads JSON of a known form, as Go's programs read it.
pub(super) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
    form: &Form,
    what: impl fmt::Display,
) -> anyhow::Result<T> {
    json::parse(bytes, form).map_err(|error| not_understood(&what, &error))
}

/// As [`parse`]; an object and nothing else.
pub(super) fn object(bytes: &[u8], form: &Form, what: impl fmt::Display) -> anyhow::Result<Value> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(fault::damaged(format!("could not understand {what}: it is no JSON object")));
    }
    json::read(bytes, form).map_err(|error| not_understood(&what, &error))
}

/// As [`object`], as a type.
pub(super) fn parse_object<T: DeserializeOwned>(
    bytes: &[u8],
    form: &Form,
    what: impl fmt::Display,
) -> anyhow::Result<T> {
    let value = object(bytes, form, &what)?;
    serde_json::from_value(value).map_err(|error| not_understood(&what, &error))
}

fn not_understood(what: &dyn fmt::Display, error: &serde_json::Error) -> anyhow::Error {
    fault::damaged(format!("could not understand {what}: {}", shown(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_known() {
        let nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest_of(b"").to_string(), nothing);
    }
}
