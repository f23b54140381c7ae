//! Swift packages that SwiftPM has fetched for a build.
//!
//! A package's build directory has `workspace-state.json`, which names what lies in
//! `checkouts` and `registry` beside it. Programs that are built carry no such list.
//! <https://github.com/swiftlang/swift-package-manager/blob/main/Sources/Workspace/Workspace%2BState.swift>

use serde_json::Value;

use crate::parse::json;
use crate::parse::url::repository;
use crate::{Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, Want};

const MAX_SIZE: u64 = 16 << 20;

pub(crate) struct Swift;

impl Analyzer for Swift {
    fn name(&self) -> &'static str {
        "swift"
    }

    fn about(&self) -> &'static str {
        "Swift packages that SwiftPM fetched, by workspace-state.json of its builds"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::name("workspace-state.json"), MAX_SIZE)]
    }

    /// As a tree of JSON.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let bytes = content.bytes()?;
        if !json::hold_tree(&bytes, out) {
            return Ok(());
        }
        let document = json::parse(&bytes)?;
        let Some(object) = document.get("object") else { return Ok(()) };
        for dependency in json::list(object, "dependencies") {
            if let Some(package) = package(dependency, file.path) {
                out.package(package);
            }
        }
        Ok(())
    }
}

/// `None` for a directory of the project itself, which is not a release.
fn package(dependency: &Value, location: &[u8]) -> Option<Package> {
    let reference = dependency.get("packageRef")?;
    let state = dependency.get("state")?;
    let text = |member| json::text(reference, member);
    let (name, version) = match json::text(state, "name")? {
        "checkout" | "sourceControlCheckout" => {
            let checkout = state.get("checkoutState")?;
            // A branch has no version: its commit stands for it.
            let version = ["version", "branch", "revision"];
            let version = version.iter().find_map(|member| json::text(checkout, member));
            // `path` until Swift 5.5.
            (repository(text("location").or_else(|| text("path"))?), version)
        }
        // `scope.name`, as the registry knows it.
        "registryDownload" => {
            (text("identity")?.replacen('.', "/", 1), json::text(state, "version"))
        }
        _ => return None,
    };
    let (namespace, name) = match name.rsplit_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
        None => (None, name),
    };
    Some(Package {
        kind: "swift".into(),
        name,
        namespace,
        version: version.unwrap_or_default().into(),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        ..Package::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_what_swiftpm_fetched() {
        let facts = Image::fixture("swift").run(&Swift);
        assert_eq!(facts.problems, []);
        let found: Vec<_> = facts
            .packages()
            .map(|it| (it.namespace.as_deref().unwrap_or(""), &*it.name, &*it.version))
            .collect();
        let expected = [
            ("code.example/apple", "swift-nio", "2.40.0"),
            ("code.example/me", "tool", "main"),
            ("mona", "LinkedList", "1.2.0"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_older_state_names_the_repository_otherwise() {
        let state = r#"{"object": {"dependencies": [{"packageRef": {"kind": "remote",
            "path": "ssh://git@code.example/a/b.git"}, "state": {"name": "checkout",
            "checkoutState": {"revision": "abc", "version": "1.0.0"}}}, {}, 3]}, "version": 4}"#;
        let facts = Image::new([(".build/workspace-state.json", state)]).run(&Swift);
        let package = facts.packages().next().unwrap();
        assert_eq!((package.namespace.as_deref(), &*package.name), (Some("code.example/a"), "b"));
        assert_eq!(facts.packages().count(), 1);
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Swift, "swift");
    }
}
