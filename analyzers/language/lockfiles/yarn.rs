//! `yarn.lock`: blocks of lines. The first of each, not indented, has the ranges
//! that led to a package (`"a@^1.0", a@1:`); below it stand `version "1.2"` (yarn 1)
//! or `version: 1.2` and `resolution: "a@npm:1.2"` (later ones).
//! <https://classic.yarnpkg.com/lang/en/docs/yarn-lock/>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut block = Block::default();
    for line in text.lines().chain(["end:"]) {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let Some(field) = line.strip_prefix("  ") else {
            block.state(out);
            block = Block { ranges: line.trim_end_matches(':'), ..Block::default() };
            continue;
        };
        let (key, value) = field.split_once(' ').unwrap_or((field, ""));
        match unquoted(key) {
            "resolved" => block.resolved = Some(unquoted(value)),
            "version" => block.version = Some(unquoted(value)),
            "resolution" => block.resolution = Some(unquoted(value)),
            _ => {}
        }
    }
    Ok(())
}

#[derive(Default)]
struct Block<'a> {
    ranges: &'a str,
    version: Option<&'a str>,
    /// Yarn 1: the address that the package is fetched from.
    resolved: Option<&'a str>,
    /// Later ones: what it is.
    resolution: Option<&'a str>,
}

impl Block<'_> {
    fn state(&self, out: &mut Locked<'_>) {
        let Some(version) = self.version else { return };
        if self.ranges.starts_with("__metadata") {
            return;
        }
        let first = self.ranges.split(", ").next().unwrap_or_default();
        let descriptor = self.resolution.unwrap_or(unquoted(first));
        let (name, range) = name_and_range(descriptor).unwrap_or((descriptor, ""));
        // The analyzer `node` states the project itself.
        if range == "workspace:." {
            return;
        }
        // A directory or a file of the project, or `portal:` and `link:` to one elsewhere.
        let local = ["workspace:", "portal:", "link:", "file:", "./", "../", "/"];
        if local.iter().any(|start| range.starts_with(start)) {
            out.add_local(name, version);
            return;
        }
        // `alias@npm:real@^1.0` (yarn 1; a resolution has the real name already).
        let real = range.strip_prefix("npm:").and_then(name_and_range);
        let fetched = self.resolved.and_then(name_in_address);
        out.add(fetched.or(real.map(|(real, _)| real)).unwrap_or(name), version);
    }
}

/// A registry names the package before `/-/`: `https://registry.example/@s/a/-/a-1.0.tgz`.
/// It may be another than the one asked for, which is then an alias.
fn name_in_address(address: &str) -> Option<&str> {
    let (package, _) = address.split_once("/-/")?;
    let scope = package.rfind("/@").filter(|at| package[at + 1..].matches('/').count() == 1);
    let start = scope.or_else(|| package.rfind('/'))? + 1;
    Some(&package[start..]).filter(|name| !name.is_empty() && !name.contains('%'))
}

/// The `@` of a scope is not the one that ends the name.
pub(super) fn name_and_range(descriptor: &str) -> Option<(&str, &str)> {
    let at = descriptor.get(1..)?.find('@')? + 1;
    Some((&descriptor[..at], &descriptor[at + 1..]))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches([' ', ':', '"'])
}
