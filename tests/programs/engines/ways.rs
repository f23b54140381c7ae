//! One image by every way in: each gives the same packages, files and digests.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use inscan_test_support::find;
use serde_json::Value;

use super::{
    document, document_with, inscan, made_image, packages_and_files, parts, same, same_image,
};
use crate::registry::parts::registry_on;

/// The tests' image, and what the outside programs made of it.
struct Ways {
    directory: PathBuf,
    archive: String,
    expected: Value,
    compared: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl Ways {
    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// skopeo copies the image.
    fn copy(&self, to: &str) {
        let copy = ["copy", "-q", "--insecure-policy", "--dest-tls-verify=false", &self.archive];
        parts::run("skopeo", &[&copy[..], &[to]].concat());
    }

    fn compare(&mut self, way: &'static str, image: &str) {
        same_image(&self.expected, document(image), way);
        self.compared.push(way);
    }

    /// The same of an archive that passes by.
    fn compare_piped(&mut self, way: &'static str, archive: &[u8]) {
        let mut child = inscan(&["analyze", "--quiet", "-"]);
        child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(archive).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{way}");
        same_image(&self.expected, serde_json::from_slice(&output.stdout).unwrap(), way);
        self.compared.push(way);
    }

    /// Of a root file system, which has no layers and no configuration.
    fn compare_root(&mut self, way: &'static str, place: &str) {
        same(&packages_and_files(&self.expected), &packages_and_files(&document(place)), way);
        self.compared.push(way);
    }

    fn has(&mut self, way: &'static str, programs: &[&str]) -> bool {
        let is_there = programs.iter().all(|program| find(program).is_some());
        if !is_there {
            self.missing.push(way);
        }
        is_there
    }
}

/// What skopeo copies to, and podman's own storage.
fn copies(ways: &mut Ways) {
    let (oci, skopeo_dir) = (ways.path("layout"), ways.path("skopeo-dir"));
    ways.copy(&format!("oci:{oci}:1"));
    ways.compare("oci", &format!("oci:{oci}:1"));
    ways.copy(&format!("dir:{skopeo_dir}"));
    ways.compare("skopeo dir", &format!("dir:{skopeo_dir}"));
    let saved = ways.path("skopeo.tar");
    ways.copy(&format!("docker-archive:{saved}:localhost/hard:1"));
    ways.compare("docker-archive by skopeo", &format!("docker-archive:{saved}"));
    let bytes = fs::read(&saved).unwrap();
    ways.compare_piped("a pipe", &bytes);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    ways.compare_piped("a pipe, compressed", &gzip.finish().unwrap());
    if ways.has("registry", &["docker-registry"]) {
        let storage = ways.directory.join("registry");
        fs::create_dir(&storage).unwrap();
        let registry = registry_on(&storage, "", "", |_| {});
        ways.copy(&registry.at("hard:1"));
        ways.compare("registry", &registry.at("hard:1"));
    }
}

fn engines(ways: &mut Ways) {
    let storage = parts::storage(&ways.directory, "vfs", &ways.archive, "localhost/hard:1");
    ways.compare("containers-storage", &format!("containers-storage:{storage}localhost/hard:1"));
    let (root, run_root) = (ways.path("vfs"), ways.path("vfs-run"));
    let vfs = ["--root", &root, "--runroot", &run_root, "--storage-driver", "vfs"];
    if ways.has("docker-archive by buildah", &["buildah"]) {
        let saved = ways.path("buildah.tar");
        let push = ["push", "-q", "localhost/hard:1"];
        let to = format!("docker-archive:{saved}:localhost/hard:1");
        parts::run("buildah", &[&vfs[..], &push, &[&to]].concat());
        ways.compare("docker-archive by buildah", &format!("docker-archive:{saved}"));
    }
    for (way, format) in
        [("docker-archive by podman", "docker-archive"), ("docker-dir by podman", "docker-dir")]
    {
        if !ways.has(way, &["podman"]) {
            continue;
        }
        let saved = ways.path(format);
        let save = ["save", "-q", "--format", format, "-o", &saved, "localhost/hard:1"];
        parts::run("podman", &[&vfs[..], &save].concat());
        ways.compare(way, &saved);
    }
    if ways.has("podman's socket", &["podman"]) {
        let podman = parts::Podman::serve(&ways.directory);
        let found = document_with("podman:hard:1", &[("CONTAINER_HOST", &podman.host())]);
        same_image(&ways.expected, found, "podman's socket");
        ways.compared.push("podman's socket");
    }
    if ways.has("containerd", &["containerd", "ctr"]) {
        let containerd = parts::Containerd::serve(&ways.directory);
        containerd.import("default", ways.archive.strip_prefix("oci-archive:").unwrap());
        let root = ways.path("containerd");
        ways.compare("containerd", &format!("containerd:[{root}]hard:1.0"));
    }
}

fn root_file_systems(ways: &mut Ways) {
    if !ways.has("rootfs, rootfs tar", &["umoci"]) {
        return;
    }
    let (layout, bundle) = (format!("{}:1", ways.path("layout")), ways.path("bundle"));
    parts::run("umoci", &["unpack", "--image", &layout, &bundle]);
    let (root, tar) = (format!("{bundle}/rootfs"), ways.path("root.tar"));
    ways.compare_root("rootfs", &format!("dir:{root}"));
    let all = ["--xattrs", "--xattrs-include=*", "--sort=name", "-cf", &tar, "-C", &root, "."];
    parts::run("tar", &all);
    ways.compare_root("rootfs tar", &tar);
}

fn ways(directory: &Path) -> Ways {
    let archive = made_image(directory, "usr/lib");
    let expected = document(&archive);
    let compared = vec!["oci-archive"];
    Ways { directory: directory.to_owned(), archive, expected, compared, missing: Vec::new() }
}

#[test]
#[expect(clippy::print_stdout, reason = "what was compared, for whoever asks for it")]
fn every_way_in_gives_the_same_image() {
    if !parts::all_there(&["skopeo"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut ways = ways(directory.path());
    let names: Vec<_> = ways.expected["inscan"]["packages"].as_array().unwrap().iter().collect();
    assert!(names.iter().any(|package| package["name"] == "linked"), "{names:?}");
    copies(&mut ways);
    engines(&mut ways);
    root_file_systems(&mut ways);
    println!("{} ways compared: {}", ways.compared.len(), ways.compared.join(", "));
    println!("not here: {}", ways.missing.join(", "));
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(ways.missing.is_empty() || !in_ci, "{:?}", ways.missing);
}
