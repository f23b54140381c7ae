//! The packages of a legacy document: module `package_list` of its analysis
//! report. What the legacy engine threw away (layers, owners) is not there.

use std::collections::BTreeMap;

use inscan_facts::package::{Evidence, Package};
use inscan_facts::purl;
use serde_json::Value;

use super::section::{PackageRow, SourcePackage};

/// The outputs of languages in the order of the legacy engine, each with the type of its packages.
pub const LANGUAGES: [(&str, &str); 6] = [
    ("pkgs.npms", "npm"),
    ("pkgs.gems", "gem"),
    ("pkgs.python", "pypi"),
    ("pkgs.java", "maven"),
    ("pkgs.go", "golang"),
    ("pkgs.binary", "generic"),
];

/// Hands each value of an output to the function.
type Outputs<'a> = dyn Fn(&str, &mut dyn FnMut(&str, &Value)) + 'a;

pub(super) fn of(outputs: &Outputs<'_>) -> Vec<PackageRow> {
    let mut rows = Vec::new();
    outputs("pkgs.allinfo", &mut |name, value| rows.extend(of_system(name, value)));
    for (output, kind) in LANGUAGES {
        outputs(output, &mut |key, value| rows.extend(of_language(kind, key, value)));
    }
    rows
}

/// Values are JSON in a string; what is empty or a placeholder is not known.
fn parsed(value: &Value) -> Option<Value> {
    serde_json::from_str(value.as_str()?).ok()
}

fn text(info: &Value, key: &str) -> Option<String> {
    let text = info[key].as_str().filter(|text| !["", "N/A", "(none)"].contains(text));
    text.map(str::to_owned)
}

fn of_system(name: &str, value: &Value) -> Option<PackageRow> {
    let info = parsed(value)?;
    let version = text(&info, "version").unwrap_or_default();
    let kind = match info["type"].as_str()? {
        "dpkg" => "deb",
        "APKG" => "apk",
        other => other,
    };
    let version = match text(&info, "release") {
        Some(release) => format!("{version}-{release}"),
        None => version,
    };
    // `Somebody <a@b.example> (maintainer)`
    let origin = text(&info, "origin").map(|origin| {
        let end = [" (maintainer)", " (vendor)"].iter().find_map(|end| origin.strip_suffix(end));
        end.unwrap_or(&origin).to_owned()
    });
    let source = text(&info, "sourcepkg");
    Some(PackageRow {
        kind: kind.to_owned(),
        name: name.to_owned(),
        arch: text(&info, "arch"),
        source: source.map(|source| source_package(kind, &source, &version)),
        licences: text(&info, "license").into_iter().collect(),
        origin: origin.filter(|origin| !origin.is_empty()),
        size: text(&info, "size").and_then(|size| size.parse().ok()),
        analyzer: "legacy".to_owned(),
        version,
        ..PackageRow::default()
    })
}

/// Name and version in one text: `openssl-3.0.1-1` (dpkg), `bash-5.1-2.el9.src.rpm`.
fn source_package(kind: &str, text: &str, version: &str) -> SourcePackage {
    let named = |name: &str, version: Option<&str>| SourcePackage {
        name: name.to_owned(),
        version: version.map(str::to_owned),
    };
    match kind {
        "rpm" => {
            let stem = text.trim_end_matches(".rpm");
            let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
            let mut dashes = stem.rmatch_indices('-');
            match (dashes.next(), dashes.next()) {
                (Some(_), Some((at, _))) => named(&stem[..at], Some(&stem[at + 1..])),
                _ => named(stem, None),
            }
        }
        "deb" => {
            if let Some(name) = text.strip_suffix(version).and_then(|rest| rest.strip_suffix('-')) {
                return named(name, None);
            }
            // A version of its own begins with a digit. Of several places where it could begin,
            // the one whose rest the package's version begins with (a rebuild), else the first.
            let ends = text
                .match_indices('-')
                .filter(|(at, _)| text[at + 1..].starts_with(|char: char| char.is_ascii_digit()));
            let ends: Vec<usize> = ends.map(|(at, _)| at).collect();
            let rebuilt = ends.iter().find(|at| version.starts_with(&text[**at + 1..]));
            match rebuilt.or(ends.first()) {
                Some(at) => named(&text[..*at], Some(&text[at + 1..])),
                None => named(text, None),
            }
        }
        _ => named(text, None),
    }
}

