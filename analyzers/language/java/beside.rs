//! Poms that lie beside jars, as in Maven's repositories: `x-1.0.pom` is of `x-1.0.jar`, and of
//! `x-1.0-CLASSIFIER.jar`. Debian's `usr/share/maven-repo` has both for each jar below
//! `usr/share/java`, the jar as a link, under its version and under others (`2.x`, `debian`).

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice};
use inscan_facts::package::{Certainty, Identity};

use super::identity::{IDENTIFIED_BY, same_version};
use super::is_archive;
use super::pom::Pom;
use crate::{Fact, Facts, Files, Package, path};

pub(super) const SUFFIX: &str = ".pom";
/// What such a pom says stands below what the jar itself states.
const SOURCE: &str = "pom";
const STATED: [&str; 2] = ["pom.properties", "pom.xml"];

/// States anew the archives of which a pom beside them says what they are.
pub(super) fn revise(image: &dyn Files, out: &mut Facts) {
    let mut directories: BTreeMap<BString, BTreeSet<BString>> = BTreeMap::new();
    for file in image.wanted() {
        if let Some(stem) = path::name(&file.path).strip_suffix(SUFFIX.as_bytes()) {
            let stems = directories.entry(path::parent(&file.path).into()).or_default();
            stems.insert(stem.into());
        }
    }
    // By the archive that a name leads to, which may be a link, the poms of all its names.
    let mut poms: BTreeMap<BString, BTreeSet<BString>> = BTreeMap::new();
    for (directory, stems) in &directories {
        for name in image.list(directory).iter().filter(|name| is_archive(name.as_bstr())) {
            let Some(stem) = stem_of_pom(name.as_bstr(), stems) else { continue };
            let Some(archive) = image.get(&path::join(directory, name)) else { continue };
            let pom = [path::join(directory, stem).as_slice(), SUFFIX.as_bytes()].concat();
            poms.entry(archive.path).or_default().insert(pom.into());
        }
    }
    for (archive, poms) in poms {
        let own = image.facts(&archive).iter().find_map(own_package);
        if let Some(package) = own.filter(|it| !STATED.contains(&source(it)))
            && let Some(revised) = revised(package, &poms, image, out)
        {
            out.push(Fact::Revised(Box::new((package.clone(), revised))));
        }
    }
}

/// The longest that the archive's name begins with, up to a classifier.
fn stem_of_pom<'a>(name: &'a BStr, stems: &BTreeSet<BString>) -> Option<&'a [u8]> {
    let (mut stem, _) = name.rsplit_once_str(".")?;
    while !stems.contains(stem.as_bstr()) {
        (stem, _) = stem.rsplit_once_str("-")?;
    }
    Some(stem)
}

fn own_package(fact: &Fact) -> Option<&Package> {
    fact.package().filter(|package| !source(package).is_empty())
}

fn source(package: &Package) -> &str {
    package.attributes.get(IDENTIFIED_BY).map_or("", String::as_str)
}

/// As the pom says that has the archive's version, or else the only coordinates that there are.
fn revised(
    package: &Package,
    poms: &BTreeSet<BString>,
    image: &dyn Files,
    out: &mut Facts,
) -> Option<Package> {
    let mut found: Vec<Pom> = Vec::new();
    for file in poms {
        let text = image.read(file).map(Option::unwrap_or_default);
        match text.and_then(|text| Pom::from_xml(path::parent(file), &text)) {
            Ok(pom) if !pom.group.is_empty() && !pom.artifact.is_empty() => found.push(pom),
            Ok(_) => {}
            Err(error) => out.problem_at(file.clone(), error),
        }
    }
    let has_version = |pom: &&Pom| same_version(&pom.version, &package.version);
    let [first, ..] = found.as_slice() else { return None };
    let is_agreed =
        found.iter().all(|it| (&it.group, &it.artifact) == (&first.group, &first.artifact));
    let pom = found.iter().find(has_version).or_else(|| {
        let exact = found.iter().find(|it| is_exact(&it.version));
        is_agreed.then(|| exact.unwrap_or(first))
    })?;
    let mut revised = package.clone();
    revised.attributes.insert(IDENTIFIED_BY.into(), SOURCE.into());
    revised.namespace = Some(pom.group.clone());
    revised.name.clone_from(&pom.artifact);
    let mut identity =
        Identity { version: package.identity.version.clone(), ..Identity::default() };
    if is_exact(&pom.version) {
        revised.version.clone_from(&pom.version);
        identity.version = Certainty::Stated;
    }
    revised.identity = identity;
    for licence in &pom.licences {
        if !revised.licenses.contains(licence) {
            revised.licenses.push(licence.clone());
        }
    }
    Some(revised)
}

