//! OpenVEX 0.2, <https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>, and 0.0.1
//! before it, where products are plain texts.

use serde_json::Value;

use super::{Document, Error, Statement, Status, Target, array, text};

pub(super) fn read(json: &Value) -> Result<Document, Error> {
    let mut document = Document::default();
    let whole = text(json, "last_updated").or_else(|| text(json, "timestamp"));
    for (number, statement) in array(json, "statements").iter().enumerate() {
        let wrong = |reason: String| Error::Statement { number: number + 1, reason };
        let names = names(&statement["vulnerability"]);
        if names.is_empty() {
            return Err(wrong("it names no vulnerability".to_owned()));
        }
        let status = match statement["status"].as_str().unwrap_or_default() {
            "not_affected" => Status::NotAffected,
            "fixed" => Status::Fixed,
            "affected" => Status::Affected,
            "under_investigation" => Status::UnderInvestigation,
            other => return Err(wrong(format!("`{other}` is no status"))),
        };
        let mut targets = Vec::new();
        for product in array(statement, "products") {
            targets.extend(self::targets(product, &mut document.unnamed_products));
        }
        let of_its_own = text(statement, "last_updated").or_else(|| text(statement, "timestamp"));
        document.statements.push(Statement {
            names,
            targets,
            status,
            justification: text(statement, "justification"),
            note: ["impact_statement", "status_notes", "action_statement"]
                .iter()
                .find_map(|key| text(statement, key)),
            timestamp: of_its_own.or_else(|| whole.clone()),
        });
    }
    Ok(document)
}

fn names(vulnerability: &Value) -> Vec<String> {
    if let Some(name) = vulnerability.as_str() {
        return vec![name.to_owned()];
    }
    // An id is an address; its last part may be a name.
    let id = text(vulnerability, "@id");
    let id = id.and_then(|id| id.rsplit('/').next().map(str::to_owned));
    let aliases = array(vulnerability, "aliases").iter().filter_map(Value::as_str);
    let mut names: Vec<String> = text(vulnerability, "name").into_iter().collect();
    names.extend(aliases.map(str::to_owned));
    names.extend(id.filter(|id| !names.contains(id) && !id.is_empty()));
    names
}

fn targets(product: &Value, unnamed: &mut usize) -> Vec<Target> {
    let Some(name) = name(product) else {
        *unnamed += 1;
        return Vec::new();
    };
    let components = array(product, "subcomponents");
    if components.is_empty() {
        return vec![Target { product: Some(name), component: None }];
    }
    let mut targets = Vec::new();
    for component in components {
        match self::name(component).filter(|name| name.starts_with("pkg:")) {
            Some(component) => {
                targets.push(Target { product: Some(name.clone()), component: Some(component) })
            }
            None => *unnamed += 1,
        }
    }
    targets
}

fn name(product: &Value) -> Option<String> {
    let plain = product.as_str().map(str::to_owned);
    plain.or_else(|| text(&product["identifiers"], "purl")).or_else(|| text(product, "@id"))
}
