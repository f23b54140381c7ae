//! An image of all that makes layers hard: whiteouts, an opaque directory, hard
//! links, links that make a package, capabilities, long names and names that are no UTF-8, a file that is written
//! through a link of the layer below, a large file, an empty file.

use std::fs;
use std::io::Write;
use std::path::Path;

use inscan_test_support::{digest, sha256};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

const NAME: &str = "registry.example/team/hard:1.0";

const STATUS: &str = "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.2-3\n\
    Maintainer: Nobody <nobody@registry.example>\nDescription: none\n\n";

/// Writes the image as an OCI layout in a tar. `lib` is the link `lib`: podman 4.3 itself
/// cannot save from its vfs storage what was written through an absolute one.
pub(crate) fn write(path: &Path, lib: &str) {
    let layers = [(base(lib), true), (change(), false), (large(), true)];
    let mut blobs = Vec::new();
    let mut described = Vec::new();
    let mut diff_ids = Vec::new();
    for (tar, packed) in layers {
        diff_ids.push(digest(&tar));
        let kind = "application/vnd.oci.image.layer.v1.tar";
        described.push(match packed {
            true => blob(&mut blobs, &format!("{kind}+gzip"), gzip(&tar)),
            false => blob(&mut blobs, kind, tar),
        });
    }
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": {"Env": ["A=b"], "Cmd": ["/usr/bin/tool"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [
            {"created": "2026-01-02T03:04:05Z", "created_by": "ADD base"},
            {"created": "2026-01-02T03:04:05Z", "created_by": "CMD", "empty_layer": true},
            {"created": "2026-01-02T03:04:05Z", "created_by": "RUN change"},
            {"created": "2026-01-02T03:04:05Z", "created_by": "COPY large"},
        ],
    });
    let config =
        blob(&mut blobs, "application/vnd.oci.image.config.v1+json", config.to_string().into());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": described});
    let mut entry = blob(&mut blobs, media_type, manifest.to_string().into());
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": NAME});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    let mut archive = Builder::new(fs::File::create(path).unwrap());
    let files = [
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index.to_string().into_bytes()),
    ];
    for (name, content) in files.into_iter().chain(blobs) {
        let mut header = header(EntryType::Regular, 0o644, content.len());
        archive.append_data(&mut header, name, &*content).unwrap();
    }
    archive.finish().unwrap();
}

fn blob(blobs: &mut Vec<(String, Vec<u8>)>, media_type: &str, content: Vec<u8>) -> Value {
    let described =
        json!({"mediaType": media_type, "digest": digest(&content), "size": content.len()});
    blobs.push((format!("blobs/sha256/{}", sha256(&content)), content));
    described
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(1_767_323_045);
    header
}

struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn new() -> Self {
        Layer(Builder::new(Vec::new()))
    }

    fn directories(mut self, names: &[&str]) -> Self {
        for name in names {
            let mut header = header(EntryType::Directory, 0o755, 0);
            self.0.append_data(&mut header, name, &[][..]).unwrap();
        }
        self
    }

    fn file(self, name: &str, content: &[u8]) -> Self {
        self.file_of_bytes(name.as_bytes(), 0o644, content)
    }

    fn file_of_bytes(mut self, name: &[u8], mode: u32, content: &[u8]) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(name);
        let mut header = header(EntryType::Regular, mode, content.len());
        self.0.append_data(&mut header, name, content).unwrap();
        self
    }

    fn link(mut self, kind: EntryType, name: &str, target: &str) -> Self {
        let mut header = header(kind, 0o777, 0);
        self.0.append_link(&mut header, name, target).unwrap();
        self
    }

    fn capability(mut self, value: &[u8]) -> Self {
        let extensions = [("SCHILY.xattr.security.capability", value)];
        self.0.append_pax_extensions(extensions).unwrap();
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn base(lib: &str) -> Vec<u8> {
    let release = b"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";
    let long = format!("opt/{}/file", "long".repeat(40));
    let parent = long.strip_suffix("/file").unwrap().to_owned();
    // cap_net_raw=ep, version 2.
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Layer::new()
        .directories(&["etc/", "usr/", "usr/bin/", "usr/lib/", "var/", "var/lib/", "var/lib/dpkg/"])
        .directories(&["opt/", "opt/cache/", &parent])
        .link(EntryType::Symlink, "bin", "usr/bin")
        .link(EntryType::Symlink, "lib", lib)
        // A package that only a link makes one.
        .directories(&["opt/store/", "opt/store/linked/", "opt/app/", "opt/app/node_modules/"])
        .file("opt/store/linked/of-the-store", br#"{"name": "linked", "version": "1.0.0"}"#)
        .link(EntryType::Symlink, "opt/store/linked/package.json", "of-the-store")
        .link(EntryType::Symlink, "opt/app/node_modules/linked", "../../store/linked")
        .file("etc/os-release", release)
        .file("etc/gone", b"deleted later")
        .file("etc/replaced", b"old")
        .file("etc/empty", b"")
        .file("var/lib/dpkg/status", STATUS.as_bytes())
        .file_of_bytes(b"usr/bin/tool", 0o4755, b"#!/bin/sh\necho tool\n")
        .link(EntryType::Link, "usr/bin/tool-hard", "usr/bin/tool")
        .capability(&capability)
        .file_of_bytes(b"usr/bin/ping", 0o755, b"#!/bin/sh\necho ping\n")
        .file_of_bytes(b"etc/no-\xff-utf8", 0o600, b"name in another encoding")
        .file(&long, b"long name")
        .file("opt/cache/old", b"below an opaque directory")
        .bytes()
}

fn change() -> Vec<u8> {
    Layer::new()
        .directories(&["etc/", "opt/", "opt/cache/"])
        .file("etc/.wh.gone", b"")
        .file("opt/cache/.wh..wh..opq", b"")
        .file("opt/cache/new", b"above an opaque directory")
        .file("etc/replaced", b"newer")
        // Where all files of a storage lie in one tree, this goes through links of the layer below.
        .file("bin/through-a-link", b"written through bin")
        .file("lib/through-another", b"written through lib")
        .bytes()
}

fn large() -> Vec<u8> {
    let numbers: Vec<u8> = (0u32..900_000).flat_map(|number| number.to_le_bytes()).collect();
    Layer::new().directories(&["opt/"]).file("opt/large", &numbers).file("opt/small", b"x").bytes()
}
