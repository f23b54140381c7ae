//! Packages installed by opkg (OpenWrt, Yocto), with their files.
//!
//! The database is dpkg's `status` by another name, except that it states
//! licenses and no source packages; `info/NAME.list` names the files.
//! <https://openwrt.org/docs/guide-user/additional-software/opkg>

use std::collections::HashSet;

use bstr::{BStr, BString, ByteSlice};

use crate::os::dpkg::{self, State};
use crate::problem::UNREADABLE;
use crate::{Analyzer, Facts, Files, Package, PackageFile, Pattern, Result, Want, path};

pub(crate) struct Opkg;

/// OpenWrt, Yocto, and Entware, which adds packages to what others installed.
const DIRECTORIES: [&str; 3] = ["usr/lib/opkg", "var/lib/opkg", "opt/lib/opkg"];
const MAX_SIZE: u64 = 32 << 20;

impl Analyzer for Opkg {
    fn name(&self) -> &'static str {
        "opkg"
    }

    fn about(&self) -> &'static str {
        "Packages installed by opkg (OpenWrt, Yocto) and their files, from usr/lib/opkg and var/lib/opkg"
    }

    fn wants(&self) -> Vec<Want> {
        let patterns = DIRECTORIES.iter().flat_map(|directory| {
            let info = Pattern::under(&format!("{directory}/info"), ".list");
            [Pattern::Path(format!("{directory}/status")), info]
        });
        patterns.map(|pattern| Want::keep(pattern, MAX_SIZE)).collect()
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        for file in image.wanted() {
            if path::name(&file.path) == b"status" {
                match image.read(&file.path) {
                    Ok(text) => read(image, file.path.as_bstr(), &text.unwrap_or_default(), out),
                    Err(error) => out.hidden(file.path, UNREADABLE, error),
                }
            }
        }
        Ok(())
    }

    fn is_database(&self) -> bool {
        true
    }
}

fn read(image: &dyn Files, location: &BStr, text: &[u8], out: &mut Facts) {
    dpkg::installed(text, location, State::Removed, out, &mut |paragraph, mut package, out| {
        add_listed(image, &mut package, location, out);
        out.package(Package {
            kind: "opkg".into(),
            source: None,
            licenses: paragraph.get("License").into_iter().collect(),
            // In bytes; dpkg has KiB.
            size: package.size.map(|size| size / 1024),
            ..package
        });
    });
}

/// Lines of a path, and in newer versions a tab and more about it.
fn add_listed(image: &dyn Files, package: &mut Package, location: &BStr, out: &mut Facts) {
    let list = [path::parent(location), b"/info/", package.name.as_bytes(), b".list"].concat();
    let text = match image.read(&list) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => return out.problem_at(list, error),
    };
    let conffiles: HashSet<BString> = package.files.iter().map(|file| file.path.clone()).collect();
    let paths = text.lines().filter_map(|line| line.split(|&byte| byte == b'\t').next());
    let paths = paths.filter(|path| path.starts_with(b"/")).map(path::clean);
    let others = paths.filter(|path| !conffiles.contains(path));
    package.files.extend(others.map(|path| PackageFile { path, ..PackageFile::default() }));
    package.files.sort_by(|a, b| a.path.cmp(&b.path));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn lists_what_is_installed_with_its_files() {
        let facts = Image::fixture("opkg").run(&Opkg);
        let found: Vec<_> =
            facts.packages().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(found, [("hello", "2.10~1-r1"), ("libhi", "0.9-r2"), ("half", "1")]);
        let hello = facts.packages().next().unwrap();
        assert_eq!(hello.licenses, ["GPL-2.0-only"]);
        assert_eq!(hello.arch.as_deref(), Some("x86_64"));
        assert_eq!(hello.size, Some(1234));
        let files: Vec<_> =
            hello.files.iter().map(|file| (file.path.to_string(), file.conffile)).collect();
        let expected = [("etc/hello.conf", true), ("usr/bin/hello", false)];
        assert_eq!(files, expected.map(|(path, is_conffile)| (path.to_owned(), is_conffile)));
        assert_eq!(hello.files[0].algorithm.as_deref(), Some("sha256"));
        assert_eq!(facts.problems, []);
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Opkg, "opkg");
    }
}
