//! What a directory or a tar is, found out by looking at it: one of the forms in which images lie
//! about, or a root file system.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context;
use inscan_facts::error::{shown, usage};
use inscan_facts::path;
use inscan_tar::Archive;
use serde_json::Value;

use super::archive_index::ArchiveIndex;
use super::documents::Documents;
use super::members::{LIMITS, Member};
use super::unpacked::Unpacked;
use crate::fault;
use crate::layer::LayerScan;

/// Directories at the root of every Linux system, which nothing else has.
const OF_ROOTS: [&str; 16] = [
    ".dockerenv",
    "boot",
    "dev",
    "etc",
    "home",
    "lib64",
    "mnt",
    "nix",
    "opt",
    "proc",
    "root",
    "sbin",
    "srv",
    "sys",
    "usr",
    "var",
];
/// One of these makes a tar an archive of images.
pub(super) const OF_IMAGES: [&str; 3] = ["manifest.json", "index.json", "oci-layout"];
/// Some of these have projects of programs, too.
const OF_MANY_ROOTS: [&str; 5] = ["bin", "lib", "media", "run", "tmp"];
const ENOUGH_OF_MANY: usize = 3;
/// `docker export` and `podman export` begin with the directories of the root. So much of a stream
/// is looked at before it passes by.
pub(super) const TAR_START: usize = 1 << 20;

/// The forms of an image in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// `index.json` and `blobs/`.
    Layout,
    /// What `docker save` writes, unpacked; since Docker 25 it is a layout as well.
    Saved,
    /// What `skopeo copy IMAGE dir:DIRECTORY` writes, and `podman save --format docker-dir`.
    Transport,
}

/// What was seen in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) held: Option<Held>,
    pub(super) is_root: bool,
    /// Blobs of a layout, without an index.
    has_blobs: bool,
    is_empty: bool,
    /// Directories that are root file systems each, as `buildx --output type=local` writes them for
    /// several platforms.
    platforms: Vec<String>,
}

pub(super) fn look(directory: &Path) -> anyhow::Result<Looked> {
    let names = names(directory)?;
    let roots = |name: &&String| {
        name.contains('_') && self::names(&directory.join(name)).is_ok_and(|below| is_root(&below))
    };
    Ok(Looked {
        held: held(&Unpacked::new(directory)),
        is_root: is_root(&names),
        has_blobs: names.iter().any(|name| name == "blobs"),
        is_empty: names.is_empty(),
        platforms: names.iter().filter(roots).cloned().collect(),
    })
}

fn names(directory: &Path) -> anyhow::Result<Vec<String>> {
    let read = || -> std::io::Result<Vec<String>> {
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            Ok(entry?.file_name().to_string_lossy().into_owned())
        };
        std::fs::read_dir(directory)?.map(name).collect()
    };
    let mut names = read().with_context(|| {
        format!("could not read `{}`", shown(directory.as_os_str().as_encoded_bytes()))
    })?;
    names.sort();
    Ok(names)
}

fn is_root(names: &[impl AsRef<str>]) -> bool {
    let count = |of: &[&str]| names.iter().filter(|name| of.contains(&name.as_ref())).count();
    count(&OF_ROOTS) > 0 || count(&OF_MANY_ROOTS) >= ENOUGH_OF_MANY
}

fn held(files: &dyn Documents) -> Option<Held> {
    let json = |name: &str| {
        let bytes = files.read(name).ok().flatten()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    };
    let is_file = |name: &str| files.size(name).is_ok_and(|size| size.is_some());
    // Whether it can be read is seen when it is: here is asked what it wants to be.
    let has = |value: &Value, name: &str| {
        value
            .as_object()
            .is_some_and(|fields| fields.keys().any(|it| it.eq_ignore_ascii_case(name)))
    };
    if is_file("oci-layout") || json("index.json").is_some_and(|index| has(&index, "manifests")) {
        return Some(Held::Layout);
    }
    let version = files.read("version").ok().flatten().unwrap_or_default();
    if version.starts_with(b"Directory Transport Version") {
        return Some(Held::Transport);
    }
    let manifest = json("manifest.json")?;
    let is_saved = |first: &Value| has(first, "config") && has(first, "layers");
    match &manifest {
        Value::Array(images) => images.first().is_some_and(is_saved).then_some(Held::Saved),
        one if has(one, "schemaVersion") => Some(Held::Transport),
        _ => None,
    }
}

