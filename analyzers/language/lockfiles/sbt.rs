//! `build.sbt.lock` of sbt-dependency-lock: JSON, with a list of `dependencies`.
//! <https://stringbean.github.io/sbt-dependency-lock/file-formats/index.html>

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    for entry in json::list(&document, "dependencies") {
        let member = |name| json::text(entry, name);
        if let (Some(group), Some(name), Some(version)) =
            (member("org"), member("name"), member("version"))
        {
            let name = format!("{group}:{name}");
            let mut configurations = json::list(entry, "configurations").peekable();
            match configurations.peek().is_some() && configurations.all(|one| one == "test") {
                true => out.add_for_development(&name, version),
                false => out.add(&name, version),
            }
        }
    }
    Ok(())
}
