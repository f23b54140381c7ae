//! Swift's `Package.resolved`: JSON, with a list of `pins`, below `object` in version 1.
//! <https://docs.swift.org/package-manager/PackageDescription/PackageDescription.html>

use super::Locked;
use crate::Result;
use crate::parse::json;
use crate::parse::url::repository;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    let parent = document.get("object").unwrap_or(&document);
    for pin in json::list(parent, "pins") {
        let url = json::text(pin, "location").or_else(|| json::text(pin, "repositoryURL"));
        let Some(url) = url else { continue };
        let state = pin.get("state");
        // A branch has no version: its commit stands for it.
        let version = ["version", "branch", "revision"]
            .iter()
            .find_map(|member| state.and_then(|state| json::text(state, member)));
        let kind = json::text(pin, "kind").unwrap_or_default();
        if kind == "localSourceControl" || url.starts_with('/') || url.starts_with("file:") {
            let name = json::text(pin, "identity").or_else(|| json::text(pin, "package"));
            out.add_local(name.unwrap_or(url), version.unwrap_or_default());
        } else {
            out.add(&repository(url), version.unwrap_or_default());
        }
    }
    Ok(())
}
