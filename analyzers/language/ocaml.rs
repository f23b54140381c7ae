//! OCaml packages, as installed by opam.
//!
//! A switch keeps the description of each installed package at
//! `.opam-switch/packages/NAME.VERSION/opam`: lines of `field: "value"`.
//! <https://github.com/ocaml/opam/blob/master/doc/pages/Manual.md>

use std::collections::BTreeMap;

use bstr::ByteSlice;

use crate::parse::url::without_credentials;
use crate::{Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path};
use inscan_facts::window::bytes_up_to;

const MAX_SIZE: u64 = 4 << 20;

pub(crate) struct Ocaml;

impl Analyzer for Ocaml {
    fn name(&self) -> &'static str {
        "ocaml"
    }

    fn about(&self) -> &'static str {
        "OCaml packages by the switches of opam"
    }

    fn wants(&self) -> Vec<Want> {
        // The program is called so, too.
        vec![Want::inspect(Pattern::name("opam"), u64::MAX)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let Some((name, version)) = name_and_version(path::parent(file.path)) else {
            return Ok(());
        };
        let bytes = bytes_up_to(content, MAX_SIZE)?;
        let text = String::from_utf8_lossy(&bytes);
        let first = |field| values(&text, field).into_iter().next();
        let homepage = first("homepage").map(|url| without_credentials(&url));
        let attributes: BTreeMap<String, String> =
            homepage.map(|homepage| ("homepage".to_owned(), homepage)).into_iter().collect();
        out.package(Package {
            kind: "opam".into(),
            name: name.into(),
            version: version.into(),
            licenses: values(&text, "license"),
            origin: first("maintainer").or_else(|| first("authors")),
            evidence: Evidence::InstalledPackage,
            location: file.path.into(),
            attributes,
            ..Package::default()
        });
        Ok(())
    }
}

/// `lwt` and `5.6.1` of `….opam-switch/packages/lwt.5.6.1`.
fn name_and_version(directory: &[u8]) -> Option<(&str, &str)> {
    let packages = path::parent(directory);
    let is_switch = path::name(packages) == b"packages"
        && path::name(path::parent(packages)) == b".opam-switch";
    path::name(directory).to_str().ok()?.split_once('.').filter(|_| is_switch)
}

/// The texts of a field: `license: "MIT"`, or a list over several lines.
fn values(text: &str, field: &str) -> Vec<String> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.trim_start().strip_prefix(':'));
    let Some(first) = value else { return Vec::new() };
    let mut found = quoted(first);
    if first.contains('[') && !first.contains(']') {
        for line in lines {
            found.extend(quoted(line));
            if line.contains(']') {
                break;
            }
        }
    }
    found
}

fn quoted(line: &str) -> Vec<String> {
    line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_the_packages_of_a_switch() {
        let facts = Image::fixture("ocaml").run(&Ocaml);
        let package = facts.packages().next().unwrap();
        assert_eq!((&*package.name, &*package.version), ("sample", "5.6.1"));
        assert_eq!(package.licenses, ["MIT", "ISC"]);
        assert_eq!(package.origin.as_deref(), Some("Jo Doe <jo@example.org>"));
        assert_eq!(package.attributes["homepage"], "https://example.org/sample");
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Ocaml, "ocaml");
    }

    #[test]
    fn the_repository_of_descriptions_is_not_installed() {
        let facts = Image::new([("root/.opam/repo/default/packages/a/a.1/opam", "")]).run(&Ocaml);
        assert_eq!(facts.facts, []);
    }
}
