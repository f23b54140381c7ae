//! Joins between analyzers: what one finds tells what another's find is worth.

use std::collections::{HashMap, HashSet};

use inscan_analyzers::problem::{DATABASE_MISSING, DISTRIBUTION_MISSING};
use inscan_analyzers::{Distribution, Evidence, Hides, Package, Problem, path};
use inscan_facts::package_type;

use super::{Analysis, FoundPackage, FoundProblem};
use crate::flatten::{At, Finder};

/// The analyzer of what is in archives.
const ARCHIVES: &str = "archives";
/// Programs that install packages of the system, and have no other use.
const MANAGERS: [&str; 5] = ["apk", "dpkg", "opkg", "pacman", "rpm"];
/// Programs that nobody but a distribution brings.
const OF_SYSTEM: [&str; 9] =
    ["bash", "busybox", "cat", "dash", "env", "ldconfig", "ls", "sh", "sulogin"];
/// How the names of C libraries begin, and of what loads them.
const LIBRARIES: [&str; 5] = ["ld-linux", "ld-musl-", "libc-2.", "libc.musl-", "libc.so.6"];

/// Whether a file is one that packages of a distribution bring into every image.
fn is_of_a_system(file: &[u8]) -> bool {
    let name = path::name(file);
    let is_called = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
    match path::parent(file) {
        b"bin" | b"sbin" | b"usr/bin" | b"usr/sbin" => {
            is_called(&MANAGERS) || is_called(&OF_SYSTEM)
        }
        directory => {
            let first = path::parts(directory.strip_prefix(b"usr/").unwrap_or(directory)).next();
            first.is_some_and(|first| first.starts_with(b"lib"))
                && LIBRARIES.iter().any(|start| name.starts_with(start.as_bytes()))
        }
    }
}

