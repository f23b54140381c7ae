//! `deps.json`: the libraries of a .NET program, and which of them put files into it
//! (<https://github.com/dotnet/sdk/blob/main/documentation/specs/runtime-configuration-file.md>).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::package;
use crate::parse::json::check_density;
use crate::{Error, Evidence, Facts, Result};
use inscan_facts::package::{Certainty, Role};

/// How the SDK calls a runtime that it put into a self-contained program.
const RUNTIME_PACK: &str = "runtimepack.";
/// What of a library becomes files of the program.
const ASSETS: [&str; 4] = ["native", "resources", "runtime", "runtimeTargets"];

#[derive(Deserialize)]
struct Deps {
    #[serde(default, rename = "runtimeTarget")]
    target: Option<Target>,
    /// By framework and platform: what each library brings there.
    #[serde(default)]
    targets: BTreeMap<String, BTreeMap<String, Value>>,
    #[serde(default)]
    libraries: BTreeMap<String, Library>,
}

/// Which of the targets is that of the program. An old form is its bare name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Named { name: String },
    Name(String),
}

#[derive(Deserialize)]
struct Library {
    /// `package`, `project`, `reference`, `referenceassembly`, `runtimepack`, …
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    sha512: Option<String>,
}

/// States the libraries of a `deps.json` as packages of `location`.
///
/// # Errors
///
/// If it is no JSON of this form.
pub(super) fn state(location: &[u8], json: &[u8], out: &mut Facts) -> Result<()> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    check_density(json)?;
    let deps: Deps = serde_json::from_slice(json)
        .map_err(|error| Error::at_line(error.line(), format!("not a deps.json: {error}")))?;
    let target = match &deps.target {
        Some(Target::Named { name } | Target::Name(name)) => deps.targets.get(name),
        None => None,
    };
    for (id, library) in deps.libraries {
        let (name, version) = id.split_once('/').unwrap_or((&id, ""));
        if name.is_empty() || version.is_empty() {
            out.problem(format!("library `{id}` has no name or no version"));
            continue;
        }
        let is_there = target.is_none_or(|target| has_assets(target.get(&id)));
        let name = match library.kind.as_str() {
            "runtimepack" => name.strip_prefix(RUNTIME_PACK).unwrap_or(name),
            _ => name,
        };
        let mut package = package(name, version, location, Evidence::InstalledPackage);
        package.role = role(&library.kind, is_there);
        if library.kind == "reference" {
            // An assembly that was referred to by its file: its own version, not that of a package.
            package.identity.name = Certainty::derived("assembly-name");
            package.identity.version = Certainty::Unknown;
        }
        let attributes = &mut package.attributes;
        attributes.insert("library-type".into(), library.kind);
        if let Some(digest) = library.sha512.filter(|digest| !digest.is_empty()) {
            attributes.insert("sha512".into(), digest);
        }
        out.package(package);
    }
    Ok(())
}

/// Whether a library puts any file into the program. `_._` is NuGet's word for none.
fn has_assets(library: Option<&Value>) -> bool {
    let is_asset = |path: &String| !path.ends_with("/_._") && path != "_._";
    let of_kind = |kind| library.and_then(|library| library.get(kind)).and_then(Value::as_object);
    ASSETS.into_iter().filter_map(of_kind).any(|assets| assets.keys().any(is_asset))
}

fn role(kind: &str, is_there: bool) -> Option<Role> {
    match kind {
        "project" | "msbuildproject" => Some(Role::Application),
        "reference" => Some(Role::Local),
        "referenceassembly" => Some(Role::Reference),
        _ if !is_there => Some(Role::Reference),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &[&str]) {
        let mut out = Facts::default();
        state(b"app/App.deps.json", json.as_bytes(), &mut out).expect("well-formed");
        let role = |role: Option<Role>| role.map_or(String::new(), |role| format!(" {role:?}"));
        let line = |it: &crate::Package| format!("{} {}{}", it.name, it.version, role(it.role));
        assert_eq!(out.packages().map(line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_library_without_files_in_the_target_is_a_reference() {
        let json = r#"{"runtimeTarget": {"name": "net8"}, "targets": {"net8": {
            "A/1.0.0": {"runtime": {"lib/a.dll": {}}}, "B/1.0.0": {"native": {"b.so": {}}},
            "C/1.0.0": {"resources": {"de/c.dll": {}}}, "D/1.0.0": {"runtimeTargets": {"d.so": {}}},
            "E/1.0.0": {"compile": {"ref/e.dll": {}}}, "F/1.0.0": {"dependencies": {"A": "1.0.0"}},
            "G/1.0.0": {"runtime": {"lib/netstandard1.0/_._": {}}}}},
            "libraries": {"A/1.0.0": {"type": "package"}, "B/1.0.0": {"type": "package"},
            "C/1.0.0": {"type": "package"}, "D/1.0.0": {"type": "package"}, "E/1.0.0": {"type": "package"},
            "F/1.0.0": {"type": "package"}, "G/1.0.0": {"type": "package"}, "H/1.0.0": {"type": "package"}}}"#;
        let there = ["A 1.0.0", "B 1.0.0", "C 1.0.0", "D 1.0.0"];
        let not = ["E", "F", "G", "H"].map(|name| format!("{name} 1.0.0 Reference"));
        let not: Vec<&str> = not.iter().map(String::as_str).collect();
        check(json, &[&there[..], &not].concat());
    }

    #[test]
    fn without_a_target_every_package_may_be_there() {
        let libraries = r#""libraries": {"A/1.0.0": {"type": "package"}}"#;
        check(&format!("{{{libraries}}}"), &["A 1.0.0"]);
        let other = r#""runtimeTarget": "net8", "targets": {"net6": {}}"#;
        check(&format!("{{{other}, {libraries}}}"), &["A 1.0.0"]);
    }

    #[test]
    fn the_kind_of_a_library_says_what_it_is() {
        let json = r#"{"libraries": {
            "App/1.0.0": {"type": "project"}, "Dll/1.2.0.0": {"type": "reference"},
            "Ref/4.0.0.0": {"type": "referenceassembly"},
            "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "runtimepack"}}}"#;
        let runtime = "Microsoft.NETCore.App.Runtime.linux-x64 8.0.1";
        let expected =
            ["App 1.0.0 Application", "Dll 1.2.0.0 Local", "Ref 4.0.0.0 Reference", runtime];
        check(json, &expected);
    }
}
