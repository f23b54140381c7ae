//! What somebody means who names a package or an image, and whether it is the one that is there:
//! one notion for VEX and for exceptions.
//!
//! A version, a qualifier or a digest that is not stated is left open; one that is stated has to
//! be the same, and one that is not understood is not.

use std::collections::BTreeSet;

use inscan_document::Section;
use inscan_document::section::{ImageInfo, PackageRow};
use inscan_facts::distribution;
use inscan_facts::package::Distribution;
use inscan_facts::package_type;
use inscan_facts::purl::{self, Purl};

use crate::pattern::glob;
use crate::versions;

/// What is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// By a package URL: a package, or an image.
    Purl(Purl),
    /// An image's name, or something that cannot be compared with anything.
    Plain(String),
}

impl Name {
    /// A part of a package (`#subpath`) is nothing that is known of any; Go's is a part of the path.
    pub fn read(text: &str) -> Name {
        match purl::parse(text).filter(|purl| purl.subpath.is_none() || purl.kind == "golang") {
            Some(purl) => Name::Purl(purl),
            None => Name::Plain(text.to_owned()),
        }
    }

    /// Whether two words mean one architecture.
    pub(crate) fn is_architecture(one: &str, other: &str) -> bool {
        architecture(one) == architecture(other)
    }

    pub(crate) fn is_package(&self, section: &Section, package: &PackageRow) -> bool {
        matches!(self, Name::Purl(purl) if is_package(purl, section, package))
    }

    pub(crate) fn is_image(&self, image: &ImageInfo) -> bool {
        match self {
            Name::Purl(purl) => is_image(purl, image),
            Name::Plain(name) => is_called(name, image),
        }
    }

    /// Whether the package is a part of what is named: it, or the archive, the program or the OS
    /// package that brought it. Where several did, all have to be.
    pub(crate) fn holds(&self, section: &Section, index: usize) -> bool {
        self.holds_within(section, index, &mut BTreeSet::new()) == Some(true)
    }

    /// `None`: only by ways that were gone already, in a circle or beside it.
    fn holds_within(
        &self,
        section: &Section,
        index: usize,
        seen: &mut BTreeSet<usize>,
    ) -> Option<bool> {
        let package = section.packages.get(index)?;
        let around = brought_by(section, index, package);
        if around.is_empty() {
            return Some(false);
        }
        let is_it =
            |of: usize| section.packages.get(of).is_some_and(|it| self.is_package(section, it));
        let ways = around.iter().filter(|of| seen.insert(**of)).copied().collect::<Vec<_>>();
        let answers = ways.into_iter().filter_map(|of| match is_it(of) {
            true => Some(true),
            false => self.holds_within(section, of, seen),
        });
        answers.reduce(|all, one| all && one)
    }
}

