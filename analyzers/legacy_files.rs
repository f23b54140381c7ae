//! What the legacy document has of the files of OS packages: the outputs
//! `pkgfiles.all` (which paths a package brought) and `distro.pkgfilemeta`
//! (what they should be like), which the core writes from `Package.files`.

use bstr::BString;
use serde_json::{Value, json};

use crate::{Package, PackageFile};

/// The key and value of `pkgfiles.all`; `None` where the package is of no kind
/// that has its files there.
///
/// Every path counts, directories too.
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
    // Both databases say something about a digest exactly of what can be verified.
    let algorithm = file.algorithm.as_deref()?;
    let (key, digest, algorithm) = match &*package.kind {
        "deb" => (absolute("/", file), Some(file.digest.as_deref()?), algorithm),
        // The engine cannot decode apk's digests. It must stay so: that of a link is of its target's
        // name, which the engine would compare with the digest of the file.
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
