//! `Pipfile.lock`: JSON, with objects `default` and `develop` from names to `"==1.0"`.
//! <https://pipenv.pypa.io/en/latest/pipfile.html>

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let document = json::parse(text.as_bytes())?;
    for group in ["default", "develop"] {
        for (name, entry) in json::members(&document, group) {
            if let Some(version) = json::text(entry, "version") {
                let version = version.trim_start_matches('=');
                match group {
                    "develop" => out.add_for_development(name, version),
                    _ => out.add(name, version),
                }
            }
        }
    }
    Ok(())
}
