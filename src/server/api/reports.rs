//! Reports: of one image as PDF, over all images as CSV; scheduled ones are not there yet, and their lists are empty.

use inscan_judge::vulnerable::listing::Which;
use inscan_store::values;
use serde_json::{Value as Json, json};

use super::contents::image;
use super::evaluation::{bundle, fulltag};
use super::vulnerabilities::which;
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, text};
use crate::server::clock;
use crate::server::judging::{self, How, Verdict};
use crate::server::model::images::{self, Image};
use crate::server::pdf::{Look, Pdf};
use crate::server::rights::Does::{Read, Report};
use crate::server::routes::On::{Root, Sysdig};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(
        Sysdig,
        Method::POST,
        "/reports/csv",
        Report,
        csv,
        "Writes the vulnerabilities of all images as CSV",
    ),
    route(
        Sysdig,
        Method::GET,
        "/images/{digest}/report",
        Read,
        pdf,
        "Writes what is said of an image as PDF",
    ),
    route(
        Root,
        Method::GET,
        "/api/reporting/v1/scanning/reports/{id}",
        Report,
        none,
        "Fetches a report that was made",
    ),
    route(
        Root,
        Method::GET,
        "/api/scanning/reporting/v2/schedules",
        Read,
        schedules,
        "Lists the reports that are made by schedule",
    ),
    route(
        Root,
        Method::GET,
        "/api/scanning/reporting/v2/schedules/{id}",
        Read,
        none,
        "Shows a report that is made by schedule",
    ),
];

const HEADER: [&str; 11] = [
    "Image Name",
    "Tag",
    "Package Name",
    "Package Version",
    "Package Path",
    "Severity",
    "Fixed In",
    "Vulnerability ID",
    "Links",
    "Image Digest",
    "Runtime Metadata",
];
/// Rows of one report.
const MOST: i64 = 1_000_000;

/// What a spreadsheet would take for a formula gets a quote mark before it.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    cells.join(",") + "\n"
}

fn csv(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    if text(&body, "queryType").unwrap_or("vuln") != "vuln" {
        return Err(Problem::bad("there are reports of the type vuln"));
    }
    let which = which(text(&body["imageQueryFilter"], "vType").unwrap_or("all"))?;
    let most = body["limit"].as_i64().unwrap_or(MOST).clamp(1, MOST);
    let mut skip = body["offset"].as_i64().unwrap_or_default().max(0);
    let mut report = line(HEADER);
    let mut written = 0;
    // Without agents no container runs anything.
    let is_static = text(&body, "scopeType").unwrap_or("static") == "static";
    let tags = if is_static { tags(&asked, &body["staticScope"])? } else { Vec::new() };
    for (image, name, tag) in tags {
        let image = asked.app.store.read(|tx| Ok::<_, Problem>(images::by_row(tx, image)?))?;
        let Some(image) = image.filter(|image| image.analysis.is_some()) else { continue };
        let listing = judging::listing(&asked.app, &image, which, true)?;
        for one in listing["vulnerabilities"].as_array().into_iter().flatten() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if written == most {
                return Ok(Answer::Bytes("text/csv; charset=utf-8", report.into_bytes()));
            }
            written += 1;
            let of = |name: &str| one[name].as_str().unwrap_or_default();
            report += &line([
                name.as_str(),
                tag.as_str(),
                of("package_name"),
                of("package_version"),
                of("package_path"),
                of("severity"),
                of("fix"),
                of("vuln"),
                of("url"),
                image.digest.as_str(),
                "",
            ]);
        }
    }
    Ok(Answer::Bytes("text/csv; charset=utf-8", report.into_bytes()))
}

/// The tags of a scope, each as it is now: image, name, tag.
fn tags(asked: &Asked, scope: &Json) -> Result<Vec<(i64, String, String)>> {
    let part = |name: &str| text(scope, name).unwrap_or_default().to_owned();
    let (registry, repository, tag) = (part("registry"), part("repository"), part("tag"));
    asked.app.store.read(|tx| {
        let rows = tx.rows(
            "SELECT image, registry, repo, tag FROM tag WHERE account = $1 AND ($2 = '' OR registry = $2) \
               AND ($3 = '' OR repo = $3) AND ($4 = '' OR tag = $4) ORDER BY registry, repo, tag, detected_at DESC",
            values![asked.account(), &registry, &repository, &tag],
        )?;
        let mut found: Vec<(i64, String, String)> = Vec::new();
        for row in rows {
            let mut fields = row.fields();
            let image = fields.int()?;
            let (registry, repository, tag) = (fields.text()?, fields.text()?, fields.text()?);
            let name = format!("{registry}/{repository}");
            // The first of a tag is the newest.
            if !found.iter().rev().take(1).any(|(_, known, of)| *known == name && *of == tag) {
                found.push((image, name, tag));
            }
        }
        Ok(found)
    })
}

