//! What a storage has written down of its images and layers: two JSON files that
//! are replaced whole, so that they can be read without their locks.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::stores::{Store, no_permission};
use crate::fault;
use crate::source::documents::{MAX_DOCUMENT_BYTES, too_large};
use crate::source::known_names::StoredImage;
use crate::source::regular::open_regular;
use inscan_facts::digest::Digest;
use inscan_facts::error::{broken, shown};
use inscan_facts::json::or_empty;

/// Some hundred bytes for each of many thousand layers.
const MAX_RECORD_BYTES: u64 = 128 << 20;

/// One image of `images.json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct ImageRecord {
    pub(super) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(super) digest: String,
    #[serde(deserialize_with = "or_empty")]
    pub(super) names: Vec<String>,
    /// The topmost layer.
    #[serde(deserialize_with = "or_empty")]
    pub(super) layer: String,
    #[serde(deserialize_with = "or_empty")]
    big_data_digests: HashMap<String, String>,
    /// In which of the storages it is.
    #[serde(skip)]
    pub(super) store: usize,
}

/// One layer of `layers.json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct LayerRecord {
    pub(super) id: String,
    #[serde(deserialize_with = "or_empty")]
    pub(super) parent: String,
    #[serde(deserialize_with = "or_empty")]
    pub(super) diff_digest: String,
    pub(super) diff_size: Option<i64>,
    #[serde(skip)]
    pub(super) store: usize,
}

impl ImageRecord {
    /// What it may be asked for by.
    pub(super) fn known(&self) -> StoredImage {
        let id = format!("sha256:{}", self.id);
        let manifests = self.big_data_digests.iter().filter(|(key, _)| key.starts_with("manifest"));
        let digests = [&id, &self.digest].into_iter().chain(manifests.map(|(_, digest)| digest));
        StoredImage {
            names: self.names.clone(),
            digests: digests.filter_map(|digest| digest.parse().ok()).collect(),
        }
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.known().digests.contains(digest)
    }
}

/// All images of the storages, in their order.
pub(super) fn images(stores: &[Store]) -> anyhow::Result<Vec<ImageRecord>> {
    let mut all = Vec::new();
    for (number, store) in stores.iter().enumerate() {
        let records: Vec<ImageRecord> = records(&store.images().join("images.json"))?;
        for record in records {
            check_id(&record.id)?;
            all.push(ImageRecord { store: number, ..record });
        }
    }
    Ok(all)
}

/// All layers of the storages, by id. Where two have one, it is the same.
pub(super) fn layers(stores: &[Store]) -> anyhow::Result<HashMap<String, LayerRecord>> {
    let mut all = HashMap::new();
    for (number, store) in stores.iter().enumerate() {
        for name in ["layers.json", "volatile-layers.json"] {
            let records: Vec<LayerRecord> = records(&store.layers().join(name))?;
            for record in records {
                check_id(&record.id)?;
                all.entry(record.id.clone()).or_insert(LayerRecord { store: number, ..record });
            }
        }
    }
    Ok(all)
}

/// One of the small files that are kept of an image: its manifest, its configuration.
pub(super) fn big_data(
    store: &Store,
    image: &ImageRecord,
    key: &str,
) -> anyhow::Result<Option<Vec<u8>>> {
    let bytes = read(&store.images().join(&image.id).join(file_name(key)), MAX_DOCUMENT_BYTES + 1)?;
    match bytes {
        Some(bytes) if bytes.len() as u64 > MAX_DOCUMENT_BYTES => {
            Err(too_large(key, bytes.len() as u64))
        }
        other => Ok(other),
    }
}

/// Keys of small letters, digits and points are file names; others are encoded, with `=` before.
fn file_name(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.';
    if key.chars().all(is_plain) {
        return key.to_owned();
    }
    format!("={}", base64::engine::general_purpose::STANDARD.encode(key))
}

/// Ids become parts of paths.
fn check_id(id: &str) -> anyhow::Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || id.len() > 128 || !id.chars().all(fine) {
        return Err(broken(format!("the storage has something with the id `{}`", shown(id))));
    }
    Ok(())
}

fn records<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let name = || shown(path.as_os_str().as_encoded_bytes());
    let Some(bytes) = read(path, MAX_RECORD_BYTES + 1)? else { return Ok(Vec::new()) };
    if bytes.len() as u64 > MAX_RECORD_BYTES {
        return Err(fault::over_limit(format!(
            "`{}` has more than {MAX_RECORD_BYTES} bytes",
            name()
        )));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        fault::damaged(format!("could not understand `{}`: {}", name(), shown(error.to_string())))
    })
}

fn read(path: &Path, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let file = open_regular(path).map_err(|error| match error.downcast_ref::<io::Error>() {
        Some(why) if why.kind() == io::ErrorKind::PermissionDenied => no_permission(path),
        _ => error,
    })?;
    let Some(file) = file else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).with_context(|| {
        format!("could not read `{}`", shown(path.as_os_str().as_encoded_bytes()))
    })?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_file_names_as_the_storage_writes_them() {
        assert_eq!(file_name("manifest"), "manifest");
        assert_eq!(file_name("manifest-sha256:00"), "=bWFuaWZlc3Qtc2hhMjU2OjAw");
    }

    #[test]
    fn ids_that_lead_out_are_refused() {
        for wrong in ["", "..", "../x", "a/b", "\0"] {
            assert!(check_id(wrong).is_err(), "{wrong}");
        }
        assert!(check_id("63cee374").is_ok());
    }
}
