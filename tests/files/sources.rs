//! Where images lie and what they are called: one image in every form there is, and names that
//! might mean two things.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use inscan_test_support::{IMAGE as DEMO, Inscan, sha256};
use serde_json::{Value, json};
use tempfile::TempDir;

fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = crate::inscan(arguments);
    inscan.env("INSCAN_NO_CACHE", "true");
    inscan
}

/// Our part of the document.
#[track_caller]
fn analyzed(image: &str) -> Value {
    inscan(&["analyze", image, "-q"]).run().ends(0).json()["inscan"].take()
}

fn packages(document: &Value) -> Vec<String> {
    let names = document["packages"].as_array().unwrap().iter();
    names.map(|package| package["purl"].to_string()).collect()
}

#[track_caller]
fn refused(image: &str, words: &[&str]) {
    inscan(&["scan", image, "-q"]).run().ends(2).says(words).prints_nothing();
}

/// What should be there is not: that is no wrong parameter.
#[track_caller]
fn incomplete(image: &str, words: &[&str]) {
    inscan(&["scan", image, "-q"]).run().ends(3).says(words).prints_nothing();
}

fn path(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

fn tar(arguments: &[&str]) {
    assert!(Command::new("tar").args(arguments).status().unwrap().success());
}

/// The demo image unpacked: a layout.
fn layout(directory: &TempDir) -> String {
    let layout = path(directory, "layout");
    fs::create_dir(&layout).unwrap();
    tar(&["-xf", DEMO, "-C", &layout]);
    layout
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn blob(layout: &str, digest: &Value) -> std::path::PathBuf {
    Path::new(layout).join("blobs/sha256").join(&digest.as_str().unwrap()["sha256:".len()..])
}

/// The manifest of the only image of a layout, and where it lies.
fn manifest(layout: &str) -> (Value, std::path::PathBuf) {
    let index = json(&Path::new(layout).join("index.json"));
    let path = blob(layout, &index["manifests"][0]["digest"]);
    (json(&path), path)
}

/// What skopeo writes for `dir:`.
fn transport_directory(layout: &str, to: &str) {
    fs::create_dir(to).unwrap();
    let to = Path::new(to);
    let (_, manifest) = manifest(layout);
    for blob in fs::read_dir(Path::new(layout).join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        fs::copy(blob.path(), to.join(blob.file_name())).unwrap();
    }
    fs::rename(to.join(manifest.file_name().unwrap()), to.join("manifest.json")).unwrap();
    fs::write(to.join("version"), "Directory Transport Version: 1.1\n").unwrap();
}

/// What `docker save` wrote before Docker 25, unpacked: `manifest.json` and its files.
fn saved(layout: &str, to: &str, name: &[&str]) {
    let (manifest, _) = manifest(layout);
    let config = fs::read(blob(layout, &manifest["config"]["digest"])).unwrap();
    fs::create_dir(to).unwrap();
    let id = format!("{}.json", sha256(&config));
    fs::write(Path::new(to).join(&id), config).unwrap();
    let mut layers = Vec::new();
    for (number, layer) in manifest["layers"].as_array().unwrap().iter().enumerate() {
        fs::create_dir(Path::new(to).join(number.to_string())).unwrap();
        layers.push(format!("{number}/layer.tar"));
        fs::copy(blob(layout, &layer["digest"]), Path::new(to).join(&layers[number])).unwrap();
    }
    let saved = json!([{"Config": id, "RepoTags": name, "Layers": layers}]);
    fs::write(Path::new(to).join("manifest.json"), saved.to_string()).unwrap();
}

#[test]
fn an_image_in_a_directory_is_read_in_each_of_its_forms() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout(&directory);
    let expected = packages(&analyzed(&layout));
    assert!(!expected.is_empty());
    let (transport, docker) = (path(&directory, "transport"), path(&directory, "docker"));
    transport_directory(&layout, &transport);
    saved(&layout, &docker, &["registry.example/demo:1"]);
    for image in [
        layout.clone(),
        format!("oci:{layout}"),
        format!("dir:{layout}"),
        transport.clone(),
        format!("dir:{transport}"),
        docker.clone(),
    ] {
        assert_eq!(packages(&analyzed(&image)), expected, "{image}");
    }
    assert_eq!(analyzed(&docker)["image"]["reference"], "registry.example/demo:1");
    fs::remove_file(format!("{layout}/index.json")).unwrap();
    fs::remove_file(format!("{layout}/oci-layout")).unwrap();
    incomplete(&layout, &["no `index.json`"]);
    incomplete(&format!("dir:{layout}"), &["no `index.json`"]);
}

#[test]
fn a_root_file_system_is_read_as_a_directory_and_as_a_tar() {
    let directory = tempfile::tempdir().unwrap();
    let root = path(&directory, "root");
    fs::create_dir_all(format!("{root}/etc")).unwrap();
    fs::create_dir_all(format!("{root}/app")).unwrap();
    fs::write(format!("{root}/etc/os-release"), "ID=debian\nVERSION_ID=12\n").unwrap();
    let package = r#"{"name": "left-pad", "version": "1.3.0", "lockfileVersion": 3}"#;
    fs::create_dir_all(format!("{root}/app/node_modules/left-pad")).unwrap();
    fs::write(format!("{root}/app/node_modules/left-pad/package.json"), package).unwrap();
    let expected = packages(&analyzed(&root));
    assert_eq!(expected, ["\"pkg:npm/left-pad@1.3.0\""]);
    let (plain, packed) = (path(&directory, "root.tar"), path(&directory, "root.tar.gz"));
    tar(&["-cf", &plain, "-C", &root, "."]);
    tar(&["-czf", &packed, "-C", &root, "."]);
    for image in [&plain, &packed, &format!("dir:{root}")] {
        assert_eq!(packages(&analyzed(image)), expected, "{image}");
    }
    let from_stdin = || {
        let mut command = inscan(&["analyze", "-", "-q"]);
        command.stdin(fs::File::open(&packed).unwrap());
        command.run()
    };
    assert_eq!(packages(&from_stdin().ends(0).json()["inscan"]), expected);

    // A file of an image's name is looked at; of what passes by once nothing is left to look at.
    fs::write(format!("{root}/manifest.json"), r#"{"name": "shop"}"#).unwrap();
    tar(&["-cf", &plain, "-C", &root, "."]);
    tar(&["-czf", &packed, "-C", &root, "."]);
    assert_eq!(packages(&analyzed(&plain)), expected);
    from_stdin().ends(2).says(&["a root file system at once"]);

    // What holds an image as well shows one and hides the other.
    let layout = layout(&directory);
    tar(&["-rf", &plain, "-C", &layout, "."]);
    refused(&plain, &["a root file system at once"]);
    fs::copy(format!("{layout}/index.json"), format!("{root}/index.json")).unwrap();
    refused(&root, &["an OCI layout and a root file system at once"]);
    assert_eq!(packages(&analyzed(&format!("dir:{root}"))), expected);
}

#[test]
fn what_is_nothing_is_said_to_be_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let empty = path(&directory, "empty");
    fs::create_dir(&empty).unwrap();
    incomplete(&empty, &["is empty"]);
    incomplete(&format!("dir:{empty}"), &["is empty"]);
    let sources = path(&directory, "sources");
    fs::create_dir_all(format!("{sources}/src")).unwrap();
    refused(&sources, &["neither `index.json`", "dir:"]);
    inscan(&["scan", &format!("dir:{sources}"), "-q"]).run().ends(0);
    let local = path(&directory, "local");
    fs::create_dir_all(format!("{local}/linux_arm64/etc")).unwrap();
    refused(&local, &[&format!("dir:{local}/linux_arm64")]);
}

#[test]
fn an_archive_in_two_forms_says_one_thing() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout(&directory);
    let both = |config: Value, name: &str| {
        let (manifest, _) = manifest(&layout);
        let name_of = |part: &Value| {
            format!("blobs/sha256/{}", &part["digest"].as_str().unwrap()["sha256:".len()..])
        };
        let layers: Vec<_> = manifest["layers"].as_array().unwrap().iter().map(name_of).collect();
        let config = if config.is_null() { name_of(&manifest["config"]).into() } else { config };
        let saved = json!([{"Config": config, "RepoTags": ["app:1"], "Layers": layers}]);
        fs::write(format!("{layout}/manifest.json"), saved.to_string()).unwrap();
        let archive = path(&directory, name);
        tar(&["-cf", &archive, "-C", &layout, "."]);
        archive
    };
    analyzed(&both(Value::Null, "same.tar"));
    let other = fs::read(blob(&layout, &manifest(&layout).0["config"]["digest"])).unwrap();
    let other = [&*other, b"\n"].concat();
    let hex = sha256(&other);
    fs::write(format!("{layout}/blobs/sha256/{hex}"), other).unwrap();
    let archive = both(format!("blobs/sha256/{hex}").into(), "other.tar");
    inscan(&["scan", &archive, "-q"]).run().ends(3).says(&["say different images"]);
    inscan(&["scan", &layout, "-q"]).run().ends(3).says(&["say different images"]);
    inscan(&["scan", &format!("oci-archive:{archive}"), "-q"]).run().ends(0);
}