/// Not `2.x`, `debian` or an unknown property.
fn is_exact(version: &str) -> bool {
    version.starts_with(|it: char| it.is_ascii_digit()) && !version.split('.').any(|it| it == "x")
}

#[cfg(test)]
mod tests {
    use super::super::Java;
    use crate::testing::Image;
    use inscan_test_support::zip;

    fn pom(group: &str, artifact: &str, version: &str) -> String {
        format!(
            "<project><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></project>"
        )
    }

    #[track_caller]
    fn check(image: Image, expected: &[&str]) {
        let found = image.run(&Java);
        let named = |fact: &crate::Fact| match fact {
            crate::Fact::Revised(both) => {
                let it = &both.1;
                let doubt = if it.identity.is_stated() { "" } else { " in doubt" };
                let group = it.namespace.as_deref().unwrap_or_default();
                Some(format!("{}: {group}:{} {}{doubt}", it.location, it.name, it.version))
            }
            _ => None,
        };
        assert_eq!(found.facts.iter().filter_map(named).collect::<Vec<_>>(), expected);
        assert_eq!(found.problems, []);
    }

    #[test]
    fn a_pom_beside_a_jar_says_what_it_is() {
        let jar = zip(&[("a/A.class", b"")]);
        let of_x = pom("org.x", "x", "1.0");
        let image = Image::new([
            ("opt/x-1.0.jar", jar.as_slice()),
            ("opt/x-1.0-linux-x86_64.jar", jar.as_slice()),
            ("opt/x-1.0.pom", of_x.as_bytes()),
            ("opt/y-1.0.jar", jar.as_slice()),
            ("srv/x-1.0.jar", jar.as_slice()),
        ]);
        let expected = ["opt/x-1.0-linux-x86_64.jar: org.x:x 1.0", "opt/x-1.0.jar: org.x:x 1.0"];
        check(image, &expected);
    }

    #[test]
    fn what_a_jar_states_itself_stands() {
        let own = b"groupId=org.y\nartifactId=y\nversion=1.0\n";
        let jar = zip(&[("META-INF/maven/org.y/y/pom.properties", own)]);
        let of_x = pom("org.x", "x", "1.0");
        check(Image::new([("x-1.0.jar", jar.as_slice()), ("x-1.0.pom", of_x.as_bytes())]), &[]);
    }

    #[test]
    fn debians_repository_names_its_jars() {
        let jar = zip(&[("a/A.class", b"")]);
        let titled = zip(&[("META-INF/MANIFEST.MF", b"Implementation-Version: 4.1\n")]);
        let files = [
            ("usr/share/java/tomcat10-el-10.1.60.jar", jar),
            ("usr/share/java/spring3-core-3.x.jar", titled),
        ];
        let poms = ["debian", "10.1.60", "10.x"].map(|version| {
            let place = format!("usr/share/maven-repo/org/x/el/{version}/el-{version}");
            (format!("{place}.pom"), pom("org.x", "el", version).into_bytes())
        });
        let of_spring = "usr/share/maven-repo/org/s/core/3.x/core-3.x";
        let more = (format!("{of_spring}.pom"), pom("org.s", "core", "3.x").into_bytes());
        let files = files.into_iter().map(|(name, content)| (name.to_owned(), content));
        let mut image = Image::new(files.chain(poms).chain([more]));
        for version in ["debian", "10.1.60", "10.x"] {
            let link = format!("usr/share/maven-repo/org/x/el/{version}/el-{version}.jar");
            image = image.symlink(&link, "/usr/share/java/tomcat10-el-10.1.60.jar");
        }
        let image =
            image.symlink(&format!("{of_spring}.jar"), "/usr/share/java/spring3-core-3.x.jar");
        let expected = [
            "usr/share/java/spring3-core-3.x.jar: org.s:core 4.1 in doubt",
            "usr/share/java/tomcat10-el-10.1.60.jar: org.x:el 10.1.60",
        ];
        check(image, &expected);
    }
}