impl Analysis<'_> {
    pub(super) fn join(&mut self) {
        self.drop_listed_twice();
        self.drop_copies_in_archives();
        self.drop_assemblies_of_packages();
        self.drop_programs_of_packages();
        self.expect_packages_of_the_system();
        self.search_configuration();
        self.judge_origins();
    }

    /// An SBOM in the image says little where stronger evidence says the same.
    fn drop_listed_twice(&mut self) {
        let packages = || self.packages.iter().map(|found| &**found.package);
        if !packages().any(|package| package.evidence == Evidence::Sbom) {
            return;
        }
        let proven: HashSet<_> =
            packages().filter(|it| it.evidence < Evidence::Sbom).map(identity).collect();
        self.packages.retain(|found| {
            found.package.evidence != Evidence::Sbom || !proven.contains(&identity(&found.package))
        });
    }

    /// A package manager may keep the archive that it installed from: nothing new is in it.
    fn drop_copies_in_archives(&mut self) {
        let is_copy = |found: &FoundPackage<'_>| {
            found.analyzer == ARCHIVES && !package_type::is_system(&found.package.kind)
        };
        if !self.packages.iter().any(is_copy) {
            return;
        }
        let counts = |found: &&FoundPackage<'_>| {
            let package = &found.package;
            found.analyzer != ARCHIVES
                && package.evidence < Evidence::Sbom
                && package.role.is_none()
        };
        let installed: HashSet<_> =
            self.packages.iter().filter(counts).map(|found| identity(&found.package)).collect();
        self.packages
            .retain(|found| !is_copy(found) || !installed.contains(&identity(&found.package)));
    }

    /// The assemblies of a .NET program are told by the `deps.json` beside them,
    /// with the versions of their packages and not of the files.
    fn drop_assemblies_of_packages(&mut self) {
        let place = |package: &Package| {
            (path::parent(&package.location).to_vec(), package.name.to_ascii_lowercase())
        };
        let told: HashSet<_> = self
            .packages
            .iter()
            .map(|found| &**found.package)
            .filter(|it| it.kind == "nuget" && it.evidence == Evidence::InstalledPackage)
            .map(place)
            .collect();
        self.packages.retain(|found| {
            let package = &found.package;
            package.kind != "nuget"
                || package.evidence != Evidence::Binary
                || !told.contains(&place(package))
        });
    }

    /// A program recognised by its bytes is no news where the OS package that brought it is that
    /// program. What other packages carry along stays: their names say nothing of it.
    fn drop_programs_of_packages(&mut self) {
        let is_program =
            |package: &Package| package.kind == "generic" && package.evidence == Evidence::Binary;
        let at = |path: &[u8]| Some(self.fs.find(path)?.own?.0);
        let programs: HashSet<At> = self
            .packages
            .iter()
            .filter(|found| is_program(&found.package))
            .filter_map(|found| at(&found.package.location))
            .collect();
        if programs.is_empty() {
            return;
        }
        let mut owners: HashMap<At, Vec<&Package>> = HashMap::new();
        let mut finder = Finder::new(&self.fs);
        for found in &self.packages {
            if found.package.evidence != Evidence::InstalledDb {
                continue;
            }
            // Recorded paths may lead through links: `bin/ls` where `bin` is `usr/bin`.
            let files = found.package.files.iter().filter_map(|file| finder.find(&file.path)?.own);
            for (at, _) in files {
                if programs.contains(&at) {
                    owners.entry(at).or_default().push(&found.package);
                }
            }
        }
        let is_told = |package: &Package| {
            let owners = at(&package.location).and_then(|at| owners.get(&at));
            is_program(package)
                && owners.into_iter().flatten().any(|owner| is_of_program(owner, package))
        };
        let keep: Vec<bool> = self.packages.iter().map(|found| !is_told(&found.package)).collect();
        let mut keep = keep.into_iter();
        self.packages.retain(|_| keep.next().unwrap_or(true));
    }

    /// Where there is a distribution's program and not one package is known, the database was
    /// removed, is empty or lies elsewhere, and nobody knows what is there. A root that has no
    /// more of a distribution than its name has nothing of it to list. And where a package manager
    /// and its packages are there without a distribution, the files that name it were removed.
    fn expect_packages_of_the_system(&mut self) {
        // Busybox is a program, which is known by itself.
        let distribution = self.distribution.as_ref().filter(|found| found.id != "busybox");
        let kind = distribution.and_then(type_of_packages);
        let is_listed = |package: &Package| {
            let of_system = match kind {
                Some(kind) => package.kind == kind,
                None => package_type::is_system(&package.kind) || package.kind == "nix",
            };
            // Another system in the image has its own.
            let is_own = package.distribution.is_none();
            of_system && is_own && package.evidence == Evidence::InstalledDb
        };
        let has_packages = self.packages.iter().any(|found| is_listed(&found.package));
        if has_packages && self.distribution.is_some() {
            return;
        }
        let (has_system, manager) = self.programs_of_the_system();
        let (path, code, message) = match (distribution, manager) {
            (None, Some(manager)) if has_packages => (
                manager,
                DISTRIBUTION_MISSING,
                "packages are installed, and nothing says of which distribution: os-release is missing".to_owned(),
            ),
            (None, Some(manager)) => (manager, DATABASE_MISSING, no_package("the package manager")),
            (Some(found), _) if has_system => {
                let name = found.name.as_ref().unwrap_or(&found.id);
                (found.location.to_vec(), DATABASE_MISSING, no_package(name))
            }
            _ => return,
        };
        let problem = Problem::new(Some(path.into()), message).hiding(Hides::Packages, code);
        self.problems.push(FoundProblem::of(None, None, problem));
    }

    /// Whether there are programs of a distribution, and the first package manager among them.
    fn programs_of_the_system(&self) -> (bool, Option<Vec<u8>>) {
        let is_manager = |path: &[u8]| MANAGERS.iter().any(|it| it.as_bytes() == path::name(path));
        let (mut has_system, mut manager) = (false, None);
        self.fs.walk(|path, file| {
            if file.content.is_some() && is_of_a_system(path) {
                has_system = true;
                if manager.is_none() && is_manager(path) {
                    manager = Some(path.to_vec());
                }
            }
        });
        (has_system, manager)
    }
}

fn no_package(of: &str) -> String {
    format!("{of} has no package: its database is missing, empty or in another place")
}

/// The type of the packages that a distribution consists of, where that is known.
fn type_of_packages(distribution: &Distribution) -> Option<&'static str> {
    let of_id = |id: &str| match id {
        "debian" | "ubuntu" => Some("deb"),
        "alpine" | "chainguard" | "wolfi" => Some("apk"),
        "almalinux" | "amzn" | "azurelinux" | "centos" | "fedora" | "mariner" | "ol"
        | "openEuler" | "opensuse" | "photon" | "rhel" | "rocky" | "sles" | "suse" => Some("rpm"),
        "arch" => Some("alpm"),
        _ => None,
    };
    let like = distribution.like.iter().map(String::as_str);
    [distribution.id.as_str()].into_iter().chain(like).find_map(of_id)
}

