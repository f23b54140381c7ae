//! CycloneDX 1.2 and later: <https://cyclonedx.org/docs/1.6/json/>.

use std::collections::BTreeMap;

use inscan_facts::distribution;
use inscan_facts::package::{Distribution, Package, Role, SourcePackage};
use inscan_facts::package_type;
use serde_json::Value;

use crate::described::{self, Stated};
use crate::{Component, Gap, Image, Listed, MAX_DEPTH, Sbom, array, text};

/// Types of components that are no packages.
/// <https://cyclonedx.org/docs/1.6/json/#components_items_type>
const NO_PACKAGES: [&str; 8] = [
    "container",
    "cryptographic-asset",
    "data",
    "device",
    "file",
    "machine-learning-model",
    "operating-system",
    "platform",
];

pub(crate) fn read(document: &Value) -> Sbom {
    let described = &document["metadata"]["component"];
    let mut found = Found::default();
    if described.is_object() {
        found.component(described, Within::default(), true);
    }
    let root = found.components.first().map(|it| it.reference.clone()).unwrap_or_default();
    let is_described = !found.components.is_empty();
    found.components(document, Within::default());
    if is_described {
        found.components = described_once(std::mem::take(&mut found.components));
    }
    relate(document, &mut found.components);
    // What nothing else is said to have brought is of what the document describes.
    for component in &mut found.components {
        if !root.is_empty() && component.reference != root && component.parents.is_empty() {
            component.parents.push(root.clone());
        }
    }
    let mut sbom = Sbom {
        distribution: match found.systems.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        },
        components: found.components,
        image: image(described),
        tool: tool(document),
        serial: serial(document),
        is_whole: !found.is_cut,
        ..Sbom::default()
    };
    let said =
        array(&document["metadata"], "properties").filter(|it| it["name"] == "inscan:hidden");
    sbom.gaps.extend(said.filter_map(|it| Gap::read(it["value"].as_str()?)));
    sbom
}

/// The first component is what the document describes. Some list it beside the others as well, as
/// what it is.
fn described_once(mut components: Vec<Component>) -> Vec<Component> {
    let mut others = components.iter().enumerate().skip(1);
    let mut described = Listed::default();
    described.add(&components[0]);
    if let Some((again, _)) = others.find(|(_, it)| described.has(it)) {
        let first = components[0].reference.clone();
        let listed = components.remove(again);
        let called = listed.reference.clone();
        components[0] = Component { reference: first.clone(), ..listed };
        let parents = components.iter_mut().flat_map(|it| &mut it.parents);
        parents
            .filter(|it| !called.is_empty() && **it == called)
            .for_each(|it| *it = first.clone());
        components[0].parents.retain(|it| *it != first);
    }
    components
}

#[derive(Default)]
struct Found {
    components: Vec<Component>,
    /// Those with a version.
    systems: Vec<Distribution>,
    is_cut: bool,
}

/// Where a component lies.
#[derive(Clone, Copy, Default)]
struct Within<'a> {
    reference: Option<&'a str>,
    /// The system that is listed beside it, or beside what it lies in.
    system: Option<&'a Distribution>,
    depth: usize,
}

impl Found {
    fn components(&mut self, parent: &Value, within: Within<'_>) {
        let own = array(parent, "components").find_map(system);
        let within = Within { system: own.as_ref().or(within.system), ..within };
        for component in array(parent, "components") {
            if within.depth == MAX_DEPTH {
                self.is_cut = true;
                return;
            }
            self.component(component, within, false);
        }
    }

    fn component(&mut self, json: &Value, within: Within<'_>, is_described: bool) {
        let reference = text(json, "bom-ref");
        let is_known = |all: &[Distribution], one: &Distribution| {
            all.iter().any(|known| known.id == one.id && known.version == one.version)
        };
        self.systems.extend(system(json).filter(|one| !is_known(&self.systems, one)));
        let kind = json["type"].as_str().unwrap_or_default();
        if let Some(mut component) = package(json, kind, is_described) {
            component.reference = reference.clone().unwrap_or_default();
            component.parents.extend(within.reference.map(str::to_owned));
            if let Some(system) = within.system {
                installed_on(system, &mut component.package);
            }
            self.components.push(component);
        }
        let reference = reference.as_deref().or(within.reference);
        self.components(json, Within { reference, depth: within.depth + 1, ..within });
    }
}

/// Where a component is a system of which the release is stated.
fn system(json: &Value) -> Option<Distribution> {
    let text_of = |key: &str| json[key].as_str().unwrap_or_default();
    let named = (json["type"] == "operating-system")
        .then(|| distribution::named(text_of("name"), text_of("version")))?;
    let is_release = !named.version.is_empty() || named.codename.is_some();
    is_release.then(|| Distribution { name: text(json, "description"), ..named })
}

/// What states no release is of the system beside it.
fn installed_on(system: &Distribution, package: &mut Package) {
    let own = package.distribution.as_ref();
    let is_open = own.is_none_or(|own| {
        own.version.is_empty()
            && own.codename.is_none()
            && distribution::is_family(&own.id, &system.id)
    });
    if is_open && package_type::has_release_advisories(&package.kind) {
        package.distribution = Some(system.clone());
    }
}

