//! Judging an image that is kept, with the code of the command line. What was found is kept, and
//! is the answer for as long as what it is made of stays the same: the document, the bundle with
//! the exceptions that hold, the vulnerability data, the name, and the day where a rule asks for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use inscan_document::{Identity, Section};
use inscan_evaluate::{Options, Severity};
use inscan_facts::error::Coded;
use inscan_image::document::archive::Archive;
use inscan_judge::facts::DocumentFacts;
use inscan_judge::vulnerable::listing::Which;
use inscan_judge::vulnerable::{self, VulnerabilityList};
use inscan_judge::{Action, JudgeError, JudgeOptions, Judgement, Mode, Policies, PolicyRequest};
use inscan_report::{anchore, sysdig};
use inscan_store::queue::{self, NewJob};
use inscan_store::{Millis, Row, Tx, values};
use inscan_vulndb::Advisory;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::answer::{Problem, Result};
use super::app::App;
use super::clock::{self, iso};
use super::data::{Lent, NONE};
use super::ids::hash_of;
use super::import::MAX_MEMBER;
use super::model::bundles::Bundle;
use super::model::events::{self, Event};
use super::model::images::Image;
use super::work;

/// A verdict as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// `pass` or `fail`.
    pub(crate) status: String,
    pub(crate) made_at: Millis,
    /// `{"detail": …, "results": …}`: the answers of the two APIs.
    pub(crate) body: Json,
    made_of: String,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    /// Anew, though nothing changed.
    pub(crate) anew: bool,
    /// Without keeping it.
    pub(crate) in_passing: bool,
}

/// The verdict of a bundle on an image under a name.
///
/// # Errors
/// Where the image is not analyzed, a rule has no answer, or there is no data that one asks for.
pub(crate) fn verdict(
    app: &App,
    image: &Image,
    fulltag: &str,
    bundle: &Bundle,
    how: How,
) -> Result<Verdict> {
    let analysis = analyzed(image)?;
    let now = clock::now();
    let lent = app.data.lend()?;
    let generation = lent.as_ref().map_or(NONE, |lent| &lent.generation);
    let made_of = Basis::new(bundle, generation, now).made_of(analysis, fulltag, &image.image_id);
    if !how.anew {
        let kept =
            app.store.read(|tx| -> Result<_> { Ok(newest(tx, image, fulltag, &bundle.id)?) })?;
        if let Some(kept) = kept.filter(|kept| kept.made_of == made_of) {
            app.counts.answered_from_store.fetch_add(1, Ordering::Relaxed);
            return Ok(kept);
        }
    }
    let judged = judged(app, image, fulltag, bundle, lent.as_ref(), now)?;
    app.counts.evaluations.fetch_add(1, Ordering::Relaxed);
    let verdict = Verdict { made_of, ..made(image, &judged, now) };
    if !how.in_passing {
        keep(app, image, fulltag, bundle, &judged, &verdict)?;
    }
    Ok(verdict)
}

/// What verdicts by one bundle are made of beside the image: the bundle with the exceptions that hold
/// now, the data, and the day where a rule counts days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// The bundle's id.
    pub(crate) bundle: String,
    hash: String,
}

impl Basis {
    fn new(bundle: &Bundle, generation: &str, now: Millis) -> Basis {
        let day = if depends_on_the_day(&bundle.body) { day(now) } else { String::new() };
        let hash = hash_of(&[VERSION, &bundle.body, generation, &day]);
        Basis { bundle: bundle.id.clone(), hash }
    }

    /// As it is now.
    ///
    /// # Errors
    /// Where the data cannot be read.
    pub(crate) fn of(app: &App, bundle: &Bundle) -> Result<Basis> {
        Ok(Basis::new(bundle, &app.data.generation()?, clock::now()))
    }

    /// What a verdict is kept with: one that has another is of something else.
    pub(crate) fn made_of(&self, analysis: &str, fulltag: &str, image_id: &str) -> String {
        hash_of(&[&self.hash, analysis, fulltag, image_id])
    }
}

/// The program that judged: another one may find other things.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An image that can be judged.
pub(crate) fn analyzed(image: &Image) -> Result<&str> {
    match &image.analysis {
        Some(analysis) => Ok(analysis),
        None => {
            let why = image.problem.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let message = format!("image is not analyzed - analysis_status: {}{why}", image.status);
            Err(Problem::not_found(message))
        }
    }
}

/// Ages in days are counted from today; exceptions that expire are left out of the bundle already.
fn depends_on_the_day(bundle: &str) -> bool {
    let bundle = bundle.to_lowercase();
    ["max_days", "days_since", "stale_feed", "expir"].iter().any(|word| bundle.contains(word))
}

fn day(now: Millis) -> String {
    clock::timestamp(now).strftime("%Y-%m-%d").to_string()
}

