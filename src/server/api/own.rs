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
use crate::server::model::images;
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

/// By vulnerability, package and severity; the cursor is the row of the last one.
fn findings(asked: Asked) -> Result<Answer> {
    let text = |name: &str| asked.query.get(name).unwrap_or_default();
    let limit = asked.query.number("limit", 100, 1, 1_000)?;
    let cursor = asked.query.get("cursor").unwrap_or("0.0");
    let wrong = || Problem::bad("`cursor` is none of this list");
    let (finding, image) = cursor.split_once('.').ok_or_else(wrong)?;
    let finding: i64 = finding.parse().map_err(|_| wrong())?;
    let image: i64 = image.parse().map_err(|_| wrong())?;
    asked.app.store.read(|tx| {
        let rows = tx.rows(
            "SELECT finding.id, image.id, finding.vuln, finding.severity, finding.namespace, finding.name, \
               finding.version, finding.kind, image.digest \
             FROM finding JOIN image_finding ON image_finding.finding = finding.id \
             JOIN image ON image.id = image_finding.image \
             WHERE image.account = $1 AND ($2 = '' OR finding.vuln = $2) AND ($3 = '' OR finding.name = $3) \
               AND ($4 = '' OR lower(finding.severity) = lower($4)) AND ($5 = '' OR image.digest = $5) \
               AND (finding.id > $6 OR (finding.id = $6 AND image.id > $7)) \
             ORDER BY finding.id, image.id LIMIT $8",
            values![
                asked.account(), text("id"), text("package"), text("severity"), text("image"), finding, image, limit + 1
            ],
        )?;
        let read = |row: Row| -> Result<(String, Json)> {
            let mut fields = row.fields();
            let cursor = format!("{}.{}", fields.int()?, fields.int()?);
            let (id, severity, source) = (fields.text()?, fields.text()?, fields.text()?);
            let (name, version, kind) = (fields.text()?, fields.text()?, fields.text()?);
            let image = fields.text()?;
            let package = json!({"name": name, "version": version, "type": kind});
            Ok((cursor, json!({"id": id, "severity": severity, "source": source, "package": package, "image": image})))
        };
        let rows = rows.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = if rows.len() > limit { rows.get(limit - 1).map(|(cursor, _)| cursor.clone()) } else { None };
        let shown: Vec<Json> = rows.into_iter().take(limit).map(|(_, shown)| shown).collect();
        Answer::json(json!({"findings": shown, "next_cursor": next}))
    })
}
