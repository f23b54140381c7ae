//! The page of an image: its verdict first, with what failed and why; then findings, packages,
//! history.

use std::collections::BTreeMap;

use inscan_store::{Row, Tx, values};
use serde_json::{Value as Json, json};

use super::{ROWS, address, encoded, of_package, pages, shown, time};
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::clock;
use crate::server::judging::{self, How, Verdict};
use crate::server::matching::SEVERITIES;
use crate::server::model::bundles::{self, Bundle};
use crate::server::model::images::{self, FullTag, Image};

/// Reasons that are shown; the API has all.
const REASONS: usize = 30;

pub(super) fn page(asked: Asked) -> Result<Answer> {
    let (image, name, bundle) = asked.app.store.read(|tx| {
        let found = images::by_digest(tx, asked.account(), asked.part("digest"))?;
        let image =
            found.ok_or_else(|| Problem::not_found("This server has no image of that digest."))?;
        let name = match asked.query.get("tag") {
            Some(tag) => FullTag::parse(tag).full(),
            None => match images::tags_of(tx, image.id)?.into_iter().next() {
                Some(tag) => tag.fulltag,
                None => image.digest.clone(),
            },
        };
        let bundle = bundles::active(tx, asked.account(), clock::now())?;
        let bundle =
            bundle.ok_or_else(|| Problem::not_found("There is no active policy bundle."))?;
        Ok::<_, Problem>((image, name, bundle))
    })?;
    let is_tab = |tab: &&str| matches!(*tab, "packages" | "history");
    let tab = asked.query.get("tab").filter(is_tab).unwrap_or("findings");
    let here = format!("/images/{}", encoded(&image.digest));
    let mut given = verdict(&asked, &image, &name, &bundle)?;
    given["name"] = name.as_str().into();
    given["tab"] = tab.into();
    given["here"] = here.as_str().into();
    given["tabs"] = [("findings", "Findings"), ("packages", "Packages"), ("history", "History")]
        .map(|(tab_of, text)| {
            let shown = if tab_of == "findings" { "" } else { tab_of };
            json!({"href": address(&here, &[("tag", &name), ("tab", shown)]), "text": text, "is_here": tab_of == tab})
        })
        .to_vec()
        .into();
    match tab {
        "packages" => packages(&asked, &image, &name, &here, &mut given)?,
        "history" => {
            given["rows"] =
                asked.app.store.read(|tx| history(tx, &image, &name, &bundle.id))?.into()
        }
        _ => findings(&asked, &image, &name, &here, &mut given)?,
    }
    given["about"] = about(&image).into();
    match asked.query.get("format") {
        Some("json") => Answer::json(json!({"rows": given["rows"], "total": given["total"]})),
        _ => shown(&asked, "image.html", "images", given),
    }
}

/// Why it passes or fails; or why nobody can say.
fn verdict(asked: &Asked, image: &Image, name: &str, bundle: &Bundle) -> Result<Json> {
    let verdict = match judging::verdict(&asked.app, image, name, bundle, How::default()) {
        Ok(verdict) => verdict,
        Err(problem) if problem.status.is_server_error() => return Err(problem),
        Err(problem) => return Ok(json!({"problem": problem.message, "status": "none"})),
    };
    let Verdict { status, body, made_at, .. } = &verdict;
    let (stops, warns) = (reasons(&body["results"], "stop"), reasons(&body["results"], "warn"));
    let all: usize =
        stops.iter().filter_map(|one| one["count"].as_u64()).sum::<u64>().try_into().unwrap_or(0);
    let why = match (status.as_str(), all) {
        ("pass", _) => format!("no policy stops it. Judged {}.", time(*made_at)),
        (_, 0) => format!("the policies say so. Judged {}.", time(*made_at)),
        (_, 1) => format!("one rule stops it. Judged {}.", time(*made_at)),
        (_, count) => format!("{count} results of rules stop it. Judged {}.", time(*made_at)),
    };
    let more = stops.len().saturating_sub(REASONS);
    Ok(json!({"status": status, "why": why, "more_stops": more,
        "stops": stops.into_iter().take(REASONS).collect::<Vec<_>>(),
        "warns": warns.into_iter().take(REASONS).collect::<Vec<_>>(), "warnings": body["warnings"].as_array().cloned().unwrap_or_default()}))
}

