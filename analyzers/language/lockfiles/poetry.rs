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
        let local = local(entry);
        // The analyzer `python` states the project itself, if it is installed.
        if local.is_some_and(|path| matches!(path.trim_end_matches('/'), "." | "")) {
            continue;
        }
        if let Some(name) = json::text(entry, "name") {
            // What comes from a directory or a repository may have no version.
            let version = json::text(entry, "version").unwrap_or_default();
            match is_for_development(entry) {
                _ if local.is_some() => out.add_local(name, version),
                true => out.add_for_development(name, version),
                false => out.add(name, version),
            }
        }
    }
    Ok(())
}

/// The directory or file that it comes from, where that is no registry and no repository.
fn local(entry: &Value) -> Option<&str> {
    let source = entry.get("source");
    let of_source = |kind| source.and_then(|source| json::text(source, kind));
    // uv: `{ editable = "packages/a" }`; a file is a `path`.
    let of_uv = ["virtual", "editable", "directory", "path"].into_iter().find_map(of_source);
    // Poetry: `type = "directory"`, `url = "../a"`.
    let of_poetry = of_source("type").filter(|kind| matches!(*kind, "directory" | "file"));
    let of_poetry = of_poetry.and_then(|_| of_source("url"));
    // pylock.toml: tables of these names with a path.
    let of_pylock =
        ["directory", "archive"].into_iter().find_map(|kind| json::text(entry.get(kind)?, "path"));
    // PDM.
    of_uv.or(of_poetry).or(of_pylock).or_else(|| json::text(entry, "path"))
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
