//! Java archives: what a jar (war, ear, Jenkins or Spring Boot archive …) is,
//! what is shaded into it, and the same for every archive inside it.
//!
//! A jar is a zip file. Maven leaves `META-INF/maven/GROUP/ARTIFACT/pom.properties`
//! in it for the jar itself and for all that was merged into it; others are
//! known by `META-INF/MANIFEST.MF`, by the name of the file and by a pom beside it.
//! <https://docs.oracle.com/javase/8/docs/technotes/guides/jar/jar.html>

mod beside;
mod file_name;
mod groups;
mod identity;
mod legacy;
mod manifest;
mod pom;
mod repository;
mod sbom;

use std::collections::HashSet;
use std::io::Read;

use bstr::{BStr, BString, ByteSlice};
use inscan_facts::digest::hex;
use sha1::{Digest, Sha1};

use crate::parse::legacy_files;
use crate::problem::OVER_LIMIT;
use crate::{
    Analyzer, Content, Error, Facts, FileHead, Files, Package, Pattern, Result, Want, path,
};
use groups::Classes;
use inscan_facts::window::stream;
use inscan_zip::{Data, Member, Zip};
use manifest::Manifest;
use pom::Pom;

/// `.par`, `.sar`: JBoss; `.hpi`, `.jpi`: Jenkins; `.kar`: Karaf; `.lpkg`: Liferay; `.nar`: NiFi.
const EXTENSIONS: &[&str] =
    &["jar", "war", "ear", "hpi", "jpi", "par", "sar", "kar", "lpkg", "nar"];

const MAX_ARCHIVE: u64 = 4 << 30;
/// An ear holds wars, these hold jars, and some of these hold jars again.
const MAX_DEPTH: usize = 16;
/// Of one manifest, properties file or pom …
const MAX_METADATA: u64 = 4 << 20;
/// … and of all that one file of the image holds. A thousand poms have some 5 MB.
const MAX_METADATA_IN_ALL: u64 = 64 << 20;
/// What nested archives that had to be inflated may take in memory at a time …
const MAX_INFLATED: u64 = 256 << 20;
/// … and altogether, for one file of the image.
const MAX_INFLATED_IN_ALL: u64 = 1 << 30;

pub(crate) struct Java;

impl Analyzer for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn about(&self) -> &'static str {
        "Maven packages in jar, war, ear and other Java archives, also nested and shaded ones"
    }

    fn wants(&self) -> Vec<Want> {
        let suffix = |extension: &&str| Pattern::suffix(&format!(".{extension}"));
        let archives = EXTENSIONS.iter().map(suffix).map(|it| Want::inspect(it, MAX_ARCHIVE));
        archives.chain([Want::keep(Pattern::suffix(beside::SUFFIX), MAX_METADATA)]).collect()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let mut walk = Walk { held: 0, inflated: 0, metadata: 0, problems: 0, hides: false, out };
        let outcome = walk.archive(file.path.into(), content, 0);
        let more = walk.problems.saturating_sub(MAX_PROBLEMS);
        if more > 0 {
            out.problem(format!("{more} more problems in this archive"));
        }
        outcome
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        legacy_files::state_hard_links(image, out);
        beside::revise(image, out);
        Ok(())
    }
}

/// One archive, with everything in it that identifies it.
#[derive(Default)]
struct Archive {
    /// `app.war:WEB-INF/lib/inner.jar`
    location: BString,
    sha1: String,
    manifest: Option<Manifest>,
    poms: Vec<Pom>,
    classes: Classes,
    /// Packages that an SBOM in it lists.
    listed: Vec<Package>,
}

impl Archive {
    /// `inner.jar`
    fn file_name(&self) -> &BStr {
        let inner = self.location.rsplit(|&byte| byte == b':').next().unwrap_or_default();
        path::name(inner).into()
    }

    /// `inner` and `jar`.
    fn stem_and_extension(&self) -> (String, String) {
        let name = self.file_name().to_string();
        match name.rsplit_once('.') {
            Some((stem, extension)) => (stem.into(), extension.into()),
            None => (name, String::new()),
        }
    }
}

