//! From an archive to rows: contents are kept first, then everything that is known of the image is
//! written in one unit of work. The newest analysis of a digest wins; the one before is history.
//! What is imported again changes nothing but the time of its names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inscan_document::Identity;
use inscan_image::document::archive;
use inscan_store::queue::{self, NewJob};
use inscan_store::{Millis, NewBlob, Tx, values};
use serde_json::{Value as Json, json};

use super::answer::{Problem, Result};
use super::app::App;
use super::clock;
use super::model::events::{self, Event};
use super::model::images::{self, FullTag, Image};
use super::model::packages::{self, Packages};
use super::work;
use super::{content, judging, tell};

/// In bytes, of a member that has to be in memory.
pub(crate) const MAX_MEMBER: u64 = 1 << 30;

/// What whoever sends an archive says beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// In place of the name in the archive.
    pub(crate) fulltag: Option<String>,
    /// Has to be the one of the archive.
    pub(crate) digest: Option<String>,
    /// The same.
    pub(crate) image_id: Option<String>,
    /// Of an image that was asked for here: in place of what the archive says.
    pub(crate) annotations: Option<Json>,
    pub(crate) dockerfile: Option<String>,
}

/// An archive whose contents are kept.
struct Unpacked {
    identity: Identity,
    /// The record that it brings, as it is there.
    record: Json,
    analysis: NewBlob,
    content: NewBlob,
    lists: Json,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Upload,
    Document,
    Scan,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Origin::Upload => "upload",
            Origin::Document => "document",
            Origin::Scan => "scan",
        }
    }
}

/// Takes an archive in. Returns the row of the image.
///
/// # Errors
/// Where it is no archive, is damaged, or is of another image than was said.
pub(crate) fn archive(
    app: &App,
    account: &str,
    file: &mut dyn Read,
    said: &Said,
    origin: Origin,
) -> Result<i64> {
    app.counts.uploads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let unpacked = unpack(app, file)?;
    check(&unpacked, said)?;
    save(app, account, &unpacked, said, origin)
}

/// Takes a document in: ours, or the legacy engine's. What an archive would carry is made of it.
pub(crate) fn document(app: &App, account: &str, mut file: File, said: &Said) -> Result<i64> {
    use std::io::Seek;
    let document = app.blobs.put(&app.store, &mut file)?;
    file.rewind().map_err(Problem::of_disk)?;
    let mut packed = tempfile::tempfile_in(&app.settings.temporary).map_err(Problem::of_disk)?;
    let now = u64::try_from(clock::now() / 1_000).unwrap_or_default();
    let options =
        archive::Options { account: account.to_owned(), now, ..archive::Options::default() };
    let overrides = inscan_document::Overrides {
        tag: said.fulltag.clone(),
        image_digest: said.digest.clone(),
        image_id: said.image_id.clone(),
        dockerfile: None,
    };
    archive::write_document(file, &overrides, &options, &mut packed)
        .map_err(|error| unusable("the document cannot be used", error))?;
    packed.rewind().map_err(Problem::of_disk)?;
    let mut unpacked = unpack(app, &mut packed)?;
    // The whole of it, and not only what archives carry.
    unpacked.analysis = document;
    check(&unpacked, &Said { fulltag: None, ..said.clone() })?;
    save(app, account, &unpacked, said, Origin::Document)
}

/// The sender's fault, or that of the disk that has what was sent.
fn unusable(what: &str, error: archive::Error) -> Problem {
    match error {
        archive::Error::Io(error) if error.raw_os_error().is_some() => Problem::of_disk(error),
        error => Problem::bad(format!("{what}: {error}")),
    }
}