/// What rules of one action say, each text once, in their order.
fn reasons(results: &Json, action: &str) -> Vec<Json> {
    let mut all: Vec<(String, String, u64)> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
    for policy in list(&results["results"]) {
        let name = policy["policyName"].as_str().unwrap_or_default().to_owned();
        let rules =
            list(&policy["gateResults"]).into_iter().flat_map(|gate| list(&gate["ruleResults"]));
        for rule in rules.filter(|rule| rule["gateAction"] == action) {
            let text = rule["checkOutput"].as_str().unwrap_or_default().to_owned();
            match places.get(&(name.clone(), text.clone())) {
                Some(place) => all[*place].2 += 1,
                None => {
                    places.insert((name.clone(), text.clone()), all.len());
                    all.push((text, name.clone(), 1));
                }
            }
        }
    }
    all.into_iter()
        .map(|(text, policy, count)| json!({"text": text, "policy": policy, "count": count}))
        .collect()
}

fn findings(asked: &Asked, image: &Image, name: &str, here: &str, given: &mut Json) -> Result<()> {
    let text = |name: &str| asked.query.get(name).unwrap_or_default();
    let (severity, fix, q) = (text("severity"), text("fix"), text("q"));
    given["severities"] = SEVERITIES.to_vec().into();
    given["asked"] = json!({"severity": severity, "fix": fix, "q": q});
    given["is_filtered"] = (!severity.is_empty() || !fix.is_empty() || !q.is_empty()).into();
    let known = match judging::findings(&asked.app, image) {
        Ok(known) => known,
        Err(problem) if problem.status.is_server_error() => return Err(problem),
        Err(problem) => {
            given["findings_problem"] = problem.message.into();
            return Ok(());
        }
    };
    let lower = q.to_lowercase();
    let fits = |one: &&Json| {
        let has =
            |value: &Json| value.as_str().is_some_and(|text| text.to_lowercase().contains(&lower));
        let named = lower.is_empty()
            || has(&one["package"])
            || has(&one["id"])
            || one["aliases"].as_array().into_iter().flatten().any(has);
        named
            && (severity.is_empty() || one["severity"] == severity)
            && match fix {
                "yes" => !one["fix"].is_null(),
                "no" => one["fix"].is_null(),
                _ => true,
            }
    };
    let all: Vec<&Json> = known["findings"].as_array().into_iter().flatten().filter(fits).collect();
    let number = asked.query.number("page", 1, 1, 1_000_000)?;
    let most = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let skipped = usize::try_from((number - 1) * ROWS).unwrap_or(usize::MAX);
    let rows: Vec<Json> = all
        .iter()
        .skip(skipped)
        .take(most)
        .map(|one| {
            let mut one = (*one).clone();
            one["search"] = of_package(one["called"].as_str().unwrap_or_default()).into();
            one
        })
        .collect();
    let of = i64::try_from(all.len().div_ceil(most)).unwrap_or(i64::MAX);
    let parameters = [("tag", name), ("severity", severity), ("fix", fix), ("q", q)];
    given["pages"] = pages(here, &parameters, number, number < of, Some(of));
    given["total"] = all.len().into();
    given["rows"] = rows.into();
    for part in ["suppressed", "uncovered", "upgrades"] {
        given[part] = known[part].clone();
    }
    let mut as_json = parameters.to_vec();
    as_json.push(("format", "json"));
    given["links"] = json!([{"href": address(here, &as_json), "text": "These findings as JSON"}]);
    Ok(())
}

