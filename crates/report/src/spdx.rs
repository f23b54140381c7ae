//! SPDX 2.3 in JSON: the image, its distribution, and all packages.
//!
//! <https://spdx.github.io/spdx-spec/v2.3/>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::content_id::{fingerprint, uuid};
use super::json::some;
use super::text::printable;
use super::{json, sbom, wording};
use inscan_document::section::PackageRow;
use inscan_document::{Section, licence_expression};
use inscan_evaluate::{Evaluation, Finding};

const NOASSERTION: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
/// Trivy knows it by this name.
const DISTRIBUTION: &str = "SPDXRef-OperatingSystem";

pub(super) fn render(evaluation: &Evaluation, section: &Section) -> String {
    let mut findings: BTreeMap<usize, Vec<&Finding>> = BTreeMap::new();
    for finding in &evaluation.findings {
        findings.entry(finding.package.index).or_default().push(finding);
    }
    let ids = ids(&section.packages);
    let mut texts = BTreeMap::new();
    let mut of_image = image(evaluation, section);
    of_image["annotations"] = annotation(evaluation, sbom::image_facts(&section.image));
    let mut packages = vec![of_image];
    packages.extend(distribution(section));
    for (index, (package, id)) in section.packages.iter().zip(&ids).enumerate() {
        let findings = findings.get(&index).map(Vec::as_slice).unwrap_or_default();
        let mut json = self::package(package, id, section, findings, &mut texts);
        let owner = package.owned_by.and_then(|owner| ids.get(owner)).map(String::as_str);
        json["annotations"] = annotation(evaluation, sbom::facts(package, owner));
        packages.push(json);
    }
    let licences = texts.into_iter().map(|(id, text)| {
        json!({"licenseId": id, "extractedText": text, "name": wording::shortened(&text, 100)})
    });
    let name = printable(wording::image(evaluation));
    let name = if name.is_empty() { "image" } else { &name };
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": name,
        "comment": comment(evaluation, section),
        "annotations": hidden(evaluation, section),
        "creationInfo": {
            "created": wording::timestamp(evaluation),
            "creators": [format!("Tool: {}-{}", evaluation.tool.name, evaluation.tool.version)],
        },
        "packages": packages,
        "relationships": relationships(section, &ids),
        "hasExtractedLicensingInfos": some(licences.collect()),
    });
    // The place that the specification names for those who have no web site of their own.
    let uuid = uuid(&[&document.to_string()]);
    document["documentNamespace"] = json!(format!("https://spdx.org/spdxdocs/inscan-{uuid}"));
    json::text(document)
}

/// What the form has no place for, in a comment: a JSON object of texts.
fn annotation(evaluation: &Evaluation, facts: Vec<(String, String)>) -> Value {
    let facts: BTreeMap<String, String> = facts.into_iter().collect();
    match facts.is_empty() {
        true => Value::Null,
        false => json!([annotated(evaluation, &json!(facts).to_string())]),
    }
}

fn hidden(evaluation: &Evaluation, section: &Section) -> Value {
    let all = sbom::hidden(section);
    some(all.iter().map(|problem| annotated(evaluation, problem)).collect())
}

fn annotated(evaluation: &Evaluation, comment: &str) -> Value {
    json!({
        "annotator": format!("Tool: {}-{}", evaluation.tool.name, evaluation.tool.version),
        "annotationDate": wording::timestamp(evaluation),
        "annotationType": "OTHER",
        "comment": comment,
    })
}

/// What was judged, and what was not.
fn comment(evaluation: &Evaluation, section: &Section) -> String {
    let mut parts = vec![format!("Vulnerabilities: {}", wording::verdict(evaluation))];
    parts.extend(wording::not_counted(evaluation));
    let uncovered = evaluation.uncovered.iter();
    parts.extend(uncovered.map(|it| format!("not evaluated: {}", printable(&it.message))));
    let problems = section.problems.len() + section.skipped.count;
    if problems > 0 {
        parts.push(format!("{problems} files could not be understood, and may hold packages"));
    }
    parts.join("; ")
}

fn image(evaluation: &Evaluation, section: &Section) -> Value {
    let image = &section.image;
    let (name, _) = sbom::repository_and_tag(wording::image(evaluation));
    let digest = Some(image.digest.as_str()).filter(|digest| sbom::is_sha256(digest));
    let digest = digest.and_then(|digest| digest.strip_prefix("sha256:"));
    json!({
        "SPDXID": IMAGE,
        "name": if name.is_empty() { "image" } else { name },
        "versionInfo": Some(&image.digest).filter(|digest| !digest.is_empty()),
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": NOASSERTION,
        "filesAnalyzed": false,
        "licenseConcluded": NOASSERTION,
        "licenseDeclared": NOASSERTION,
        "copyrightText": NOASSERTION,
        "checksums": digest.map(|digest| json!([{"algorithm": "SHA256", "checksumValue": digest}])),
        "externalRefs": sbom::image_purl(image).map(|purl| json!([purl_reference(&purl)])),
    })
}

