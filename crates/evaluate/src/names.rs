//! Under which names and versions a package is looked up, and in which lists;
//! or why it cannot be.

use std::collections::BTreeSet;

use inscan_facts::package::Evidence;
use inscan_facts::package_type;

use super::cpe;
use super::ecosystem::{self, Names, Release};
use super::evaluation::{Match, NameOf, UncoveredCode};
use super::third_party;
use crate::versions::{self, Scheme};
use inscan_document::Section;
use inscan_document::section::PackageRow;
use inscan_vulndb::Advisory;

/// One question to the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LookUp {
    pub(super) ecosystem: String,
    pub(super) name: String,
    pub(super) name_of: NameOf,
    pub(super) version: String,
    pub(super) scheme: Scheme,
    /// Asked only where the others know nothing of their names.
    pub(super) fallback: bool,
    /// The package does not say its epoch, which is taken as the advisory's.
    pub(super) any_epoch: bool,
}

impl LookUp {
    /// As a report tells of it; what it was compared with is left open.
    pub(super) fn detail(&self, advisory: &Advisory) -> Match {
        Match {
            advisory: advisory.id.clone(),
            ecosystem: self.ecosystem.clone(),
            name: self.name.clone(),
            name_of: self.name_of,
            version: self.version.clone(),
            scheme: match self.name_of {
                NameOf::Cpe => "exact".to_owned(),
                _ => self.scheme.name().to_owned(),
            },
            ..Match::default()
        }
    }
}

/// What can be done about a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    LookUp(Vec<LookUp>),
    Uncovered(Uncovered),
    /// Said by a lock file or a manifest, which tells what would be installed.
    NotInstalled,
    /// Nothing that could have advisories: a key in rpm's database.
    NoPackage,
}

/// Why it cannot be judged. Packages with the same reason are told of together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Uncovered {
    pub(super) code: UncoveredCode,
    pub(super) subject: String,
    pub(super) message: String,
}

