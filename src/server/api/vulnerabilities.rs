//! What is vulnerable in an image, and what is known of a vulnerability.

use inscan_judge::vulnerable::listing::Which;
use inscan_vulndb::{Advisory, Database};
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
    Answer::json(judging::listing(&asked.app, &image, which, vendor_only)?)
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
    let affected = record.affected.iter().map(|entry| {
        let version = entry.specific.fix.clone().unwrap_or_else(|| "None".to_owned());
        json!({"name": entry.name, "type": entry.ecosystem, "version": version})
    });
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
        "nvd_data": [],
        "vendor_data": [],
    }))
}
