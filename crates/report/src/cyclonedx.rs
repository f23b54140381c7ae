//! CycloneDX 1.6 in JSON: all packages of the image, and what is known of their
//! vulnerabilities.
//!
//! <https://cyclonedx.org/docs/1.6/json/>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::content_id::uuid;
use super::json::some;
use super::{address, json, sbom, wording};
use inscan_document::section::PackageRow;
use inscan_document::{Section, licence_expression};
use inscan_evaluate::{
    Evaluation, Finding, Rating, Severity, Status, Suppression, SuppressionCode,
};

const IMAGE: &str = "image";

pub(super) fn render(evaluation: &Evaluation, section: &Section) -> String {
    let references = references(&section.packages);
    let packages = section.packages.iter().zip(&references);
    let packages = packages.map(|(package, reference)| {
        let owner = package.owned_by.and_then(|owner| references.get(owner));
        component(package, reference, owner.map(String::as_str), section)
    });
    let components: Vec<_> = distribution(section).into_iter().chain(packages).collect();
    let depends_on: Vec<_> = components.iter().map(|it| it["bom-ref"].clone()).collect();
    let is_complete = section.problems.is_empty() && section.skipped.count == 0;
    let mut bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata(evaluation, section),
        "components": components,
        "dependencies": [{"ref": IMAGE, "dependsOn": depends_on}],
        "compositions": [{
            "aggregate": if is_complete { "unknown" } else { "incomplete" },
            "assemblies": [IMAGE],
        }],
        // Absent where nobody looked: an empty list would say that there are none.
        "vulnerabilities": evaluation.database.as_ref().map(|_| vulnerabilities(evaluation, &references)),
    });
    bom["serialNumber"] = json!(format!("urn:uuid:{}", uuid(&[&bom.to_string()])));
    json::text(bom)
}

fn metadata(evaluation: &Evaluation, section: &Section) -> Value {
    let image = &section.image;
    let (name, _) = sbom::repository_and_tag(wording::image(evaluation));
    let layers = section.layers.iter();
    let layers = layers.map(|layer| ("inscan:image:diff-id".to_owned(), layer.diff_id.clone()));
    let of_image = sbom::image_facts(image);
    json!({
        "timestamp": wording::timestamp(evaluation),
        "tools": {"components": [{
            "type": "application",
            "name": evaluation.tool.name,
            "version": evaluation.tool.version,
        }]},
        "component": {
            "type": "container",
            "bom-ref": IMAGE,
            "name": name,
            "version": image.digest,
            "purl": sbom::image_purl(image),
            "properties": properties(of_image.into_iter().chain(layers)),
        },
        "properties": properties(about(evaluation, section)),
    })
}

/// What was judged and with what, and what was not: a reader must not take silence for clean.
fn about(evaluation: &Evaluation, section: &Section) -> Vec<(&'static str, String)> {
    let mut about = vec![("inscan:verdict", wording::verdict(evaluation))];
    if let Some(database) = &evaluation.database {
        about.push(("inscan:database:date", database.date.clone().unwrap_or_default()));
        about.push(("inscan:database:digest", database.digest.clone().unwrap_or_default()));
    }
    about.extend(evaluation.verdict.not_counted.clone().map(|line| ("inscan:not-counted", line)));
    let uncovered = evaluation.uncovered.iter().map(|it| ("inscan:not-judged", it.message.clone()));
    about.extend(uncovered);
    let problems = section.problems.len() + section.skipped.count;
    about.extend((problems > 0).then(|| ("inscan:not-understood", problems.to_string())));
    about.extend(sbom::hidden(section).into_iter().map(|problem| ("inscan:hidden", problem)));
    about
}

fn properties<N: AsRef<str>>(all: impl IntoIterator<Item = (N, String)>) -> Value {
    let said = all.into_iter().filter(|(_, value)| !value.is_empty());
    some(said.map(|(name, value)| json!({"name": name.as_ref(), "value": value})).collect())
}

/// One for each package: its purl, with a number where several have the same.
fn references(packages: &[PackageRow]) -> Vec<String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let reference = packages.iter().map(|package| {
        let number = seen.entry(package.purl.as_str()).or_default();
        *number += 1;
        match (package.purl.is_empty(), *number) {
            (true, number) => format!("package:{number}"),
            (false, 1) => package.purl.clone(),
            (false, number) => format!("{} #{number}", package.purl),
        }
    });
    reference.collect()
}

fn distribution(section: &Section) -> Option<Value> {
    let distribution = section.distribution.as_ref()?;
    Some(json!({
        "type": "operating-system",
        "bom-ref": "distribution",
        "name": distribution.id,
        "version": distribution.version,
        "description": distribution.name,
    }))
}

