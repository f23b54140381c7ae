//! Questions over all images: who has a package, who has a vulnerability.

use std::collections::BTreeMap;

use inscan_store::Tx;
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::model::images;
use crate::server::model::packages::{self, ByPackage, ByVulnerability};
use crate::server::rights::Does::Read;
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(
        Anchore,
        Method::GET,
        "/query/images/by_package",
        Read,
        by_package,
        "Lists the images that have a package",
    ),
    route(
        Anchore,
        Method::GET,
        "/query/images/by_vulnerability",
        Read,
        by_vulnerability,
        "Lists the images that have a vulnerability",
    ),
    route(
        Sysdig,
        Method::POST,
        "/query/containers",
        Read,
        containers,
        "Lists running containers: there are no agents, so none",
    ),
];

/// A page of images, each with what was found in it.
fn page(
    tx: &Tx<'_>,
    asked: &Asked,
    found: BTreeMap<i64, Vec<Json>>,
    named: &str,
) -> Result<Answer> {
    let page = asked.query.number("page", 1, 1, 1_000_000)?;
    let limit = asked.query.number("limit", 1_000, 1, 1_000)?;
    let total = found.len();
    let skipped = usize::try_from((page - 1) * limit).unwrap_or(usize::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let page_of: BTreeMap<i64, Vec<Json>> = found.into_iter().skip(skipped).take(limit).collect();
    let ids: Vec<i64> = page_of.keys().copied().collect();
    let mut tags = images::tags_of_rows(tx, &ids)?;
    let images = images::by_rows(tx, &ids)?.into_iter();
    let shown: Vec<Json> = images
        .map(|image| {
            let tags = tags.remove(&image.id).unwrap_or_default();
            json!({"image": images::short(&image, &tags), named: page_of.get(&image.id)})
        })
        .collect();
    let more = skipped.saturating_add(shown.len()) < total;
    let mut answer = json!({"page": page.to_string(), "returned_count": shown.len(), "total_count": total, "images": shown});
    if more {
        answer["next_page"] = (page + 1).to_string().into();
    }
    Answer::json(answer)
}

fn by_package(asked: Asked) -> Result<Answer> {
    let name =
        asked.query.get("name").ok_or_else(|| Problem::bad("`name` is missing: of a package"))?;
    // Clients send a `+` as it is, which stands for a blank: no version has blanks.
    let version = asked.query.get("version").unwrap_or_default().replace(' ', "+");
    let kind = asked.query.get("package_type").unwrap_or_default();
    asked.app.store.read(|tx| {
        let by = ByPackage { name, version: &version, kind };
        let mut found: BTreeMap<i64, Vec<Json>> = BTreeMap::new();
        for (image, package) in packages::with_package(tx, asked.account(), by)? {
            let shown =
                json!({"name": package.name, "version": package.version, "type": package.kind});
            found.entry(image).or_default().push(shown);
        }
        page(tx, &asked, found, "packages")
    })
}

fn by_vulnerability(asked: Asked) -> Result<Answer> {
    let vuln = asked
        .query
        .get("vulnerability_id")
        .ok_or_else(|| Problem::bad("`vulnerability_id` is missing"))?;
    let text = |name: &str| asked.query.get(name).unwrap_or_default();
    let by = ByVulnerability {
        vuln,
        namespace: text("namespace"),
        package: text("affected_package"),
        severity: text("severity"),
        vendor_only: asked.query.flag("vendor_only")?.unwrap_or(true),
    };
    asked.app.store.read(|tx| {
        let mut found: BTreeMap<i64, Vec<Json>> = BTreeMap::new();
        for (image, finding) in packages::with_vulnerability(tx, asked.account(), by)? {
            let package = &finding.package;
            let shown = json!({"name": package.name, "version": package.version, "type": package.kind,
                "severity": finding.severity, "namespace": finding.namespace});
            found.entry(image).or_default().push(shown);
        }
        page(tx, &asked, found, "vulnerable_packages")
    })
}

/// The honest answer of a server without agents.
fn containers(asked: Asked) -> Result<Answer> {
    asked.json()?;
    Answer::json(json!({"images": []}))
}
