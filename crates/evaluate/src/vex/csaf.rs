//! CSAF 2.0 and 2.1, <https://docs.oasis-open.org/csaf/csaf/v2.0/csaf-v2.0.html>.
//!
//! Products stand in a tree and have ids; relationships put one into another.

use std::collections::HashMap;

use inscan_facts::purl;
use serde_json::Value;

use super::{Condition, Document, Error, Statement, Status, Target, Version, array, moment, text};

const STATUSES: [(&str, Status); 7] = [
    ("known_not_affected", Status::NotAffected),
    ("fixed", Status::Fixed),
    ("first_fixed", Status::Fixed),
    ("known_affected", Status::Affected),
    ("first_affected", Status::Affected),
    ("last_affected", Status::Affected),
    ("under_investigation", Status::UnderInvestigation),
];

pub(super) fn read(json: &Value) -> Result<Document, Error> {
    let products = products(&json["product_tree"]);
    let timestamp = text(&json["document"]["tracking"], "current_release_date");
    let timestamp = timestamp.and_then(|text| moment(&text));
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
                let Some(targets) = products.get(id) else {
                    document.unnamed_products += 1;
                    continue;
                };
                let (justification, note) = said_of(vulnerability, id);
                let same =
                    |it: &&mut Statement| it.justification == justification && it.note == note;
                match groups.iter_mut().find(same) {
                    Some(group) => group.targets.extend_from_slice(targets),
                    None => groups.push(Statement {
                        names: names.clone(),
                        targets: targets.clone(),
                        status,
                        justification,
                        note,
                        timestamp,
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

/// A product of the tree: the package URLs that name it, and what its branches say besides.
#[derive(Default)]
struct Product {
    purls: Vec<String>,
    conditions: Vec<Condition>,
}

/// What the products stand for that have a package URL, by id. Every URL of a product is one of
/// its names. Of a relationship the product that it makes may have URLs itself; else both sides
/// need one: a package in a product that cannot be told is a package in no product.
fn products(tree: &Value) -> HashMap<String, Vec<Target>> {
    let mut named: HashMap<&str, Product> = HashMap::new();
    for product in array(tree, "full_product_names") {
        add(product, &[], &mut named);
    }
    let mut open: Vec<(&Value, Vec<Condition>)> =
        array(tree, "branches").iter().map(|branch| (branch, Vec::new())).collect();
    while let Some((branch, mut conditions)) = open.pop() {
        conditions.extend(condition(branch));
        open.extend(array(branch, "branches").iter().map(|inner| (inner, conditions.clone())));
        if let Some(product) = branch.get("product") {
            add(product, &conditions, &mut named);
        }
    }
    let mut targets: HashMap<String, Vec<Target>> = HashMap::new();
    for (id, product) in &named {
        let alone = product.purls.iter().map(|purl| Target {
            conditions: left_open(purl, &product.conditions),
            ..Target::of(Some(purl), None)
        });
        targets.insert((*id).to_owned(), alone.collect());
    }
    for relationship in array(tree, "relationships") {
        let whole = &relationship["full_product_name"];
        let Some(id) = whole["product_id"].as_str() else { continue };
        let side = |key: &str| named.get(relationship[key].as_str()?);
        let component = side("product_reference");
        let around = side("relates_to_product_reference");
        let own = purls(whole);
        let components =
            if own.is_empty() { component.map(|it| it.purls.clone()) } else { Some(own.clone()) };
        let conditions = component.map(|it| it.conditions.clone()).unwrap_or_default();
        let made: Vec<Target> = match (components, around) {
            (Some(components), Some(around)) => {
                let pairs = components.iter().flat_map(|component| {
                    around.purls.iter().map(move |product| (product, component))
                });
                let target = |(product, component): (&String, &String)| Target {
                    conditions: left_open(component, &conditions),
                    ..Target::of(Some(product), Some(component))
                };
                pairs.map(target).collect()
            }
            // The product's own URL names the package, whatever it is a part of.
            _ => own.iter().map(|purl| Target::of(Some(purl), None)).collect(),
        };
        if !made.is_empty() {
            targets.insert(id.to_owned(), made);
        }
    }
    targets
}

fn add<'a>(product: &'a Value, conditions: &[Condition], named: &mut HashMap<&'a str, Product>) {
    let purls = purls(product);
    if let (Some(id), false) = (product["product_id"].as_str(), purls.is_empty()) {
        named.insert(id, Product { purls, conditions: conditions.to_vec() });
    }
}

/// What a branch says of all below it: a version, a range of them, an architecture.
fn condition(branch: &Value) -> Option<Condition> {
    let name = text(branch, "name")?;
    match branch["category"].as_str()? {
        "product_version" => Some(Condition::Versions(vec![Version::Exact(name)])),
        "product_version_range" => Some(Condition::Versions(vec![Version::Range(name)])),
        "architecture" => Some(Condition::Architecture(name)),
        _ => None,
    }
}

/// The conditions that the package URL says nothing of.
fn left_open(url: &str, conditions: &[Condition]) -> Vec<Condition> {
    let purl = purl::parse(url).unwrap_or_default();
    let is_open = |condition: &&Condition| match condition {
        // A range says more than the URL's one version.
        Condition::Versions(all) => {
            purl.version.is_none() || matches!(all.as_slice(), [Version::Range(_)])
        }
        Condition::Architecture(name) => {
            !purl.qualifiers.contains_key("arch")
                && !matches!(name.as_str(), "noarch" | "all" | "src")
        }
        _ => true,
    };
    conditions.iter().filter(is_open).cloned().collect()
}

fn purls(product: &Value) -> Vec<String> {
    let helper = &product["product_identification_helper"];
    let several = array(helper, "purls").iter().filter_map(Value::as_str).map(str::to_owned);
    text(helper, "purl").into_iter().chain(several).collect()
}
