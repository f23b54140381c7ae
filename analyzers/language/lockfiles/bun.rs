//! `bun.lock`: JSON with commas after last members; below `packages` a list for
//! each, whose first entry is `name@version`. <https://bun.com/docs/pm/lockfile>

use serde_json::Value;

use super::{Locked, yarn::name_and_range};
use crate::Result;
use crate::parse::json;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(&without_last_commas(text))?;
    for (_, entry) in json::members(&document, "packages") {
        let Some(resolved) = entry.get(0).and_then(Value::as_str) else { continue };
        let Some((name, version)) = name_and_range(resolved) else { continue };
        if let Some(directory) = version.strip_prefix("workspace:") {
            let workspaces = document.get("workspaces");
            let workspace = workspaces.and_then(|workspaces| workspaces.get(directory));
            let version = workspace.and_then(|entry| json::text(entry, "version"));
            out.add_local(name, version.unwrap_or_default());
        } else if ["file:", "link:", "root:"].iter().any(|start| version.starts_with(start)) {
            out.add_local(name, "");
        } else if version.contains(':') {
            // An archive or a commit: no version is stated.
            out.add(name, "");
        } else {
            out.add(name, version);
        }
    }
    Ok(())
}

/// Plain JSON: a comma before a closing bracket becomes a blank, outside of texts.
fn without_last_commas(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let mut comma = None;
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        match byte {
            b'"' => {
                comma = None;
                position += 1;
                while let Some(&inside) = bytes.get(position) {
                    match inside {
                        b'"' => break,
                        b'\\' => position += 2,
                        _ => position += 1,
                    }
                }
            }
            b',' => comma = Some(position),
            b']' | b'}' => {
                if let Some(comma) = comma.take() {
                    bytes[comma] = b' ';
                }
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        position += 1;
    }
    bytes
}
