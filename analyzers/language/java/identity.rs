//! Which Maven packages an archive is and contains, from everything in it that tells. What a
//! pom or the place in a repository states comes before what manifest and file name suggest.

use std::collections::{BTreeSet, HashMap};

use bstr::BString;
use inscan_facts::package::{Certainty, Identity, Role};

use super::file_name::FileName;
use super::manifest::Manifest;
use super::pom::Pom;
use super::repository::Coordinates;
use super::{Archive, groups, repository};
use crate::{Evidence, Package};

/// The identity of an archive, with what says so.
struct Named {
    pom: Pom,
    /// `file-name`, `manifest`, `pom.properties`, `pom.xml`, `repository-path`.
    source: &'static str,
    identity: Identity,
}

/// Its own package first, then those merged into it.
pub(super) fn packages(archive: &Archive) -> Vec<Package> {
    let (stem, _) = archive.stem_and_extension();
    let file = FileName::new(&stem);
    let place = repository::coordinates(&archive.location);
    let mut poms = complete_poms(&archive.poms);
    let own = own_pom(&poms, archive, &file, place.as_ref());
    let own = own.map(|own| poms.remove(own));
    let named = match (own, place) {
        (Some(own), _) => Some(filled_pom(own, archive, &file)),
        (None, Some(place)) => Some(placed(place)),
        (None, None) if is_of_java_itself(archive.manifest.as_ref()) => None,
        (None, None) => named(archive, &file),
    };
    let mut found: Vec<Package> =
        named.into_iter().map(|named| own_package(archive, named)).collect();
    found.extend(poms.into_iter().map(|pom| package(archive, pom)));

    let mut seen = BTreeSet::new();
    found.retain(|it| {
        !it.name.is_empty()
            && seen.insert((it.namespace.clone(), it.name.clone(), it.version.clone()))
    });
    found
}

/// Whole properties, and the poms of those directories that have none. The licences of a
/// pom, or else of its parent in the same archive, belong to both.
fn complete_poms(poms: &[Pom]) -> Vec<Pom> {
    let (stated, described): (Vec<&Pom>, Vec<&Pom>) =
        poms.iter().partition(|pom| pom.properties.is_some());
    let mut complete: Vec<Pom> = Vec::new();
    // An archive may have some ten thousand.
    let mut places: HashMap<&BString, Vec<usize>> = HashMap::new();
    for pom in stated.into_iter().filter(|pom| pom.is_complete()) {
        places.entry(&pom.directory).or_default().push(complete.len());
        complete.push(pom.clone());
    }
    let mut by_name: HashMap<[&String; 3], &Pom> = HashMap::new();
    for pom in &described {
        by_name.entry([&pom.group, &pom.artifact, &pom.version]).or_insert(pom);
    }
    for pom in &described {
        let licences = licences(pom, &by_name);
        match places.get(&pom.directory) {
            Some(same) => {
                same.iter().for_each(|&it| complete[it].licences.clone_from(&licences));
            }
            None => {
                places.entry(&pom.directory).or_default().push(complete.len());
                complete.push(Pom { licences, ..(*pom).clone() });
            }
        }
    }
    complete
}

fn licences(pom: &Pom, others: &HashMap<[&String; 3], &Pom>) -> Vec<String> {
    let parent = pom.parent.as_ref().and_then(|parent| others.get(&parent.each_ref()));
    match parent {
        Some(parent) if pom.licences.is_empty() => parent.licences.clone(),
        _ => pom.licences.clone(),
    }
}

