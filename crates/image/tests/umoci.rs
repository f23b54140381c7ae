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

/// What is at the names so far, as far as nothing leads through links: umoci refuses what goes
/// through a file, and links to nothing.
#[derive(Default)]
struct Tree(BTreeMap<String, bool>);

impl Tree {
    fn is_file(&self, path: &str) -> bool {
        self.0.get(path) == Some(&false)
    }

    /// Whether all above a path may be directories.
    fn is_possible(&self, path: &str) -> bool {
        !path.match_indices('/').any(|(end, _)| self.is_file(&path[..end]))
    }

    fn put(&mut self, path: &str, is_directory: bool) {
        for (end, _) in path.match_indices('/') {
            self.0.insert(path[..end].to_owned(), true);
        }
        if !is_directory {
            self.remove_below(path);
        }
        self.0.insert(path.to_owned(), is_directory);
    }

    fn remove_below(&mut self, path: &str) {
        let below = format!("{path}/");
        self.0.retain(|name, _| !name.starts_with(&below));
    }

    fn files(&self) -> Vec<&String> {
        self.0.iter().filter(|(_, is_directory)| !**is_directory).map(|(name, _)| name).collect()
    }
}

/// A layer's tar. Files have sizes of their own, so that each is known again.
fn layer(numbers: &mut Numbers, size: &mut usize, tree: &mut Tree) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for _ in 0..1 + numbers.below(6) {
        let path = numbers.path();
        // One in eight is made whether or not it is possible.
        if !tree.is_possible(&path) && numbers.below(8) > 0 {
            continue;
        }
        let kind = numbers.below(10);
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let (kind, path, link, content) = match kind {
            0..=2 => {
                *size += 1;
                tree.put(&path, false);
                (tar::EntryType::Regular, path, None, vec![b'x'; *size])
            }
            3 | 4 => {
                tree.put(&path, true);
                (tar::EntryType::Directory, path, None, Vec::new())
            }
            5 => {
                let link = target(numbers);
                tree.put(&path, false);
                tree.0.remove(&path);
                (tar::EntryType::Symlink, path, Some(link), Vec::new())
            }
            6 => {
                let files = tree.files();
                if files.is_empty() {
                    continue;
                }
                let link = files[numbers.below(files.len())].clone();
                tree.put(&path, false);
                (tar::EntryType::Link, path, Some(link), Vec::new())
            }
            7 => {
                tree.remove_below(&path);
                (tar::EntryType::Regular, format!("{path}/.wh..wh..opq"), None, Vec::new())
            }
            _ => {
                tree.remove_below(&path);
                tree.0.remove(&path);
                let marker = format!("{parent}/.wh.{name}");
                let marker = marker.trim_start_matches('/').to_owned();
                (tar::EntryType::Regular, marker, None, Vec::new())
            }
        };
        append(&mut builder, kind, &path, link.as_deref(), &content);
    }
    builder.into_inner().unwrap()
}

/// Where a symbolic link leads.
fn target(numbers: &mut Numbers) -> String {
    let target = numbers.path();
    match numbers.below(3) {
        0 => format!("/{target}"),
        1 => format!("../{target}"),
        _ => target,
    }
}

fn append(
    builder: &mut tar::Builder<Vec<u8>>,
    kind: tar::EntryType,
    path: &str,
    link: Option<&str>,
    content: &[u8],
) {
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
    let mut numbers = Numbers(0x2026_1130_0000_0001 + setting("INSCAN_UMOCI_SEED", 0));
    let (mut compared, mut refused, mut size) = (0, 0, 0);
    for number in 0..images {
        let mut tree = Tree::default();
        let count = 2 + numbers.below(3);
        let layers: Vec<Vec<u8>> =
            (0..count).map(|_| layer(&mut numbers, &mut size, &mut tree)).collect();
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
            if setting("INSCAN_UMOCI_SAY", 0) > 0 {
                println!("{}", String::from_utf8_lossy(&outcome.stderr).trim());
            }
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
    assert!(compared > images / 2, "{compared} of {images}");
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