fn component(
    package: &PackageRow,
    reference: &str,
    owner: Option<&str>,
    section: &Section,
) -> Value {
    let layer = package.layer.and_then(|layer| section.layers.get(layer));
    let mut said = sbom::facts(package, owner);
    let index = package.layer.map(|layer| layer.to_string()).unwrap_or_default();
    said.push(("inscan:layer:index".to_owned(), index));
    let diff_id = layer.map(|layer| layer.diff_id.clone()).unwrap_or_default();
    said.push(("inscan:layer:diff-id".to_owned(), diff_id));
    let digests = sbom::digests(package, section).into_iter();
    let digests = digests.map(|(algorithm, digest)| json!({"alg": algorithm, "content": digest}));
    let homepage = sbom::homepage(package);
    let name = if package.name.is_empty() { "unknown" } else { &package.name };
    json!({
        "type": if package.kind == "generic" { "application" } else { "library" },
        "bom-ref": reference,
        "group": package.namespace,
        "name": name,
        "version": Some(&package.version).filter(|version| !version.is_empty()),
        "scope": (!sbom::is_in_the_image(package)).then_some("excluded"),
        "purl": Some(&package.purl).filter(|purl| !purl.is_empty()),
        "cpe": sbom::cpe(package),
        "publisher": package.origin,
        "licenses": some(licences(package)),
        "hashes": some(digests.collect()),
        "externalReferences": homepage.map(|url| json!([{"type": "website", "url": url}])),
        "evidence": (!package.location.is_empty())
            .then(|| json!({"occurrences": [{"location": package.location}]})),
        "properties": properties(said),
    })
}

