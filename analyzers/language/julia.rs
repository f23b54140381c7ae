//! Julia packages, as installed in a depot.
//!
//! A depot keeps the source of each package at `packages/NAME/SLUG/`, with its
//! `Project.toml`: name, version and uuid, one assignment a line.
//! <https://pkgdocs.julialang.org/v1/toml-files/>

use bstr::ByteSlice;

use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path,
};
use inscan_facts::window::bytes_up_to;

const MAX_SIZE: u64 = 1 << 20;

pub(crate) struct Julia;

impl Analyzer for Julia {
    fn name(&self) -> &'static str {
        "julia"
    }

    fn about(&self) -> &'static str {
        "Julia packages by the Project.toml in a depot"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::name("Project.toml"), MAX_SIZE)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let Some(directory) = depot_name(file.path) else { return Ok(()) };
        let bytes = bytes_up_to(content, MAX_SIZE)?;
        let text = String::from_utf8_lossy(&bytes);
        if assigned(&text, "name") != Some(directory) {
            return Ok(());
        }
        let version = assigned(&text, "version").ok_or_else(|| Error::new("no `version`"))?;
        let uuid = assigned(&text, "uuid").map(|uuid| ("uuid".to_owned(), uuid.to_owned()));
        out.package(Package {
            kind: "julia".into(),
            name: directory.into(),
            version: version.into(),
            evidence: Evidence::InstalledPackage,
            location: file.path.into(),
            qualifiers: uuid.into_iter().collect(),
            ..Package::default()
        });
        Ok(())
    }
}

/// `NAME` of `…/packages/NAME/SLUG/Project.toml`.
fn depot_name(file: &[u8]) -> Option<&str> {
    let name_directory = path::parent(path::parent(file));
    let is_depot = path::name(path::parent(name_directory)) == b"packages";
    path::name(name_directory).to_str().ok().filter(|_| is_depot)
}

/// The text that a line before the first table assigns: `name = "JSON"`.
fn assigned<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    let mut values =
        lines.filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    let value = values.next()?.trim().strip_prefix('"')?;
    value.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_the_packages_of_a_depot() {
        let facts = Image::fixture("julia").run(&Julia);
        let package = facts.packages().next().unwrap();
        assert_eq!((&*package.name, &*package.version), ("Sample", "0.21.4"));
        assert_eq!(package.qualifiers["uuid"], "682c06a0-de6a-54ab-a142-c8b1cf79cde6");
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Julia, "julia");
    }

    #[test]
    fn a_project_elsewhere_or_of_another_name_is_not_installed() {
        let content = "name = \"A\"\nversion = \"1\"\n";
        let facts = Image::new([
            ("srv/Project.toml", content),
            ("packages/B/slug/Project.toml", content),
            ("packages/C/slug/Project.toml", "[deps]\nname = \"C\"\n"),
        ])
        .run(&Julia);
        assert_eq!(facts.facts, []);
    }
}
