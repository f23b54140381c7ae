//! Hints in the legacy document: among the packages that the engine found
//! itself, under paths that are not in the image.

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};

use super::{Hint, HintKind};
use crate::Facts;

pub(super) fn state(hint: &Hint<'_>, out: &mut Facts) {
    let Hint { kind, name, .. } = *hint;
    let version = hint.version();
    if let HintKind::Apk | HintKind::Rpm = kind {
        let whole = whole_version(hint);
        out.legacy_package("pkgs.all", name, whole.as_str());
        if kind == HintKind::Apk {
            out.legacy_package("pkgs_plus_source.all", source(hint), whole.as_str());
            out.legacy_package("pkgs_plus_source.all", name, whole.as_str());
        }
    }
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
                "metadata": as_python_writes(&metadata(hint)),
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

/// With the release, which a hint may have by itself.
fn whole_version(hint: &Hint<'_>) -> String {
    match (hint.version(), hint.text("release")) {
        (version, Some(release)) if !version.contains('-') => format!("{version}-{release}"),
        (version, _) => version.to_owned(),
    }
}

fn source<'a>(hint: &Hint<'a>) -> &'a str {
    hint.text("source").unwrap_or(hint.name)
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
        "metadata": as_python_writes(&metadata(hint)),
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

/// JSON as Python's `json.dumps` writes it: a blank behind each colon and comma, and what is
/// not ASCII escaped.
fn as_python_writes(value: &Value) -> String {
    struct Python;
    impl Formatter for Python {
        fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
            out.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
            out.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
            out.write_all(b": ")
        }

        fn write_string_fragment<W: ?Sized + Write>(
            &mut self,
            out: &mut W,
            fragment: &str,
        ) -> Result<()> {
            for letter in fragment.chars() {
                match letter.is_ascii() {
                    true => out.write_all(&[letter as u8])?,
                    false => letter
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .try_for_each(|unit| write!(out, "\\u{unit:04x}"))?,
                }
            }
            Ok(())
        }
    }
    let mut text = Vec::new();
    let outcome = value.serialize(&mut Serializer::with_formatter(&mut text, Python));
    debug_assert!(outcome.is_ok(), "a value in memory");
    String::from_utf8(text).unwrap_or_default()
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
        let Some(Fact::Legacy(legacy)) = out.facts.last() else { panic!("a value") };
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
    fn packages_of_apk_and_rpm_are_in_the_lists_of_versions_too() {
        let listed = |kind, hint: Value| {
            let mut out = Facts::default();
            let Ok(hint) = Hint::new(kind, &hint) else { panic!("a complete hint") };
            state(&hint, &mut out);
            let lists = out.facts.iter().filter_map(|fact| match fact {
                Fact::Legacy(it) if it.output != "pkgs.allinfo" => {
                    Some(format!("{} {} {}", it.output, it.key, it.value.text()))
                }
                _ => None,
            });
            lists.collect::<Vec<_>>()
        };
        let rpm = json!({"name": "r", "version": "1.0", "release": "2.el7"});
        assert_eq!(listed(HintKind::Rpm, rpm), ["pkgs.all r 1.0-2.el7"]);
        assert_eq!(
            listed(HintKind::Apk, json!({"name": "a", "version": "1.0-r2", "source": "s"})),
            ["pkgs.all a 1.0-r2", "pkgs_plus_source.all s 1.0-r2", "pkgs_plus_source.all a 1.0-r2"]
        );
        assert!(listed(HintKind::Deb, json!({"name": "d", "version": "1"})).is_empty());
    }

    #[test]
    fn json_in_texts_is_as_python_writes_it() {
        let value = json!({"a": [1, "é\n\u{1f600}"], "b": {}});
        let expected = r#"{"a": [1, "\u00e9\n\ud83d\ude00"], "b": {}}"#;
        assert_eq!(as_python_writes(&value), expected);
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
                "metadata": r#"{"a": 1}"#, "name": "p", "origin": "", "type": "python", "version": "3",
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
