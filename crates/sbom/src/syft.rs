//! Syft's own form: <https://github.com/anchore/syft/tree/main/schema/json>.

use inscan_facts::distribution;
use inscan_facts::package::{Distribution, SourcePackage};
use serde_json::Value;

use crate::described::{self, Stated};
use crate::{Component, Image, Sbom, array, text};

pub(crate) fn read(document: &Value) -> Sbom {
    let mut components: Vec<Component> =
        array(document, "artifacts").filter_map(component).collect();
    for relationship in array(document, "artifactRelationships") {
        let (Some(parent), Some(child)) =
            (text(relationship, "parent"), text(relationship, "child"))
        else {
            continue;
        };
        let (of, reference) = match relationship["type"].as_str() {
            // The parent is a dependency of the child.
            Some("dependency-of") => (child, parent),
            Some("contains" | "ownership-by-file-overlap") => (parent, child),
            _ => continue,
        };
        if let Some(component) = components.iter_mut().find(|it| it.reference == reference) {
            if relationship["type"] == "ownership-by-file-overlap" {
                component.owner = Some(of.clone());
            }
            component.parents.push(of);
        }
    }
    Sbom {
        components,
        distribution: system(&document["distro"]),
        image: image(&document["source"]),
        tool: text(&document["descriptor"], "name"),
        ..Sbom::default()
    }
}

fn component(artifact: &Value) -> Option<Component> {
    let stated = Stated {
        purl: artifact["purl"].as_str(),
        group: None,
        name: text(artifact, "name"),
        version: text(artifact, "version"),
    };
    let mut package = stated.package()?;
    let license = |license: &Value| match license.as_str() {
        Some(license) => Some(license.to_owned()),
        None => text(license, "spdxExpression").or_else(|| text(license, "value")),
    };
    package.licenses =
        array(artifact, "licenses").filter_map(license).filter(|it| !it.is_empty()).collect();
    let metadata = &artifact["metadata"];
    package.origin = text(metadata, "maintainer").or_else(|| text(metadata, "vendor"));
    let path = array(artifact, "locations").find_map(|location| text(location, "path"));
    package.location = described::located(path);
    package.source = package.source.or_else(|| source(metadata, &package.name));
    if let Some(label) = text(metadata, "modularityLabel") {
        package.attributes.entry("modularity-label".to_owned()).or_insert(label);
    }
    let first_cpe = array(artifact, "cpes").find_map(|cpe| match cpe.as_str() {
        Some(cpe) => Some(cpe.to_owned()),
        None => text(cpe, "cpe"),
    });
    package.attributes.extend(first_cpe.and_then(described::cpe));
    let reference = text(artifact, "id").unwrap_or_default();
    Some(Component { package, reference, ..Component::default() })
}

/// dpkg's `source` and `sourceVersion`, rpm's `sourceRpm`, apk's `originPackage`.
fn source(metadata: &Value, package: &str) -> Option<SourcePackage> {
    if let Some(found) = text(metadata, "sourceRpm").and_then(|file| described::of_file_name(&file))
    {
        return Some(found);
    }
    let name = text(metadata, "source").or_else(|| text(metadata, "originPackage"));
    let version = text(metadata, "sourceVersion");
    if name.is_none() && version.is_none() {
        return None;
    }
    Some(SourcePackage { name: name.unwrap_or_else(|| package.to_owned()), version })
}

fn system(distro: &Value) -> Option<Distribution> {
    // Before schema 3 a name and a version.
    let id = text(distro, "id").or_else(|| text(distro, "name"))?;
    let version = text(distro, "versionID").or_else(|| text(distro, "version"));
    let like = array(distro, "idLike").filter_map(|it| it.as_str().map(str::to_owned)).collect();
    let named = distribution::named(&id, &version.unwrap_or_default());
    Some(Distribution {
        like,
        codename: text(distro, "versionCodename").or(named.codename),
        name: text(distro, "prettyName"),
        ..Distribution { id: named.id, version: named.version, ..Distribution::default() }
    })
}

fn image(source: &Value) -> Image {
    let details =
        if source["metadata"].is_object() { &source["metadata"] } else { &source["target"] };
    let optional = |key: &str| text(details, key);
    Image {
        reference: optional("userInput").or_else(|| text(source, "name")).unwrap_or_default(),
        digest: optional("manifestDigest").unwrap_or_default(),
        id: optional("imageID").unwrap_or_default().trim_start_matches("sha256:").to_owned(),
        os: optional("os"),
        architecture: optional("architecture"),
    }
}
