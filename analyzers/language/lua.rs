//! Lua rocks, as installed by LuaRocks.
//!
//! A tree keeps `lib/luarocks/rocks-LUA/NAME/VERSION/NAME-VERSION.rockspec`: Lua
//! code that assigns tables, with `license` and `homepage` in `description`.
//! <https://github.com/luarocks/luarocks/blob/main/docs/rockspec_format.md>

use std::collections::BTreeMap;

use bstr::ByteSlice;

use crate::parse::url::without_credentials;
use crate::{Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path};
use inscan_facts::window::bytes_up_to;

const MAX_SIZE: u64 = 4 << 20;

pub(crate) struct Lua;

impl Analyzer for Lua {
    fn name(&self) -> &'static str {
        "lua"
    }

    fn about(&self) -> &'static str {
        "Lua rocks by the rockspecs in LuaRocks' trees"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::suffix(".rockspec"), MAX_SIZE)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        // A rockspec may compute its name, so LuaRocks itself reads it from the directories.
        let Some((name, version)) = name_and_version(file.path) else { return Ok(()) };
        let bytes = bytes_up_to(content, MAX_SIZE)?;
        let text = String::from_utf8_lossy(&bytes);
        let homepage = assigned(&text, "homepage").map(|url| without_credentials(&url));
        let attributes: BTreeMap<String, String> =
            homepage.map(|homepage| ("homepage".to_owned(), homepage)).into_iter().collect();
        out.package(Package {
            kind: "luarocks".into(),
            name: name.into(),
            version: version.into(),
            licenses: assigned(&text, "license").into_iter().collect(),
            origin: assigned(&text, "maintainer"),
            evidence: Evidence::InstalledPackage,
            location: file.path.into(),
            attributes,
            ..Package::default()
        });
        Ok(())
    }
}

/// `…/rocks-5.1/NAME/VERSION/NAME-VERSION.rockspec`, taken apart.
fn name_and_version(file: &[u8]) -> Option<(&str, &str)> {
    let version_directory = path::parent(file);
    let name_directory = path::parent(version_directory);
    let tree = path::name(path::parent(name_directory));
    let name = path::name(name_directory).to_str().ok()?;
    let version = path::name(version_directory).to_str().ok()?;
    let expected = format!("{name}-{version}.rockspec");
    (tree.starts_with(b"rocks") && path::name(file) == expected.as_bytes())
        .then_some((name, version))
}

/// The text that a line assigns: `license = "MIT",`.
fn assigned(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let value =
            line.trim_start().strip_prefix(name)?.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
        let value = &value[1..];
        value.find(quote).map(|end| value[..end].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_the_rockspecs_of_a_tree() {
        let facts = Image::fixture("lua").run(&Lua);
        let package = facts.packages().next().unwrap();
        assert_eq!((&*package.name, &*package.version), ("sample", "1.0-2"));
        assert_eq!(package.licenses, ["MIT/X11"]);
        assert_eq!(package.origin.as_deref(), Some("Jo Doe <jo@example.org>"));
        assert_eq!(package.attributes["homepage"], "https://example.org/sample");
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Lua, "lua");
    }

    #[test]
    fn a_rockspec_beside_source_code_is_not_installed() {
        let facts = Image::new([("srv/a/a-1.0-1.rockspec", "")]).run(&Lua);
        assert_eq!(facts.facts, []);
    }
}
