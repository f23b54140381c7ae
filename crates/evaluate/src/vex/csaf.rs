//! CSAF 2.0 and 2.1, <https://docs.oasis-open.org/csaf/csaf/v2.0/csaf-v2.0.html>.
//!
//! Products stand in a tree and have ids; relationships put one into another.

use std::collections::HashMap;

use serde_json::Value;

use super::{Document, Error, Statement, Status, Target, array, text};

const STATUSES: [(&str, Status); 6] = [
    ("known_not_affected", Status::NotAffected),
    ("fixed", Status::Fixed),
    ("first_fixed", Status::Fixed),
    ("known_affected", Status::Affected),
    ("last_affected", Status::Affected),
    ("under_investigation", Status::UnderInvestigation),
];

pub(super) fn read(json: &Value) -> Result<Document, Error> {
    let products = products(&json["product_tree"]);
    let timestamp = text(&json["document"]["tracking"], "current_release_date");
    let mut document = Document::default();
    for (number, vulnerability) in array(json, "vulnerabilities").iter().enumerate() {
        let ids = array(vulnerability, "ids").iter().filter_map(|id| text(id, "text"));
        let names: Vec<String> = text(vulnerability, "cve").into_iter().chain(ids).collect();
        if names.is_empty() {
            let reason = "it has neither a CVE nor another id".to_owned();
            return Err(Error::Statement { number: number + 1, reason });
        }
        for (key, status) in STATUSES {
            let mut groups: Vec<Statement> = Vec::new();
            for id in array(&vulnerability["product_status"], key).iter().filter_map(Value::as_str)
            {
                let Some(target) = products.get(id) else {
                    document.unnamed_products += 1;
                    continue;
                };
                let (justification, note) = said_of(vulnerability, id);
                let same =
                    |it: &&mut Statement| it.justification == justification && it.note == note;
                match groups.iter_mut().find(same) {
                    Some(group) => group.targets.push(target.clone()),
                    None => groups.push(Statement {
                        names: names.clone(),
                        targets: vec![target.clone()],
                        status,
                        justification,
                        note,
                        timestamp: timestamp.clone(),
                    }),
                }
            }
            document.statements.extend(groups);
        }
    }
    Ok(document)
}

/// The flag and the impact that are stated for a product.
fn said_of(vulnerability: &Value, id: &str) -> (Option<String>, Option<String>) {
    let concerns = |it: &&Value| array(it, "product_ids").iter().any(|product| product == id);
    let flag = array(vulnerability, "flags").iter().find(concerns);
    let is_impact = |it: &&Value| it["category"] == "impact";
    let threat = array(vulnerability, "threats").iter().filter(is_impact).find(concerns);
    (flag.and_then(|flag| text(flag, "label")), threat.and_then(|it| text(it, "details")))
}

/// The products that have a package URL, by id. Of a relationship both sides need one: a
/// package in a product that cannot be told is a package in no product.
fn products(tree: &Value) -> HashMap<String, Target> {
    let mut purls: HashMap<&str, String> = HashMap::new();
    let mut open: Vec<&Value> = array(tree, "branches").iter().collect();
    let mut named: Vec<&Value> = array(tree, "full_product_names").iter().collect();
    while let Some(branch) = open.pop() {
        open.extend(array(branch, "branches"));
        named.extend(branch.get("product"));
    }
    for product in named {
        if let (Some(id), Some(purl)) = (product["product_id"].as_str(), purl(product)) {
            purls.insert(id, purl);
        }
    }
    let alone = purls.iter().map(|(id, purl)| {
        ((*id).to_owned(), Target { product: Some(purl.clone()), component: None })
    });
    let mut targets: HashMap<String, Target> = alone.collect();
    for relationship in array(tree, "relationships") {
        let side = |key: &str| purls.get(relationship[key].as_str()?).cloned();
        let id = relationship["full_product_name"]["product_id"].as_str();
        let sides = side("product_reference").zip(side("relates_to_product_reference"));
        if let (Some(id), Some((component, product))) = (id, sides) {
            let target = Target { product: Some(product), component: Some(component) };
            targets.insert(id.to_owned(), target);
        }
    }
    targets
}

fn purl(product: &Value) -> Option<String> {
    let helper = &product["product_identification_helper"];
    let first = array(helper, "purls").first().and_then(Value::as_str).map(str::to_owned);
    text(helper, "purl").or(first)
}