/// `None` for what is no package.
fn package(json: &Value, kind: &str, is_described: bool) -> Option<Component> {
    let said = properties(json);
    let purl = text(json, "purl");
    let is_image = purl.as_deref().is_some_and(|purl| described::is_no_package(purl, is_described));
    let has_purl = purl.as_deref().and_then(inscan_facts::purl::parse).is_some();
    // A lock file, as Trivy lists it, has a class and no version; what is described without a
    // package URL is an image, a directory or a project.
    let is_place = said.contains_key("aquasecurity:trivy:Class") || is_described;
    if is_image || NO_PACKAGES.contains(&kind) && !has_purl {
        return None;
    }
    if !has_purl && (is_place || said.contains_key("syft:package:foundBy") && kind == "file") {
        return None;
    }
    let stated = Stated {
        purl: purl.as_deref(),
        group: text(json, "group"),
        name: text(json, "name"),
        version: text(json, "version"),
    };
    let mut package = stated.package()?;
    package.licenses = licences(json);
    package.origin = text(json, "publisher")
        .or_else(|| text(&json["supplier"], "name"))
        .or_else(|| text(&json["manufacturer"], "name"));
    package.attributes.extend(text(json, "cpe").and_then(described::cpe));
    package.location = described::located(
        said.get("syft:location:0:path")
            .cloned()
            .or_else(|| said.get("aquasecurity:trivy:FilePath").cloned())
            .or_else(|| text(&json["evidence"]["occurrences"][0], "location")),
    );
    package.source = package.source.or_else(|| source(&said));
    let label = ["syft:metadata:modularityLabel", "aquasecurity:trivy:Modularitylabel"];
    if let Some(label) = label.iter().find_map(|name| said.get(*name)) {
        package.attributes.entry("modularity-label".to_owned()).or_insert_with(|| label.clone());
    }
    // It is its author's own, and no registry's.
    package.role = is_described.then_some(Role::Application);
    // "Not reachable within a call graph at runtime": what built it. What inscan marks so for
    // being named by lock files alone says that itself.
    if json["scope"] == "excluded" && !said.contains_key("inscan:evidence") {
        package.role = Some(Role::Development);
    }
    described::with_own_facts(&mut package, &said);
    let owner = said.get("inscan:owned-by").cloned();
    Some(Component { package, owner, ..Component::default() })
}

fn licences(json: &Value) -> Vec<String> {
    let licences = array(json, "licenses").filter_map(|choice| {
        let license = choice.get("license").unwrap_or(choice);
        ["id", "name", "expression"].iter().find_map(|key| text(license, key))
    });
    licences.collect()
}

/// Each once: of several with one name the first.
fn properties(json: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for property in array(json, "properties") {
        if let (Some(name), Some(value)) = (text(property, "name"), text(property, "value")) {
            all.entry(name).or_insert(value);
        }
    }
    all
}

/// Trivy states the source package beside the package URL; Syft the file's name for rpm.
fn source(said: &BTreeMap<String, String>) -> Option<SourcePackage> {
    let stated = |name: &str| said.get(&format!("aquasecurity:trivy:Src{name}"));
    let Some(name) = stated("Name") else {
        return described::of_file_name(said.get("syft:metadata:sourceRpm")?);
    };
    let release = stated("Release").map(|release| format!("-{release}")).unwrap_or_default();
    let epoch = stated("Epoch").filter(|epoch| *epoch != "0");
    let epoch = epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let version = stated("Version").map(|version| format!("{epoch}{version}{release}"));
    Some(SourcePackage { name: name.clone(), version })
}

/// `dependencies`: who depends on whom.
fn relate(document: &Value, components: &mut [Component]) {
    let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for dependency in array(document, "dependencies") {
        let Some(of) = dependency["ref"].as_str() else { continue };
        for on in array(dependency, "dependsOn").filter_map(Value::as_str) {
            parents.entry(on).or_default().push(of);
        }
    }
    for component in components {
        let of = parents.get(component.reference.as_str()).into_iter().flatten();
        component.parents.extend(of.map(|of| (*of).to_owned()));
    }
}

fn image(described: &Value) -> Image {
    let said = properties(described);
    let value = |name: &str| said.get(name).cloned().unwrap_or_default();
    let name = text(described, "name").unwrap_or_default();
    let version = text(described, "version").unwrap_or_default();
    let digest = [version.as_str(), &value("aquasecurity:trivy:RepoDigest")]
        .iter()
        .filter_map(|text| text.find("sha256:").map(|at| text[at..].to_owned()))
        .next();
    let ids = [value("aquasecurity:trivy:ImageID"), value("inscan:image:id")];
    let id = ids.iter().map(|id| id.trim_start_matches("sha256:")).find(|id| !id.is_empty());
    let optional = |name: &str| said.get(name).cloned();
    Image {
        reference: optional("inscan:image:reference").unwrap_or(name),
        digest: digest.unwrap_or_default(),
        id: id.unwrap_or_default().to_owned(),
        os: optional("inscan:image:os"),
        architecture: optional("inscan:image:architecture"),
    }
}

/// A serial number is a UUID: <https://cyclonedx.org/capabilities/bomlink/>.
fn serial(document: &Value) -> Option<(String, u64)> {
    let serial = text(document, "serialNumber")?.to_ascii_lowercase();
    let version = document["version"].as_u64().unwrap_or(1);
    Some((serial.strip_prefix("urn:uuid:").unwrap_or(&serial).to_owned(), version))
}

fn tool(document: &Value) -> Option<String> {
    let tools = &document["metadata"]["tools"];
    text(&tools["components"][0], "name").or_else(|| text(&tools[0], "name"))
}
