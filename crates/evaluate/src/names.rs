//! Under which names and versions a package is looked up, and in which lists;
//! or why it cannot be.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use inscan_facts::package::{Certainty, Evidence};
use inscan_facts::package_type;
use inscan_facts::purl;

use super::cpe;
use super::ecosystem::{self, Names, Release};
use super::evaluation::{Match, NameOf, UncoveredCode};
use super::{sources, third_party, variant};
use crate::versions::{self, Scheme};
use inscan_document::Section;
use inscan_document::section::{DistributionInfo, PackageRow, ReleaseName};
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
    /// Where the list does not know the name, it may have it in another case.
    pub(super) any_case: bool,
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

/// What is the same for all packages of one distribution.
pub(super) struct ImageContext<'a> {
    distribution: Option<Cow<'a, DistributionInfo>>,
    release: Option<Release>,
    /// The ecosystems of which the database knows anything.
    covered: &'a BTreeSet<String>,
    lockfiles: bool,
}

/// The places of a document's packages: the image's own, and those of packages that were made
/// for another distribution.
pub(super) struct Places<'a> {
    image: ImageContext<'a>,
    others: BTreeMap<ReleaseName, ImageContext<'a>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(
        section: &'a Section,
        covered: &'a BTreeSet<String>,
        lockfiles: bool,
    ) -> Self {
        let place = |distribution: Option<Cow<'a, DistributionInfo>>| ImageContext {
            release: distribution.as_deref().and_then(|found| ecosystem::release(found, covered)),
            distribution,
            covered,
            lockfiles,
        };
        let own = section.packages.iter().filter_map(|package| package.distribution.as_ref());
        let others = own.collect::<BTreeSet<_>>().into_iter().map(|release| {
            let ReleaseName { id, version, codename } = release.clone();
            let info = DistributionInfo { id, version, codename, ..DistributionInfo::default() };
            (release.clone(), place(Some(Cow::Owned(info))))
        });
        let others = others.collect();
        Places { image: place(section.distribution.as_ref().map(Cow::Borrowed)), others }
    }

    pub(super) fn of(&self, package: &PackageRow) -> &ImageContext<'a> {
        let other = package.distribution.as_ref().and_then(|release| self.others.get(release));
        other.unwrap_or(&self.image)
    }

    /// The image's, and then the others.
    pub(super) fn all(&self) -> impl Iterator<Item = &ImageContext<'a>> {
        [&self.image].into_iter().chain(self.others.values())
    }
}