/// The verdict of now, or of a moment before.
fn pdf(asked: Asked) -> Result<Answer> {
    let image = image(&asked)?;
    let fulltag = fulltag(&asked, &image)?;
    let bundle = bundle(&asked)?;
    let verdict = match asked.query.get("at") {
        None => judging::verdict(&asked.app, &image, &fulltag, &bundle, How::default())?,
        Some(at) => {
            let until = clock::parse(at)
                .ok_or_else(|| Problem::bad("`at` is no time: 2026-01-31T12:00:00Z"))?;
            // It names a second, all of it.
            let until = until.saturating_add(999);
            let found = asked.app.store.read(|tx| {
                Ok::<_, Problem>(judging::history(tx, &image, &fulltag, &bundle.id, until, 1)?)
            })?;
            let missing = || Problem::not_found("the image was not evaluated at that time");
            found.into_iter().next().ok_or_else(missing)?
        }
    };
    let vulnerable = judging::listing(&asked.app, &image, Which::All, true).ok();
    let report = written(&image, &fulltag, &verdict, vulnerable.as_ref());
    Ok(Answer::Bytes("application/pdf", report))
}

/// Rows of one table.
const ROWS: usize = 5_000;

fn written(image: &Image, fulltag: &str, verdict: &Verdict, vulnerable: Option<&Json>) -> Vec<u8> {
    let mut pdf = Pdf::default();
    pdf.line(Look::Title, &format!("Scan result: {}", verdict.status));
    pdf.gap();
    for (what, value) in [
        ("Image", fulltag),
        ("Digest", &image.digest),
        ("Image id", &image.image_id),
        ("System", &format!("{} {}", image.distro, image.distro_version)),
        ("Evaluated", &clock::iso(verdict.made_at)),
    ] {
        pdf.line(Look::Text, &format!("{what}: {value}"));
    }
    policies(&mut pdf, verdict);
    vulnerabilities(&mut pdf, vulnerable);
    pdf.bytes(fulltag)
}

fn policies(pdf: &mut Pdf, verdict: &Verdict) {
    for policy in verdict.body["results"]["results"].as_array().into_iter().flatten() {
        pdf.gap();
        let name =
            text(policy, "policyName").or_else(|| text(policy, "policyId")).unwrap_or_default();
        let counts = format!("{} stop, {} warn", policy["nStop"], policy["nWarn"]);
        pdf.line(Look::Heading, &format!("Policy {name}: {counts}"));
        let gates = policy["gateResults"].as_array().into_iter().flatten();
        let rules = gates.flat_map(|gate| gate["ruleResults"].as_array().into_iter().flatten());
        for (number, rule) in rules.enumerate() {
            if number == ROWS {
                pdf.line(Look::Strong, "More is in the CSV report.");
                break;
            }
            let action = text(rule, "gateAction").unwrap_or_default();
            pdf.line(
                Look::Text,
                &format!("{action}: {}", text(rule, "checkOutput").unwrap_or_default()),
            );
        }
    }
}

fn vulnerabilities(pdf: &mut Pdf, vulnerable: Option<&Json>) {
    pdf.gap();
    let Some(vulnerable) = vulnerable else {
        return pdf.line(Look::Heading, "Vulnerabilities: there is no vulnerability database");
    };
    let all = vulnerable["vulnerabilities"].as_array().map(Vec::as_slice).unwrap_or_default();
    let now = clock::iso(clock::now());
    pdf.line(Look::Heading, &format!("Vulnerabilities known at {now}: {}", all.len()));
    pdf.row(&[
        ("VULNERABILITY", 22),
        ("SEVERITY", 10),
        ("PACKAGE", 32),
        ("FIX", 18),
        ("PLACE", 30),
    ]);
    for one in all.iter().take(ROWS) {
        let of = |name: &str| text(one, name).unwrap_or_default();
        pdf.row(&[
            (of("vuln"), 22),
            (of("severity"), 10),
            (of("package"), 32),
            (of("fix"), 18),
            (of("package_path"), 30),
        ]);
    }
    if all.len() > ROWS {
        pdf.line(Look::Strong, "More is in the CSV report.");
    }
}

fn schedules(_: Asked) -> Result<Answer> {
    Answer::json(json!([]))
}

fn none(asked: Asked) -> Result<Answer> {
    Err(Problem::not_found(format!("there is no report {}", asked.part("id"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_stays_one_cell() {
        for (text, written) in [
            ("a", "a"),
            ("=1+1", "'=1+1"),
            ("a,b", "\"a,b\""),
            ("@x,\"", "\"'@x,\"\"\""),
            ("-1", "'-1"),
        ] {
            assert_eq!(cell(text), written);
        }
        assert_eq!(line(["a", "b"]), "a,b\n");
    }
}