fn of_language(kind: &'static str, key: &str, value: &Value) -> Vec<PackageRow> {
    let Some(info) = parsed(value) else { return Vec::new() };
    let mut versions: Vec<String> = match &info["versions"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let stated = ["maven-version", "implementation-version", "specification-version", "version"];
    if versions.is_empty() {
        versions.extend(stated.iter().find_map(|key| text(&info, key)));
    }
    let Some(name) = text(&info, "name") else { return Vec::new() };
    let (namespace, name) = match (kind, coordinates(&info)) {
        ("maven", Some((group, artifact))) => (Some(group), artifact),
        _ => (None, name),
    };
    let licences = match &info["lics"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => text(&info, "license").into_iter().collect(),
    };
    let attributes = if kind == "maven" { of_archive(&info) } else { BTreeMap::new() };
    let row = |version: String| {
        let package = Package {
            kind: kind.into(),
            namespace: namespace.clone(),
            name: name.clone(),
            version: version.clone(),
            ..Package::default()
        };
        PackageRow {
            kind: kind.to_owned(),
            namespace: namespace.clone(),
            name: name.clone(),
            version,
            purl: purl::written(&package, None),
            licences: Vec::clone(&licences),
            evidence: match kind {
                "golang" | "generic" => Evidence::Binary,
                _ => Evidence::InstalledPackage,
            },
            analyzer: "legacy".to_owned(),
            location: key.trim_start_matches('/').to_owned(),
            attributes: attributes.clone(),
            ..PackageRow::default()
        }
    };
    versions.into_iter().map(row).collect()
}

/// What a jar states of itself beside its name: some are called by it elsewhere.
fn of_archive(info: &Value) -> BTreeMap<String, String> {
    let keys = ["implementation-version", "specification-version", "maven-version"];
    let stated = keys.iter().filter_map(|key| Some(((*key).to_owned(), text(info, key)?)));
    let mut attributes: BTreeMap<String, String> = stated.collect();
    attributes.extend(exports(info).map(|name| ("exports".to_owned(), name)));
    attributes
}

/// What the names of all Java packages begin with that the manifest exports.
fn exports(info: &Value) -> Option<String> {
    let manifest = info["metadata"]["MANIFEST.MF"].as_str()?;
    // A line that begins with a blank goes on with the line before it.
    let manifest = manifest.replace("\r\n", "\n").replace("\n ", "");
    let value = manifest.lines().find_map(|line| line.strip_prefix("Export-Package:"))?;
    // `org.foo.bar;version="1.0,2",org.foo.baz`
    let mut quoted = false;
    let packages = value.split(move |char| {
        quoted ^= char == '"';
        char == ',' && !quoted
    });
    let mut names = packages.map(|package| package.split(';').next().unwrap_or_default().trim());
    let mut common: Vec<&str> = names.next()?.split('.').collect();
    for name in names {
        let same = common.iter().zip(name.split('.')).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    Some(common.join(".")).filter(|common| !common.is_empty())
}

/// Group and artifact of a jar, from the properties that Maven leaves in it.
fn coordinates(info: &Value) -> Option<(String, String)> {
    let properties = info["metadata"]["pom.properties"].as_str()?;
    let value = |key: &str| {
        let mut lines = properties.lines();
        let line = lines.find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().to_owned()).filter(|value| !value.is_empty())
    };
    Some((value("groupId")?, value("artifactId")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(output: &str, key: &str, value: Value, expected: &[&str]) {
        let value = Value::String(value.to_string());
        let rows = of(&|asked, each| {
            if asked == output {
                each(key, &value);
            }
        });
        let line = |row: &PackageRow| {
            let source = row.source.as_ref().map_or_else(String::new, |source| {
                format!(" {} {}", source.name, source.version.as_deref().unwrap_or("-"))
            });
            let name = match &row.namespace {
                Some(namespace) => format!("{namespace}:{}", row.name),
                None => row.name.clone(),
            };
            format!("{} {name} {}{source}", row.kind, row.version)
        };
        assert_eq!(rows.iter().map(line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_source_package_is_told_from_its_version() {
        let system = |kind: &str, version: &str, release: &str, source: &str| json!({"type": kind, "version": version, "release": release, "sourcepkg": source});
        let all = "pkgs.allinfo";
        let libc = system("dpkg", "2.36-9+deb12u4", "N/A", "glibc-2.36-9+deb12u4");
        check(all, "libc6", libc, &["deb libc6 2.36-9+deb12u4 glibc -"]);
        let gcc = system("dpkg", "12.2.0-14+b1", "N/A", "gcc-12-12.2.0-14");
        check(all, "libgcc-s1", gcc, &["deb libgcc-s1 12.2.0-14+b1 gcc-12 12.2.0-14"]);
        let other = system("dpkg", "4:12.2.0-3", "N/A", "gcc-defaults-1.203");
        check(all, "gcc", other, &["deb gcc 4:12.2.0-3 gcc-defaults 1.203"]);
        let bash = system("rpm", "4.4.19", "10.el8", "bash-4.4.19-10.el8.src.rpm");
        check(all, "bash-doc", bash, &["rpm bash-doc 4.4.19-10.el8 bash 4.4.19-10.el8"]);
        let musl = system("APKG", "1.2", "r3", "musl");
        check(all, "musl-utils", musl, &["apk musl-utils 1.2-r3 musl -"]);
    }

    #[test]
    fn languages_have_their_own_outputs() {
        let npm = json!({"name": "a", "versions": ["1.0.0", "2.0.0"], "lics": ["MIT"]});
        check("pkgs.npms", "/x/package.json", npm, &["npm a 1.0.0", "npm a 2.0.0"]);
        let python = json!({"name": "b", "version": "1.0", "license": "MIT"});
        check("pkgs.python", "/usr/lib/b", python, &["pypi b 1.0"]);
        let properties = "#Maven\nversion=3.2.1\ngroupId=org.inner\nartifactId=inner-lib\n";
        let java = json!({"name": "x", "maven-version": "3.2.1",
            "metadata": {"pom.properties": properties}});
        check("pkgs.java", "/a.jar", java, &["maven org.inner:inner-lib 3.2.1"]);
        let jar = json!({"name": "x", "maven-version": "N/A", "implementation-version": "1"});
        check("pkgs.java", "/a.jar", jar, &["maven x 1"]);
        check("pkgs.gems", "/g", json!({"name": "N/A"}), &[]);
    }

    #[test]
    fn what_a_manifest_exports_has_a_common_beginning() {
        let of = |manifest: &str| exports(&json!({"metadata": {"MANIFEST.MF": manifest}}));
        let exported =
            "Export-Package: org.foo.bar;uses:=\"a,b\",org.foo.b\r\n az;version=\"1\"\r\n";
        assert_eq!(of(exported).as_deref(), Some("org.foo"));
        assert_eq!(of("Export-Package: a.b,c.d\n"), None);
        assert_eq!(of("Manifest-Version: 1.0\n"), None);
    }
}
