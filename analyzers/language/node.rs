//! npm packages, as installed: by npm, yarn or pnpm, or as an application lies.
//!
//! Each package has a `package.json` at its root: a JSON object with `name`
//! (`@scope/name`) and `version`. Below a `node_modules` directory a root is
//! exactly one name (or scope and name) deep. What lies deeper is a copy that a
//! package carries along (`next/dist/compiled/react`) if it states both name and
//! version, else a part of it; below `test` and the like it is a fixture.
//! Electron's programs are archives. What lies in no `node_modules` may be
//! the image's own application, which its surroundings tell. <https://github.com/npm/cli/blob/latest/docs/lib/content/configuring-npm/package-json.md>

mod asar;
mod legacy;
mod surroundings;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::parse::fixtures::is_fixtures;
use crate::parse::url::without_credentials;
use crate::parse::{json, legacy_files};
use crate::problem::MALFORMED;
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Files, Package, Pattern, Result, Role,
    Want, path,
};

pub(crate) struct Node;

impl Analyzer for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn about(&self) -> &'static str {
        "npm packages by the package.json at their roots, also in Electron's archives"
    }

    fn wants(&self) -> Vec<Want> {
        // A suffix, because the legacy document lists `my-package.json`, too.
        vec![
            Want::inspect(Pattern::suffix("package.json"), MAX_MANIFEST),
            // Read in place, so that size does not matter.
            Want::inspect(Pattern::suffix(".asar"), u64::MAX),
        ]
    }

    /// As a tree of JSON.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if asar::is_packed(file) {
            return asar::packages(file.path, content, out);
        }
        if !file.path.ends_with(b"package.json") {
            return Ok(());
        }
        let bytes = content.bytes()?;
        if !json::hold_tree(&bytes, out) {
            return Ok(());
        }
        if let Some(value) = legacy::entry(&bytes) {
            let key = [b"/", file.path].concat();
            out.legacy_package("pkgs.npms", key, value);
        }
        if path::name(file.path) != b"package.json" {
            return Ok(());
        }
        let place = place(file.path);
        let found = json::parse(&bytes).and_then(|manifest| package(&manifest, file.path, place));
        match found {
            Ok(package) => package.into_iter().for_each(|package| out.package(package)),
            // Packages publish malformed ones as the input of their own tests.
            Err(_) if place == Place::Inner => {}
            // Whatever is installed there is not known.
            Err(error) if place == Place::Installed => out.hidden_here(MALFORMED, error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        surroundings::state_roles(image, out);
        legacy_files::state_hard_links(image, out);
        Ok(())
    }
}

/// The largest seen has some 200 KiB.
const MAX_MANIFEST: u64 = 8 << 20;

/// What a `package.json` describes, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The root of a package in `node_modules`.
    Installed,
    /// In no `node_modules` at all: an application, a global tool, a distribution's package.
    Own,
    /// Deeper in a package than its root: a part of it, or a copy of another package.
    Inner,
}

fn place(file: &[u8]) -> Place {
    let directories: Vec<&[u8]> = path::parts(path::parent(file)).collect();
    let Some(modules) = directories.iter().rposition(|part| *part == b"node_modules") else {
        return Place::Own;
    };
    match &directories[modules + 1..] {
        [scope, _] if scope.starts_with(b"@") => Place::Installed,
        [name] if !name.starts_with(b"@") => Place::Installed,
        _ => Place::Inner,
    }
}

/// Whether a file lies among the fixtures of a package in `node_modules`.
fn is_in_fixtures_of_a_package(file: &[u8]) -> bool {
    let mut parts = path::parts(path::parent(file)).skip_while(|part| *part != b"node_modules");
    while let Some(part) = parts.next() {
        if part != b"node_modules" {
            if is_fixtures(part) {
                return true;
            }
            continue;
        }
        // A package may be called `test`.
        if parts.next().is_some_and(|name| name.starts_with(b"@")) {
            parts.next();
        }
    }
    false
}

/// A part that states the name of its package again, as `lib/esm/package.json`.
fn is_name_of_package_around(file: &[u8], namespace: Option<&str>, name: &str) -> bool {
    let parts: Vec<&[u8]> = path::parts(path::parent(file)).collect();
    let modules = parts.iter().rposition(|part| *part == b"node_modules");
    match (modules.map(|modules| &parts[modules + 1..]), namespace) {
        (Some([scope, around, ..]), Some(namespace)) => {
            *scope == namespace.as_bytes() && *around == name.as_bytes()
        }
        (Some([around, ..]), None) => *around == name.as_bytes(),
        _ => false,
    }
}

/// Whether a file lies where packages keep copies of others: `next/dist/compiled/react`.
fn is_carried_along(file: &[u8]) -> bool {
    const COPIES: [&[u8]; 9] = [
        b"bundle",
        b"bundled",
        b"compiled",
        b"deps",
        b"external",
        b"third-party",
        b"third_party",
        b"vendor",
        b"vendored",
    ];
    let parts: Vec<&[u8]> = path::parts(path::parent(file)).collect();
    let within = parts.rsplit(|part| *part == b"node_modules").next().unwrap_or_default();
    within.iter().any(|part| COPIES.contains(part))
}

