//! rpm packages in the legacy document: values as `rpm -q` prints them, with
//! `(none)` for a missing tag.

use std::collections::BTreeMap;

use bstr::BString;
use serde_json::{Value, json};

use super::package::{Installed, SOURCE_RPM};
use crate::{Facts, Package, PackageFile};

const NONE: &str = "(none)";

/// What `rpm -ql` prints for a package without files: among the legacy
/// document's paths it is one more.
const NO_FILES: &str = "(contains no files)";

/// One entry for each name: of several packages of one name the last in the
/// database counts, as it did for the legacy engine.
pub(super) fn state<'a>(installed: impl Iterator<Item = &'a Installed>, out: &mut Facts) {
    let mut by_name = BTreeMap::new();
    let mut some_without_files = false;
    for one in installed {
        some_without_files |= one.package.files.is_empty();
        by_name.insert(&one.package.name, one);
    }
    for (name, one) in by_name {
        out.legacy_package("pkgs.all", name.as_str(), one.package.version.as_str());
        out.legacy_package("pkgs.allinfo", name.as_str(), info(one));
    }
    if some_without_files {
        out.legacy_package("pkgfiles.all", NO_FILES, "RPMFILE");
    }
}

fn info(one: &Installed) -> Value {
    let package = &one.package;
    let (version, release) = package.version.rsplit_once('-').unwrap_or((&package.version, NONE));
    json!({
        "version": version,
        "release": release,
        "arch": or_none(package.arch.as_ref()),
        "size": package.size.map_or(NONE.into(), |size| size.to_string()),
        "license": or_none(package.licenses.first()),
        "sourcepkg": or_none(package.attributes.get(SOURCE_RPM)),
        "origin": format!("{} (vendor)", or_none(one.vendor.as_ref())),
        "type": "rpm",
    })
}

fn or_none(text: Option<&String>) -> &str {
    text.map_or(NONE, String::as_str)
}

/// The key of a file in `pkgfiles.all` and `distro.pkgfilemeta`.
pub fn legacy_file_key(file: &PackageFile) -> BString {
    [b"/", &**file.path].concat().into()
}

/// What `distro.pkgfilemeta` says of a file: one element of the list at its key.
///
/// Packages with MD5 digests do not name their kind, and the legacy engine did
/// not fill it in: `unknown`.
pub fn legacy_file_meta(package: &Package, file: &PackageFile) -> Value {
    json!({
        "conffile": file.conffile,
        "digest": file.digest,
        "digestalgo": file.algorithm.as_deref().filter(|name| *name != "md5").unwrap_or("unknown"),
        "group": file.group,
        "mode": file.mode.map(|mode| format!("{mode:o}")),
        "package": package.name,
        "size": file.size.map(|size| size.to_string()),
        "user": file.user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_as_rpm_prints_it() {
        let package = Package { name: "alpha".into(), ..Package::default() };
        let file = PackageFile {
            path: "etc/alpha.conf".into(),
            digest: Some("00".into()),
            algorithm: Some("sha256".into()),
            mode: Some(0o100640),
            user: Some("root".into()),
            group: None,
            size: Some(4),
            conffile: true,
        };
        assert_eq!(legacy_file_key(&file), "/etc/alpha.conf");
        assert_eq!(
            legacy_file_meta(&package, &file),
            json!({
                "conffile": true, "digest": "00", "digestalgo": "sha256", "group": null,
                "mode": "100640", "package": "alpha", "size": "4", "user": "root",
            })
        );
    }

    #[test]
    fn md5_digests_and_digests_of_a_kind_not_known_are_unknown() {
        for algorithm in [Some("md5".into()), None] {
            let file = PackageFile { algorithm, ..PackageFile::default() };
            assert_eq!(legacy_file_meta(&Package::default(), &file)["digestalgo"], "unknown");
        }
    }
}
