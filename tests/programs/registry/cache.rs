//! The layer cache: what is in it is not asked for again.

use std::fs;
use std::path::{Path, PathBuf};

use inscan_test_support::{IMAGE, Inscan};

use super::parts::{self, document, have, inscan};

fn cached(cache: &Path, image: &str) -> Inscan {
    let mut command = inscan(&["analyze", image]);
    command.env_remove("INSCAN_NO_CACHE").env("INSCAN_CACHE_DIR", cache);
    command.env("INSCAN_CACHE_KEY", "of these tests alone");
    command.env("SOURCE_DATE_EPOCH", "0");
    command
}

/// The file of a layer, wherever it is below the folder.
fn file_of(folder: &Path, diff_id: &str) -> Option<PathBuf> {
    fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => file_of(&path, diff_id),
            false => path.ends_with(diff_id).then_some(path),
        }
    })
}

#[test]
fn of_a_registry_only_unknown_layers_are_asked_for() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let image = registry.at("demo:1");
    let log = || fs::read_to_string(registry.file("log")).unwrap();
    let mut seen = log().len();
    // Which of the digests were asked for since the last call.
    let mut asked_for = |digests: &[String]| -> Vec<String> {
        let log = log();
        let new = &log[seen..];
        let asked = |digest: &&String| new.contains(&format!("GET /v2/demo/blobs/{digest} "));
        let asked = digests.iter().filter(asked).cloned().collect();
        seen = log.len();
        asked
    };
    let mut uncached = inscan(&["analyze", &image]);
    uncached.env("SOURCE_DATE_EPOCH", "0");
    let expected = document(uncached);
    let layers = expected["inscan"]["layers"].as_array().unwrap();
    let of = |key: &str| -> Vec<String> {
        layers.iter().map(|layer| layer[key].as_str().unwrap().to_owned()).collect()
    };
    let (digests, diff_ids) = (of("blob_digest"), of("diff_id"));
    assert_eq!(asked_for(&digests), digests);
    let cache = tempfile::tempdir().unwrap();
    assert!(document(cached(cache.path(), &image)) == expected);
    assert_eq!(asked_for(&digests), digests);
    assert!(document(cached(cache.path(), &image)) == expected);
    assert_eq!(asked_for(&digests), Vec::<String>::new());
    // One layer is not known, as in an image that shares all others.
    let name = diff_ids[1].strip_prefix("sha256:").unwrap();
    fs::remove_file(file_of(cache.path(), name).unwrap()).unwrap();
    assert!(document(cached(cache.path(), &image)) == expected);
    assert_eq!(asked_for(&digests), digests[1..2]);
    // From elsewhere, the same layers are known too.
    let elsewhere = cached(cache.path(), IMAGE).run().ends(0);
    assert_eq!(elsewhere.stderr.matches("is in the cache").count(), 3, "{}", elsewhere.stderr);
}
