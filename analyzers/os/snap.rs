//! Snaps, and the Debian packages that they hold.
//!
//! A snap has `meta/snap.yaml` with its name and version at the outermost level, and
//! may have `snap/manifest.yaml`, whose `primed-stage-packages` are lines of `- NAME=VERSION`.
//! Both are written by snapcraft in this plain form, so no YAML parser is needed.
//! <https://snapcraft.io/docs/the-snap-format>

use std::collections::BTreeMap;

use bstr::ByteSlice;

use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path,
};

pub(crate) struct Snap;

const MAX_SIZE: u64 = 1 << 20;

impl Analyzer for Snap {
    fn name(&self) -> &'static str {
        "snap"
    }

    fn about(&self) -> &'static str {
        "Snaps and the Debian packages in them, from meta/snap.yaml and snap/manifest.yaml"
    }

    fn wants(&self) -> Vec<Want> {
        let names = ["snap.yaml", "manifest.yaml"];
        names.iter().map(|name| Want::inspect(Pattern::name(name), MAX_SIZE)).collect()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let directory = path::name(path::parent(file.path));
        match (directory, path::name(file.path)) {
            (b"meta", b"snap.yaml") => out.package(snap(file.path, &content.bytes()?)?),
            (b"snap", b"manifest.yaml") => {
                for (name, arch, version) in staged(&content.bytes()?) {
                    out.package(Package { name, arch, version, ..package("deb", file.path) });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn package(kind: &'static str, path: &[u8]) -> Package {
    Package {
        kind: kind.into(),
        evidence: Evidence::InstalledPackage,
        location: path.into(),
        ..Package::default()
    }
}

fn snap(path: &[u8], text: &[u8]) -> Result<Package> {
    let mut fields: BTreeMap<String, String> = text
        .lines()
        .filter(|line| !line.starts_with_str(" "))
        .filter_map(|line| line.split_once_str(":"))
        .map(|(name, value)| (name.to_str_lossy().into_owned(), scalar(value)))
        .collect();
    let mut field = |name: &str| {
        let value = fields.remove(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Error::new(format!("no `{name}` in it")))
    };
    Ok(Package {
        name: field("name")?,
        version: field("version")?,
        licenses: field("license").into_iter().collect(),
        ..package("snap", path)
    })
}

/// A value on the line of its name, quotes removed.
fn scalar(value: &[u8]) -> String {
    let value = value.trim().to_str_lossy();
    let unquoted =
        ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    unquoted.unwrap_or(&value).to_owned()
}

/// Name, architecture and version; the name is `NAME:ARCH` of packages for another.
fn staged(text: &[u8]) -> impl Iterator<Item = (String, Option<String>, String)> {
    let section =
        text.lines().skip_while(|line| line.trim_end() != b"primed-stage-packages:").skip(1);
    section.map_while(|line| line.trim().strip_prefix(b"- ")).filter_map(|item| {
        let item = scalar(item);
        let (name, version) = item.split_once('=')?;
        let (name, arch) =
            name.split_once(':').map_or((name, None), |(name, arch)| (name, Some(arch.to_owned())));
        Some((name.to_owned(), arch, version.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;

    fn found(files: &[(&str, &str)]) -> (Vec<String>, usize) {
        let facts = Image::new(files.iter().copied()).run(&Snap);
        let found = facts.packages().map(|p| format!("{} {} {}", p.kind, p.name, p.version));
        (found.collect(), facts.problems.len())
    }

    const SNAP: &str =
        "name: core20\nversion: '20240416'\nlicense: GPL-3.0\napps:\n  x:\n    name: y\n";
    const MANIFEST: &str = "snapcraft-version: '7'\nprimed-stage-packages:\n- libc6=2.31-0ubuntu9\n- 'a:i386=1:2'\n- odd\nparts: {}\n- b=1\n";

    #[test]
    fn lists_a_snap_and_what_it_holds() {
        let files = [("snap/x/1/meta/snap.yaml", SNAP), ("snap/x/1/snap/manifest.yaml", MANIFEST)];
        let expected = ["snap core20 20240416", "deb libc6 2.31-0ubuntu9", "deb a 1:2"];
        assert_eq!(found(&files), (expected.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn other_files_of_these_names_are_not_looked_at() {
        assert_eq!(found(&[("srv/snap.yaml", SNAP), ("srv/manifest.yaml", MANIFEST)]), (vec![], 0));
    }

    #[test]
    fn without_name_or_version_it_is_a_problem() {
        assert_eq!(found(&[("meta/snap.yaml", "name: x\n")]), (vec![], 1));
        for cut in 0..MANIFEST.len() {
            found(&[
                ("meta/snap.yaml", &MANIFEST[..cut]),
                ("snap/manifest.yaml", &MANIFEST[..cut]),
            ]);
        }
    }
}