/// What brought a package: its OS package, the archive around it, the program it was linked into,
/// and what an SBOM says.
fn brought_by(section: &Section, index: usize, package: &PackageRow) -> Vec<usize> {
    let mut all: Vec<usize> = package.part_of.iter().copied().chain(package.owned_by).collect();
    let others = || section.packages.iter().enumerate().filter(|(other, _)| *other != index);
    if let Some((outer, _)) = package.location.rsplit_once(':') {
        all.extend(others().filter(|(_, it)| it.location == outer).map(|(other, _)| other));
    }
    let is_main = |it: &PackageRow| it.attributes.get("main").is_some_and(|main| main == "true");
    if package.kind == "golang" && !package.location.is_empty() && !is_main(package) {
        let program =
            |it: &PackageRow| it.kind == "golang" && is_main(it) && it.location == package.location;
        all.extend(others().filter(|(_, it)| program(it)).map(|(other, _)| other));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The same for a pattern: a package URL in which `*` stands for any text.
pub(crate) fn fits(pattern: &str, section: &Section, package: &PackageRow) -> bool {
    let (Some(named), Some(found)) = (purl::parse(pattern), purl::parse(&package.purl)) else {
        return false;
    };
    if !pattern.contains('*') {
        return is_package(&named, section, package);
    }
    let path = |purl: &Purl| match &purl.namespace {
        Some(namespace) => format!("{namespace}/{}", purl.name).to_lowercase(),
        None => purl.name.to_lowercase(),
    };
    let is_path = glob(&path(&named), &path(&found))
        || named.kind == found.kind
            && is_namespace(&named, &found)
            && is_name(&found.kind, &named.name, &found.name);
    let installed = with_epoch(package, &package.version);
    let is_version = |stated: &String| {
        glob(stated, &package.version)
            || versions::is_same(&found.kind, &found.name, &installed, stated)
    };
    glob(&named.kind, &found.kind)
        && is_path
        && named.version.as_ref().is_none_or(is_version)
        && named.qualifiers.iter().all(|(key, value)| {
            qualifier(&found, key).is_some_and(|own| glob(value, own))
                || is_qualifier(key, value, &found, section, package)
        })
}

fn with_epoch(package: &PackageRow, version: &str) -> String {
    match package.epoch.filter(|_| package.kind == "rpm") {
        Some(epoch) if !version.contains(':') => format!("{epoch}:{version}"),
        _ => version.to_owned(),
    }
}

fn is_package(named: &Purl, section: &Section, package: &PackageRow) -> bool {
    let Some(found) = purl::parse(&package.purl) else { return false };
    if named.kind != found.kind || !is_namespace(named, &found) {
        return false;
    }
    // Distributions speak of sources too.
    let is_source = ["source", "src"].map(Some).contains(&qualifier(named, "arch"));
    let (name, version) = match is_source {
        true => source(package),
        false => (found.name.clone(), package.version.clone()),
    };
    let version = with_epoch(package, &version);
    let is_version = |stated: &String| {
        let epoch = qualifier(named, "epoch").filter(|_| !stated.contains(':'));
        let stated = epoch.map_or(stated.clone(), |epoch| format!("{epoch}:{stated}"));
        versions::is_same(&named.kind, &name, &version, &stated)
    };
    is_name(&named.kind, &named.name, &name)
        && named.version.as_ref().is_none_or(is_version)
        && is_distribution(named, section, package)
        && named.qualifiers.iter().all(|(key, value)| {
            is_source && key == "arch" || is_qualifier(key, value, &found, section, package)
        })
}

fn qualifier<'a>(purl: &'a Purl, key: &str) -> Option<&'a str> {
    purl.qualifiers.get(key).map(String::as_str)
}

/// Vendors have been written in several ways: `Purl::has_namespace_of`.
fn is_namespace(named: &Purl, found: &Purl) -> bool {
    let namespace = |purl: &Purl| purl.namespace.clone().unwrap_or_default();
    let (named_by, found_in) = (namespace(named), namespace(found));
    let is_os = package_type::namespace_is_distribution(&named.kind);
    named.has_namespace_of(found)
        || is_os && !named_by.is_empty() && distribution::is_family(&named_by, &found_in)
        || is_os && !found_in.is_empty() && distribution::is_family(&found_in, &named_by)
}

pub(crate) fn is_name(kind: &str, named: &str, found: &str) -> bool {
    let python = |name: &str| {
        let parts = name.split(['_', '.', '-']).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("-").to_lowercase()
    };
    // One thing has two names: that of the module in Go's tree, and that of Go's database.
    let go = |name: &str| if name == "std" { "stdlib".to_owned() } else { name.to_lowercase() };
    match kind {
        "pypi" => python(named) == python(found),
        "golang" => go(named) == go(found),
        _ => named.eq_ignore_ascii_case(found),
    }
}

fn source(package: &PackageRow) -> (String, String) {
    let source = package.source.as_ref().filter(|source| !source.name.is_empty());
    let name = source.map_or(&package.name, |source| &source.name);
    let version = source.and_then(|source| source.version.as_ref()).unwrap_or(&package.version);
    (name.clone(), version.clone())
}

/// As `distro`, or in Docker's words: `os_name`, `os_version`, `os_distro`.
const OF_DISTRIBUTION: [&str; 4] = ["distro", "os_distro", "os_name", "os_version"];