/// What is the same for all packages of an image.
pub(super) struct Place<'a> {
    section: &'a Section,
    pub(super) release: Option<Release>,
    /// The ecosystems of which the database knows anything.
    covered: &'a BTreeSet<String>,
    lockfiles: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(
        section: &'a Section,
        covered: &'a BTreeSet<String>,
        lockfiles: bool,
    ) -> Self {
        let release = section.distribution.as_ref().and_then(ecosystem::release);
        Place { section, release, covered, lockfiles }
    }

    /// `debian 12`.
    pub(super) fn distribution(&self) -> String {
        let distribution = self.section.distribution.as_ref();
        distribution.map_or_else(String::new, |found| {
            let version = match found.version.as_str() {
                "" => found.codename.as_deref().unwrap_or_default(),
                version => version,
            };
            match ecosystem::is_centos_stream(found) {
                true => format!("CentOS Stream {version}").trim().to_owned(),
                false => format!("{} {version}", found.id).trim().to_owned(),
            }
        })
    }

    /// The names by which NVD's records may call a package of no distribution.
    pub(super) fn cpes(&self, package: &PackageRow) -> Vec<LookUp> {
        if !self.covered.contains(cpe::LIST) {
            return Vec::new();
        }
        let look_up = |(name, version)| LookUp {
            ecosystem: cpe::LIST.to_owned(),
            name,
            name_of: NameOf::Cpe,
            version,
            scheme: Scheme::Semver,
            fallback: false,
            any_epoch: false,
        };
        cpe::names(package).into_iter().map(look_up).collect()
    }

    /// The lists that hold for the release: OSV's, else the first of the feeds'.
    pub(super) fn lists(&self) -> Vec<&str> {
        let Some(release) = &self.release else { return Vec::new() };
        let is_covered = |name: &&String| self.covered.contains(*name);
        let osv: Vec<&str> =
            release.ecosystems.iter().filter(is_covered).map(String::as_str).collect();
        if !osv.is_empty() {
            return osv;
        }
        release.feeds.iter().find(is_covered).map(String::as_str).into_iter().collect()
    }

    /// Whether a package is the distribution's own for certain.
    pub(super) fn is_own(&self, package: &PackageRow) -> bool {
        self.release.as_ref().is_some_and(|release| third_party::is_own(package, release))
    }

    pub(super) fn subject(&self, package: &PackageRow) -> Subject {
        let stated_only = matches!(package.evidence, Evidence::Lockfile | Evidence::Manifest);
        if stated_only && !self.lockfiles {
            return Subject::NotInstalled;
        }
        let look_ups = match package.kind.as_str() {
            "rpm" if package.name == "gpg-pubkey" => return Subject::NoPackage,
            kind if package_type::has_release_advisories(kind) => self.of_distribution(package),
            _ => self.of_language(package),
        };
        match look_ups.and_then(comparable(package)) {
            Ok(look_ups) => Subject::LookUp(look_ups),
            Err(uncovered) => Subject::Uncovered(uncovered),
        }
    }

    fn of_distribution(&self, package: &PackageRow) -> Result<Vec<LookUp>, Uncovered> {
        let distribution = self.distribution();
        if distribution.is_empty() {
            return Err(Uncovered {
                code: UncoveredCode::NoDistribution,
                subject: format!("{} packages", package.kind),
                message: "the image does not name its distribution".to_owned(),
            });
        }
        let lists = self.lists();
        let scheme = versions::of_package(&package.kind, &package.name);
        let orders_agree = |list: &&str| {
            versions::of_ecosystem(list).is_none_or(|of_list| Some(of_list) == scheme)
        };
        let (Some(release), Some(scheme), false) = (&self.release, scheme, lists.is_empty()) else {
            return Err(Uncovered {
                code: UncoveredCode::NoDataForDistribution,
                message: format!("the database has no advisories for {distribution}"),
                subject: distribution,
            });
        };
        if !lists.iter().all(orders_agree) {
            return Err(Uncovered {
                code: UncoveredCode::NoDataForDistribution,
                message: format!("{distribution} has no packages of type {}", package.kind),
                subject: format!("{} packages", package.kind),
            });
        }
        if let Some(vendor) = third_party::vendor(package, release) {
            return Err(Uncovered {
                code: UncoveredCode::ThirdParty,
                subject: vendor.to_owned(),
                message: format!(
                    "packages from {vendor} are not in the advisories of {distribution}"
                ),
            });
        }
        let rebuilt = self.rebuilt(package);
        let lists =
            if rebuilt.is_empty() { lists } else { rebuilt.iter().map(|it| &**it).collect() };
        // The legacy engine's documents leave rpm's epochs out.
        let any_epoch = package.kind == "rpm" && package.analyzer == "legacy";
        let look_ups = |name: &str, version: &str, name_of, fallback| {
            lists
                .iter()
                .map(|list| LookUp {
                    ecosystem: (*list).to_owned(),
                    name: name.to_owned(),
                    name_of,
                    version: version.to_owned(),
                    scheme,
                    fallback,
                    any_epoch,
                })
                .collect::<Vec<_>>()
        };
        let (source, source_version) = source(package);
        let is_same = source == package.name;
        let name_of = if is_same { NameOf::Package } else { NameOf::Source };
        let binary_version = with_epoch(package, &package.version);
        let of_binary = look_ups(&package.name, &binary_version, NameOf::Package, false);
        // The feeds' groups have either name, and the legacy engine takes both.
        let is_feed = lists.iter().any(|list| release.feeds.iter().any(|feed| feed == list));
        let names = if is_feed { Names::Both } else { release.names };
        Ok(match names {
            Names::Source => look_ups(source, &source_version, name_of, false),
            _ if is_same => of_binary,
            names => {
                let fallback = names == Names::BinaryThenSource;
                let of_source = look_ups(source, &source_version, name_of, fallback);
                of_binary.into_iter().chain(of_source).collect()
            }
        })
    }

    /// Lists for packages that somebody built anew under the distribution's names
    /// and says so in the version: Ubuntu Pro, Root.
    fn rebuilt(&self, package: &PackageRow) -> Vec<String> {
        let Some(release) = &self.release else { return Vec::new() };
        let lists = release.ecosystems.iter().filter_map(|name| {
            if package.version.contains("root.io") {
                return Some(format!("Root:{}", name.replace(":v", ":").trim_end_matches(":LTS")));
            }
            let pro = name.strip_prefix("Ubuntu:").filter(|_| package.version.contains("esm"));
            pro.map(|release| format!("Ubuntu:Pro:{release}"))
        });
        lists.filter(|name| self.covered.contains(name)).collect()
    }

    fn of_language(&self, package: &PackageRow) -> Result<Vec<LookUp>, Uncovered> {
        let kind = package.kind.as_str();
        let (lists, name) = match kind {
            "generic" if package.evidence == Evidence::Binary => {
                (vec!["Bitnami"], upstream(&package.name).to_owned())
            }
            kind => match ecosystem::of_type(kind) {
                Some((osv, feed)) => (vec![osv, feed], full_name(package)),
                None => (Vec::new(), String::new()),
            },
        };
        let no_data = |subject: &str| Uncovered {
            code: UncoveredCode::NoDataForEcosystem,
            subject: subject.to_owned(),
            message: format!("the database has no advisories for {subject}"),
        };
        let Some(list) = lists.iter().find(|name| self.covered.contains(**name)) else {
            return Err(no_data(&format!("packages of type {kind}")));
        };
        let scheme = versions::of_ecosystem(list)
            .or_else(|| versions::of_package(kind, &package.name))
            .ok_or_else(|| no_data(&format!("packages of type {kind}")))?;
        if kind == "generic" && name.is_empty() {
            return Err(no_data(&format!("the program {}", package.name)));
        }
        let version = match kind {
            "golang" => package.version.trim_start_matches("go").to_owned(),
            _ => package.version.clone(),
        };
        let look_up = |ecosystem: &str| LookUp {
            ecosystem: ecosystem.to_owned(),
            name: name.clone(),
            name_of: NameOf::Package,
            version: version.clone(),
            scheme,
            fallback: false,
            any_epoch: false,
        };
        let mut look_ups = vec![look_up(list)];
        // Drupal has a repository of its own for its modules.
        const DRUPAL: &str = "Packagist:https://packages.drupal.org/8";
        if *list == "Packagist" && name.starts_with("drupal/") {
            look_ups.push(look_up(DRUPAL));
        }
        let root = format!("Root:{list}");
        if package.version.contains("root.io") && self.covered.contains(&root) {
            look_ups = vec![look_up(&root)];
        }
        Ok(look_ups)
    }
}

