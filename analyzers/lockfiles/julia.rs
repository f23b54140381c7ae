//! Julia's `Manifest.toml`: a table for each package, below `deps` since format 2.
//! <https://pkgdocs.julialang.org/v1/toml-files/#Manifest.toml>

use super::{Locked, poetry::table};
use crate::{Result, json};

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = table(text)?;
    let packages = document.get("deps").unwrap_or(&document);
    for (name, entries) in packages.as_object().into_iter().flatten() {
        for entry in entries.as_array().into_iter().flatten() {
            // The standard library has no version of its own.
            out.add(name, json::text(entry, "version").unwrap_or_default());
        }
    }
    Ok(())
}
