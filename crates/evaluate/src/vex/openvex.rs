//! OpenVEX 0.2, <https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>, and 0.0.1
//! before it, where products are plain texts.

use serde_json::Value;

use super::{
    Condition, Document, Error, Statement, Status, Target, array, moment, one_or_several, text,
};

pub(super) fn read(json: &Value) -> Result<Document, Error> {
    let mut document = Document::default();
    let whole = text(json, "last_updated").or_else(|| text(json, "timestamp"));
    let whole = whole.and_then(|text| moment(&text));
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
            // Beside the products, before 0.2, and there it says which parts of all are meant.
            let components = match one_or_several(product, "subcomponents") {
                [] => one_or_several(statement, "subcomponents"),
                own => own,
            };
            targets.extend(self::targets(product, components, &mut document.unnamed_products));
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
            timestamp: of_its_own.and_then(|text| moment(&text)).or(whole),
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

fn targets(product: &Value, components: &[Value], unnamed: &mut usize) -> Vec<Target> {
    let Some(name) = name(product) else {
        *unnamed += 1;
        return Vec::new();
    };
    if components.is_empty() {
        return vec![Target { conditions: digests(product), ..Target::of(Some(&name), None) }];
    }
    let mut targets = Vec::new();
    for component in components {
        match self::name(component).filter(|name| name.starts_with("pkg:")) {
            Some(component_name) => {
                let conditions = [digests(product), digests(component)].concat();
                let target = Target::of(Some(&name), Some(&component_name));
                targets.push(Target { conditions, ..target });
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

/// `{"hashes": {"sha-256": "…"}}`.
fn digests(product: &Value) -> Vec<Condition> {
    let stated = product.get("hashes").and_then(Value::as_object).filter(|all| !all.is_empty());
    let all = stated.map(|all| all.values().filter_map(Value::as_str).map(str::to_owned).collect());
    all.map(Condition::Digests).into_iter().collect()
}