/// Which of the poms is the archive's own: the one that its place or its name says, else one
/// that the manifest agrees with, else the only one, unless something speaks against it.
fn own_pom(
    poms: &[Pom],
    archive: &Archive,
    file: &FileName<'_>,
    place: Option<&Coordinates>,
) -> Option<usize> {
    if let Some(place) = place.filter(|place| place.is_certain) {
        let is_there = |pom: &Pom| pom.group == place.group && pom.artifact == place.artifact;
        return poms.iter().position(is_there);
    }
    let manifest = archive.manifest.as_ref();
    let has_same_version = |pom: &Pom| {
        file.version.is_some_and(|it| it == pom.version || file.has_version(&pom.version))
            || manifest.is_some_and(|it| states_version(it, &pom.version))
    };
    let is_named =
        |pom: &Pom| {
            let rest = file.stem.strip_prefix(&*pom.artifact)?;
            let is_whole = rest.is_empty() || pom.artifact == file.artifact;
            (!pom.artifact.is_empty() && (is_whole || rest.starts_with(['-', '_', '.'])))
                .then_some((is_whole, has_same_version(pom), pom.artifact.len()))
        };
    let named = poms.iter().enumerate().filter_map(|(at, pom)| Some((is_named(pom)?, at)));
    if let Some(((true, ..) | (_, true, _), at)) = named.max() {
        return Some(at);
    }
    let agreed = |pom: &Pom| {
        manifest.is_some_and(|it| states_version(it, &pom.version) && speaks_of(it, pom))
    };
    let [only] = poms else { return poms.iter().position(agreed) };
    let is_contradicted = file.version.is_some_and(|it| it != only.version)
        || manifest.is_some_and(|it| states_another(it, only));
    (agreed(only) || !is_contradicted).then_some(0)
}

/// Whether a header of the manifest has this version. OSGi writes `1.3.0` for `1.3`, and
/// `1.0.0.SNAPSHOT` for `1.0-SNAPSHOT`.
fn states_version(manifest: &Manifest, version: &str) -> bool {
    VERSIONS.iter().filter_map(|name| manifest.get(name)).any(|it| same_version(it, version))
}

pub(super) fn same_version(a: &str, b: &str) -> bool {
    let parts = |text: &str| {
        let text = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        let is_number = |part: &&str| part.bytes().all(|it| it.is_ascii_digit());
        let parts: Vec<String> = text.split(['.', '-']).map(str::to_owned).collect();
        let numbers = parts.iter().map(String::as_str).take_while(is_number).count();
        let (numbers, rest) = parts.split_at(numbers);
        let zeros =
            numbers.iter().rev().take_while(|part| part.bytes().all(|it| it == b'0')).count();
        (numbers[..numbers.len() - zeros].to_vec(), rest.to_vec())
    };
    parts(a) == parts(b)
}

/// Whether the names in the manifest fit the pom, or there are none.
fn speaks_of(manifest: &Manifest, pom: &Pom) -> bool {
    let symbolic = SYMBOLIC_NAMES.iter().filter_map(|it| groups::symbolic_name(manifest, it));
    let mut names = TITLES.iter().filter_map(|it| manifest.get(it)).peekable();
    let mut symbolic = symbolic.peekable();
    let has_none = names.peek().is_none() && symbolic.peek().is_none();
    has_none
        || symbolic.any(|it| it.starts_with(&*pom.group))
        || words_are_in(&pom.artifact, &names.collect::<Vec<_>>().join(" "))
}

/// Whether the manifest has names and a version, and neither are the pom's.
fn states_another(manifest: &Manifest, pom: &Pom) -> bool {
    let has_version = VERSIONS.iter().any(|name| manifest.get(name).is_some());
    has_version && !states_version(manifest, &pom.version) && !speaks_of(manifest, pom)
}

/// The pom of the archive itself, and from elsewhere what it leaves open.
fn filled_pom(mut pom: Pom, archive: &Archive, file: &FileName<'_>) -> Named {
    let manifest = archive.manifest.as_ref();
    let mut identity = Identity::default();
    if pom.version.is_empty()
        && let Some((version, certainty)) = version(manifest, file)
    {
        (pom.version, identity.version) = (version, certainty);
    }
    if pom.group.is_empty() {
        let derived = groups::derive(&pom.artifact, &pom.version, manifest, &archive.classes);
        identity.namespace =
            derived.as_ref().map_or(Certainty::Unknown, |it| Certainty::derived(it.rule));
        pom.group = derived.map(|it| it.group).unwrap_or_default();
    }
    let source = if pom.properties.is_some() { "pom.properties" } else { "pom.xml" };
    Named { pom, source, identity }
}

