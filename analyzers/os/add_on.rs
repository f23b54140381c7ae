//! Packages of the system's package manager that no distribution made: they bring files where
//! distributions bring none.
//!
//! `/opt` and `/srv` are for add-on software and for the site's data, `/usr/local` is the
//! administrator's: packages of Debian, Ubuntu and Alpine install no file there.
//! <https://refspecs.linuxfoundation.org/FHS_3.0/fhs/index.html>,
//! <https://www.debian.org/doc/debian-policy/ch-opersys.html#site-specific-programs>

use bstr::ByteSlice;

use crate::{Package, PackageFile, path};

/// The attribute that says where: `opt/acme-agent`.
pub(super) const INSTALLED_BELOW: &str = "installed-below";

/// Marks a package that brings such files.
pub(super) fn mark(package: &mut Package) {
    if let Some(place) = package.files.iter().find_map(place) {
        package.attributes.insert(INSTALLED_BELOW.to_owned(), place);
    }
}

/// Distributions bring some of these directories, empty: only what lies in a directory of the
/// add-on's own, or has a digest, is a file.
fn place(file: &PackageFile) -> Option<String> {
    let parts: Vec<&[u8]> = path::parts(&file.path).collect();
    let is_file = file.digest.is_some();
    let length = match parts.as_slice() {
        [b"opt" | b"srv", _, ..] if is_file => 2,
        [b"opt" | b"srv", _, _, ..] => 2,
        [b"usr", b"local", _, ..] if is_file => 2,
        _ => return None,
    };
    Some(parts[..length].iter().map(|part| part.to_str_lossy()).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, digest: Option<&str>, expected: Option<&str>) {
        let digest = digest.map(str::to_owned);
        let file = PackageFile { path: path.into(), digest, ..PackageFile::default() };
        let mut package = Package { files: vec![file], ..Package::default() };
        mark(&mut package);
        let found = package.attributes.get(INSTALLED_BELOW).map(String::as_str);
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn files_where_distributions_bring_none_are_an_add_ons() {
        check("opt/acme/bin/agent", None, Some("opt/acme"));
        check("opt/run", Some("ab"), Some("opt/run"));
        check("srv/www/index.html", None, Some("srv/www"));
        check("usr/local/bin/tool", Some("ab"), Some("usr/local"));
        check("usr/local/lib/python3.11/dist-packages", None, None);
        check("opt", None, None);
        check("opt/acme", None, None);
        check("usr/bin/opt/x/y", Some("ab"), None);
    }
}
