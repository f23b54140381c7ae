//! `poetry.lock`, `uv.lock`, `pdm.lock` and `pylock.toml`: TOML, with one table
//! `package` (`packages` in the last) for each distribution.
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/>

use serde_json::Value;

use super::Locked;
use crate::parse::json;
use crate::{Error, Result};

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = table(text)?;
    for entry in json::list(&document, "package").chain(json::list(&document, "packages")) {
        let source = |kind| entry.get("source").and_then(|source| json::text(source, kind));
        // The analyzer `python` states the project itself, if it is installed.
        if source("virtual") == Some(".") || source("editable") == Some(".") {
            continue;
        }
        if let Some(name) = json::text(entry, "name") {
            // What comes from a directory or a repository may have no version.
            let version = json::text(entry, "version").unwrap_or_default();
            match is_for_development(entry) {
                true => out.add_for_development(name, version),
                false => out.add(name, version),
            }
        }
    }
    Ok(())
}

/// Poetry and PDM state the groups, poetry 1 a category. uv leaves it to the graph.
fn is_for_development(entry: &Value) -> bool {
    let mut groups = json::list(entry, "groups").filter_map(Value::as_str).peekable();
    match groups.peek() {
        Some(_) => groups.all(|group| !["default", "main"].contains(&group)),
        None => json::text(entry, "category") == Some("dev"),
    }
}

/// A TOML document. The parser limits how deep values may nest.
pub(super) fn table(text: &str) -> Result<Value> {
    toml::from_str(text).map_err(|error| {
        let message = format!("not valid TOML: {}", error.message());
        match error.span().and_then(|span| text.get(..span.start)) {
            Some(before) => Error::at_line(before.matches('\n').count() + 1, message),
            None => Error::new(message),
        }
    })
}
