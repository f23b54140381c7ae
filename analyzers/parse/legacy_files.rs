//! Files of OS packages in the legacy document: the outputs `pkgfiles.all` (which paths
//! a package brought) and `distro.pkgfilemeta` (their recorded metadata), which the core
//! writes from `Package.files`.

use bstr::{BString, ByteSlice};
use serde_json::{Value, json};

use crate::{Fact, Facts, Files, Legacy, Package, PackageFile};

/// The key and value of `pkgfiles.all`, for files and directories. `None` for kinds of
/// packages that have no files there.
pub fn owner(package: &Package, file: &PackageFile) -> Option<(BString, &'static str)> {
    let (kind, root) = match &*package.kind {
        // As dpkg-query prints the root.
        "deb" => ("DPKGFILE", "/."),
        "apk" => ("APKFILE", "/"),
        _ => return None,
    };
    Some((if file.path.is_empty() { root.into() } else { absolute("/", file) }, kind))
}

/// The key in `distro.pkgfilemeta`, and one item of the list that is its value:
/// one for each package that has the path, in the order of the packages.
/// `None` where the legacy engine has nothing to compare the file with.
pub fn meta(package: &Package, file: &PackageFile) -> Option<(BString, Value)> {
    // Both databases record a digest of exactly those files that can be verified.
    let algorithm = file.algorithm.as_deref()?;
    let (key, digest, algorithm) = match &*package.kind {
        "deb" => (absolute("/", file), Some(file.digest.as_deref()?), algorithm),
        // No digest, because the legacy engine cannot decode apk's, and with one it would be
        // wrong: the digest of a link is that of its target's name, which the engine would
        // compare with the digest of the file.
        "apk" if file.path.contains(&b'/') => (absolute("/", file), None, "sha1"),
        // Directory, slash and name, where the directory is the root.
        "apk" => (absolute("//", file), None, "sha1"),
        _ => return None,
    };
    let value = json!({
        "conffile": file.conffile,
        "digest": digest,
        "digestalgo": algorithm,
        "group": file.group,
        "mode": file.mode.map(|mode| format!("{:04o}", mode & 0o7777)),
        "package": package.name,
        "size": null,
        "user": file.user,
    });
    Some((key, value))
}

/// Repeats the legacy facts of `inspect` under the names of hard links: a link has no
/// bytes of its own, so `inspect` did not see its path, but the legacy document lists it
/// like any other file.
pub(crate) fn state_hard_links(image: &dyn Files, out: &mut Facts) {
    for file in image.wanted() {
        let stated = || {
            image.facts(&file.path).iter().filter_map(|fact| match fact {
                Fact::Legacy(legacy) => Some(legacy),
                _ => None,
            })
        };
        // The shortest key is the file itself; others add a colon and a path inside it.
        let Some(inspected) = stated().map(|legacy| &legacy.key).min_by_key(|key| key.len()) else {
            continue;
        };
        let link: BString = [b"/", file.path.as_slice()].concat().into();
        if *inspected != link {
            for legacy in stated() {
                out.push(Fact::Legacy(renamed(legacy, inspected, &link)));
            }
        }
    }
}

fn renamed(legacy: &Legacy, from: &BString, to: &BString) -> Legacy {
    let mut legacy = legacy.clone();
    if let Some(rest) = legacy.key.strip_prefix(from.as_slice()) {
        legacy.key = [to, rest].concat().into();
    }
    let (Ok(from), Ok(to)) = (from.to_str(), to.to_str()) else { return legacy };
    let mut value = legacy.value.parsed();
    let Some(Value::String(location)) = value.get_mut("location") else { return legacy };
    let is_file_itself = location == from;
    if let Some(rest) = location.strip_prefix(from) {
        *location = format!("{to}{rest}");
    }
    // An archive without a name of its own is named after its file.
    if let Some(Value::String(name)) = value.get_mut("name")
        && is_file_itself
        && name == stem(from)
    {
        *name = stem(to).to_owned();
    }
    legacy.value = value.into();
    legacy
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn absolute(root: &str, file: &PackageFile) -> BString {
    [root.as_bytes(), &file.path].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(kind: &'static str) -> Package {
        Package { kind: kind.into(), name: "p".into(), ..Package::default() }
    }

    fn file(path: &str, digest: Option<&str>, algorithm: Option<&'static str>) -> PackageFile {
        PackageFile {
            path: path.into(),
            digest: digest.map(str::to_owned),
            algorithm: algorithm.map(Into::into),
            ..PackageFile::default()
        }
    }

    #[test]
    fn a_hard_link_has_its_own_name_and_place() {
        let check = |key: &str, name: &str, expected: [&str; 3]| {
            let legacy = Legacy {
                module: "package_list".into(),
                output: "pkgs.java".into(),
                key: key.into(),
                value: json!({"location": key, "name": name}).into(),
            };
            let found = renamed(&legacy, &"/opt/a-1.jar".into(), &"/srv/b.jar".into());
            let value = found.value.parsed();
            let text = |member: &str| value[member].as_str().unwrap_or_default();
            assert_eq!([&found.key.to_string(), text("location"), text("name")], expected);
        };
        check("/opt/a-1.jar", "a-1", ["/srv/b.jar", "/srv/b.jar", "b"]);
        let inside = ["/srv/b.jar:c", "/srv/b.jar:c", "c"];
        check("/opt/a-1.jar:c", "c", inside);
    }

    #[test]
    fn every_path_has_its_owner() {
        for (kind, path, expected) in [
            ("deb", "usr/bin/x", Some(("/usr/bin/x", "DPKGFILE"))),
            ("deb", "", Some(("/.", "DPKGFILE"))),
            ("apk", "", Some(("/", "APKFILE"))),
            ("apk", "x", Some(("/x", "APKFILE"))),
            ("npm", "x", None),
        ] {
            let expected = expected.map(|(path, kind)| (path.into(), kind));
            assert_eq!(owner(&package(kind), &file(path, None, None)), expected);
        }
    }

    #[test]
    fn what_dpkg_has_a_digest_of_is_verified() {
        let conffile = PackageFile { conffile: true, ..file("etc/x", Some("ab"), Some("md5")) };
        let expected = json!({
            "conffile": true, "digest": "ab", "digestalgo": "md5", "group": null, "mode": null,
            "package": "p", "size": null, "user": null,
        });
        assert_eq!(meta(&package("deb"), &conffile), Some(("/etc/x".into(), expected)));
        assert_eq!(meta(&package("deb"), &file("etc/x", None, None)), None);
    }

    #[test]
    fn what_apk_has_a_digest_of_is_verified_without_it() {
        let with_owner = PackageFile {
            mode: Some(0o111),
            user: Some("0".into()),
            group: Some("1".into()),
            ..file("x", Some("ab"), Some("sha256"))
        };
        let expected = json!({
            "conffile": false, "digest": null, "digestalgo": "sha1", "group": "1", "mode": "0111",
            "package": "p", "size": null, "user": "0",
        });
        assert_eq!(meta(&package("apk"), &with_owner), Some(("//x".into(), expected)));
        let undecodable = file("etc/x", None, Some("sha1"));
        assert_eq!(meta(&package("apk"), &undecodable).unwrap().0, "/etc/x");
        assert_eq!(meta(&package("apk"), &file("etc/x", None, None)), None);
    }
}
