//! Images of containerd (<https://github.com/containerd/containerd>), read from its own
//! files: which there are is in a database, and their blobs lie by digest, as in an OCI
//! layout. Nothing is asked of the daemon, which may be running.

mod bolt;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::choice::Choice;
use super::documents::Documents;
use super::known_names::{self, StoredImage};
use super::oci_layout::{self, LayoutDirectory};
use super::regular::open_regular;
use super::{Image, Kind, OpenOptions, Opened, kind_of};
use crate::fault;
use bolt::{Bucket, Database};
use inscan_facts::error::{absent, shown, usage};

/// containerd's own place, and those of distributions of Kubernetes.
const ROOTS: [&str; 4] = [
    "/var/lib/containerd",
    "/var/lib/rancher/k3s/agent/containerd",
    "/var/lib/rancher/rke2/agent/containerd",
    "/var/snap/microk8s/common/var/lib/containerd",
];
const DATABASE: &str = "io.containerd.metadata.v1.bolt/meta.db";
const CONTENT: &str = "io.containerd.content.v1.content";
/// Looked into first, where no namespace is named: of `ctr` and nerdctl, of Kubernetes, of Docker.
const FIRST_NAMESPACES: [&str; 3] = ["default", "k8s.io", "moby"];

/// An image as the database has it: a name for a blob.
#[derive(Clone, Debug)]
struct Entry {
    namespace: String,
    name: String,
    digest: String,
    media_type: String,
    size: Option<i64>,
}

/// Opens an image by what was typed behind `containerd:`, which may begin with `[NAMESPACE@ROOT]`.
pub(super) fn open(text: &str, options: &OpenOptions) -> anyhow::Result<Opened> {
    let Specified { namespace, root, name } = specified(text)?;
    if name.is_empty() {
        return Err(usage(format!("`{}` names no image", shown(text))));
    }
    let namespace = namespace
        .or(options.containerd_namespace.as_deref())
        .or(options.environment.text("CONTAINERD_NAMESPACE"));
    let (root, database) = match root {
        Some(root) => (root.clone(), database(&root)?),
        None => {
            let found = ROOTS.iter().map(PathBuf::from).find(|root| root.join(DATABASE).exists());
            let root = found.unwrap_or_else(|| PathBuf::from(ROOTS[0]));
            (root.clone(), database(&root)?)
        }
    };
    let entries = database
        .view(|database, top| entries(database, top, namespace))
        .with_context(|| format!("could not read the images of `{}`", path(&root)))?;
    let entry = find(name, &entries)?;
    let content = Content { layout: LayoutDirectory(root.join(CONTENT)), index: index_of(&entry) };
    let choice = Choice { name: None, platform: options.platform.clone() };
    let source = format!("containerd:{}", shown(text));
    let image =
        oci_layout::read(&content, &choice, &source).map_err(|error| incomplete(error, &entry))?;
    // All names of the same blob, the one asked for first.
    let same = entries.iter().filter(|other| other.digest == entry.digest);
    let mut names: Vec<String> =
        same.map(|other| other.name.clone()).filter(|it| is_name(it)).collect();
    names.sort_by_key(|other| *other != entry.name);
    names.dedup();
    known_names::called(name, &mut names);
    Ok(Opened::Image { image: Image { names, ..image }, blobs: Box::new(content.layout) })
}

/// containerd may throw the blobs of layers away once they are unpacked.
fn incomplete(error: anyhow::Error, entry: &Entry) -> anyhow::Error {
    if kind_of(&error) != Kind::Broken {
        return error;
    }
    error.context(format!(
        "containerd does not have all of it (it may be set up to discard layers once they are unpacked); get it with: ctr -n {} content fetch {}",
        shown(&entry.namespace),
        shown(&entry.name)
    ))
}

struct Specified<'a> {
    namespace: Option<&'a str>,
    root: Option<PathBuf>,
    name: &'a str,
}

fn specified(text: &str) -> anyhow::Result<Specified<'_>> {
    let Some(rest) = text.strip_prefix('[') else {
        return Ok(Specified { namespace: None, root: None, name: text });
    };
    let Some((inside, name)) = rest.split_once(']') else {
        return Err(usage(format!("there is no `]` in `{}`", shown(text))));
    };
    let (namespace, root) = match inside.split_once('@') {
        Some((namespace, root)) if !namespace.contains('/') => (namespace, root),
        _ if inside.starts_with('/') => ("", inside),
        _ => (inside, ""),
    };
    if !root.is_empty() && !root.starts_with('/') {
        return Err(usage(format!(
            "the directory in `{}` must be an absolute path, as in [k8s.io@/var/lib/containerd]",
            shown(text)
        )));
    }
    Ok(Specified {
        namespace: Some(namespace).filter(|it| !it.is_empty()),
        root: Some(PathBuf::from(root)).filter(|_| !root.is_empty()),
        name,
    })
}

fn database(root: &Path) -> anyhow::Result<Database> {
    let place = root.join(DATABASE);
    let file = open_regular(&place).map_err(|error| match error.downcast_ref::<io::Error>() {
        Some(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            fault::denied(format!("no permission to read `{}`; run as root", path(&place)))
        }
        _ => error,
    })?;
    let file = file.ok_or_else(|| {
        absent(format!(
            "there is no containerd in `{}`; name another place: containerd:[NAMESPACE@DIRECTORY]IMAGE",
            path(root)
        ))
    })?;
    Database::new(file).with_context(|| format!("could not open `{}`", path(&place)))
}