#[test]
fn a_name_that_is_a_path_as_well_is_neither() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("registry.example/app:1/etc")).unwrap();
    fs::create_dir_all(directory.path().join("tool")).unwrap();
    fs::write(directory.path().join("app:1"), fs::read(DEMO).unwrap()).unwrap();
    let here = |command: &str, name: &str| {
        let mut command = inscan(&[command, name, "--offline"]);
        command.current_dir(directory.path());
        command.run()
    };
    for command in ["scan", "analyze"] {
        for name in ["registry.example/app:1", "app:1", "tool"] {
            here(command, name)
                .ends(2)
                .says(&[&format!("`./{name}`"), &format!("docker://{name}")]);
        }
    }
    here("scan", "./app:1").ends(0);
    here("scan", "dir:registry.example/app:1").ends(0);
    // Nor does a directory of sources stand for the image that is made of it.
    here("scan", "tool:1").ends(2).says(&["the image `tool:1` was not found"]);
}

#[test]
fn an_image_is_called_by_the_name_that_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let layout = layout(&directory);
    let docker = path(&directory, "docker");
    saved(&layout, &docker, &["registry.example/base:1", "registry.example/team/app:2"]);
    let archive = path(&directory, "image.tar");
    tar(&["-cf", &archive, "-C", &docker, "."]);
    for (name, expected) in [
        ("", "registry.example/base:1"),
        (":registry.example/team/app:2", "registry.example/team/app:2"),
        (":@0", "registry.example/base:1"),
    ] {
        let document = analyzed(&format!("{archive}{name}"));
        assert_eq!(document["image"]["reference"], expected, "{name}");
        let image = if name.is_empty() { "-".to_owned() } else { format!("-{name}") };
        let mut command = inscan(&["analyze", &image, "-q"]);
        command.stdin(fs::File::open(&archive).unwrap());
        let document = command.run().ends(0).json();
        assert_eq!(document["inscan"]["image"]["reference"], expected, "{image}");
    }
    let digest = json(&Path::new(&layout).join("index.json"))["manifests"][0]["digest"].take();
    let index = format!("{layout}/index.json");
    let entry =
        json!({"digest": digest, "size": fs::metadata(blob(&layout, &digest)).unwrap().len()});
    fs::write(index, json!({"manifests": [entry]}).to_string()).unwrap();
    let digest = digest.as_str().unwrap();
    let document = analyzed(&format!("{layout}@{digest}"));
    assert_eq!(document["image"]["reference"], format!("localbuild/layout@{digest}"));
}