fn unpack(app: &App, file: &mut dyn Read) -> Result<Unpacked> {
    let (mut analysis, mut content, mut manifest) = (None, None, Vec::new());
    // What cannot be kept is the server's fault, what cannot be read the sender's.
    let mut fault = None;
    let read = archive::members(file, &mut |name, member, _| {
        let place = match name {
            "analysis" => &mut analysis,
            "image_content" => &mut content,
            "archive_manifest" => {
                member.read_to_end(&mut manifest)?;
                return Ok(());
            }
            _ => return Ok(()),
        };
        let mut sent = Sent { member, error: None };
        match (app.blobs.put(&app.store, &mut sent), sent.error) {
            (Ok(blob), _) => *place = Some(blob),
            (Err(_), Some(error)) => return Err(error.into()),
            (Err(error), None) => {
                fault = Some(error);
                return Err(archive::Error::Io(io::Error::other("not kept")));
            }
        }
        Ok(())
    });
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    let identity = read.map_err(|error| unusable("not an analysis archive", error))?;
    let lacks =
        |name: &str| Problem::bad(format!("not an analysis archive: it has no member `{name}`"));
    let analysis = analysis.ok_or_else(|| lacks("analysis"))?;
    let content = content.ok_or_else(|| lacks("image_content"))?;
    let wrong = |what: &str| {
        let message = format!("not an analysis archive: its member `{what}` is not understood");
        move |_| Problem::bad(message)
    };
    let manifest: Json = serde_json::from_slice(&manifest).map_err(wrong("archive_manifest"))?;
    let record = manifest["metadata"]["image_record"].as_str().unwrap_or_default();
    let record: Json = serde_json::from_str(record).map_err(wrong("archive_manifest"))?;
    let lists = app.blobs.get(&content.digest, MAX_MEMBER)?;
    let lists: Json = serde_json::from_slice(&lists).map_err(wrong("image_content"))?;
    Ok(Unpacked { identity, record, analysis, content, lists })
}

/// Remembers what was wrong with what is read.
struct Sent<'a> {
    member: &'a mut dyn Read,
    error: Option<io::Error>,
}

impl Read for Sent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.member.read(buffer).map_err(|error| {
            let told = io::Error::new(error.kind(), error.to_string());
            self.error = Some(error);
            told
        })
    }
}

fn check(unpacked: &Unpacked, said: &Said) -> Result<()> {
    let Identity { image_digest, image_id, .. } = &unpacked.identity;
    let differs = |said: &Option<String>, is: &str| said.as_deref().is_some_and(|said| said != is);
    if differs(&said.digest, image_digest) {
        return Err(Problem::bad(format!(
            "the archive is of the image {image_digest}, not of the one that was named"
        )));
    }
    if differs(&said.image_id, image_id) {
        return Err(Problem::bad("the archive is of another image id than was named"));
    }
    Ok(())
}

fn save(app: &App, account: &str, unpacked: &Unpacked, said: &Said, origin: Origin) -> Result<i64> {
    let now = clock::now();
    let packages = listed(app, unpacked, origin);
    let names = names(unpacked, said);
    packages::add_packages(&app.store, &packages)?;
    let id = app.store.write(|tx| -> Result<i64> {
        let before = images::by_digest(tx, account, &unpacked.identity.image_digest)?;
        let image = row(account, unpacked, said, origin, before.as_ref(), now);
        let id = save_row(tx, &image, before.as_ref(), &packages, now)?;
        for (fulltag, dockerfile) in &names {
            images::give_tag(tx, account, id, fulltag, dockerfile.as_deref(), now)?;
        }
        for blob in [&unpacked.analysis, &unpacked.content] {
            blob.keep(tx, now)?;
        }
        let is_new = before.as_ref().is_none_or(|before| before.analysis != image.analysis);
        if is_new {
            completed(tx, account, &image, names.keys(), now)?;
        }
        queue::add(tx, &work::matching(&id.to_string(), now), now)?;
        Ok(id)
    })?;
    app.bell.ring();
    Ok(id)
}

