//! Images and their tags. A tag is the newest image that had it; what it was before is history.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inscan_store::{Fields, Millis, Result, Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::clock::iso;

/// An image of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) id: i64,
    pub(crate) account: String,
    /// `sha256:` and so on, of its manifest.
    pub(crate) digest: String,
    /// 64 hex digits: the sha256 of its configuration.
    pub(crate) image_id: String,
    pub(crate) parent_digest: String,
    /// `not_analyzed`, `analyzing`, `analyzed`, `analysis_failed`.
    pub(crate) status: String,
    /// Why the analysis failed.
    pub(crate) problem: Option<String>,
    /// A JSON object.
    pub(crate) annotations: String,
    pub(crate) arch: String,
    pub(crate) distro: String,
    pub(crate) distro_version: String,
    pub(crate) dockerfile_mode: String,
    pub(crate) size: i64,
    pub(crate) layers: i64,
    /// `upload`, `document` or `scan`.
    pub(crate) origin: String,
    /// The content that has the document.
    pub(crate) analysis: Option<String>,
    /// The content that has the lists derived of it.
    pub(crate) content: Option<String>,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) analyzed_at: Option<Millis>,
}

/// One image under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) image: i64,
    pub(crate) fulltag: String,
    pub(crate) registry: String,
    pub(crate) repo: String,
    pub(crate) tag: String,
    pub(crate) dockerfile: Option<String>,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) detected_at: Millis,
}

macro_rules! select_image {
    ($rest:literal) => {
        concat!(
            "SELECT image.id, image.account, image.digest, image.image_id, image.parent_digest, ",
            "image.analysis_status, image.problem, image.annotations, image.arch, image.distro, ",
            "image.distro_version, image.dockerfile_mode, image.size, image.layers, image.origin, ",
            "image.analysis, image.content, image.created_at, image.updated_at, ",
            "image.analyzed_at FROM image ",
            $rest
        )
    };
}

fn image(row: Row) -> Result<Image> {
    let mut fields: Fields = row.fields();
    Ok(Image {
        id: fields.int()?,
        account: fields.text()?,
        digest: fields.text()?,
        image_id: fields.text()?,
        parent_digest: fields.text()?,
        status: fields.text()?,
        problem: fields.text_or_none()?,
        annotations: fields.text()?,
        arch: fields.text()?,
        distro: fields.text()?,
        distro_version: fields.text()?,
        dockerfile_mode: fields.text()?,
        size: fields.int()?,
        layers: fields.int()?,
        origin: fields.text()?,
        analysis: fields.text_or_none()?,
        content: fields.text_or_none()?,
        created_at: fields.int()?,
        updated_at: fields.int()?,
        analyzed_at: fields.int_or_none()?,
    })
}

pub(crate) fn by_digest(tx: &Tx<'_>, account: &str, digest: &str) -> Result<Option<Image>> {
    let sql = select_image!("WHERE image.account = $1 AND image.digest = $2");
    tx.row(sql, values![account, digest])?.map(image).transpose()
}

pub(crate) fn by_row(tx: &Tx<'_>, id: i64) -> Result<Option<Image>> {
    tx.row(select_image!("WHERE image.id = $1"), values![id])?.map(image).transpose()
}

