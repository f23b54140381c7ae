//! Whole images: the same archive opened as a file and read as a stream.

use std::io::{Cursor, Write};
use std::process::Command;
use std::sync::Arc;

use serde_json::json;

use super::testing::{Layout, Tar, config};
use super::*;
use crate::layer::{LayerScan, verify};
use inscan_facts::digest::{BlobDigest, Sha256};

/// What both ways of reading say, which must be the same.
fn read(tar: &[u8], name: Option<&str>, platform: Option<&str>) -> anyhow::Result<Image> {
    let choice = || Choice {
        name: name.map(str::to_owned),
        platform: platform.map(|text| text.parse().unwrap()),
    };
    let opened = open_whole(tar, choice());
    let stream = Stream::new("-".to_owned(), Box::new(Cursor::new(tar.to_vec())), choice());
    let streamed = read_stream(stream, &Arc::default(), &mut |_, layer, _| scan(layer))
        .map(|(image, _)| image);
    match (&opened, &streamed) {
        (Ok(one), Ok(other)) => {
            assert_eq!(
                (&one.manifest, &one.config, &one.names),
                (&other.manifest, &other.config, &other.names)
            );
            assert_eq!(one.layers, other.layers);
        }
        (Err(one), Err(other)) => {
            assert_eq!(kind_of(one), kind_of(other), "{one:#} / {other:#}")
        }
        (one, other) => panic!("opened: {one:?}, streamed: {other:?}"),
    }
    opened
}

fn open_whole(tar: &[u8], choice: Choice) -> anyhow::Result<Image> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(tar)?;
    let Opened::Image { image, blobs } = open_archive(file.path(), None, choice)? else {
        panic!("an uncompressed archive is no stream");
    };
    for layer in &image.layers {
        verify(layer, &scan(&mut blobs.open(layer)?)?)?;
    }
    Ok(image)
}

/// As much of a layer's pass as verifying needs.
fn scan(layer: &mut (dyn Read + Send)) -> anyhow::Result<LayerScan> {
    let mut bytes = Vec::new();
    layer.read_to_end(&mut bytes)?;
    Ok(LayerScan::of_tar(&bytes))
}

#[track_caller]
fn refused(tar: &[u8], name: Option<&str>, platform: Option<&str>, kind: Kind, message: &str) {
    let error = read(tar, name, platform).unwrap_err();
    assert!(format!("{error:#}").contains(message), "{error:#}");
    assert_eq!(kind_of(&error), kind, "{error:#}");
}

fn layer(content: &str) -> Vec<u8> {
    Tar::new().file("file", content.as_bytes()).bytes()
}

/// As `docker save` writes it, the manifest last.
fn docker_archive() -> Vec<u8> {
    let (base, top) = (layer("base"), layer("top"));
    let config = config("amd64", &[&base, &top, &base]);
    let name = format!("{}.json", Sha256::of(&config).hex());
    let manifest = json!([{"Config": name, "RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"]}]);
    Tar::new()
        .symlink("c/layer.tar", "../a/layer.tar")
        .file("a/layer.tar", &base)
        .file("b/layer.tar", &top)
        .file(&name, &config)
        .file("manifest.json", manifest.to_string().as_bytes())
        .bytes()
}

#[test]
fn a_docker_archive_is_read_with_linked_and_repeated_layers() {
    let image = read(&docker_archive(), None, None).unwrap();
    assert_eq!(image.names, ["app:1"]);
    assert_eq!(image.layers.len(), 3);
    assert_eq!(image.layers[0].diff_id, image.layers[2].diff_id);
    assert!(read(&docker_archive(), Some("docker.io/library/app:1"), None).is_ok());
    assert!(read(&docker_archive(), Some(&image.config_digest.to_string()), None).is_ok());
    refused(
        &docker_archive(),
        Some("app"),
        None,
        Kind::Usage,
        "no image `app` in it; it holds `app:1`",
    );
    refused(
        &docker_archive(),
        None,
        Some("linux/arm64"),
        Kind::Usage,
        "for linux/amd64, not for linux/arm64",
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "says why it is skipped")]
fn the_manifest_of_a_docker_archive_is_the_one_that_skopeo_shows() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&docker_archive()).unwrap();
    let name = format!("docker-archive:{}", file.path().display());
    match Command::new("skopeo").args(["inspect", "--raw", &name]).output() {
        Ok(shown) => {
            let image = read(&docker_archive(), None, None).unwrap();
            assert_eq!(String::from_utf8(image.manifest.unwrap()), String::from_utf8(shown.stdout));
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "skopeo must be installed: {error}");
            eprintln!("skipped: skopeo is not installed: {error}");
        }
    }
}

