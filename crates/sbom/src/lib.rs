//! Packages that an SBOM lists: SPDX, CycloneDX and Syft's own form, in JSON. A package
//! is identified by its package URL; what has none is not listed.
//! <https://spdx.github.io/spdx-spec/v2.3/>, <https://cyclonedx.org/docs/1.6/json/>

use bstr::BString;
use inscan_facts::package::{Evidence, Package, SourcePackage};
use inscan_facts::package_type;
use inscan_facts::purl::{self, Purl};
use serde_json::Value;

/// Components of CycloneDX hold components. serde_json goes no deeper than 128.
pub const MAX_DEPTH: usize = 40;

/// What an SBOM lists.
#[derive(Debug)]
pub struct Listed {
    /// Their `location` is what the SBOM states, or empty.
    pub packages: Vec<Package>,
    /// False if some components are nested too deeply and left out.
    pub is_whole: bool,
}

impl Default for Listed {
    fn default() -> Self {
        Listed { packages: Vec::new(), is_whole: true }
    }
}

/// Reads an SBOM of a known form. `None` if the document is not one.
pub fn listed(document: &Value) -> Option<Listed> {
    let mut listed = Listed::default();
    if document.get("spdxVersion").is_some() {
        listed.packages.extend(array(document, "packages").filter_map(spdx));
    } else if document["bomFormat"] == "CycloneDX" {
        listed.is_whole = cyclonedx(document, 0, &mut listed.packages);
    } else if document["artifacts"].is_array() && document["schema"].is_object() {
        listed.packages.extend(array(document, "artifacts").filter_map(syft));
    } else {
        return None;
    }
    for package in &mut listed.packages {
        package.evidence = Evidence::Sbom;
    }
    Some(listed)
}

fn array<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn spdx(package: &Value) -> Option<Package> {
    let is_purl = |reference: &&Value| reference["referenceType"] == "purl";
    let reference = array(package, "externalRefs").find(is_purl)?;
    let purl = purl::parse(reference.get("referenceLocator")?.as_str()?)?;
    let stated = |key: &str| {
        text(package, key).filter(|value| !matches!(value.as_str(), "NOASSERTION" | "NONE" | ""))
    };
    Some(Package {
        licenses: stated("licenseDeclared")
            .or_else(|| stated("licenseConcluded"))
            .into_iter()
            .collect(),
        origin: stated("supplier").or_else(|| stated("originator")),
        attributes: array(package, "externalRefs")
            .filter(|reference| reference["referenceType"] == "cpe23Type")
            .find_map(|reference| cpe(text(reference, "referenceLocator")?))
            .into_iter()
            .collect(),
        ..described(purl, text(package, "versionInfo"))
    })
}

/// <https://github.com/anchore/syft/tree/main/schema/json>
fn syft(artifact: &Value) -> Option<Package> {
    let purl = purl::parse(artifact.get("purl")?.as_str()?)?;
    let license = |license: &Value| match license.as_str() {
        Some(license) => Some(license.to_owned()),
        None => text(license, "spdxExpression").or_else(|| text(license, "value")),
    };
    Some(Package {
        licenses: array(artifact, "licenses")
            .filter_map(license)
            .filter(|it| !it.is_empty())
            .collect(),
        origin: text(&artifact["metadata"], "maintainer"),
        location: located(array(artifact, "locations").find_map(|location| text(location, "path"))),
        ..described(purl, text(artifact, "version"))
    })
}

fn located(path: Option<String>) -> BString {
    path.unwrap_or_default().trim_start_matches('/').into()
}

/// False if some components are nested too deeply and left out.
fn cyclonedx(parent: &Value, depth: usize, found: &mut Vec<Package>) -> bool {
    let mut is_whole = true;
    for component in array(parent, "components") {
        if depth == MAX_DEPTH {
            return false;
        }
        if let Some(purl) = text(component, "purl").and_then(|purl| purl::parse(&purl)) {
            let licenses = array(component, "licenses").filter_map(|choice| {
                let license = choice.get("license").unwrap_or(choice);
                ["id", "name", "expression"].iter().find_map(|key| text(license, key))
            });
            let mut package = Package {
                licenses: licenses.collect(),
                origin: text(component, "publisher"),
                attributes: text(component, "cpe").and_then(cpe).into_iter().collect(),
                location: located(property(component, "syft:location:0:path")),
                ..described(purl, text(component, "version"))
            };
            package.source = package.source.or_else(|| trivys_source(component));
            found.push(package);
        }
        is_whole &= cyclonedx(component, depth + 1, found);
    }
    is_whole
}

fn property(component: &Value, name: &str) -> Option<String> {
    array(component, "properties").find(|it| it["name"] == name).and_then(|it| text(it, "value"))
}

/// Trivy states the source package beside the package URL.
fn trivys_source(component: &Value) -> Option<SourcePackage> {
    let stated = |name: &str| property(component, &format!("aquasecurity:trivy:Src{name}"));
    let name = stated("Name")?;
    let release = stated("Release").map(|release| format!("-{release}")).unwrap_or_default();
    let epoch = stated("Epoch").filter(|epoch| epoch != "0");
    let epoch = epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let version = stated("Version").map(|version| format!("{epoch}{version}{release}"));
    Some(SourcePackage { name, version })
}

/// The attribute, if the text is a name of CPE 2.3: eleven fields.
fn cpe(name: String) -> Option<(String, String)> {
    let fields = name.strip_prefix("cpe:2.3:")?.replace("\\:", "").matches(':').count() + 1;
    let is_plain = name.len() <= 500 && name.bytes().all(|byte| byte.is_ascii_graphic());
    (fields == 11 && is_plain).then(|| ("cpe".to_owned(), name))
}

/// The version of the package URL counts, as that is what its type compares.
fn described(mut purl: Purl, version: Option<String>) -> Package {
    let arch = purl.qualifiers.remove("arch");
    let epoch = purl.qualifiers.remove("epoch").and_then(|epoch| epoch.parse().ok());
    let upstream = purl.qualifiers.remove("upstream");
    // What the core states of every package.
    purl.qualifiers.remove("distro");
    // A distribution is the namespace of these, which the core fills in.
    let is_of_distribution = package_type::namespace_is_distribution(&purl.kind);
    Package {
        kind: purl.kind.into(),
        name: purl.name,
        namespace: purl.namespace.filter(|_| !is_of_distribution),
        version: purl.version.or(version).unwrap_or_default(),
        arch,
        epoch,
        source: upstream.map(|upstream| {
            let (name, version) = upstream
                .split_once('@')
                .map_or((&*upstream, None), |(name, version)| (name, Some(version)));
            SourcePackage { name: name.to_owned(), version: version.map(str::to_owned) }
        }),
        qualifiers: purl.qualifiers,
        ..Package::default()
    }
}
