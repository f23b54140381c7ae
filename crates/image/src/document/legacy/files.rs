//! The modules `file_list`, `file_checksums` and `file_suids`: one value for each name in the image.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::names::OddKeys;
use super::other_names::OtherNames;
use crate::document::rows;
use crate::flatten::{File, ImageFs};
use crate::layer::EntryKind;
use crate::threads::Threads;
use inscan_document::text;
use inscan_facts::digest::{FileDigests, hex};

/// In place of the checksum of what has no content.
const NO_CHECKSUM: &str = "DIRECTORY_OR_OTHER";
const SET_UID: u32 = 0o4000;

/// One output, written while the tree is walked.
#[derive(Clone, Copy)]
pub(super) struct FileValues<'a> {
    pub(super) threads: &'a Threads,
    pub(super) fs: &'a ImageFs<'a>,
    pub(super) keys: &'a OddKeys<'a>,
    pub(super) other_names: &'a OtherNames,
    pub(super) value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Permissions,
    Info,
    Md5,
    Sha1,
    Sha256,
    /// Permissions, of those with the set-user-id bit only.
    SetUid,
}

impl FileValues<'_> {
    /// True where there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        let is_any = self.value != Value::SetUid;
        let has_any = self.fs.any(|file| file.own.is_some() && (is_any || is_set_uid(file)));
        let has_root = || self.fs.find(b"").is_some_and(|root| root.own.is_some());
        !(has_any || is_any && has_root())
    }

    fn text(&self, path: &[u8], file: &File<'_>) -> Option<String> {
        Some(match self.value {
            Value::Permissions => format!("{:#o}", permissions(file)),
            Value::SetUid if is_set_uid(file) => format!("{:#o}", permissions(file)),
            Value::SetUid => return None,
            Value::Info => serde_json::to_string(&self.info(path, file)).ok()?,
            Value::Md5 => self.checksum(file, |digests| hex(&digests.md5)),
            Value::Sha1 => self.checksum(file, |digests| hex(&digests.sha1)),
            Value::Sha256 => self.checksum(file, |digests| hex(&digests.sha256)),
        })
    }

    fn checksum(&self, file: &File<'_>, digest: fn(&FileDigests) -> String) -> String {
        digests(self.fs, file).as_ref().map_or_else(|| NO_CHECKSUM.to_owned(), digest)
    }

    fn info(&self, path: &[u8], file: &File<'_>) -> Info {
        let name = format!("/{}", text::shown(path));
        let Attributes { mode, size, kind, target } = attributes(self.fs, file);
        let target = target.map(|target| text::shown(target).into_owned());
        let other_names = match self.other_names.get(file) {
            Some(names) => names.map(|name| (text::shown(name).into_owned(), true)).collect(),
            None => BTreeMap::from([(name.clone(), true)]),
        };
        Info {
            size,
            mode,
            uid: file.own.map_or(0, |(_, entry)| entry.uid),
            gid: file.own.map_or(0, |(_, entry)| entry.gid),
            linkdst_fullpath: target.as_ref().map(|target| match target.starts_with('/') {
                true => target.clone(),
                // The legacy engine joined nothing here.
                false => name.clone(),
            }),
            linkdst: target,
            kind,
            othernames: other_names,
            fullpath: name.clone(),
            name,
        }
    }
}

/// `files.allinfo`, one value.
#[derive(Serialize)]
struct Info {
    fullpath: String,
    gid: u32,
    linkdst: Option<String>,
    linkdst_fullpath: Option<String>,
    /// Type bits and permissions, in decimal.
    mode: u32,
    name: String,
    othernames: BTreeMap<String, bool>,
    size: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    uid: u32,
}

impl Serialize for FileValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        rows::write(
            self.threads,
            |visit| self.keys.walk(self.fs, visit),
            |path, file| self.text(path, file),
            |key, value| map.serialize_entry(key, value),
        )?;
        map.end()
    }
}

/// What `files.allinfo` says of a file, but for names and owners.
pub(super) struct Attributes<'a> {
    /// Type bits and permissions.
    pub(super) mode: u32,
    pub(super) size: u64,
    /// `file`, `dir`, `slink` or `dev`.
    pub(super) kind: &'static str,
    /// Of a symbolic link, as written.
    pub(super) target: Option<&'a [u8]>,
}