/// The packages of the document, and those that are listed beside it.
fn listed(app: &App, unpacked: &Unpacked, origin: Origin) -> Packages {
    let Identity { image_digest, image_id, .. } = &unpacked.identity;
    let image = Image {
        digest: image_digest.clone(),
        image_id: image_id.clone(),
        analysis: Some(unpacked.analysis.digest.clone()),
        origin: origin.name().to_owned(),
        ..Image::default()
    };
    packages_of(app, &image, &unpacked.lists)
}

/// The same of an image whose lists were read. What cannot be judged is found by its lists alone:
/// whoever asks for its verdict is told why there is none.
fn packages_of(app: &App, image: &Image, lists: &Json) -> Packages {
    let subjects = match judging::document(app, image) {
        Ok((_, section)) => inscan_judge::subjects::of_document(&section),
        Err(problem) => {
            tell::info(
                "packages of a document are not matched",
                json!({"image": image.digest, "problem": problem.message}),
            );
            Vec::new()
        }
    };
    packages::packages(&subjects, content::packages(lists))
}

/// Writes the packages of an image anew, as after a step of the schema.
///
/// # Errors
/// Where its contents cannot be read.
pub(crate) fn list_anew(app: &App, image: &Image) -> Result<()> {
    let lists = match &image.content {
        Some(content) => app.blobs.get(content, MAX_MEMBER)?,
        None => Vec::new(),
    };
    let lists: Json = serde_json::from_slice(&lists).unwrap_or_default();
    let packages = packages_of(app, image, &lists);
    packages::add_packages(&app.store, &packages)?;
    let now = clock::now();
    app.store.write(|tx| -> Result<()> {
        packages::set_packages(tx, image.id, &packages)?;
        queue::add(tx, &work::matching(&image.id.to_string(), now), now)?;
        Ok(())
    })
}

/// Full tags, each with its Dockerfile.
fn names(unpacked: &Unpacked, said: &Said) -> BTreeMap<String, Option<String>> {
    let details = unpacked.record["image_detail"].as_array().into_iter().flatten();
    let mut names = BTreeMap::new();
    for detail in details {
        let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        let name = FullTag { registry: text("registry"), repo: text("repo"), tag: text("tag") };
        let dockerfile = STANDARD.decode(text("dockerfile").trim()).ok();
        let dockerfile = dockerfile.and_then(|bytes| String::from_utf8(bytes).ok());
        names.insert(name.full(), dockerfile.filter(|text| !text.is_empty()));
    }
    if let Some(fulltag) = &said.fulltag {
        let dockerfile = names.into_values().next().flatten();
        names = BTreeMap::from([(FullTag::parse(fulltag).full(), dockerfile)]);
    }
    if let Some(dockerfile) = &said.dockerfile {
        names.values_mut().for_each(|of_name| *of_name = Some(dockerfile.clone()));
    }
    names
}

