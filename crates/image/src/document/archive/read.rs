//! Reads archives: ours, the legacy scanner's, an engine's. They may be forged: what two readers
//! could understand differently is refused.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::gathered::{is_digest, is_hex};
use super::{Error, tar};
use inscan_document::Section;
use inscan_document::identity::Identity;

/// Five times the document of the largest image seen.
const MAX_ANALYSIS: u64 = 1 << 30;
const MAX_MANIFEST: u64 = 16 << 20;
/// Of everything, as it is unpacked.
const MAX_BYTES: u64 = 16 << 30;

/// What an archive has.
#[derive(Debug)]
pub struct Archive {
    /// What the image is called in it.
    pub identity: Identity,
    /// The legacy part of the document.
    pub document: Vec<u8>,
}

#[derive(Deserialize)]
struct Manifest {
    image_digest: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    image_id: String,
    image_record: String,
}

#[derive(Deserialize)]
struct Record {
    image_detail: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    registry: String,
    repo: String,
    tag: String,
}

impl Archive {
    /// The document, if it is of the image that the archive says it is of.
    pub fn section(&self) -> Result<Section, Error> {
        let mut section = inscan_document::read(&self.document)
            .map_err(|error| Error::content(format!("its member `analysis`: {error}")))?;
        // What was found is in no archive: that there is nothing in it says nothing.
        if section.secrets.is_empty() {
            section.tool.analyzers.retain(|analyzer| analyzer != "secrets");
        }
        let image = &section.image;
        let Identity { image_id, image_digest, .. } = &self.identity;
        let same_digest = image.digest.is_empty() || image.digest == *image_digest;
        match same_digest && image.id == *image_id {
            true => Ok(section),
            false => Err(Error::content("its members are of different images")),
        }
    }
}

/// Whether the first bytes of a file are those of an archive, and not of an image that is packed
/// in the same way. About 64 KiB are enough.
pub fn is_archive(start: &[u8]) -> bool {
    let mut block = [0; 512];
    let mut unpacked = MultiGzDecoder::new(start);
    if unpacked.read_exact(&mut block).is_err() {
        return false;
    }
    let name = block.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = name.strip_prefix(b"./").unwrap_or(name);
    const NAMES: [&[u8]; 4] =
        [b"analysis", b"image_content", b"image_manifest", b"archive_manifest"];
    NAMES.contains(&name)
}

/// Reads the document, and what the image is called.
pub fn read(archive: impl Read) -> Result<Archive, Error> {
    let mut document = None;
    let identity = walk(archive, &mut |content, size| {
        document = Some(whole("analysis", content, size, MAX_ANALYSIS)?);
        Ok(())
    })?;
    let document = document.ok_or_else(|| missing("analysis"))?;
    Ok(Archive { identity, document })
}

/// What the image is called: reads the archive to its end, and keeps nothing of it.
pub fn names(archive: impl Read) -> Result<Identity, Error> {
    let mut has_analysis = false;
    let identity = walk(archive, &mut |_, _| {
        has_analysis = true;
        Ok(())
    })?;
    has_analysis.then_some(identity).ok_or_else(|| missing("analysis"))
}

/// Is handed the name of a member, its content and its size.
pub type EachMember<'a> = &'a mut dyn FnMut(&str, &mut dyn Read, u64) -> Result<(), Error>;

/// Hands out each member as it comes, with its size, and says what the image is called.
pub fn members(archive: impl Read, visit: EachMember<'_>) -> Result<Identity, Error> {
    let mut manifest = None;
    each(archive, &mut |name, content, size| {
        if name != MANIFEST {
            return visit(name, content, size);
        }
        let bytes = whole(name, content, size, MAX_MANIFEST)?;
        visit(name, &mut &*bytes, size)?;
        manifest = Some(bytes);
        Ok(())
    })?;
    identity(&manifest.ok_or_else(|| missing(MANIFEST))?)
}

const MANIFEST: &str = "archive_manifest";

fn missing(member: &str) -> Error {
    Error::content(format!("no analysis archive: it has no member `{member}`"))
}

type Visit<'a> = &'a mut dyn FnMut(&mut dyn Read, u64) -> Result<(), Error>;

fn walk(archive: impl Read, analysis: Visit<'_>) -> Result<Identity, Error> {
    members(archive, &mut |name, content, size| match name {
        "analysis" => analysis(content, size),
        _ => Ok(()),
    })
}

fn each(archive: impl Read, visit: EachMember<'_>) -> Result<(), Error> {
    let unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, archive));
    let mut unpacked = unpacked.take(MAX_BYTES);
    let mut seen = Vec::new();
    let read = tar::each_member(&mut unpacked, |name, size, content| {
        if seen.iter().any(|seen| seen == name) {
            return Err(Error::content(format!("it has two members `{name}`")));
        }
        seen.push(name.to_owned());
        visit(name, content, size)
    });
    if unpacked.limit() == 0 {
        return Err(Error::content(format!("it has more than {MAX_BYTES} bytes unpacked")));
    }
    read?;
    // To the end of the compressed data, whose checksum is there.
    io::copy(&mut unpacked, &mut io::sink())?;
    Ok(())
}

/// Not believing the size before the bytes are there.
fn whole(name: &str, content: &mut dyn Read, size: u64, most: u64) -> Result<Vec<u8>, Error> {
    if size > most {
        return Err(Error::content(format!(
            "its member `{name}` has {size} bytes; at most {most} are read"
        )));
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn identity(manifest: &[u8]) -> Result<Identity, Error> {
    let wrong = |why: String| Error::content(format!("its member `archive_manifest`: {why}"));
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| wrong(error.to_string()))?;
    let record: Record = serde_json::from_str(&manifest.metadata.image_record)
        .map_err(|error| wrong(format!("`image_record`: {error}")))?;
    let detail = record.image_detail.into_iter().next();
    let detail = detail.ok_or_else(|| wrong("the image has no name".to_owned()))?;
    let digest = manifest.image_digest;
    let id = manifest.metadata.image_id;
    if !is_digest(&digest) || !is_hex(&id) {
        return Err(wrong("digest and id of the image are none".to_owned()));
    }
    let full_tag = format!("{}/{}:{}", detail.registry, detail.repo, detail.tag);
    Ok(Identity { full_tag, image_digest: digest, image_id: id, dockerfile: None })
}
