//! Flattening, held against `umoci unpack` on images that are made up: layers that replace names by
//! others of another kind, write through links, and delete before and after.
//!
//! `INSCAN_UMOCI_IMAGES` says how many; docs/reliability.md has the figures of a long run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use inscan_facts::digest::Sha256;
use inscan_image::flatten::flatten;
use inscan_image::layer::{EntryKind, LayerScan, Pass, read};
use inscan_test_support::{need_programs, setting};

/// Names are few, so that layers meet.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }

    fn path(&mut self) -> String {
        let parts = 1 + self.below(3);
        (0..parts).map(|_| self.name()).collect::<Vec<_>>().join("/")
    }
}

/// A layer's tar. Files have sizes of their own, so that each is known again.
fn layer(numbers: &mut Numbers, size: &mut usize) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = |kind, path: &str, link: Option<&str>, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        match link {
            Some(link) => builder.append_link(&mut header, path, link).unwrap(),
            None => builder.append_data(&mut header, path, content).unwrap(),
        }
    };
    for _ in 0..1 + numbers.below(6) {
        let path = numbers.path();
        match numbers.below(10) {
            0..=2 => {
                *size += 1;
                header(tar::EntryType::Regular, &path, None, &vec![b'x'; *size]);
            }
            3 | 4 => header(tar::EntryType::Directory, &path, None, b""),
            5 => {
                let target = numbers.path();
                let target = match numbers.below(3) {
                    0 => format!("/{target}"),
                    1 => format!("../{target}"),
                    _ => target,
                };
                header(tar::EntryType::Symlink, &path, Some(&target), b"");
            }
            6 => header(tar::EntryType::Link, &path, Some(&numbers.path()), b""),
            7 => header(tar::EntryType::Regular, &format!("{path}/.wh..wh..opq"), None, b""),
            _ => {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
                let marker = format!("{parent}/.wh.{name}");
                header(tar::EntryType::Regular, marker.trim_start_matches('/'), None, b"");
            }
        }
    }
    builder.into_inner().unwrap()
}

fn blob(layout: &Path, bytes: &[u8]) -> String {
    let hex = Sha256::of(bytes).hex();
    fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    fs::write(layout.join("blobs/sha256").join(&hex), bytes).unwrap();
    format!(r#""digest": "sha256:{hex}", "size": {}"#, bytes.len())
}

/// An OCI layout of uncompressed layers, with the tag `x`.
fn layout(place: &Path, layers: &[Vec<u8>]) {
    let quoted = |layer: &Vec<u8>| format!("\"sha256:{}\"", Sha256::of(layer).hex());
    let diff_ids = layers.iter().map(quoted).collect::<Vec<_>>().join(",");
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{diff_ids}]}}}}"#
    );
    let config = blob(place, config.as_bytes());
    let of = "application/vnd.oci.image";
    let layers = layers
        .iter()
        .map(|layer| format!(r#"{{"mediaType":"{of}.layer.v1.tar",{}}}"#, blob(place, layer)));
    let layers = layers.collect::<Vec<_>>().join(",");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{of}.manifest.v1+json","config":{{"mediaType":"{of}.config.v1+json",{config}}},"layers":[{layers}]}}"#
    );
    let manifest = blob(place, manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{of}.manifest.v1+json",{manifest},"annotations":{{"org.opencontainers.image.ref.name":"x"}}}}]}}"#
    );
    fs::write(place.join("index.json"), index).unwrap();
    fs::write(place.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// Every name with what it is: a directory, the size of a file, the target of a link.
type Listing = BTreeMap<String, String>;

fn unpacked(root: &Path, below: &str, into: &mut Listing) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let at = root.join(&path);
        let metadata = fs::symlink_metadata(&at).unwrap();
        let what = if metadata.is_dir() {
            unpacked(root, &path, into);
            "/".to_owned()
        } else if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&at).unwrap().display())
        } else {
            metadata.size().to_string()
        };
        into.insert(path, what);
    }
}

fn flattened(layers: &[LayerScan]) -> Listing {
    let mut listing = Listing::new();
    let fs = flatten(layers);
    fs.walk(|path, file| {
        let what = match file.kind() {
            EntryKind::Directory => "/".to_owned(),
            EntryKind::Symlink => {
                let (at, entry) = file.content.unwrap();
                let link = layers[at.layer as usize].link(entry);
                format!("-> {}", String::from_utf8_lossy(link))
            }
            _ => file.size().to_string(),
        };
        listing.insert(String::from_utf8_lossy(path).into_owned(), what);
    });
    listing
}

#[test]
#[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
fn an_image_is_flattened_as_umoci_unpacks_it() {
    if !need_programs(&["umoci"]) {
        return;
    }
    let images = setting("INSCAN_UMOCI_IMAGES", 200);
    let pass = Pass::new(&[], Vec::new());
    let mut numbers = Numbers(0x2026_1130_0000_0001);
    let (mut compared, mut refused, mut size) = (0, 0, 0);
    for number in 0..images {
        let layers: Vec<Vec<u8>> =
            (0..2 + numbers.below(3)).map(|_| layer(&mut numbers, &mut size)).collect();
        let place = tempfile::tempdir().unwrap();
        layout(&place.path().join("layout"), &layers);
        let bundle = place.path().join("bundle");
        let image = format!("{}:x", place.path().join("layout").display());
        let outcome = Command::new("umoci")
            .args(["unpack", "--rootless", "--image", &image])
            .arg(&bundle)
            .output()
            .unwrap();
        if !outcome.status.success() {
            refused += 1;
            continue;
        }
        let mut expected = Listing::new();
        unpacked(&bundle.join("rootfs"), "", &mut expected);
        let scans: Vec<LayerScan> = layers
            .iter()
            .map(|layer| read(&pass, Box::new(&layer[..]), Box::new(|_| ())).unwrap())
            .collect();
        assert_eq!(flattened(&scans), expected, "image {number}: {}", said(&scans));
        compared += 1;
    }
    println!("{compared} images compared, {refused} refused by umoci");
    assert!(compared > images / 8, "{compared} of {images}");
}

fn said(layers: &[LayerScan]) -> String {
    let mut text = String::new();
    for layer in layers {
        for entry in &layer.entries {
            let (path, link) = (layer.path(entry), layer.link(entry));
            let (path, link) = (String::from_utf8_lossy(path), String::from_utf8_lossy(link));
            text.push_str(&format!("\n{:?} {path} {link} {}", entry.kind, entry.size));
        }
        text.push_str("\n--");
    }
    text
}