/// `None` if it is not a package: without a name, or without a version outside of
/// `node_modules`.
fn package(manifest: &Value, location: &[u8], place: Place) -> Result<Option<Package>> {
    if !manifest.is_object() {
        return Err(Error::new("not a JSON object"));
    }
    let Some(name) = json::text(manifest, "name") else { return Ok(None) };
    let version = json::text(manifest, "version").unwrap_or_default();
    if place != Place::Installed && version.is_empty() {
        return Ok(None);
    }
    if let Some((kind, publisher)) = editor(manifest).filter(|_| place != Place::Installed) {
        let extension = extension(manifest, location, name, version);
        let namespace = Some(publisher.to_owned()).filter(|publisher| !publisher.is_empty());
        return Ok(Some(Package { kind: kind.into(), namespace, ..extension }));
    }
    let (namespace, name) = match scope_and_name(name) {
        Some(names) => names,
        // Parts of a package may have any name: `name/part`.
        None if place == Place::Inner => return Ok(None),
        // Nothing of the registry can be called so: `{{name}}` of a template.
        None if place == Place::Own && name.contains("{{") => return Ok(None),
        None => {
            let name = inscan_facts::error::shown(name);
            return Err(Error::new(format!("not the name of a package: `{name}`")));
        }
    };
    // npm never publishes a private package: it is the manifest of an application.
    let is_private = manifest.get("private") == Some(&Value::Bool(true));
    let evidence = match place {
        Place::Own | Place::Inner if is_private => Evidence::Manifest,
        _ => Evidence::InstalledPackage,
    };
    if place == Place::Inner && is_name_of_package_around(location, namespace, name) {
        return Ok(None);
    }
    let role = match place {
        _ if is_in_fixtures_of_a_package(location) => Some(Role::Fixture),
        // Nobody says that it comes from a registry: it may be a part with a name of its own.
        Place::Inner if !is_carried_along(location) => Some(Role::Local),
        // Unity's package manager has registries of its own.
        Place::Own if json::text(manifest, "unity").is_some() => Some(Role::Local),
        _ => None,
    };
    Ok(Some(Package {
        kind: "npm".into(),
        name: name.into(),
        namespace: namespace.map(Into::into),
        version: version.trim_start_matches(['=', 'v']).into(),
        licenses: licenses(manifest),
        origin: origin(manifest),
        evidence,
        location: location.into(),
        attributes: attributes(manifest),
        role,
        ..Package::default()
    }))
}

fn attributes(manifest: &Value) -> BTreeMap<String, String> {
    let addresses =
        [("homepage", json::text(manifest, "homepage")), ("repository", repository(manifest))];
    let stated = addresses.into_iter().filter_map(|(name, address)| Some((name, address?)));
    stated.map(|(name, address)| (name.to_owned(), without_credentials(address))).collect()
}

/// The type and the publisher of an editor's extension, told by `engines.vscode` and
/// `engines.atom`: their marketplaces are other registries than npm's. Atom's has no type of
/// package URL, and no publishers.
/// <https://code.visualstudio.com/api/references/extension-manifest>,
/// <https://flight-manual.atom-editor.cc/hacking-atom/sections/package-word-count/>
fn editor(manifest: &Value) -> Option<(&'static str, &str)> {
    let engines = manifest.get("engines")?;
    if json::text(engines, "vscode").is_some() {
        return Some(("vscode-extension", json::text(manifest, "publisher").unwrap_or_default()));
    }
    json::text(engines, "atom").map(|_| ("generic", ""))
}

fn extension(manifest: &Value, location: &[u8], name: &str, version: &str) -> Package {
    Package {
        name: name.into(),
        version: version.into(),
        licenses: licenses(manifest),
        origin: origin(manifest),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        attributes: attributes(manifest),
        role: Some(Role::EditorExtension),
        ..Package::default()
    }
}

fn scope_and_name(name: &str) -> Option<(Option<&str>, &str)> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.len() <= 214
            && !word
                .contains(|c: char| c == '/' || c == '\\' || c.is_whitespace() || c.is_control())
    };
    match name.strip_prefix('@') {
        Some(scoped) => {
            let (scope, rest) = scoped.split_once('/')?;
            let with_at = &name[..=scope.len()];
            (is_word(scope) && is_word(rest)).then_some((Some(with_at), rest))
        }
        None => is_word(name).then_some((None, name)),
    }
}

fn repository(manifest: &Value) -> Option<&str> {
    let repository = manifest.get("repository")?;
    repository.as_str().or_else(|| json::text(repository, "url"))
}

/// `license`, or the `licenses` of old packages: a text, an object with `type`
/// (or `name`), or a list of those.
fn licenses(manifest: &Value) -> Vec<String> {
    let member = ["license", "license", "licenses"].iter().find_map(|name| manifest.get(name));
    let list = match member {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let text = |license: &Value| match license {
        Value::String(text) => Some(text.trim().to_owned()),
        _ => json::text(license, "type").or_else(|| json::text(license, "name")).map(str::to_owned),
    };
    list.iter().filter_map(text).filter(|license| !license.is_empty()).collect()
}

/// The author, else the first of several authors or maintainers.
fn origin(manifest: &Value) -> Option<String> {
    ["author", "authors", "maintainers", "contributors"].iter().find_map(|member| {
        match manifest.get(member)? {
            Value::Array(people) => people.iter().find_map(person),
            one => person(one),
        }
    })
}

fn person(person: &Value) -> Option<String> {
    if let Some(text) = person.as_str() {
        return Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    }
    let name = json::text(person, "name");
    match (name, json::text(person, "email")) {
        (Some(name), Some(email)) => Some(format!("{name} <{email}>")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
