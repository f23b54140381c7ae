//! From a package URL, and what stands beside it, to a package.

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;
use inscan_facts::distribution;
use inscan_facts::package::{Certainty, Distribution, Evidence, Identity, Package, SourcePackage};
use inscan_facts::package_type;
use inscan_facts::purl::{self, Purl};
use serde_json::Value;

use crate::{ARTIFACT_AS_GROUP, Component, Sbom, UNIDENTIFIED};

/// What a component states beside its package URL.
#[derive(Default)]
pub(crate) struct Stated<'a> {
    pub(crate) purl: Option<&'a str>,
    pub(crate) group: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
}

impl Stated<'_> {
    /// `None` where there is not even a name.
    pub(crate) fn package(self) -> Option<Package> {
        match self.purl.and_then(purl::parse) {
            Some(purl) => Some(self.of_purl(purl)),
            None => Some(Package {
                kind: UNIDENTIFIED.into(),
                namespace: self.group,
                name: self.name?,
                version: self.version.unwrap_or_default(),
                evidence: Evidence::Sbom,
                ..Package::default()
            }),
        }
    }

    /// The version of the package URL counts, as that is what its type compares.
    fn of_purl(self, mut purl: Purl) -> Package {
        let own = distribution::of_purl(&purl);
        let mut take = |key: &str| purl.qualifiers.remove(key);
        let (arch, upstream, epoch) = (take("arch"), take("upstream"), take("epoch"));
        let module = take("rpmmod").or_else(|| take("modularitylabel"));
        if own.is_some() {
            for key in ["distro", "os_name", "os_version", "os_distro"] {
                take(key);
            }
        }
        let is_of_distribution = package_type::namespace_is_distribution(&purl.kind);
        let version = purl.version.clone().or(self.version.clone()).unwrap_or_default();
        let (epoch, version) = match purl.kind.as_str() {
            "rpm" => with_one_epoch(epoch.as_deref(), &version),
            "deb" => (None, with_epoch_before(epoch.as_deref(), &version)),
            _ => (epoch.and_then(|epoch| epoch.parse().ok()), version),
        };
        let has_subpath = purl.kind == "golang" && purl.subpath.is_some();
        let (namespace, name, is_named) = match is_of_distribution {
            true => (None, purl.name, true),
            false => self.in_its_case(purl.namespace, purl.name),
        };
        let namespace = namespace.or(self.group.filter(|_| purl.kind == "maven"));
        // Syft repeats the artifact where it does not know the group.
        let group = match (&*purl.kind, &namespace) {
            ("maven", None) => Certainty::Unknown,
            ("maven", Some(group)) if *group == name => Certainty::derived(ARTIFACT_AS_GROUP),
            _ => Certainty::Stated,
        };
        let identity = Identity {
            namespace: group,
            // Where nothing else tells, the end of the path may be a folder in a module.
            name: match has_subpath && !is_named {
                true => Certainty::derived(purl::SUBPATH),
                false => Certainty::Stated,
            },
            ..Identity::default()
        };
        Package {
            source: upstream.map(|upstream| source(&purl.kind, &upstream)),
            kind: purl.kind.into(),
            name,
            namespace,
            version,
            arch,
            epoch,
            identity,
            distribution: own,
            qualifiers: purl.qualifiers,
            evidence: Evidence::Sbom,
            attributes: module
                .map(|label| ("modularity-label".to_owned(), label))
                .into_iter()
                .collect(),
            ..Package::default()
        }
    }

    /// Package URLs of some types are in lower case, and the names are not: where the component's
    /// own name is the same but for case, it is the name; and whether it is.
    fn in_its_case(
        &self,
        namespace: Option<String>,
        name: String,
    ) -> (Option<String>, String, bool) {
        let whole = |namespace: Option<&str>, name: &str| match namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        };
        let named = whole(namespace.as_deref(), &name);
        let Some(own) = &self.name else { return (namespace, name, false) };
        let with_group = whole(self.group.as_deref(), own);
        let same = [with_group, own.clone()].into_iter().find(|it| it.eq_ignore_ascii_case(&named));
        match (same, namespace) {
            (Some(same), Some(namespace)) => {
                let (before, last) = same.split_at(namespace.len());
                (Some(before.to_owned()), last.trim_start_matches('/').to_owned(), true)
            }
            (Some(same), None) => (None, same, true),
            (None, namespace) => (namespace, name, false),
        }
    }
}

/// An rpm's epoch stands in the version, in the qualifier, or in both.
fn with_one_epoch(qualifier: Option<&str>, version: &str) -> (Option<u64>, String) {
    let number = |text: &str| text.parse::<u64>().ok();
    match version.split_once(':') {
        Some((epoch, rest)) if number(epoch).is_some() => (number(epoch), rest.to_owned()),
        _ => (qualifier.and_then(number), version.to_owned()),
    }
}

/// dpkg's is a part of the version, which some leave out.
fn with_epoch_before(qualifier: Option<&str>, version: &str) -> String {
    match qualifier.filter(|epoch| *epoch != "0" && epoch.bytes().all(|it| it.is_ascii_digit())) {
        Some(epoch) if !version.contains(':') => format!("{epoch}:{version}"),
        _ => version.to_owned(),
    }
}

