//! `pnpm-lock.yaml`: YAML as pnpm writes it, below `packages:` a key indented by
//! two for each package: `/a/1.0_peer` (format 5), `/a@1.0(peer)` (6), `a@1.0` (9).
//! What did not come from a registry states `name` and `version` below.
//! <https://github.com/pnpm/spec/blob/master/lockfile/9.0.md>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut is_packages = false;
    let mut open = LockedPackage::default();
    for line in text.lines().chain(["end:"]) {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match line.len() - content.len() {
            0 => {
                open.state(out);
                open = LockedPackage::default();
                is_packages = content.trim_end() == "packages:";
            }
            2 if is_packages => {
                open.state(out);
                open = LockedPackage { key: unquoted(content), ..LockedPackage::default() };
            }
            4 if is_packages => {
                if let Some(name) = content.strip_prefix("name: ") {
                    open.name = Some(unquoted(name));
                } else if let Some(version) = content.strip_prefix("version: ") {
                    open.version = Some(unquoted(version));
                } else if content.trim_end() == "dev: true" {
                    open.is_dev = true;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// One package below `packages:`.
#[derive(Default)]
struct LockedPackage<'a> {
    key: &'a str,
    name: Option<&'a str>,
    version: Option<&'a str>,
    /// Stated up to format 6; later ones leave it to the graph.
    is_dev: bool,
}

impl LockedPackage<'_> {
    fn state(&self, out: &mut Locked<'_>) {
        let from_key = name_and_version(self.key);
        let name = self.name.or(from_key.map(|(name, _)| name));
        let version = self.version.or(from_key.map(|(_, version)| version));
        if let (Some(name), Some(version)) = (name, version) {
            let is_local = |start: &str| {
                self.key.starts_with(start) || self.key.contains(&format!("@{start}"))
            };
            match self.is_dev {
                _ if ["file:", "link:", "workspace:"].into_iter().any(is_local) => {
                    out.add_local(name, version);
                }
                true => out.add_for_development(name, version),
                false => out.add(name, version),
            }
        }
    }
}

/// Name and version of a key; `None` where it is an address or a directory.
fn name_and_version(key: &str) -> Option<(&str, &str)> {
    // Peers stand in parentheses behind the version.
    let key = key.split('(').next()?;
    let is_old = key.starts_with('/');
    let path = key.trim_start_matches('/');
    let begin = path.strip_prefix('@').map_or(Some(0), |scoped| Some(scoped.find('/')? + 2))?;
    let end = begin + path[begin..].find(['@', '/'])?;
    let (name, version) = (&path[..end], &path[end + 1..]);
    // A host stands before the path of a package from another registry.
    if !is_old && path.as_bytes()[end] == b'/' {
        let (_, rest) = key.split_once('/')?;
        return rest.contains('/').then(|| name_and_version_of_path(rest))?;
    }
    // `a@file:a` and `a@https://…`: at best, a field below states the version.
    if path.as_bytes()[end] == b'@' && version.contains(':') {
        return Some((name, ""));
    }
    // Format 5 appends peers behind `_`; no version has one.
    let version = version.split('_').next()?;
    version.starts_with(|first: char| first.is_ascii_digit()).then_some((name, version))
}

/// `a/1.0` or `@s/a/1.0`.
fn name_and_version_of_path(path: &str) -> Option<(&str, &str)> {
    let (name, version) = path.rsplit_once('/')?;
    let version = version.split('_').next()?;
    version.starts_with(|first: char| first.is_ascii_digit()).then_some((name, version))
}

fn unquoted(text: &str) -> &str {
    text.trim_end().trim_end_matches(':').trim_matches(['\'', '"'])
}