fn newest(
    tx: &Tx<'_>,
    image: &Image,
    fulltag: &str,
    bundle: &str,
) -> inscan_store::Result<Option<Verdict>> {
    let row = tx.row(
        "SELECT status, made_of, body, made_at FROM evaluation \
         WHERE image = $1 AND fulltag = $2 AND bundle = $3 ORDER BY id DESC LIMIT 1",
        values![image.id, fulltag, bundle],
    )?;
    row.map(read).transpose()
}

fn read(row: Row) -> inscan_store::Result<Verdict> {
    let mut fields = row.fields();
    let (status, made_of) = (fields.text()?, fields.text()?);
    let body = unpacked(&fields.bytes()?);
    Ok(Verdict { status, made_of, body, made_at: fields.int()? })
}

/// All verdicts of a bundle on an image, newest first: those that were made before `until`.
pub(crate) fn history(
    tx: &Tx<'_>,
    image: &Image,
    fulltag: &str,
    bundle: &str,
    until: Millis,
    most: i64,
) -> inscan_store::Result<Vec<Verdict>> {
    let rows = tx.rows(
        "SELECT status, made_of, body, made_at FROM evaluation \
         WHERE image = $1 AND fulltag = $2 AND bundle = $3 AND made_at <= $4 ORDER BY id DESC LIMIT $5",
        values![image.id, fulltag, bundle, until, most],
    )?;
    rows.into_iter().map(read).collect()
}

fn packed(body: &Json) -> Vec<u8> {
    // Writing to memory does not fail.
    zstd::encode_all(body.to_string().as_bytes(), 3).unwrap_or_default()
}

fn unpacked(bytes: &[u8]) -> Json {
    let text = zstd::decode_all(bytes).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn judged(
    app: &App,
    image: &Image,
    fulltag: &str,
    bundle: &Bundle,
    lent: Option<&Lent<'_>>,
    now: Millis,
) -> Result<Judgement> {
    let (text, section) = document(app, image)?;
    let facts = DocumentFacts::of_document(&text, &section)
        .map_err(|error| Problem::conflict(format!("the image's document: {error}")))?;
    let read = inscan_judge::Bundle::read(bundle.body.as_bytes(), Mode::Tolerant);
    let read = read.map_err(|problems| refused(&bundle.id, &problems))?;
    let when = clock::timestamp(now);
    let policies = Policies { bundle: read, source: bundle.id.clone(), only: None, when };
    let named = inscan_judge::Image {
        tag: fulltag.to_owned(),
        digest: image.digest.clone(),
        id: image.image_id.clone(),
    };
    let asked = PolicyRequest { policies: &policies, facts, image: named };
    let options = JudgeOptions { evaluate: options(now), ..JudgeOptions::default() };
    inscan_judge::judge(&section, lent.map(Lent::data), Some(asked), &options)
        .map_err(|error| unanswered(&error))
}

pub(crate) fn options(now: Millis) -> Options {
    Options { today: clock::timestamp(now).to_zoned(TimeZone::UTC).date(), ..Options::default() }
}

/// There is no verdict, and whoever asks is told why: never a pass.
fn unanswered(error: &JudgeError) -> Problem {
    let mut message = error.to_string();
    if let JudgeError::NoDatabase = error {
        message = "there is no vulnerability database, and a policy asks for vulnerabilities: the \
            server is to be started with `--db FILE`"
            .to_owned();
    }
    let details = error.details();
    match error {
        JudgeError::Database(_) => Problem::internal(message),
        _ => Problem::conflict(message)
            .with_detail(json!({"error_codes": [error.code()], "validation_details": details})),
    }
}

fn refused(bundle: &str, problems: &[inscan_judge::Problem]) -> Problem {
    let shown: Vec<String> = problems.iter().take(20).map(ToString::to_string).collect();
    Problem::conflict(format!("the bundle `{bundle}` cannot be used: {}", shown.join("; ")))
        .with_detail(json!({"error_codes": [], "validation_details": shown}))
}

/// The image's document, with what is read of it.
pub(crate) fn document(app: &App, image: &Image) -> Result<(Vec<u8>, Section)> {
    let text = app.blobs.get(analyzed(image)?, MAX_MEMBER)?;
    let wrong = |error: String| Problem::conflict(format!("the image's document: {error}"));
    if image.origin == "document" {
        let section = inscan_document::read(&text).map_err(|error| wrong(error.to_string()))?;
        return Ok((text, section));
    }
    let identity = Identity {
        image_digest: image.digest.clone(),
        image_id: image.image_id.clone(),
        ..Identity::default()
    };
    let archive = Archive { identity, document: text };
    let section = archive.section().map_err(|error| wrong(error.to_string()))?;
    Ok((archive.document, section))
}

/// The forms that clients read.
fn made(image: &Image, judged: &Judgement, now: Millis) -> Verdict {
    let Some(policy) = &judged.policy else {
        return Verdict {
            status: "fail".into(),
            made_at: now,
            body: Json::Null,
            made_of: String::new(),
        };
    };
    let mut response = anchore::response(policy);
    let mut detail = response[0][&policy.image.digest][&policy.image.tag][0]["detail"].take();
    detail["result"]["user_id"] = image.account.clone().into();
    let body =
        json!({"detail": detail, "results": sysdig::response(policy), "warnings": judged.warnings});
    Verdict { status: policy.status().to_owned(), made_at: now, body, made_of: String::new() }
}

fn keep(
    app: &App,
    image: &Image,
    fulltag: &str,
    bundle: &Bundle,
    judged: &Judgement,
    verdict: &Verdict,
) -> Result<()> {
    let Some(policy) = &judged.policy else { return Ok(()) };
    let count = |action| i64::try_from(policy.count(action)).unwrap_or(i64::MAX);
    let (stops, warns) = (count(Action::Stop), count(Action::Warn));
    let body = packed(&verdict.body);
    app.store.write(|tx| -> Result<()> {
        let before = newest(tx, image, fulltag, &bundle.id)?;
        tx.run(
            "INSERT INTO evaluation (image, fulltag, bundle, made_of, status, action, stops, warns, body, made_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            values![
                image.id, fulltag, &bundle.id, &verdict.made_of, &verdict.status, policy.final_action.shown(),
                stops, warns, body.clone(), verdict.made_at
            ],
        )?;
        let changed = before.as_ref().is_some_and(|before| before.status != verdict.status);
        if changed && bundle.is_active {
            tell_change(tx, image, fulltag, verdict, before.as_ref())?;
        }
        Ok(())
    })?;
    app.bell.ring();
    Ok(())
}

