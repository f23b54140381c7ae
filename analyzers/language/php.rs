//! PHP packages, as Composer installed them.
//!
//! Composer keeps `vendor/composer/installed.json`: since version 2 an object
//! with `packages` and the names of those for development, before a bare list.
//! <https://getcomposer.org/doc/04-schema.md>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::parse::json;
use crate::parse::url::without_credentials;
use crate::problem::MALFORMED;
use crate::{Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, Role, Want};

/// Some thousand packages.
const MAX_SIZE: u64 = 64 << 20;

pub(crate) struct Php;

impl Analyzer for Php {
    fn name(&self) -> &'static str {
        "php"
    }

    fn about(&self) -> &'static str {
        "PHP packages by Composer's vendor/composer/installed.json"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::within("composer", "installed.json"), MAX_SIZE)]
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
        let document = match json::parse(&bytes) {
            Ok(document) => document,
            // Whatever is installed there is not known.
            Err(error) => {
                out.hidden_here(MALFORMED, error);
                return Ok(());
            }
        };
        let packages = document.get("packages").unwrap_or(&document);
        // To PHP an object is a list with keys.
        let packages: Vec<&Value> = match packages {
            Value::Array(packages) => packages.iter().collect(),
            Value::Object(packages) => packages.values().collect(),
            _ => {
                out.hidden_here(MALFORMED, "no list of packages");
                return Ok(());
            }
        };
        let development: BTreeSet<&str> = texts(document.get("dev-package-names")).collect();
        for (position, entry) in packages.into_iter().enumerate() {
            match package(entry, &development, file.path) {
                Some(package) => out.package(package),
                None => {
                    let message = format!("package {position}: no name or no version");
                    out.hidden_here(MALFORMED, message);
                }
            }
        }
        Ok(())
    }
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn package(entry: &Value, development: &BTreeSet<&str>, location: &[u8]) -> Option<Package> {
    let full_name = json::text(entry, "name")?;
    let (vendor, name) = match full_name.split_once('/') {
        Some((vendor, name)) => (Some(vendor), name),
        None => (None, full_name),
    };
    let mut attributes = BTreeMap::new();
    let mut state = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            attributes.insert(key.to_owned(), without_credentials(value));
        }
    };
    let source = entry.get("source");
    state("homepage", json::text(entry, "homepage"));
    state("repository", source.and_then(|source| json::text(source, "url")));
    state("commit", source.and_then(|source| json::text(source, "reference")));
    state("dev", development.contains(full_name).then_some("true"));
    // A list since long, a text in old packages.
    let license = entry.get("license");
    let licenses = license.and_then(Value::as_str).into_iter().chain(texts(license));
    let dist = entry.get("dist").and_then(|dist| json::text(dist, "type"));
    Some(Package {
        role: (dist == Some("path")).then_some(Role::Local),
        kind: "composer".into(),
        name: name.into(),
        namespace: vendor.map(Into::into),
        version: json::text(entry, "version")?.into(),
        licenses: licenses.map(str::to_owned).collect(),
        origin: entry.get("authors").and_then(|authors| author(authors.get(0)?)),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        attributes,
        ..Package::default()
    })
}

fn author(author: &Value) -> Option<String> {
    let name = json::text(author, "name")?;
    Some(match json::text(author, "email") {
        Some(email) => format!("{name} <{email}>"),
        None => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_what_composer_writes() {
        let facts = Image::fixture("php").run(&Php);
        let package = facts.packages().next().unwrap();
        assert_eq!(package.namespace.as_deref(), Some("acme"));
        assert_eq!((&*package.name, &*package.version), ("log", "v1.2.0"));
        assert_eq!(package.licenses, ["MIT"]);
        assert_eq!(package.origin.as_deref(), Some("Jo Doe <jo@example.org>"));
        assert_eq!(facts.packages().last().unwrap().attributes["dev"], "true");
        assert_eq!(facts.problems, []);
    }

    #[test]
    fn what_comes_from_a_directory_is_local() {
        let content = r#"[{"name": "a/b", "version": "1.0", "dist": {"type": "path"}}]"#;
        let facts = Image::new([("vendor/composer/installed.json", content)]).run(&Php);
        assert_eq!(facts.packages().next().unwrap().role, Some(Role::Local));
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Php, "php");
    }

    #[test]
    fn composer_1_wrote_a_bare_list() {
        let content = r#"[{"name": "a/b", "version": "1.0", "license": "MIT"}, {"name": "a/c"}]"#;
        let facts = Image::new([("vendor/composer/installed.json", content)]).run(&Php);
        assert_eq!(facts.packages().next().unwrap().licenses, ["MIT"]);
        assert_eq!(facts.packages().next().unwrap().role, None);
        assert_eq!(facts.problems[0].message, "package 1: no name or no version");
        assert!(!facts.problems[0].hides.is_nothing());
    }

    #[test]
    fn an_object_is_a_list_to_php() {
        let content = r#"{"packages": {"7": {"name": "a/b", "version": "1.0"}}}"#;
        let facts = Image::new([("vendor/composer/installed.json", content)]).run(&Php);
        assert_eq!(facts.packages().count(), 1);
        let none = Image::new([("vendor/composer/installed.json", "{\"packages\": 1}")]).run(&Php);
        assert!(!none.problems[0].hides.is_nothing());
    }
}
