//! Packages installed by Alpine's apk, with the files they brought.
//!
//! The database is one text file: blank lines separate packages, and each line
//! is a one-letter field (`P:` name, `V:` version). `F:` opens a directory,
//! `R:` names a file in it; `M:`, `a:` and `Z:` describe what stands above them.
//! <https://wiki.alpinelinux.org/wiki/Apk_spec#Installed_Database_V2>

use std::collections::{BTreeMap, HashMap};

use base64::prelude::{BASE64_STANDARD, Engine};
use bstr::{BStr, ByteSlice};
use inscan_facts::digest::hex;
use serde_json::{Value, json};

use crate::os::{add_on, distribution, systems};
use crate::parse::allowance::Allowance;
use crate::parse::tally::Tally;
use crate::parse::url::without_credentials;
use crate::problem::{OVER_LIMIT, UNREADABLE};
use crate::{
    Analyzer, Evidence, Facts, Files, Package, PackageFile, Pattern, Result, SourcePackage, Want,
    path,
};

pub(crate) struct Apk;

/// What is asked for: one `NAME[@TAG][OPERATOR VERSION]` a line.
const WORLD: &str = "etc/apk/world";
/// `[@TAG ]ADDRESS`, one a line.
const REPOSITORIES: [&str; 2] = ["etc/apk/repositories", "etc/apk/repositories.d"];
const MAX_SETTINGS: u64 = 1 << 20;
const DATABASES: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
/// About 100 bytes a file: a million files.
const MAX_DATABASE: u64 = 128 << 20;
/// A distribution has some ten thousand packages in all.
const MAX_PACKAGES: usize = 100_000;

/// The attribute with the tagged repository that a package is taken from.
const REPOSITORY: &str = "repository";
/// Fields that are copied to attributes.
const ATTRIBUTES: [(u8, &str); 6] = [
    (b'C', "checksum"),
    (b'T', "description"),
    (b'U', "homepage"),
    (b'c', "commit"),
    (b'p', "provides"),
    (b's', REPOSITORY),
];

impl Analyzer for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn about(&self) -> &'static str {
        "Packages installed by Alpine's apk and their files, from lib/apk/db/installed"
    }

    fn wants(&self) -> Vec<Want> {
        let mut wants = vec![Want::keep(Pattern::within("db", "installed"), MAX_DATABASE)];
        for name in ["world", "repositories"] {
            wants.push(Want::keep(Pattern::within("apk", name), MAX_SETTINGS));
        }
        wants.push(Want::keep(Pattern::within("repositories.d", ".list"), MAX_SETTINGS));
        wants.extend(distribution::wants_of_systems());
        wants
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        systems::each(image, &DATABASES, out, read_system)
    }

    fn is_database(&self) -> bool {
        true
    }
}

/// The database of one system.
fn read_system(image: &dyn Files, out: &mut Facts) -> Result<()> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for path in DATABASES {
        // Where lib is a link to usr/lib, both are one.
        let Some(at) = image.get(path.as_bytes()).map(|file| file.path) else { continue };
        if seen.contains(&at) {
            continue;
        }
        match image.read(path.as_bytes()) {
            Ok(text) => found.extend(read(&text.unwrap_or_default(), at.as_bstr(), out)),
            Err(error) => out.hidden(path, UNREADABLE, error),
        }
        seen.push(at);
    }
    let pinned = Pinned::read(image, out);
    for package in &mut found {
        pinned.mark(package);
        add_on::mark(package);
    }
    legacy(&found, out);
    found.into_iter().for_each(|package| out.package(package));
    Ok(())
}

/// Packages that are taken from a repository with a tag, and the addresses of these.
/// <https://wiki.alpinelinux.org/wiki/Repositories#Using_testing_repository>
#[derive(Default)]
struct Pinned {
    tags: HashMap<String, String>,
    addresses: HashMap<String, String>,
}

