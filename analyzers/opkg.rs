//! Packages installed by opkg (OpenWrt, Yocto), with their files.
//!
//! The database is dpkg's `status` by another name, except that it states
//! licences and no source packages; `info/NAME.list` names the files.
//! <https://openwrt.org/docs/guide-user/additional-software/opkg>

use bstr::ByteSlice;

use crate::control::paragraphs;
use crate::dpkg::{self, State};
use crate::{Analyzer, Facts, Files, Package, PackageFile, Pattern, Result, Want, path};

pub(crate) struct Opkg;

/// OpenWrt, Yocto, and Entware, which adds packages to what others installed.
const DIRECTORIES: [&str; 4] =
    ["usr/lib/opkg", "var/lib/opkg", "opt/lib/opkg", "var/lib/opkg/status.d"];
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
                    Ok(text) => read(image, &file.path, &text.unwrap_or_default(), out),
                    Err(error) => out.problem_at(file.path, error),
                }
            }
        }
        Ok(())
    }

    fn is_database(&self) -> bool {
        true
    }
}

fn read(image: &dyn Files, location: &[u8], text: &[u8], out: &mut Facts) {
    for paragraph in paragraphs(text) {
        let line = paragraph.line;
        if let Some(line) = paragraph.broken {
            out.problem_at(location, format!("line {line}: neither a field nor a continuation"));
        }
        match paragraph.get("Status").map(|status| State::of(&status)) {
            Some(State::Installed) => {}
            Some(State::Halfway) => {
                let message =
                    format!("line {line}: a package that is not wholly installed, not listed");
                out.problem_at(location, message);
                continue;
            }
            Some(State::Removed) | None => continue,
        }
        let Some(mut package) = dpkg::package(&paragraph) else {
            out.problem_at(location, format!("line {line}: a package without name or version"));
            continue;
        };
        add_listed(image, &mut package, location, out);
        out.package(Package {
            kind: "opkg".into(),
            source: None,
            licences: paragraph.get("License").into_iter().collect(),
            // Unlike dpkg's, in bytes.
            size: package.size.map(|size| size / 1024),
            location: location.into(),
            ..package
        });
    }
}

/// Lines of a path, and in newer versions a blank and more about it.
fn add_listed(image: &dyn Files, package: &mut Package, location: &[u8], out: &mut Facts) {
    if package.name.contains('/') {
        out.problem_at(location, format!("`{}` is not a name", package.name));
        return;
    }
    let list = [path::parent(location), b"/info/", package.name.as_bytes(), b".list"].concat();
    let text = match image.read(&list) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => return out.problem_at(list, error),
    };
    for line in text.lines().filter(|line| line.starts_with(b"/")) {
        let path = path::clean(line.split(|&byte| byte == b'\t').next().unwrap_or_default());
        if !package.files.iter().any(|file| file.conffile && file.path == path) {
            package.files.push(PackageFile { path, ..PackageFile::default() });
        }
    }
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
        assert_eq!(found, [("hello", "2.10~1-r1"), ("libhi", "0.9-r2")]);
        let hello = facts.packages().next().unwrap();
        assert_eq!(hello.licences, ["GPL-2.0-only"]);
        assert_eq!(hello.arch.as_deref(), Some("x86_64"));
        assert_eq!(hello.size, Some(1234));
        let files: Vec<_> =
            hello.files.iter().map(|file| (file.path.to_string(), file.conffile)).collect();
        let expected = [("etc/hello.conf", true), ("usr/bin/hello", false)];
        assert_eq!(files, expected.map(|(path, is_conffile)| (path.to_owned(), is_conffile)));
        assert_eq!(hello.files[0].algorithm.as_deref(), Some("sha256"));
        assert_eq!(facts.problems.len(), 1);
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Opkg, "opkg");
    }
}
