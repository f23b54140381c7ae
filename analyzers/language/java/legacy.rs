//! `pkgs.java` of the legacy document: one entry for each archive, and one for
//! each `pom.properties` of something merged into it.

use std::collections::BTreeMap;

use bstr::BString;
use serde_json::{Map, Value, json};

use super::Archive;
use super::manifest::unfolded;
use crate::Facts;

/// The legacy engine knows these extensions only, in lower case.
const EXTENSIONS: &[&str] = &["jar", "war", "ear", "hpi", "jpi"];
const NONE: &str = "N/A";

pub(super) fn state(archive: &Archive, out: &mut Facts) {
    let (stem, extension) = archive.stem_and_extension();
    if !EXTENSIONS.contains(&extension.as_str()) {
        return;
    }
    let mut top = entry(archive, &extension, &stem);
    for properties in archive.poms.iter().filter_map(|pom| pom.properties.as_deref()) {
        let Ok(text) = std::str::from_utf8(properties) else { continue };
        let values = properties_of(text);
        let get = |key| values.get(key).copied().unwrap_or(NONE);
        let artifact = get("artifactId");
        let changes =
            [("name", artifact), ("maven-version", get("version")), ("origin", get("groupId"))];
        if stem.starts_with(artifact) {
            set(&mut top, &changes);
            top["metadata"]["pom.properties"] = text.into();
        } else {
            let mut merged = blank(&format!("/{}:{artifact}", archive.location), &extension);
            set(&mut merged, &changes);
            merged["metadata"]["pom.properties"] = text.into();
            let key = [b"/", archive.location.as_slice(), b":", artifact.as_bytes()].concat();
            out.legacy_package("pkgs.java", BString::from(key), Value::Object(merged));
        }
    }
    let key = [b"/", archive.location.as_slice()].concat();
    out.legacy_package("pkgs.java", BString::from(key), Value::Object(top));
}

fn entry(archive: &Archive, extension: &str, stem: &str) -> Map<String, Value> {
    let mut entry = blank(&format!("/{}", archive.location), extension);
    set(&mut entry, &[("name", stem)]);
    let Some(text) = archive.manifest.as_ref().and_then(|manifest| manifest.text()) else {
        return entry;
    };
    // Named sections overrule the main one.
    let lines: Vec<String> = unfolded(text).collect();
    let values: BTreeMap<&str, &str> = lines
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let get = |name| values.get(name).copied().filter(|value| !value.is_empty());
    let vendor = get("Specification-Vendor").or_else(|| get("Implementation-Vendor"));
    set(
        &mut entry,
        &[
            ("specification-version", get("Specification-Version").unwrap_or(NONE)),
            ("implementation-version", get("Implementation-Version").unwrap_or(NONE)),
            ("origin", vendor.unwrap_or(NONE)),
        ],
    );
    entry["metadata"]["MANIFEST.MF"] = text.into();
    entry
}

fn blank(location: &str, extension: &str) -> Map<String, Value> {
    let fields = json!({
        "metadata": {},
        "specification-version": NONE,
        "implementation-version": NONE,
        "maven-version": NONE,
        "origin": NONE,
        "location": location,
        "type": format!("java-{extension}"),
        "name": NONE,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn set(entry: &mut Map<String, Value>, values: &[(&str, &str)]) {
    for (key, value) in values {
        entry.insert((*key).into(), (*value).into());
    }
}

/// Only `key=value`, as the legacy engine reads it.
fn properties_of(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact;
    use crate::language::java::Java;
    use crate::testing::Image;
    use inscan_test_support::zip;

    #[test]
    fn a_named_section_overrules_and_foreign_properties_have_their_own_entry() {
        let file = zip(&[
            ("META-INF/MANIFEST.MF", b"Implementation-Version: 1\n\nImplementation-Version: 2\n"),
            ("a/pom.properties", b"artifactId=other\nversion=3\n"),
        ]);
        let found = Image::new([("opt/my.jar", file)]).run(&Java);
        let entries: BTreeMap<String, Value> = found
            .facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Legacy(legacy) => Some((legacy.key.to_string(), legacy.value.parsed())),
                _ => None,
            })
            .collect();
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["/opt/my.jar", "/opt/my.jar:other"]);
        assert_eq!(entries["/opt/my.jar"]["implementation-version"], "2");
        assert_eq!(entries["/opt/my.jar"]["name"], "my");
        let expected = json!({
            "metadata": {"pom.properties": "artifactId=other\nversion=3\n"},
            "specification-version": "N/A", "implementation-version": "N/A",
            "maven-version": "3", "origin": "N/A", "location": "/opt/my.jar:other",
            "type": "java-jar", "name": "other",
        });
        assert_eq!(entries["/opt/my.jar:other"], expected);
    }
}