/// The images of a namespace, or of all: <https://github.com/containerd/containerd/blob/main/core/metadata/buckets.go>.
fn entries(
    database: &Database,
    top: &Bucket,
    namespace: Option<&str>,
) -> anyhow::Result<Vec<Entry>> {
    let Some(version) = database.bucket(top, b"v1")? else {
        return Err(fault::damaged(
            "it is not a database of containerd that is understood: there is no `v1` in it",
        ));
    };
    let mut namespaces = database.names(&version)?;
    if let Some(namespace) = namespace {
        let listed: Vec<String> = namespaces.iter().map(shown).collect();
        namespaces.retain(|name| name == namespace.as_bytes());
        if namespaces.is_empty() {
            return Err(absent(format!(
                "there is no namespace `{}`; there is {}",
                shown(namespace),
                listed.join(", ")
            )));
        }
    }
    let rank = |name: &[u8]| FIRST_NAMESPACES.iter().position(|first| first.as_bytes() == name);
    namespaces.sort_by_key(|name| rank(name).unwrap_or(FIRST_NAMESPACES.len()));
    let mut all = Vec::new();
    for namespace in namespaces {
        let Some(bucket) = database.bucket(&version, &namespace)? else { continue };
        let Some(images) = database.bucket(&bucket, b"images")? else { continue };
        for name in database.names(&images)? {
            let Some(image) = database.bucket(&images, &name)? else { continue };
            let Some(target) = database.bucket(&image, b"target")? else { continue };
            let text = |key: &[u8]| {
                let value = database.value(&target, key)?.unwrap_or_default();
                anyhow::Ok(String::from_utf8_lossy(&value).into_owned())
            };
            all.push(Entry {
                namespace: String::from_utf8_lossy(&namespace).into_owned(),
                name: String::from_utf8_lossy(&name).into_owned(),
                digest: text(b"digest")?,
                media_type: text(b"mediatype")?,
                size: database.value(&target, b"size")?.and_then(|value| signed_varint(&value)),
            });
        }
    }
    Ok(all)
}

/// The image in the first namespace that has it.
fn find(name: &str, entries: &[Entry]) -> anyhow::Result<Entry> {
    let mut all = Vec::new();
    for namespace in entries.chunk_by(|one, other| one.namespace == other.namespace) {
        // Several names of one blob are one image.
        let mut blobs: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        namespace.iter().for_each(|entry| blobs.entry(&entry.digest).or_default().push(entry));
        let images: Vec<Vec<&Entry>> = blobs.into_values().collect();
        let known: Vec<StoredImage> = images.iter().map(|names| known(names)).collect();
        if let Some(at) = known_names::find(name, &known)? {
            let names = &images[at];
            let meant = names.iter().find(|entry| known_names::means(name, &entry.name));
            let plain = names.iter().find(|entry| is_name(&entry.name));
            return Ok((*meant.or(plain).unwrap_or(&names[0])).clone());
        }
        all.extend(known);
    }
    Err(known_names::not_there(name, &all))
}

/// Kubernetes stores each image also under the digest of its configuration.
fn known(names: &[&Entry]) -> StoredImage {
    let digests = names.iter().take(1).map(|entry| &entry.digest);
    let (plain, ids): (Vec<_>, Vec<_>) =
        names.iter().map(|it| &it.name).partition(|it| is_name(it));
    StoredImage {
        names: plain.into_iter().cloned().collect(),
        digests: digests.chain(ids).filter_map(|digest| digest.parse().ok()).collect(),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with("sha256:")
}

/// As Go writes it: the sign is the lowest bit.
fn signed_varint(bytes: &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

fn index_of(entry: &Entry) -> Vec<u8> {
    let target = json!({
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size,
    });
    json!({"schemaVersion": 2, "manifests": [target]}).to_string().into_bytes()
}

/// The content store as the OCI layout that it is but for the index.
struct Content {
    layout: LayoutDirectory,
    index: Vec<u8>,
}

impl Documents for Content {
    fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match name {
            "index.json" => Ok(Some(self.index.clone())),
            _ => self.layout.read(name),
        }
    }

    fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        self.layout.size(name)
    }

    fn start(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        self.layout.start(name)
    }
}

fn path(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_and_directory_stand_in_brackets() {
        for (text, namespace, root, name) in [
            ("app:1", None, None, "app:1"),
            ("[k8s.io]app", Some("k8s.io"), None, "app"),
            ("[/x]app", None, Some("/x"), "app"),
            ("[moby@/x]app", Some("moby"), Some("/x"), "app"),
        ] {
            let found = specified(text).unwrap();
            assert_eq!((found.namespace, found.name), (namespace, name), "{text}");
            assert_eq!(found.root, root.map(PathBuf::from), "{text}");
        }
        assert!(specified("[moby@x]app").is_err());
        assert!(specified("[moby").is_err());
    }

    #[test]
    fn numbers_are_read_as_go_writes_them() {
        assert_eq!(signed_varint(&[0]), Some(0));
        assert_eq!(signed_varint(&[0xd0, 0x0c]), Some(808));
        assert_eq!(signed_varint(&[1]), Some(-1));
        assert_eq!(signed_varint(&[0x80]), None);
        assert_eq!(signed_varint(&[0xff; 20]), None);
    }
}
