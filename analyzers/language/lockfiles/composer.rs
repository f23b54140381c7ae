//! `composer.lock`: JSON, with lists `packages` and `packages-dev`.
//! <https://getcomposer.org/doc/01-basic-usage.md#commit-your-composer-lock-file-to-version-control>

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    let member = |entry, name| json::text(entry, name).unwrap_or_default();
    for list in ["packages", "packages-dev"] {
        for entry in json::list(&document, list) {
            let (name, version) = (member(entry, "name"), member(entry, "version"));
            let dist = entry.get("dist").and_then(|dist| json::text(dist, "type"));
            match list {
                _ if dist == Some("path") => out.add_local(name, version),
                "packages" => out.add(name, version),
                _ => out.add_for_development(name, version),
            }
        }
    }
    Ok(())
}