impl Pinned {
    fn read(image: &dyn Files, out: &mut Facts) -> Self {
        let mut text = |path: &[u8]| match image.read(path) {
            Ok(text) => text.unwrap_or_default().to_str_lossy().into_owned(),
            Err(error) => {
                out.problem_at(path, error);
                String::new()
            }
        };
        let world = text(WORLD.as_bytes());
        let tags = world.split_whitespace().filter_map(|word| {
            let (name, rest) = word.split_once('@')?;
            let end = rest.find(['<', '>', '=', '~']).unwrap_or(rest.len());
            // The version may come before the tag as well.
            let name = name.split(['<', '>', '=', '~']).next().unwrap_or_default();
            Some((name.to_owned(), rest[..end].to_owned()))
        });
        let tags = tags.collect();
        let lists = image.wanted().into_iter().map(|file| file.path);
        let lists = lists.filter(|path| path.starts_with_str(REPOSITORIES[0]));
        let mut addresses = HashMap::new();
        for list in lists {
            for line in text(&list).lines() {
                if let Some((tag, address)) = line
                    .trim()
                    .strip_prefix('@')
                    .and_then(|line| line.split_once(char::is_whitespace))
                {
                    addresses.insert(tag.to_owned(), without_credentials(address.trim()));
                }
            }
        }
        Pinned { tags, addresses }
    }

    /// States the repository, `@local /srv/packages`; newer databases have the tag themselves.
    fn mark(&self, package: &mut Package) {
        let stated = package.attributes.remove(REPOSITORY);
        let tag = stated.as_deref().map(|tag| tag.trim_start_matches('@'));
        let Some(tag) = tag.or(self.tags.get(&package.name).map(String::as_str)) else { return };
        let address = self.addresses.get(tag).map_or("", String::as_str);
        let repository = format!("@{tag} {address}").trim_end().to_owned();
        package.attributes.insert(REPOSITORY.to_owned(), repository);
    }
}

fn read(text: &[u8], location: &BStr, out: &mut Facts) -> Vec<Package> {
    let mut found = Vec::new();
    let mut tally = Tally::default();
    let mut record = Record::default();
    let mut allowance = Allowance::of_record(text.len());
    // The last record may end without a blank line.
    let lines = text.lines().chain([&b""[..]]);
    for (number, line) in lines.enumerate() {
        if !line.is_empty() {
            if record.add(line, &mut allowance, out).is_none() {
                tally.add("not understood", number + 1);
            }
        } else if !record.is_empty {
            if found.len() >= MAX_PACKAGES {
                let message = format!(
                    "line {number}: more than {MAX_PACKAGES} packages, of which no more are read"
                );
                out.hidden(location, OVER_LIMIT, message);
                break;
            }
            match std::mem::take(&mut record).finish(location) {
                Some(package) if !out.hold_package(&package) => break,
                Some(package) => found.push(package),
                None => tally.add("the package that ends here has no name or no version", number),
            }
        }
    }
    tally.report_hidden(location, out);
    allowance.report(location, out);
    found
}

/// A package while its lines are read.
struct Record {
    is_empty: bool,
    package: Package,
    /// The directory and the file in it that the lines are about.
    directory: Option<PackageFile>,
    file: Option<PackageFile>,
}

impl Default for Record {
    fn default() -> Self {
        Record { is_empty: true, package: Package::default(), directory: None, file: None }
    }
}

