//! Images: what is known of them, adding one that is analyzed here, taking one away.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inscan_store::queue::{self, NewJob};
use inscan_store::{Tx, values};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, text};
use crate::server::clock;
use crate::server::model::images::{self, FullTag, Image};
use crate::server::registry::{self, Resolved};
use crate::server::rights::Does::{Change, Read};
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};
use crate::server::work;

pub(super) const ROUTES: &[Route] = &[
    route(
        Anchore,
        Method::GET,
        "/images",
        Read,
        list,
        "Lists the newest image of each tag, or those of one tag",
    )
    .takes_json(),
    route(
        Anchore,
        Method::POST,
        "/images",
        Change,
        add,
        "Adds a tag of a registry, which is analyzed here",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/images",
        Change,
        remove_several,
        "Removes images by their digests",
    ),
    route(Anchore, Method::GET, "/images/{digest}", Read, one, "Shows an image"),
    route(Anchore, Method::DELETE, "/images/{digest}", Change, remove, "Removes an image"),
    route(
        Anchore,
        Method::GET,
        "/images/by_id/{id}",
        Read,
        by_id,
        "Shows the images with a configuration",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/images/by_id/{id}",
        Change,
        remove_by_id,
        "Removes the images with a configuration",
    ),
    route(
        Anchore,
        Method::GET,
        "/summaries/imagetags",
        Read,
        tags,
        "Lists the tags, each with its image",
    ),
    route(
        Sysdig,
        Method::PUT,
        "/images/{digest}/addAlias",
        Change,
        add_alias,
        "Gives an image another name",
    ),
    route(
        Sysdig,
        Method::GET,
        "/images/by_id/{id}",
        Read,
        summary,
        "Shows what is in short known of an image",
    ),
];

pub(super) const NOT_FOUND: &str = "image not found in DB";

/// The image of a digest.
pub(super) fn found(tx: &Tx<'_>, account: &str, digest: &str) -> Result<Image> {
    images::by_digest(tx, account, digest)?.ok_or_else(|| Problem::not_found(NOT_FOUND))
}

/// The newest image of a configuration; a digest is taken as well, as scripts send it.
pub(super) fn found_by_id(tx: &Tx<'_>, account: &str, id: &str) -> Result<Image> {
    if id.starts_with("sha256:")
        && let Some(image) = images::by_digest(tx, account, id)?
    {
        return Ok(image);
    }
    let id = id.trim_start_matches("sha256:");
    let image = images::by_image_id(tx, account, id)?.into_iter().next();
    image.ok_or_else(|| Problem::not_found(NOT_FOUND))
}

fn records(tx: &Tx<'_>, found: &[Image]) -> Result<Vec<Json>> {
    found.iter().map(|image| Ok(images::record(image, &images::tags_of(tx, image.id)?))).collect()
}

fn list(asked: Asked) -> Result<Answer> {
    let account = asked.account();
    let body = asked.json()?;
    let fulltag = asked.query.get("fulltag").or_else(|| text(&body, "tag"));
    let history = asked.query.flag("history")?.unwrap_or(false);
    let status = asked.query.get("analysis_status");
    if asked.query.get("image_status").is_some_and(|status| !["active", "all"].contains(&status)) {
        return Answer::json(json!([]));
    }
    asked.app.store.read(|tx| match fulltag {
        Some(fulltag) => {
            let name = FullTag::parse(fulltag).full();
            let mut found = images::by_tag(tx, account, &name)?;
            if found.is_empty() {
                return Err(Problem::not_found("image data not found in DB"));
            }
            if !history {
                found.truncate(1);
            }
            // Clients take the first name of a record for the one that they asked for.
            let record = |image: &Image| -> Result<Json> {
                let mut tags = images::tags_of(tx, image.id)?;
                tags.sort_by_key(|tag| tag.fulltag != name);
                Ok(images::record(image, &tags))
            };
            Answer::json(found.iter().map(record).collect::<Result<Vec<_>>>()?)
        }
        None => {
            let mut tags = images::tags_by_image(tx, account, history)?;
            let all = images::all(tx, account)?.into_iter();
            let wanted = all.filter(|image| {
                tags.contains_key(&image.id) && status.is_none_or(|status| image.status == status)
            });
            let wanted: Vec<Image> = wanted.collect();
            let record =
                |image: &Image| images::record(image, &tags.remove(&image.id).unwrap_or_default());
            Answer::json(wanted.iter().map(record).collect::<Vec<_>>())
        }
    })
}

fn one(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| {
        let image = found(tx, asked.account(), asked.part("digest"))?;
        Answer::json(records(tx, &[image])?)
    })
}

fn by_id(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| {
        let all = images::by_image_id(tx, asked.account(), asked.part("id"))?;
        match all.is_empty() {
            true => Err(Problem::not_found(NOT_FOUND)),
            false => Answer::json(records(tx, &all)?),
        }
    })
}

