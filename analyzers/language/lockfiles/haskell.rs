//! `cabal.project.freeze`: constraints `any.NAME ==VERSION`; and `stack.yaml.lock`:
//! lines `hackage: NAME-VERSION@sha256:…`.
//! <https://docs.haskellstack.org/en/stable/topics/lock_files/>

use super::Locked;
use crate::Result;

pub(super) fn freeze(text: &str, out: &mut Locked<'_>) -> Result<()> {
    for constraint in text.lines().flat_map(|line| line.split(',')) {
        if let Some((name, version)) = constraint.split_once("==")
            && let Some((_, name)) = name.split_once("any.")
        {
            out.add(name.trim(), version.trim());
        }
    }
    Ok(())
}

pub(super) fn stack(text: &str, out: &mut Locked<'_>) -> Result<()> {
    for line in text.lines() {
        let line = line.trim_start_matches([' ', '-']);
        if let Some(package) = line.strip_prefix("hackage:") {
            let package = package.trim().split('@').next().unwrap_or_default();
            if let Some((name, version)) = package.rsplit_once('-') {
                out.add(name, version);
            }
        }
    }
    Ok(())
}