/// A version that its own order cannot read is compared with nothing.
fn comparable(
    package: &PackageRow,
) -> impl FnOnce(Vec<LookUp>) -> Result<Vec<LookUp>, Uncovered> + '_ {
    move |look_ups| {
        let problem = look_ups.iter().find_map(|look_up| match look_up.version.as_str() {
            "" => Some("has no version".to_owned()),
            version => versions::check(look_up.scheme, version).err().map(|it| it.to_string()),
        });
        match problem {
            None => Ok(look_ups),
            Some(problem) => Err(Uncovered {
                code: UncoveredCode::VersionNotComparable,
                subject: full_name(package),
                message: match package.version.as_str() {
                    "" => format!("{} {problem}", full_name(package)),
                    _ => format!("{}: {problem}", full_name(package)),
                },
            }),
        }
    }
}

/// As people and advisories call it: with npm's scope, Maven's group, composer's vendor.
pub fn full_name(package: &PackageRow) -> String {
    match (package.namespace.as_deref().unwrap_or_default(), package.kind.as_str()) {
        ("", _) => package.name.clone(),
        (_, kind) if package_type::namespace_is_distribution(kind) => package.name.clone(),
        (group, "maven") => format!("{group}:{}", package.name),
        (group, _) if package.name.starts_with(&format!("{group}/")) => package.name.clone(),
        (group, _) => format!("{group}/{}", package.name),
    }
}

/// Name and version of the source package.
fn source(package: &PackageRow) -> (&str, String) {
    let source = package.source.as_ref().filter(|source| !source.name.is_empty());
    let name = source.map_or(package.name.as_str(), |source| source.name.as_str());
    match source.and_then(|source| source.version.as_deref()) {
        Some(version) => (name, with_epoch(package, version)),
        None if package.kind == "deb" => (name, without_rebuild(&package.version).to_owned()),
        None => (name, with_epoch(package, &package.version)),
    }
}

