//! The legacy document's `pkgs.npms`: every file whose name ends with
//! `package.json` and that states a name, wherever it lies.

use serde_json::{Map, Value, json};

/// `None` for what the legacy engine skips: other encodings, a byte order
/// mark, no object, no name.
pub(super) fn entry(bytes: &[u8]) -> Option<Value> {
    let manifest: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let name = manifest.get("name")?.as_str().filter(|name| !name.is_empty())?;
    let (versions, latest) = versions(&manifest);
    Some(json!({
        "name": name,
        "lics": manifest.get("license").map(licenses).unwrap_or_default(),
        "versions": versions,
        "latest": latest,
        "origins": Vec::from_iter(origin(&manifest)),
        "sourcepkg": source(&manifest),
    }))
}

fn licenses(license: &Value) -> Vec<&str> {
    match license {
        Value::String(text) => vec![text.as_str()],
        Value::Array(list) => list.iter().flat_map(licenses_of_member).collect(),
        other => licenses_of_member(other),
    }
}

fn licenses_of_member(license: &Value) -> Vec<&str> {
    match license {
        Value::String(text) => vec![text.as_str()],
        Value::Object(object) => ["type", "name", "license", "sourceType"]
            .iter()
            .filter_map(|member| object.get(*member)?.as_str())
            .collect(),
        _ => Vec::new(),
    }
}

/// Registry documents have `versions`, packages `version`.
fn versions(manifest: &Map<String, Value>) -> (Vec<Value>, Option<&str>) {
    match (manifest.get("versions"), manifest.get("version")) {
        (Some(Value::Object(versions)), _) => {
            let mut latest =
                versions.iter().filter(|(_, tag)| *tag == "latest").map(|(name, _)| &**name);
            (versions.keys().map(|name| name.clone().into()).collect(), latest.next_back())
        }
        (Some(Value::Array(versions)), _) => (versions.clone(), None),
        (_, Some(version)) if !is_empty(version) => (vec![version.clone()], None),
        _ => (Vec::new(), None),
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || value == ""
}

/// The author, else the last maintainer.
fn origin(manifest: &Map<String, Value>) -> Option<String> {
    match manifest.get("author") {
        Some(Value::String(author)) if !author.is_empty() => return Some(author.clone()),
        Some(Value::Object(author)) => {
            if let Some(author) = named(author, "url") {
                return Some(author);
            }
        }
        _ => {}
    }
    let maintainers = manifest.get("maintainers")?.as_array()?;
    maintainers
        .iter()
        .filter_map(|person| match person {
            Value::String(person) => Some(person.clone()),
            Value::Object(person) => named(person, "email"),
            _ => None,
        })
        .next_back()
}

/// `name (second)`.
fn named(person: &Map<String, Value>, second: &str) -> Option<String> {
    let name = person.get("name")?.as_str().filter(|name| !name.is_empty())?;
    match person.get(second).and_then(Value::as_str) {
        Some(second) => Some(format!("{name} ({second})")),
        None => Some(name.to_owned()),
    }
}

fn source(manifest: &Map<String, Value>) -> Option<String> {
    let url = match manifest.get("repository") {
        Some(Value::Object(repository)) => repository.get("url").and_then(Value::as_str),
        Some(Value::String(repository)) => Some(repository.as_str()),
        _ => None,
    };
    let source = url.or_else(|| manifest.get("homepage").and_then(Value::as_str))?;
    Some(without_password(source))
}

/// The address as it is, unless a password stands in it.
fn without_password(url: &str) -> String {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    match authority.and_then(|authority| authority.rsplit_once('@')) {
        Some((user, _)) if user.contains(':') => crate::parse::url::without_credentials(url),
        _ => url.to_owned(),
    }
}