fn summary(asked: Asked) -> Result<Answer> {
    asked.app.store.read(|tx| {
        let image = found_by_id(tx, asked.account(), asked.part("id"))?;
        let newest = images::tags_of(tx, image.id)?.into_iter().next().map(|tag| tag.fulltag);
        let fulltag = asked.query.get("fulltag").map(str::to_owned).or(newest);
        Answer::json(json!({
            "imageDigest": image.digest, "imageId": image.image_id, "fullTag": fulltag,
            "distro": image.distro, "distroVersion": image.distro_version, "size": image.size,
            "layers": image.layers, "arch": image.arch, "dockerfileMode": image.dockerfile_mode,
            "analysisStatus": image.status, "analyzedAt": image.analyzed_at.map(|at| at / 1_000),
            "createdAt": image.created_at / 1_000,
        }))
    })
}

/// Whole seconds here, and nowhere else.
fn tags(asked: Asked) -> Result<Answer> {
    let account = asked.account();
    asked.app.store.read(|tx| {
        let tags = images::tags_by_image(tx, account, false)?;
        let all: BTreeMap<i64, Image> =
            images::all(tx, account)?.into_iter().map(|image| (image.id, image)).collect();
        let mut shown = Vec::new();
        for (image, tag) in
            tags.values().flatten().filter_map(|tag| Some((all.get(&tag.image)?, tag)))
        {
            shown.push(json!({
                "analysis_status": image.status,
                "analyzed_at": image.analyzed_at.map(|at| at / 1_000),
                "created_at": image.created_at / 1_000,
                "fulltag": tag.fulltag,
                "imageDigest": image.digest,
                "imageId": image.image_id,
                "image_status": "active",
                "parentDigest": image.parent_digest,
                "tag_detected_at": tag.detected_at / 1_000,
            }));
        }
        Answer::json(shown)
    })
}

fn add_alias(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let fulltag = FullTag::parse(crate::server::asked::needed(&body, "fulltag")?).full();
    asked.app.store.write(|tx| {
        let image = found(tx, asked.account(), asked.part("digest"))?;
        let dockerfile = images::tags_of(tx, image.id)?.into_iter().find_map(|tag| tag.dockerfile);
        images::give_tag(
            tx,
            asked.account(),
            image.id,
            &fulltag,
            dockerfile.as_deref(),
            clock::now(),
        )?;
        Answer::json(json!({"fulltag": fulltag, "imageDigest": image.digest}))
    })
}

/// Whether an image is the newest of a tag that somebody watches.
fn is_watched(tx: &Tx<'_>, image: &Image) -> Result<bool> {
    let row = tx.row(
        "SELECT COUNT(*) FROM tag JOIN subscription ON subscription.account = tag.account \
           AND subscription.key = tag.fulltag AND subscription.active = 1 \
         WHERE tag.image = $1 AND NOT EXISTS (SELECT 1 FROM tag AS newer WHERE newer.account = tag.account \
           AND newer.fulltag = tag.fulltag AND newer.detected_at > tag.detected_at)",
        values![image.id],
    )?;
    Ok(row.map_or(Ok(0), inscan_store::Row::int)? > 0)
}

fn removed(tx: &Tx<'_>, account: &str, digest: &str, force: bool) -> Result<Json> {
    let Some(image) = images::by_digest(tx, account, digest)? else {
        return Ok(
            json!({"digest": digest, "status": "not_found", "detail": "No image found with the digest"}),
        );
    };
    if !force && is_watched(tx, &image)? {
        let detail = "the image is the newest of a tag with active subscriptions: deactivate them, or use force";
        return Ok(json!({"digest": digest, "status": "delete_failed", "detail": detail}));
    }
    images::remove(tx, image.id)?;
    Ok(json!({"digest": digest, "status": "deleting", "detail": null}))
}

fn remove(asked: Asked) -> Result<Answer> {
    let force = asked.query.flag("force")?.unwrap_or(false);
    let answer =
        asked.app.store.write(|tx| removed(tx, asked.account(), asked.part("digest"), force))?;
    Answer::json(answer)
}

fn remove_by_id(asked: Asked) -> Result<Answer> {
    let force = asked.query.flag("force")?.unwrap_or(false);
    asked.app.store.write(|tx| {
        let all = images::by_image_id(tx, asked.account(), asked.part("id"))?;
        if all.is_empty() {
            return Err(Problem::not_found(NOT_FOUND));
        }
        let mut last = Json::Null;
        for image in all {
            last = removed(tx, asked.account(), &image.digest, force)?;
        }
        Answer::json(last)
    })
}

