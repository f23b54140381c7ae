//! The analysis archive: what is sent to a backend. A gzip tar of four members: the legacy part
//! of the document (`analysis`), lists derived from it (`image_content`), the image's manifest
//! (`image_manifest`, which is null), and what the backend shall know of the image
//! (`archive_manifest`).
//!
//! A member's size stands before its content, so each is written to a nameless temporary file
//! first. The lists are made by reading the first member back, whoever wrote it: one way for
//! analyses and for documents, and never more than one row of a long list in memory.

mod content;
mod copy;
mod gathered;
mod json;
mod read;
mod record;
mod rows;
mod tar;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::legacy::Legacy;
use crate::analyze::Analysis;
use gathered::Gathered;
use inscan_document::{Identity, Overrides};

pub use read::{Archive, EachMember, is_archive, members, names, read};

/// What the archive says beside what was analyzed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose image it is.
    pub account: String,
    /// Digest of the manifest list that has the image; without it, the image's own.
    pub parent_digest: Option<String>,
    pub annotations: BTreeMap<String, String>,
    /// Seconds since 1970; without it, now.
    pub created_at: Option<u64>,
    /// Seconds since 1970.
    pub now: u64,
}

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Content(String),
}

impl Error {
    pub(super) fn content(message: impl Into<String>) -> Self {
        Error::Content(message.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        match error.is_io() {
            true => Error::Io(error.into()),
            false => Error::Content(format!("not an analysis document: {error}")),
        }
    }
}

#[derive(Serialize)]
struct Analyzed<'a> {
    document: Legacy<'a>,
}

/// Writes the archive of an analysis.
pub fn write_analysis(
    analysis: &Analysis<'_>,
    identity: &Identity,
    options: &Options,
    to: &mut dyn Write,
) -> Result<(), Error> {
    let mut member = BufWriter::with_capacity(1 << 16, tempfile::tempfile()?);
    let document = Legacy { analysis, config: &analysis.config, identity };
    serde_json::to_writer(&mut member, &Analyzed { document })?;
    pack(written(member)?, Some(identity), options, to).map(drop)
}

/// Writes the archive of a document, ours or the legacy engine's, and tells what the image is
/// called in it.
pub fn write_document(
    document: impl Read,
    overrides: &Overrides,
    options: &Options,
    to: &mut dyn Write,
) -> Result<Identity, Error> {
    let mut member = BufWriter::with_capacity(1 << 16, tempfile::tempfile()?);
    copy::document(document, overrides, &mut member)?;
    pack(written(member)?, None, options, to)
}

/// `known`: what the image is called, where that need not be read from the document.
fn pack(
    mut analysis: File,
    known: Option<&Identity>,
    options: &Options,
    to: &mut dyn Write,
) -> Result<Identity, Error> {
    let gathered = Gathered::read(BufReader::with_capacity(1 << 16, &mut analysis))?;
    let identity = match known {
        Some(identity) => identity.clone(),
        None => gathered.identity()?,
    };
    let manifest = record::archive_manifest(&gathered, &identity, options);
    let mut content = BufWriter::with_capacity(1 << 16, tempfile::tempfile()?);
    gathered.write_content(&mut content)?;
    let content = written(content)?;
    let mut to = GzEncoder::new(to, Compression::default());
    for (name, mut member) in [("analysis", analysis), ("image_content", content)] {
        let size = member.metadata()?.len();
        member.rewind()?;
        tar::write_member(name, size, &mut member, &mut to)?;
    }
    let nothing = br#"{"document":null}"#;
    for (name, member) in [("image_manifest", &nothing[..]), ("archive_manifest", &manifest)] {
        tar::write_member(name, member.len() as u64, &mut &*member, &mut to)?;
    }
    tar::write_end(&mut to)?;
    to.finish()?;
    Ok(identity)
}

fn written(file: BufWriter<File>) -> io::Result<File> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}
