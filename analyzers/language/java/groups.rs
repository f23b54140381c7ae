//! Which Maven group an artifact has whose jar does not state it: by the projects that
//! publish such jars (`groups.txt`), by the manifest, by the names of the packages inside.
//! Whatever these say is derived, and marked so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::manifest::Manifest;

/// A group, and the rule that it follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Derived {
    pub(super) group: String,
    /// Where it is another than the file's name says: Tomcat's `catalina.jar`.
    pub(super) artifact: Option<String>,
    pub(super) rule: &'static str,
}

/// How many classes each directory of a jar has, four parts deep.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes(BTreeMap<String, usize>);

struct Line {
    artifact: &'static str,
    group: &'static str,
    renamed: Option<&'static str>,
    directories: Vec<&'static str>,
    below: Option<&'static str>,
}

static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| lines(include_str!("groups.txt")));
static GROUPS: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| LINES.iter().map(|line| line.group).filter(|it| it.contains('.')).collect());

fn lines(text: &'static str) -> Vec<Line> {
    let line = |text: &'static str| {
        let mut words = text.split_whitespace();
        let artifact = words.next().filter(|it| !it.starts_with('#'))?;
        let coordinates = words.next()?;
        let (group, renamed) = match coordinates.split_once(':') {
            Some((group, artifact)) => (group, Some(artifact)),
            None => (coordinates, None),
        };
        let directories = words.next()?.split(',').collect();
        let below = words.next().and_then(|it| it.strip_prefix('<'));
        Some(Line { artifact, group, renamed, directories, below })
    };
    text.lines().filter_map(line).collect()
}

/// The group of an artifact; `None` where nothing tells it.
pub(super) fn derive(
    artifact: &str,
    version: &str,
    manifest: Option<&Manifest>,
    classes: &Classes,
) -> Option<Derived> {
    let found = |rule| move |group| Derived { group, artifact: None, rule };
    published(artifact, version, manifest, classes)
        .or_else(|| in_title(manifest?).map(found("manifest-title")))
        .or_else(|| in_symbolic_name(manifest?, artifact).map(found("manifest-symbolic-name")))
        .or_else(|| in_vendor_id(manifest?, artifact).map(found("manifest-vendor-id")))
        .or_else(|| classes.group(artifact).map(found("package-names-inside")))
}

/// Whether a well-known project publishes an artifact of this name and with such classes.
pub(super) fn is_published(
    artifact: &str,
    version: &str,
    manifest: Option<&Manifest>,
    classes: &Classes,
) -> bool {
    published(artifact, version, manifest, classes).is_some()
}

/// By the table of projects whose jars do not say it.
fn published(
    artifact: &str,
    version: &str,
    manifest: Option<&Manifest>,
    classes: &Classes,
) -> Option<Derived> {
    let name = without_scala(artifact);
    // Spring Boot's starters have no classes, but a manifest that says what they are.
    let is_described = manifest.is_some_and(|it| it.get("Implementation-Title").is_some());
    let may_lack_classes = classes.is_empty() && is_described;
    let line = LINES.iter().find(|line| {
        let is_named = match line.artifact.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == line.artifact,
        };
        is_named
            && line.below.is_none_or(|bound| is_below(version, bound))
            && (may_lack_classes || classes.are_below(&line.directories))
    })?;
    let artifact = line.renamed.map(str::to_owned);
    Some(Derived { group: line.group.to_owned(), artifact, rule: "known-artifact" })
}

/// `kafka` of `kafka_2.13`.
fn without_scala(artifact: &str) -> &str {
    match artifact.rsplit_once('_') {
        Some((name, series))
            if series.starts_with(['2', '3'])
                && series.bytes().all(|it| it.is_ascii_digit() || it == b'.') =>
        {
            name
        }
        _ => artifact,
    }
}

/// Compares the numbers that both begin with.
fn is_below(version: &str, bound: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(['.', '-'])
            .map(|part| part.parse().ok())
            .take_while(Option::is_some)
            .flatten()
            .collect()
    };
    let (version, bound) = (numbers(version), numbers(bound));
    version
        .iter()
        .zip(&bound)
        .map(|(a, b)| a.cmp(b))
        .find(|it| it.is_ne())
        .is_some_and(|it| it.is_lt())
}

/// Gradle's plugin of Netflix writes `Implementation-Title: io.micrometer#micrometer-core;1.9.0`.
fn in_title(manifest: &Manifest) -> Option<String> {
    let title = manifest.get("Implementation-Title")?;
    let (group, rest) = title.split_once('#')?;
    (rest.contains(';') && is_group(group)).then(|| group.to_owned())
}

/// Maven and sbt write the group; others write what they like.
fn in_vendor_id(manifest: &Manifest, artifact: &str) -> Option<String> {
    let vendor = manifest.get("Implementation-Vendor-Id")?;
    let is_likely = is_group(vendor) && (vendor.contains('.') || vendor == artifact);
    is_likely.then(|| vendor.to_owned())
}

