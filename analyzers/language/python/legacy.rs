//! The legacy document's `pkgs.python`: what setuptools' `pkg_resources` finds
//! in each directory that holds a Python module or metadata.
//!
//! It differs from our own packages: name and version come from the name of the
//! directory of metadata, and `License:` and `Author:` count in the body, too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bstr::{BString, ByteSlice};
use serde::{Serialize, Serializer};

use super::{Layout, has_suffix, read, version};
use crate::{Facts, Files, LegacyValue, path};

/// One distribution that `pkg_resources` sees.
struct InstalledDistribution {
    /// Directory of metadata, or the one file.
    metadata: BString,
    is_file: bool,
    /// `six-1.14.0.dist-info`.
    basename: BString,
}

pub(super) fn state(image: &dyn Files, layout: &Layout, out: &mut Facts) {
    let (by_directory, eggs) = distributions(layout);
    let with_metadata = by_directory
        .iter()
        .filter(|(_, found)| found.values().any(|it| !has_suffix(&it.basename, ".egg")))
        .map(|(directory, _)| directory);
    let with_modules =
        by_directory.keys().chain(eggs.keys()).filter(|directory| has_modules(image, directory));
    let directories: BTreeSet<&BString> = with_modules.chain(with_metadata).collect();
    // Of two versions in one directory the later name wins, as there.
    let mut entries = BTreeMap::new();
    for directory in directories {
        let egg = eggs.get(directory);
        let found = by_directory.get(directory).filter(|_| egg.is_none());
        for distribution in egg.into_iter().chain(found.into_iter().flat_map(BTreeMap::values)) {
            if out.is_full() {
                return;
            }
            if let Some((key, value)) = entry(image, distribution, directory, out)
                && out.hold(value.text().len())
            {
                entries.insert(key, value);
            }
        }
    }
    for (key, value) in entries {
        out.legacy_package("pkgs.python", key, value);
    }
}

fn has_modules(image: &dyn Files, directory: &[u8]) -> bool {
    let is_module = |name: &BString| {
        [".py", ".pyc", ".pyo"].iter().any(|suffix| name.ends_with(suffix.as_bytes()))
    };
    image.list(directory).iter().any(is_module)
}

type ByName = BTreeMap<BString, InstalledDistribution>;

/// The distributions of each directory, and the unpacked eggs by their own path.
fn distributions(
    layout: &Layout,
) -> (BTreeMap<BString, ByName>, BTreeMap<BString, InstalledDistribution>) {
    let mut by_directory: BTreeMap<BString, ByName> = BTreeMap::new();
    let mut eggs = BTreeMap::new();
    let mut add = |path: &[u8], metadata: &BString, is_file| {
        let basename = BString::from(path::name(path));
        let found = by_directory.entry(path::parent(path).into()).or_default();
        let distribution = InstalledDistribution { metadata: metadata.clone(), is_file, basename };
        found.insert(distribution.basename.clone(), distribution);
    };
    for (directory, names) in &layout.directories {
        let is_in_egg = path::name(directory) == b"EGG-INFO";
        if is_in_egg {
            let egg = path::parent(directory);
            if has_suffix(egg, ".egg") && names.contains(b"PKG-INFO".as_bstr()) {
                add(egg, directory, false);
                let basename = path::name(egg).into();
                let distribution =
                    InstalledDistribution { metadata: directory.clone(), is_file: false, basename };
                eggs.insert(BString::from(egg), distribution);
            }
        } else if has_suffix(directory, ".dist-info") || has_suffix(directory, ".egg-info") {
            add(directory, directory, false);
        }
    }
    for file in &layout.egg_info_files {
        add(file, file, true);
    }
    (by_directory, eggs)
}

