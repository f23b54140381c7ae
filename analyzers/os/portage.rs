//! Packages installed by Gentoo's portage, with their files.
//!
//! Each package has a directory `var/db/pkg/CATEGORY/NAME-VERSION` with a small
//! file for each thing known about it; `CONTENTS` lists what it brought, a line each:
//! `dir PATH`, `obj PATH MD5 TIME`, `sym PATH -> TARGET TIME`.
//! <https://dev.gentoo.org/~zmedico/portage/doc/man/portage.5.html>

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};

use crate::problem::{MALFORMED, UNREADABLE};
use crate::{Analyzer, Evidence, Facts, Files, Package, PackageFile, Pattern, Result, Want, path};

pub(crate) struct Portage;

const DATABASE: &str = "var/db/pkg";
const MAX_FIELD: u64 = 1 << 20;
const MAX_CONTENTS: u64 = 64 << 20;

/// Which of a package's files are read.
const FIELDS: [&str; 7] =
    ["/CATEGORY", "/CHOST", "/HOMEPAGE", "/LICENSE", "/PF", "/SIZE", "/repository"];

impl Analyzer for Portage {
    fn name(&self) -> &'static str {
        "portage"
    }

    fn about(&self) -> &'static str {
        "Packages installed by Gentoo's portage and their files, from var/db/pkg"
    }

    fn wants(&self) -> Vec<Want> {
        let fields =
            FIELDS.iter().map(|name| Want::keep(Pattern::under(DATABASE, name), MAX_FIELD));
        let contents = Want::keep(Pattern::under(DATABASE, "/CONTENTS"), MAX_CONTENTS);
        fields.chain([contents]).collect()
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        // One file of a package is enough to state it.
        let mut directories: BTreeMap<BString, BString> = BTreeMap::new();
        for file in image.wanted() {
            directories.entry(path::parent(&file.path).into()).or_insert(file.path);
        }
        for (directory, evidence) in directories {
            if out.is_full() {
                break;
            }
            let mut field = |name: &str, out: &mut Facts| match image
                .read(&path::join(&directory, name.as_bytes()))
            {
                Ok(text) => text.map(|text| text.into_owned()),
                Err(error) => {
                    out.hidden(path::join(&directory, name.as_bytes()), UNREADABLE, error);
                    None
                }
            };
            match package(directory.as_bstr(), &mut field, out) {
                Some(package) => out.package(Package { location: evidence, ..package }),
                None => out.hidden(directory, MALFORMED, "not the name and version of a package"),
            }
        }
        Ok(())
    }
}

fn package(
    directory: &BStr,
    field: &mut dyn FnMut(&str, &mut Facts) -> Option<Vec<u8>>,
    out: &mut Facts,
) -> Option<Package> {
    let text = |text: Vec<u8>| {
        Some(text.trim().to_str_lossy().into_owned()).filter(|text| !text.is_empty())
    };
    let contents = field("CONTENTS", out).unwrap_or_default();
    let lines = contents.lines().take_while(|line| out.hold_file(line.len()));
    let files = lines.filter_map(file).collect();
    let mut field = |name: &str| field(name, out).and_then(text);
    let in_path = path::name(directory).to_str_lossy().into_owned();
    let full_name = field("PF").unwrap_or_else(|| in_path.clone());
    let (name, version) = split(&full_name)?;
    // A directory of another name than the package's is a copy, and above it may be anything.
    let above = path::name(path::parent(directory)).to_str_lossy().into_owned();
    let category = field("CATEGORY").or((in_path == full_name).then_some(above));
    let attributes = [("homepage", "HOMEPAGE"), ("repository", "repository")];
    Some(Package {
        kind: "ebuild".into(),
        namespace: category,
        name: name.to_owned(),
        version: version.to_owned(),
        arch: field("CHOST").and_then(|host| Some(host.split_once('-')?.0.to_owned())),
        licenses: field("LICENSE").into_iter().collect(),
        size: field("SIZE").and_then(|size| size.parse().ok()),
        evidence: Evidence::InstalledDb,
        files,
        attributes: attributes
            .into_iter()
            .filter_map(|(key, name)| Some((key.to_owned(), field(name)?)))
            .collect(),
        ..Package::default()
    })
}

/// `Getopt-Long-2.580.0-r1` is `Getopt-Long` and `2.580.0-r1`.
fn split(full_name: &str) -> Option<(&str, &str)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let revision = full_name
        .rsplit_once("-r")
        .filter(|(_, number)| is_number(number))
        .map_or(0, |(_, number)| number.len() + 2);
    let (name, version) = full_name[..full_name.len() - revision].rsplit_once('-')?;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    (!name.is_empty() && is_version).then(|| (name, &full_name[name.len() + 1..]))
}

/// One line of `CONTENTS`. Paths may have blanks.
fn file(line: &[u8]) -> Option<PackageFile> {
    let (kind, rest) = line.split_once_str(" ")?;
    let (path, digest) = match kind {
        b"obj" => {
            let (rest, _time) = rest.rsplit_once_str(" ")?;
            let (path, digest) = rest.rsplit_once_str(" ")?;
            (path, (digest.len() == 32).then(|| digest.to_str_lossy().into_owned()))
        }
        b"sym" => (rest.split_once_str(" -> ")?.0, None),
        b"dir" | b"fif" | b"dev" => (rest, None),
        _ => return None,
    };
    let algorithm = digest.is_some().then_some("md5".into());
    Some(PackageFile { path: path::clean(path), digest, algorithm, ..PackageFile::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn lists_a_package_with_its_files() {
        let facts = Image::fixture("portage").run(&Portage);
        let packages: Vec<_> = facts.packages().collect();
        assert_eq!(packages.len(), 1);
        let hello = packages[0];
        assert_eq!(hello.namespace.as_deref(), Some("app-misc"));
        assert_eq!((hello.name.as_str(), hello.version.as_str()), ("hello-world", "2.10-r1"));
        assert_eq!(hello.licenses, ["GPL-2 || ( BSD MIT )"]);
        assert_eq!(hello.size, Some(4321));
        let files: Vec<_> =
            hello.files.iter().map(|file| (file.path.to_string(), file.digest.is_some())).collect();
        let expected = [("usr", false), ("usr/my file", true), ("usr/link", false)];
        assert_eq!(files, expected.map(|(path, has_digest)| (path.to_owned(), has_digest)));
    }

    #[test]
    fn parts_name_and_version() {
        for (full_name, expected) in [
            ("skopeo-1.5.1", Some(("skopeo", "1.5.1"))),
            ("Getopt-Long-2.580.0", Some(("Getopt-Long", "2.580.0"))),
            ("a-b-1.2_rc3-r12", Some(("a-b", "1.2_rc3-r12"))),
            ("foo-r2-1", Some(("foo-r2", "1"))),
            ("foo-r2", None),
            ("{}", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(split(full_name), expected, "{full_name}");
        }
    }

    #[test]
    fn the_category_of_a_copy_is_unknown() {
        let facts = Image::new([("var/db/pkg/cat/copy/PF", "a-1\n")]).run(&Portage);
        assert_eq!(facts.packages().next().unwrap().namespace, None);
        let facts = Image::new([("var/db/pkg/cat/a-1/PF", "{}\n")]).run(&Portage);
        assert_eq!((facts.packages().count(), facts.problems.len()), (0, 1));
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Portage, "portage");
    }
}