/// Whether a package of the system is the program: by its name or its source's, or by the
/// version, which it has before its own revision.
fn is_of_program(owner: &Package, program: &Package) -> bool {
    // `python` of `python3.11`, `png` of `libpng16-16`.
    let word = |name: &str| {
        let name = name.to_ascii_lowercase();
        let end = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | '-');
        name.strip_prefix("lib").unwrap_or(&name).trim_end_matches(end).to_owned()
    };
    let source = owner.source.as_ref().map(|source| source.name.as_str());
    let mut names = [owner.name.as_str()].into_iter().chain(source);
    let versions = [Some(&owner.version), owner.source.as_ref().and_then(|it| it.version.as_ref())];
    let has_version = |version: &String| {
        let upstream = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
        let rest = upstream.strip_prefix(program.version.as_str());
        // `3.0` is not the version of `3.0.17`, as `1.2.13` is of `1.2.13.dfsg`; `1` is of nothing.
        let goes_on = |rest: &str| {
            rest.trim_start_matches('.').starts_with(|letter: char| letter.is_ascii_digit())
        };
        program.version.contains('.') && rest.is_some_and(|rest| !goes_on(rest))
    };
    // `linux-image-6.1.0-18-amd64`, whose version is another one than the kernel's name of itself.
    let is_kernel = program.name == "linux-kernel";
    let is_of_kernel = |name: &str| name.starts_with("linux") || name.starts_with("kernel");
    names.any(|name| word(name) == word(&program.name) || (is_kernel && is_of_kernel(name)))
        || versions.into_iter().flatten().any(has_version)
}

