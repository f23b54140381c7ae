//! Bundler's `Gemfile.lock`: sections (`GEM`, `GIT`, `PATH`) with `specs:`, where
//! a line indented by four is a gem and its version, and deeper ones what it needs.
//! <https://bundler.io/guides/rationale.html>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut is_source = false;
    let mut is_path = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            is_source = ["GEM", "GIT", "PATH", "PLUGIN SOURCE"].contains(&line.trim_end());
            is_path = line.trim_end() == "PATH";
        }
        let Some(spec) = line.strip_prefix("    ").filter(|spec| !spec.starts_with(' ')) else {
            continue;
        };
        if !is_source {
            continue;
        }
        if let Some((name, version)) = spec.split_once(" (")
            && let Some(version) = version.trim_end().strip_suffix(')')
        {
            // `1.15.0-x86_64-linux`: a gem's version has no hyphen, the platform follows it.
            let version = version.split('-').next().unwrap_or(version);
            match is_path {
                true => out.add_local(name, version),
                false => out.add(name, version),
            }
        }
    }
    Ok(())
}
