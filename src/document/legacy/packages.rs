//! Of the module `package_list` what is derived from packages and their files,
//! and `distro.pkgfilemeta`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use inscan_analyzers::{Evidence, Package, PackageFile};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::names::folded;
use crate::analyze::FoundPackage;
use crate::document::text;

/// Files of all OS packages, by their key: small, since there may be hundreds of thousands.
pub(super) struct OwnedFiles<'a> {
    packages: &'a [FoundPackage],
    /// Positions of package and file, sorted by key.
    order: Vec<(u32, u32)>,
}

/// How one package manager's files are told of.
struct Form {
    marker: &'static str,
    key: fn(&PackageFile) -> String,
    meta: fn(&Package, &PackageFile) -> Option<Value>,
}

fn form(package: &Package) -> Option<Form> {
    if package.evidence != Evidence::InstalledDb {
        return None;
    }
    match &*package.kind {
        "apk" => Some(Form { marker: "APKFILE", key: plain_key, meta: apk_meta }),
        "deb" => Some(Form { marker: "DPKGFILE", key: plain_key, meta: deb_meta }),
        "rpm" => Some(Form { marker: "RPMFILE", key: plain_key, meta: rpm_meta }),
        _ => None,
    }
}

fn plain_key(file: &PackageFile) -> String {
    let path: &[u8] = if file.path.is_empty() { b"." } else { &file.path };
    format!("/{}", text::shown(path))
}

/// apk's checksums were lost on the way in the legacy engine: always null.
fn apk_meta(package: &Package, file: &PackageFile) -> Option<Value> {
    file.digest.as_ref()?;
    Some(json!({
        "conffile": false,
        "digest": null,
        "digestalgo": "sha1",
        "group": file.group,
        "mode": file.mode.map(|mode| format!("{:04o}", mode & 0o7777)),
        "package": package.name,
        "size": null,
        "user": file.user,
    }))
}

fn deb_meta(package: &Package, file: &PackageFile) -> Option<Value> {
    file.digest.as_ref()?;
    Some(json!({
        "conffile": file.conffile,
        "digest": file.digest,
        "digestalgo": "md5",
        "group": null,
        "mode": null,
        "package": package.name,
        "size": null,
        "user": null,
    }))
}

/// The kind of MD5 digests was not told of in the legacy document.
fn rpm_meta(package: &Package, file: &PackageFile) -> Option<Value> {
    Some(json!({
        "conffile": file.conffile,
        "digest": file.digest,
        "digestalgo": file.algorithm.as_deref().filter(|name| *name != "md5").unwrap_or("unknown"),
        "group": file.group,
        "mode": file.mode.map(|mode| format!("{mode:o}")),
        "package": package.name,
        "size": file.size.map(|size| size.to_string()),
        "user": file.user,
    }))
}

impl<'a> OwnedFiles<'a> {
    pub(super) fn of(packages: &'a [FoundPackage]) -> Self {
        let mut order = Vec::new();
        for (number, found) in packages.iter().enumerate() {
            if form(&found.package).is_some() {
                order.extend(
                    (0..found.package.files.len()).map(|file| (number as u32, file as u32)),
                );
            }
        }
        let path = |&(package, file): &(u32, u32)| {
            &packages[package as usize].package.files[file as usize].path
        };
        // Most images can be sorted by the paths themselves; keys are made for the others.
        let is_odd = |at: &(u32, u32)| {
            path(at).is_empty() || matches!(folded(&text::shown(path(at))), Cow::Owned(_))
        };
        if order.iter().any(is_odd) {
            let files = OwnedFiles { packages, order: Vec::new() };
            order.sort_by_cached_key(|&at| files.key(at));
        } else {
            order.sort_by(|a, b| path(a).cmp(path(b)));
        }
        OwnedFiles { packages, order }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn has_meta(&self) -> bool {
        self.order.iter().any(|&at| self.meta(at).is_some())
    }

    fn at(&self, (package, file): (u32, u32)) -> (&'a Package, &'a PackageFile) {
        let package = &self.packages[package as usize].package;
        (package, &package.files[file as usize])
    }

    fn key(&self, at: (u32, u32)) -> String {
        let (package, file) = self.at(at);
        let key = form(package).map_or_else(|| plain_key(file), |form| (form.key)(file));
        folded(&key).into_owned()
    }

    fn meta(&self, at: (u32, u32)) -> Option<Value> {
        let (package, file) = self.at(at);
        form(package).and_then(|form| (form.meta)(package, file))
    }

    fn marker(&self, at: (u32, u32)) -> &'static str {
        form(self.at(at).0).map_or("", |form| form.marker)
    }

    /// Runs of files with one key.
    fn groups(&self) -> impl Iterator<Item = (String, &[(u32, u32)])> {
        let mut rest = self.order.as_slice();
        std::iter::from_fn(move || {
            let key = self.key(*rest.first()?);
            let count = rest.iter().take_while(|&&at| self.key(at) == key).count();
            let (group, others) = rest.split_at(count);
            rest = others;
            Some((key, group))
        })
    }
}

/// `pkgfiles.all`: path to `RPMFILE`, `DPKGFILE` or `APKFILE`; with what analyzers added.
pub(super) struct PackageFiles<'a> {
    pub(super) files: &'a OwnedFiles<'a>,
    pub(super) more: BTreeMap<String, String>,
}

impl Serialize for PackageFiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut more = self.more.iter().peekable();
        for (key, group) in self.files.groups() {
            while let Some((other, value)) = more.next_if(|(other, _)| **other <= key) {
                if *other != key {
                    map.serialize_entry(other, value)?;
                }
            }
            map.serialize_entry(&key, self.files.marker(group[0]))?;
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
        for (key, group) in self.0.groups() {
            let list: Vec<_> = group.iter().filter_map(|&at| self.0.meta(at)).collect();
            if !list.is_empty() {
                map.serialize_entry(&key, &Value::from(list).to_string())?;
            }
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
    let licence = package.licences.join(" ");
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

    fn package(kind: &'static str, paths: &[&str]) -> FoundPackage {
        let file = |path: &&str| PackageFile {
            path: (*path).into(),
            digest: Some("00".into()),
            mode: Some(0o755),
            ..PackageFile::default()
        };
        let files = paths.iter().map(file).collect();
        let package = Package { kind: kind.into(), name: kind.into(), files, ..Package::default() };
        FoundPackage { analyzer: "test", layer: None, package }
    }

    #[test]
    fn files_are_listed_once_in_the_order_of_their_keys() {
        let packages =
            [package("deb", &["", "usr/b", "usr/a  x"]), package("rpm", &["usr/b", "usr/a x"])];
        let files = OwnedFiles::of(&packages);
        let more = BTreeMap::from([
            ("(contains no files)".into(), "RPMFILE".into()),
            ("/usr/b".into(), "x".into()),
        ]);
        let text = serde_json::to_string(&PackageFiles { files: &files, more }).unwrap();
        assert_eq!(
            text,
            r#"{"(contains no files)":"RPMFILE","/.":"DPKGFILE","/usr/a x":"DPKGFILE","/usr/b":"DPKGFILE"}"#
        );
        let meta = serde_json::to_value(PackageFileMeta(&files)).unwrap();
        let of_b: Value = serde_json::from_str(meta["/usr/b"].as_str().unwrap()).unwrap();
        assert_eq!(of_b[0]["digestalgo"], "md5");
        assert_eq!(of_b[1]["mode"], "755");
    }

    #[test]
    fn other_kinds_have_an_output_of_their_own_unless_only_asked_for() {
        let mut package = package("cargo", &[]).package;
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
