//! OpenVEX 0.2.0: a document to be filled in. Each finding is a statement that
//! somebody has to look into; what is suppressed says why it does not count.
//!
//! <https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>

use serde_json::{Value, json};

use super::content_id::uuid;
use super::text::printable;
use super::{json, sbom, wording};
use inscan_document::Section;
use inscan_evaluate::{Evaluation, Finding, Suppression, SuppressionCode};

const CONTEXT: &str = "https://openvex.dev/ns/v0.2.0";

pub(super) fn render(evaluation: &Evaluation, section: &Section) -> String {
    let image = image(section);
    let open = evaluation.findings.iter().map(|finding| statement(finding, None, &image));
    let suppressed = evaluation.suppressed.iter();
    let suppressed = suppressed.map(|it| statement(&it.finding, Some(&it.by), &image));
    // Two packages with one purl are one product.
    let mut statements: Vec<Value> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for statement in open.chain(suppressed) {
        if seen.insert(statement.to_string()) {
            statements.push(statement);
        }
    }
    let mut document = json!({
        "@context": CONTEXT,
        "author": "Unknown Author",
        "role": "Document Creator",
        "timestamp": wording::timestamp(evaluation),
        "version": 1,
        "tooling": format!("{} {}", evaluation.tool.name, evaluation.tool.version),
        "statements": statements,
    });
    document["@id"] = json!(format!("urn:uuid:{}", uuid(&[&document.to_string()])));
    json::text(document)
}

/// The product: the image by its digest, else by its name.
fn image(section: &Section) -> Value {
    if let Some(purl) = sbom::image_purl(&section.image) {
        return json!({"@id": purl, "identifiers": {"purl": purl}});
    }
    let name = format!("{} {}", section.image.reference, section.image.id);
    json!({"@id": format!("urn:uuid:{}", uuid(&[&name]))})
}

fn statement(finding: &Finding, by: Option<&Suppression>, image: &Value) -> Value {
    let mut product = image.clone();
    product["subcomponents"] = json!([{
        "@id": finding.package.purl,
        "identifiers": {"purl": finding.package.purl},
    }]);
    let aliases: Vec<_> = finding.aliases.iter().filter(|alias| **alias != finding.id).collect();
    let mut statement = json!({
        "vulnerability": {
            "name": finding.id,
            "description": Some(printable(&finding.summary)).filter(|summary| !summary.is_empty()),
            "aliases": (!aliases.is_empty()).then_some(aliases),
        },
        "products": [product],
    });
    let said = match by {
        None => json!({"status": "under_investigation", "status_notes": wording::advice(finding)}),
        Some(by) => suppressed(by),
    };
    for (key, value) in said.as_object().into_iter().flatten() {
        statement[key.as_str()] = value.clone();
    }
    statement
}

/// Only what somebody has said is said: that a risk is accepted does not make it none.
fn suppressed(by: &Suppression) -> Value {
    let reason = match &by.note {
        Some(note) => printable(&format!("{}: {note}", by.reason)),
        None => printable(&by.reason),
    };
    let reason = if reason.is_empty() { "no reason is given".to_owned() } else { reason };
    match by.code {
        SuppressionCode::Ignored => json!({"status": "affected", "action_statement": reason}),
        // Judged by the distribution's own advisories under the name of its package.
        SuppressionCode::OwnedByOsPackage
        | SuppressionCode::Unimportant
        | SuppressionCode::NotInstalled
        | SuppressionCode::CpeOnly => {
            json!({"status": "under_investigation", "status_notes": reason})
        }
        _ => json!({"status": "not_affected", "impact_statement": reason}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation, section};

    /// What version 0.2.0 requires of the members that we write, in our own words; it knows no
    /// others. `fixtures/schemas/README.md` says how it was held against the published schema,
    /// which wants one statement at least: where there is nothing to state, we write none.
    fn required() -> Value {
        let text = json!({"type": "string", "minLength": 1});
        let component = json!({
            "type": "object",
            "anyOf": [{"required": ["@id"]}, {"required": ["identifiers"]}],
            "additionalProperties": false,
            "properties": {"@id": {"type": "string", "format": "uri"}, "identifiers": {
                "type": "object", "required": ["purl"], "additionalProperties": false,
                "properties": {"purl": text}}},
        });
        let mut product = component.clone();
        product["properties"]["subcomponents"] =
            json!({"type": "array", "uniqueItems": true, "items": component});
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["@context", "@id", "author", "timestamp", "version", "statements"],
            "additionalProperties": false,
            "properties": {
                "@context": {"const": CONTEXT},
                "@id": {"type": "string", "format": "uri"},
                "author": text, "role": text, "tooling": text,
                "timestamp": {"type": "string", "format": "date-time"},
                "version": {"type": "integer", "minimum": 1},
                "statements": {"type": "array", "uniqueItems": true, "items": {
                    "type": "object",
                    "required": ["vulnerability", "status", "products"],
                    "additionalProperties": false,
                    "properties": {
                        "status_notes": text, "impact_statement": text, "action_statement": text,
                        "vulnerability": {
                            "type": "object",
                            "required": ["name"],
                            "additionalProperties": false,
                            "properties": {
                                "name": text, "description": text,
                                "aliases": {"type": "array", "uniqueItems": true, "items": text}},
                        },
                        "products": {"type": "array", "items": product},
                        "status": {"enum": ["not_affected", "affected", "fixed", "under_investigation"]},
                    },
                    "allOf": [
                        {"if": {"properties": {"status": {"const": "not_affected"}}},
                         "then": {"required": ["impact_statement"]}},
                        {"if": {"properties": {"status": {"const": "affected"}}},
                         "then": {"required": ["action_statement"]}},
                    ],
                }},
            },
        })
    }

    #[track_caller]
    fn parsed(evaluation: &Evaluation, section: &Section) -> Value {
        let value = serde_json::from_str(&render(evaluation, section)).unwrap();
        let options = jsonschema::options().should_validate_formats(true);
        let validator = options.build(&required()).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        value
    }

    #[test]
    fn a_finding_is_to_be_looked_into_and_an_accepted_one_stays_a_risk() {
        let value = parsed(&evaluation(), &section());
        let statements = value["statements"].as_array().unwrap();
        assert_eq!(statements.len(), 4);
        assert_eq!(statements[0]["status"], "under_investigation");
        assert_eq!(statements[0]["status_notes"], "Upgrade django to 3.2.13.");
        let product = &statements[0]["products"][0];
        assert_eq!(product["subcomponents"][0]["@id"], "pkg:pypi/django@3.2.0");
        assert!(product["@id"].as_str().unwrap().starts_with("pkg:oci/web@sha256:aaaa"));
        assert_eq!(statements[3]["status"], "affected");
        assert_eq!(
            statements[3]["action_statement"],
            "accepted in exceptions.yaml: behind a proxy"
        );
    }

    #[test]
    fn what_is_said_not_to_affect_gives_its_reason() {
        let mut evaluation = evaluation();
        evaluation.suppressed[0].by.code = SuppressionCode::Vex;
        let value = parsed(&evaluation, &section());
        assert_eq!(value["statements"][3]["status"], "not_affected");
    }

    #[test]
    fn the_same_statement_is_there_once() {
        let mut evaluation = evaluation();
        evaluation.findings.push(evaluation.findings[0].clone());
        assert_eq!(parsed(&evaluation, &section())["statements"].as_array().unwrap().len(), 4);
        parsed(&testing::without_database(), &Section::default());
    }
}
