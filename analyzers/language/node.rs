//! npm packages, as installed: by npm, yarn or pnpm, or as an application lies.
//!
//! Each package has a `package.json` at its root: a JSON object with `name`
//! (`@scope/name`) and `version`. Below a `node_modules` directory a root is
//! exactly one name (or scope and name) deep. What lies deeper is a copy that a
//! package carries along (`next/dist/compiled/react`) if it states both name and
//! version, else a part of it. <https://github.com/npm/cli/blob/latest/docs/lib/content/configuring-npm/package-json.md>

mod legacy;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::parse::url::without_credentials;
use crate::parse::{json, legacy_files};
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Files, Package, Pattern, Result, Want,
    path,
};

pub(crate) struct Node;

impl Analyzer for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn about(&self) -> &'static str {
        "npm packages by the package.json at their roots"
    }

    fn wants(&self) -> Vec<Want> {
        // A suffix, because the legacy document lists `my-package.json`, too.
        vec![Want::inspect(Pattern::suffix("package.json"), 8 << 20)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if !file.path.ends_with(b"package.json") {
            return Ok(());
        }
        let bytes = content.bytes()?;
        if let Some(value) = legacy::entry(&bytes) {
            let key = [b"/", file.path].concat();
            out.legacy_package("pkgs.npms", key, value);
        }
        let role = role(file.path);
        if path::name(file.path) != b"package.json" {
            return Ok(());
        }
        let manifest = json::parse(&bytes)?;
        if let Some(package) = package(&manifest, file.path, role)? {
            out.package(package);
        }
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        legacy_files::state_hard_links(image, out);
        Ok(())
    }
}

/// What a `package.json` describes, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The root of a package in `node_modules`.
    Installed,
    /// In no `node_modules` at all: an application, a global tool, a distribution's package.
    Own,
    /// Deeper in a package than its root: a part of it, or a copy of another package.
    Inner,
}

fn role(file: &[u8]) -> Role {
    let directories: Vec<&[u8]> = path::parts(path::parent(file)).collect();
    let Some(modules) = directories.iter().rposition(|part| *part == b"node_modules") else {
        return Role::Own;
    };
    match &directories[modules + 1..] {
        [scope, _] if scope.starts_with(b"@") => Role::Installed,
        [name] if !name.starts_with(b"@") => Role::Installed,
        _ => Role::Inner,
    }
}

/// `None` if it is not a package: without a name, or without a version outside of
/// `node_modules`.
fn package(manifest: &Value, location: &[u8], role: Role) -> Result<Option<Package>> {
    if !manifest.is_object() {
        return Err(Error::new("not a JSON object"));
    }
    let Some(name) = json::text(manifest, "name") else { return Ok(None) };
    let version = json::text(manifest, "version").unwrap_or_default();
    if role != Role::Installed && version.is_empty() {
        return Ok(None);
    }
    let (namespace, name) = match scope_and_name(name) {
        Some(names) => names,
        // Parts of a package may have any name: `name/part`.
        None if role == Role::Inner => return Ok(None),
        None => {
            let name = inscan_facts::error::shown(name);
            return Err(Error::new(format!("not the name of a package: `{name}`")));
        }
    };
    let mut attributes = BTreeMap::new();
    if let Some(homepage) = json::text(manifest, "homepage") {
        attributes.insert("homepage".to_owned(), without_credentials(homepage));
    }
    if let Some(repository) = repository(manifest) {
        attributes.insert("repository".to_owned(), without_credentials(repository));
    }
    // npm never publishes a private package: it is the manifest of an application.
    let is_private = manifest.get("private") == Some(&Value::Bool(true));
    let evidence = match role {
        Role::Own | Role::Inner if is_private => Evidence::Manifest,
        _ => Evidence::InstalledPackage,
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
        attributes,
        ..Package::default()
    }))
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
