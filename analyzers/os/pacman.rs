//! Packages installed by pacman (Arch Linux, MSYS2), with their files.
//!
//! `var/lib/pacman/local/NAME-VERSION/desc` holds sections, each a `%NAME%` line,
//! one line for each value, and a blank line; `files` beside it does the same for files.
//! <https://man.archlinux.org/man/alpm.7>, <https://wiki.archlinux.org/title/Pacman#Package_databases>

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::problem::{MALFORMED, OPAQUE, UNREADABLE};
use crate::{
    Analyzer, Evidence, Facts, FileHead, Files, Package, PackageFile, Pattern, Result,
    SourcePackage, Want, path,
};

pub(crate) struct Pacman;

const LOCAL: &str = "var/lib/pacman/local";
const MAX_DESC: u64 = 1 << 20;
const MAX_FILES: u64 = 64 << 20;

impl Analyzer for Pacman {
    fn name(&self) -> &'static str {
        "pacman"
    }

    fn about(&self) -> &'static str {
        "Packages installed by pacman (Arch Linux) and their files, from var/lib/pacman/local"
    }

    fn wants(&self) -> Vec<Want> {
        vec![
            Want::keep(Pattern::under(LOCAL, "/desc"), MAX_DESC),
            Want::keep(Pattern::under(LOCAL, "/files"), MAX_FILES),
            Want::inspect(Pattern::name("ALPM_DB_VERSION"), MAX_DESC),
        ]
    }

    /// Every database has this file, also that of another system in the image, which is not read.
    fn inspect(&self, file: &FileHead<'_>, _: &dyn crate::Content, out: &mut Facts) -> Result<()> {
        let directory = path::parent(file.path);
        if directory != LOCAL.as_bytes() && directory.ends_with(LOCAL.as_bytes()) {
            out.hidden_here(OPAQUE, "the packages of another system in the image are not read");
        }
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        for desc in image.wanted() {
            if path::name(&desc.path) != b"desc" {
                continue;
            }
            let files = path::join(path::parent(&desc.path), b"files");
            let mut read = |path: &[u8]| match image.read(path) {
                Ok(text) => text.unwrap_or_default(),
                Err(error) => {
                    out.hidden(path, UNREADABLE, error);
                    Default::default()
                }
            };
            let (text, files) = (read(&desc.path), read(&files));
            match package(&sections(&text)) {
                Some(package) => {
                    let files = self::files(&sections(&files), out);
                    out.package(Package { files, location: desc.path, ..package });
                }
                None => out.hidden(desc.path, MALFORMED, "a package without name or version"),
            }
        }
        Ok(())
    }
}

type Sections<'a> = HashMap<&'a [u8], Vec<&'a [u8]>>;

fn sections(text: &[u8]) -> Sections<'_> {
    let mut sections = Sections::new();
    let mut current: Option<&[u8]> = None;
    for line in text.lines() {
        let name = line.strip_prefix(b"%").and_then(|rest| rest.strip_suffix(b"%"));
        match (name, current) {
            _ if line.is_empty() => current = None,
            (Some(name), None) => current = Some(name),
            (_, Some(section)) => sections.entry(section).or_default().push(line),
            (None, None) => {}
        }
    }
    sections
}

fn package(desc: &Sections) -> Option<Package> {
    let text = |value: &[u8]| value.trim().to_str_lossy().into_owned();
    let all = |name: &str| desc.get(name.as_bytes()).map_or(&[][..], Vec::as_slice);
    let one =
        |name: &str| all(name).first().map(|value| text(value)).filter(|text| !text.is_empty());
    let attributes = [("homepage", "URL"), ("description", "DESC"), ("validation", "VALIDATION")];
    Some(Package {
        kind: "alpm".into(),
        name: one("NAME")?,
        version: one("VERSION")?,
        arch: one("ARCH"),
        source: one("BASE").map(|name| SourcePackage { name, version: None }),
        licenses: all("LICENSE").iter().map(|value| text(value)).collect(),
        origin: one("PACKAGER"),
        size: one("SIZE").and_then(|size| size.parse().ok()),
        evidence: Evidence::InstalledDb,
        attributes: attributes
            .into_iter()
            .filter_map(|(key, name)| Some((key.to_owned(), one(name)?)))
            .collect(),
        ..Package::default()
    })
}

/// Paths, those of directories with a slash at the end; and, of files that the
/// user is meant to change, a tab and an MD5.
fn files(sections: &Sections, out: &mut Facts) -> Vec<PackageFile> {
    let all = |name: &str| sections.get(name.as_bytes()).into_iter().flatten();
    let backups: HashMap<BString, &[u8]> = all("BACKUP")
        .filter_map(|line| line.rsplit_once_str("\t"))
        .map(|(path, digest)| (path::clean(path), digest))
        .collect();
    let file = |path: &&[u8]| {
        let path = path::clean(path);
        let digest = backups.get(&path).map(|digest| digest.to_str_lossy().into_owned());
        let conffile = digest.is_some();
        let digest = digest.filter(|digest| digest.len() == 32);
        let algorithm = digest.is_some().then_some("md5".into());
        PackageFile { path, digest, algorithm, conffile, ..PackageFile::default() }
    };
    all("FILES").take_while(|path| out.hold_file(path.len())).map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn another_system_in_the_image_is_said() {
        let version = |path| Image::new([(path, "9\n")]).run(&Pacman).problems.len();
        assert_eq!(version("var/lib/pacman/local/ALPM_DB_VERSION"), 0);
        assert_eq!(version("srv/jail/var/lib/pacman/local/ALPM_DB_VERSION"), 1);
    }

    #[test]
    fn lists_a_package_with_its_files() {
        let facts = Image::fixture("pacman").run(&Pacman);
        let packages: Vec<_> = facts.packages().collect();
        assert_eq!(packages.len(), 1);
        let hello = packages[0];
        assert_eq!((hello.name.as_str(), hello.version.as_str()), ("hello", "1:2.10-1"));
        assert_eq!(hello.source.as_ref().unwrap().name, "hello-base");
        assert_eq!(hello.licenses, ["GPL-3.0-or-later", "MIT"]);
        assert_eq!(hello.size, Some(3_431));
        assert_eq!(hello.attributes["homepage"], "https://example.org/hello");
        let files: Vec<_> =
            hello.files.iter().map(|file| (file.path.to_string(), file.conffile)).collect();
        let expected =
            [("etc", false), ("etc/hello.conf", true), ("usr", false), ("usr/my file", false)];
        assert_eq!(files, expected.map(|(path, is_conffile)| (path.to_owned(), is_conffile)));
        assert_eq!(hello.files[1].digest.as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
    }

    #[test]
    fn a_desc_without_name_is_a_problem() {
        for text in ["", "%NAME%\n\n%VERSION%\n1\n", "%NAME%", "NAME\nx\n"] {
            let facts = Image::new([("var/lib/pacman/local/a-1/desc", text)]).run(&Pacman);
            assert_eq!((facts.packages().count(), facts.problems.len()), (0, 1), "{text}");
        }
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Pacman, "pacman");
    }
}
