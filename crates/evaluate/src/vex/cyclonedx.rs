//! CycloneDX 1.4 and later, <https://cyclonedx.org/capabilities/vex/>.

use std::collections::HashMap;

use inscan_facts::percent::decoded;
use serde_json::Value;

use crate::naming::Name;

use super::{Condition, Document, Error, Statement, Status, Target, Version, array, moment, text};

pub(super) fn read(json: &Value) -> Result<Document, Error> {
    let own = Own::read(json);
    let whole = text(&json["metadata"], "timestamp").and_then(|text| moment(&text));
    let mut document = Document::default();
    for (number, vulnerability) in array(json, "vulnerabilities").iter().enumerate() {
        // Without an analysis nothing is stated: a list of what was found.
        let Some(state) = text(&vulnerability["analysis"], "state") else { continue };
        let wrong = |reason: String| Error::Statement { number: number + 1, reason };
        let references = array(vulnerability, "references").iter();
        let names = text(vulnerability, "id").into_iter();
        let names: Vec<_> = names.chain(references.filter_map(|it| text(it, "id"))).collect();
        if names.is_empty() {
            return Err(wrong("it names no vulnerability".to_owned()));
        }
        let status = match state.as_str() {
            "not_affected" | "false_positive" => Status::NotAffected,
            "resolved" | "resolved_with_pedigree" => Status::Fixed,
            "exploitable" => Status::Affected,
            "in_triage" => Status::UnderInvestigation,
            other => return Err(wrong(format!("`{other}` is no state of an analysis"))),
        };
        let analysis = &vulnerability["analysis"];
        let updated = text(analysis, "lastUpdated").and_then(|text| moment(&text));
        let statement = Statement {
            names,
            targets: Vec::new(),
            status,
            justification: text(analysis, "justification")
                .or_else(|| Some(state).filter(|state| state == "false_positive")),
            note: text(analysis, "detail"),
            timestamp: updated.or(whole),
        };
        document.statements.extend(statements(
            statement,
            vulnerability,
            &own,
            &mut document.unnamed_products,
        ));
    }
    Ok(document)
}

/// What the state says of what is affected, and what its list of versions says of others.
fn statements(
    statement: Statement,
    vulnerability: &Value,
    own: &Own,
    unnamed: &mut usize,
) -> Vec<Statement> {
    let mut of_state = Vec::new();
    let mut unaffected = Vec::new();
    for affected in array(vulnerability, "affects") {
        let reference = text(affected, "ref").unwrap_or_default();
        let Some(target) = own.target(&reference) else {
            *unnamed += 1;
            continue;
        };
        let listed = array(affected, "versions");
        if listed.is_empty() {
            of_state.push(target);
            continue;
        }
        // Without a status a version is affected.
        let with = |status: &str| -> Vec<Version> {
            let is_it = |it: &&Value| it["status"].as_str().unwrap_or("affected") == status;
            listed.iter().filter(is_it).filter_map(version).collect()
        };
        let about = |versions: Vec<Version>| {
            let mut target = target.clone();
            target.conditions.push(Condition::Versions(versions));
            target
        };
        // What is listed as affected, and stated to be settled, is a contradiction.
        if !statement.status.is_settled() {
            of_state.push(about(with("affected")));
        }
        unaffected.push(about(with("unaffected")));
    }
    let settled = match statement.status.is_settled() {
        true => statement.status,
        false => Status::NotAffected,
    };
    let unaffected = Statement { targets: unaffected, status: settled, ..statement.clone() };
    let of_state = Statement { targets: of_state, ..statement };
    let is_needed = |it: &Statement| !it.targets.is_empty();
    // One that is about nothing is kept, so that it is told of.
    match (is_needed(&of_state), is_needed(&unaffected)) {
        (true, true) => vec![of_state, unaffected],
        (false, true) => vec![unaffected],
        _ => vec![of_state],
    }
}

fn version(listed: &Value) -> Option<Version> {
    text(listed, "version")
        .map(Version::Exact)
        .or_else(|| text(listed, "range").map(Version::Range))
}

/// What the document says of its own components.
struct Own {
    /// Their package URLs, by the reference they are named with.
    components: HashMap<String, String>,
    /// What the whole document describes, where that has a name to compare: it holds for that only.
    described: Option<String>,
    serial: Option<(String, u64)>,
}

impl Own {
    fn read(json: &Value) -> Own {
        let described = &json["metadata"]["component"];
        let serial = text(json, "serialNumber")
            .map(|serial| (plain_serial(&serial), json["version"].as_u64().unwrap_or(1)));
        Own { components: components(json), described: named(described), serial }
    }

    fn target(&self, reference: &str) -> Option<Target> {
        if let Some(link) = reference.strip_prefix("urn:cdx:") {
            // Where the document is about one image, so is what it links to.
            let product = self.described.as_deref().filter(|name| is_image(name));
            return linked(link)
                .map(|target| Target { product: product.map(Name::read), ..target });
        }
        let plain = decoded(reference);
        let known = self.components.get(reference).cloned();
        let component = known.or_else(|| plain.starts_with("pkg:").then_some(plain));
        match component {
            Some(component) if Some(&component) == self.described.as_ref() => {
                Some(Target::of(Some(&component), None))
            }
            Some(component) => Some(Target::of(self.described.as_deref(), Some(&component))),
            // A component of the SBOM that this is the VEX of, under the same number.
            None => {
                let (serial, version) = self.serial.clone()?;
                let reference = reference.to_owned();
                let condition = Condition::Bom { serial, version: Some(version), reference };
                Some(Target { conditions: vec![condition], ..Target::default() })
            }
        }
    }
}

fn is_image(name: &str) -> bool {
    ["pkg:oci/", "pkg:docker/"].iter().any(|start| name.starts_with(start))
}

/// The package URL, or the name of an image.
fn named(component: &Value) -> Option<String> {
    let is_image = component["type"] == "container";
    text(component, "purl").or_else(|| text(component, "name").filter(|_| is_image))
}

fn components(json: &Value) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let described = json["metadata"].get("component");
    let mut open: Vec<&Value> = array(json, "components").iter().chain(described).collect();
    while let Some(component) = open.pop() {
        open.extend(array(component, "components"));
        if let (Some(reference), Some(own)) = (text(component, "bom-ref"), named(component)) {
            found.insert(reference, own);
        }
    }
    found
}

fn plain_serial(serial: &str) -> String {
    let serial = serial.to_ascii_lowercase();
    serial.strip_prefix("urn:uuid:").unwrap_or(&serial).to_owned()
}

/// `SERIAL/VERSION#REFERENCE`, with the reference percent-encoded: a component of that document,
/// and of no other. <https://cyclonedx.org/capabilities/bomlink/>
fn linked(link: &str) -> Option<Target> {
    let (bom, reference) = link.split_once('#')?;
    let (serial, version) =
        bom.split_once('/').map_or((bom, None), |(serial, version)| (serial, Some(version)));
    let version = match version {
        Some(version) => Some(version.parse().ok()?),
        None => None,
    };
    let reference = decoded(reference);
    let condition = Condition::Bom { serial: plain_serial(serial), version, reference };
    Some(Target { conditions: vec![condition], ..Target::default() })
}
