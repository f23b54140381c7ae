//! The list of images: each name with its verdict and what was found, newest first.

use inscan_store::{Row, Tx, Value, values};
use serde_json::{Value as Json, json};

use super::{ROWS, address, of_image, pages, shown, time};
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::clock;
use crate::server::judging::Basis;
use crate::server::model::{bundles, images};

/// Names that are counted; beyond that, "more than" is enough.
const COUNTED: i64 = 10_000;

/// What is asked for; empty: any.
struct Wanted<'a> {
    q: &'a str,
    status: &'a str,
    severity: &'a str,
    registry: &'a str,
    origin: &'a str,
}

impl<'a> Wanted<'a> {
    fn of(asked: &'a Asked) -> Wanted<'a> {
        let text = |name: &str| asked.query.get(name).unwrap_or_default();
        Wanted {
            q: text("q"),
            status: text("status"),
            severity: text("severity"),
            registry: text("registry"),
            origin: text("origin"),
        }
    }

    fn parameters(&self) -> [(&'static str, &'a str); 5] {
        [
            ("q", self.q),
            ("status", self.status),
            ("severity", self.severity),
            ("registry", self.registry),
            ("origin", self.origin),
        ]
    }

    fn is_any(&self) -> bool {
        self.parameters().iter().all(|(_, value)| value.is_empty())
    }

    /// Conditions beside the account (`$1`) and the bundle (`$2`), with their values.
    fn conditions(&self, values: &mut Vec<Value>) -> String {
        let mut sql = String::new();
        let mut and = |values: &mut Vec<Value>, condition: &str, value: Value| {
            values.push(value);
            sql.push_str(" AND ");
            sql.push_str(&condition.replace("{}", &format!("${}", values.len())));
        };
        if !self.q.is_empty() {
            let lower = self.q.to_lowercase();
            let escaped: String = lower
                .chars()
                .flat_map(|one| if "%_!".contains(one) { vec!['!', one] } else { vec![one] })
                .collect();
            let condition = "(lower(tag.fulltag) LIKE {} ESCAPE '!' OR image.digest LIKE {} ESCAPE '!' OR image.image_id LIKE {} ESCAPE '!')";
            and(values, condition, format!("%{escaped}%").into());
        }
        if !self.registry.is_empty() {
            and(values, "tag.registry = {}", self.registry.into());
        }
        if !self.origin.is_empty() {
            and(values, "image.origin = {}", self.origin.into());
        }
        match self.severity {
            "critical" => sql.push_str(" AND image.critical > 0"),
            "high" => sql.push_str(" AND image.critical + image.high > 0"),
            _ => {}
        }
        match self.status {
            "pass" | "fail" => sql.push_str(&format!(" AND {VERDICT} = '{}'", self.status)),
            "none" => sql.push_str(&format!(" AND {VERDICT} IS NULL")),
            _ => {}
        }
        sql
    }
}

/// The newest verdict by the active bundle.
const VERDICT: &str = "(SELECT evaluation.status FROM evaluation WHERE evaluation.image = tag.image \
    AND evaluation.fulltag = tag.fulltag AND evaluation.bundle = $2 ORDER BY evaluation.id DESC LIMIT 1)";

const COLUMNS: &str = "tag.fulltag, image.digest, image.image_id, image.analysis, image.analysis_status, image.problem, \
    image.analyzed_at, image.packages, image.counted, image.critical, image.high, image.medium, image.low";

/// Names of a page, and whether there are more.
fn rows(
    tx: &Tx<'_>,
    account: &str,
    basis: &Basis,
    wanted: &Wanted<'_>,
    skipped: i64,
) -> Result<(Vec<Json>, bool)> {
    let mut values = values![account, &basis.bundle].to_vec();
    let made_of = "(SELECT evaluation.made_of FROM evaluation WHERE evaluation.image = tag.image \
        AND evaluation.fulltag = tag.fulltag AND evaluation.bundle = $2 ORDER BY evaluation.id DESC LIMIT 1)";
    let order = "ORDER BY tag.detected_at DESC, tag.fulltag DESC";
    let sql = match wanted.is_any() {
        // The names of the page first, and only then what is known of their images.
        true => {
            values.extend([Value::from(ROWS + 1), Value::from(skipped)]);
            format!(
                "SELECT {COLUMNS}, {VERDICT}, {made_of} FROM (SELECT account, fulltag, image, detected_at FROM tag \
                   WHERE account = $1 ORDER BY detected_at DESC, fulltag DESC LIMIT $3 OFFSET $4) AS tag \
                 JOIN image ON image.id = tag.image {order}"
            )
        }
        false => {
            let conditions = wanted.conditions(&mut values);
            values.extend([Value::from(ROWS + 1), Value::from(skipped)]);
            let (most, skip) = (values.len() - 1, values.len());
            format!(
                "SELECT {COLUMNS}, {VERDICT}, {made_of} FROM tag JOIN image ON image.id = tag.image \
                 WHERE tag.account = $1 {conditions} {order} LIMIT ${most} OFFSET ${skip}"
            )
        }
    };
    let mut all = Vec::new();
    for row in tx.rows(&sql, &values)? {
        all.push(row_of(row, basis)?);
    }
    let most = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let more = all.len() > most;
    all.truncate(most);
    Ok((all, more))
}

fn row_of(row: Row, basis: &Basis) -> Result<Json> {
    let mut fields = row.fields();
    let (fulltag, digest, image_id) = (fields.text()?, fields.text()?, fields.text()?);
    let (analysis, state) = (fields.text_or_none()?, fields.text()?);
    let (problem, at) = (fields.text_or_none()?, fields.int_or_none()?);
    let (packages, counted) = (fields.int()?, fields.bool()?);
    let counts = ["critical", "high", "medium", "low"].map(|severity| (severity, fields.int()));
    let mut shown = Vec::new();
    for (severity, count) in counts {
        shown.push(json!({"severity": severity, "count": count?}));
    }
    let (verdict, made_of) = (fields.text_or_none()?, fields.text_or_none()?);
    let is_now = analysis
        .as_deref()
        .is_some_and(|analysis| made_of == Some(basis.made_of(analysis, &fulltag, &image_id)));
    let status = match state.as_str() {
        "analyzed" => verdict.clone(),
        "analysis_failed" => Some("analysis failed".to_owned()),
        _ => Some("being analyzed".to_owned()),
    };
    Ok(
        json!({"href": of_image(&digest, &fulltag), "name": fulltag, "digest": digest, "status": status,
        "is_old": verdict.is_some() && !is_now, "problem": problem, "packages": packages, "is_counted": counted,
        "counts": shown, "at": at.map(clock::iso), "at_shown": at.map(time)}),
    )
}

/// How many there are, as far as it is worth counting.
fn total(tx: &Tx<'_>, account: &str, basis: &Basis, wanted: &Wanted<'_>) -> Result<i64> {
    let mut values = values![account, &basis.bundle].to_vec();
    let conditions = wanted.conditions(&mut values);
    values.push((COUNTED + 1).into());
    let most = values.len();
    let join = if wanted.is_any() { "" } else { "JOIN image ON image.id = tag.image" };
    // The bundle stands in it once, so that its kind is known where nothing else says it.
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM tag {join} WHERE tag.account = $1 AND CAST($2 AS TEXT) IS NOT NULL {conditions} LIMIT ${most}) AS some"
    );
    Ok(tx.row(&sql, &values)?.map_or(Ok(0), Row::int)?)
}

