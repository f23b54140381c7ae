//! `gradle.lockfile`: one line a module, `group:name:version=configurations`.
//! <https://docs.gradle.org/current/userguide/dependency_locking.html>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("empty=") {
            continue;
        }
        let module = line.split('=').next().unwrap_or_default();
        match module.rsplit_once(':') {
            Some((name, version)) if name.contains(':') => out.add(name, version),
            _ => out.out.problem(format!("line {}: not a module", number + 1)),
        }
    }
    Ok(())
}
