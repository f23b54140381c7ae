//! `renv.lock` of R: JSON, with an object `Packages`.
//! <https://rstudio.github.io/renv/articles/lockfile.html>

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    for (name, entry) in json::members(&document, "Packages") {
        // Others come from GitHub and the like; their versions are not those of CRAN.
        if let (Some(_), Some(version)) =
            (json::text(entry, "Repository"), json::text(entry, "Version"))
        {
            out.add(json::text(entry, "Package").unwrap_or(name), version);
        }
    }
    Ok(())
}
