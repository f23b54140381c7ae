//! What is vulnerable in an image, and what is known of a vulnerability.

use inscan_evaluate::cvss_parts;
use inscan_judge::vulnerable::listing::Which;
use inscan_vulndb::{Advisory, Affected, Database, Event, Severity};
use serde_json::{Value as Json, json};

use super::contents::image;
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::judging;
use crate::server::rights::Does::Read;
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/vuln",
        Read,
        kinds,
        "Lists the kinds of vulnerabilities",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/vuln/{kind}",
        Read,
        of_kind,
        "Lists the vulnerabilities of an image",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/by_id/{id}/vuln",
        Read,
        kinds,
        "Lists the kinds of vulnerabilities, by image id",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/by_id/{id}/vuln/{kind}",
        Read,
        of_kind,
        "Lists the vulnerabilities of an image, by image id",
    ),
    route(
        Sysdig,
        Method::GET,
        "/images/{digest}/vulnDirect/{kind}",
        Read,
        direct,
        "Lists the vulnerabilities of an image in pages",
    ),
    route(
        Sysdig,
        Method::GET,
        "/images/by_id/{id}/vulnDirect/{kind}",
        Read,
        direct,
        "Lists the vulnerabilities of an image in pages, by image id",
    ),
    route(
        Anchore,
        Method::GET,
        "/query/vulnerabilities",
        Read,
        details,
        "Shows what is known of vulnerabilities",
    ),
];

const KINDS: [&str; 3] = ["os", "non-os", "all"];
/// Ids in one question.
const MOST_IDS: usize = 1_000;

pub(super) fn which(kind: &str) -> Result<Which> {
    match kind.to_lowercase().as_str() {
        "os" => Ok(Which::Os),
        "non-os" => Ok(Which::NonOs),
        "all" => Ok(Which::All),
        other => Err(Problem::not_found(format!(
            "there is no kind of vulnerabilities `{other}`: there are os, non-os, all"
        ))),
    }
}

fn kinds(asked: Asked) -> Result<Answer> {
    judging::analyzed(&image(&asked)?)?;
    Answer::json(KINDS.to_vec())
}

fn of_kind(asked: Asked) -> Result<Answer> {
    let which = which(asked.part("kind"))?;
    let image = image(&asked)?;
    let vendor_only = asked.query.flag("vendor_only")?.unwrap_or(true);
    let text = judging::listing_text(&asked.app, &image, which, vendor_only)?;
    Ok(Answer::Bytes("application/json", text))
}

fn direct(asked: Asked) -> Result<Answer> {
    let which = which(asked.part("kind"))?;
    let image = image(&asked)?;
    let listing = judging::listing(&asked.app, &image, which, true)?;
    let severities: Vec<String> = asked
        .query
        .get("filters")
        .into_iter()
        .flat_map(|list| list.split(','))
        .map(str::to_lowercase)
        .collect();
    let wanted = |one: &&Json| {
        let severity = one["severity"].as_str().unwrap_or_default().to_lowercase();
        severities.is_empty() || severities.contains(&severity)
    };
    let all: Vec<&Json> =
        listing["vulnerabilities"].as_array().into_iter().flatten().filter(wanted).collect();
    let most = i64::try_from(all.len()).unwrap_or(i64::MAX).max(1);
    let offset = asked.query.number("offset", 0, 0, i64::MAX)?;
    let limit = asked.query.number("limit", most, 1, 100_000)?;
    let (offset, limit) = (
        usize::try_from(offset).unwrap_or(usize::MAX),
        usize::try_from(limit).unwrap_or(usize::MAX),
    );
    let page = all.iter().skip(offset).take(limit).map(|one| {
        let mut one = (*one).clone();
        one["disclosure_date"] = Json::Null;
        one["solution_date"] = Json::Null;
        one
    });
    let page: Vec<Json> = page.collect();
    let more = offset.saturating_add(page.len()) < all.len();
    Answer::json(
        json!({"imageDigest": image.digest, "vtype": which.name(), "vulns": page, "canLoadMore": more}),
    )
}