/// Kind, whole name and version. An SBOM gives OS packages the distribution as
/// namespace, which their own databases leave to the core.
fn identity(package: &Package) -> (String, String, String) {
    let namespace = package.namespace.as_ref();
    let name = match namespace.filter(|_| !package_type::namespace_is_distribution(&package.kind)) {
        None => package.name.clone(),
        Some(namespace) => format!("{namespace}/{}", package.name),
    };
    (package.kind.to_string(), name, package.version.clone())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use inscan_analyzers::{Config, Distribution, PackageFile, SourcePackage};

    use super::super::analyze;
    use super::*;
    use crate::layer::testing::{File, Symlink, layer};
    use crate::source::Image;

    fn package(kind: &'static str, name: &str, evidence: Evidence, location: &str) -> Package {
        let (kind, name) = (Cow::Borrowed(kind), name.to_owned());
        let version = "1".to_owned();
        Package { kind, name, version, evidence, location: location.into(), ..Package::default() }
    }

    fn found(package: Package) -> FoundPackage<'static> {
        let package = Cow::Owned(Box::new(package));
        FoundPackage { analyzer: "test", layer: None, order: 0, package }
    }

    /// Which of the packages are left, by kind and location.
    #[track_caller]
    fn check(packages: Vec<Package>, expected: &[&str]) {
        let layers =
            [layer(&[Symlink("bin", "usr/bin"), File("usr/bin/app", b""), File("x", b"")])];
        let image = Image::default();
        let mut analysis = analyze(&image, &layers, &[]);
        analysis.packages = packages.into_iter().map(found).collect();
        analysis.join();
        let left = analysis.packages.iter().map(|found| &found.package);
        let left: Vec<_> = left.map(|it| format!("{} {}", it.kind, it.location)).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn an_sbom_adds_only_what_nothing_else_proves() {
        let in_sbom = |kind, name, namespace: &str| Package {
            namespace: Some(namespace.to_owned()),
            ..package(kind, name, Evidence::Sbom, "sbom.json")
        };
        check(
            vec![
                package("apk", "a", Evidence::InstalledDb, "db"),
                in_sbom("apk", "a", "alpine"),
                in_sbom("apk", "b", "alpine"),
                package("npm", "a", Evidence::InstalledPackage, "package.json"),
                in_sbom("npm", "a", "@scope"),
                package("npm", "a", Evidence::Sbom, "sbom.json"),
                package("npm", "c", Evidence::Lockfile, "package-lock.json"),
                package("npm", "c", Evidence::Sbom, "sbom.json"),
            ],
            &[
                "apk db",
                "apk sbom.json",
                "npm package.json",
                "npm sbom.json",
                "npm package-lock.json",
                "npm sbom.json",
            ],
        );
    }

    #[test]
    fn an_archive_adds_only_what_is_not_installed() {
        let layers = [layer(&[File("x", b"")])];
        let image = Image::default();
        let mut analysis = analyze(&image, &layers, &[]);
        let of = |analyzer, package| FoundPackage { analyzer, ..found(package) };
        analysis.packages = vec![
            of("node", package("npm", "a", Evidence::InstalledPackage, "a/package.json")),
            of(ARCHIVES, package("npm", "a", Evidence::InstalledPackage, "a.tgz:package.json")),
            of(ARCHIVES, package("npm", "b", Evidence::InstalledPackage, "b.tgz:package.json")),
            of("dpkg", package("deb", "a", Evidence::InstalledDb, "status")),
            of(ARCHIVES, package("deb", "a", Evidence::InstalledDb, "root.tar:status")),
        ];
        analysis.join();
        let left: Vec<_> = analysis.packages.iter().map(|it| it.package.location.clone()).collect();
        assert_eq!(left, ["a/package.json", "b.tgz:package.json", "status", "root.tar:status"]);
    }

    #[test]
    fn an_assembly_is_told_by_the_deps_json_beside_it() {
        check(
            vec![
                package("nuget", "One", Evidence::InstalledPackage, "app/app.deps.json"),
                package("nuget", "one", Evidence::Binary, "app/One.dll"),
                package("nuget", "one", Evidence::Binary, "other/One.dll"),
            ],
            &["nuget app/app.deps.json", "nuget other/One.dll"],
        );
    }

    #[test]
    fn a_program_of_an_os_package_is_no_news() {
        let file = PackageFile { path: "bin/app".into(), ..PackageFile::default() };
        let owner = package("deb", "app", Evidence::InstalledDb, "status");
        check(
            vec![
                Package { files: vec![file], ..owner },
                package("generic", "app", Evidence::Binary, "usr/bin/app"),
                package("generic", "x", Evidence::Binary, "x"),
                // A language's package is kept: the document says whose it is.
                package("golang", "app", Evidence::Binary, "usr/bin/app"),
            ],
            &["deb status", "generic x", "golang usr/bin/app"],
        );
    }

    #[test]
    fn a_program_that_an_unrelated_package_carries_stays() {
        let owner = |name: &str, version: &str, source: Option<&str>| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            source: source.map(|name| SourcePackage { name: name.to_owned(), version: None }),
            ..package("deb", "", Evidence::InstalledDb, "status")
        };
        let program = |name: &str, version: &str| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            ..package("generic", "", Evidence::Binary, "x")
        };
        let openssl = program("openssl", "3.0.17");
        for (owner, program, expected) in [
            (owner("libssl3", "3.0.17-1~deb12u2", Some("openssl")), &openssl, true),
            (owner("libcrypto3", "3.0.17-r0", None), &openssl, true),
            (owner("vendorproduct", "4.1.0-1", None), &openssl, false),
            (owner("vendorproduct", "1:3.0.17.2-1", None), &openssl, false),
            (
                owner("python3.11-minimal", "3.11.2-6", Some("python3.11")),
                &program("python", "3.11.2"),
                true,
            ),
            (owner("openjdk-17-jre", "17.0.8+7-1", None), &program("java", "17.0.8+7"), true),
            (owner("nodejs", "18.1.0-1", None), &program("node", "18.1.0"), true),
            (owner("zlib1g", "1:1.2.13.dfsg-1", None), &program("zlib", "1.2.13"), true),
            (owner("libpng16-16", "1.6.39-2", None), &program("libpng", "1.6.40"), true),
            (owner("acme-python-agent", "7.0", None), &program("python", "3.9.1"), false),
            (owner("acme", "2.0", None), &program("node", "18.1.0"), false),
            (
                owner("linux-image-6.1.0-18-amd64", "6.1.76-1", Some("linux-signed-amd64")),
                &program("linux-kernel", "6.1.0-18-amd64"),
                true,
            ),
            (owner("acme", "6.1", None), &program("linux-kernel", "6.1.0-acme"), false),
        ] {
            assert_eq!(is_of_program(&owner, program), expected, "{owner:?} {program:?}");
        }
    }

    #[test]
    fn a_distribution_without_a_package_is_said() {
        let debian = || Distribution {
            id: "debian".into(),
            name: Some("Debian 12".into()),
            location: "etc/os-release".into(),
            ..Distribution::default()
        };
        let busybox = || Distribution { id: "busybox".into(), ..Distribution::default() };
        let said = |distribution: Option<Distribution>, files: &[&str], packages: Vec<Package>| {
            let files: Vec<_> = files.iter().map(|path| File(path, b"x")).collect();
            let (image, layers) = (Image::default(), [layer(&files)]);
            let mut analysis = analyze(&image, &layers, &[]);
            analysis.problems.clear();
            analysis.distribution = distribution;
            analysis.packages = packages.into_iter().map(found).collect();
            analysis.expect_packages_of_the_system();
            analysis.problems.into_iter().map(|it| (it.code, it.hides, it.message)).next()
        };
        let missing = |what: &str| {
            let place = "its database is missing, empty or in another place";
            let code = Cow::Borrowed(DATABASE_MISSING);
            Some((code, Hides::Packages, format!("{what} has no package: {place}")))
        };
        let of_system = || package("deb", "a", Evidence::InstalledDb, "status");
        assert_eq!(said(Some(debian()), &["usr/bin/bash"], vec![of_system()]), None);
        let of_language = package("npm", "a", Evidence::InstalledPackage, "package.json");
        let found = said(Some(debian()), &["usr/bin/bash"], vec![of_language]);
        assert_eq!(found, missing("Debian 12"));
        for file in ["lib/x86_64-linux-gnu/libc.so.6", "usr/lib64/ld-linux-x86-64.so.2", "bin/ls"] {
            assert_eq!(said(Some(debian()), &[file], vec![]), missing("Debian 12"), "{file}");
        }
        let alone = said(Some(busybox()), &["bin/busybox", "sbin/apk"], vec![]);
        assert_eq!(alone, missing("the package manager"));
        assert_eq!(said(None, &["usr/bin/dpkg"], vec![]), missing("the package manager"));
        assert_eq!(said(Some(busybox()), &["bin/busybox"], vec![]), None);
        assert_eq!(said(None, &["usr/bin/bash"], vec![]), None);
        // Packages of another kind, or of another system in the image, are not its own.
        let alpine = Distribution { id: "alpine".into(), ..debian() };
        assert_eq!(said(Some(alpine), &["bin/sh"], vec![of_system()]), missing("Debian 12"));
        let nested = Package { distribution: Some(debian()), ..of_system() };
        assert_eq!(said(Some(debian()), &["bin/sh"], vec![nested]), missing("Debian 12"));
        let nameless = said(None, &["usr/bin/dpkg"], vec![of_system()]);
        assert_eq!(nameless.unwrap().0, DISTRIBUTION_MISSING);
        assert_eq!(said(None, &["usr/bin/app"], vec![of_system()]), None);
        // Nothing of a distribution is there, but for its name.
        assert_eq!(said(Some(debian()), &["usr/bin/app", "opt/lib/libc.so.6"], vec![]), None);
    }

    #[test]
    fn the_configuration_is_searched_for_secrets() {
        let token = ["ghp", "_q8W7e6R5t4Y3u2I1o0P9a8S7d6F5g4H3j2K1"].concat();
        let config = format!(
            r#"{{"config": {{"Env": ["PATH=/bin", "TOKEN={token}"], "Labels": {{"l": "{token}"}}}},
                "history": [{{"created_by": "ENV x", "empty_layer": true}}, {{"created_by": "RUN x {token}"}}]}}"#
        );
        let image = Image { config: config.into_bytes(), ..Image::default() };
        let layers = [layer(&[])];
        let analyzers = inscan_analyzers::all(&Config::default());
        let analysis = analyze(&image, &layers, &analyzers);
        let found: Vec<_> =
            analysis.secrets.iter().map(|it| (it.secret.rule.as_str(), it.layer)).collect();
        let expected = ("github-token", None);
        assert_eq!(found, [expected, expected, ("github-token", Some(0))]);
        assert!(analysis.secrets.iter().all(|it| !it.secret.excerpt.contains(&token[8..])));
    }
}