fn purl_reference(purl: &str) -> Value {
    json!({
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    })
}

fn distribution(section: &Section) -> Option<Value> {
    let distribution = section.distribution.as_ref()?;
    Some(json!({
        "SPDXID": DISTRIBUTION,
        "name": distribution.id,
        "versionInfo": distribution.version,
        "summary": distribution.name,
        "primaryPackagePurpose": "OPERATING_SYSTEM",
        "downloadLocation": NOASSERTION,
        "filesAnalyzed": false,
        "licenseConcluded": NOASSERTION,
        "licenseDeclared": NOASSERTION,
        "copyrightText": NOASSERTION,
    }))
}

/// Letters, digits, `.` and `-` are all that an id may have; two packages never share one.
fn ids(packages: &[PackageRow]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let id = packages.iter().map(|package| {
        let name = format!("{}-{}", package.kind, package.name);
        let name: String = name
            .chars()
            .take(80)
            .map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '-' })
            .collect();
        let number = (0..).find_map(|number: usize| {
            let number = number.to_string();
            let parts = [&package.purl, &package.location, &number].map(String::as_str);
            let id = format!("SPDXRef-Package-{name}-{}", &fingerprint(&parts)[..16]);
            taken.insert(id.clone()).then_some(id)
        });
        number.expect("there are more numbers than packages")
    });
    id.collect()
}

fn package(
    package: &PackageRow,
    id: &str,
    section: &Section,
    findings: &[&Finding],
    texts: &mut BTreeMap<String, String>,
) -> Value {
    let digests = sbom::digests(package, section).into_iter();
    let checksums = digests.map(|(algorithm, digest)| {
        json!({"algorithm": algorithm.replace('-', ""), "checksumValue": digest})
    });
    let purl = Some(&package.purl).filter(|purl| is_locator(purl));
    let cpe = sbom::cpe(package).map(|cpe| {
        json!({
            "referenceCategory": "SECURITY",
            "referenceType": "cpe23Type",
            "referenceLocator": cpe,
        })
    });
    let references = purl.map(|purl| purl_reference(purl)).into_iter().chain(cpe);
    let references = references.chain(findings.iter().filter_map(|finding| advisory(finding)));
    json!({
        "SPDXID": id,
        "name": if package.name.is_empty() { "unknown" } else { &package.name },
        "versionInfo": Some(&package.version).filter(|version| !version.is_empty()),
        "primaryPackagePurpose": if package.kind == "generic" { "APPLICATION" } else { "LIBRARY" },
        "downloadLocation": NOASSERTION,
        "homepage": sbom::homepage(package),
        "filesAnalyzed": false,
        "sourceInfo": printable(&found(package, section)),
        "summary": package.attributes.get("summary"),
        "licenseConcluded": NOASSERTION,
        "licenseDeclared": declared(package, texts),
        "copyrightText": NOASSERTION,
        "checksums": some(checksums.collect()),
        "externalRefs": some(references.collect()),
    })
}