/// The symbolic names that OSGi's tools make of coordinates: the group and the artifact, without
/// the parts at its beginning with which the group ends: `org.mongodb.driver-core` of
/// `org.mongodb:mongodb-driver-core`, `org.x.core` of `org.x:core`, and the group alone of `org.x:x`.
/// <https://felix.apache.org/documentation/subprojects/apache-felix-maven-bundle-plugin-bnd.html>
fn in_symbolic_name(manifest: &Manifest, artifact: &str) -> Option<String> {
    let artifact = without_scala(artifact);
    let name = symbolic_name(manifest, "Bundle-SymbolicName")?;
    let before = name.strip_suffix(artifact).and_then(|group| group.strip_suffix('.'));
    let before = before.filter(|group| !SHARED_ROOTS.contains(&&*group.replace('.', "/")));
    let joined = name.match_indices('.').rev().find_map(|(at, _)| {
        let (group, rest) = (name.get(..at)?, name.get(at + 1..)?);
        let last = group.rsplit('.').next()?;
        let tail = artifact.strip_prefix(last)?.strip_prefix(['-', '.'])?;
        (tail == rest).then_some(group)
    });
    let whole = (name.rsplit('.').next() == Some(artifact)).then_some(name);
    let mut groups = [before, joined, whole].into_iter().flatten();
    groups.find(|group| is_group(group) && group.contains('.')).map(str::to_owned)
}

/// Without its parameters, and without Scala's series.
pub(super) fn symbolic_name<'a>(manifest: &'a Manifest, header: &str) -> Option<&'a str> {
    let name = manifest.get(header)?.split(';').next()?.trim();
    Some(without_scala(name)).filter(|name| !name.is_empty())
}

/// Whether a text can be a group: <https://maven.apache.org/guides/mini/guide-naming-conventions.html>.
pub(super) fn is_group(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|part| {
            part.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
                && part.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
        })
}

/// Roots below which everybody has a place.
const SHARED_ROOTS: &[&str] = &[
    "ch/qos",
    "co/elastic",
    "com/alibaba",
    "com/amazonaws",
    "com/azure",
    "com/facebook",
    "com/github",
    "com/google",
    "com/intellij",
    "com/linkedin",
    "com/microsoft",
    "com/netflix",
    "com/oracle",
    "com/twitter",
    "com/yahoo",
    "dev/zio",
    "io/github",
    "net/java",
    "net/sourceforge",
    "org/apache",
    "org/codehaus",
    "org/eclipse",
    "org/jboss",
];

impl Classes {
    /// Counts a member of a jar, if it is a class.
    pub(super) fn count(&mut self, member: &[u8]) {
        let Some(name) = std::str::from_utf8(member).ok().and_then(|it| it.strip_suffix(".class"))
        else {
            return;
        };
        let name = ["BOOT-INF/classes/", "WEB-INF/classes/"]
            .iter()
            .find_map(|place| name.strip_prefix(place))
            .unwrap_or(name);
        let Some((directory, _)) = name.rsplit_once('/') else { return };
        if directory.starts_with("META-INF") {
            return;
        }
        let end = directory.match_indices('/').nth(3).map_or(directory.len(), |(at, _)| at);
        let directory = &directory[..end];
        match self.0.get_mut(directory) {
            Some(count) => *count += 1,
            None => _ = self.0.insert(directory.to_owned(), 1),
        }
    }

    /// Whether there is no class at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn below(&self, root: &str) -> usize {
        let is_below = |directory: &str| {
            directory
                .strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.iter().filter(|(directory, _)| is_below(directory)).map(|(_, count)| count).sum()
    }

    fn are_below(&self, roots: &[&str]) -> bool {
        roots.iter().any(|root| self.below(root) > 0)
    }