/// Problems of one file. Further ones are only counted: a forged archive could have
/// thousands.
const MAX_PROBLEMS: usize = 20;

struct Walk<'a> {
    /// Bytes of nested archives now in memory.
    held: u64,
    /// Bytes of nested archives inflated so far.
    inflated: u64,
    /// Bytes of manifests, properties and poms read so far.
    metadata: u64,
    problems: usize,
    /// Something was not read that Java reads.
    hides: bool,
    out: &'a mut Facts,
}

impl Walk<'_> {
    fn archive(&mut self, location: BString, content: &dyn Content, depth: usize) -> Result<()> {
        let zip = Zip::open(content)?;
        let sha1 = sha1(content)?;
        let begun = self.out.facts.len();
        let mut archive = Archive { location, sha1, ..Archive::default() };
        for member in &zip.members {
            archive.classes.count(&member.name);
            if let Err(error) = self.member(&zip, member, &mut archive, depth) {
                self.problem(&archive, &error);
            }
        }
        let mut seen: HashSet<BString> = HashSet::new();
        for member in zip.members.iter().filter(|member| is_pom(&member.name)) {
            let directory = path::parent(&member.name);
            if seen.insert(directory.into()) {
                let text = self.metadata(&zip, member);
                match text.and_then(|text| Pom::from_xml(directory, &text)) {
                    Ok(pom) => archive.poms.push(pom),
                    Err(error) => self.problem(&archive, &error),
                }
            }
        }
        for package in identity::packages(&archive) {
            self.out.package(package);
        }
        sbom::state(std::mem::take(&mut archive.listed), begun, self.out);
        legacy::state(&archive, self.out);
        Ok(())
    }

    fn metadata(&mut self, zip: &Zip<'_>, member: &Member) -> Result<Vec<u8>> {
        let limit = MAX_METADATA.min(MAX_METADATA_IN_ALL - self.metadata);
        let text = zip.read(member, limit);
        // What is too large was inflated as far as that.
        self.out.inflated(text.as_ref().map_or(limit, |text| text.len() as u64));
        self.metadata += text.as_ref().map_or(0, |text| text.len() as u64);
        text
    }

    /// What Java reads and we do not hides packages: the first of these is always said.
    fn problem(&mut self, archive: &Archive, error: &Error) {
        let hides = error.is_over_limit();
        let is_first = hides && !self.hides;
        self.hides |= hides;
        self.problems += 1;
        if self.problems > MAX_PROBLEMS && !is_first {
            return;
        }
        let message = match split_nested(&archive.location) {
            Some(nested) => format!("`{}`: {error}", BStr::new(nested)),
            None => error.to_string(),
        };
        match hides {
            true => self.out.hidden_here(OVER_LIMIT, message),
            false => self.out.problem(message),
        }
    }

    fn member(
        &mut self,
        zip: &Zip<'_>,
        member: &Member,
        archive: &mut Archive,
        depth: usize,
    ) -> Result<()> {
        let name = member.name.as_bstr();
        if name.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF") {
            archive.manifest = Some(Manifest::new(self.metadata(zip, member)?));
        } else if path::name(name) == b"pom.properties" {
            let text = self.metadata(zip, member)?;
            archive.poms.push(Pom::from_properties(path::parent(name), text));
        } else if sbom::is_one(name) {
            let document = self.metadata(zip, member)?;
            archive.listed.extend(sbom::packages(archive.location.as_bstr(), name, &document));
        } else if is_archive(name) {
            if depth + 1 >= MAX_DEPTH {
                return Err(Error::over_limit(format!(
                    "`{name}` is not looked into: archives nested more than {MAX_DEPTH} deep"
                )));
            }
            self.nested(zip, member, archive, depth)?;
        }
        Ok(())
    }

    fn nested(
        &mut self,
        zip: &Zip<'_>,
        member: &Member,
        archive: &Archive,
        depth: usize,
    ) -> Result<()> {
        let location = [archive.location.as_slice(), b":", &member.name].concat();
        if self.out.is_overworked() {
            return Ok(());
        }
        let limit = (MAX_INFLATED - self.held).min(MAX_INFLATED_IN_ALL - self.inflated);
        match zip.data(member, limit)? {
            Data::Stored(window) => self.archive(location.into(), &window, depth + 1),
            Data::Inflated(bytes) => {
                let len = bytes.len() as u64;
                self.held += len;
                self.inflated += len;
                self.out.inflated(len);
                let outcome = self.archive(location.into(), &bytes.as_slice(), depth + 1);
                self.held -= len;
                outcome
            }
        }
        .map_err(|error| error.within(&member.name))
    }
}