/// Syft's `upstream`: `openssl`, `openssl@3.0`, and of rpm the file's name.
fn source(kind: &str, upstream: &str) -> SourcePackage {
    if kind == "rpm"
        && let Some(found) = of_file_name(upstream)
    {
        return found;
    }
    let (name, version) =
        upstream.split_once('@').map_or((upstream, None), |(name, version)| (name, Some(version)));
    SourcePackage { name: name.to_owned(), version: version.map(str::to_owned) }
}

/// `NAME-VERSION-RELEASE.src.rpm`.
pub(crate) fn of_file_name(file: &str) -> Option<SourcePackage> {
    let file = file.strip_suffix(".rpm")?;
    let file = file.strip_suffix(".src").or_else(|| file.strip_suffix(".nosrc"))?;
    let (rest, release) = file.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    let version = Some(format!("{version}-{release}"));
    (!name.is_empty()).then(|| SourcePackage { name: name.to_owned(), version })
}

/// What inscan says of its own packages, by name, in each form of SBOM.
pub(crate) fn with_own_facts(package: &mut Package, said: &BTreeMap<String, String>) {
    let fact = |name: &str| said.get(&format!("inscan:{name}")).cloned();
    if let Some(name) = fact("name") {
        (package.namespace, package.name) = (fact("namespace"), name);
    }
    if let Some(kind) = fact("type") {
        package.kind = kind.into();
    }
    if let Some(found) = fact("evidence")
        && let Ok(evidence) = serde_json::from_value(Value::String(found))
    {
        package.evidence = evidence;
    }
    if let Some(name) = fact("source:name") {
        package.source = Some(SourcePackage { name, version: fact("source:version") });
    }
    package.arch = fact("architecture").or(package.arch.take());
    package.origin = fact("origin").or(package.origin.take());
    if let Some(version) = fact("version") {
        package.version = version;
    }
    if let Some(role) = fact("role") {
        package.role = serde_json::from_value(Value::String(role)).ok();
    }
    let certainty = |part: &str| match fact(&format!("identity:{part}")) {
        None => Certainty::Stated,
        Some(stated) => match stated.strip_prefix("derived ") {
            Some(rule) => Certainty::Derived(rule.to_owned().into()),
            None => Certainty::Unknown,
        },
    };
    if said.keys().any(|name| name.starts_with("inscan:")) {
        package.identity = Identity {
            name: certainty("name"),
            namespace: certainty("namespace"),
            source: certainty("source"),
            version: certainty("version"),
        };
    }
    if let Some(location) = fact("location") {
        package.location = location.into();
    }
    for (name, value) in said {
        if let Some(name) = name.strip_prefix("inscan:attribute:") {
            package.attributes.insert(name.to_owned(), value.clone());
        }
    }
}

/// Images; and what an SBOM describes where that is a repository or a folder that somebody named.
pub(crate) fn is_no_package(purl: &str, is_described: bool) -> bool {
    let kind = purl.strip_prefix("pkg:").and_then(|rest| rest.split('/').find(|it| !it.is_empty()));
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let places = ["bitbucket", "generic", "github", "gitlab"];
    matches!(kind.as_str(), "oci" | "docker") || is_described && places.contains(&kind.as_str())
}

/// The distribution that all packages state, where they state one.
pub(crate) fn common_distribution(components: &[Component]) -> Option<Distribution> {
    let mut stated = components.iter().filter_map(|it| it.package.distribution.as_ref());
    let first = stated.next()?;
    let same = |other: &Distribution| {
        distribution::is_release(first, other) || distribution::is_release(other, first)
    };
    stated.all(same).then(|| first.clone())
}

/// Who states the source of a package wherever it is another than the package itself.
const STATE_SOURCES: [&str; 3] = ["inscan", "syft", "trivy"];

/// An SBOM that states no source for any package of a type leaves open whether they have others.
pub(crate) fn doubt_sources(sbom: &mut Sbom) {
    let tool = sbom.tool.as_deref().unwrap_or_default().to_ascii_lowercase();
    if STATE_SOURCES.iter().any(|name| tool.starts_with(name)) {
        return;
    }
    let kinds = |it: &Component| it.package.source.as_ref().map(|_| it.package.kind.clone());
    let stated: BTreeSet<_> = sbom.components.iter().filter_map(kinds).collect();
    for Component { package, .. } in &mut sbom.components {
        if package_type::has_release_advisories(&package.kind) && !stated.contains(&package.kind) {
            package.identity.source = Certainty::Unknown;
        }
    }
}

pub(crate) fn located(path: Option<String>) -> BString {
    path.unwrap_or_default().trim_start_matches('/').into()
}

/// The attribute, if the text is a name of CPE 2.3: eleven fields.
pub(crate) fn cpe(name: String) -> Option<(String, String)> {
    let fields = name.strip_prefix("cpe:2.3:")?.replace("\\:", "").matches(':').count() + 1;
    let is_plain = name.len() <= 500 && name.bytes().all(|byte| byte.is_ascii_graphic());
    (fields == 11 && is_plain).then(|| ("cpe".to_owned(), name))
}