fn tell_change(
    tx: &Tx<'_>,
    image: &Image,
    fulltag: &str,
    verdict: &Verdict,
    before: Option<&Verdict>,
) -> Result<()> {
    let was = before.map(|before| before.status.as_str()).unwrap_or_default();
    let now = verdict.made_at;
    let event = Event {
        kind: "user.checks.tag.policy_eval.update",
        level: "info",
        resource_kind: "image_tag",
        resource: fulltag,
        message: "the image is judged otherwise",
        details: json!({"imageDigest": image.digest, "last_eval": was, "curr_eval": verdict.status}),
    };
    events::add(tx, &image.account, &event, now)?;
    let payload = json!({"account": image.account, "digest": image.digest, "fulltag": fulltag,
        "trigger": "policy_eval", "was": was, "is": verdict.status});
    let key = format!("{}/{fulltag}/{}/policy/{now}", image.account, image.digest);
    let job = NewJob { payload: &payload.to_string(), ..work::alerting(&key, now) };
    queue::add(tx, &job, now)?;
    Ok(())
}

/// The answer to a check, in the form of Anchore's API.
pub(crate) fn checked(
    image: &Image,
    fulltag: &str,
    bundle: &str,
    verdicts: &[Verdict],
    detail: bool,
) -> Json {
    let one = |verdict: &Verdict| {
        let shown = if detail { verdict.body["detail"].clone() } else { json!({}) };
        json!({"detail": shown, "last_evaluation": iso(verdict.made_at), "policyId": bundle, "status": verdict.status})
    };
    let all: Vec<Json> = verdicts.iter().map(one).collect();
    json!([{ &image.digest: { fulltag: all } }])
}

/// What is vulnerable in an image, by the data that there is now.
///
/// # Errors
/// Where the image is not analyzed, or there is no data.
pub(crate) fn vulnerable(app: &App, image: &Image) -> Result<(Arc<VulnerabilityList>, String)> {
    analyzed(image)?;
    let lent = app.data.lend()?.ok_or_else(no_data)?;
    let now = clock::now();
    let (_, section) = document(app, image)?;
    let list = vulnerable::judge(&section, lent.data(), &options(now), clock::timestamp(now));
    let list = list.map_err(Problem::internal)?;
    Ok((Arc::new(list), lent.generation.clone()))
}

pub(crate) fn no_data() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "there is no vulnerability database, so nothing is known of vulnerabilities: the server is to be \
         started with `--db FILE`",
    )
}

/// The list in the form of Anchore's API, kept for as long as document and data are the same.
pub(crate) fn listing(app: &App, image: &Image, which: Which, vendor_only: bool) -> Result<Json> {
    parsed(&listing_text(app, image, which, vendor_only)?)
}