/// rpm keeps the epoch apart, and a source package's file name has none: it has its binaries'.
fn with_epoch(package: &PackageRow, version: &str) -> String {
    match package.epoch.filter(|_| package.kind == "rpm") {
        Some(epoch) if epoch > 0 => format!("{epoch}:{version}"),
        _ => version.to_owned(),
    }
}

/// Without Debian's mark of a rebuild from the same source: `1.2-3+b1`
/// (<https://wiki.debian.org/binNMU>).
fn without_rebuild(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((before, number))
            if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            before
        }
        _ => version,
    }
}

/// What Bitnami's list calls a program that says its own version. Of programs
/// that are not here it has no records, or its versions are not the program's own.
fn upstream(program: &str) -> &str {
    const SAME: &[&str] = &[
        "git",
        "haproxy",
        "lua",
        "mariadb",
        "memcached",
        "nginx",
        "node",
        "php",
        "postgresql",
        "python",
        "redis",
        "ruby",
        "sqlite",
        "varnish",
    ];
    match program {
        "httpd" => "apache",
        same if SAME.contains(&same) => same,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_document::section::{DistributionInfo, SourcePackage};

    fn package(kind: &str, name: &str, version: &str) -> PackageRow {
        let os = package_type::is_system(kind);
        PackageRow {
            kind: kind.into(),
            name: name.into(),
            version: version.into(),
            evidence: if os { Evidence::InstalledDb } else { Evidence::InstalledPackage },
            ..Default::default()
        }
    }

    fn from(mut package: PackageRow, source: &str, version: Option<&str>) -> PackageRow {
        let version = version.map(str::to_owned);
        package.source = Some(SourcePackage { name: source.into(), version });
        package
    }

    /// The questions as `ecosystem name version`, or the reason why there are none.
    #[track_caller]
    fn check(distribution: &str, package: &PackageRow, expected: &[&str]) {
        let (id, version) = distribution.split_once(' ').unwrap_or((distribution, ""));
        let distribution = (!id.is_empty()).then(|| DistributionInfo {
            id: id.into(),
            version: version.into(),
            ..Default::default()
        });
        let section = Section { distribution, ..Default::default() };
        let covered = [
            "AlmaLinux:9",
            "Alpine:v3.20",
            "Debian:12",
            "Go",
            "Maven",
            "Packagist",
            "PyPI",
            "npm",
            "Bitnami",
            "Ubuntu:22.04:LTS",
            "Ubuntu:Pro:22.04:LTS",
            "Wolfi",
            "alpine:3.12",
            "Root:Debian:12",
            "Packagist:https://packages.drupal.org/8",
        ];
        let covered = covered.iter().map(|name| (*name).to_owned()).collect();
        let place = Place::new(&section, &covered, false);
        let found = match place.subject(package) {
            Subject::LookUp(look_ups) => look_ups
                .iter()
                .map(|it| {
                    let mark = if it.fallback { " or" } else { "" };
                    format!("{} {} {}{mark}", it.ecosystem, it.name, it.version)
                })
                .collect(),
            Subject::Uncovered(uncovered) => vec![uncovered.message],
            other => vec![format!("{other:?}")],
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn debian_and_alpine_speak_of_source_packages() {
        let libc = package("deb", "libc6", "2.36-9+deb12u4");
        check("debian 12", &libc, &["Debian:12 libc6 2.36-9+deb12u4"]);
        check("debian 12", &from(libc, "glibc", None), &["Debian:12 glibc 2.36-9+deb12u4"]);
        let rebuilt = package("deb", "libx", "1:1.2-3+b12");
        check("debian 12", &from(rebuilt.clone(), "x", None), &["Debian:12 x 1:1.2-3"]);
        check("debian 12", &from(rebuilt, "x", Some("0.9-1")), &["Debian:12 x 0.9-1"]);
        let ssl = from(package("apk", "libssl3", "3.3.0-r2"), "openssl", None);
        check("alpine 3.20.3", &ssl, &["Alpine:v3.20 openssl 3.3.0-r2"]);
        check(
            "alpine 3.12.1",
            &ssl,
            &["alpine:3.12 libssl3 3.3.0-r2", "alpine:3.12 openssl 3.3.0-r2"],
        );
    }

    #[test]
    fn rpm_lists_speak_of_binaries_first() {
        let mut libs =
            from(package("rpm", "openssl-libs", "3.0.1-43.el9"), "openssl", Some("3.0.1-43.el9"));
        libs.epoch = Some(1);
        let both =
            ["AlmaLinux:9 openssl-libs 1:3.0.1-43.el9", "AlmaLinux:9 openssl 1:3.0.1-43.el9 or"];
        check("almalinux 9.3", &libs, &both);
        check(
            "wolfi 1",
            &from(package("apk", "a", "1-r0"), "b", None),
            &["Wolfi a 1-r0", "Wolfi b 1-r0"],
        );
    }

    #[test]
    fn a_language_has_one_list_wherever_it_is() {
        let mut core = package("maven", "log4j-core", "2.14.0");
        core.namespace = Some("org.apache.logging.log4j".into());
        check("", &core, &["Maven org.apache.logging.log4j:log4j-core 2.14.0"]);
        let mut scoped = package("npm", "core", "1.0.0");
        scoped.namespace = Some("@scope".into());
        check("x 1", &scoped, &["npm @scope/core 1.0.0"]);
        check("", &package("golang", "stdlib", "go1.22.1"), &["Go stdlib 1.22.1"]);
        let drupal = package("composer", "drupal/core", "9.0.0");
        let lists = [
            "Packagist drupal/core 9.0.0",
            "Packagist:https://packages.drupal.org/8 drupal/core 9.0.0",
        ];
        check("", &drupal, &lists);
        let mut python = package("generic", "python", "3.11.4");
        python.evidence = Evidence::Binary;
        check("", &python, &["Bitnami python 3.11.4"]);
    }

    #[test]
    fn rebuilds_have_their_own_lists() {
        check("ubuntu 22.04", &package("deb", "a", "1-1"), &["Ubuntu:22.04:LTS a 1-1"]);
        check(
            "ubuntu 22.04",
            &package("deb", "a", "1-1+esm2"),
            &["Ubuntu:Pro:22.04:LTS a 1-1+esm2"],
        );
        check(
            "debian 12",
            &package("deb", "a", "1-1+root.io.1"),
            &["Root:Debian:12 a 1-1+root.io.1"],
        );
    }

    #[test]
    fn what_cannot_be_judged_says_why() {
        check(
            "debian 14",
            &package("deb", "a", "1"),
            &["the database has no advisories for debian 14"],
        );
        check(
            "linuxmint 21",
            &package("deb", "a", "1"),
            &["the database has no advisories for linuxmint 21"],
        );
        check("", &package("deb", "a", "1"), &["the image does not name its distribution"]);
        check("debian 12", &package("rpm", "a", "1"), &["debian 12 has no packages of type rpm"]);
        check(
            "",
            &package("conda", "a", "1"),
            &["the database has no advisories for packages of type conda"],
        );
        check(
            "",
            &package("cargo", "a", "1"),
            &["the database has no advisories for packages of type cargo"],
        );
        check("", &package("npm", "a", ""), &["a has no version"]);
        check("rocky 9", &package("rpm", "gpg-pubkey", "1-1"), &["NoPackage"]);
        let mut docker = package("deb", "docker-ce", "5:24.0.7-1");
        docker.origin = Some("Docker <support@docker.com>".into());
        let said = "packages from Docker are not in the advisories of debian 12";
        check("debian 12", &docker, &[said]);
        let mut locked = package("npm", "a", "1.0.0");
        locked.evidence = Evidence::Lockfile;
        check("", &locked, &["NotInstalled"]);
        let mut tini = package("generic", "tini", "0.19.0");
        tini.evidence = Evidence::Binary;
        check("", &tini, &["the database has no advisories for the program tini"]);
    }
}