/// By the place in a repository.
fn placed(place: Coordinates) -> Named {
    let Coordinates { group, artifact, version, is_certain } = place;
    let namespace =
        if is_certain { Certainty::Stated } else { Certainty::derived("repository-path") };
    let identity = Identity { namespace, ..Identity::default() };
    let pom = Pom { group, artifact, version, ..Pom::default() };
    Named { pom, source: "repository-path", identity }
}

/// By the manifest and the name of the file. An archive of classes without any version has
/// none: it may be everything.
fn named(archive: &Archive, file: &FileName<'_>) -> Option<Named> {
    let manifest = archive.manifest.as_ref();
    let may_be_anything = !archive.classes.is_empty() && archive.poms.is_empty();
    let unknown = may_be_anything.then(|| (String::new(), Certainty::Unknown));
    let (version, of_version) = version(manifest, file).or(unknown)?;
    let (mut artifact, mut of_name) = artifact(archive, file, &version);
    let mut namespace = Certainty::Unknown;
    let mut group = String::new();
    let stated = manifest.and_then(|it| it.get("Group-Id")).filter(|it| groups::is_group(it));
    if let Some(stated) = stated {
        (group, namespace) = (stated.to_owned(), Certainty::Stated);
    } else if let Some(derived) = groups::derive(&artifact, &version, manifest, &archive.classes) {
        (group, namespace) = (derived.group, Certainty::derived(derived.rule));
        if let Some(renamed) = derived.artifact {
            (artifact, of_name) = (renamed, Certainty::derived(derived.rule));
        }
    }
    let is_of_manifest = file.version.is_none() && !version.is_empty();
    let source = if is_of_manifest { "manifest" } else { "file-name" };
    let identity =
        Identity { name: of_name, namespace, version: of_version, ..Identity::default() };
    let pom = Pom { group, artifact, version, ..Pom::default() };
    Some(Named { pom, source, identity })
}

/// The class library of a Java runtime, which is no package of Maven.
fn is_of_java_itself(manifest: Option<&Manifest>) -> bool {
    let titles = [
        ("Implementation-Title", "Java Runtime Environment"),
        ("Specification-Title", "Java Platform API Specification"),
    ];
    titles.iter().any(|(name, title)| manifest.and_then(|it| it.get(name)) == Some(title))
}

fn own_package(archive: &Archive, named: Named) -> Package {
    let Named { pom, source, identity } = named;
    let mut package = package(archive, pom);
    package.identity = identity;
    let attributes = &mut package.attributes;
    attributes.insert("sha1".into(), archive.sha1.clone());
    attributes.insert(IDENTIFIED_BY.into(), source.into());
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
    // Of Spring Boot: such an archive is an application with its libraries inside.
    if manifest.get("Start-Class").is_some() {
        package.role = Some(Role::Application);
    }
    let vendor = manifest.get("Implementation-Vendor").or_else(|| manifest.get("Bundle-Vendor"));
    package.origin = vendor.map(Into::into);
    for licence in manifest.licences() {
        if !package.licenses.contains(&licence) {
            package.licenses.push(licence);
        }
    }
    package
}

fn package(archive: &Archive, pom: Pom) -> Package {
    let namespace = match pom.group.is_empty() {
        true => Certainty::Unknown,
        false => Certainty::Stated,
    };
    Package {
        kind: "maven".into(),
        name: pom.artifact,
        namespace: Some(pom.group).filter(|group| !group.is_empty()),
        version: pom.version,
        licenses: pom.licences,
        evidence: Evidence::Archive,
        location: archive.location.clone(),
        identity: Identity { namespace, ..Identity::default() },
        ..Package::default()
    }
}

