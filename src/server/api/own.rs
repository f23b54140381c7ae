//! The server's own small API: documents in and out as they are, verdicts, findings.

use inscan_store::{Row, values};
use serde_json::{Value as Json, json};

use super::contents::image;
use super::evaluation::{bundle, fulltag};
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::clock;
use crate::server::import::{self, MAX_MEMBER, Said};
use crate::server::judging::{self, How};
use crate::server::matching;
use crate::server::model::packages::FOUND;
use crate::server::model::{images, packages};
use crate::server::rights::Does::{Change, Read};
use crate::server::routes::On::Root;
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(
        Root,
        Method::PUT,
        "/api/inscan/v1/documents",
        Change,
        put,
        "Takes an analysis document in",
    )
    .uploads(),
    route(
        Root,
        Method::GET,
        "/api/inscan/v1/documents/{digest}",
        Read,
        get,
        "Gives the analysis document of an image back",
    ),
    route(
        Root,
        Method::GET,
        "/api/inscan/v1/images/{digest}/verdict",
        Read,
        verdict,
        "Says whether an image passes, and why",
    ),
    route(
        Root,
        Method::GET,
        "/api/inscan/v1/findings",
        Read,
        findings,
        "Lists what is vulnerable in all images, in pages",
    ),
];

fn put(mut asked: Asked) -> Result<Answer> {
    let said = Said { fulltag: asked.query.get("tag").map(str::to_owned), ..Said::default() };
    let file = asked.file()?;
    let id = import::document(&asked.app, asked.account(), file, &said)?;
    asked.app.store.read(|tx| {
        let image = images::by_row(tx, id)?
            .ok_or_else(|| Problem::not_found("the image was removed meanwhile"))?;
        let tags = images::tags_of(tx, id)?;
        let names: Vec<&str> = tags.iter().map(|tag| tag.fulltag.as_str()).collect();
        Answer::json(json!({"digest": image.digest, "image_id": image.image_id, "tags": names}))
    })
}

fn get(asked: Asked) -> Result<Answer> {
    let image = image(&asked)?;
    let document = asked.app.blobs.get(judging::analyzed(&image)?, MAX_MEMBER)?;
    Ok(Answer::Bytes("application/json", document))
}

fn verdict(asked: Asked) -> Result<Answer> {
    let image = image(&asked)?;
    let fulltag = fulltag(&asked, &image)?;
    let bundle = bundle(&asked)?;
    let verdict = judging::verdict(&asked.app, &image, &fulltag, &bundle, How::default())?;
    let result = &verdict.body["detail"]["result"];
    Answer::json(json!({
        "digest": image.digest, "tag": fulltag, "bundle": bundle.id, "passes": verdict.status == "pass",
        "action": result["final_action"], "reason": result["final_action_reason"], "at": clock::iso_millis(verdict.made_at),
        "policies": verdict.body["results"]["results"], "warnings": verdict.body["warnings"],
    }))
}

/// By vulnerability, package and severity; the cursor is the row of the last one. While packages are
/// matched with new data, those that were not have the matches of the data before: `data` says so.
fn findings(asked: Asked) -> Result<Answer> {
    let text = |name: &str| asked.query.get(name).unwrap_or_default();
    let limit = asked.query.number("limit", 100, 1, 1_000)?;
    let cursor = asked.query.get("cursor").unwrap_or("0.0.0");
    let wrong = || Problem::bad("`cursor` is none of this list");
    let parts: Vec<i64> = cursor.split('.').filter_map(|part| part.parse().ok()).collect();
    let &[finding, package, image] = parts.as_slice() else { return Err(wrong()) };
    // Only what is asked for stands in the question, so that the indexes of both databases are used.
    let mut wanted = String::new();
    let mut values = values![asked.account(), finding, package, image, limit + 1].to_vec();
    for (name, before, behind) in [
        ("id", "finding.vuln = ", ""),
        ("package", "package.name = ", ""),
        ("image", "image.id = (SELECT id FROM image WHERE account = $1 AND digest = ", ")"),
    ] {
        if !text(name).is_empty() {
            values.push(text(name).into());
            wanted.push_str(&format!(" AND {before}${}{behind}", values.len()));
        }
    }
    if !text("severity").is_empty() {
        values.push(text("severity").to_lowercase().into());
        wanted.push_str(&format!(" AND lower(finding.severity) = ${}", values.len()));
    }
    let sql = format!(
        "SELECT finding.id, package.id, image.digest, {FOUND} \
         FROM finding JOIN package_finding ON package_finding.finding = finding.id \
         JOIN package ON package.id = package_finding.package \
         JOIN image_package ON image_package.package = package.id \
         CROSS JOIN image \
         WHERE image.id = image_package.image AND image.account = $1 AND (finding.id, package.id, image.id) > ($2, $3, $4) {wanted} \
         ORDER BY finding.id, package.id, image.id LIMIT $5"
    );
    asked.app.store.read(|tx| {
        let rows = tx.rows(&sql, &values)?;
        let read = |row: Row| -> Result<(String, Json)> {
            let (front, row) = row.split(3);
            let mut fields = front.fields();
            let (finding, package, digest) = (fields.int()?, fields.int()?, fields.text()?);
            let found = packages::found(row)?;
            let cursor = format!("{finding}.{package}.{}", found.image);
            let of = &found.package;
            let package = json!({"name": of.name, "version": of.version, "type": of.kind});
            Ok((
                cursor,
                json!({"id": found.vuln, "severity": found.severity, "source": found.namespace,
                "package": package, "fix": found.fix, "image": digest}),
            ))
        };
        let rows = rows.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = if rows.len() > limit {
            rows.get(limit - 1).map(|(cursor, _)| cursor.clone())
        } else {
            None
        };
        let shown: Vec<Json> = rows.into_iter().take(limit).map(|(_, shown)| shown).collect();
        let data = matching::state(&asked.app, tx)?;
        let data = data.map(|data| {
            json!({"generation": data.generation, "advisories": data.advisories,
            "built": clock::iso(data.built), "is_matched": data.is_matched})
        });
        Answer::json(json!({"findings": shown, "next_cursor": next, "data": data}))
    })
}