impl Looked {
    /// Why what lies there is no image of any kind.
    pub(super) fn unknown(&self, directory: &Path) -> anyhow::Error {
        let path = shown(directory.as_os_str().as_encoded_bytes());
        if let Some(what) = self.no_root(&path) {
            return what;
        }
        fault::no_image(format!(
            "`{path}` is nothing that is known: there is neither `index.json` (an OCI layout) nor `manifest.json` (docker save, skopeo's dir:) in it, nor are the directories of a root file system (`etc`, `usr`, …); to have it read as a root file system, write dir:{path}"
        ))
    }

    /// Why it cannot be taken for a root file system either.
    pub(super) fn no_root(&self, path: &str) -> Option<anyhow::Error> {
        if self.has_blobs {
            return Some(fault::incomplete(format!(
                "`{path}` has the blobs of an OCI layout, but no `index.json`: the copy is not complete; make it again"
            )));
        }
        if !self.platforms.is_empty() {
            let each: Vec<String> =
                self.platforms.iter().map(|name| format!("dir:{path}/{}", shown(name))).collect();
            return Some(usage(format!(
                "`{path}` has root file systems for several platforms; give one of them: {}",
                each.join(", ")
            )));
        }
        let empty = || {
            format!("the directory `{path}` is empty: what should have filled it may have failed")
        };
        self.is_empty.then(|| fault::empty(empty()))
    }

    /// A directory that can be read in two ways shows one image and hides the other.
    pub(super) fn both(&self, held: Held, directory: &Path) -> anyhow::Error {
        let path = shown(directory.as_os_str().as_encoded_bytes());
        let image = match held {
            Held::Layout => format!("write oci:{path} for the image"),
            Held::Saved | Held::Transport => "move the image to a directory of its own".to_owned(),
        };
        usage(format!(
            "`{path}` is {} and a root file system at once; {image}, or dir:{path} for the root file system",
            held.name()
        ))
    }
}

impl Held {
    fn name(self) -> &'static str {
        match self {
            Held::Layout => "an OCI layout",
            Held::Saved => "an image of `docker save`",
            Held::Transport => "an image of skopeo's dir:",
        }
    }
}

/// Whether a tar is a root file system (`docker export`), by how it begins.
pub(super) fn is_root_tar(start: &[u8]) -> bool {
    let mut archive = Archive::new(start, LIMITS);
    let mut firsts = HashSet::new();
    while let Ok(Some(entry)) = archive.next_entry() {
        let member = Member::of(entry);
        if is_of_image(&member.name) {
            return false;
        }
        firsts.extend(first(&member.name).map(str::to_owned));
    }
    // Few may be seen of them, and archives of images have none.
    firsts.iter().any(|name| OF_ROOTS.contains(&&**name) || OF_MANY_ROOTS.contains(&&**name))
}

/// Whether a tar of a root file system is an archive of an image as well. What is linked to may lie
/// deeper than is looked.
pub(super) fn holds_image(top: &ArchiveIndex) -> bool {
    held(top).is_some() || OF_IMAGES.iter().any(|name| top.is_link(name))
}

/// A file at the top whose content is looked at.
pub(super) fn tells_of_images(name: &[u8]) -> bool {
    name == b"version" || OF_IMAGES.iter().any(|it| it.as_bytes() == name)
}

/// A directory that root file systems have at their top.
pub(super) fn is_of_root(name: &[u8]) -> bool {
    OF_ROOTS.iter().chain(&OF_MANY_ROOTS).any(|it| it.as_bytes() == name)
}

/// Whether it may be, as far as names tell: of what was read once no content is left to look at.
pub(super) fn may_hold_image(layer: &LayerScan) -> bool {
    layer.entries.iter().any(|entry| {
        let name = path::parts(layer.path(entry)).collect::<Vec<_>>().join(&b'/');
        OF_IMAGES.iter().any(|it| it.as_bytes() == name)
    })
}

/// Whether names of an archive are those of a root file system.
pub(super) fn has_root<'a>(names: impl Iterator<Item = &'a [u8]>) -> bool {
    let firsts: HashSet<&str> = names.filter_map(first).collect();
    is_root(&firsts.into_iter().collect::<Vec<_>>())
}