pub(super) fn page(asked: Asked) -> Result<Answer> {
    let wanted = Wanted::of(&asked);
    let number = asked.query.number("page", 1, 1, 1_000_000)?;
    let account = asked.account();
    let basis = asked.app.store.read(|tx| {
        let bundle = bundles::active(tx, account, clock::now())?;
        bundle.ok_or_else(|| Problem::not_found("there is no active policy bundle"))
    })?;
    let basis = Basis::of(&asked.app, &basis)?;
    let given = asked.app.store.read(|tx| {
        let (rows, more) = rows(tx, account, &basis, &wanted, (number - 1) * ROWS)?;
        let total = total(tx, account, &basis, &wanted)?;
        let of = (total <= COUNTED).then_some((total + ROWS - 1) / ROWS);
        let total = if total > COUNTED { format!("more than {COUNTED}") } else { total.to_string() };
        let registries = images::registries(tx, account)?;
        let parameters = wanted.parameters();
        let page = number.to_string();
        let mut as_json = parameters.to_vec();
        as_json.extend([("page", page.as_str()), ("format", "json")]);
        Ok::<_, Problem>(json!({
            "rows": rows, "total": total, "registries": registries, "is_filtered": !wanted.is_any() || number > 1,
            "asked": {"q": wanted.q, "status": wanted.status, "severity": wanted.severity,
                "registry": wanted.registry, "origin": wanted.origin},
            "pages": pages("/images", &parameters, number, more, of),
            "json": address("/images", &as_json),
            "url": asked.header("host").map_or_else(|| "URL".to_owned(), |host| format!("http://{host}")),
        }))
    })?;
    match asked.query.get("format") {
        Some("json") => Answer::json(json!({"images": given["rows"], "total": given["total"]})),
        _ => shown(&asked, "images.html", "images", given),
    }
}