/// Those of a list of rows, in the order of the rows.
pub(crate) fn by_rows(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Image>> {
    let sql = select_image!("WHERE image.id IN {numbers:$1} ORDER BY image.id");
    tx.rows(sql, values![json!(ids).to_string()])?.into_iter().map(image).collect()
}

/// Several digests may have one configuration: newest first.
pub(crate) fn by_image_id(tx: &Tx<'_>, account: &str, id: &str) -> Result<Vec<Image>> {
    let sql = select_image!(
        "WHERE image.account = $1 AND image.image_id = $2 ORDER BY image.created_at DESC, image.id DESC"
    );
    tx.rows(sql, values![account, id])?.into_iter().map(image).collect()
}

/// All that had the tag, newest first.
pub(crate) fn by_tag(tx: &Tx<'_>, account: &str, fulltag: &str) -> Result<Vec<Image>> {
    let sql = select_image!(
        "JOIN tag ON tag.image = image.id WHERE tag.account = $1 AND tag.fulltag = $2 \
         ORDER BY tag.detected_at DESC, image.id DESC"
    );
    tx.rows(sql, values![account, fulltag])?.into_iter().map(image).collect()
}

/// Every image of an account, those last that came last.
pub(crate) fn all(tx: &Tx<'_>, account: &str) -> Result<Vec<Image>> {
    let sql = select_image!("WHERE image.account = $1 ORDER BY image.created_at, image.id");
    tx.rows(sql, values![account])?.into_iter().map(image).collect()
}

/// The registries of an account's tags.
pub(crate) fn registries(tx: &Tx<'_>, account: &str) -> Result<Vec<String>> {
    distinct(tx, account, "tag", "registry")
}

/// Where an account's images come from.
pub(crate) fn origins(tx: &Tx<'_>, account: &str) -> Result<Vec<String>> {
    distinct(tx, account, "image", "origin")
}

/// The few values of a column among many rows, each looked up behind the one before.
fn distinct(
    tx: &Tx<'_>,
    account: &str,
    table: &'static str,
    column: &'static str,
) -> Result<Vec<String>> {
    let sql = format!(
        "WITH RECURSIVE each(name) AS (SELECT MIN({column}) FROM {table} WHERE account = $1 UNION ALL \
           SELECT (SELECT MIN({column}) FROM {table} WHERE account = $1 AND {column} > each.name) FROM each \
           WHERE each.name IS NOT NULL) \
         SELECT name FROM each WHERE name IS NOT NULL ORDER BY name"
    );
    tx.rows(&sql, values![account])?.into_iter().map(Row::text).collect()
}

/// That a row of `tag` is the newest of its name.
pub(crate) const IS_NEWEST: &str = "NOT EXISTS (SELECT 1 FROM tag AS newer WHERE newer.account = tag.account \
    AND newer.fulltag = tag.fulltag AND (newer.detected_at > tag.detected_at \
      OR (newer.detected_at = tag.detected_at AND newer.image > tag.image)))";

const TAG: &str = "SELECT image, fulltag, registry, repo, tag, dockerfile, created_at, updated_at, detected_at FROM tag ";

fn tag(row: Row) -> Result<Tag> {
    let mut fields = row.fields();
    Ok(Tag {
        image: fields.int()?,
        fulltag: fields.text()?,
        registry: fields.text()?,
        repo: fields.text()?,
        tag: fields.text()?,
        dockerfile: fields.text_or_none()?,
        created_at: fields.int()?,
        updated_at: fields.int()?,
        detected_at: fields.int()?,
    })
}

/// All tags of an image, newest first.
pub(crate) fn tags_of(tx: &Tx<'_>, image: i64) -> Result<Vec<Tag>> {
    let sql = format!("{TAG} WHERE image = $1 ORDER BY detected_at DESC, fulltag");
    tx.rows(&sql, values![image])?.into_iter().map(tag).collect()
}

/// All tags of some images, by image, newest first.
pub(crate) fn tags_of_rows(tx: &Tx<'_>, ids: &[i64]) -> Result<BTreeMap<i64, Vec<Tag>>> {
    let sql = format!("{TAG} WHERE image IN {{numbers:$1}} ORDER BY detected_at DESC, fulltag");
    by_image(tx.rows(&sql, values![json!(ids).to_string()])?)
}

fn by_image(rows: Vec<Row>) -> Result<BTreeMap<i64, Vec<Tag>>> {
    let mut tags: BTreeMap<i64, Vec<Tag>> = BTreeMap::new();
    for row in rows {
        let tag = tag(row)?;
        tags.entry(tag.image).or_default().push(tag);
    }
    Ok(tags)
}

/// The tags of an account, by image, each as it is now or also as it was.
pub(crate) fn tags_by_image(
    tx: &Tx<'_>,
    account: &str,
    history: bool,
) -> Result<BTreeMap<i64, Vec<Tag>>> {
    let which = if history { String::new() } else { format!("AND {IS_NEWEST}") };
    let sql = format!("{TAG} WHERE account = $1 {which} ORDER BY detected_at DESC, fulltag");
    by_image(tx.rows(&sql, values![account])?)
}

/// A name in its parts, with what Docker adds to a short one.
pub(crate) struct FullTag {
    pub(crate) registry: String,
    pub(crate) repo: String,
    pub(crate) tag: String,
}

impl FullTag {
    pub(crate) fn parse(text: &str) -> FullTag {
        let (registry, rest) = match text.split_once('/') {
            Some((host, rest))
                if host.contains(['.', ':']) || host == "localhost" || host == "localbuild" =>
            {
                (host, rest)
            }
            _ => ("docker.io", text),
        };
        let (name, digest) = match rest.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (rest, None),
        };
        let (repo, tag) = match name.rsplit_once(':') {
            Some((repo, tag)) if !tag.contains('/') => (repo, tag),
            _ => (name, "latest"),
        };
        let tag = digest.unwrap_or(tag);
        FullTag { registry: registry.to_owned(), repo: repo.to_owned(), tag: tag.to_owned() }
    }

    pub(crate) fn full(&self) -> String {
        let between = if self.tag.contains(':') { '@' } else { ':' };
        format!("{}/{}{between}{}", self.registry, self.repo, self.tag)
    }
}

