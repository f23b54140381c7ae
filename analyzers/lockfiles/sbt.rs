//! `build.sbt.lock` of sbt-dependency-lock: JSON, with a list of `dependencies`.
//! <https://stringbean.github.io/sbt-dependency-lock/file-formats/index.html>

use super::Locked;
use crate::{Result, json};

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    for entry in json::list(&document, "dependencies") {
        let member = |name| json::text(entry, name);
        if let (Some(group), Some(name), Some(version)) =
            (member("org"), member("name"), member("version"))
        {
            out.add(&format!("{group}:{name}"), version);
        }
    }
    Ok(())
}
