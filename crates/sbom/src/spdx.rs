//! SPDX 2: <https://spdx.github.io/spdx-spec/v2.3/>.

use std::collections::{BTreeMap, BTreeSet};

use inscan_facts::distribution;
use inscan_facts::package::{Distribution, Role, SourcePackage};
use inscan_facts::package_type;
use inscan_facts::purl;
use serde_json::Value;

use crate::described::{self, Stated};
use crate::{Component, Gap, Image, Sbom, array, text};

/// Purposes of what is no package: <https://spdx.github.io/spdx-spec/v2.3/package-information/#724-primary-package-purpose-field>.
const NO_PACKAGES: [&str; 6] =
    ["CONTAINER", "DEVICE", "FILE", "OPERATING-SYSTEM", "OPERATING_SYSTEM", "SOURCE"];

pub(crate) fn read(document: &Value) -> Sbom {
    let described = described_ids(document);
    let mut sbom = Sbom { tool: tool(document), ..Sbom::default() };
    let mut systems: Vec<Distribution> = Vec::new();
    for json in array(document, "packages") {
        let purpose = json["primaryPackagePurpose"].as_str().unwrap_or_default();
        if purpose.replace('_', "-") == "OPERATING-SYSTEM" {
            let system = distribution::named(
                json["name"].as_str().unwrap_or_default(),
                json["versionInfo"].as_str().unwrap_or_default(),
            );
            systems.push(Distribution { name: text(json, "summary"), ..system });
        }
        let is_described = described.contains(json["SPDXID"].as_str().unwrap_or_default());
        if is_described || purpose == "CONTAINER" {
            take_image(json, &mut sbom.image);
        }
        sbom.components.extend(component(json, purpose, is_described));
    }
    let is_release =
        |system: &Distribution| !system.version.is_empty() || system.codename.is_some();
    systems.retain(is_release);
    systems.dedup();
    if systems.len() == 1 {
        sbom.distribution = systems.pop();
    }
    if sbom.image.reference.is_empty() {
        sbom.image.reference = text(document, "name").unwrap_or_default();
    }
    relate(document, &mut sbom.components);
    sbom.gaps.extend(own_comments(document).filter_map(Gap::read));
    sbom
}

fn described_ids(document: &Value) -> BTreeSet<String> {
    let listed = array(document, "documentDescribes").filter_map(Value::as_str);
    let is_description = |it: &&Value| it["relationshipType"] == "DESCRIBES";
    let related = array(document, "relationships").filter(is_description);
    let related = related.filter_map(|it| it["relatedSpdxElement"].as_str());
    listed.chain(related).map(str::to_owned).collect()
}

fn take_image(json: &Value, image: &mut Image) {
    let purl = references(json).into_iter().find_map(purl::parse);
    if let Some(name) = text(json, "name").filter(|_| image.reference.is_empty()) {
        image.reference = name;
    }
    let version = text(json, "versionInfo").unwrap_or_default();
    if version.starts_with("sha256:") {
        image.digest = version;
    }
    let Some(purl) = purl.filter(|purl| matches!(purl.kind.as_str(), "oci" | "docker")) else {
        return;
    };
    if let Some(digest) = purl.version.filter(|version| version.starts_with("sha256:")) {
        image.digest = digest;
    }
    image.architecture = purl.qualifiers.get("arch").cloned();
    let said = own_facts(json);
    let fact = |name: &str| said.get(name).cloned();
    image.reference =
        fact("inscan:image:reference").unwrap_or(std::mem::take(&mut image.reference));
    image.id = fact("inscan:image:id").unwrap_or(std::mem::take(&mut image.id));
    image.os = fact("inscan:image:os").or(image.os.take());
}

/// Of a reference to a package URL its locator: `referenceType` may be a whole address.
fn references(json: &Value) -> Vec<&str> {
    let is_purl = |reference: &&Value| {
        let kind = reference["referenceType"].as_str().unwrap_or_default();
        kind == "purl" || kind.ends_with("/purl")
    };
    let references = array(json, "externalRefs").filter(is_purl);
    references.filter_map(|it| it["referenceLocator"].as_str()).collect()
}