/// Gives an image a name, from now on: a name it has is seen anew only where another image had it
/// since.
pub(crate) fn give_tag(
    tx: &Tx<'_>,
    account: &str,
    image: i64,
    fulltag: &str,
    dockerfile: Option<&str>,
    now: Millis,
) -> Result<()> {
    let name = FullTag::parse(fulltag);
    let newest = tx.row(
        "SELECT image FROM tag WHERE account = $1 AND fulltag = $2 ORDER BY detected_at DESC, image DESC LIMIT 1",
        values![account, fulltag],
    )?;
    let is_newest = newest.map(Row::int).transpose()? == Some(image);
    tx.run(
        "INSERT INTO tag (account, fulltag, image, registry, repo, tag, dockerfile, created_at, updated_at, detected_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8) \
         ON CONFLICT (account, fulltag, image) DO UPDATE SET updated_at = excluded.updated_at, \
           dockerfile = COALESCE(excluded.dockerfile, tag.dockerfile), \
           detected_at = CASE WHEN $9 = 1 THEN tag.detected_at ELSE excluded.detected_at END",
        values![account, fulltag, image, &name.registry, &name.repo, &name.tag, dockerfile, now, is_newest],
    )?;
    Ok(())
}

/// Writes an image, new or anew. Returns its row.
pub(crate) fn save(tx: &Tx<'_>, image: &Image) -> Result<i64> {
    let row = tx.row(
        "INSERT INTO image (account, digest, image_id, parent_digest, analysis_status, problem, annotations, arch, \
           distro, distro_version, dockerfile_mode, size, layers, origin, analysis, content, created_at, \
           updated_at, analyzed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
         ON CONFLICT (account, digest) DO UPDATE SET image_id = excluded.image_id, \
           parent_digest = excluded.parent_digest, analysis_status = excluded.analysis_status, \
           problem = excluded.problem, annotations = excluded.annotations, arch = excluded.arch, \
           distro = excluded.distro, distro_version = excluded.distro_version, \
           dockerfile_mode = excluded.dockerfile_mode, size = excluded.size, layers = excluded.layers, \
           origin = excluded.origin, analysis = excluded.analysis, content = excluded.content, \
           updated_at = excluded.updated_at, analyzed_at = excluded.analyzed_at \
         RETURNING id",
        values![
            &image.account, &image.digest, &image.image_id, &image.parent_digest, &image.status,
            image.problem.as_deref(), &image.annotations, &image.arch, &image.distro, &image.distro_version,
            &image.dockerfile_mode, image.size, image.layers, &image.origin, image.analysis.as_deref(),
            image.content.as_deref(), image.created_at, image.updated_at,
            image.analyzed_at
        ],
    )?;
    row.map_or(Ok(0), Row::int)
}

