//! The same image, wherever it lies: engines' sockets, their storages, archives.

#![allow(clippy::print_stderr, reason = "says what is passed over")]

mod made;
mod parts;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images/demo.oci.tar");

/// The binary with the arguments, far from the settings of whoever runs the tests.
fn inscan(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inscan"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR"));
    let of_engines = ["INSCAN_", "DOCKER_", "CONTAINER", "STORAGE_", "XDG_"];
    for (name, _) in std::env::vars_os() {
        if of_engines.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        .env("HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .env("SOURCE_DATE_EPOCH", "1767323045")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    inscan(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It ends with the code, says all of the words on stderr and nothing on stdout.
#[track_caller]
fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    let errors = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for word in words {
        assert!(errors.contains(word), "no `{word}` in: {errors}");
    }
}

#[track_caller]
fn document(image: &str) -> Value {
    let output = run(&["analyze", "--quiet", image]);
    assert!(output.status.success(), "{image}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a document says of the image and nothing of where it was read from: names, how its blobs
/// are compressed there, how long it took. An archive has no manifest, so no digest of one.
fn without_source(mut document: Value) -> (Value, Value) {
    let inscan = &mut document["inscan"];
    for field in ["source", "reference", "names", "digest"] {
        inscan["image"].as_object_mut().unwrap().remove(field);
    }
    for layer in inscan["layers"].as_array_mut().unwrap() {
        for field in ["blob_digest", "blob_size", "compression", "media_type"] {
            layer.as_object_mut().unwrap().remove(field);
        }
    }
    inscan.as_object_mut().unwrap().remove("run");
    let mut legacy = document["document"][0]["image"]["imagedata"]["analysis_report"].take();
    legacy.as_object_mut().unwrap().remove("layer_info");
    (document["inscan"].take(), legacy)
}

#[track_caller]
fn same(one: &Value, other: &Value, place: &str) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: Vec<_> = one.keys().collect();
            assert_eq!(names, other.keys().collect::<Vec<_>>(), "{place}");
            one.iter()
                .for_each(|(name, value)| same(value, &other[name], &format!("{place}/{name}")));
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{place}");
            for (number, (one, other)) in one.iter().zip(other).enumerate() {
                same(one, other, &format!("{place}/{number}"));
            }
        }
        _ => assert_eq!(one, other, "{place}"),
    }
}

/// The document of an image is that of the archive it was made from.
#[track_caller]
fn is_the_image_of(archive: &str, image: &str) {
    let (expected, expected_legacy) = without_source(document(archive));
    let (found, found_legacy) = without_source(document(image));
    same(&expected, &found, image);
    same(&expected_legacy, &found_legacy, image);
}

fn made_image(directory: &Path) -> String {
    let path = directory.join("hard.oci.tar");
    made::write(&path);
    format!("oci-archive:{}", path.display())
}

#[test]
fn an_image_in_a_storage_is_the_one_of_its_archive() {
    if !parts::all_there(&["skopeo"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let hard = made_image(directory.path());
    let drivers: &[&str] = match parts::overlay_works(directory.path()) {
        true => &["vfs", "overlay"],
        false => &["vfs"],
    };
    for driver in drivers {
        let demo = format!("oci-archive:{DEMO}");
        let store = parts::storage(directory.path(), driver, &demo, "localhost/demo:1");
        parts::storage(directory.path(), driver, &hard, "docker.io/library/hard:latest");
        is_the_image_of(&demo, &format!("containers-storage:{store}demo:1"));
        is_the_image_of(&hard, &format!("containers-storage:{store}hard"));
        let expected = document(&hard);
        let found = document(&format!("containers-storage:{store}hard"));
        for field in ["id", "digest"] {
            let (found, expected) =
                (&found["inscan"]["image"][field], &expected["inscan"]["image"][field]);
            assert_eq!(found, expected, "{field}");
        }
        let id = expected["inscan"]["image"]["id"].as_str().unwrap();
        let digest = expected["inscan"]["image"]["digest"].as_str().unwrap();
        for name in [id, &id[..12], digest, &format!("library/hard@{digest}"), &format!("@{id}")] {
            let found = document(&format!("containers-storage:{store}{name}"));
            assert_eq!(found["inscan"]["image"]["id"], *id, "{name}");
        }
        fails(&["scan", &format!("containers-storage:{store}nope")], 2, &["`nope`", "hard:latest"]);
    }
    fails(&["scan", "containers-storage:[vfs@/no/such/storage]app"], 2, &["/no/such/storage"]);
}