fn is_archive(name: &BStr) -> bool {
    let name = path::name(name);
    EXTENSIONS.iter().any(|extension| {
        let dot = name.len().checked_sub(extension.len() + 1);
        dot.is_some_and(|dot| {
            name[dot] == b'.' && name[dot + 1..].eq_ignore_ascii_case(extension.as_bytes())
        })
    })
}

/// `WEB-INF/lib/inner.jar` of `app.war:WEB-INF/lib/inner.jar`.
fn split_nested(location: &BString) -> Option<&[u8]> {
    let colon = location.find_byte(b':')?;
    location.get(colon + 1..)
}

fn is_pom(name: &BString) -> bool {
    name.starts_with(b"META-INF/maven/") && path::name(name) == b"pom.xml"
}

fn sha1(content: &dyn Content) -> Result<String> {
    let mut hasher = Sha1::new();
    let mut stream = stream(content);
    let mut buf = [0; 16 << 10];
    loop {
        match stream.read(&mut buf)? {
            0 => break,
            count => hasher.update(&buf[..count]),
        }
    }
    Ok(hex(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;
    use inscan_test_support::zip;

    fn properties(group: &str, artifact: &str, version: &str) -> Vec<u8> {
        format!("#Generated\nversion={version}\r\ngroupId={group}\nartifactId={artifact}\n").into()
    }

    fn jar(group: &str, artifact: &str, version: &str) -> Vec<u8> {
        let path = format!("META-INF/maven/{group}/{artifact}/pom.properties");
        zip(&[(&path, &properties(group, artifact, version))])
    }

    #[track_caller]
    fn check(file: &str, content: &[u8], expected: &[&str], problem: Option<&str>) {
        let found = Image::new([(file, content)]).run(&Java);
        let named: Vec<String> = found
            .packages()
            .map(|it| {
                let group = it.namespace.as_ref().map(|group| format!("{group}:"));
                let group = group.unwrap_or_default();
                format!("{group}{} {} in {}", it.name, it.version, it.location)
            })
            .collect();
        assert_eq!(named, expected);
        let problems: Vec<&str> = found.problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(problems.len(), usize::from(problem.is_some()), "{problems:?}");
        assert!(problems.iter().zip(problem).all(|(is, part)| is.contains(part)), "{problems:?}");
    }

    #[test]
    fn a_jar_is_known_by_its_pom_properties() {
        check("a/x-1.jar", &jar("org.x", "x", "1"), &["org.x:x 1 in a/x-1.jar"], None);
        check("a/X.JAR", &jar("org.x", "x", "1"), &["org.x:x 1 in a/X.JAR"], None);
    }

    #[test]
    fn archives_in_archives_are_looked_into_whether_stored_or_deflated() {
        let inner = jar("org.x", "x", "1");
        let middle = zip(&[("=BOOT-INF/lib/x-1.jar", &inner), ("lib/x.jar", &inner)]);
        check(
            "app.ear",
            &zip(&[("app.war", &middle)]),
            &[
                "org.x:x 1 in app.ear:app.war:BOOT-INF/lib/x-1.jar",
                "org.x:x 1 in app.ear:app.war:lib/x.jar",
            ],
            None,
        );
    }

    #[test]
    fn an_executable_jar_may_begin_with_a_script() {
        let file = [b"#!/bin/sh\nexec java -jar $0\n".as_slice(), &jar("org.x", "x", "1")].concat();
        check("x.jar", &file, &["org.x:x 1 in x.jar"], None);
    }

    #[test]
    fn all_that_was_merged_into_a_jar_is_named() {
        let file = zip(&[
            ("META-INF/maven/org.x/x/pom.properties", &properties("org.x", "x", "1")),
            ("META-INF/maven/org.y/y/pom.properties", &properties("org.y", "y", "2")),
            ("META-INF/maven/org.y/y/pom.xml", b"<project/>"),
        ]);
        check("x-1.jar", &file, &["org.x:x 1 in x-1.jar", "org.y:y 2 in x-1.jar"], None);
    }

    #[test]
    fn a_pom_serves_where_there_are_no_properties() {
        let pom = b"<project><parent><groupId>org.x</groupId><version>3</version></parent>
            <artifactId>x</artifactId></project>";
        let file = zip(&[("META-INF/maven/org.x/x/pom.xml", pom)]);
        check("x.jar", &file, &["org.x:x 3 in x.jar"], None);
    }

    #[test]
    fn says_where_it_stopped() {
        let mut file = jar("org.x", "x", "1");
        for _ in 0..20 {
            file = zip(&[("=x.jar", &file)]);
        }
        check("x.jar", &file, &[], Some("nested more than 16 deep"));
        let broken = zip(&[("lib/y.jar", b"no zip"), ("lib/x.jar", &jar("org.x", "x", "1"))]);
        let found = &["org.x:x 1 in a.war:lib/x.jar"];
        check("a.war", &broken, found, Some("`lib/y.jar`: not a zip archive"));
        check("y.jar", b"no zip", &[], Some("not a zip archive"));
    }

    #[test]
    fn what_java_reads_and_we_do_not_hides_packages() {
        let names: Vec<String> = (0..MAX_PROBLEMS).map(|at| format!("{at}.jar")).collect();
        let mut members: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), &b"no zip"[..])).collect();
        let inner = jar("org.x", "x", "1");
        members.extend([("=lib/a.jar", &inner[..]), ("=lib/b.jar", &inner)]);
        let mut file = zip(&members);
        let last = |file: &[u8]| file.windows(4).rposition(|it| it == b"PK\x01\x02").unwrap();
        let second = last(&file);
        let first = last(&file[..second]);
        // Both names lead to the bytes of the first.
        file.copy_within(first + 42..first + 46, second + 42);
        let found = Image::new([("a.jar", file)]).run(&Java);
        let hidden: Vec<_> = found.problems.iter().filter(|it| !it.hides.is_nothing()).collect();
        assert_eq!(hidden.len(), 1);
        assert!(hidden[0].message.contains("`lib/a.jar` shares its bytes"), "{hidden:?}");
    }

    #[test]
    fn the_problems_of_a_forged_archive_are_counted() {
        let names: Vec<String> = (0..50).map(|at| format!("{at}.jar")).collect();
        let members: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), &b"no zip"[..])).collect();
        let found = Image::new([("a.jar", zip(&members))]).run(&Java);
        assert_eq!(found.problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(found.problems[MAX_PROBLEMS].message, "30 more problems in this archive");
    }

    #[test]
    fn what_inflates_beyond_all_measure_is_a_problem() {
        let bomb = vec![b' '; MAX_METADATA as usize];
        let names: Vec<String> =
            (0..17).map(|at| format!("META-INF/{at}/pom.properties")).collect();
        let members: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &bomb[..])).collect();
        let archive = zip(&members);
        assert!(archive.len() < 100_000);
        let found = Image::new([("a.jar", archive)]).run(&Java);
        let message = &found.problems[0].message;
        assert_eq!(
            message,
            "member `META-INF/16/pom.properties` is larger than the limit of 0 bytes"
        );
    }

    #[test]
    fn every_archive_has_its_digest() {
        let found = Image::new([("x.jar", jar("org.x", "x", "1"))]).run(&Java);
        let package = found.packages().next().expect("one");
        assert_eq!(package.attributes["sha1"].len(), 40);
        assert_eq!(
            sha1(&b"abc".as_slice()).expect("in memory"),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
    }

    #[test]
    fn survives_an_archive_cut_anywhere() {
        let file = zip(&[("=x.jar", &jar("org.x", "x", "1")), ("META-INF/MANIFEST.MF", b"A: b\n")]);
        for cut in 0..file.len() {
            Image::new([("a.jar", &file[..cut])]).run(&Java);
            Image::new([("a.jar", &file[cut..])]).run(&Java);
        }
    }
}