/// The attribute that says what an archive of its own was known by.
pub(super) const IDENTIFIED_BY: &str = "identified-by";
const VERSIONS: [&str; 3] = ["Plugin-Version", "Implementation-Version", "Bundle-Version"];
const TITLES: [&str; 3] = ["Implementation-Title", "Specification-Title", "Bundle-Name"];
const SYMBOLIC_NAMES: [&str; 2] = ["Bundle-SymbolicName", "Automatic-Module-Name"];

/// The version that file and manifest agree on, else the file's, else the manifest's.
fn version(manifest: Option<&Manifest>, file: &FileName<'_>) -> Option<(String, Certainty)> {
    let get = |name: &&str| {
        // Jenkins adds who built it: `1.0-SNAPSHOT (private-…)`, and Kotlin the number of its build.
        let version = manifest?.get(name)?.split_whitespace().next()?;
        let (release, build) = version.split_once("-release-").unwrap_or((version, ""));
        Some(if build.bytes().all(|it| it.is_ascii_digit()) { release } else { version })
    };
    if let Some(named) = file.version_without_classifier() {
        let mut stated = VERSIONS.iter().filter_map(get);
        return Some(match stated.find(|it| same_version(it, named) || file.has_version(it)) {
            Some(version) if same_version(version, named) => (named.to_owned(), Certainty::Stated),
            Some(version) => (version.to_owned(), Certainty::Stated),
            None => (named.to_owned(), Certainty::derived("file-name")),
        });
    }
    let stated = VERSIONS.iter().chain(&["Specification-Version"]).find_map(get)?;
    Some((stated.to_owned(), Certainty::derived("manifest-version")))
}

/// The file's name without its version, if it has one, if a well-known artifact is called so
/// or if the manifest contains each of its words; else the title in the manifest.
fn artifact(archive: &Archive, file: &FileName<'_>, version: &str) -> (String, Certainty) {
    let of_file = || (file.artifact.to_owned(), Certainty::derived("file-name"));
    let get = |name: &&str| archive.manifest.as_ref().and_then(|it| it.get(name));
    if file.version.is_some() {
        return of_file();
    }
    if let Some(plugin) = get(&"Short-Name") {
        return (plugin.into(), Certainty::Stated);
    }
    let spoken = TITLES.iter().chain(&SYMBOLIC_NAMES).filter_map(get).collect::<Vec<_>>().join(" ");
    let is_spoken = words_are_in(file.artifact, &spoken)
        || groups::is_published(
            file.artifact,
            version,
            archive.manifest.as_ref(),
            &archive.classes,
        );
    if !file.has_placeholder && is_spoken {
        return of_file();
    }
    // Titles are often of a specification or of a kind: `JDBC`, `jar`. A bundle has a name of its own.
    let titles = TITLES.iter().filter_map(|name| Some((name, get(name)?)));
    let mut likely = titles.filter(|(name, title)| {
        let is_own = **name == "Bundle-Name" || title.contains('-') || file.has_placeholder;
        is_own && is_artifact(title)
    });
    match likely.next().map(|(_, title)| title) {
        Some(title) => (title.into(), Certainty::derived("manifest-title")),
        None => of_file(),
    }
}

fn words_are_in(name: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = name.split(|letter: char| !letter.is_alphanumeric());
    words.all(|word| text.contains(&word.to_lowercase()))
}

