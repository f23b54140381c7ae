//! `paket.lock` of .NET: sections of sources; below `NUGET` a line indented by four
//! is a package and its version, and deeper ones what it needs. Below `GITHUB` stand
//! repositories (or single files of them) with their commits.
//! <https://fsprojects.github.io/Paket/lock-file.html>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut kind = None;
    for line in text.lines() {
        if !line.starts_with(' ') {
            kind = match line.trim() {
                "NUGET" => Some("nuget"),
                "GITHUB" => Some("github"),
                _ => None,
            };
        } else if let Some(kind) = kind
            && let Some(package) = line.strip_prefix("    ").filter(|line| !line.starts_with(' '))
            && let Some((name, version)) = package.split_once(" (")
        {
            out.state(kind, name, version.split(')').next().unwrap_or_default(), false);
        }
    }
    Ok(())
}
