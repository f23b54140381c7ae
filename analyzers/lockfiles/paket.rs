//! `paket.lock` of .NET: sections of sources; below `NUGET` a line indented by four
//! is a package and its version, and deeper ones what it needs.
//! <https://fsprojects.github.io/Paket/lock-file.html>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut is_nuget = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            is_nuget = line.trim() == "NUGET";
        } else if is_nuget
            && let Some(package) = line.strip_prefix("    ").filter(|line| !line.starts_with(' '))
            && let Some((name, version)) = package.split_once(" (")
        {
            out.add(name, version.split(')').next().unwrap_or_default());
        }
    }
    Ok(())
}
