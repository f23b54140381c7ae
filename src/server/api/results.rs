//! Lists for people: tags with what the active policies say of them, newest first, in pages.

use inscan_store::{Row, Tx, values};
use serde_json::{Value as Json, json};

use super::evaluation::status_of;
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::clock;
use crate::server::judging::Basis;
use crate::server::model::{bundles, images};
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

/// What is shown of a name, with the newest verdict by the active bundle (`$2`).
const COLUMNS: &str = "tag.fulltag, tag.registry, tag.repo, tag.tag, tag.detected_at, image.digest, image.image_id, \
      image.parent_digest, image.analysis_status, image.analyzed_at, image.created_at, image.origin, image.analysis, \
      (SELECT evaluation.action FROM evaluation WHERE evaluation.image = image.id AND evaluation.fulltag = tag.fulltag \
        AND evaluation.bundle = $2 ORDER BY evaluation.id DESC LIMIT 1), \
      (SELECT evaluation.made_of FROM evaluation WHERE evaluation.image = image.id AND evaluation.fulltag = tag.fulltag \
        AND evaluation.bundle = $2 ORDER BY evaluation.id DESC LIMIT 1)";
const FILTER: &str = "(tag.fulltag LIKE $4 ESCAPE '!' OR image.digest = $3 OR image.image_id = $3)";
const ORDER: &str = "ORDER BY tag.detected_at DESC, tag.fulltag DESC";

/// Names of a page, and how many there are.
fn rows(
    tx: &Tx<'_>,
    account: &str,
    basis: &Basis,
    filter: &str,
    (limit, offset): (i64, i64),
) -> Result<(Vec<Json>, i64)> {
    let (rows, total) = if filter.is_empty() {
        // The names of the page first, and only then what is known of their images.
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT account, fulltag, registry, repo, tag, image, detected_at FROM tag \
               WHERE account = $1 ORDER BY detected_at DESC, fulltag DESC LIMIT $3 OFFSET $4) AS tag \
             JOIN image ON image.id = tag.image {ORDER}"
        );
        let count = tx.row("SELECT COUNT(*) FROM tag WHERE account = $1", values![account])?;
        (tx.rows(&sql, values![account, &basis.bundle, limit, offset])?, count)
    } else {
        let escaped: String = filter
            .chars()
            .flat_map(|one| if "%_!".contains(one) { vec!['!', one] } else { vec![one] })
            .collect();
        let pattern = format!("%{escaped}%");
        let sql = format!(
            "SELECT {COLUMNS} FROM tag JOIN image ON image.id = tag.image \
             WHERE tag.account = $1 AND {FILTER} {ORDER} LIMIT $5 OFFSET $6"
        );
        let count = "SELECT COUNT(*) FROM tag JOIN image ON image.id = tag.image \
            WHERE tag.account = $1 AND (tag.fulltag LIKE $3 ESCAPE '!' OR image.digest = $2 OR image.image_id = $2)";
        let count = tx.row(count, values![account, filter, &pattern])?;
        (tx.rows(&sql, values![account, &basis.bundle, filter, &pattern, limit, offset])?, count)
    };
    let rows = rows.into_iter().map(|row| shown(row, basis)).collect::<Result<Vec<_>>>()?;
    Ok((rows, count_of(total)?))
}

fn count_of(row: Option<Row>) -> Result<i64> {
    Ok(row.map_or(Ok(0), Row::int)?)
}

/// A verdict that is of something else by now is none: `policyStatus` is null.
fn shown(row: Row, basis: &Basis) -> Result<Json> {
    let mut fields = row.fields();
    let (fulltag, registry, repository, tag) =
        (fields.text()?, fields.text()?, fields.text()?, fields.text()?);
    let detected = fields.int()?;
    let (digest, id, parent) = (fields.text()?, fields.text()?, fields.text()?);
    let (status, analyzed, created) = (fields.text()?, fields.int_or_none()?, fields.int()?);
    let (origin, analysis) = (fields.text()?, fields.text_or_none()?);
    let (action, made_of) = (fields.text_or_none()?, fields.text_or_none()?);
    let is_now =
        analysis.is_some_and(|analysis| made_of == Some(basis.made_of(&analysis, &fulltag, &id)));
    let action = action.filter(|_| is_now).map(|action| (action, 0));
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
    let account = asked.account();
    let bundle = asked.app.store.read(|tx| {
        let bundle = bundles::active(tx, account, clock::now())?;
        bundle.ok_or_else(|| Problem::not_found("there is no active policy bundle"))
    })?;
    let basis = Basis::of(&asked.app, &bundle)?;
    asked.app.store.read(|tx| {
        let (results, total) = rows(tx, account, &basis, filter, (limit, offset))?;
        let more = offset.saturating_add(i64::try_from(results.len()).unwrap_or_default()) < total;
        let (registries, origins) = (images::registries(tx, account)?, images::origins(tx, account)?);
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
