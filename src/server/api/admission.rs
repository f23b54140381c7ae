//! What Kubernetes asks before it starts a container: AdmissionReview of version 1
//! (<https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>).

use serde_json::{Value as Json, json};

use super::images::{Wanted, queued};
use crate::server::answer::{Answer, Problem, Result};
use crate::server::app::Unknown;
use crate::server::asked::{Asked, text};
use crate::server::clock;
use crate::server::judging::{self, How};
use crate::server::model::bundles;
use crate::server::model::images::{self, FullTag, Image};
use crate::server::registry;
use crate::server::rights::Does::Read;
use crate::server::routes::On::Root;
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[route(
    Root,
    Method::POST,
    "/admission/validate",
    Read,
    validate,
    "Says whether the images of a workload may run",
)];

/// Containers of one workload.
const MOST: usize = 200;

/// Of a pod, or of what makes pods.
fn containers(object: &Json) -> Vec<&str> {
    let specs = [
        &object["spec"],
        &object["spec"]["template"]["spec"],
        &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
    ];
    let lists = specs.into_iter().flat_map(|spec| {
        ["containers", "initContainers", "ephemeralContainers"].map(|name| spec[name].as_array())
    });
    let all = lists.flatten().flatten().filter_map(|container| text(container, "image"));
    let mut names: Vec<&str> = all.take(MOST).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn validate(asked: Asked) -> Result<Answer> {
    let review = asked.object()?;
    let request = &review["request"];
    let uid = text(request, "uid")
        .ok_or_else(|| Problem::bad("not an AdmissionReview: `request.uid` is missing"))?;
    let (mut denied, mut warnings) = (Vec::new(), Vec::new());
    for name in containers(&request["object"]) {
        match said(&asked, name) {
            Ok(None) => {}
            Ok(Some((true, why))) => warnings.push(format!("{name}: {why}")),
            Ok(Some((false, why))) => denied.push(format!("{name}: {why}")),
            Err(problem) => denied.push(format!("{name}: {}", problem.message)),
        }
    }
    let mut response = json!({"uid": uid, "allowed": denied.is_empty(), "warnings": warnings});
    if !denied.is_empty() {
        response["status"] =
            json!({"code": 403, "reason": "Forbidden", "message": denied.join("; ")});
    }
    Answer::json(
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}),
    )
}

/// Nothing where it may run without a word; else whether it may, and why.
fn said(asked: &Asked, name: &str) -> Result<Option<(bool, String)>> {
    let (image, fulltag) = match known(asked, name)? {
        Some(known) => known,
        None => return unknown(asked, name),
    };
    let bundle = asked
        .app
        .store
        .read(|tx| Ok::<_, Problem>(bundles::active(tx, asked.account(), clock::now())?))?;
    let bundle = bundle.ok_or_else(|| Problem::not_found("there is no active policy bundle"))?;
    let verdict = judging::verdict(&asked.app, &image, &fulltag, &bundle, How::default())?;
    let results = verdict.body["results"]["results"].as_array().into_iter().flatten();
    let rules = results.flat_map(|policy| policy["gateResults"].as_array().into_iter().flatten());
    let rules = rules.flat_map(|gate| gate["ruleResults"].as_array().into_iter().flatten());
    let of = |action: &str| {
        let texts = rules
            .clone()
            .filter(|rule| rule["gateAction"] == action)
            .filter_map(|rule| text(rule, "checkOutput"));
        let texts: Vec<&str> = texts.collect();
        let more = texts.len().saturating_sub(5);
        let shown = texts.iter().take(5).copied().collect::<Vec<_>>().join("; ");
        if more > 0 { format!("{shown}; and {more} more") } else { shown }
    };
    Ok(match (verdict.status.as_str(), of("warn")) {
        ("pass", warned) if warned.is_empty() => None,
        ("pass", warned) => Some((true, warned)),
        _ => Some((false, of("stop"))),
    })
}

/// By its digest where the name has one, else by its tag as it was last seen.
fn known(asked: &Asked, name: &str) -> Result<Option<(Image, String)>> {
    let parsed = FullTag::parse(name);
    asked.app.store.read(|tx| {
        let account = asked.account();
        if let Some((_, digest)) = name.split_once('@') {
            let Some(image) = images::by_digest(tx, account, digest)? else { return Ok(None) };
            let newest = images::tags_of(tx, image.id)?.into_iter().next();
            let fulltag = newest.map_or_else(|| parsed.full(), |tag| tag.fulltag);
            return Ok(image.analysis.is_some().then_some((image, fulltag)));
        }
        let image = images::by_tag(tx, account, &parsed.full())?.into_iter().next();
        Ok(image.filter(|image| image.analysis.is_some()).map(|image| (image, parsed.full())))
    })
}

fn unknown(asked: &Asked, name: &str) -> Result<Option<(bool, String)>> {
    match asked.app.settings.unknown_images {
        Unknown::Allow => Ok(Some((true, "the image is not known to the scanner".to_owned()))),
        Unknown::Deny => Ok(Some((false, "the image is not known to the scanner".to_owned()))),
        Unknown::Scan => {
            let parsed = FullTag::parse(name);
            let digest = name.split_once('@').map(|(_, digest)| digest.to_owned());
            let wanted = Wanted { fulltag: parsed.full(), digest, ..Wanted::default() };
            let resolved = registry::resolve(&asked.app, asked.account(), &wanted)?;
            asked.app.store.write(|tx| queued(tx, asked.account(), &wanted, &resolved))?;
            asked.app.bell.ring();
            Ok(Some((
                false,
                "the image was not known, and is analyzed now: try again in a minute".to_owned(),
            )))
        }
    }
}
