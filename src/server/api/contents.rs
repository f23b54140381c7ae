//! What is in an image: lists by kind, metadata, what searches found.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inscan_judge::facts::{DocumentFacts, Found};
use serde_json::{Value as Json, json};

use super::images::{found, found_by_id};
use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::content::{self, KINDS};
use crate::server::ids::hash_of;
use crate::server::import::MAX_MEMBER;
use crate::server::judging;
use crate::server::model::images::{self, Image};
use crate::server::rights::Does::Read;
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};

pub(super) const ROUTES: &[Route] = &[
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/content",
        Read,
        kinds,
        "Lists the kinds of contents",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/content/{kind}",
        Read,
        of_kind,
        "Lists the contents of a kind",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/by_id/{id}/content",
        Read,
        kinds,
        "Lists the kinds of contents, by image id",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/by_id/{id}/content/{kind}",
        Read,
        of_kind,
        "Lists the contents of a kind, by image id",
    ),
    route(
        Sysdig,
        Method::GET,
        "/images/by_id/{id}/content/{kind}",
        Read,
        of_kind,
        "Lists the contents of a kind, by image id",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/metadata",
        Read,
        metadata_kinds,
        "Lists the kinds of metadata",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/metadata/{kind}",
        Read,
        metadata,
        "Shows the manifest, the history or the Dockerfile",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/artifacts/secret_search",
        Read,
        secrets,
        "Shows what the search for secrets found, without its text",
    ),
    route(
        Anchore,
        Method::GET,
        "/images/{digest}/artifacts/file_content_search",
        Read,
        content_matches,
        "Shows what the search for expressions found",
    ),
];

const METADATA: [&str; 3] = ["manifest", "docker_history", "dockerfile"];

/// The image that the path names, by digest or id.
pub(super) fn image(asked: &Asked) -> Result<Image> {
    asked.app.store.read(|tx| match asked.part("digest") {
        "" => found_by_id(tx, asked.account(), asked.part("id")),
        digest => found(tx, asked.account(), digest),
    })
}

fn kinds(asked: Asked) -> Result<Answer> {
    image(&asked)?;
    Answer::json(KINDS.to_vec())
}

fn lists(asked: &Asked, image: &Image) -> Result<Json> {
    judging::analyzed(image)?;
    let content = image.content.as_deref().unwrap_or_default();
    let bytes = asked.app.blobs.get(content, MAX_MEMBER)?;
    serde_json::from_slice(&bytes).map_err(Problem::internal)
}

/// The kind that is asked for, which has to be one of these.
fn kind(asked: &Asked, what: &str, kinds: &[&str]) -> Result<String> {
    let kind = asked.part("kind").to_lowercase();
    match kinds.contains(&kind.as_str()) {
        true => Ok(kind),
        false => Err(Problem::not_found(format!(
            "there is no kind of {what} `{kind}`: there are {}",
            kinds.join(", ")
        ))),
    }
}

fn of_kind(asked: Asked) -> Result<Answer> {
    let kind = kind(&asked, "content", &KINDS)?;
    let image = image(&asked)?;
    judging::analyzed(&image)?;
    let make = || {
        let items = content::items(&lists(&asked, &image)?, &kind);
        Ok(json!({"imageDigest": image.digest, "content_type": kind, "content": items}))
    };
    // The list of files is most of what is read for the others.
    if kind == "files" {
        return Answer::json(make()?);
    }
    let made_of = hash_of(&[image.content.as_deref().unwrap_or_default()]);
    let text = judging::kept(&asked.app, &image, &format!("content/{kind}"), &made_of, make)?;
    Ok(Answer::Bytes("application/json", text))
}

fn metadata_kinds(asked: Asked) -> Result<Answer> {
    image(&asked)?;
    Answer::json(METADATA.to_vec())
}

/// Texts are in base64, in lines; what there is none of is an empty list, as clients know it.
fn metadata(asked: Asked) -> Result<Answer> {
    let kind = kind(&asked, "metadata", &METADATA)?;
    let image = image(&asked)?;
    let lists = lists(&asked, &image)?;
    let value = &lists["document"][&kind];
    let tags = asked.app.store.read(|tx| Ok::<_, Problem>(images::tags_of(tx, image.id)?))?;
    let given = tags.into_iter().find_map(|tag| tag.dockerfile);
    let text = match value {
        Json::String(text)
            if text.is_empty() && kind == "dockerfile" && image.dockerfile_mode == "Actual" =>
        {
            given
        }
        Json::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Json::Array(list) if list.is_empty() => None,
        Json::Object(map) if map.is_empty() => None,
        Json::Null => None,
        value => Some(value.to_string()),
    };
    let shown = text.map_or_else(|| json!([]), |text| STANDARD.encode(text).into());
    Answer::json(json!({"imageDigest": image.digest, "metadata_type": kind, "metadata": shown}))
}

fn secrets(asked: Asked) -> Result<Answer> {
    searched(&asked, |facts| facts.secrets().map(<[Found]>::to_vec))
}

fn content_matches(asked: Asked) -> Result<Answer> {
    searched(&asked, |facts| facts.content_matches().map(<[Found]>::to_vec))
}

fn searched<E: std::fmt::Display>(
    asked: &Asked,
    search: impl Fn(&DocumentFacts<'_>) -> std::result::Result<Vec<Found>, E>,
) -> Result<Answer> {
    let image = image(asked)?;
    let (text, section) = judging::document(&asked.app, &image)?;
    let facts = DocumentFacts::of_document(&text, &section)
        .map_err(|error| Problem::conflict(error.to_string()))?;
    let found = search(&facts).map_err(|error| Problem::conflict(error.to_string()))?;
    let mut files: Vec<(String, Vec<Json>)> = Vec::new();
    for one in &found {
        let shown = json!({"name": one.name(), "regex": one.regex(), "lines": one.lines});
        match files.iter_mut().find(|(path, _)| *path == one.path) {
            Some((_, matches)) => matches.push(shown),
            None => files.push((one.path.clone(), vec![shown])),
        }
    }
    let files = files.into_iter().map(|(path, matches)| json!({"path": path, "matches": matches}));
    Answer::json(files.collect::<Vec<_>>())
}