/// Titles are prose as often as names: Maven allows no blanks in an artifactId.
fn is_artifact(text: &str) -> bool {
    let is_allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, manifest: &str, expected: &[&str]) {
        let archive = Archive {
            location: name.into(),
            manifest: Some(Manifest::new(manifest.into())),
            ..Archive::default()
        };
        let named = |it: &Package| {
            format!("{}:{} {}", it.namespace.as_deref().unwrap_or_default(), it.name, it.version)
        };
        assert_eq!(packages(&archive).iter().map(named).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_manifest_names_what_the_file_name_does_not() {
        let manifest = "Implementation-Title: Commons Lang\nImplementation-Version: 2.6\n\
                        Implementation-Vendor-Id: org.apache\n";
        check("commons-lang.jar", manifest, &["commons-lang:commons-lang 2.6"]);
        check("other.jar", manifest, &["org.apache:other 2.6"]);
        let title = "Implementation-Title: acme-lang\nImplementation-Version: 2.6\n";
        check("other.jar", title, &[":acme-lang 2.6"]);
        let named = "Bundle-Name: guice\nSpecification-Title: DI\nBundle-Version: 4.2\n";
        check("other.jar", named, &[":guice 4.2"]);
        let bundle = "Bundle-SymbolicName: org.x.core;singleton:=true\nBundle-Version: 1.0.0\n";
        check("core-1.0.jar", bundle, &["org.x:core 1.0"]);
        let plugin = "Short-Name: git\nGroup-Id: org.x\nPlugin-Version: 4.1 (private)\n";
        check("renamed.hpi", plugin, &["org.x:git 4.1"]);
        let kotlin =
            "Implementation-Title: kotlin-stdlib\nImplementation-Version: 1.9.10-release-459\n";
        check("kotlin-stdlib.jar", kotlin, &["org.jetbrains.kotlin:kotlin-stdlib 1.9.10"]);
    }

    #[test]
    fn manifest_and_file_name_agree_on_a_version_without_classifier() {
        let version = |version| format!("Implementation-Version: {version}\n");
        check("a-4.1.Final-linux-x86_64.jar", &version("4.1.Final"), &[":a 4.1.Final"]);
        check("a-3.3.1-hadoop2.jar", &version("3.3.1"), &[":a 3.3.1"]);
        check("a-3.3.2.jar", &version("1.1.1"), &[":a 3.3.2"]);
        check("a-3.x.jar", &version("4.3.30.RELEASE"), &[":a 4.3.30.RELEASE"]);
        check("a-1.0-beta.jar", &version("1.0"), &[":a 1.0-beta"]);
    }

    #[track_caller]
    fn doubts(name: &str, manifest: &str, expected: &[(&str, Certainty)]) {
        let manifest = Some(Manifest::new(manifest.into()));
        let archive = Archive { location: name.into(), manifest, ..Archive::default() };
        let found = packages(&archive);
        let doubts: Vec<_> = found[0].identity.doubts().collect();
        let expected: Vec<_> = expected.iter().map(|(part, it)| (*part, it)).collect();
        assert_eq!(doubts, expected, "{name}");
    }

    #[test]
    fn what_no_pom_says_is_derived_and_said_to_be() {
        let name = ("name", Certainty::derived("file-name"));
        let known = ("namespace", Certainty::derived("known-artifact"));
        let version = ("version", Certainty::derived("file-name"));
        let title = "Implementation-Title: Core\n";
        doubts("spring-core-5.3.1.jar", title, &[name.clone(), known.clone(), version.clone()]);
        let stated = "Implementation-Title: Core\nImplementation-Version: 5.3.1\n";
        doubts("spring-core-5.3.1.jar", stated, &[name.clone(), known]);
        doubts("acme-1.0.jar", "", &[name, ("namespace", Certainty::Unknown), version]);
        let place = "repository/org/acme/acme/1.0/acme-1.0.jar";
        doubts(place, "", &[]);
        let guessed = ("namespace", Certainty::derived("repository-path"));
        doubts("opt/org/acme/acme/1.0/acme-1.0.jar", "", &[guessed]);
    }

    /// Of a jar with one pom, group, artifact and version: what is found.
    #[track_caller]
    fn check_pom(name: &str, manifest: &str, pom: [&str; 3], expected: &[&str]) {
        let [group, artifact, version] = pom.map(str::to_owned);
        let pom = Pom { group, artifact, version, properties: Some(vec![]), ..Pom::default() };
        let manifest = Some(Manifest::new(manifest.into()));
        let poms = vec![pom];
        let archive = Archive { location: name.into(), manifest, poms, ..Archive::default() };
        let named = packages(&archive);
        let named: Vec<_> = named.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(named, expected, "{name}");
    }

    #[test]
    fn the_only_pom_is_the_jars_own_unless_the_manifest_speaks_of_another() {
        let guice =
            "Bundle-Name: guice\nBundle-SymbolicName: com.acme.inject\nBundle-Version: 4.2.3\n";
        let cglib = ["cglib", "cglib", "3.2.12"];
        check_pom("guice.jar", guice, cglib, &["guice 4.2.3", "cglib 3.2.12"]);
        check_pom("guice.jar", "", cglib, &["cglib 3.2.12"]);
        let core = "Implementation-Title: Acme Core\nImplementation-Version: 3.8.7\n";
        let acme = ["org.acme", "acme-core", "3.8.7"];
        check_pom("acme3-core.jar", core, acme, &["acme-core 3.8.7"]);
        let spec = "Bundle-SymbolicName: org.acme.thing_1.3\nBundle-Version: 1.3.0\n";
        let renamed = ["org.acme", "thing_1.3_spec", "1.3"];
        check_pom("thing-1.3-spec.jar", spec, renamed, &["thing_1.3_spec 1.3"]);
        let client = "Bundle-SymbolicName: com.example.client\nBundle-Version: 2.5.0\n";
        let api = ["org.slf4j", "slf4j-api", "1.7.36"];
        check_pom("client-2.5.0.jar", client, api, &["client 2.5.0", "slf4j-api 1.7.36"]);
        check_pom(
            "guice-more-4.0.jar",
            "",
            ["g", "guice", "3.0"],
            &["guice-more 4.0", "guice 3.0"],
        );
    }

    #[test]
    fn properties_count_only_where_they_have_all_three_keys() {
        let partial = ["", "acme", "1.0"];
        check_pom("thing-2.0.jar", "", partial, &["thing 2.0"]);
    }

    #[test]
    fn licences_are_those_of_the_pom_or_of_its_parent() {
        let pom = |artifact: &str, more: &str| {
            let text = format!(
                "<project><groupId>g</groupId><artifactId>{artifact}</artifactId><version>1</version>{more}</project>"
            );
            let directory = format!("META-INF/maven/g/{artifact}");
            Pom::from_xml(directory.as_bytes(), text.as_bytes()).expect("well-formed")
        };
        let licence = "<licenses><license><name>MIT</name></license></licenses>";
        let parent =
            "<parent><groupId>g</groupId><artifactId>p</artifactId><version>1</version></parent>";
        let poms = vec![pom("a", parent), pom("p", licence)];
        let archive = Archive { location: "a-1.jar".into(), poms, ..Archive::default() };
        let found = packages(&archive);
        assert_eq!([&found[0].licenses[..], &found[1].licenses[..]], [["MIT"], ["MIT"]]);
    }

    #[test]
    fn the_class_library_of_java_is_no_package() {
        let title =
            "Implementation-Title: Java Runtime Environment\nImplementation-Version: 17.0.2\n";
        check("lib/jrt-fs.jar", title, &[]);
    }

    #[test]
    fn other_versions_that_the_manifest_states_are_kept() {
        let manifest = "Implementation-Version: 1.0.1\nSpecification-Version: 1.0\n";
        let archive = Archive {
            location: "nopom-1.0.jar".into(),
            manifest: Some(Manifest::new(manifest.into())),
            ..Archive::default()
        };
        let package = &packages(&archive)[0];
        assert_eq!(package.version, "1.0");
        assert_eq!(package.attributes["implementation-version"], "1.0.1");
        assert!(!package.attributes.contains_key("specification-version"));
    }

    #[test]
    fn an_archive_of_classes_without_a_version_is_there_all_the_same() {
        check("x.jar", "Implementation-Title: X\n", &[]);
        let mut classes = groups::Classes::default();
        classes.count(b"org/x/A.class");
        let archive = Archive { location: "x.jar".into(), classes, ..Archive::default() };
        let package = &packages(&archive)[0];
        assert_eq!((&*package.name, &*package.version), ("x", ""));
        assert_eq!(package.identity.version, Certainty::Unknown);
    }
}