fn entry(
    image: &dyn Files,
    distribution: &InstalledDistribution,
    directory: &[u8],
    out: &mut Facts,
) -> Option<(BString, LegacyValue)> {
    let metadata = if distribution.is_file {
        // Read as a text file: line ends become plain.
        read(image, &distribution.metadata, out).map(|text| text.replace("\r\n", "\n").into())
    } else {
        let name: &[u8] = match has_suffix(&distribution.metadata, ".dist-info") {
            true => b"METADATA",
            false => b"PKG-INFO",
        };
        read(image, &path::join(&distribution.metadata, name), out)
    };
    let record = match distribution.is_file {
        true => None,
        false => read(image, &path::join(&distribution.metadata, b"RECORD"), out),
    };
    describe(&distribution.basename, directory, metadata, record.as_deref())
}

/// One entry of the document. `None` where neither name nor metadata state a
/// version, and for Python itself.
pub(super) fn describe(
    basename: &[u8],
    directory: &[u8],
    metadata: Option<Cow<'_, str>>,
    record: Option<&str>,
) -> Option<(BString, LegacyValue)> {
    let (name, named_version) = name_and_version(basename)?;
    if name == "Python" {
        return None;
    }
    let stated = metadata.as_deref().and_then(stated_version);
    let version = match has_suffix(basename, ".egg-info") {
        true => stated.or(named_version)?,
        false => named_version.or(stated)?,
    };
    let location = match directory.is_empty() {
        true => String::new(),
        false => format!("/{}", directory.to_str_lossy()),
    };
    let field = |name| metadata.as_deref().and_then(|text| last_field(text, name));
    // The legacy engine fills what one package lacks from the one before it, in
    // the order of its host's directory listing. We do not.
    let origin = match (field("Author: "), field("Author-email: ")) {
        (Some(author), Some(email)) => format!("{author} <{email}>"),
        (Some(author), None) => author.to_owned(),
        (None, Some(email)) => format!("<{email}>"),
        (None, None) => "N/A".to_owned(),
    };
    let value = Described {
        files: Recorded { location: &location, record: record.unwrap_or_default() },
        license: field("License: ").unwrap_or("N/A"),
        location: if location.is_empty() { "/" } else { location.as_str() },
        metadata: metadata.as_deref().unwrap_or("N/A"),
        name: &name,
        origin,
        type_: "python",
        version: &version,
    };
    // Texts and lists alone, which always can be written.
    let value = LegacyValue::Json(serde_json::to_string(&value).unwrap_or_default().into());
    let key =
        [if directory.is_empty() { b"" } else { &b"/"[..] }, directory, b"/", name.as_bytes()];
    Some((key.concat().into(), value))
}

/// What an entry states, in the order of its names.
#[derive(Serialize)]
struct Described<'a> {
    files: Recorded<'a>,
    license: &'a str,
    location: &'a str,
    metadata: &'a str,
    name: &'a str,
    origin: String,
    #[serde(rename = "type")]
    type_: &'static str,
    version: &'a str,
}

/// The paths of a record below a place. Written as they are read: there may be a million.
struct Recorded<'a> {
    location: &'a str,
    record: &'a str,
}

impl Serialize for Recorded<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let lines = self.record.lines().filter(|line| !line.is_empty());
        let file = |line: &str| line.split(',').next().unwrap_or_default().to_owned();
        to.collect_seq(lines.map(|line| format!("{}/{}", self.location, file(line))))
    }
}

/// `six` and `1.14.0` of `six-1.14.0.dist-info`.
fn name_and_version(basename: &[u8]) -> Option<(String, Option<String>)> {
    let stem = &basename[..basename.rfind_byte(b'.').unwrap_or(basename.len())];
    let stem = stem.to_str_lossy();
    let mut parts = stem.split('-');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let version = parts.next().filter(|version| !version.is_empty());
    Some((version::hyphened(name), version.map(version::safe)))
}

fn stated_version(metadata: &str) -> Option<String> {
    let value = metadata.lines().find_map(|line| {
        let (name, value) = line.trim().split_once(':')?;
        name.eq_ignore_ascii_case("version").then(|| value.trim())
    });
    value.map(version::safe).filter(|version| !version.is_empty())
}

/// The last line that begins so, wherever it stands.
fn last_field<'a>(metadata: &'a str, prefix: &str) -> Option<&'a str> {
    metadata.lines().filter_map(|line| line.strip_prefix(prefix)).next_back()
}