fn packages(asked: &Asked, image: &Image, name: &str, here: &str, given: &mut Json) -> Result<()> {
    let number = asked.query.number("page", 1, 1, 1_000_000)?;
    let (rows, total) = asked.app.store.read(|tx| {
        let total = tx.row("SELECT COUNT(*) FROM image_package WHERE image = $1", values![image.id])?;
        let rows = tx.rows(
            "SELECT package.name, package.version, package.kind, package.critical, package.high, package.medium, package.low \
             FROM image_package JOIN package ON package.id = image_package.package WHERE image_package.image = $1 \
             ORDER BY package.name, package.version, package.id LIMIT $2 OFFSET $3",
            values![image.id, ROWS, (number - 1) * ROWS],
        )?;
        let read = |row: Row| {
            let mut fields = row.fields();
            let (name, version, kind) = (fields.text()?, fields.text()?, fields.text()?);
            let mut counts = Vec::new();
            for severity in ["critical", "high", "medium", "low"] {
                counts.push(json!({"severity": severity, "count": fields.int()?}));
            }
            Ok::<_, Problem>(json!({"search": of_package(&name), "name": name, "version": version, "kind": kind,
                "is_counted": true, "counts": counts}))
        };
        let rows = rows.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok::<_, Problem>((rows, total.map_or(Ok(0), Row::int)?))
    })?;
    let of = (total + ROWS - 1) / ROWS;
    given["pages"] =
        pages(here, &[("tag", name), ("tab", "packages")], number, number < of, Some(of));
    given["total"] = total.into();
    given["rows"] = rows.into();
    Ok(())
}

/// The newest fifty, each with what became other.
fn history(tx: &Tx<'_>, image: &Image, name: &str, bundle: &str) -> Result<Vec<Json>> {
    let rows = tx.rows(
        "SELECT status, stops, warns, made_at FROM evaluation WHERE image = $1 AND fulltag = $2 AND bundle = $3 \
         ORDER BY id DESC LIMIT $4",
        values![image.id, name, bundle, ROWS + 1],
    )?;
    let read = |row: Row| {
        let mut fields = row.fields();
        Ok::<_, Problem>((fields.text()?, fields.int()?, fields.int()?, fields.int()?))
    };
    let all = rows.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let shown = all.iter().enumerate().take(usize::try_from(ROWS).unwrap_or(usize::MAX)).map(|(place, one)| {
        let (status, stops, warns, at) = one;
        let change = all.get(place + 1).map(|before| stops - before.1).filter(|change| *change != 0);
        json!({"status": status, "stops": stops, "warns": warns, "at": clock::iso(*at), "at_shown": time(*at),
            "stops_change": change.map(|change| format!("{change:+}"))})
    });
    Ok(shown.collect())
}

fn about(image: &Image) -> Vec<Json> {
    let size = format!("{:.1} MB", image.size as f64 / 1e6);
    let analyzed = image.analyzed_at.map(time).unwrap_or_default();
    let rows = [
        ("Digest", image.digest.clone()),
        ("Image id", image.image_id.clone()),
        ("Distribution", format!("{} {}", image.distro, image.distro_version)),
        ("Architecture", image.arch.clone()),
        ("Size", size),
        ("Layers", image.layers.to_string()),
        ("Analyzed", analyzed),
        ("Came by", image.origin.clone()),
    ];
    rows.into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_is_said_twice_stands_once() {
        let rule = |text: &str, action: &str| json!({"checkOutput": text, "gateAction": action});
        let results = json!({"results": [{"policyName": "p", "gateResults": [
            {"ruleResults": [rule("a", "stop"), rule("b", "warn")]}, {"ruleResults": [rule("a", "stop")]}]}]});
        assert_eq!(reasons(&results, "stop"), [json!({"text": "a", "policy": "p", "count": 2})]);
        assert_eq!(reasons(&results, "warn").len(), 1);
    }
}