fn is_distribution(named: &Purl, section: &Section, package: &PackageRow) -> bool {
    let stated = OF_DISTRIBUTION.iter().any(|key| named.qualifiers.contains_key(*key));
    let Some(stated) = distribution::of_purl(named).filter(|_| stated) else { return !stated };
    let variant = qualifier(named, "distro").and_then(distribution::variant);
    if variant.is_some_and(|(variant, _)| !is_built_for(variant, package)) {
        return false;
    }
    let own = package.distribution.as_ref().map(|own| Distribution {
        id: own.id.clone(),
        version: own.version.clone(),
        codename: own.codename.clone(),
        ..Distribution::default()
    });
    let image = || {
        let found = section.distribution.as_ref()?;
        let version =
            if found.version.is_empty() { found.codename.as_ref()? } else { &found.version };
        Some(distribution::named(&found.id, version))
    };
    own.or_else(image).is_some_and(|found| distribution::is_release(&stated, &found))
}

/// Whether a package is one that Ubuntu builds for customers: its version says so.
fn is_built_for(variant: &str, package: &PackageRow) -> bool {
    let version = package.version.to_ascii_lowercase();
    match variant {
        variant if variant.starts_with("esm") => version.contains("esm"),
        variant if variant.starts_with("fips") => version.contains("fips"),
        _ => false,
    }
}

fn is_qualifier(
    key: &str,
    value: &str,
    found: &Purl,
    section: &Section,
    package: &PackageRow,
) -> bool {
    let own = qualifier(found, key);
    let image = &section.image;
    match key {
        // Compared with the version.
        "epoch" if found.kind == "rpm" => true,
        key if OF_DISTRIBUTION.contains(&key) => {
            own == Some(value) || package_type::namespace_is_distribution(&found.kind)
        }
        "arch" => {
            let own = own.or(package.arch.as_deref()).or(image.architecture.as_deref());
            own.is_some_and(|own| architecture(own) == architecture(value))
        }
        // Defaults: <https://github.com/package-url/purl-spec/tree/main/types-doc>.
        "type" if found.kind == "maven" && value == "jar" => own.is_none_or(|own| own == "jar"),
        "type" if found.kind == "golang" => value == "module",
        "goos" => own.or(image.os.as_deref()) == Some(value),
        "goarch" => own.or(image.architecture.as_deref()) == Some(value),
        "upstream" => {
            let (name, version) = source(package);
            let (stated, at) = value.split_once('@').map_or((value, None), |(a, b)| (a, Some(b)));
            stated == name && at.is_none_or(|at| at == version) || own == Some(value)
        }
        "rpmmod" | "modularitylabel" => {
            package.attributes.get("modularity-label").is_some_and(|label| label == value)
        }
        // Syft's number of the package in its own document.
        "package-id" => true,
        _ => own == Some(value),
    }
}

/// By Go's name.
fn architecture(name: &str) -> &str {
    match name {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" => "386",
        "armhf" | "armv7" | "armv7l" => "arm",
        "ppc64el" => "ppc64le",
        other => other,
    }
}

/// `pkg:oci/app@sha256:…?repository_url=registry.example/team/app`.
fn is_image(named: &Purl, image: &ImageInfo) -> bool {
    if !matches!(named.kind.as_str(), "oci" | "docker") {
        return false;
    }
    let is_digest = |version: &&String| version.starts_with("sha256:");
    let digest = named.version.as_ref().filter(is_digest);
    let tag = qualifier(named, "tag").or(named.version.as_deref().filter(|_| digest.is_none()));
    let platform = |value: &str| {
        let mut parts = value.split('/');
        is_text(parts.next(), image.os.as_deref())
            && is_architecture(parts.next(), image)
            && parts.next().is_none_or(|it| is_text(Some(it), image.variant.as_deref()))
    };
    let fits = named.qualifiers.iter().all(|(key, value)| match key.as_str() {
        "arch" | "architecture" => is_architecture(Some(value), image),
        "os" => is_text(Some(value), image.os.as_deref()),
        "variant" => is_text(Some(value), image.variant.as_deref()),
        "platform" => platform(value),
        "repository_url" | "tag" => true,
        _ => false,
    });
    // A digest says it all: the same image lies in several places.
    fits && match digest {
        Some(digest) => has_digest(digest, image),
        None => names(image).any(|name| {
            let place = Place::of(name);
            let is_there = match (named.kind.as_str(), qualifier(named, "repository_url")) {
                // Wherever it lies.
                ("oci", None) => place.path.rsplit('/').next() == Some(&named.name),
                _ => wanted(named).iter().any(|wanted| wanted.is(&place)),
            };
            is_there && tag.is_none_or(|tag| place.tag == Some(tag))
        }),
    }
}