#[test]
fn a_changed_configuration_is_refused() {
    let config = config("amd64", &[]);
    let name = format!("{}.json", Sha256::of(b"another").hex());
    let manifest = json!([{"Config": name, "Layers": []}]).to_string();
    let tar = Tar::new().file(&name, &config).file("manifest.json", manifest.as_bytes()).bytes();
    refused(&tar, None, None, Kind::Broken, "the configuration is not what its digest says");
}

#[test]
fn an_image_is_chosen_by_name_platform_and_digest() {
    let mut layout = Layout::default();
    let [arm, s390x, other] =
        ["arm64", "s390x", "riscv64"].map(|machine| layout.image(machine, &[&layer(machine)]));
    let digest = s390x["digest"].as_str().unwrap().to_owned();
    let attestation = json!({"digest": other["digest"], "platform": {"os": "unknown", "architecture": "unknown"}});
    let index = layout.index(vec![attestation, arm, s390x]);
    let outer = layout.index(vec![index]);
    let top = outer["digest"].as_str().unwrap().to_owned();
    let tar = layout.named("multi:1", outer).named("other", other).tar();
    let machine = |name: Option<&str>, platform: Option<&str>| {
        let image = read(&tar, name, platform).unwrap();
        ImageConfig::read(&image.config).architecture.unwrap()
    };
    assert_eq!(machine(Some("multi:1"), Some("linux/arm64")), "arm64");
    let index = |name: &str, platform| {
        let image = read(&tar, Some(name), platform).unwrap();
        image.index_digest.map(|digest| digest.to_string())
    };
    assert_eq!(index("multi:1", Some("linux/arm64")), Some(top));
    assert_eq!(index("other", None), None);
    assert_eq!(machine(Some("other"), None), "riscv64");
    assert_eq!(machine(Some("@1"), None), "riscv64");
    assert_eq!(machine(Some(&format!("@{digest}")), None), "s390x");
    assert_eq!(machine(None, Some("linux/s390x")), "s390x");
    refused(
        &tar,
        Some("multi:1"),
        Some("linux/386"),
        Kind::Usage,
        "there is linux/arm64, linux/s390x",
    );
    refused(&tar, Some("nope"), None, Kind::Usage, "it holds `multi:1`, `other`");
}

#[test]
fn two_images_of_one_platform_must_be_named() {
    let mut layout = Layout::default();
    let [one, two] = ["one", "two"].map(|content| layout.image("amd64", &[&layer(content)]));
    let tar = layout.named("one", one).unnamed(two).tar();
    refused(&tar, None, Some("linux/amd64"), Kind::Usage, "several images in it: `one`, `sha256:");
}

