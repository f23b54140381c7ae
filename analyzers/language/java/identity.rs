//! Which Maven packages an archive is and contains, from everything in it that tells.

use std::collections::{BTreeSet, HashMap};

use super::Archive;
use super::manifest::Manifest;
use super::pom::Pom;
use crate::{Evidence, Package};

/// Its own package first, then those merged into it.
pub(super) fn packages(archive: &Archive) -> Vec<Package> {
    let (stem, _) = archive.stem_and_extension();
    let mut poms = complete_poms(&archive.poms);
    let mut found = Vec::new();

    match own_pom(&poms, &stem) {
        Some(own) => {
            let mut own = poms.remove(own);
            fill_from_elsewhere(&mut own, archive, &stem);
            let source = if own.properties.is_some() { "pom.properties" } else { "pom.xml" };
            found.push(own_package(archive, own, source));
        }
        None => found.extend(
            named_package(archive, &stem)
                // A jar under another name than its pom's.
                .filter(|named| !poms.iter().any(|pom| pom.version == named.version)),
        ),
    }
    found.extend(poms.into_iter().map(|pom| package(archive, pom)));

    let mut seen = BTreeSet::new();
    found.retain(|it| {
        let is_known = !it.name.is_empty() && !it.version.is_empty();
        is_known && seen.insert((it.namespace.clone(), it.name.clone(), it.version.clone()))
    });
    found
}

/// Properties, and the poms of those directories that have none.
fn complete_poms(poms: &[Pom]) -> Vec<Pom> {
    let mut complete: Vec<Pom> =
        poms.iter().filter(|pom| pom.properties.is_some()).cloned().collect();
    let mut by_directory = HashMap::new();
    for (at, pom) in complete.iter().enumerate() {
        by_directory.entry(pom.directory.clone()).or_insert(at);
    }
    for pom in poms.iter().filter(|pom| pom.properties.is_none()) {
        match by_directory.get(&pom.directory).and_then(|&at| complete.get_mut(at)) {
            Some(properties) => {
                for (field, other) in [
                    (&mut properties.group, &pom.group),
                    (&mut properties.artifact, &pom.artifact),
                    (&mut properties.version, &pom.version),
                ] {
                    if field.is_empty() {
                        field.clone_from(other);
                    }
                }
            }
            None => complete.push(pom.clone()),
        }
    }
    complete
}

/// The pom whose artifact the archive's name begins with, the longest of several; or the
/// only pom.
fn own_pom(poms: &[Pom], stem: &str) -> Option<usize> {
    let is_own = |pom: &Pom| {
        let rest = stem.strip_prefix(pom.artifact.as_str());
        !pom.artifact.is_empty()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
    };
    let named = poms.iter().enumerate().filter(|(_, pom)| is_own(pom));
    let longest = named.max_by_key(|(_, pom)| pom.artifact.len()).map(|(at, _)| at);
    let is_only = poms.len() == 1 && split_name(stem).is_none_or(|(_, it)| it == poms[0].version);
    longest.or_else(|| is_only.then_some(0))
}

fn fill_from_elsewhere(pom: &mut Pom, archive: &Archive, stem: &str) {
    if pom.version.is_empty() {
        pom.version = version(archive.manifest.as_ref(), stem).unwrap_or_default();
    }
    if pom.group.is_empty() {
        pom.group = archive.manifest.as_ref().and_then(group).unwrap_or_default();
    }
}

/// The package by the manifest and the name of the file.
fn named_package(archive: &Archive, stem: &str) -> Option<Package> {
    let manifest = archive.manifest.as_ref();
    let pom = Pom {
        group: manifest.and_then(group).unwrap_or_default(),
        artifact: artifact(manifest, stem),
        version: version(manifest, stem)?,
        ..Pom::default()
    };
    let source = if split_name(stem).is_some() { "file-name" } else { "manifest" };
    Some(own_package(archive, pom, source))
}

fn own_package(archive: &Archive, pom: Pom, source: &str) -> Package {
    let mut package = package(archive, pom);
    let attributes = &mut package.attributes;
    attributes.insert("sha1".into(), archive.sha1.clone());
    attributes.insert("identified-by".into(), source.into());
    let Some(manifest) = &archive.manifest else { return package };
    if let Some(class) = manifest.get("Main-Class") {
        attributes.insert("main-class".into(), class.into());
    }
    // Other tools take one of these for the version: what differs is stated too.
    for stated in ["Implementation-Version", "Specification-Version"] {
        if let Some(version) = manifest.get(stated).filter(|version| **version != package.version) {
            attributes.insert(stated.to_ascii_lowercase(), version.into());
        }
    }
    let vendor = manifest.get("Implementation-Vendor").or_else(|| manifest.get("Bundle-Vendor"));
    package.origin = vendor.map(Into::into);
    package.licenses.extend(manifest.get("Bundle-License").map(Into::into));
    package
}

fn package(archive: &Archive, pom: Pom) -> Package {
    Package {
        kind: "maven".into(),
        name: pom.artifact,
        namespace: Some(pom.group).filter(|group| !group.is_empty()),
        version: pom.version,
        evidence: Evidence::Archive,
        location: archive.location.clone(),
        ..Package::default()
    }
}

fn version(manifest: Option<&Manifest>, stem: &str) -> Option<String> {
    if let Some((_, version)) = split_name(stem) {
        return Some(version.into());
    }
    let names =
        ["Plugin-Version", "Implementation-Version", "Bundle-Version", "Specification-Version"];
    let stated = names.iter().find_map(|name| manifest?.get(name))?;
    // Jenkins adds who built it: `1.0-SNAPSHOT (private-…)`.
    stated.split_whitespace().next().map(Into::into)
}