pub(super) fn attributes<'a>(fs: &ImageFs<'a>, file: &File<'a>) -> Attributes<'a> {
    let kind = own_kind(file);
    let target = symlink_target(fs, file);
    Attributes {
        mode: kind.type_bits() | permissions(file),
        size: match target {
            Some(target) => characters(target),
            None if file.kind() == EntryKind::File => file.size(),
            None => 0,
        },
        kind: match kind {
            EntryKind::File | EntryKind::HardLink => "file",
            EntryKind::Directory => "dir",
            EntryKind::Symlink => "slink",
            EntryKind::CharDevice | EntryKind::BlockDevice | EntryKind::Fifo => "dev",
        },
        target,
    }
}

/// Of the content; what has none has no digests.
pub(super) fn digests(fs: &ImageFs<'_>, file: &File<'_>) -> Option<FileDigests> {
    let (at, entry) = file.content?;
    fs.layers().get(at.layer as usize)?.digests(entry)
}

/// What the entry itself is: a hard link is one, whatever it names. The legacy
/// engine reports the link's own permissions and owner, as its tar entry has them.
fn own_kind(file: &File<'_>) -> EntryKind {
    file.own.map_or(EntryKind::Directory, |(_, entry)| entry.kind)
}

fn permissions(file: &File<'_>) -> u32 {
    file.own.map_or(0o755, |(_, entry)| u32::from(entry.mode))
}

fn is_set_uid(file: &File<'_>) -> bool {
    file.own.is_some() && permissions(file) & SET_UID != 0
}

/// The legacy engine counts a link's text in characters; a byte that is none is one.
fn characters(text: &[u8]) -> u64 {
    let counts =
        text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len());
    counts.sum::<usize>() as u64
}

/// Target of a symbolic link, as written.
pub(super) fn symlink_target<'a>(fs: &ImageFs<'a>, file: &File<'a>) -> Option<&'a [u8]> {
    let (at, entry) = file.own.filter(|(_, entry)| entry.kind == EntryKind::Symlink)?;
    Some(fs.layers().get(at.layer as usize)?.link(entry))
}

/// Size in bytes of the tar into which the legacy engine flattened the image:
/// Python's PAX form, where each entry has its path in an extended header,
/// padded to records of 10,240 bytes. Other extended headers that an entry may
/// have in its layer (times in parts of a second, attributes) are counted as
/// far as they are known here: long or non-ASCII link targets, large owners.
pub(super) fn squashed_size(fs: &ImageFs<'_>) -> u64 {
    let mut size = 0;
    if let Some(root) = fs.find(b"").filter(|root| root.own.is_some()) {
        size += entry_size(fs, b".", &root);
    }
    fs.walk(|path, file| {
        if file.own.is_some() {
            size += entry_size(fs, path, &file);
        }
    });
    // Two empty blocks end the archive.
    (size + 2 * BLOCK).next_multiple_of(RECORD)
}

const BLOCK: u64 = 512;
const RECORD: u64 = 10_240;

fn entry_size(fs: &ImageFs<'_>, path: &[u8], file: &File<'_>) -> u64 {
    let Some((at, entry)) = file.own else { return 0 };
    let link = fs.layers().get(at.layer as usize).map_or(&b""[..], |layer| layer.link(entry));
    let mut headers = pax_record("path", path.len());
    if link.len() > 100 || !link.is_ascii() {
        headers += pax_record("linkpath", link.len());
    }
    for (name, id) in [("uid", entry.uid), ("gid", entry.gid)] {
        // Seven octal digits fit into the field of a plain header.
        if id >= 0o10_000_000 {
            headers += pax_record(name, id.to_string().len());
        }
    }
    let content = match entry.kind {
        EntryKind::File => entry.size,
        // A link whose target was replaced since it was made is written as a file of its own.
        EntryKind::HardLink if file.kind() == EntryKind::File => {
            let target = fs.find(link).and_then(|target| target.content);
            let is_same = target.map(|target| target.0) == file.content.map(|content| content.0);
            if is_same { 0 } else { file.size() }
        }
        _ => 0,
    };
    2 * BLOCK + headers.next_multiple_of(BLOCK) + content.next_multiple_of(BLOCK)
}