fn remove_several(asked: Asked) -> Result<Answer> {
    let force = asked.query.flag("force")?.unwrap_or(false);
    let digests =
        asked.query.get("imageDigests").ok_or_else(|| Problem::bad("`imageDigests` is missing"))?;
    asked.app.store.write(|tx| {
        let digests = digests.split(',').map(str::trim).filter(|digest| !digest.is_empty());
        let all: Result<Vec<Json>> =
            digests.map(|digest| removed(tx, asked.account(), digest, force)).collect();
        Answer::json(all?)
    })
}

/// What is to be analyzed here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The name that it will have.
    pub(crate) fulltag: String,
    /// In place of the tag: this manifest.
    pub(crate) digest: Option<String>,
    pub(crate) dockerfile: Option<String>,
    pub(crate) annotations: Option<Json>,
    pub(crate) force: bool,
}

/// A tag, a digest with the tag it had, or a source of either.
fn wanted(body: &Json) -> Result<Wanted> {
    let source = &body["source"];
    let of_tag = &source["tag"];
    let of_digest = &source["digest"];
    let pull = text(body, "digest").or_else(|| text(of_digest, "pullstring"));
    let tag =
        text(body, "tag").or_else(|| text(of_tag, "pullstring")).or_else(|| text(of_digest, "tag"));
    let dockerfile = text(body, "dockerfile").or_else(|| text(of_tag, "dockerfile"));
    let dockerfile =
        dockerfile.or_else(|| text(of_digest, "dockerfile")).filter(|text| !text.is_empty());
    let decode = |text: &str| {
        let bytes = STANDARD.decode(text.trim()).ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| Problem::bad("`dockerfile` is not a text in base64"))
    };
    let tag =
        tag.ok_or_else(|| Problem::bad("`tag` is missing: the name of an image, with its tag"))?;
    let annotations = Some(&body["annotations"]).filter(|it| it.is_object()).cloned();
    let digest = pull.and_then(|pull| pull.split_once('@')).map(|(_, digest)| digest.to_owned());
    Ok(Wanted {
        fulltag: FullTag::parse(tag).full(),
        digest,
        dockerfile: dockerfile.map(decode).transpose()?,
        annotations,
        force: false,
    })
}

fn add(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let force = asked.query.flag("force")?.unwrap_or(false);
    let autosubscribe = asked.query.flag("autosubscribe")?.unwrap_or(false);
    let wanted = Wanted { force, ..wanted(&body)? };
    let resolved = registry::resolve(&asked.app, asked.account(), &wanted)?;
    let id = asked.app.store.write(|tx| {
        let id = queued(tx, asked.account(), &wanted, &resolved)?;
        super::subscriptions::of_new_tag(tx, asked.account(), &wanted.fulltag, autosubscribe)?;
        Ok::<_, Problem>(id)
    })?;
    asked.app.bell.ring();
    asked.app.store.read(|tx| {
        let image = images::by_row(tx, id)?.ok_or_else(|| Problem::not_found(NOT_FOUND))?;
        Answer::json(records(tx, &[image])?)
    })
}

/// Puts an image in the queue for analysis: one that is known and was analyzed is left as it is,
/// but for its new name.
pub(crate) fn queued(
    tx: &Tx<'_>,
    account: &str,
    wanted: &Wanted,
    resolved: &Resolved,
) -> Result<i64> {
    let now = clock::now();
    let known = images::by_digest(tx, account, &resolved.digest)?;
    let is_known = known.as_ref().is_some_and(|image| image.status == "analyzed");
    if is_known && wanted.dockerfile.is_some() && !wanted.force {
        let message = "the image is known: a Dockerfile for it needs force";
        return Err(Problem::new(StatusCode::BAD_REQUEST, message));
    }
    let annotations = wanted.annotations.as_ref().map_or_else(|| "{}".to_owned(), Json::to_string);
    let image = match known {
        Some(image) if is_known && !wanted.force => image,
        Some(image) => Image {
            status: if is_known { image.status.clone() } else { "not_analyzed".to_owned() },
            problem: None,
            updated_at: now,
            ..image
        },
        None => Image {
            account: account.to_owned(),
            digest: resolved.digest.clone(),
            image_id: resolved.image_id.clone(),
            parent_digest: resolved.parent.clone().unwrap_or_else(|| resolved.digest.clone()),
            status: "not_analyzed".to_owned(),
            annotations: annotations.clone(),
            origin: "scan".to_owned(),
            created_at: now,
            updated_at: now,
            ..Image::default()
        },
    };
    let id = images::save(tx, &image)?;
    images::give_tag(tx, account, id, &wanted.fulltag, wanted.dockerfile.as_deref(), now)?;
    if !is_known || wanted.force {
        let payload = json!({"account": account, "digest": resolved.digest, "fulltag": wanted.fulltag,
            "dockerfile": wanted.dockerfile, "annotations": wanted.annotations});
        let key = format!("{account}/{}", resolved.digest);
        let job = NewJob { payload: &payload.to_string(), ..work::scanning(&key, now) };
        queue::add(tx, &job, now)?;
    }
    Ok(id)
}