fn first(name: &[u8]) -> Option<&str> {
    std::str::from_utf8(path::parts(name).next()?).ok()
}

/// A name that only archives of images have; `manifest.json` may be any program's.
fn is_of_image(name: &[u8]) -> bool {
    let is_hex = |text: &[u8]| text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit);
    let mut parts = path::parts(name);
    match (parts.next(), parts.next()) {
        (Some(b"oci-layout"), None) => true,
        (Some(b"blobs"), Some(algorithm)) => algorithm.starts_with(b"sha"),
        (Some(one), None) => {
            let digits = one.strip_suffix(b".json").or(one.strip_suffix(b".tar"));
            digits.is_some_and(|digits| is_hex(digits.strip_prefix(b"sha256:").unwrap_or(digits)))
        }
        (Some(one), Some(b"layer.tar")) => is_hex(one),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::Tar;
    use super::*;

    /// A directory with these files, and with these directories, which end in a slash.
    fn looked(files: &[(&str, &str)]) -> Looked {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            match name.strip_suffix('/') {
                Some(_) => fs::create_dir_all(path).unwrap(),
                None => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, content).unwrap();
                }
            }
        }
        look(directory.path()).unwrap()
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], held: Option<Held>, is_root: bool) {
        let looked = looked(files);
        assert_eq!((looked.held, looked.is_root), (held, is_root));
    }

    #[test]
    fn the_forms_of_images_are_told_apart() {
        check(&[("oci-layout", "{}"), ("blobs/sha256/", "")], Some(Held::Layout), false);
        check(&[("index.json", r#"{"Manifests": []}"#)], Some(Held::Layout), false);
        let saved = r#"[{"Config": "c", "RepoTags": null, "Layers": []}]"#;
        check(&[("manifest.json", saved)], Some(Held::Saved), false);
        let version = ("version", "Directory Transport Version: 1.1\n");
        let manifest = ("manifest.json", r#"{"schemaVersion": 2, "config": {}, "layers": []}"#);
        check(&[version, manifest], Some(Held::Transport), false);
        check(&[manifest], Some(Held::Transport), false);
        check(&[version, ("manifest.json", "no JSON")], Some(Held::Transport), false);
    }

    #[test]
    fn a_root_file_system_may_have_files_of_these_names() {
        let app = ("manifest.json", r#"{"name": "shop", "icons": []}"#);
        check(&[("etc/os-release", ""), app, ("version", "1.0")], None, true);
        check(&[("usr/", ""), ("index.json", r#"{"pages": []}"#)], None, true);
        check(&[("bin/", ""), ("lib/", ""), ("tmp/", "")], None, true);
        check(&[("opt/app", ""), ("oci-layout", "")], Some(Held::Layout), true);
    }

    #[test]
    fn what_is_nothing_is_told_as_what_it_lacks() {
        for (files, why) in [
            (&[][..], "is empty"),
            (&[("blobs/sha256/", "")], "no `index.json`"),
            (&[("linux_amd64/etc/", "")], "give one of them: dir:/x/linux_amd64"),
            (&[("src/main.rs", ""), ("bin/", "")], "neither `index.json`"),
        ] {
            let looked = looked(files);
            assert_eq!((looked.held, looked.is_root), (None, false));
            let error = looked.unknown(Path::new("/x")).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_tar_of_a_root_file_system_is_seen_by_its_beginning() {
        let root = || Tar::new().file(".dockerenv", b"").directory("etc/").file("etc/x", b"x");
        assert!(is_root_tar(&root().bytes()));
        assert!(is_root_tar(&root().bytes()[..600]));
        assert!(is_root_tar(&Tar::new().directory("./").directory("./usr/").bytes()));
        let id = "0".repeat(64);
        for name in
            ["oci-layout", "blobs/sha256/0", &format!("{id}.json"), &format!("{id}/layer.tar")]
        {
            assert!(!is_root_tar(&root().file(name, b"").bytes()), "{name}");
        }
        assert!(!is_root_tar(&Tar::new().file("src/main.rs", b"").bytes()));
        assert!(!is_root_tar(b"no tar"));
    }
}
