//! Checks: what a bundle says of an image under a name, now and before.

use serde_json::{Value as Json, json};

use super::contents::image;
use super::images::found_by_id;
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::clock;
use crate::server::judging::{self, How, Verdict};
use crate::server::model::bundles::{self, Bundle};
use crate::server::model::images::{self, FullTag, Image};
use crate::server::rights::Does::Read;
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/check",
        Read,
        check,
        "Says whether an image passes a bundle of policies",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/by_id/{id}/check",
        Read,
        check,
        "Says whether an image passes, by image id",
    ),
    route(
        Sysdig,
        Method::GET,
        "/images/{digest}/policyEvaluation",
        Read,
        results,
        "Says what each policy found in an image",
    ),
];

/// Of a history: what people look at, and not more than fits in memory.
const MOST: i64 = 200;

/// The bundle that is asked for, or the active one.
pub(super) fn bundle(asked: &Asked) -> Result<Bundle> {
    let id = asked.query.get("policyId");
    asked.app.store.read(|tx| {
        let (account, now) = (asked.account(), clock::now());
        match id {
            Some(id) => bundles::by_id(tx, account, id, now)?
                .ok_or_else(|| Problem::not_found(format!("Policy bundle {id} not found in DB"))),
            None => bundles::active(tx, account, now)?
                .ok_or_else(|| Problem::not_found("there is no active policy bundle")),
        }
    })
}

fn check(asked: Asked) -> Result<Answer> {
    let image = image(&asked)?;
    let tag = asked.query.get("tag");
    let tag =
        tag.ok_or_else(|| Problem::bad("`tag` is missing: the name by which the image is judged"))?;
    // A tag that the image does not have is taken as if it had it: admission controllers rely on it.
    let fulltag = FullTag::parse(tag).full();
    let bundle = bundle(&asked)?;
    let flag = |name: &str, usual| Ok::<_, Problem>(asked.query.flag(name)?.unwrap_or(usual));
    let (detail, history) = (flag("detail", true)?, flag("history", false)?);
    let how = How { anew: flag("forceReload", false)?, in_passing: flag("interactive", false)? };
    let newest = judging::verdict(&asked.app, &image, &fulltag, &bundle, how)?;
    let verdicts: Vec<Verdict> = match history {
        false => vec![newest],
        true => asked.app.store.read(|tx| {
            Ok::<_, Problem>(judging::history(tx, &image, &fulltag, &bundle.id, i64::MAX, MOST)?)
        })?,
    };
    Answer::json(judging::checked(&image, tag, &bundle.id, &verdicts, detail))
}

/// The tag that is asked for, else the newest that the image has.
pub(super) fn fulltag(asked: &Asked, image: &Image) -> Result<String> {
    match asked.query.get("tag") {
        Some(tag) => Ok(FullTag::parse(tag).full()),
        None => asked.app.store.read(|tx| {
            let newest = images::tags_of(tx, image.id)?.into_iter().next();
            newest.map(|tag| tag.fulltag).ok_or_else(|| Problem::bad("`tag` is missing"))
        }),
    }
}

fn results(asked: Asked) -> Result<Answer> {
    let image = asked.app.store.read(|tx| match asked.part("digest") {
        digest if digest.starts_with("sha256:") => {
            super::images::found(tx, asked.account(), digest)
        }
        id => found_by_id(tx, asked.account(), id),
    })?;
    let fulltag = fulltag(&asked, &image)?;
    let bundle = bundle(&asked)?;
    let verdict = judging::verdict(&asked.app, &image, &fulltag, &bundle, How::default())?;
    let mut shown = verdict.body["results"].clone();
    shown["at"] = (verdict.made_at / 1_000).into();
    Answer::json(shown)
}

/// `STOP`, `WARN` or `GO`, with when it was said; of the active bundle, and none where it never was.
pub(super) fn status_of(verdict: Option<&(String, i64)>) -> Json {
    match verdict {
        None => json!(null),
        Some((action, _)) => action.to_uppercase().into(),
    }
}
