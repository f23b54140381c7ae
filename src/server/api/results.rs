//! Lists for people: tags with what the active policies say of them, newest first, in pages.

use inscan_store::{Row, values};
use serde_json::{Value as Json, json};

use super::evaluation::status_of;
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::rights::Does::Read;
use crate::server::routes::On::Sysdig;
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(
        Sysdig,
        Method::GET,
        "/resultsDirect",
        Read,
        list,
        "Lists tags with what the policies say of them",
    ),
    route(
        Sysdig,
        Method::GET,
        "/results",
        Read,
        list,
        "Lists tags with what the policies say of them",
    ),
];

/// All of one query: the newest verdict by the active bundle is the one that counts.
const ROWS: &str = "SELECT tag.fulltag, tag.registry, tag.repo, tag.tag, tag.detected_at, image.digest, image.image_id, \
      image.parent_digest, image.analysis_status, image.analyzed_at, image.created_at, image.origin, \
      (SELECT evaluation.action FROM evaluation WHERE evaluation.image = image.id AND evaluation.fulltag = tag.fulltag \
        AND evaluation.bundle = (SELECT id FROM bundle WHERE bundle.account = $1 AND bundle.active = 1) \
        ORDER BY evaluation.id DESC LIMIT 1) \
    FROM tag JOIN image ON image.id = tag.image \
    WHERE tag.account = $1 AND ($2 = '' OR tag.fulltag LIKE $3 ESCAPE '!' OR image.digest = $2 OR image.image_id = $2) \
    ORDER BY tag.detected_at DESC, tag.fulltag LIMIT $4 OFFSET $5";
const COUNT: &str = "SELECT COUNT(*) FROM tag JOIN image ON image.id = tag.image \
    WHERE tag.account = $1 AND ($2 = '' OR tag.fulltag LIKE $3 ESCAPE '!' OR image.digest = $2 OR image.image_id = $2)";

fn shown(row: Row) -> Result<Json> {
    let mut fields = row.fields();
    let (fulltag, registry, repository, tag) =
        (fields.text()?, fields.text()?, fields.text()?, fields.text()?);
    let detected = fields.int()?;
    let (digest, id, parent) = (fields.text()?, fields.text()?, fields.text()?);
    let (status, analyzed, created) = (fields.text()?, fields.int_or_none()?, fields.int()?);
    let origin = fields.text()?;
    let action = fields.text_or_none()?.map(|action| (action, 0));
    Ok(
        json!({"fullTag": fulltag, "registry": registry, "repository": repository, "tag": tag, "imageDigest": digest,
        "imageId": id, "parentDigest": parent, "analysisStatus": status, "analyzedAt": analyzed.map(|at| at / 1_000),
        "createdAt": created / 1_000, "tagDetectedAt": detected / 1_000, "origin": origin,
        "policyStatus": status_of(action.as_ref())}),
    )
}

fn list(asked: Asked) -> Result<Answer> {
    let limit = asked.query.number("limit", 100, 1, 10_000)?;
    let offset = asked.query.number("offset", 0, 0, i64::MAX)?;
    let filter = asked.query.get("filter").unwrap_or_default();
    let pattern: String = filter
        .chars()
        .flat_map(|one| match one {
            '%' | '_' | '!' => vec!['!', one],
            one => vec![one],
        })
        .collect();
    let pattern = format!("%{pattern}%");
    let account = asked.account();
    asked.app.store.read(|tx| {
        let total = tx.row(COUNT, values![account, filter, &pattern])?.map_or(Ok(0), Row::int)?;
        let rows = tx.rows(ROWS, values![account, filter, &pattern, limit, offset])?;
        let results = rows.into_iter().map(shown).collect::<Result<Vec<_>>>()?;
        let more = offset.saturating_add(i64::try_from(results.len()).unwrap_or_default()) < total;
        let texts = |sql: &str| -> Result<Vec<String>> {
            let rows = tx.rows(sql, values![account])?;
            Ok(rows.into_iter().map(Row::text).collect::<Result<_, _>>()?)
        };
        let registries = texts("SELECT DISTINCT registry FROM tag WHERE account = $1 ORDER BY registry")?;
        let origins = texts("SELECT DISTINCT origin FROM image WHERE account = $1 ORDER BY origin")?;
        let count = |action: Option<&str>| results.iter().filter(|one| one["policyStatus"].as_str() == action).count();
        let (failed, unknown) = (count(Some("STOP")), count(None));
        let of_page = json!({"totalPassed": results.len() - failed - unknown, "totalFailed": failed, "totalNotEvaluated": unknown});
        Ok::<_, Problem>(Answer::json(json!({
            "options": {"sort": "desc", "sortBy": "scanDate", "offset": offset, "limit": limit, "canLoadMore": more},
            "metadata": {"total": total, "policyStatus": of_page, "origins": {}, "allOrigins": origins, "allRegistries": registries},
            "totalRows": total,
            "results": results,
        })))
    })?
}