fn is_text(stated: Option<&str>, found: Option<&str>) -> bool {
    stated.zip(found).is_some_and(|(stated, found)| stated.eq_ignore_ascii_case(found))
}

fn is_architecture(stated: Option<&str>, image: &ImageInfo) -> bool {
    let found = image.architecture.as_deref();
    stated.zip(found).is_some_and(|(stated, found)| architecture(stated) == architecture(found))
}

fn has_digest(digest: &str, image: &ImageInfo) -> bool {
    let plain = |digest: &str| digest.trim_start_matches("sha256:").to_ascii_lowercase();
    [&image.digest, &image.id].iter().any(|own| !own.is_empty() && plain(own) == plain(digest))
}

fn names(image: &ImageInfo) -> impl Iterator<Item = &str> {
    [&image.reference].into_iter().chain(&image.names).map(String::as_str)
}

/// By its name as it is, in any spelling of Docker Hub's, or with its digest.
fn is_called(name: &str, image: &ImageInfo) -> bool {
    let place = Place::of(name);
    let same = |own: &str| {
        let own = Place::of(own);
        place.host.is_some()
            && place.host == own.host
            && place.path == own.path
            && place.tag == own.tag
    };
    names(image).any(|own| own == name || name.split_once('@').is_none() && same(own))
        || name.rsplit_once('@').is_some_and(|(_, digest)| has_digest(digest, image))
}

/// Where an image lies, by its reference: <https://github.com/distribution/reference>.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place<'a> {
    /// Docker Hub is `docker.io`; `None`: the name has no host.
    host: Option<&'a str>,
    path: String,
    tag: Option<&'a str>,
}

const DOCKER_HUB: &str = "docker.io";

impl<'a> Place<'a> {
    fn of(reference: &'a str) -> Place<'a> {
        let reference = reference.split_once("://").map_or(reference, |(_scheme, rest)| rest);
        let reference = reference.trim_end_matches('/');
        let reference = reference.split_once('@').map_or(reference, |(name, _digest)| name);
        let (name, tag) = match reference.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (reference, None),
        };
        let is_host = |text: &str| text.contains(['.', ':']) || text == "localhost";
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            _ => (None, name),
        };
        let host = host.map(on_hub);
        Place { path: official(host, path), host, tag }
    }

    fn is(&self, found: &Place) -> bool {
        self.host == found.host && self.path == found.path
    }
}

/// Docker Hub by one of its names.
fn on_hub(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB,
        host => host,
    }
}

/// Official images lie below `library`, which is left out.
fn official(host: Option<&str>, path: &str) -> String {
    match host {
        Some(DOCKER_HUB) if !path.contains('/') => format!("library/{path}"),
        _ => path.to_owned(),
    }
}

/// Where a package URL says that an image lies. An oci type may state the repository with or
/// without its last part, the name; a docker type the registry, or none for Docker Hub.
fn wanted(named: &Purl) -> Vec<Place<'_>> {
    let own = match &named.namespace {
        Some(namespace) => format!("{namespace}/{}", named.name),
        None => named.name.clone(),
    };
    let Some(url) = qualifier(named, "repository_url") else {
        // On Docker Hub, or without a registry, as archives have names.
        let hub = official(Some(DOCKER_HUB), &own);
        let place = |host, path| Place { host, path, tag: None };
        return vec![place(Some(DOCKER_HUB), hub), place(None, own)];
    };
    let whole = Place::of(url);
    let path = if whole.path.is_empty() { own.clone() } else { format!("{}/{own}", whole.path) };
    let below = Place { path, ..whole.clone() };
    // `repository_url=docker.io`, which has a dot and no slash.
    let registry =
        Place { host: Some(on_hub(url)), path: official(Some(on_hub(url)), &own), tag: None };
    vec![whole, below, registry]
}
