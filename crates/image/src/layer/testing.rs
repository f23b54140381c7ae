//! Layers for tests: a few words for each entry, written as a tar and read back.

use super::{EntryKind, LayerScan, Pass, read};

/// One entry of a layer made for a test.
pub(crate) enum Make<'a> {
    File(&'a str, &'a [u8]),
    Directory(&'a str),
    Symlink(&'a str, &'a str),
    HardLink(&'a str, &'a str),
}

pub(crate) use Make::{Directory, File, HardLink, Symlink};

/// The layer's tar.
pub(crate) fn tar(entries: &[Make<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let (path, kind, link, content) = match *entry {
            File(path, content) => (path, tar::EntryType::Regular, None, content),
            Directory(path) => (path, tar::EntryType::Directory, None, &b""[..]),
            Symlink(path, target) => (path, tar::EntryType::Symlink, Some(target), &b""[..]),
            HardLink(path, target) => (path, tar::EntryType::Link, Some(target), &b""[..]),
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        match link {
            Some(link) => builder.append_link(&mut header, path, link).unwrap(),
            None => builder.append_data(&mut header, path, content).unwrap(),
        }
    }
    builder.into_inner().unwrap()
}

/// The layer, read without analyzers.
pub(crate) fn layer(entries: &[Make<'_>]) -> LayerScan {
    scan(&tar(entries)).unwrap()
}

/// Any bytes, read as a layer.
pub(crate) fn scan(blob: &[u8]) -> anyhow::Result<LayerScan> {
    read(&Pass::new(&[], Vec::new()), Box::new(blob), Box::new(|_| ()))
}

/// `path` for a file, `path/` for a directory, `path -> target` for a link.
pub(crate) fn listing(fs: &crate::flatten::ImageFs<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    fs.walk(|path, file| {
        let path = String::from_utf8_lossy(path);
        lines.push(match file.kind() {
            EntryKind::Directory => format!("{path}/"),
            EntryKind::Symlink => {
                let (at, entry) = file.content.unwrap();
                let link = fs.layers()[at.layer as usize].link(entry);
                format!("{path} -> {}", String::from_utf8_lossy(link))
            }
            _ => format!("{path} {}", file.size()),
        });
    });
    lines
}