/// `<length> <name>=<value>\n`, where the length counts itself.
fn pax_record(name: &str, value: usize) -> u64 {
    let rest = name.len() + value + 3;
    let mut length = rest;
    loop {
        let next = rest + length.to_string().len();
        if next == length {
            return length as u64;
        }
        length = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatten::flatten;
    use crate::layer::{Entry, LayerScan};

    fn values(layers: &[LayerScan], value: super::Value) -> serde_json::Value {
        let fs = flatten(layers);
        let keys = OddKeys::of(&fs);
        let other_names = OtherNames::of(&fs);
        let values = FileValues {
            threads: &Threads::default(),
            fs: &fs,
            keys: &keys,
            other_names: &other_names,
            value,
        };
        serde_json::to_value(values).unwrap()
    }

    fn layer() -> LayerScan {
        let mut layer = LayerScan::default();
        layer.push_file("bin/su", 0o4755, 7, 0xab);
        layer.push(b"bin", b"", Entry::of(EntryKind::Directory));
        let link = layer.push(b"bin/hard", b"bin/su", Entry::of(EntryKind::HardLink));
        (link.mode, link.uid) = (0o600, 5);
        layer.push(b"lib", b"usr/lib", Entry::of(EntryKind::Symlink));
        layer.push(b"null", b"", Entry::of(EntryKind::CharDevice)).mode = 0o666;
        layer
    }

    #[test]
    fn permissions_and_checksums_are_those_of_the_legacy_engine() {
        let layers = [layer()];
        assert_eq!(
            values(&layers, Value::Permissions),
            serde_json::json!({"/bin": "0o755", "/bin/hard": "0o600", "/bin/su": "0o4755", "/lib": "0o777", "/null": "0o666"})
        );
        assert_eq!(values(&layers, Value::SetUid), serde_json::json!({"/bin/su": "0o4755"}));
        let md5 = "ab".repeat(16);
        assert_eq!(
            values(&layers, Value::Md5),
            serde_json::json!({"/bin": NO_CHECKSUM, "/bin/hard": md5, "/bin/su": md5, "/lib": NO_CHECKSUM, "/null": NO_CHECKSUM})
        );
    }

    #[test]
    fn a_hard_link_has_the_size_of_its_target_and_a_link_that_of_its_text() {
        let layers = [layer()];
        let values = values(&layers, Value::Info);
        let info = |path: &str| -> serde_json::Value {
            serde_json::from_str(values[path].as_str().unwrap()).unwrap()
        };
        assert_eq!(
            info("/bin/hard"),
            serde_json::json!({"name": "/bin/hard", "fullpath": "/bin/hard", "size": 7, "mode": 33152,
                "uid": 5, "gid": 0, "linkdst": null, "linkdst_fullpath": null, "type": "file",
                "othernames": {"/bin/hard": true}})
        );
        assert_eq!(
            info("/lib"),
            serde_json::json!({"name": "/lib", "fullpath": "/lib", "size": 7, "mode": 41471,
                "uid": 0, "gid": 0, "linkdst": "usr/lib", "linkdst_fullpath": "/lib", "type": "slink",
                "othernames": {"/lib": true, "usr/lib": true}})
        );
        assert_eq!(info("/null")["mode"], 8630);
    }

    #[test]
    fn directories_without_an_entry_are_not_listed() {
        let mut layer = LayerScan::default();
        layer.push_file("no/parent", 0o644, 1, 0);
        assert_eq!(
            values(&[layer], Value::Permissions),
            serde_json::json!({"/no/parent": "0o644"})
        );
    }

    #[test]
    fn the_flattened_size_counts_headers_links_and_padding() {
        // Each entry: an extended header of two blocks, and its own.
        let mut layer = LayerScan::default();
        for number in 0..6 {
            layer.push_file(&number.to_string(), 0o644, 0, 0);
        }
        let six = squashed_size(&flatten(std::slice::from_ref(&layer)));
        assert_eq!(six, 10_240, "6 * 1536 + 1024 bytes are one record");
        layer.push(b"x", b"0", Entry::of(EntryKind::HardLink));
        assert_eq!(squashed_size(&flatten(&[layer])), 20_480);
        assert_eq!(pax_record("path", 1), 9);
        assert_eq!(pax_record("path", 91), 101, "its own length has three digits");
    }
}