/// `spring-core` and `5.1.3.RELEASE` of `spring-core-5.1.3.RELEASE`.
///
/// A part between hyphens that begins with a digit begins the version: the
/// last one with a dot in it (`log4j-1.2-api-2.19.0`) and the numbers before it
/// (`x-1.0-20200101.120000-1`); without any dot, the last one (`x-20040616`).
fn split_name(stem: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = stem.split('-').collect();
    let is_number = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    let with_dot = parts.iter().rposition(|part| is_number(part) && part.contains('.'));
    let mut begin = with_dot.or_else(|| parts.iter().rposition(|part| is_number(part)))?;
    while begin > 1 && parts.get(begin - 1).is_some_and(|part| is_number(part)) {
        begin -= 1;
    }
    let artifact_len = parts[..begin].iter().map(|part| part.len() + 1).sum::<usize>();
    let artifact = stem.get(..artifact_len.checked_sub(1)?)?;
    (!artifact.is_empty()).then(|| (artifact, &stem[artifact_len..]))
}

/// The file's name without its version, if it has one or if the manifest contains each of
/// its words; else the name in the manifest.
fn artifact(manifest: Option<&Manifest>, stem: &str) -> String {
    if let Some((artifact, _)) = split_name(stem) {
        return artifact.into();
    }
    let get = |name: &&str| manifest.and_then(|it| it.get(name));
    if let Some(plugin) = get(&"Short-Name") {
        return plugin.into();
    }
    let titles = ["Implementation-Title", "Specification-Title", "Bundle-Name"];
    let symbolic = ["Bundle-SymbolicName", "Automatic-Module-Name"];
    let spoken = titles.iter().chain(&symbolic).filter_map(get).collect::<Vec<_>>().join(" ");
    let spoken = spoken.to_lowercase();
    let mut words = stem.split(|letter: char| !letter.is_alphanumeric());
    if words.all(|word| spoken.contains(&word.to_lowercase())) {
        return stem.into();
    }
    titles.iter().find_map(get).unwrap_or(stem).into()
}

/// `org.springframework` of the symbolic name `org.springframework.core`.
fn group(manifest: &Manifest) -> Option<String> {
    let is_group = |text: &&str| !text.contains(|letter: char| letter.is_whitespace());
    let stated = ["Group-Id", "Implementation-Vendor-Id"].iter();
    if let Some(group) = stated.filter_map(|name| manifest.get(name)).find(is_group) {
        return Some(group.into());
    }
    let symbolic = manifest.get("Bundle-SymbolicName")?.split(';').next()?.trim();
    let (group, _) = symbolic.rsplit_once('.')?;
    is_group(&group).then(|| group.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, manifest: &str, expected: &[&str]) {
        let archive = Archive {
            location: name.into(),
            sha1: String::new(),
            manifest: Some(Manifest::new(manifest.into())),
            poms: Vec::new(),
        };
        let named = |it: &Package| {
            format!("{}:{} {}", it.namespace.as_deref().unwrap_or_default(), it.name, it.version)
        };
        assert_eq!(packages(&archive).iter().map(named).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_version_in_the_file_name_is_found() {
        for (stem, expected) in [
            ("spring-core-5.1.3.RELEASE", Some(("spring-core", "5.1.3.RELEASE"))),
            ("log4j-1.2-api-2.19.0", Some(("log4j-1.2-api", "2.19.0"))),
            ("guava-30.1-jre", Some(("guava", "30.1-jre"))),
            ("x-1.0-20200101.120000-1", Some(("x", "1.0-20200101.120000-1"))),
            ("x-1.0-beta-2", Some(("x", "1.0-beta-2"))),
            ("kafka_2.12-2.3.0", Some(("kafka_2.12", "2.3.0"))),
            ("x-20040616", Some(("x", "20040616"))),
            ("log4j-over-slf4j", None),
            ("2.0", None),
            ("-1.0", None),
            ("", None),
        ] {
            assert_eq!(split_name(stem), expected, "{stem}");
        }
    }

    #[test]
    fn the_manifest_names_what_the_file_name_does_not() {
        let manifest = "Implementation-Title: Commons Lang\nImplementation-Version: 2.6\n\
                        Implementation-Vendor-Id: org.apache\n";
        check("commons-lang.jar", manifest, &["org.apache:commons-lang 2.6"]);
        check("other.jar", manifest, &["org.apache:Commons Lang 2.6"]);
        let bundle = "Bundle-SymbolicName: org.x.core;singleton:=true\nBundle-Version: 1.0.0\n";
        check("core-1.0.jar", bundle, &["org.x:core 1.0"]);
        let plugin = "Short-Name: git\nGroup-Id: org.x\nPlugin-Version: 4.1 (private)\n";
        check("renamed.hpi", plugin, &["org.x:git 4.1"]);
    }

    #[test]
    fn other_versions_that_the_manifest_states_are_kept() {
        let manifest = "Implementation-Version: 1.0.1\nSpecification-Version: 1.0\n";
        let archive = Archive {
            location: "nopom-1.0.jar".into(),
            sha1: String::new(),
            manifest: Some(Manifest::new(manifest.into())),
            poms: Vec::new(),
        };
        let package = &packages(&archive)[0];
        assert_eq!(package.version, "1.0");
        assert_eq!(package.attributes["implementation-version"], "1.0.1");
        assert!(!package.attributes.contains_key("specification-version"));
    }

    #[test]
    fn nothing_is_named_without_a_version() {
        check("x.jar", "Implementation-Title: X\n", &[]);
        check("x.jar", "Implementation-Title: X\nImplementation-Version: ${version}\n", &[]);
    }
}
