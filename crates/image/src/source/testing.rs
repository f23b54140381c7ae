//! Small archives and layouts for the tests of this module.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use serde_json::{Value, json};

use super::documents::{blob_name, digest_of};

/// Builds a tar, header by header, also a wrong one.
pub(super) struct Tar(Vec<u8>);

impl Tar {
    pub(super) fn new() -> Self {
        Tar(Vec::new())
    }

    pub(super) fn file(self, name: &str, content: &[u8]) -> Self {
        match name.len() {
            0..=100 => self.raw(b'0', name, content),
            _ => self.pax(&[("path", name)]).raw(b'0', "long", content),
        }
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        self.header(b'2', name, target, 0)
    }

    pub(super) fn hard_link(self, name: &str, target: &str) -> Self {
        self.header(b'1', name, target, 0)
    }

    pub(super) fn directory(self, name: &str) -> Self {
        self.header(b'5', name, "", 0)
    }

    pub(super) fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut content = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            // The length counts its own digits.
            let length =
                (rest + 1..).find(|length| length.to_string().len() + rest == *length).unwrap();
            content += &format!("{length} {key}={value}\n");
        }
        self.raw(b'x', "PaxHeaders/0", content.as_bytes())
    }

    pub(super) fn raw(self, kind: u8, name: &str, content: &[u8]) -> Self {
        let mut tar = self.header(kind, name, "", content.len() as u64);
        tar.0.extend(content);
        tar.0.resize(tar.0.len().next_multiple_of(512), 0);
        tar
    }

    pub(super) fn raw_claiming(self, kind: u8, name: &str, size: u64) -> Self {
        self.header(kind, name, "", size)
    }

    fn header(mut self, kind: u8, name: &str, link: &str, size: u64) -> Self {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..107].copy_from_slice(b"0000644");
        if size < 1 << 33 {
            block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        } else {
            block[124] = 0x80;
            block[128..136].copy_from_slice(&size.to_be_bytes());
        }
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.0.extend(block);
        self
    }

    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// The configuration of an image with layers of this content.
pub(super) fn config(architecture: &str, layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest_of(layer).to_string()).collect();
    json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}})
        .to_string()
        .into_bytes()
}

/// The files of an OCI layout, by name.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    index: Vec<Value>,
}

impl Layout {
    pub(super) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest_of(bytes);
        self.files.insert(blob_name(&digest.into()), bytes.to_vec());
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    }

    /// An image manifest with its configuration and layers stored.
    pub(super) fn image(&mut self, architecture: &str, layers: &[&[u8]]) -> Value {
        let config =
            self.blob("application/vnd.oci.image.config.v1+json", &config(architecture, layers));
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| self.blob("application/vnd.oci.image.layer.v1.tar", layer))
            .collect();
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        self.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes())
    }

    pub(super) fn index(&mut self, manifests: Vec<Value>) -> Value {
        let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        self.blob("application/vnd.oci.image.index.v1+json", index.as_bytes())
    }

    pub(super) fn named(mut self, name: &str, mut manifest: Value) -> Self {
        manifest["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.index.push(manifest);
        self
    }

    pub(super) fn unnamed(mut self, manifest: Value) -> Self {
        self.index.push(manifest);
        self
    }

    pub(super) fn tar(mut self) -> Vec<u8> {
        let index = json!({"schemaVersion": 2, "manifests": self.index}).to_string().into_bytes();
        self.files.insert("index.json".to_owned(), index);
        self.files.iter().fold(Tar::new(), |tar, (name, bytes)| tar.file(name, bytes)).bytes()
    }
}

/// A file without a name, with this content.
pub(super) fn temporary_file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}