fn details(asked: Asked) -> Result<Answer> {
    let ids = asked.query.get("id").ok_or_else(|| {
        Problem::bad("`id` is missing: one vulnerability or several, with commas")
    })?;
    let namespaces: Vec<&str> =
        asked.query.get("namespace").into_iter().flat_map(|list| list.split(',')).collect();
    let package = asked.query.get("affected_package");
    let version = asked.query.get("affected_package_version");
    let page = asked.query.number("page", 1, 1, 1_000_000)?;
    let limit = asked.query.number("limit", 10_000, 1, 10_000)?;
    let ids: Vec<&str> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids.len() > MOST_IDS {
        return Err(Problem::bad(format!("more than {MOST_IDS} ids")));
    }
    let lent = asked.app.data.lend()?.ok_or_else(judging::no_data)?;
    let mut found = Vec::new();
    for id in ids {
        let records = lent.database().records(id).map_err(Problem::internal)?;
        for record in records {
            found.push(detail(lent.database(), &record)?);
        }
    }
    found.retain(|one| {
        let packages = one["affected_packages"].as_array().into_iter().flatten();
        let names = |one: &Json| {
            package.is_none_or(|wanted| one["name"] == wanted)
                && version.is_none_or(|wanted| one["version"] == wanted)
        };
        let namespace = one["namespace"].as_str().unwrap_or_default();
        (namespaces.is_empty() || namespaces.contains(&namespace))
            && (package.is_none() || packages.into_iter().any(names))
    });
    let total = found.len();
    let skipped = usize::try_from((page - 1) * limit).unwrap_or(usize::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let shown: Vec<Json> = found.into_iter().skip(skipped).take(limit).collect();
    let more = skipped.saturating_add(shown.len()) < total;
    let mut answer = json!({"page": page.to_string(), "returned_count": shown.len(), "total_count": total,
        "vulnerabilities": shown});
    if more {
        answer["next_page"] = (page + 1).to_string().into();
    }
    Answer::json(answer)
}

/// One record of the database, in the form of Anchore's API.
fn detail(database: &Database, record: &Advisory) -> Result<Json> {
    let text = database.text_of(&record.id).map_err(Problem::internal)?;
    let description = text.map(|(text, _)| text).filter(|text| !text.is_empty());
    let references = database.references(&record.id, &record.source).map_err(Problem::internal)?;
    let namespace = record.source.strip_prefix("feed:").unwrap_or(&record.source);
    let affected = record.affected.iter().flat_map(affected);
    let links: Vec<Json> = references
        .iter()
        .map(|link| json!({"source": "N/A", "url": link.url, "tags": null}))
        .collect();
    let link = references.first().map(|link| link.url.clone());
    let cve = std::iter::once(&record.id).chain(&record.aliases).find(|id| id.starts_with("CVE-"));
    let link = link.or_else(|| cve.map(|cve| format!("https://nvd.nist.gov/vuln/detail/{cve}")));
    let severity = judging::severity_of(record);
    Ok(json!({
        "id": record.id,
        "namespace": namespace,
        "severity": severity,
        "description": description,
        "link": link,
        "references": links,
        "affected_packages": affected.collect::<Vec<_>>(),
        "nvd_data": nvd(database, record)?,
        "vendor_data": [],
    }))
}

/// What an entry of a record says: the version that fixes it, or those that are affected where no
/// version fixes it.
fn affected(entry: &Affected) -> Vec<Json> {
    let kind = entry.specific.version_format.as_deref().unwrap_or("*");
    let of = |version: &str| json!({"name": entry.name, "type": kind, "version": version});
    let events = entry.ranges.iter().flat_map(|range| &range.events);
    let mut fixed = events.filter_map(|event| match event {
        Event::Fixed(version) => Some(version),
        _ => None,
    });
    match entry.specific.fix.as_ref().or(fixed.next_back()) {
        Some(fix) => vec![of(fix)],
        None if entry.versions.is_empty() => vec![of("None")],
        None => entry.versions.iter().map(|version| of(version)).collect(),
    }
}

/// How NVD rates the CVEs that a record is about.
fn nvd(database: &Database, record: &Advisory) -> Result<Vec<Json>> {
    let names = std::iter::once(&record.id).chain(&record.aliases).chain(&record.upstream);
    let mut cves: Vec<&String> = names.filter(|id| id.starts_with("CVE-")).collect();
    cves.sort();
    cves.dedup();
    let mut shown = Vec::new();
    for cve in cves {
        if let Some(rating) = database.rating(cve).map_err(Problem::internal)? {
            let of = |kind, version, name| metrics(&rating.severities, kind, version, name);
            shown.push(json!({"id": cve, "cvss_v2": of("CVSS_V2", 2, "2.0"), "cvss_v3": of("CVSS_V3", 3, "3.0")}));
        }
    }
    Ok(shown)
}

/// The scores of one version of CVSS: those that are stated, else those of the vector.
fn metrics(severities: &[Severity], kind: &str, version: u8, name: &str) -> Json {
    let mut vectors = severities.iter().map(|one| one.score.as_str());
    let vector = vectors.find_map(|text| {
        cvss_parts(text).filter(|(of, _)| *of == version).map(|(_, scores)| (text, scores))
    });
    let stated = |part: &str| {
        let kind = format!("{kind}{part}");
        severities
            .iter()
            .filter(|one| one.kind == kind)
            .find_map(|one| one.score.parse::<f64>().ok())
    };
    let [base, exploitability, impact] = match (stated(""), vector) {
        (None, Some((_, [base, exploitability, impact]))) => {
            [Some(base), Some(exploitability), Some(impact)]
        }
        (base, _) => [base, stated("/exploitability"), stated("/impact")],
    };
    let word = base.map(|score| match score {
        9.0.. => "Critical",
        7.0.. => "High",
        4.0.. => "Medium",
        _ => "Low",
    });
    json!({
        "base_metrics": {"base_score": base.unwrap_or(-1.0), "exploitability_score": exploitability.unwrap_or(-1.0),
            "impact_score": impact.unwrap_or(-1.0), "severity": word.unwrap_or("Unknown")},
        "vector_string": vector.map(|(text, _)| text),
        "version": name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_that_are_stated_else_those_of_the_vector() {
        let severity =
            |kind: &str, score: &str| Severity { kind: kind.into(), score: score.into() };
        let stated = metrics(
            &[severity("CVSS_V2", "7.5"), severity("CVSS_V2/impact", "6.4")],
            "CVSS_V2",
            2,
            "2.0",
        );
        assert_eq!(stated["base_metrics"]["base_score"], 7.5);
        assert_eq!(stated["base_metrics"]["impact_score"], 6.4);
        assert_eq!(stated["base_metrics"]["exploitability_score"], -1.0);
        assert_eq!(
            (&stated["base_metrics"]["severity"], &stated["vector_string"]),
            (&json!("High"), &Json::Null)
        );
        // The example of the specification's user guide: 9.8.
        let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let computed = metrics(&[severity("CVSS_V3", vector)], "CVSS_V3", 3, "3.0");
        assert_eq!(computed["base_metrics"]["base_score"], 9.8);
        assert_eq!(
            (&computed["base_metrics"]["severity"], &computed["vector_string"]),
            (&json!("Critical"), &json!(vector))
        );
        assert_eq!(metrics(&[], "CVSS_V3", 3, "3.0")["base_metrics"]["severity"], "Unknown");
    }
}
