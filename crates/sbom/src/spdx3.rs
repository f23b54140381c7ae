//! SPDX 3 in JSON-LD, into the form of SPDX 2: <https://spdx.github.io/spdx-spec/v3.0.1/>.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{array, text};

pub(crate) fn is(document: &Value) -> bool {
    let contexts = match &document["@context"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    let is_spdx = |it: &Value| it.as_str().is_some_and(|it| it.contains("spdx.org/rdf/3."));
    document["@graph"].is_array() && contexts.iter().any(is_spdx)
}

pub(crate) fn as_spdx2(document: &Value) -> Value {
    let elements = || array(document, "@graph");
    let named: BTreeMap<&str, &Value> = elements().filter_map(|it| Some((id(it)?, it))).collect();
    let packages: Vec<Value> = elements()
        .filter(|it| {
            matches!(kind(it), "software_Package" | "ai_AIPackage" | "dataset_DatasetPackage")
        })
        .map(|it| package(it, &named))
        .collect();
    let relationships: Vec<Value> = elements().flat_map(relationships).collect();
    let spdx = elements().find(|it| kind(it) == "SpdxDocument");
    let bom = elements().find(|it| kind(it) == "software_Sbom");
    let roots = [bom, spdx].into_iter().flatten().flat_map(|it| texts(&it["rootElement"]));
    let tools = elements().filter(|it| kind(it) == "Tool").filter_map(|it| text(it, "name"));
    json!({
        "spdxVersion": "SPDX-3.0",
        "name": spdx.and_then(|it| text(it, "name")),
        "creationInfo": {"creators": tools.map(|tool| format!("Tool: {tool}")).collect::<Vec<_>>()},
        "documentDescribes": roots.collect::<Vec<_>>(),
        "packages": packages,
        "relationships": relationships,
    })
}

fn id(element: &Value) -> Option<&str> {
    element["spdxId"].as_str().or_else(|| element["@id"].as_str())
}

fn kind(element: &Value) -> &str {
    element["type"].as_str().or_else(|| element["@type"].as_str()).unwrap_or_default()
}

/// One text, or several.
fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().map(str::to_owned);
    let several = value.as_array().into_iter().flatten();
    one.into_iter().chain(several.filter_map(|it| it.as_str().map(str::to_owned))).collect()
}

fn package(element: &Value, named: &BTreeMap<&str, &Value>) -> Value {
    let mut references = Vec::new();
    let mut reference = |kind: &str, locator: Option<String>| {
        references.extend(
            locator.map(|locator| json!({"referenceType": kind, "referenceLocator": locator})),
        );
    };
    reference("purl", text(element, "software_packageUrl"));
    for identifier in array(element, "externalIdentifier") {
        let kind = identifier["externalIdentifierType"].as_str().unwrap_or_default();
        match kind.to_ascii_lowercase().as_str() {
            "packageurl" => reference("purl", text(identifier, "identifier")),
            "cpe23" => reference("cpe23Type", text(identifier, "identifier")),
            _ => {}
        }
    }
    let party = |key: &str| {
        let party = texts(&element[key]).into_iter().next()?;
        named.get(party.as_str()).and_then(|party| text(party, "name"))
    };
    let purpose = text(element, "software_primaryPurpose").unwrap_or_default();
    // `operatingSystem`.
    let purpose = purpose.replace('S', "-S").to_uppercase();
    json!({
        "SPDXID": id(element),
        "name": text(element, "name"),
        "versionInfo": text(element, "software_packageVersion"),
        "primaryPackagePurpose": purpose,
        "supplier": party("suppliedBy"),
        "originator": party("originatedBy"),
        "sourceInfo": text(element, "software_sourceInfo"),
        "summary": text(element, "summary"),
        "externalRefs": references,
    })
}

/// One for each side: `to` is a list.
fn relationships(element: &Value) -> Vec<Value> {
    let related = match element["relationshipType"].as_str().unwrap_or_default() {
        "contains" => "CONTAINS",
        "dependsOn" => "DEPENDS_ON",
        "describes" => "DESCRIBES",
        "hasStaticLink" => "STATIC_LINK",
        "hasDynamicLink" => "DYNAMIC_LINK",
        _ => return Vec::new(),
    };
    let from = element["from"].as_str().unwrap_or_default();
    let one = |to: String| json!({"spdxElementId": from, "relationshipType": related, "relatedSpdxElement": to});
    texts(&element["to"]).into_iter().map(one).collect()
}
