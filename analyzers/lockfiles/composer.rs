//! `composer.lock`: JSON, with lists `packages` and `packages-dev`.
//! <https://getcomposer.org/doc/01-basic-usage.md#commit-your-composer-lock-file-to-version-control>

use super::Locked;
use crate::{Result, json};

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    for entry in ["packages", "packages-dev"].iter().flat_map(|list| json::list(&document, list)) {
        if let (Some(name), Some(version)) =
            (json::text(entry, "name"), json::text(entry, "version"))
        {
            out.add(name, version);
        }
    }
    Ok(())
}
