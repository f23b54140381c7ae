//! `composer.lock`: JSON, with lists `packages` and `packages-dev`.
//! <https://getcomposer.org/doc/01-basic-usage.md#commit-your-composer-lock-file-to-version-control>

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    let member = |entry, name| json::text(entry, name).unwrap_or_default();
    for entry in json::list(&document, "packages") {
        out.add(member(entry, "name"), member(entry, "version"));
    }
    for entry in json::list(&document, "packages-dev") {
        out.add_for_development(member(entry, "name"), member(entry, "version"));
    }
    Ok(())
}
