//! NuGet's `packages.lock.json`: JSON, below `dependencies` an object for each
//! framework. <https://learn.microsoft.com/en-us/nuget/consume-packages/package-references-in-project-files#locking-dependencies>

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    for (_, framework) in json::members(&document, "dependencies") {
        for (name, entry) in framework.as_object().into_iter().flatten() {
            // A `Project` is of the same solution, and has no version.
            if let Some(version) = json::text(entry, "resolved") {
                out.add(name, version);
            }
        }
    }
    Ok(())
}
