//! Julia's `Manifest.toml`: a table for each package, below `deps` since format 2.
//! <https://pkgdocs.julialang.org/v1/toml-files/#Manifest.toml>

use super::{Locked, poetry::table};
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = table(text)?;
    // A package of the standard library has the version of Julia.
    let standard = json::text(&document, "julia_version").unwrap_or_default();
    let packages = document.get("deps").unwrap_or(&document);
    for (name, entries) in packages.as_object().into_iter().flatten() {
        for entry in entries.as_array().into_iter().flatten() {
            out.add(name, json::text(entry, "version").unwrap_or(standard));
        }
    }
    Ok(())
}