impl Record {
    /// `None` if the line cannot be understood.
    fn add(&mut self, line: &[u8], allowance: &mut Allowance, out: &mut Facts) -> Option<()> {
        self.is_empty = false;
        let &[letter, b':', ref value @ ..] = line else { return None };
        let package = &mut self.package;
        let text = || value.trim().to_str_lossy().into_owned();
        // An empty field is skipped, except `F:`, which is the root directory.
        if letter != b'F' && value.trim().is_empty() {
            return Some(());
        }
        match letter {
            b'P' => package.name = text(),
            b'V' => package.version = text(),
            b'A' => package.arch = Some(text()),
            b'I' => package.size = Some(text().parse().ok()?),
            b'L' => package.licenses = vec![text()],
            b'm' => package.origin = Some(text()),
            b'o' => package.source = Some(SourcePackage { name: text(), version: None }),
            b'F' => {
                self.close_directory();
                self.directory =
                    Some(PackageFile { path: path::clean(value), ..PackageFile::default() });
            }
            b'R' => {
                self.close_file();
                let directory = self.directory.as_ref().map_or(&b""[..], |file| &file.path);
                if !allowance.admits(directory.len() + value.len(), out) {
                    return Some(());
                }
                let path = path::clean(&path::join(directory, value));
                self.file = Some(PackageFile { path, ..PackageFile::default() });
            }
            b'M' => own(self.directory.as_mut()?, value)?,
            b'a' => own(self.file.as_mut()?, value)?,
            b'Z' => {
                let file = self.file.as_mut()?;
                // Recorded also if the digest cannot be understood: the file has one.
                file.algorithm = Some("sha1".into());
                let (algorithm, digest) = checksum(value)?;
                (file.algorithm, file.digest) = (Some(algorithm.into()), Some(digest));
            }
            _ => {
                if let Some((_, name)) = ATTRIBUTES.iter().find(|(known, _)| *known == letter) {
                    package.attributes.insert((*name).to_owned(), text());
                }
            }
        }
        Some(())
    }

    fn close_file(&mut self) {
        self.package.files.extend(self.file.take());
    }

    fn close_directory(&mut self) {
        self.close_file();
        self.package.files.extend(self.directory.take());
    }

    fn finish(mut self, location: &BStr) -> Option<Package> {
        self.close_directory();
        let is_whole = !self.package.name.is_empty() && !self.package.version.is_empty();
        is_whole.then(|| Package {
            kind: "apk".into(),
            evidence: Evidence::InstalledDb,
            location: location.into(),
            ..self.package
        })
    }
}

/// `uid:gid:mode`, and perhaps a digest of extended attributes.
fn own(file: &mut PackageFile, value: &[u8]) -> Option<()> {
    let text = value.to_str().ok()?;
    let mut parts = text.trim().split(':');
    let (user, group, mode) = (parts.next()?, parts.next()?, parts.next()?);
    file.mode = Some(u32::from_str_radix(mode, 8).ok()?);
    file.user = Some(user.to_owned());
    file.group = Some(group.to_owned());
    Some(())
}

/// `Q1` and a SHA-1 in base64, `Q2` and a SHA-256, or an MD5 in hex as long ago.
fn checksum(value: &[u8]) -> Option<(&'static str, String)> {
    let value = value.trim();
    let (algorithm, length, encoded) = match value.split_at_checked(2)? {
        (b"Q1", encoded) => ("sha1", 20, encoded),
        (b"Q2", encoded) => ("sha256", 32, encoded),
        _ if value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit) => {
            return Some(("md5", value.to_str_lossy().to_ascii_lowercase()));
        }
        _ => return None,
    };
    let digest = BASE64_STANDARD.decode(encoded).ok().filter(|digest| digest.len() == length)?;
    Some((algorithm, hex(&digest)))
}

/// What the legacy document has of each package: the last record of a name.
fn legacy(found: &[Package], out: &mut Facts) {
    let by_name: BTreeMap<&str, &Package> =
        found.iter().map(|package| (package.name.as_str(), package)).collect();
    let mut sources: BTreeMap<&str, &str> = BTreeMap::new();
    for package in found {
        let source = package.source.as_ref().map_or("N/A", |source| &source.name);
        sources.entry(source).or_insert(&package.version);
    }
    for (name, package) in by_name {
        out.legacy_package("pkgs.all", name, package.version.as_str());
        out.legacy_package("pkgs.allinfo", name, legacy_info(package));
        sources.insert(name, &package.version);
    }
    for (name, version) in sources {
        out.legacy_package("pkgs_plus_source.all", name, version);
    }
}

