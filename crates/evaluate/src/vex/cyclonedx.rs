//! CycloneDX 1.4 and later, <https://cyclonedx.org/capabilities/vex/>.

use std::collections::HashMap;

use serde_json::Value;

use super::{Document, Error, Statement, Status, Target, array, text};

pub(super) fn read(json: &Value) -> Result<Document, Error> {
    let components = components(json);
    // What the whole document describes: where that is an image, it holds for that one only.
    let described = &json["metadata"]["component"];
    let image = text(described, "purl")
        .filter(|purl| purl.starts_with("pkg:oci/") || purl.starts_with("pkg:docker/"))
        .or_else(|| text(described, "name").filter(|_| described["type"] == "container"));
    let whole = text(&json["metadata"], "timestamp");
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
        let mut targets = Vec::new();
        for affected in array(vulnerability, "affects") {
            let reference = text(affected, "ref").unwrap_or_default();
            let component = components.get(&reference).cloned().or_else(|| linked(&reference));
            match component {
                Some(component) if Some(&component) == image.as_ref() => {
                    targets.push(Target { product: image.clone(), component: None });
                }
                Some(component) => {
                    targets.push(Target { product: image.clone(), component: Some(component) })
                }
                None => document.unnamed_products += 1,
            }
        }
        let analysis = &vulnerability["analysis"];
        document.statements.push(Statement {
            names,
            targets,
            status,
            justification: text(analysis, "justification")
                .or_else(|| Some(state).filter(|state| state == "false_positive")),
            note: text(analysis, "detail"),
            timestamp: text(analysis, "lastUpdated").or_else(|| whole.clone()),
        });
    }
    Ok(document)
}

/// The package URLs of all components, by the reference they are named with.
fn components(json: &Value) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let described = json["metadata"].get("component");
    let mut open: Vec<&Value> = array(json, "components").iter().chain(described).collect();
    while let Some(component) = open.pop() {
        open.extend(array(component, "components"));
        let purl = text(component, "purl");
        let own =
            purl.or_else(|| text(component, "name").filter(|_| component["type"] == "container"));
        if let (Some(reference), Some(own)) = (text(component, "bom-ref"), own) {
            found.insert(reference, own);
        }
    }
    found
}

/// Of another document (`urn:cdx:SERIAL/VERSION#REFERENCE`) only what is a package URL itself.
fn linked(reference: &str) -> Option<String> {
    let last = match reference.strip_prefix("urn:cdx:") {
        Some(link) => link.split_once('#')?.1,
        None => reference,
    };
    let last = last.replace("%3A", ":").replace("%2F", "/").replace("%40", "@");
    last.starts_with("pkg:").then_some(last)
}
