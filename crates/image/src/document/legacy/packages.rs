//! Of the module `package_list` what is derived from packages and their files,
//! and `distro.pkgfilemeta`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bstr::BString;
use inscan_analyzers::{Evidence, Package, PackageFile, legacy_files, rpm};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::names::folded;
use crate::analyze::FoundPackage;
use inscan_document::text;

/// Files of all OS packages, by their key: small, since there may be hundreds of thousands.
pub(super) struct OwnedFiles<'a> {
    packages: &'a [FoundPackage<'a>],
    told: FileRecord,
    /// Positions of package and file, sorted by key.
    order: Vec<(u32, u32)>,
}

/// What is told of a file: that its package brought it, or what it should be like.
#[derive(Clone, Copy)]
pub(super) enum FileRecord {
    Owner,
    Meta,
}

impl FileRecord {
    /// Key and value, where there is something to tell.
    fn of(self, package: &Package, file: &PackageFile) -> Option<(BString, Value)> {
        if package.evidence != Evidence::InstalledDb {
            return None;
        }
        let is_rpm = package.kind == "rpm";
        match self {
            FileRecord::Owner if is_rpm => Some((rpm::legacy_file_key(file), "RPMFILE".into())),
            FileRecord::Owner => {
                legacy_files::owner(package, file).map(|(key, kind)| (key, kind.into()))
            }
            FileRecord::Meta if is_rpm => {
                Some((rpm::legacy_file_key(file), rpm::legacy_file_meta(package, file)))
            }
            FileRecord::Meta => legacy_files::meta(package, file),
        }
    }
}

impl<'a> OwnedFiles<'a> {
    pub(super) fn of(packages: &'a [FoundPackage<'a>], told: FileRecord) -> Self {
        let mut files = OwnedFiles { packages, told, order: Vec::new() };
        let mut order = Vec::new();
        let mut is_sorted_by_path = true;
        // Of several owners the one that the database has first is told first.
        let mut databases: Vec<_> = packages.iter().enumerate().collect();
        databases.sort_by_key(|(_, found)| (found.analyzer, found.order));
        for (number, found) in databases {
            for (index, file) in found.package.files.iter().enumerate() {
                let Some((key, _)) = told.of(&found.package, file) else { continue };
                order.push((number as u32, index as u32));
                is_sorted_by_path &= key.strip_prefix(b"/") == Some(file.path.as_slice())
                    && matches!(folded(&text::shown(&key)), Cow::Borrowed(_));
            }
        }
        // Most images can be sorted by the paths themselves; keys are kept for the others.
        if is_sorted_by_path {
            order.sort_by(|&a, &b| files.at(a).1.path.cmp(&files.at(b).1.path));
        } else {
            order.sort_by_cached_key(|&at| files.told(at).map(|(key, _)| key));
        }
        files.order = order;
        files
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Those of some keys that a package has.
    pub(super) fn among(&self, keys: &BTreeSet<String>) -> BTreeSet<String> {
        if keys.is_empty() {
            return BTreeSet::new();
        }
        let told = self.order.iter().filter_map(|&at| self.told(at));
        told.map(|(key, _)| key).filter(|key| keys.contains(key)).collect()
    }

    fn at(&self, (package, file): (u32, u32)) -> (&'a Package, &'a PackageFile) {
        let package = &self.packages[package as usize].package;
        (package, &package.files[file as usize])
    }

    fn told(&self, at: (u32, u32)) -> Option<(String, Value)> {
        let (package, file) = self.at(at);
        let (key, value) = self.told.of(package, file)?;
        Some((folded(&text::shown(&key)).into_owned(), value))
    }

    /// Visits each key with its values, in the order of the packages.
    pub(super) fn groups(&self) -> impl Iterator<Item = (String, Vec<Value>)> {
        let mut told = self.order.iter().filter_map(|&at| self.told(at)).peekable();
        std::iter::from_fn(move || {
            let (key, first) = told.next()?;
            let mut values = vec![first];
            while let Some((_, value)) = told.next_if(|(other, _)| *other == key) {
                values.push(value);
            }
            Some((key, values))
        })
    }
}

/// `pkgfiles.all`: path to `RPMFILE`, `DPKGFILE` or `APKFILE`; with what analyzers added.
pub(super) struct PackageFiles<'a> {
    pub(super) files: &'a OwnedFiles<'a>,
    pub(super) more: super::Values<'a>,
}

