//! Who has a vulnerability, or a package: over all images.

use std::collections::BTreeMap;

use inscan_store::Tx;
use serde_json::{Value as Json, json};

use super::{ROWS, of_image, pages, shown};
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::model::images;
use crate::server::model::packages::{self, ByPackage, ByVulnerability, Piece};

pub(super) fn page(asked: Asked) -> Result<Answer> {
    let text = |name: &str| asked.query.get(name).unwrap_or_default().trim();
    let (vulnerability, package, version) =
        (text("vulnerability"), text("package"), text("version"));
    let number = asked.query.number("page", 1, 1, 1_000_000)?;
    let piece = Piece { skipped: (number - 1) * ROWS, most: ROWS };
    let account = asked.account();
    // Ids are written in capitals, whatever people type.
    let id = vulnerability.to_uppercase();
    let (rows, total, what) = asked.app.store.read(|tx| match (id.as_str(), package) {
        ("", "") => Ok::<_, Problem>((Vec::new(), 0, String::new())),
        ("", name) => {
            let by = ByPackage { name, version, kind: "" };
            let (ids, total) = packages::images_with_package(tx, account, by, piece)?;
            let found = packages::with_package(tx, &ids, by)?;
            let found = found.into_iter().map(|(image, package)| {
                (image, json!({"package": package.name, "version": package.version, "kind": package.kind}))
            });
            let what = format!("{name} {version}").trim().to_owned();
            Ok((named(tx, &ids, found)?, total, what))
        }
        _ => {
            // GitHub's ids have small letters.
            let exact = if id.starts_with("GHSA-") { format!("GHSA{}", vulnerability[4..].to_lowercase()) } else { id.clone() };
            let by = ByVulnerability { vuln: &exact, ..ByVulnerability::default() };
            let (ids, total) = packages::images_with_vulnerability(tx, account, by, piece)?;
            let found = packages::with_vulnerability(tx, &ids, by)?.into_iter().map(|one| {
                (one.image, json!({"package": one.package.name, "version": one.package.version,
                    "severity": one.severity.to_lowercase(), "fix": one.fix}))
            });
            Ok((named(tx, &ids, found)?, total, exact))
        }
    })?;
    let parameters = [("vulnerability", vulnerability), ("package", package), ("version", version)];
    let given = json!({
        "rows": rows, "total": total, "what": what,
        "is_asked": !vulnerability.is_empty() || !package.is_empty(),
        "by_vulnerability": !vulnerability.is_empty(),
        "asked": {"vulnerability": vulnerability, "package": package, "version": version},
        "pages": pages("/search", &parameters, number, number * ROWS < total, Some((total + ROWS - 1) / ROWS)),
    });
    match asked.query.get("format") {
        Some("json") => Answer::json(json!({"images": given["rows"], "total": total})),
        _ => shown(&asked, "search.html", "search", given),
    }
}

/// Each row with the newest name of its image.
fn named(tx: &Tx<'_>, ids: &[i64], found: impl Iterator<Item = (i64, Json)>) -> Result<Vec<Json>> {
    let tags = images::tags_of_rows(tx, ids)?;
    let digests: BTreeMap<i64, String> =
        images::by_rows(tx, ids)?.into_iter().map(|image| (image.id, image.digest)).collect();
    let rows = found.map(|(image, mut row)| {
        let digest = digests.get(&image).map(String::as_str).unwrap_or_default();
        let tag = tags.get(&image).and_then(|tags| tags.first()).map(|tag| tag.fulltag.as_str());
        row["name"] = tag.unwrap_or(digest).into();
        row["href"] = of_image(digest, tag.unwrap_or_default()).into();
        row
    });
    Ok(rows.collect())
}
