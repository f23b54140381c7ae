//! `obj/project.assets.json`, what NuGet resolved for a .NET project: JSON, with
//! an object `libraries` from `Name/Version` to what is known of it.
//! <https://learn.microsoft.com/en-us/nuget/consume-packages/package-references-in-project-files>

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    for (library, entry) in json::members(&document, "libraries") {
        // The other type is `project`: of the same solution.
        if json::text(entry, "type") == Some("package")
            && let Some((name, version)) = library.split_once('/')
        {
            out.add(name, version);
        }
    }
    Ok(())
}