impl Serialize for PackageFiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut more = self.more.iter().peekable();
        for (key, values) in self.files.groups() {
            while let Some((other, value)) = more.next_if(|(other, _)| **other <= key) {
                if *other != key {
                    map.serialize_entry(other, value)?;
                }
            }
            map.serialize_entry(&key, &values[0])?;
        }
        for (key, value) in more {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// `distro.pkgfilemeta`: path to the JSON text of a list, one element for each package that has the file.
pub(super) struct PackageFileMeta<'a>(pub(super) &'a OwnedFiles<'a>);

impl Serialize for PackageFileMeta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, list) in self.0.groups() {
            map.serialize_entry(&key, &Value::from(list).to_string())?;
        }
        map.end()
    }
}

/// Output and key of a package of a kind that the legacy engine had no analyzer
/// for, in the form it has for `pkgs.go`. What is only asked for (lock files,
/// manifests) is not listed: the legacy engine lists installed packages only.
pub(super) fn other_kind(package: &Package) -> Option<(String, String, Value)> {
    let output = match &*package.kind {
        "apk" | "deb" | "gem" | "generic" | "maven" | "npm" | "pypi" | "rpm" => return None,
        "golang" => "go",
        kind => kind,
    };
    if matches!(package.evidence, Evidence::Lockfile | Evidence::Manifest) {
        return None;
    }
    let name = match &package.namespace {
        Some(namespace) => format!("{namespace}/{}", package.name),
        None => package.name.clone(),
    };
    let location = format!("/{}", text::shown(&package.location));
    let licence = package.licenses.join(" ");
    let or_not_known =
        |text: &str| if text.is_empty() { "N/A".to_owned() } else { text.to_owned() };
    let value = json!({
        "files": [],
        "license": or_not_known(&licence),
        "location": location,
        "metadata": "{}",
        "name": name,
        "origin": or_not_known(package.origin.as_deref().unwrap_or_default()),
        "type": output,
        "version": package.version,
    });
    Some((format!("pkgs.{output}"), format!("{location}:{name}@{}", package.version), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(kind: &'static str, paths: &[&str]) -> FoundPackage<'static> {
        let file = |path: &&str| PackageFile {
            path: (*path).into(),
            digest: Some("00".into()),
            algorithm: Some("md5".into()),
            mode: Some(0o755),
            ..PackageFile::default()
        };
        let files = paths.iter().map(file).collect();
        let package = Package { kind: kind.into(), name: kind.into(), files, ..Package::default() };
        FoundPackage {
            analyzer: "test",
            layer: None,
            order: 0,
            package: Cow::Owned(Box::new(package)),
        }
    }

    #[test]
    fn files_are_listed_once_in_the_order_of_their_keys() {
        let packages =
            [package("deb", &["", "usr/b", "usr/a  x"]), package("rpm", &["usr/b", "usr/a x"])];
        let files = OwnedFiles::of(&packages, FileRecord::Owner);
        let more = crate::document::legacy::Values::from([
            ("(contains no files)".into(), "RPMFILE".into()),
            ("/usr/b".into(), "x".into()),
        ]);
        let text = serde_json::to_string(&PackageFiles { files: &files, more }).unwrap();
        assert_eq!(
            text,
            r#"{"(contains no files)":"RPMFILE","/.":"DPKGFILE","/usr/a x":"DPKGFILE","/usr/b":"DPKGFILE"}"#
        );
        let meta =
            serde_json::to_value(PackageFileMeta(&OwnedFiles::of(&packages, FileRecord::Meta)))
                .unwrap();
        let of_b: Value = serde_json::from_str(meta["/usr/b"].as_str().unwrap()).unwrap();
        assert_eq!(of_b[0]["digestalgo"], "md5");
        assert_eq!(of_b[1]["mode"], "755");
    }

    #[test]
    fn other_kinds_have_an_output_of_their_own_unless_only_asked_for() {
        let mut package = package("cargo", &[]).package.into_owned();
        package.evidence = Evidence::Binary;
        package.location = "usr/bin/tool".into();
        package.version = "1".into();
        let (output, key, value) = other_kind(&package).unwrap();
        assert_eq!((&*output, &*key), ("pkgs.cargo", "/usr/bin/tool:cargo@1"));
        assert_eq!(value["license"], "N/A");
        package.evidence = Evidence::Lockfile;
        assert_eq!(other_kind(&package), None);
        package.kind = "npm".into();
        assert_eq!(other_kind(&package), None);
    }
}
