//! SPDX 2 in tag-value form, into the form that it has in JSON.
//! <https://spdx.github.io/spdx-spec/v2.3/>

use serde_json::{Map, Value, json};

/// `None` where it is something else.
pub(crate) fn as_json(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let pairs = pairs(&text);
    let is_spdx = pairs.iter().take(50).any(|(tag, _)| *tag == "SPDXVersion");
    if !is_spdx {
        return None;
    }
    let mut document = Map::new();
    let mut packages: Vec<Map<String, Value>> = Vec::new();
    let mut relationships = Vec::new();
    let mut creators = Vec::new();
    // Files and snippets have the same tags as packages, and are none.
    let mut in_package = false;
    for (tag, value) in pairs {
        let of_package = packages.last_mut().filter(|_| in_package);
        match (tag, of_package) {
            ("PackageName", _) => {
                in_package = true;
                packages.push(Map::from_iter([("name".to_owned(), json!(value))]));
            }
            ("FileName" | "SnippetSPDXID" | "LicenseID", _) => in_package = false,
            ("SPDXVersion", _) => set(&mut document, "spdxVersion", value),
            ("DocumentName", _) => set(&mut document, "name", value),
            ("DocumentComment", _) => set(&mut document, "comment", value),
            ("Creator", _) => creators.push(json!(value)),
            ("Relationship", _) => relationships.extend(relationship(&value)),
            (tag, Some(package)) => of_a_package(package, tag, value),
            _ => {}
        }
    }
    document.insert("creationInfo".to_owned(), json!({"creators": creators}));
    document.insert("packages".to_owned(), json!(packages));
    document.insert("relationships".to_owned(), json!(relationships));
    Some(Value::Object(document))
}

fn set(object: &mut Map<String, Value>, key: &str, value: String) {
    object.entry(key).or_insert(Value::String(value));
}

fn of_a_package(package: &mut Map<String, Value>, tag: &str, value: String) {
    const KEYS: [(&str, &str); 10] = [
        ("SPDXID", "SPDXID"),
        ("PackageVersion", "versionInfo"),
        ("PackageSupplier", "supplier"),
        ("PackageOriginator", "originator"),
        ("PackageLicenseDeclared", "licenseDeclared"),
        ("PackageLicenseConcluded", "licenseConcluded"),
        ("PackageSourceInfo", "sourceInfo"),
        ("PackageSummary", "summary"),
        ("PrimaryPackagePurpose", "primaryPackagePurpose"),
        ("PackageDownloadLocation", "downloadLocation"),
    ];
    if tag == "ExternalRef" {
        let mut words = value.splitn(3, char::is_whitespace);
        let mut word = || words.next().unwrap_or_default().trim().to_owned();
        let reference = json!({
            "referenceCategory": word(), "referenceType": word(), "referenceLocator": word(),
        });
        if let Some(all) = package.entry("externalRefs").or_insert(json!([])).as_array_mut() {
            all.push(reference);
        }
    } else if let Some((_, key)) = KEYS.iter().find(|(of, _)| *of == tag) {
        set(package, key, value);
    }
}

fn relationship(value: &str) -> Option<Value> {
    let mut words = value.split_whitespace();
    let (from, kind, to) = (words.next()?, words.next()?, words.next()?);
    Some(json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to}))
}

/// `Tag: value`, where a value in `<text>…</text>` may have several lines.
fn pairs(text: &str) -> Vec<(&str, String)> {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        if is_open {
            let (part, closed) = match line.split_once("</text>") {
                Some((part, _)) => (part, true),
                None => (line, false),
            };
            if let Some((_, value)) = pairs.last_mut() {
                value.push('\n');
                value.push_str(part);
            }
            is_open = !closed;
            continue;
        }
        let line = line.trim();
        let Some((tag, value)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let value = value.trim();
        let value = match value.strip_prefix("<text>") {
            Some(rest) => {
                is_open = !rest.contains("</text>");
                rest.split("</text>").next().unwrap_or_default()
            }
            None => value,
        };
        pairs.push((tag.trim(), value.to_owned()));
    }
    pairs
}
