//! Hints in the legacy document: among the packages that the engine found
//! itself, under paths that are not in the image.

use serde_json::{Value, json};

use super::{Hint, HintKind};
use crate::Facts;

pub(super) fn state(hint: &Hint<'_>, out: &mut Facts) {
    let Hint { kind, name, .. } = *hint;
    let version = hint.version();
    let (output, key, value) = match kind {
        HintKind::Apk | HintKind::Deb | HintKind::Rpm => {
            ("pkgs.allinfo", name.to_owned(), os_package(hint))
        }
        HintKind::Binary => {
            let location = location(hint, &format!("/virtual/binarypkg/{name}-{version}"));
            let value = with_metadata(hint, "binary", &location);
            ("pkgs.binary", location, value)
        }
        HintKind::Gem => {
            let location = location(hint, &format!("/virtual/gempkg/{name}-{version}"));
            ("pkgs.gems", location, of_many_versions(hint))
        }
        HintKind::Npm => {
            let location = location(hint, &format!("/virtual/npmpkg/{name}-{version}"));
            ("pkgs.npms", location, of_many_versions(hint))
        }
        HintKind::Go => {
            let location = location(hint, &format!("/virtual/gopkg/{name}-{version}"));
            let value = json!({
                "arch": hint.text("arch").unwrap_or("x86_64"),
                "license": license(hint),
                "location": location,
                "metadata": metadata(hint).to_string(),
                "name": name,
                "origin": origin(hint),
                "size": size(hint),
                "sourcepkg": hint.text("source").unwrap_or(name),
                "type": "go",
                "version": version,
            });
            ("pkgs.go", location, value)
        }
        HintKind::Java => {
            let location = location(hint, &format!("/virtual/javapkg/{name}-{version}.jar"));
            let value = json!({
                "implementation-version": version,
                "location": location,
                "maven-version": version,
                "metadata": metadata(hint),
                "name": name,
                "origin": origin(hint),
                "specification-version": version,
                "type": "java-jar",
            });
            ("pkgs.java", location, value)
        }
        HintKind::Python => {
            let location = location(hint, "/virtual/pypkg/site-packages");
            let value = with_metadata(hint, "python", &location);
            ("pkgs.python", format!("{location}/{name}-{version}"), value)
        }
    };
    out.legacy_package(output, key, value);
}

fn os_package(hint: &Hint<'_>) -> Value {
    let name = hint.name;
    let whole = hint.version();
    let (version, release) = whole.rsplit_once('-').unwrap_or((whole, "N/A"));
    let arch = hint.text("arch");
    let mut value = json!({
        "license": license(hint),
        "origin": origin(hint),
        "release": hint.text("release").unwrap_or(release),
        "size": size(hint),
        "version": version,
    });
    let more = match hint.kind {
        HintKind::Deb => json!({
            "arch": arch.unwrap_or("amd64"),
            "release": "N/A",
            "sourcepkg": hint.text("source").map_or_else(|| format!("{name}-{whole}"), str::to_owned),
            "type": "dpkg",
            "version": whole,
        }),
        HintKind::Rpm => json!({
            "arch": arch.filter(|arch| *arch != "amd64").unwrap_or("x86_64"),
            "sourcepkg": format!("{}-{whole}.src.rpm", hint.text("source").unwrap_or(name)),
            "type": "rpm",
        }),
        _ => json!({
            "arch": arch.unwrap_or("x86_64"),
            "files": hint.files,
            "name": name,
            "sourcepkg": hint.text("source").unwrap_or(name),
            "type": "APKG",
        }),
    };
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

/// `metadata` is JSON inside a string here.
fn with_metadata(hint: &Hint<'_>, kind: &str, location: &str) -> Value {
    json!({
        "files": hint.files,
        "license": license(hint),
        "location": location,
        "metadata": metadata(hint).to_string(),
        "name": hint.name,
        "origin": origin(hint),
        "type": kind,
        "version": hint.version(),
    })
}

fn of_many_versions(hint: &Hint<'_>) -> Value {
    json!({
        "files": hint.files,
        "latest": hint.version(),
        "lics": hint.licenses,
        "name": hint.name,
        "origins": hint.origins,
        "sourcepkg": hint.text("source").unwrap_or(hint.name),
        "type": hint.kind.word(),
        "versions": hint.versions,
    })
}

fn location(hint: &Hint<'_>, otherwise: &str) -> String {
    hint.text("location").unwrap_or(otherwise).to_owned()
}

fn license<'a>(hint: &Hint<'a>) -> &'a str {
    hint.licenses.first().copied().unwrap_or_default()
}

fn origin<'a>(hint: &Hint<'a>) -> &'a str {
    hint.origins.first().copied().unwrap_or_default()
}

fn metadata(hint: &Hint<'_>) -> Value {
    hint.members.get("metadata").cloned().unwrap_or_else(|| json!({}))
}

/// The value as text, whether the hint has a number or a text.
fn size(hint: &Hint<'_>) -> String {
    match hint.members.get("size") {
        Some(Value::Number(size)) => size.to_string(),
        _ => hint.text("size").unwrap_or("0").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact;

    #[track_caller]
    fn check(kind: HintKind, hint: Value, output: &str, key: &str, expected: Value) {
        let mut out = Facts::default();
        let Ok(hint) = Hint::new(kind, &hint) else { panic!("a complete hint") };
        state(&hint, &mut out);
        let [Fact::Legacy(legacy)] = &out.facts[..] else { panic!("one value") };
        assert_eq!((&*legacy.output, legacy.key.to_string()), (output, key.to_owned()));
        assert_eq!(legacy.value.parsed(), expected);
    }

    #[test]
    fn os_packages_are_told_as_their_manager_tells_them() {
        check(
            HintKind::Deb,
            json!({"name": "d", "version": "1:2-3", "size": 5}),
            "pkgs.allinfo",
            "d",
            json!({
                "arch": "amd64", "license": "", "origin": "", "release": "N/A", "size": "5",
                "sourcepkg": "d-1:2-3", "type": "dpkg", "version": "1:2-3",
            }),
        );
        check(
            HintKind::Rpm,
            json!({"name": "r", "version": "1.0-2.el7", "arch": "amd64", "license": "MIT"}),
            "pkgs.allinfo",
            "r",
            json!({
                "arch": "x86_64", "license": "MIT", "origin": "", "release": "2.el7", "size": "0",
                "sourcepkg": "r-1.0-2.el7.src.rpm", "type": "rpm", "version": "1.0",
            }),
        );
    }

    #[test]
    fn others_have_a_place_that_is_not_in_the_image() {
        check(
            HintKind::Python,
            json!({"name": "p", "version": "3", "metadata": {"a": 1}}),
            "pkgs.python",
            "/virtual/pypkg/site-packages/p-3",
            json!({
                "files": [], "license": "", "location": "/virtual/pypkg/site-packages",
                "metadata": r#"{"a":1}"#, "name": "p", "origin": "", "type": "python", "version": "3",
            }),
        );
        check(
            HintKind::Npm,
            json!({"name": "n", "versions": ["1", "2"], "location": "/x/y"}),
            "pkgs.npms",
            "/x/y",
            json!({
                "files": [], "latest": "1", "lics": [], "name": "n", "origins": [],
                "sourcepkg": "n", "type": "npm", "versions": ["1", "2"],
            }),
        );
    }
}
