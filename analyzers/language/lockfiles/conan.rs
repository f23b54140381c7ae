//! `conan.lock`: JSON. Version 2 has lists of references `name/1.0@user/channel#revision`;
//! version 1 a graph of nodes that each hold one.
//! <https://docs.conan.io/2/tutorial/versioning/lockfiles.html>

use super::Locked;
use crate::parse::json;
use crate::{Error, Result};
use inscan_facts::error::shown;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    if !document.is_object() {
        return Err(Error::new("not a JSON object"));
    }
    for list in ["requires", "build_requires", "python_requires"] {
        for reference in json::list(&document, list).filter_map(|entry| entry.as_str()) {
            add(reference, out);
        }
    }
    let graph = document.get("graph_lock").unwrap_or(&document);
    for (id, node) in json::members(graph, "nodes") {
        let reference = json::text(node, "ref").or_else(|| json::text(node, "pref"));
        // The project that was locked has a path.
        if let Some(reference) = reference
            && !(node.get("path").is_some() && (id == "0" || node.get("pref").is_some()))
        {
            add(reference, out);
        }
    }
    Ok(())
}

fn add(reference: &str, out: &mut Locked<'_>) {
    let reference = reference.split(['@', '#', ':', '%']).next().unwrap_or_default();
    match reference.split_once('/') {
        // <https://docs.conan.io/2/reference/conanfile/attributes.html#name>: no slash in either.
        Some((name, version)) if !version.contains('/') => out.add(name, version),
        Some(_) => out.out.problem(format!("not a reference: `{}`", shown(reference))),
        None => {}
    }
}
