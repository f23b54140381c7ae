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
        let (module, configurations) = line.split_once('=').unwrap_or((line, ""));
        match module.rsplit_once(':') {
            Some((name, version)) if name.contains(':') => {
                // `testCompileClasspath,testRuntimeClasspath`
                match configurations.split(',').all(|one| one.starts_with("test")) {
                    true => out.add_for_development(name, version),
                    false => out.add(name, version),
                }
            }
            _ => out.out.problem(format!("line {}: not a module", number + 1)),
        }
    }
    Ok(())
}
