//! `package-lock.json` and `npm-shrinkwrap.json`: JSON. Since version 2 an object
//! `packages` from paths (`node_modules/a/node_modules/b`), before that nested
//! `dependencies`. <https://github.com/npm/cli/blob/latest/docs/lib/content/configuring-npm/package-lock-json.md>

use std::collections::BTreeMap;

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
    // Members of a workspace are linked by their names from where packages are installed.
    let linked: BTreeMap<&str, &str> = json::members(document, "packages")
        .filter(|(_, entry)| entry.get("link") == Some(&Value::Bool(true)))
        .filter_map(|(path, entry)| {
            let (_, name) = path.rsplit_once("node_modules/")?;
            Some((json::text(entry, "resolved")?, name))
        })
        .collect();
    for (path, entry) in json::members(document, "packages") {
        // The analyzer `node` states the project itself; a link points at another entry.
        let is = |what| entry.get(what) == Some(&Value::Bool(true));
        // npm keeps the entry of a former workspace.
        if path.is_empty() || is("link") || is("extraneous") {
            continue;
        }
        // A commit may have no version.
        let version = json::text(entry, "version").unwrap_or_default();
        let stated = json::text(entry, "name");
        match path.rsplit_once("node_modules/") {
            Some((_, name)) if is_file(json::text(entry, "resolved")) => {
                out.add_local(stated.unwrap_or(name), version);
            }
            Some((_, name)) => add(stated.unwrap_or(name), version, entry, out),
            None => {
                let directory = path.rsplit('/').next().unwrap_or(path);
                let linked = linked.get(path.as_str()).copied();
                out.add_local(stated.or(linked).unwrap_or(directory), version);
            }
        }
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
                None if is_file(Some(version)) => out.add_local(name, ""),
                // An archive or a commit: no version is stated.
                None if version.contains(':') => add(name, "", entry, out),
                None => add(name, version, entry, out),
            }
        }
    }
}

/// `file:../a`, a directory or an archive beside the project.
fn is_file(address: Option<&str>) -> bool {
    address.is_some_and(|address| address.starts_with("file:"))
}

fn add(name: &str, version: &str, entry: &Value, out: &mut Locked<'_>) {
    match entry.get("dev") {
        Some(Value::Bool(true)) => out.add_for_development(name, version),
        _ => out.add(name, version),
    }
}
