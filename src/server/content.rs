//! What an image has in it, by kind, as Anchore's API lists it: made of the lists that an archive
//! carries beside the document.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::model::packages::Package;

/// The kinds, as they are listed.
pub(crate) const KINDS: [&str; 9] =
    ["os", "files", "npm", "gem", "python", "java", "binary", "go", "malware"];

/// The items of one kind. `lists` is the member `image_content` of an archive.
pub(crate) fn items(lists: &Json, kind: &str) -> Vec<Json> {
    let of_kind = &lists["document"][kind];
    if let Some(scanners) = of_kind.as_array() {
        return scanners.clone();
    }
    let Some(entries) = of_kind.as_object() else { return Vec::new() };
    let entries = entries.iter();
    match kind {
        "os" => entries.map(|(name, about)| os(name, about)).collect(),
        "files" => entries.map(|(path, about)| file(path, about)).collect(),
        "npm" => entries.filter_map(|(path, about)| listed(path, about, "NPM")).collect(),
        "gem" => entries.filter_map(|(path, about)| listed(path, about, "GEM")).collect(),
        "python" => entries.map(|(path, about)| python(path, about)).collect(),
        "java" => entries.map(|(path, about)| java(path, about)).collect(),
        _ => entries.map(|(path, about)| generic(path, about)).collect(),
    }
}

fn text<'a>(about: &'a Json, name: &str) -> Option<&'a str> {
    about[name].as_str().filter(|text| !text.is_empty())
}

fn known<'a>(about: &'a Json, name: &str) -> &'a str {
    text(about, name).unwrap_or("Unknown")
}

/// A text, or several, as a list and as one text.
fn licences(all: Vec<&str>, item: &mut Map<String, Json>) {
    let all = if all.is_empty() { vec!["Unknown"] } else { all };
    item.insert("license".into(), all.join(" ").into());
    item.insert("licenses".into(), all.into());
}

fn item(pairs: Json) -> Map<String, Json> {
    match pairs {
        Json::Object(item) => item,
        _ => Map::new(),
    }
}

fn os(name: &str, about: &Json) -> Json {
    let version = text(about, "version").unwrap_or("N/A");
    let version = match text(about, "release").filter(|release| *release != "N/A") {
        Some(release) => format!("{version}-{release}"),
        None => version.to_owned(),
    };
    let size = match &about["size"] {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => "N/A".to_owned(),
    };
    let mut item = item(json!({"package": name, "version": version, "type": known(about, "type"),
        "size": size, "origin": known(about, "origin")}));
    licences(known(about, "license").split(' ').collect(), &mut item);
    Json::Object(item)
}

fn file(path: &str, about: &Json) -> Json {
    let mode = about["mode"].as_u64().unwrap_or_default() & 0o7777;
    let sum = text(about, "sha256").filter(|sum| *sum != "DIRECTORY_OR_OTHER");
    json!({"filename": path, "gid": about["gid"], "linkdest": about["linkdst"], "mode": format!("{mode:05o}"),
        "sha256": sum, "size": about["size"], "type": about["type"], "uid": about["uid"]})
}

fn texts<'a>(about: &'a Json, name: &str) -> Vec<&'a str> {
    about[name].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

/// One without a version is left out, as clients know it; a version that is a number stays one.
fn listed(path: &str, about: &Json, kind: &str) -> Option<Json> {
    let origins = texts(about, "origins");
    let origin = if origins.is_empty() { "Unknown".to_owned() } else { origins.join(",") };
    let version = about["versions"].as_array()?.first()?;
    let mut item = item(json!({"package": known(about, "name"), "type": kind, "location": path,
        "version": version, "origin": origin}));
    licences(texts(about, "lics"), &mut item);
    Some(Json::Object(item))
}

fn python(path: &str, about: &Json) -> Json {
    let location = text(about, "location").unwrap_or(path);
    let mut item =
        item(json!({"package": known(about, "name"), "type": "PYTHON", "location": location,
        "version": known(about, "version"), "origin": known(about, "origin")}));
    licences(known(about, "license").split(' ').collect(), &mut item);
    Json::Object(item)
}

fn java(path: &str, about: &Json) -> Json {
    json!({
        "package": known(about, "name"),
        "type": known(about, "type").to_uppercase(),
        "location": text(about, "location").unwrap_or(path),
        "specification-version": known(about, "specification-version"),
        "implementation-version": known(about, "implementation-version"),
        "maven-version": known(about, "maven-version"),
        "origin": known(about, "origin"),
    })
}

fn generic(path: &str, about: &Json) -> Json {
    let mut item =
        item(json!({"package": known(about, "name"), "type": known(about, "type").to_uppercase(),
        "location": text(about, "location").unwrap_or(path), "version": known(about, "version"),
        "origin": known(about, "origin")}));
    licences(known(about, "license").split(' ').collect(), &mut item);
    Json::Object(item)
}

/// What is asked for across images.
pub(crate) fn packages(lists: &Json) -> BTreeSet<Package> {
    let mut packages = BTreeSet::new();
    for kind in ["os", "npm", "gem", "python", "java", "binary", "go"] {
        for item in items(lists, kind) {
            let versions = ["version", "implementation-version", "specification-version"];
            let version = versions.iter().filter_map(|name| match &item[*name] {
                Json::String(text) => Some(text.clone()),
                Json::Number(number) => Some(number.to_string()),
                _ => None,
            });
            let version =
                version.into_iter().find(|text| !["N/A", "Unknown"].contains(&text.as_str()));
            packages.insert(Package {
                name: known(&item, "package").to_owned(),
                version: version.unwrap_or_default(),
                kind: if kind == "os" { known(&item, "type").to_owned() } else { kind.to_owned() },
            });
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_what_clients_show() {
        let lists = json!({"document": {
            "os": {"musl": {"version": "1.1", "release": "r2", "type": "APKG", "size": 5, "license": "MIT BSD", "origin": "Jo"}},
            "npm": {"/a/package.json": {"name": "a", "versions": ["1"], "lics": [], "origins": []}},
            "files": {"/x": {"mode": 35309, "size": 1, "type": "file", "uid": 0, "gid": 0, "sha256": "DIRECTORY_OR_OTHER", "linkdst": null}},
            "malware": [{"scanner": "clamav"}],
        }});
        assert_eq!(
            items(&lists, "os"),
            [
                json!({"package": "musl", "version": "1.1-r2", "type": "APKG", "size": "5", "license": "MIT BSD",
                "licenses": ["MIT", "BSD"], "origin": "Jo"})
            ]
        );
        assert_eq!(items(&lists, "npm")[0]["licenses"], json!(["Unknown"]));
        assert_eq!(items(&lists, "files")[0]["mode"], "04755");
        assert_eq!(items(&lists, "files")[0]["sha256"], Json::Null);
        assert_eq!(items(&lists, "malware"), [json!({"scanner": "clamav"})]);
        assert_eq!(items(&lists, "gem"), [] as [Json; 0]);
        let kinds: Vec<_> = packages(&lists).into_iter().map(|one| (one.name, one.kind)).collect();
        assert_eq!(kinds, [("a".into(), "npm".into()), ("musl".into(), "APKG".into())]);
    }
}