/// Removes an image and all that was made of it.
pub(crate) fn remove(tx: &Tx<'_>, image: i64) -> Result<()> {
    for sql in [
        "DELETE FROM tag WHERE image = $1",
        "DELETE FROM image_package WHERE image = $1",
        "DELETE FROM answer WHERE image = $1",
        "DELETE FROM evaluation WHERE image = $1",
        "DELETE FROM former_analysis WHERE image = $1",
        "DELETE FROM image WHERE id = $1",
    ] {
        tx.run(sql, values![image])?;
    }
    Ok(())
}

/// The record of an image, as Anchore's API has it.
pub(crate) fn record(image: &Image, tags: &[Tag]) -> Json {
    let annotations: Json = serde_json::from_str(&image.annotations).unwrap_or_else(|_| json!({}));
    json!({
        "analysis_status": image.status,
        "analyzed_at": image.analyzed_at.map(iso),
        "annotations": annotations,
        "created_at": iso(image.created_at),
        "imageDigest": image.digest,
        "image_content": {"metadata": {
            "arch": image.arch,
            "distro": image.distro,
            "distro_version": image.distro_version,
            "dockerfile_mode": image.dockerfile_mode,
            "image_size": image.size,
            "layer_count": image.layers,
        }},
        "image_detail": tags.iter().map(|tag| detail(image, tag)).collect::<Vec<_>>(),
        "image_status": "active",
        "image_type": "docker",
        "last_updated": iso(image.updated_at),
        "parentDigest": image.parent_digest,
        "userId": image.account,
        "analysis_status_detail": image.problem,
    })
}

fn detail(image: &Image, tag: &Tag) -> Json {
    let Image { digest, image_id, account, .. } = image;
    let dockerfile = tag.dockerfile.as_ref().map(|text| STANDARD.encode(text));
    json!({
        "created_at": iso(tag.created_at),
        "digest": digest,
        "dockerfile": dockerfile,
        "fulldigest": format!("{}/{}@{digest}", tag.registry, tag.repo),
        "fulltag": tag.fulltag,
        "imageDigest": digest,
        "imageId": image_id,
        "last_updated": iso(tag.updated_at),
        "registry": tag.registry,
        "repo": tag.repo,
        "tag": tag.tag,
        "tag_detected_at": iso(tag.detected_at),
        "userId": account,
    })
}

/// The image in answers to queries over all images.
pub(crate) fn short(image: &Image, tags: &[Tag]) -> Json {
    let history = tags.iter().map(|tag| {
        json!({"fulltag": tag.fulltag, "registry": tag.registry, "repo": tag.repo, "tag": tag.tag,
            "tag_detected_at": iso(tag.detected_at)})
    });
    json!({
        "analyzed_at": image.analyzed_at.map(iso),
        "imageDigest": image.digest,
        "imageId": image.image_id,
        "tag_history": history.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_gets_what_docker_adds() {
        for (name, full) in [
            ("alpine", "docker.io/alpine:latest"),
            ("oracle/alpine:3", "docker.io/oracle/alpine:3"),
            ("localhost:5000/team/app:v1.2", "localhost:5000/team/app:v1.2"),
            ("quay.io/a/b@sha256:00", "quay.io/a/b@sha256:00"),
        ] {
            assert_eq!(FullTag::parse(name).full(), full, "{name}");
        }
    }
}
