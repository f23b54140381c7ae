//! Images made for the tests: several layers, several platforms.

use std::fs;
use std::io::Write;
use std::path::Path;

use inscan_test_support::{digest, sha256};
use serde_json::{Value, json};

/// Bytes that look random, the same each time (xorshift).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

struct Layout<'a>(&'a Path);

impl Layout<'_> {
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        fs::write(self.0.join("blobs/sha256").join(sha256(bytes)), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
    }

    fn image(&self, architecture: &str, layers: &[Vec<u8>]) -> Value {
        let diff_ids: Vec<_> = layers.iter().map(|tar| digest(tar)).collect();
        let config = json!({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config =
            self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let layers: Vec<_> = layers
            .iter()
            .map(|tar| {
                let mut gzip =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(tar).unwrap();
                let packed = gzip.finish().unwrap();
                self.blob("application/vnd.oci.image.layer.v1.tar+gzip", &packed)
            })
            .collect();
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": layers});
        let mut described = self.blob(manifest_type, manifest.to_string().as_bytes());
        described["platform"] = json!({"os": "linux", "architecture": architecture});
        described
    }
}

/// An OCI layout with `layers`, an image of six small layers, `next`, which has five of them, and
/// `multi`, one for two platforms
/// with the attestation that builders add.
pub(super) fn make(directory: &Path) {
    fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let layout = Layout(directory);
    let mut chance = Chance(42);
    let status = "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\nDescription: a library\n\n";
    let release = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n";
    let mut layers = vec![layer(&[
        ("etc/os-release", release.as_bytes()),
        ("var/lib/dpkg/status", status.as_bytes()),
        ("data/0", &chance.bytes(20_000)),
    ])];
    for number in 1..6 {
        let (name, replaced) = (format!("data/{number}"), format!("data/{}", number - 1));
        let removed = format!("data/.wh.{}", number / 2);
        let (own, new) = (chance.bytes(15_000 * number), chance.bytes(5_000));
        layers.push(layer(&[(&name, &own), (&replaced, &new), (&removed, b"")]));
    }
    let mut several = layout.image("amd64", &layers);
    several["annotations"] = json!({"org.opencontainers.image.ref.name": "layers"});
    // All but the last layer are the same.
    layers.pop();
    layers.push(layer(&[("data/next", &chance.bytes(20_000))]));
    let mut next = layout.image("amd64", &layers);
    next["annotations"] = json!({"org.opencontainers.image.ref.name": "next"});
    let [amd64, arm64] = ["amd64", "arm64"].map(|machine| {
        let content =
            layer(&[("machine", machine.as_bytes()), ("etc/os-release", release.as_bytes())]);
        layout.image(machine, &[content])
    });
    let mut attestation = layout.image("unknown", &[layer(&[("attestation", b"{}")])]);
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd64["digest"]});
    let index_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": index_type, "manifests": [attestation, arm64, amd64]});
    let mut multi = layout.blob(index_type, index.to_string().as_bytes());
    multi["annotations"] = json!({"org.opencontainers.image.ref.name": "multi"});
    let top = json!({"schemaVersion": 2, "manifests": [several, next, multi]});
    fs::write(directory.join("index.json"), top.to_string()).unwrap();
}