/// `None` for what is no package.
fn component(json: &Value, purpose: &str, is_described: bool) -> Option<Component> {
    let purl = references(json).into_iter().find(|text| purl::parse(text).is_some());
    let is_image = purl.is_some_and(|purl| described::is_no_package(purl, is_described));
    let version = stated(json, "versionInfo");
    // A lock file, as Trivy lists it, is an application without a version; what is described
    // without a package URL is an image, a directory or a project.
    let is_place = purpose == "APPLICATION" && version.is_none() || is_described;
    if is_image || purl.is_none() && (is_place || NO_PACKAGES.contains(&purpose)) {
        return None;
    }
    let name = text(json, "name");
    let mut package = Stated { purl, group: None, name, version }.package()?;
    package.licenses = stated(json, "licenseDeclared")
        .or_else(|| stated(json, "licenseConcluded"))
        .into_iter()
        .collect();
    package.origin =
        stated(json, "supplier").or_else(|| stated(json, "originator")).map(|text| party(&text));
    let is_cpe = |reference: &&Value| {
        reference["referenceType"].as_str().is_some_and(|kind| kind.ends_with("cpe23Type"))
    };
    let cpes = array(json, "externalRefs").filter(is_cpe);
    let cpe = cpes.filter_map(|it| described::cpe(text(it, "referenceLocator")?)).next();
    package.attributes.extend(cpe);
    if let Some(info) = text(json, "sourceInfo") {
        let source = built_from(&package.kind, &info);
        package.source = package.source.or(source);
        package.location = described::located(found_in(&info));
    }
    let said = own_facts(json);
    package.role = is_described.then_some(Role::Application);
    described::with_own_facts(&mut package, &said);
    let reference = text(json, "SPDXID").unwrap_or_default();
    let owner = said.get("inscan:owned-by").cloned();
    Some(Component { package, reference, owner, ..Component::default() })
}

fn stated(json: &Value, key: &str) -> Option<String> {
    text(json, key).filter(|value| !matches!(value.as_str(), "NOASSERTION" | "NONE"))
}

/// `Organization: Red Hat, Inc.`: what kind of name follows is no part of it.
fn party(text: &str) -> String {
    let kinds = ["Organization:", "Person:", "Tool:"];
    let name = kinds.iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text).trim();
    // An address stands in brackets behind the name, an empty one where none is known.
    let name = name.strip_suffix("()").unwrap_or(name).trim_end();
    match name.strip_suffix(')').and_then(|name| name.rsplit_once(" (")) {
        Some((name, address)) if address.contains('@') => format!("{name} <{address}>"),
        _ => name.to_owned(),
    }
}

/// Trivy's `built package from: openssl 3.0.11-1~deb12u2`, and our own `built from openssl 3.0`.
fn built_from(kind: &str, info: &str) -> Option<SourcePackage> {
    let at = |word: &str| info.find(word).map(|at| &info[at + word.len()..]);
    let rest = at("built package from: ").or_else(|| at("built from "))?;
    let rest = rest.split([',', ';', '\n']).next()?;
    let mut words = rest.split_whitespace();
    let name = words.next()?.to_owned();
    let version = words.next().map(str::to_owned);
    // An rpm's epoch is its package's.
    let version = version.map(|version| match version.split_once(':') {
        Some((_, rest)) if kind == "rpm" => rest.to_owned(),
        _ => version,
    });
    package_type::has_release_advisories(kind).then_some(SourcePackage { name, version })
}

/// Syft's `acquired package info from DPKG DB: /var/lib/dpkg/status`, and our own `found by dpkg
/// in /var/lib/dpkg/status`.
fn found_in(info: &str) -> Option<String> {
    let at = info.find(": /").map(|at| at + 2).or_else(|| info.find(" in /").map(|at| at + 4))?;
    let end = info[at..].find(", ").map_or(info.len(), |end| at + end);
    info.get(at..end).map(str::to_owned)
}

/// What inscan writes into an annotation: a JSON object of texts.
fn own_facts(json: &Value) -> BTreeMap<String, String> {
    own_comments(json)
        .filter_map(|comment| serde_json::from_str(comment).ok())
        .next()
        .unwrap_or_default()
}

fn own_comments(json: &Value) -> impl Iterator<Item = &str> {
    let is_own =
        |it: &&Value| it["annotator"].as_str().is_some_and(|by| by.starts_with("Tool: inscan"));
    array(json, "annotations").filter(is_own).filter_map(|it| it["comment"].as_str())
}

fn relate(document: &Value, components: &mut [Component]) {
    let places: BTreeMap<String, usize> = components
        .iter()
        .enumerate()
        .map(|(index, component)| (component.reference.clone(), index))
        .collect();
    for relationship in array(document, "relationships") {
        let element = |key: &str| relationship[key].as_str().unwrap_or_default();
        let (from, to) = (element("spdxElementId"), element("relatedSpdxElement"));
        let kind = element("relationshipType");
        let (of, part) = match kind {
            "CONTAINS" | "DEPENDS_ON" | "STATIC_LINK" | "DYNAMIC_LINK" => (from, to),
            "CONTAINED_BY" | "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => (to, from),
            _ => continue,
        };
        let (Some(&of_index), Some(&part)) = (places.get(of), places.get(part)) else { continue };
        let is_os = |index: usize| package_type::is_system(&components[index].package.kind);
        let is_owned = kind == "CONTAINS" && is_os(of_index) && !is_os(part);
        components[part].parents.push(of.to_owned());
        if is_owned {
            components[part].owner = Some(of.to_owned());
        }
    }
}

fn tool(document: &Value) -> Option<String> {
    let creators = array(&document["creationInfo"], "creators").filter_map(Value::as_str);
    creators.filter_map(|creator| creator.strip_prefix("Tool: ")).next().map(str::to_owned)
}