fn legacy_info(package: &Package) -> Value {
    let known = |value: Option<&str>| value.unwrap_or("N/A").to_owned();
    let version = package.version.as_str();
    let (version, release) = version
        .rsplit_once('-')
        .map_or((version, None), |(version, release)| (version, Some(release)));
    let files = package.files.iter().map(|file| format!("/{}", file.path)).collect::<Vec<_>>();
    json!({
        "name": package.name,
        "version": version,
        "release": known(release),
        "origin": known(package.origin.as_deref()),
        "arch": known(package.arch.as_deref()),
        "license": known(package.licenses.first().map(String::as_str)),
        "size": package.size.map_or("N/A".to_owned(), |size| size.to_string()),
        "sourcepkg": known(package.source.as_ref().map(|source| source.name.as_str())),
        "files": files,
        "type": "APKG",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact;
    use crate::testing::{Image, cut_everywhere};

    /// Three packages; the last has no blank line behind it.
    const DATABASE: &str = include_str!("../../fixtures/apk/lib/apk/db/installed");

    fn run(text: impl AsRef<[u8]>) -> Facts {
        Image::new([(DATABASES[0], text)]).run(&Apk)
    }

    fn legacy(facts: &Facts, output: &str, key: &str) -> Value {
        let mut values = facts.facts.iter().filter_map(|fact| match fact {
            Fact::Legacy(legacy) if legacy.output == output && legacy.key == key => {
                Some(legacy.value.parsed())
            }
            _ => None,
        });
        values.next_back().unwrap_or_default()
    }

    #[test]
    fn lists_packages_whatever_ends_the_lines_and_the_file() {
        for text in
            [DATABASE.to_owned(), DATABASE.replace('\n', "\r\n"), format!("{DATABASE}\n\n\n")]
        {
            let facts = run(text);
            let found: Vec<_> =
                facts.packages().map(|p| (p.name.as_str(), p.version.as_str())).collect();
            let expected =
                [("musl", "1.1.18-r3"), ("no-origin", "20190108"), ("last", "1.2_rc1-beta-r7")];
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn states_what_the_record_states() {
        let facts = run(DATABASE);
        let musl = facts.packages().next().unwrap();
        assert_eq!(musl.arch.as_deref(), Some("x86_64"));
        assert_eq!(musl.size, Some(618_496));
        assert_eq!(musl.licenses, ["MIT"]);
        assert_eq!(musl.source.as_ref().unwrap().name, "musl");
        assert_eq!(musl.origin.as_deref(), Some("Timo <t@example.org>"));
        assert_eq!(musl.attributes["commit"], "abc");
        assert_eq!(musl.attributes["provides"], "so:libc.musl-x86_64.so.1=1");
        assert_eq!(musl.location, DATABASES[0]);
    }

    #[test]
    fn files_have_owner_mode_and_digest_and_stand_before_their_directory() {
        let facts = run(DATABASE);
        let musl = facts.packages().next().unwrap();
        let paths: Vec<_> = musl.files.iter().map(|file| file.path.to_string()).collect();
        assert_eq!(paths, ["lib/libc.so", "lib/plain", "lib", "usr"]);
        let expected = PackageFile {
            path: "lib/libc.so".into(),
            digest: Some("ef2277245372a40e26c61249af4a2ee82cec2552".to_owned()),
            algorithm: Some("sha1".into()),
            mode: Some(0o777),
            user: Some("0".into()),
            group: Some("0".into()),
            ..PackageFile::default()
        };
        assert_eq!(musl.files[0], expected);
        assert_eq!(musl.files[1].algorithm, None);
        assert_eq!(musl.files[2].mode, Some(0o755));
    }

    #[test]
    fn a_directory_is_not_repeated_without_end() {
        let database = format!("P:a\nV:1\nF:{}\n{}", "d".repeat(1 << 20), "R:f\n".repeat(1000));
        let facts = run(&database);
        let package = facts.packages().next().unwrap();
        let text: usize = package.files.iter().map(|file| file.path.len()).sum();
        assert!(text < 20 * database.len() && package.files.len() > 10, "{text}");
        let message = &facts.problems[0].message;
        assert!(message.starts_with("too many files or too long paths: 98"), "{message}");
    }

    #[test]
    fn a_package_of_a_tagged_repository_says_which() {
        let database = "P:nginx\nV:1-r0\n\nP:zlib\nV:1-r0\n\nP:curl\nV:1-r0\n\nP:jq\nV:1-r0\ns:edge\n\n\
                        P:lost\nV:1-r0\n";
        let repositories = "https://cdn.example/alpine/v3.16/main\n@local /srv/packages\n\
                            @edge https://me:secret@cdn.example/alpine/edge/main\n";
        let facts = Image::new([
            (DATABASES[0], database),
            (WORLD, "nginx@local>1 zlib\ncurl=1-r0@edge\nlost@gone\n"),
            (REPOSITORIES[0], repositories),
        ])
        .run(&Apk);
        let found: Vec<_> = facts
            .packages()
            .map(|it| (it.name.as_str(), it.attributes.get(REPOSITORY).map(String::as_str)))
            .collect();
        let edge = found[3].1;
        assert!(edge.is_some_and(|edge| !edge.contains("secret")), "{edge:?}");
        assert!(
            edge.is_some_and(|edge| edge.ends_with("cdn.example/alpine/edge/main")),
            "{edge:?}"
        );
        let expected = [
            ("nginx", Some("@local /srv/packages")),
            ("zlib", None),
            ("curl", edge),
            ("jq", edge),
            ("lost", Some("@gone")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn understands_digests_of_all_times() {
        let sha256 = "Q247DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(checksum(sha256.as_bytes()), Some(("sha256", hex.to_owned())));
        assert_eq!(checksum(&[b'A'; 32]), Some(("md5", "a".repeat(32))));
        for nonsense in ["", "Q", "Q1", "Q1AAAA", "Q3AAAA", "Q1\u{fffd}"] {
            assert_eq!(checksum(nonsense.as_bytes()), None, "{nonsense}");
        }
    }

    #[test]
    fn what_is_no_field_is_a_problem_and_loses_nothing_else() {
        let facts = run("asdf\n\nyolo\nP:a\nV:1\nM:0:0:755\nI:x\n");
        assert_eq!(facts.packages().count(), 1);
        let messages: Vec<_> =
            facts.problems.iter().map(|problem| problem.message.as_str()).collect();
        let expected = [
            "line 1: not understood (and 3 more)",
            "line 1: the package that ends here has no name or no version",
        ];
        assert_eq!(messages, expected);
    }

    #[test]
    fn one_database_under_two_names_is_read_once() {
        let image = Image::new([(DATABASES[1], DATABASE)]).symlink("lib", "usr/lib");
        assert_eq!(image.run(&Apk).packages().count(), 3);
    }

    #[test]
    fn the_legacy_document_has_the_last_record_of_a_name() {
        let facts = run(format!("P:last\nV:0-r0\nA:noarch\n\n{DATABASE}"));
        let expected = json!({
            "name": "last", "version": "1.2_rc1-beta", "release": "r7", "origin": "N/A", "arch": "N/A",
            "license": "N/A", "size": "N/A", "sourcepkg": "N/A", "files": [], "type": "APKG",
        });
        assert_eq!(legacy(&facts, "pkgs.allinfo", "last"), expected);
        assert_eq!(legacy(&facts, "pkgs.all", "last"), "1.2_rc1-beta-r7");
        assert_eq!(legacy(&facts, "pkgs_plus_source.all", "N/A"), "0-r0");
        let no_origin = legacy(&facts, "pkgs.allinfo", "no-origin");
        assert_eq!(no_origin["release"], "N/A");
        assert_eq!(no_origin["files"], json!(["/root file", "/"]));
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&Apk, "apk");
    }
}
