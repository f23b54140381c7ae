//! `inscan pull`: an image kept as a layout, as other tools read it.

use std::fs;

use serde_json::Value;

use super::parts::{self, document, have, inscan, refused, run};
use super::reading::without_source;

#[test]
fn an_image_is_kept_for_other_tools_and_fetched_once() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let directory = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}", directory.path().join("kept").display());
    let pull = |image: &str, to: &str| {
        let output = inscan(&["pull", &registry.at(image), "-o", to]).output().unwrap();
        assert!(output.status.success(), "{}", parts::stderr(&output));
        parts::stderr(&output)
    };
    let said = pull("demo:1", &format!("{layout}:demo"));
    assert!(said.contains("3 layers, 3 of them fetched"), "{said}");
    let skopeo: Value =
        serde_json::from_slice(&run("skopeo", &["inspect", &format!("{layout}:demo")])).unwrap();
    let there: Value = serde_json::from_slice(&run(
        "skopeo",
        &["inspect", "--tls-verify=false", &registry.at("demo:1")],
    ))
    .unwrap();
    assert_eq!(skopeo["Digest"], there["Digest"]);
    assert_eq!(skopeo["Layers"], there["Layers"]);

    let tag = ["--tag", "registry.example/demo:1"];
    let kept = document(inscan(&["analyze", &format!("{layout}:demo"), tag[0], tag[1]]));
    let from_registry = document(inscan(&["analyze", &registry.at("demo:1"), tag[0], tag[1]]));
    assert_eq!(without_source(kept), without_source(from_registry));

    // Again, under its own name: nothing is fetched, and a damaged blob is put right.
    let blobs = directory.path().join("kept/blobs/sha256");
    let digest = there["Layers"][0].as_str().unwrap().trim_start_matches("sha256:");
    fs::write(blobs.join(digest), "damaged").unwrap();
    let said = pull("demo:1", &layout);
    assert!(said.contains("3 layers, 1 of them fetched"), "{said}");
    let said = pull("team/layers:1", &layout);
    assert!(said.contains("6 layers, 6 of them fetched"), "{said}");
    let index: Value =
        serde_json::from_slice(&fs::read(directory.path().join("kept/index.json")).unwrap())
            .unwrap();
    let names: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        names,
        ["demo".to_owned(), registry.image("demo:1"), registry.image("team/layers:1")]
    );
    run("skopeo", &["inspect", &format!("{layout}:{}", registry.image("team/layers:1"))]);
    // Files with their digests as names, and nothing half-written.
    for file in fs::read_dir(blobs).unwrap() {
        let file = file.unwrap();
        let digest = inscan_test_support::sha256(&fs::read(file.path()).unwrap());
        assert_eq!(digest, file.file_name().to_string_lossy());
    }
}

#[test]
fn what_has_no_manifest_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let to = format!("oci:{}", directory.path().join("kept").display());
    fs::create_dir(directory.path().join("etc")).unwrap();
    let root = format!("dir:{}", directory.path().display());
    assert!(refused(inscan(&["pull", &root, "-o", &to]), 2).contains("not stored as blobs"));
    assert!(!directory.path().join("kept").exists());
    assert!(refused(inscan(&["pull", "app", "-o", "dir"]), 2).contains("expected `oci:DIRECTORY`"));
}