#[test]
fn an_index_of_platforms_not_stored_gives_the_one_that_is() {
    let mut layout = Layout::default();
    let stored = layout.image("s390x", &[]);
    let mut missing = stored.clone();
    missing["digest"] = format!("sha256:{}", "0".repeat(64)).into();
    missing["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let index = layout.index(vec![missing.clone(), stored]);
    let tar = layout.unnamed(index).tar();
    assert!(read(&tar, None, None).is_ok());
    refused(&tar, None, Some("linux/amd64"), Kind::Usage, "the image is for linux/s390x");
    let tar = Layout::default().unnamed(missing).tar();
    refused(&tar, None, None, Kind::Broken, "the image for linux/amd64 is named in the index");
}

#[test]
fn an_image_may_be_named_by_sha512() {
    let mut layout = Layout::default();
    let layer = layer("content");
    let any: BlobDigest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
    let mut blob = |bytes: &[u8]| {
        let digest = any.of_same(bytes);
        layout.files.insert(documents::blob_name(&digest), bytes.to_vec());
        json!({"digest": digest.to_string(), "size": bytes.len()})
    };
    let config = blob(&config("amd64", &[&layer]));
    let layer = blob(&layer);
    let manifest = blob(json!({"config": config, "layers": [layer]}).to_string().as_bytes());
    let digest = manifest["digest"].as_str().unwrap().to_owned();
    let tar = layout.unnamed(manifest).tar();
    assert_eq!(read(&tar, None, None).unwrap().layers.len(), 1);
    assert!(read(&tar, Some(&digest), None).is_ok());
}

#[test]
fn layers_may_have_diff_ids_of_sha512() {
    let any: BlobDigest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
    let layer = layer("content");
    let image = |diff_id: BlobDigest, by: &BlobDigest| {
        let mut layout = Layout::default();
        let mut blob = |bytes: &[u8]| {
            let digest = by.of_same(bytes);
            layout.files.insert(documents::blob_name(&digest), bytes.to_vec());
            json!({"digest": digest.to_string(), "size": bytes.len()})
        };
        let config = String::from_utf8(config("amd64", &[&layer])).unwrap();
        let config = config.replace(&Sha256::of(&layer).to_string(), &diff_id.to_string());
        let (config, layer) = (blob(config.as_bytes()), blob(&layer));
        let manifest = blob(json!({"config": config, "layers": [layer]}).to_string().as_bytes());
        layout.unnamed(manifest).tar()
    };
    let (sha256, sha512) = (Sha256::of(&layer).into(), any.of_same(&layer));
    for by in [&sha256, &any] {
        for diff_id in [sha256, sha512] {
            assert!(read(&image(diff_id, by), None, None).is_ok(), "{diff_id} {by}");
        }
        refused(&image(any, by), None, None, Kind::Broken, "diff id mismatch");
    }
}

#[test]
fn what_sha512_does_not_prove_is_refused() {
    let mut layout = Layout::default();
    let any: BlobDigest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
    layout.files.insert(documents::blob_name(&any), b"{}".to_vec());
    let tar = layout.unnamed(json!({"digest": any.to_string(), "size": 2})).tar();
    refused(&tar, None, None, Kind::Broken, "the manifest is not what its digest says");
}

#[test]
fn an_index_may_have_digests_that_are_not_understood_beside_the_image() {
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[&layer("content")]);
    let strange = json!({"digest": "sha384:00", "size": 1, "platform": {"os": "linux", "architecture": "s390x"}});
    let index = layout.index(vec![strange.clone(), image]);
    let tar = layout.unnamed(index).tar();
    assert!(read(&tar, None, Some("linux/amd64")).is_ok());
    let tar = Layout::default().unnamed(strange).tar();
    refused(&tar, None, None, Kind::Broken, "only sha256 and sha512 are understood");
}

#[test]
fn a_damaged_layer_is_refused_whichever_way_it_is_read() {
    let mut layout = Layout::default();
    let (good, mut bad) = (layer("good"), layer("good"));
    bad[512] ^= 1;
    let image = layout.image("amd64", &[&good]);
    layout.files.insert(documents::blob_name(&Sha256::of(&good).into()), bad);
    let tar = layout.unnamed(image).tar();
    refused(&tar, None, None, Kind::Broken, "digest mismatch");
}

#[test]
fn what_is_no_image_is_refused() {
    refused(&[0; 10240], None, None, Kind::Usage, "it holds no image");
    refused(b"", None, None, Kind::Broken, "");
    refused(
        &Tar::new().symlink("manifest.json", "/etc/passwd").bytes(),
        None,
        None,
        Kind::Usage,
        "it holds no image",
    );
    refused(
        &Tar::new().file("repositories", b"{}").bytes(),
        None,
        None,
        Kind::Usage,
        "older than 1.10",
    );
    refused(
        &Tar::new().file("manifest.json", b"[]").bytes(),
        None,
        None,
        Kind::Usage,
        "it is empty",
    );
}

#[test]
fn an_archive_cut_anywhere_is_an_error() {
    let tar = docker_archive();
    // Nothing depends on what follows the last content: its padding and two blocks of zeros.
    for length in (0..tar.len() - 1024 - 512).step_by(97) {
        assert!(read(&tar[..length], None, None).is_err(), "{length}");
    }
}

#[test]
fn a_compressed_archive_is_a_stream() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&docker_archive()).unwrap();
    let packed = [gzip.finish().unwrap(), zstd::encode_all(&docker_archive()[..], 1).unwrap()];
    for packed in packed {
        let mut file = tempfile::Builder::new().suffix(".tar.gz").tempfile().unwrap();
        file.write_all(&packed).unwrap();
        let Opened::Stream(stream) = open_archive(file.path(), None, Choice::default()).unwrap()
        else {
            panic!("it cannot be read in any order");
        };
        let (image, layers) =
            read_stream(stream, &Arc::default(), &mut |_, layer, _| scan(layer)).unwrap();
        assert_eq!(layers.len(), 3);
        assert!(image.source.starts_with("docker-archive:/"), "{}", image.source);
        assert!(image.manifest.is_some());
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_nobody_waits() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let error = open_archive(&pipe, None, Choice::default()).err().unwrap();
    assert_eq!(kind_of(&error), Kind::Usage);
    assert!(error.to_string().contains("is not a regular file"), "{error}");
}