/// One expression, or a list of licences: the form allows no mixture.
fn licences(package: &PackageRow) -> Vec<Value> {
    const DECLARED: &str = "declared";
    let stated = package.licences.iter().filter(|stated| !stated.trim().is_empty());
    let stated: Vec<_> = stated.map(|stated| (stated, licence_expression(stated))).collect();
    if let [(_, Some(expression))] = stated.as_slice() {
        return vec![json!({"expression": expression, "acknowledgement": DECLARED})];
    }
    let mut names: Vec<String> = Vec::new();
    for (stated, expression) in stated {
        let name = expression.unwrap_or_else(|| stated.clone());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // Readers refuse an identifier that is newer than their list: the well-known ones are in all.
    let licence = |name: String| {
        let id = spdx::license_id(&name).filter(|id| id.name == name);
        let is_known = id.is_some_and(|id| id.is_fsf_free_libre());
        let key = if is_known { "id" } else { "name" };
        json!({"license": {key: name, "acknowledgement": DECLARED}})
    };
    names.into_iter().map(licence).collect()
}

/// Findings that differ in their packages only are one vulnerability that affects several.
fn vulnerabilities(evaluation: &Evaluation, references: &[String]) -> Vec<Value> {
    let open = evaluation.findings.iter().map(|finding| (finding, None));
    let suppressed = evaluation.suppressed.iter().map(|it| (&it.finding, Some(&it.by)));
    let mut all: Vec<Value> = Vec::new();
    let mut positions: BTreeMap<String, usize> = BTreeMap::new();
    for (finding, by) in open.chain(suppressed) {
        let vulnerability = vulnerability(finding, by);
        let position = *positions.entry(vulnerability.to_string()).or_insert_with(|| {
            all.push(vulnerability);
            all.len() - 1
        });
        let reference = references.get(finding.package.index).map_or(IMAGE, String::as_str);
        let affected = json!({
            "ref": reference,
            "versions": [{"version": finding.package.version, "status": "affected"}],
        });
        if let Some(affects) = all[position]["affects"].as_array_mut()
            && !affects.contains(&affected)
        {
            affects.push(affected);
        }
    }
    // One vulnerability may be rated or fixed differently in two packages.
    for (position, vulnerability) in all.iter_mut().enumerate() {
        let id = vulnerability["id"].as_str().unwrap_or_default();
        vulnerability["bom-ref"] = json!(format!("vulnerability-{}-{id}", position + 1));
    }
    all
}

fn vulnerability(finding: &Finding, by: Option<&Suppression>) -> Value {
    let aliases = finding.aliases.iter().filter(|alias| **alias != finding.id);
    let aliases = aliases.map(|alias| json!({"id": alias, "source": source(alias)}));
    let advisories = finding.advisories.iter().filter_map(|advisory| {
        let url = advisory.url.as_deref().filter(|url| address::is_web(url))?;
        Some(json!({"title": advisory.id, "url": url}))
    });
    let references = finding.references.iter().map(|reference| reference.url.as_str());
    let references = references.filter(|url| address::is_web(url)).map(|url| json!({"url": url}));
    let number = |cwe: &String| cwe.strip_prefix("CWE-")?.parse::<u32>().ok().filter(|it| *it > 0);
    let kev = finding.kev.as_ref();
    let said = [
        ("inscan:status", name_of(finding.status)),
        ("inscan:fixed-versions", finding.fixed_versions.join(" ")),
        ("inscan:kev:added", kev.and_then(|kev| kev.added.clone()).unwrap_or_default()),
        ("inscan:kev", kev.map(|_| "true".to_owned()).unwrap_or_default()),
        ("inscan:fails-gate", finding.fails.to_string()),
        ("inscan:suppressed-by", by.map(|by| name_of(by.code)).unwrap_or_default()),
    ];
    json!({
        "id": finding.id,
        "source": source(&finding.id),
        "references": some(aliases.collect()),
        "ratings": ratings(finding),
        "cwes": some(finding.cwes.iter().filter_map(number).collect()),
        "description": Some(&finding.summary).filter(|summary| !summary.is_empty()),
        "recommendation": wording::advice(finding),
        "advisories": some(advisories.chain(references).collect()),
        "published": finding.published.as_deref().and_then(wording::date_time),
        "updated": finding.modified.as_deref().and_then(wording::date_time),
        "analysis": analysis(finding, by),
        "affects": [],
        "properties": properties(said),
    })
}

/// The kebab-case name that the evaluation's JSON has.
fn name_of(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn source(id: &str) -> Value {
    match id.split('-').next() {
        Some("CVE") => json!({"name": "NVD", "url": "https://nvd.nist.gov/"}),
        Some("GHSA") => {
            json!({"name": "GitHub Advisory Database", "url": "https://github.com/advisories"})
        }
        _ => json!({"name": "OSV", "url": "https://osv.dev/"}),
    }
}

fn ratings(finding: &Finding) -> Value {
    let Rating { level, source, score, vector } = &finding.severity;
    let method = vector.as_deref().map(|vector| match vector {
        vector if vector.starts_with("CVSS:4") => "CVSSv4",
        vector if vector.starts_with("CVSS:3.1") => "CVSSv31",
        vector if vector.starts_with("CVSS:3.0") => "CVSSv3",
        vector if vector.starts_with("AV:") => "CVSSv2",
        _ => "other",
    });
    let rating = json!({
        "source": (!source.is_empty()).then(|| json!({"name": source})),
        "severity": match level {
            // Debian's word, for what CycloneDX calls by the same meaning.
            Severity::Negligible => "info",
            level => level.name(),
        },
        "score": score.filter(|score| score.is_finite()),
        "method": method,
        "vector": vector,
    });
    let epss = finding.epss.as_ref().map(|epss| {
        json!({
            "source": {"name": "EPSS", "url": "https://www.first.org/epss/"},
            "score": epss.score,
            "method": "other",
        })
    });
    [rating].into_iter().chain(epss).collect()
}

/// What nobody has looked at is in triage. What is suppressed says by whose word.
fn analysis(finding: &Finding, by: Option<&Suppression>) -> Value {
    let Some(by) = by else {
        let response = match (&finding.upgrade, finding.status) {
            (Some(_), _) => json!(["update"]),
            (None, Status::WillNotFix) => json!(["will_not_fix"]),
            (None, Status::EndOfLife) => json!(["can_not_fix"]),
            _ => Value::Null,
        };
        return json!({"state": "in_triage", "response": response});
    };
    let state = match by.code {
        // A risk that somebody accepted is still there.
        SuppressionCode::Ignored => "exploitable",
        SuppressionCode::OwnedByOsPackage
        | SuppressionCode::NotSecurity
        | SuppressionCode::NotFromRegistry
        | SuppressionCode::CpeOnly
        | SuppressionCode::Informational => "false_positive",
        SuppressionCode::Vex | SuppressionCode::NotAffected | SuppressionCode::OtherPlatform => {
            "not_affected"
        }
        SuppressionCode::Unimportant | SuppressionCode::NotInstalled => "not_affected",
    };
    let response = (by.code == SuppressionCode::Ignored).then_some(["will_not_fix"]);
    let detail = match &by.note {
        Some(note) => format!("{}: {note}", by.reason),
        None => by.reason.clone(),
    };
    json!({"state": state, "response": response, "detail": detail})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation, holds_against, section};

    fn parsed(evaluation: &Evaluation, section: &Section) -> Value {
        let value = serde_json::from_str(&render(evaluation, section)).unwrap();
        holds_against("cyclonedx-1.6.json", &value);
        value
    }

    #[test]
    fn what_only_a_lock_file_names_is_excluded() {
        let mut section = testing::section();
        section.packages[0].evidence = inscan_facts::package::Evidence::Lockfile;
        section.packages[1].role = Some(inscan_facts::package::Role::Fixture);
        let text = render(&testing::evaluation(), &section);
        let value: Value = serde_json::from_str(&text).unwrap();
        let packages = value["components"].as_array().unwrap().iter().skip(1);
        let scopes: Vec<_> = packages.map(|it| it["scope"].as_str()).collect();
        assert_eq!(scopes, [Some("excluded"), Some("excluded"), None]);
    }

    #[test]
    fn holds_against_the_published_schema() {
        parsed(&evaluation(), &section());
        parsed(&testing::hostile(), &testing::hostile_section());
        parsed(
            &Evaluation { date: "2026-01-01".into(), ..Evaluation::default() },
            &Section::default(),
        );
    }

    #[test]
    fn every_package_is_a_component() {
        let value = parsed(&evaluation(), &section());
        let components = value["components"].as_array().unwrap();
        assert_eq!(components.len(), 1 + 3, "the distribution, and three packages");
        let django = &components[1];
        assert_eq!(django["purl"], "pkg:pypi/django@3.2.0");
        assert_eq!(django["cpe"], "cpe:2.3:a:django:django:3.2.0:*:*:*:*:*:*:*");
        assert_eq!(django["hashes"][0]["alg"], "SHA-512");
        assert_eq!(django["licenses"][0]["license"]["name"], "BSD");
        assert_eq!(django["licenses"][1]["license"]["id"], "MIT");
        assert_eq!(components[2]["licenses"][0]["expression"], "GPL-2.0-or-later OR Artistic-2.0");
        let layer = json!({"name": "inscan:layer:diff-id", "value": testing::DIFF_IDS[0]});
        assert!(components[2]["properties"].as_array().unwrap().contains(&layer));
    }

    #[test]
    fn every_licence_of_the_list_is_known_to_readers() {
        let mut section = section();
        let all = spdx::identifiers::LICENSES.iter().map(|listed| listed.name.to_owned());
        section.packages[0].licences = all.filter(|name| name != "NOASSERTION").collect();
        parsed(&evaluation(), &section);
    }

    #[test]
    fn packages_of_one_purl_have_references_of_their_own() {
        let mut section = section();
        section.packages.push(section.packages[0].clone());
        let value = parsed(&evaluation(), &section);
        assert_eq!(value["components"][4]["bom-ref"], "pkg:pypi/django@3.2.0 #2");
    }

    #[test]
    fn a_vulnerability_says_whom_it_affects_and_what_to_do() {
        let value = parsed(&evaluation(), &section());
        let all = value["vulnerabilities"].as_array().unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(all[0]["affects"][0]["ref"], value["components"][1]["bom-ref"]);
        assert_eq!(all[0]["ratings"][0]["method"], "CVSSv31");
        assert_eq!(all[0]["cwes"], json!([89]));
        assert_eq!(all[0]["recommendation"], "Upgrade django to 3.2.13.");
        assert_eq!(all[0]["analysis"]["response"], json!(["update"]));
        assert_eq!(all[1]["analysis"]["response"], json!(["will_not_fix"]));
        assert_eq!(all[3]["analysis"]["state"], "exploitable");
        assert_eq!(all[3]["analysis"]["detail"], "accepted in exceptions.yaml: behind a proxy");
    }

    #[test]
    fn one_vulnerability_in_two_packages_is_there_once() {
        let mut evaluation = evaluation();
        let mut second = evaluation.findings[1].clone();
        second.package.index = 0;
        evaluation.findings.push(second);
        let value = parsed(&evaluation, &section());
        assert_eq!(value["vulnerabilities"].as_array().unwrap().len(), 4);
        assert_eq!(value["vulnerabilities"][1]["affects"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn without_a_database_it_is_a_bill_of_materials_that_says_so() {
        let value = parsed(&testing::without_database(), &section());
        assert_eq!(value["vulnerabilities"], Value::Null);
        let properties = value["metadata"]["properties"].to_string();
        assert!(properties.contains("there is no vulnerability database"), "{properties}");
    }

    #[test]
    fn the_serial_number_is_of_the_content() {
        let serial =
            |evaluation: &Evaluation| parsed(evaluation, &section())["serialNumber"].clone();
        assert_eq!(serial(&evaluation()), serial(&evaluation()));
        assert_ne!(serial(&evaluation()), serial(&testing::without_database()));
    }
}
