//! `package-lock.json` and `npm-shrinkwrap.json`: JSON. Since version 2 an object
//! `packages` from paths (`node_modules/a/node_modules/b`), before that nested
//! `dependencies`. <https://github.com/npm/cli/blob/latest/docs/lib/content/configuring-npm/package-lock-json.md>

use serde_json::Value;

use super::Locked;
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    if document.get("packages").is_some() {
        packages(&document, out);
    } else {
        dependencies(&document, out);
    }
    Ok(())
}

fn packages(document: &Value, out: &mut Locked<'_>) {
    for (path, entry) in json::members(document, "packages") {
        // The analyzer `node` states the project itself; a link points at another entry.
        let is = |what| entry.get(what) == Some(&Value::Bool(true));
        // npm keeps the entry of a former workspace.
        if path.is_empty() || is("link") || is("extraneous") {
            continue;
        }
        let name = match path.rsplit_once("node_modules/") {
            Some((_, name)) => name,
            None => path.rsplit('/').next().unwrap_or(path),
        };
        // A commit may have no version.
        let version = json::text(entry, "version").unwrap_or_default();
        add(json::text(entry, "name").unwrap_or(name), version, entry, out);
    }
}

fn dependencies(document: &Value, out: &mut Locked<'_>) {
    let mut open: Vec<&Value> = vec![document];
    while let Some(parent) = open.pop() {
        for (name, entry) in json::members(parent, "dependencies") {
            open.push(entry);
            let Some(version) = json::text(entry, "version") else { continue };
            match version.strip_prefix("npm:").and_then(|alias| alias.rsplit_once('@')) {
                Some((real, version)) => add(real, version, entry, out),
                // A directory, an archive or a commit: no version is stated.
                None if version.contains(':') => add(name, "", entry, out),
                None => add(name, version, entry, out),
            }
        }
    }
}

fn add(name: &str, version: &str, entry: &Value, out: &mut Locked<'_>) {
    match entry.get("dev") {
        Some(Value::Bool(true)) => out.add_for_development(name, version),
        _ => out.add(name, version),
    }
}