/// A locator has no blanks.
fn is_locator(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The page of the finding's advisory; where none is known, its name.
fn advisory(finding: &Finding) -> Option<Value> {
    let mut reference = match wording::page(finding) {
        Some(page) => json!({
            "referenceCategory": "SECURITY",
            "referenceType": "advisory",
            "referenceLocator": page,
        }),
        None => json!({
            "referenceCategory": "OTHER",
            "referenceType": "vulnerability",
            "referenceLocator": Some(&finding.id).filter(|id| is_locator(id))?,
        }),
    };
    reference["comment"] =
        json!(format!("{} ({})", printable(&finding.id), finding.severity.level.name()));
    Some(reference)
}

/// `found by dpkg in /var/lib/dpkg/status, brought by layer sha256:…, built from glibc`.
fn found(package: &PackageRow, section: &Section) -> String {
    let mut parts = vec![format!("found by {} in /{}", package.analyzer, package.location)];
    if let Some(layer) = package.layer.and_then(|layer| section.layers.get(layer)) {
        parts.push(format!("brought by layer {} ({})", layer.index + 1, layer.diff_id));
    }
    if let Some(source) = &package.source {
        let version = source.version.as_ref().unwrap_or(&package.version);
        parts.push(format!("built from {} {version}", source.name));
    }
    parts.join(", ")
}

/// All that it states, joined by `AND`. What is no SPDX expression for certain stands there as a
/// reference to its text.
fn declared(package: &PackageRow, texts: &mut BTreeMap<String, String>) -> String {
    let mut operands: Vec<String> = Vec::new();
    for stated in package.licences.iter().filter(|stated| !stated.trim().is_empty()) {
        let operand = licence_expression(stated).unwrap_or_else(|| {
            let text = printable(stated);
            let id = format!("LicenseRef-{}", &fingerprint(&[&text])[..16]);
            texts.insert(id.clone(), text);
            id
        });
        if !operands.contains(&operand) {
            operands.push(operand);
        }
    }
    match operands.as_slice() {
        [] => NOASSERTION.to_owned(),
        [one] => one.clone(),
        several => {
            let in_brackets = |operand: &String| match operand.contains(" OR ") {
                true => format!("({operand})"),
                false => operand.clone(),
            };
            several.iter().map(in_brackets).collect::<Vec<_>>().join(" AND ")
        }
    }
}

fn relationships(section: &Section, ids: &[String]) -> Vec<Value> {
    let relationship = |from: &str, kind: &str, to: &str| json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to});
    let mut all = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE)];
    if section.distribution.is_some() {
        all.push(relationship(IMAGE, "CONTAINS", DISTRIBUTION));
    }
    all.extend(section.packages.iter().zip(ids).map(|(package, id)| {
        if sbom::is_in_the_image(package) {
            return relationship(IMAGE, "CONTAINS", id);
        }
        let mut named = relationship(IMAGE, "OTHER", id);
        named["comment"] = json!("named in the image, and not installed in it");
        named
    }));
    for (package, id) in section.packages.iter().zip(ids) {
        if let Some(owner) = package.owned_by.and_then(|owner| ids.get(owner)) {
            all.push(relationship(owner, "CONTAINS", id));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation, holds_against, section};

    fn parsed(evaluation: &Evaluation, section: &Section) -> Value {
        let value: Value = serde_json::from_str(&render(evaluation, section)).unwrap();
        holds_against("spdx-2.3.json", &value);
        for package in value["packages"].as_array().unwrap() {
            let declared = package["licenseDeclared"].as_str().unwrap();
            assert!(
                declared == NOASSERTION || spdx::Expression::parse(declared).is_ok(),
                "{declared}"
            );
            let id = package["SPDXID"].as_str().unwrap().strip_prefix("SPDXRef-").unwrap();
            let plain = |char: char| char.is_ascii_alphanumeric() || char == '.' || char == '-';
            assert!(id.chars().all(plain), "{id}");
        }
        value
    }

    #[test]
    fn holds_against_the_published_schema() {
        parsed(&evaluation(), &section());
        parsed(&testing::hostile(), &testing::hostile_section());
        parsed(&testing::without_database(), &section());
        parsed(&Evaluation::default(), &Section::default());
    }

    #[test]
    fn every_package_is_contained_in_the_image() {
        let mut section = section();
        section.packages[0].owned_by = Some(1);
        let value = parsed(&evaluation(), &section);
        let packages = value["packages"].as_array().unwrap();
        assert_eq!(packages.len(), 2 + 3, "the image, the distribution, and three packages");
        assert_eq!(packages[0]["primaryPackagePurpose"], "CONTAINER");
        let django = &packages[2];
        assert_eq!(django["externalRefs"][0]["referenceLocator"], "pkg:pypi/django@3.2.0");
        assert_eq!(django["externalRefs"][1]["referenceType"], "cpe23Type");
        assert_eq!(django["externalRefs"][2]["comment"], "CVE-2022-28346 (critical)");
        assert_eq!(django["checksums"][0]["algorithm"], "SHA512");
        let contained = value["relationships"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["spdxElementId"] == IMAGE && it["relationshipType"] == "CONTAINS");
        assert_eq!(contained.count(), 4);
        let owner = &packages[3]["SPDXID"];
        assert!(
            value["relationships"]
                .as_array()
                .unwrap()
                .iter()
                .any(|it| it["spdxElementId"] == *owner)
        );
    }

    #[test]
    fn what_only_a_lock_file_names_is_not_contained() {
        let mut section = section();
        section.packages[0].evidence = inscan_facts::package::Evidence::Lockfile;
        let value = parsed(&evaluation(), &section);
        let of_image = value["relationships"].as_array().unwrap().iter();
        let kinds: Vec<_> = of_image
            .filter(|it| it["spdxElementId"] == IMAGE)
            .map(|it| it["relationshipType"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["CONTAINS", "OTHER", "CONTAINS", "CONTAINS"]);
    }

    #[test]
    fn licences_are_expressions_or_texts() {
        let value = parsed(&evaluation(), &section());
        let declared = |index: usize| value["packages"][index]["licenseDeclared"].as_str().unwrap();
        let text = &value["hasExtractedLicensingInfos"][0];
        assert_eq!(text["extractedText"], "BSD");
        assert_eq!(declared(2), format!("{} AND MIT", text["licenseId"].as_str().unwrap()));
        assert_eq!(declared(3), "GPL-2.0-or-later OR Artistic-2.0");
        assert_eq!(declared(4), NOASSERTION);
    }

    #[test]
    fn ids_are_of_the_content_and_each_once() {
        let mut section = section();
        section.packages.push(section.packages[0].clone());
        let value = parsed(&evaluation(), &section);
        assert_ne!(value["packages"][2]["SPDXID"], value["packages"][5]["SPDXID"]);
        assert_eq!(render(&evaluation(), &section), render(&evaluation(), &section));
        let namespace = value["documentNamespace"].as_str().unwrap();
        assert!(namespace.starts_with("https://spdx.org/spdxdocs/inscan-"), "{namespace}");
    }
}
