//! Questions over all images: who has a package, who has a vulnerability.

use std::collections::BTreeMap;

use inscan_store::Tx;
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::model::images;
use crate::server::model::packages::{self, ByPackage, ByVulnerability, Piece};
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

/// The page that is asked for, as a piece of the list.
fn piece(asked: &Asked) -> Result<(i64, Piece)> {
    let page = asked.query.number("page", 1, 1, 1_000_000)?;
    let most = asked.query.number("limit", 1_000, 1, 1_000)?;
    Ok((page, Piece { skipped: (page - 1) * most, most }))
}

/// A page of images, each with what was found in it.
fn page(
    tx: &Tx<'_>,
    (page, piece): (i64, Piece),
    (ids, total): (&[i64], i64),
    found: &BTreeMap<i64, Vec<Json>>,
    named: &str,
) -> Result<Answer> {
    let mut tags = images::tags_of_rows(tx, ids)?;
    let images = images::by_rows(tx, ids)?.into_iter();
    let shown: Vec<Json> = images
        .map(|image| {
            let tags = tags.remove(&image.id).unwrap_or_default();
            json!({"image": images::short(&image, &tags), named: found.get(&image.id)})
        })
        .collect();
    let seen = piece.skipped.saturating_add(i64::try_from(shown.len()).unwrap_or(i64::MAX));
    let mut answer = json!({"page": page.to_string(), "returned_count": shown.len(), "total_count": total, "images": shown});
    if seen < total {
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
    let number = piece(&asked)?;
    asked.app.store.read(|tx| {
        let by = ByPackage { name, version: &version, kind };
        let (ids, total) = packages::images_with_package(tx, asked.account(), by, number.1)?;
        let mut found: BTreeMap<i64, Vec<Json>> = BTreeMap::new();
        for (image, package) in packages::with_package(tx, &ids, by)? {
            let shown =
                json!({"name": package.name, "version": package.version, "type": package.kind});
            found.entry(image).or_default().push(shown);
        }
        page(tx, number, (&ids, total), &found, "packages")
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
    let number = piece(&asked)?;
    asked.app.store.read(|tx| {
        let (ids, total) = packages::images_with_vulnerability(tx, asked.account(), by, number.1)?;
        let mut found: BTreeMap<i64, Vec<Json>> = BTreeMap::new();
        for one in packages::with_vulnerability(tx, &ids, by)? {
            let package = &one.package;
            let shown = json!({"name": package.name, "version": package.version, "type": package.kind,
                "severity": one.severity, "namespace": one.namespace});
            found.entry(one.image).or_default().push(shown);
        }
        page(tx, number, (&ids, total), &found, "vulnerable_packages")
    })
}

/// The honest answer of a server without agents.
fn containers(asked: Asked) -> Result<Answer> {
    asked.json()?;
    Answer::json(json!({"images": []}))
}