#[test]
fn an_output_may_be_an_open_file_and_no_link_of_the_checkout() {
    let run = inscan(&["analyze", DEMO, "-q", "-o", "document=/dev/stdout"]).run().ends(0);
    assert!(run.json()["inscan"].is_object());
    let mut command = inscan(&["analyze", DEMO, "-q", "-o", "document=/dev/stderr"]);
    let output = command.stdout(Stdio::piped()).output().unwrap();
    assert!(serde_json::from_slice::<Value>(&output.stderr).is_ok());

    let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let victim = outside.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    symlink(&victim, directory.path().join("out.json")).unwrap();
    symlink(outside.path(), directory.path().join("reports")).unwrap();
    for name in ["out.json", "reports/new.json", "./reports/victim"] {
        let mut command = inscan(&["analyze", DEMO, "-q", "-o", &format!("document={name}")]);
        command.current_dir(directory.path());
        command.run().ends(2).says(&["is a symbolic link in the working directory"]);
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// What programs tell an error by, and how the run ends.
#[track_caller]
fn coded(arguments: &[&str], code: &str, exit: i32) {
    let arguments = [&["scan", "-q", "--error-format", "json"], arguments].concat();
    let ran = inscan(&arguments).run().ends(exit).prints_nothing();
    let error: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&error["code"], &error["exit"]), (&json!(code), &json!(exit)), "{error}");
}

#[test]
fn an_image_that_is_not_read_has_a_code_for_each_kind_of_reason() {
    let directory = tempfile::tempdir().unwrap();
    let there = |name: &str, bytes: &[u8]| {
        let path = path(&directory, name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let image = fs::read(DEMO).unwrap();
    coded(&[&path(&directory, "none.tar")], "image-not-found", 2);
    coded(&[&there("empty.tar", b"")], "image-empty", 3);
    coded(&[&there("text.tar", &b"no tar\n".repeat(200))], "image-damaged", 3);
    coded(&[&there("cut.tar", &image[..image.len() / 2])], "image-incomplete", 3);
    coded(&[&there("document.json", b"{\"packages\":[]}")], "not-an-image", 2);
    coded(&[DEMO, "--platform", "plan9/mips"], "platform-not-found", 2);

    let layout = layout(&directory);
    let (manifest, place) = manifest(&layout);
    let layer = blob(&layout, &manifest["layers"][0]["digest"]);
    let stored = fs::read(&layer).unwrap();
    fs::remove_file(&layer).unwrap();
    coded(&[&layout], "image-incomplete", 3);
    let mut changed = stored.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&layer, &changed).unwrap();
    coded(&[&layout], "image-damaged", 3);
    fs::write(&layer, &stored).unwrap();
    fs::write(&place, b"{}").unwrap();
    coded(&[&layout], "digest-mismatch", 3);

    let saved = path(&directory, "saved");
    fs::create_dir(&saved).unwrap();
    fs::write(Path::new(&saved).join("manifest.json"), b"[{\"Config\":\"c.json\",\"Layers\":[]}]")
        .unwrap();
    coded(&[&saved], "image-incomplete", 3);
}