    /// The group that most of the classes speak for: `org.acme`, and `org.acme.thing` for what
    /// an artifact `thing-core` has below `org/acme/thing`.
    fn group(&self, artifact: &str) -> Option<String> {
        let start = |directory: &str, parts: usize| {
            let end = directory.match_indices('/').nth(parts - 1).map(|(at, _)| at);
            end.map_or(directory, |at| &directory[..at]).to_owned()
        };
        let mut roots: BTreeMap<String, usize> = BTreeMap::new();
        for (directory, count) in &self.0 {
            let root = start(directory, 2);
            let parts = if SHARED_ROOTS.contains(&&*root) { 3 } else { 2 };
            *roots.entry(start(directory, parts)).or_default() += count;
        }
        let all: usize = self.0.values().sum();
        let (root, count) = roots.iter().max_by_key(|(_, count)| **count)?;
        // A longer group that projects publish under, where all of these classes are below it.
        let known = GROUPS.iter().filter(|group| {
            let directory = group.replace('.', "/");
            directory.starts_with(root.as_str()) && self.below(&directory) == *count
        });
        let longest = known.max_by_key(|group| group.len()).map(|group| (*group).to_owned());
        let of_artifact = artifact
            .split_once('-')
            .map(|(first, _)| format!("{root}/{first}"))
            .filter(|directory| 10 * self.below(directory) >= 9 * count);
        let group = longest
            .unwrap_or_else(|| of_artifact.unwrap_or_else(|| root.clone()).replace('/', "."));
        (2 * count > all && group.contains('.') && is_group(&group)).then_some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an artifact, a version, headers of the manifest and classes.
    #[track_caller]
    fn check(name: [&str; 2], manifest: &str, members: &[&str], expected: Option<[&str; 2]>) {
        let mut classes = Classes::default();
        members.iter().for_each(|member| classes.count(format!("{member}/A.class").as_bytes()));
        let manifest = Manifest::new(manifest.into());
        let found = derive(name[0], name[1], Some(&manifest), &classes);
        assert_eq!(found.as_ref().map(|it| [&*it.group, it.rule]), expected, "{name:?}");
    }

    #[test]
    fn well_known_jars_are_known_by_name_and_classes() {
        let known = |group| Some([group, "known-artifact"]);
        let beans = ["spring-beans", "5.3.17"];
        check(beans, "", &["org/springframework/beans"], known("org.springframework"));
        let starter = ["spring-boot-starter", "3.2.0"];
        let title = "Implementation-Title: Core starter\n";
        check(starter, title, &[], known("org.springframework.boot"));
        check(starter, "", &[], None);
        check(["hibernate-core", "5.4.1"], "", &["org/hibernate/a"], known("org.hibernate"));
        check(["hibernate-core", "6.2.7"], "", &["org/hibernate/a"], known("org.hibernate.orm"));
        check(["okhttp", "2.7.5"], "", &["com/squareup/okhttp"], known("com.squareup.okhttp"));
        check(["okhttp", "4.9.1"], "", &["okhttp3"], known("com.squareup.okhttp3"));
        check(["kafka_2.13", "2.8.0"], "", &["kafka/log"], known("org.apache.kafka"));
        check(beans, "", &["com/acme/beans"], Some(["com.acme", "package-names-inside"]));
    }

    #[test]
    fn a_manifest_tells_the_group_in_several_ways() {
        let title = "Implementation-Title: com.acme#thing;1.9.0\n";
        check(["thing", "1"], title, &["x/y"], Some(["com.acme", "manifest-title"]));
        let vendor = "Implementation-Vendor-Id: com.acme.things\n";
        check(["thing", "1"], vendor, &[], Some(["com.acme.things", "manifest-vendor-id"]));
        check(["thing", "1"], "Implementation-Vendor-Id: Acme Inc.\n", &[], None);
        for (artifact, symbolic, group) in [
            ("driver-core", "org.acme.driver-core", Some("org.acme")),
            ("acme-driver-core", "org.acme.driver-core;singleton:=true", Some("org.acme")),
            ("acme-actor_2.12", "com.typesafe.acme.actor", Some("com.typesafe.acme")),
            ("acme", "org.acme", Some("org.acme")),
            ("acme", "org.apache.acme", Some("org.apache.acme")),
            ("mate", "com.acme.mate", Some("com.acme")),
            ("thing", "org.acme.other", None),
        ] {
            let manifest = format!("Bundle-SymbolicName: {symbolic}\n");
            let expected = group.map(|group| [group, "manifest-symbolic-name"]);
            check([artifact, "1"], &manifest, &[], expected);
        }
    }

    #[test]
    fn most_of_the_classes_tell_the_group() {
        let inside = |group| Some([group, "package-names-inside"]);
        check(["a", "1"], "", &["org/acme/a", "org/acme/b", "shaded/x"], inside("org.acme"));
        check(["a", "1"], "", &["org/apache/a/b", "org/apache/a/c"], inside("org.apache.a"));
        let security = ["org/springframework/security/core", "org/springframework/security/web"];
        check(["a", "1"], "", &security, inside("org.springframework.security"));
        check(["thing-core", "1"], "", &["org/acme/thing/a"], inside("org.acme.thing"));
        check(["thing", "1"], "", &["org/acme/thing/a"], inside("org.acme"));
        check(["a", "1"], "", &["org/acme/a", "net/other/b"], None);
        check(["a", "1"], "", &["acme"], None);
        check(["a", "1"], "", &[], None);
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let text = include_str!("groups.txt");
        let is_line = |line: &&str| !line.is_empty() && !line.starts_with('#');
        assert_eq!(LINES.len(), text.lines().filter(is_line).count());
        assert!(LINES.iter().all(|line| is_group(line.group)));
    }
}