/// The same as it is kept.
///
/// # Errors
/// Where the image is not analyzed, or there is no data.
pub(crate) fn listing_text(
    app: &App,
    image: &Image,
    which: Which,
    vendor_only: bool,
) -> Result<Vec<u8>> {
    let analysis = analyzed(image)?;
    let generation = app.data.generation()?;
    if generation == NONE {
        return Err(no_data());
    }
    let kind = format!("vulnerabilities/{}/{vendor_only}", which.name());
    let made_of = hash_of(&[VERSION, analysis, &generation]);
    kept(app, image, &kind, &made_of, || {
        let (list, _) = vulnerable(app, image)?;
        Ok(list.listing(which, &image.digest, vendor_only))
    })
}

/// What is known of an image's packages, as the page shows it: `{"findings": […], "suppressed": N,
/// "uncovered": […], "upgrades": […]}`. Kept for as long as document, data and day are the same.
///
/// # Errors
/// Where the image is not analyzed, or there is no data.
pub(crate) fn findings(app: &App, image: &Image) -> Result<Json> {
    let analysis = analyzed(image)?;
    let generation = app.data.generation()?;
    if generation == NONE {
        return Err(no_data());
    }
    let now = clock::now();
    let made_of = hash_of(&[VERSION, analysis, &generation, &day(now)]);
    let text = kept(app, image, "findings", &made_of, || {
        let lent = app.data.lend()?.ok_or_else(no_data)?;
        let (_, section) = document(app, image)?;
        let found = inscan_evaluate::evaluate(&section, Some(lent.data()), &options(now), None);
        let found = found.map_err(Problem::internal)?;
        let findings = found.findings.iter().map(|one| {
            let url = one.advisories.iter().find_map(|advisory| advisory.url.as_ref());
            json!({"id": one.id, "aliases": one.aliases, "severity": one.severity.level.name(),
                "package": one.package.name, "called": called(&one.package), "version": one.package.version, "location": one.package.location,
                "fix": one.upgrade, "summary": short(&one.summary), "kev": one.kev.is_some(),
                "url": url.filter(|url| url.starts_with("https://") || url.starts_with("http://")),
                "layer": one.layer.as_ref().map(|layer| layer.index),
                "created_by": one.layer.as_ref().map(|layer| short(&layer.created_by))})
        });
        let upgrades = found.upgrades.iter().take(10).map(|one| {
            json!({"package": one.package, "from": one.from, "to": one.to, "fixes": one.findings.len(),
                "worst": one.worst.name()})
        });
        let uncovered = found.uncovered.iter().map(|one| one.message.clone());
        Ok(json!({"findings": findings.collect::<Vec<_>>(), "suppressed": found.suppressed.len(),
            "uncovered": uncovered.take(100).collect::<Vec<_>>(), "upgrades": upgrades.collect::<Vec<_>>()}))
    })?;
    parsed(&text)
}

/// Under which name rows over all images have a package: Maven's without their group.
fn called(package: &inscan_evaluate::Package) -> &str {
    match package.kind.as_str() {
        "maven" => package.name.rsplit(':').next().unwrap_or_default(),
        _ => &package.name,
    }
}

/// The beginning of a long text.
fn short(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// An answer that is dear to make, as the text of JSON: the kept one while it is made of the same.
///
/// # Errors
/// Those of `make`, and where the database refuses.
pub(crate) fn kept(
    app: &App,
    image: &Image,
    kind: &str,
    made_of: &str,
    make: impl FnOnce() -> Result<Json>,
) -> Result<Vec<u8>> {
    let known = app.store.read(|tx| -> Result<_> {
        let row = tx.row(
            "SELECT body FROM answer WHERE image = $1 AND kind = $2 AND made_of = $3",
            values![image.id, kind, made_of],
        )?;
        Ok(row.map(|row| row.fields().bytes()).transpose()?)
    })?;
    if let Some(known) = known {
        return zstd::decode_all(known.as_slice()).map_err(Problem::internal);
    }
    let answer = make()?;
    let body = packed(&answer);
    app.store.write(|tx| -> Result<()> {
        tx.run(
            "INSERT INTO answer (image, kind, made_of, body, made_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (image, kind) DO UPDATE SET made_of = excluded.made_of, body = excluded.body, \
             made_at = excluded.made_at",
            values![image.id, kind, made_of, body.clone(), clock::now()],
        )?;
        Ok(())
    })?;
    Ok(answer.to_string().into_bytes())
}

fn parsed(text: &[u8]) -> Result<Json> {
    serde_json::from_slice(text).map_err(Problem::internal)
}

/// `High`.
pub(crate) fn capitalised(severity: Severity) -> String {
    let (first, rest) = severity.name().split_at(1);
    first.to_uppercase() + rest
}

/// What the source of an advisory itself says of how bad it is.
pub(crate) fn severity_of(record: &Advisory) -> String {
    let word = record.severity_word.as_deref().and_then(Severity::of_word);
    capitalised(word.unwrap_or_default())
}