impl ImageContext<'_> {
    pub(super) fn info(&self) -> Option<&DistributionInfo> {
        self.distribution.as_deref()
    }

    /// `debian 12`.
    pub(super) fn distribution(&self) -> String {
        self.info().map_or_else(String::new, |found| {
            let codename = found.codename.as_deref().unwrap_or_default();
            let version = match found.version.as_str() {
                "" => {
                    inscan_facts::distribution::version_of(&found.id, codename).unwrap_or(codename)
                }
                version => version,
            };
            let id = match found {
                found if ecosystem::is_centos_stream(found) => "CentOS Stream",
                found if ecosystem::is_kitten(found) => "AlmaLinux Kitten",
                found => &found.id,
            };
            format!("{id} {version}").trim().to_owned()
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
            any_case: false,
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
        if let Err(gap) = known(package) {
            return Subject::Uncovered(gap);
        }
        let stated_only = matches!(package.evidence, Evidence::Lockfile | Evidence::Manifest);
        if stated_only && !self.lockfiles {
            return Subject::NotInstalled;
        }
        if package.kind == "rpm" && package.name == "gpg-pubkey" {
            return Subject::NoPackage;
        }
        match self.look_ups(package).and_then(comparable(package)) {
            Ok(look_ups) => Subject::LookUp(look_ups),
            Err(uncovered) => Subject::Uncovered(uncovered),
        }
    }

    /// The questions about a package, whether or not its version can be compared.
    pub(super) fn look_ups(&self, package: &PackageRow) -> Result<Vec<LookUp>, Uncovered> {
        match package.kind.as_str() {
            UNIDENTIFIED => Err(unidentified()),
            kind if package_type::has_release_advisories(kind) => self.of_distribution(package),
            _ => self.of_language(package),
        }
    }

    /// What is missing where the list does not know a package's own name, and its source is not
    /// known.
    pub(super) fn needs_source(&self, package: &PackageRow) -> Option<Uncovered> {
        sources::lacks_source(package).then(|| Uncovered {
            code: UncoveredCode::NoDataForDistribution,
            subject: "packages without their source package".to_owned(),
            message: format!(
                "advisories of {} go by source packages, which are not stated",
                self.distribution()
            ),
        })
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
        let scheme = versions::of_package(&package.kind, &package.name);
        let orders_agree = |list: &&str| {
            versions::of_ecosystem(list).is_none_or(|of_list| Some(of_list) == scheme)
        };
        let no_data = || no_advisories(&distribution);
        let (Some(release), Some(scheme)) = (&self.release, scheme) else { return Err(no_data()) };
        let variant = variant::of(package, release, &distribution, self.covered);
        let is_variant = variant.as_ref().is_ok_and(|lists| !lists.is_empty());
        let lists = match &variant {
            Ok(lists) if is_variant => lists.iter().map(|it| &**it).collect(),
            _ => self.lists(),
        };
        if lists.is_empty() {
            return Err(no_data());
        }
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
        variant.as_ref().map_err(Clone::clone)?;
        // The legacy engine's documents leave rpm's epochs out.
        let any_epoch = package.kind == "rpm" && package.analyzer == "legacy";
        let look_ups = |name: &str, version: &str, name_of, fallback| {
            let look_up = |(number, list): (usize, &&str)| LookUp {
                ecosystem: (*list).to_owned(),
                name: name.to_owned(),
                name_of,
                version: version.to_owned(),
                scheme,
                // Of a variant's lists the closest that knows the package.
                fallback: fallback || is_variant && number > 0,
                any_epoch,
                any_case: false,
            };
            lists.iter().enumerate().map(look_up).collect::<Vec<_>>()
        };
        let (source, source_version) = source(package);
        // Where the list speaks of the signed source itself, that is meant.
        let signed = signed_from(source, &source_version);
        let of_signed = signed.map_or_else(Vec::new, |(name, version)| {
            look_ups(&name, &version, NameOf::Source, true)
        });
        let is_same = source == package.name;
        let name_of = if is_same { NameOf::Package } else { NameOf::Source };
        let binary_version = with_epoch(package, &package.version);
        let of_binary = look_ups(&package.name, &binary_version, NameOf::Package, false);
        // The feeds' groups have either name, and the legacy engine takes both.
        let is_feed = lists.iter().any(|list| release.feeds.iter().any(|feed| feed == list));
        let names = if is_feed { Names::Both } else { release.names };
        let mut all = match names {
            Names::Source => look_ups(source, &source_version, name_of, false),
            _ if is_same => of_binary,
            names => {
                let fallback = names == Names::BinaryThenSource;
                let of_source = look_ups(source, &source_version, name_of, fallback);
                of_binary.into_iter().chain(of_source).collect()
            }
        };
        all.extend(of_signed);
        Ok(all)
    }

    fn of_language(&self, package: &PackageRow) -> Result<Vec<LookUp>, Uncovered> {
        let kind = package.kind.as_str();
        let (lists, name) = match kind {
            // A program that its own text or an SBOM names.
            "generic" if matches!(package.evidence, Evidence::Binary | Evidence::Sbom) => {
                (vec!["Bitnami"], upstream(&package.name).to_owned())
            }
            kind => match ecosystem::of_type(kind) {
                Some((osv, feed)) => (vec![osv, feed], known_name(package)),
                None => (Vec::new(), String::new()),
            },
        };
        let no_data = |subject: &str| Uncovered {
            code: UncoveredCode::NoDataForEcosystem,
            subject: subject.to_owned(),
            message: format!("the database has no advisories for {subject}"),
        };
        let is_covered = |name: &&&str| {
            let repositories = format!("{name}:");
            self.covered.contains(**name)
                || self.covered.iter().any(|known| known.starts_with(&repositories))
        };
        let Some(list) = lists.iter().find(is_covered) else {
            return Err(no_data(&format!("packages of type {kind}")));
        };
        let scheme = versions::of_ecosystem(list)
            .or_else(|| versions::of_package(kind, &package.name))
            .ok_or_else(|| no_data(&format!("packages of type {kind}")))?;
        if kind == "generic" && name.is_empty() {
            return Err(no_data(&format!("the program {}", package.name)));
        }
        let version = versions::plain(kind, &package.version).into_owned();
        let look_up = |ecosystem: &str| LookUp {
            ecosystem: ecosystem.to_owned(),
            name: name.clone(),
            name_of: NameOf::Package,
            version: version.clone(),
            scheme,
            fallback: false,
            any_epoch: false,
            any_case: kind == "golang",
        };
        let mut look_ups = vec![look_up(list)];
        look_ups.extend(modules_around(package).into_iter().map(|name| LookUp {
            name,
            fallback: true,
            ..look_up(list)
        }));
        // The group may be any that advisories know with this artifact.
        if kind == "maven" && package.identity.namespace != Certainty::Stated {
            let any =
                LookUp { name: package.name.clone(), name_of: NameOf::AnyGroup, ..look_up(list) };
            // Some groups are called as their artifact.
            match package.identity.namespace == Certainty::derived(ARTIFACT_AS_GROUP) {
                true => look_ups.push(LookUp { fallback: true, ..any }),
                false => look_ups = vec![any],
            }
        }
        // Those of other repositories than the ecosystem's own, as Drupal's of its modules:
        // `Packagist:https://packages.drupal.org/8`.
        let of_repositories = format!("{list}:");
        let repositories = self.covered.iter().filter(|name| name.starts_with(&of_repositories));
        look_ups.extend(repositories.map(|name| look_up(name)));
        let root = format!("Root:{list}");
        if package.version.contains("root.io") && self.covered.contains(&root) {
            look_ups = vec![look_up(&root)];
        }
        Ok(look_ups)
    }
}

fn no_advisories(distribution: &str) -> Uncovered {
    Uncovered {
        code: UncoveredCode::NoDataForDistribution,
        message: format!("the database has no advisories for {distribution}"),
        subject: distribution.to_owned(),
    }
}

/// A version that its own order cannot read is compared with nothing.
fn comparable(
    package: &PackageRow,
) -> impl FnOnce(Vec<LookUp>) -> Result<Vec<LookUp>, Uncovered> + '_ {
    move |look_ups| {
        let is_unknown = package.identity.version == Certainty::Unknown;
        let problem = look_ups.iter().find_map(|look_up| match look_up.version.as_str() {
            "" => Some("has no version".to_owned()),
            _ if is_unknown => Some("its version is not known".to_owned()),
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

/// The modules that a path of Go may lie in, where a package URL alone states it, with the end of
/// the path as its subpath.
fn modules_around(package: &PackageRow) -> Vec<String> {
    if package.kind != "golang" || package.identity.name != Certainty::derived(purl::SUBPATH) {
        return Vec::new();
    }
    let path = full_name(package);
    let around = path.match_indices('/').skip(1).map(|(at, _)| path[..at].to_owned());
    around.collect()
}

/// What is not known is not looked up: a miss would be taken for clean.
fn known(package: &PackageRow) -> Result<(), Uncovered> {
    let identity = &package.identity;
    match (&identity.name, &identity.version) {
        (Certainty::Unknown, _) => Err(unknown(package, "name")),
        (_, Certainty::Unknown) => Err(unknown(package, "version")),
        _ => Ok(()),
    }
}

fn unknown(package: &PackageRow, part: &str) -> Uncovered {
    let name = full_name(package);
    let place = match package.location.as_str() {
        "" => String::new(),
        place => format!(" (/{place})"),
    };
    Uncovered {
        code: UncoveredCode::VersionNotComparable,
        subject: name.clone(),
        message: format!("the {part} of {name}{place} is not known"),
    }
}

/// The type of a component in an SBOM that no package URL identifies: `inscan_sbom::UNIDENTIFIED`.
const UNIDENTIFIED: &str = "unidentified";

/// A rule of SBOMs: `inscan_sbom::ARTIFACT_AS_GROUP`.
const ARTIFACT_AS_GROUP: &str = "artifact-as-group";

fn unidentified() -> Uncovered {
    Uncovered {
        code: UncoveredCode::Unidentified,
        subject: "components without a package URL".to_owned(),
        message:
            "components of the SBOM have no package URL, so that nobody can tell what they are"
                .to_owned(),
    }
}

/// As its ecosystem's list calls it. Go's standard library has the name `stdlib` there, and `std`
/// in its own go.mod, as cyclonedx-gomod has it.
fn known_name(package: &PackageRow) -> String {
    match (package.kind.as_str(), full_name(package)) {
        ("golang", name) if name == "std" => "stdlib".to_owned(),
        (_, name) => name,
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

/// What a source package of signed programs was built from, which advisories speak of, and its
/// version: `linux` 6.1.76-1 for Debian's `linux-signed-amd64` 6.1.76+1, `grub2` 2.06-13 for
/// `grub-efi-amd64-signed` 1+2.06+13. <https://wiki.debian.org/SecureBoot/Discussion>
///
/// What is signed of fwupd was a part of it before it became `fwupd-efi`: in Debian with an epoch,
/// in Ubuntu from 1.40 on.
fn signed_from(source: &str, version: &str) -> Option<(String, String)> {
    // Ubuntu's have the version of what they sign: `linux-signed-hwe-6.5` of `linux-hwe-6.5`.
    if let Some(flavour) = source.strip_prefix("linux-signed") {
        let flavour = flavour.trim_start_matches("-amd64").trim_start_matches("-arm64");
        let flavour = flavour.trim_start_matches("-i386");
        let version = match version.contains('-') {
            true => version.split('+').next().unwrap_or_default().to_owned(),
            false => version.replacen('+', "-", 1),
        };
        return Some((format!("linux{flavour}"), version));
    }
    const ARCHITECTURES: [&str; 6] =
        ["-amd64", "-arm64", "-armhf", "-i386", "-ppc64el", "-riscv64"];
    let signed = source.strip_suffix("-signed")?;
    let program = ARCHITECTURES.iter().find_map(|arch| signed.strip_suffix(arch));
    let is_split =
        version.contains(':') || !version.starts_with("1.2") && !version.starts_with("1.3");
    let of = match program.unwrap_or(signed) {
        "grub-efi" => "grub2",
        "fwupd" if program.is_none() && is_split => "fwupd-efi",
        "fwupd" if version.contains(':') => "fwupd-efi",
        "shim-helpers" => "shim",
        "systemd-boot-efi" => "systemd",
        other => other,
    };
    // Its own version may stand before the other's: `1+2.06+13`, `1.187.6+2.06-2ubuntu14.4`. A last
    // `+` stands for the `-` before the revision: `6.1.76+1`.
    let is_number = |at: &usize| version[at + 1..].starts_with(|char: char| char.is_ascii_digit());
    let pluses: Vec<usize> =
        version.match_indices('+').map(|(at, _)| at).filter(is_number).collect();
    let rest = match pluses.as_slice() {
        [] => return None,
        [first, ..] if version[first + 1..].contains('-') => &version[first + 1..],
        [_one] => version,
        [first, ..] if program.is_none() || matches!(of, "grub2" | "shim") => &version[first + 1..],
        _ => version,
    };
    let version = if rest.contains('-') { rest.to_owned() } else { rest.replacen('+', "-", 1) };
    Some((of.to_owned(), version))
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
            "Ubuntu:Pro:16.04:LTS",
            "Ubuntu:Pro:22.04:LTS",
            "Ubuntu:Pro:FIPS:22.04:LTS",
            "Ubuntu:Pro:FIPS-updates:22.04:LTS",
            "Ubuntu:24.04:LTS",
            "Wolfi",
            "alpine:3.12",
            "Root:Debian:12",
            "Packagist:https://packages.drupal.org/8",
        ];
        let covered = covered.iter().map(|name| (*name).to_owned()).collect();
        let places = Places::new(&section, &covered, false);
        let found = match places.of(package).subject(package) {
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
        check("", &package("golang", "std", "v1.22.1"), &["Go stdlib v1.22.1"]);
        let mut folder = package("golang", "vault/api", "v1.9.0");
        folder.namespace = Some("github.com/hashicorp".into());
        folder.identity.name = Certainty::derived(purl::SUBPATH);
        let paths = [
            "Go github.com/hashicorp/vault/api v1.9.0",
            "Go github.com/hashicorp v1.9.0 or",
            "Go github.com/hashicorp/vault v1.9.0 or",
        ];
        check("", &folder, &paths[..]);
        let drupal = package("composer", "drupal/core", "9.0.0");
        let lists = [
            "Packagist drupal/core 9.0.0",
            "Packagist:https://packages.drupal.org/8 drupal/core 9.0.0",
        ];
        check("", &drupal, &lists);
        let mut same = package("maven", "spring-core", "5.3.0");
        same.namespace = Some("spring-core".into());
        same.identity.namespace = Certainty::derived(ARTIFACT_AS_GROUP);
        let lists = ["Maven spring-core:spring-core 5.3.0", "Maven spring-core 5.3.0 or"];
        check("", &same, &lists);
        let mut python = package("generic", "python", "3.11.4");
        python.evidence = Evidence::Binary;
        check("", &python, &["Bitnami python 3.11.4"]);
        python.evidence = Evidence::Sbom;
        check("", &python, &["Bitnami python 3.11.4"]);
    }

    #[test]
    fn rebuilds_have_their_own_lists() {
        check("ubuntu 22.04", &package("deb", "a", "1-1"), &["Ubuntu:22.04:LTS a 1-1"]);
        check(
            "ubuntu 22.04",
            &package("deb", "a", "1-1+esm2"),
            &["Ubuntu:Pro:22.04:LTS a 1-1+esm2", "Ubuntu:22.04:LTS a 1-1+esm2 or"],
        );
        // Past its end there may be Ubuntu Pro's list alone.
        check("ubuntu 16.04", &package("deb", "a", "1-1"), &["Ubuntu:Pro:16.04:LTS a 1-1"]);
        let fips = package("deb", "a", "1-1+Fips1");
        let lists = [
            "Ubuntu:Pro:FIPS-updates:22.04:LTS a 1-1+Fips1",
            "Ubuntu:Pro:FIPS:22.04:LTS a 1-1+Fips1 or",
        ];
        check("ubuntu 22.04", &fips, &lists);
        let none = "the database has no advisories for the FIPS packages of ubuntu 24.04";
        check("ubuntu 24.04", &fips, &[none]);
        check(
            "debian 12",
            &package("deb", "a", "1-1+root.io.1"),
            &["Root:Debian:12 a 1-1+root.io.1"],
        );
    }

    #[test]
    fn what_is_signed_is_judged_by_what_it_was_built_from() {
        #[track_caller]
        fn signed(source: &str, version: &str, expected: (&str, &str)) {
            let found = signed_from(source, version).unwrap_or_default();
            assert_eq!((found.0.as_str(), found.1.as_str()), expected, "{source} {version}");
        }
        signed("linux-signed-amd64", "6.1.76+1", ("linux", "6.1.76-1"));
        signed("linux-signed-arm64", "6.5.10+1~bpo12+1", ("linux", "6.5.10-1~bpo12+1"));
        signed("linux-signed", "6.8.0-31.31", ("linux", "6.8.0-31.31"));
        signed(
            "linux-signed-hwe-6.5",
            "6.5.0-28.29~22.04.1",
            ("linux-hwe-6.5", "6.5.0-28.29~22.04.1"),
        );
        signed("linux-signed-aws", "6.8.0-1008.8+1", ("linux-aws", "6.8.0-1008.8"));
        signed("grub-efi-amd64-signed", "1+2.06+13+deb12u1", ("grub2", "2.06-13+deb12u1"));
        signed("grub2-signed", "1.187.6+2.06-2ubuntu14.4", ("grub2", "2.06-2ubuntu14.4"));
        signed("shim-signed", "1.44~1+deb12u1+15.8-1~deb12u1", ("shim", "15.8-1~deb12u1"));
        signed("fwupd-amd64-signed", "1:1.4+1", ("fwupd-efi", "1:1.4-1"));
        signed("fwupd-amd64-signed", "1.5.7+4+deb11u1", ("fwupd", "1.5.7-4+deb11u1"));
        signed("fwupd-efi-arm64-signed", "1:1.4+1", ("fwupd-efi", "1:1.4-1"));
        signed("fwupd-signed", "1.51~22.04.1+1.4-0ubuntu0.1", ("fwupd-efi", "1.4-0ubuntu0.1"));
        signed("fwupd-signed", "1.27.1ubuntu7+1.7.9-1~20.04.1", ("fwupd", "1.7.9-1~20.04.1"));
        signed("systemd-boot-efi-amd64-signed", "257.7+1", ("systemd", "257.7-1"));
        signed("sicherboot-signed", "1.2+3", ("sicherboot", "1.2-3"));
        signed("linux", "6.1.76-1", ("", ""));
        signed("shim-signed", "1.44", ("", ""));
        let kernel = from(
            package("deb", "linux-image-6.1.0-18-amd64", "6.1.76-1"),
            "linux-signed-amd64",
            Some("6.1.76+1"),
        );
        let lists = ["Debian:12 linux-signed-amd64 6.1.76+1", "Debian:12 linux 6.1.76-1 or"];
        check("debian 12", &kernel, &lists);
    }

    #[test]
    fn a_package_of_another_distribution_has_its_own_list() {
        let mut foreign = package("rpm", "a", "1-1.el9");
        let release = ReleaseName { id: "almalinux".into(), version: "9.4".into(), codename: None };
        foreign.distribution = Some(release);
        // `check` makes the section without packages, so that only the names count here.
        let section = Section { packages: vec![foreign.clone()], ..Section::default() };
        let covered = ["AlmaLinux:9".to_owned()].into_iter().collect();
        let places = Places::new(&section, &covered, false);
        assert!(matches!(places.of(&foreign).subject(&foreign), Subject::LookUp(_)));
        foreign.distribution = None;
        assert!(matches!(places.of(&foreign).subject(&foreign), Subject::Uncovered(_)));
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
        let stream = "the database has no advisories for CentOS Stream 9";
        check("centos 9", &package("rpm", "a", "1-1.el9"), &[stream]);
        let unidentified =
            "components of the SBOM have no package URL, so that nobody can tell what they are";
        check("", &package("unidentified", "a", "1"), &[unidentified]);
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