/// A number that may be written as a text.
fn number(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn row(
    account: &str,
    unpacked: &Unpacked,
    said: &Said,
    origin: Origin,
    before: Option<&Image>,
    now: Millis,
) -> Image {
    let record = &unpacked.record;
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let time = |name: &str| number(&record[name]).map(|seconds| seconds.saturating_mul(1_000));
    let past = |at: &Millis| *at > 0 && *at <= now;
    let annotations = record["annotations"].as_str().unwrap_or("{}").to_owned();
    let annotations = match &said.annotations {
        Some(said) => said.to_string(),
        None if serde_json::from_str::<BTreeMap<String, Json>>(&annotations).is_ok() => annotations,
        None => "{}".to_owned(),
    };
    let Identity { image_digest, image_id, .. } = &unpacked.identity;
    let parent = text("parentDigest");
    Image {
        id: 0,
        account: account.to_owned(),
        digest: image_digest.clone(),
        image_id: image_id.clone(),
        parent_digest: if parent.is_empty() { image_digest.clone() } else { parent },
        status: "analyzed".to_owned(),
        problem: None,
        annotations,
        arch: text("arch"),
        distro: text("distro"),
        distro_version: text("distro_version"),
        dockerfile_mode: text("dockerfile_mode"),
        size: number(&record["image_size"]).unwrap_or_default(),
        layers: number(&record["layer_count"]).unwrap_or_default(),
        origin: origin.name().to_owned(),
        analysis: Some(unpacked.analysis.digest.clone()),
        content: Some(unpacked.content.digest.clone()),
        created_at: match before {
            Some(before) => before.created_at,
            None => time("created_at").filter(past).unwrap_or(now),
        },
        updated_at: now,
        analyzed_at: Some(time("analyzed_at").filter(past).unwrap_or(now)),
    }
}

fn save_row(
    tx: &Tx<'_>,
    image: &Image,
    before: Option<&Image>,
    packages: &Packages,
    now: Millis,
) -> Result<i64> {
    let id = images::save(tx, image)?;
    let Some(before) = before else {
        packages::set_packages(tx, id, packages)?;
        return Ok(id);
    };
    if before.analysis == image.analysis {
        return Ok(id);
    }
    packages::set_packages(tx, id, packages)?;
    tx.run("DELETE FROM answer WHERE image = $1", values![id])?;
    if let (Some(analysis), Some(content)) = (&before.analysis, &before.content) {
        tx.run(
            "INSERT INTO former_analysis (image, analysis, content, until) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (image, until) DO NOTHING",
            values![id, analysis, content, now],
        )?;
    }
    Ok(id)
}

/// Says that there is a new analysis.
fn completed<'a>(
    tx: &Tx<'_>,
    account: &str,
    image: &Image,
    names: impl Iterator<Item = &'a String>,
    now: Millis,
) -> Result<()> {
    for fulltag in names {
        let event = Event {
            kind: "user.image.analysis.completed",
            level: "info",
            resource_kind: "image_digest",
            resource: &image.digest,
            message: "the image was analyzed",
            details: json!({"fulltag": fulltag, "imageDigest": image.digest, "imageId": image.image_id}),
        };
        events::add(tx, account, &event, now)?;
        let job = json!({"account": account, "digest": image.digest, "fulltag": fulltag,
            "trigger": "analysis_update"});
        let key = format!("{account}/{fulltag}/{}/analysis/{now}", image.digest);
        let job = NewJob { payload: &job.to_string(), ..work::alerting(&key, now) };
        queue::add(tx, &job, now)?;
    }
    Ok(())
}

/// An archive that was taken and turns out to be none: the image is known as failed, with the
/// reason.
pub(crate) fn failed(app: &App, account: &str, said: &Said, problem: &str) -> Result<()> {
    let now = clock::now();
    app.store.write(|tx| -> Result<()> {
        let resource = said.digest.as_deref().unwrap_or_default();
        let event = Event {
            kind: "user.image.analysis.failed",
            level: "error",
            resource_kind: "image_digest",
            resource,
            message: problem,
            details: json!({"fulltag": said.fulltag}),
        };
        events::add(tx, account, &event, now)?;
        let Some(digest) = &said.digest else { return Ok(()) };
        // The last good analysis stays.
        let image = match images::by_digest(tx, account, digest)? {
            Some(known) if known.status == "analyzed" => return Ok(()),
            Some(known) => Image {
                status: "analysis_failed".to_owned(),
                problem: Some(problem.to_owned()),
                updated_at: now,
                ..known
            },
            None => Image {
                account: account.to_owned(),
                digest: digest.clone(),
                image_id: said.image_id.clone().unwrap_or_default(),
                parent_digest: digest.clone(),
                status: "analysis_failed".to_owned(),
                problem: Some(problem.to_owned()),
                annotations: "{}".to_owned(),
                origin: Origin::Upload.name().to_owned(),
                created_at: now,
                updated_at: now,
                ..Image::default()
            },
        };
        let id = images::save(tx, &image)?;
        if let Some(fulltag) = &said.fulltag {
            images::give_tag(tx, account, id, &FullTag::parse(fulltag).full(), None, now)?;
        }
        Ok(())
    })
}
