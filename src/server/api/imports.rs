//! Archives that are sent: by the SDK, the inline scanners, curl. A synchronous one is taken in
//! before it is answered; an asynchronous one is kept, and a job does the rest.

use axum::http::StatusCode;
use inscan_image::document::archive::is_archive;
use inscan_store::queue::{self, NewJob};
use serde_json::json;

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::Asked;
use crate::server::clock;
use crate::server::import::{self, Origin, Said};
use crate::server::model::images;
use crate::server::rights::Does::Change;
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};
use crate::server::work;

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::POST, "/import/images", Change, now, "Takes an analysis archive in")
        .uploads(),
    route(
        Sysdig,
        Method::POST,
        "/sync/import/images",
        Change,
        now_for_scanners,
        "Takes an analysis archive in, as inline scanners send it",
    )
    .uploads(),
    route(
        Sysdig,
        Method::POST,
        "/import/images",
        Change,
        later,
        "Keeps an analysis archive, to be taken in by a job",
    )
    .uploads(),
];

/// What the headers say of the image.
fn said(asked: &Asked) -> Said {
    let header = |name: &str| asked.header(name).map(str::to_owned);
    Said {
        fulltag: header("imagename"),
        digest: header("digestid").filter(|digest| digest.starts_with("sha256:")),
        image_id: header("imageid").map(|id| id.trim_start_matches("sha256:").to_owned()),
        ..Said::default()
    }
}

fn taken(asked: &mut Asked) -> Result<i64> {
    let said = said(asked);
    let mut file = asked.file()?;
    import::archive(&asked.app, asked.account(), &mut file, &said, Origin::Upload)
}

fn now(mut asked: Asked) -> Result<Answer> {
    let id = taken(&mut asked)?;
    asked.app.store.read(|tx| {
        let image = images::by_row(tx, id)?
            .ok_or_else(|| Problem::not_found("the image was removed meanwhile"))?;
        Answer::json(json!([images::record(&image, &images::tags_of(tx, image.id)?)]))
    })
}

fn now_for_scanners(mut asked: Asked) -> Result<Answer> {
    taken(&mut asked)?;
    Answer::json(json!({"code": 0, "message": "OK", "detail": {}}))
}

fn later(mut asked: Asked) -> Result<Answer> {
    use std::io::{Read, Seek};
    let said = said(&asked);
    let mut file = asked.file()?;
    let mut start = Vec::new();
    file.by_ref().take(64 << 10).read_to_end(&mut start).map_err(Problem::of_disk)?;
    if !is_archive(&start) {
        return Err(Problem::bad("not an analysis archive"));
    }
    file.rewind().map_err(Problem::of_disk)?;
    let blob = asked.app.blobs.put(&asked.app.store, &mut file)?;
    let payload = json!({"account": asked.account(), "blob": blob.digest, "fulltag": said.fulltag,
        "digest": said.digest, "image_id": said.image_id});
    asked.app.store.write(|tx| {
        let now = clock::now();
        blob.keep(tx, now)?;
        let key = format!(
            "{}/{}/{}",
            asked.account(),
            blob.digest,
            said.fulltag.as_deref().unwrap_or_default()
        );
        let job = NewJob { payload: &payload.to_string(), ..work::importing(&key, now) };
        queue::add(tx, &job, now)?;
        Ok::<_, Problem>(())
    })?;
    asked.app.bell.ring();
    Ok(Answer::Json(StatusCode::ACCEPTED, json!({"code": 0, "message": "OK", "detail": {}})))
}
