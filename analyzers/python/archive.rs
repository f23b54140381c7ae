//! Eggs and wheels that were left zipped.

use std::borrow::Cow;
use std::io::Read;

use zip::ZipArchive;

use super::{legacy, text};
use crate::{Content, Error, Evidence, Facts, Reader, Result, path};

/// More than any real `METADATA` or `RECORD`.
const MAX_SIZE: u64 = 16 << 20;

type Archive<'a> = ZipArchive<Reader<'a>>;

/// A zipped egg is importable as it lies: it is installed.
pub(super) fn egg(file: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    let mut archive = open(content)?;
    let Some(metadata) = member(&mut archive, "EGG-INFO/PKG-INFO")? else {
        return Err(Error::new("an egg without `EGG-INFO/PKG-INFO`"));
    };
    let metadata = text(metadata.into());
    out.package(super::package(&metadata, file)?);
    let record = member(&mut archive, "EGG-INFO/RECORD")?.map(|bytes| text(bytes.into()));
    let entry =
        legacy::describe(path::name(file), path::parent(file), Some(metadata), record.as_deref());
    if let Some((key, value)) = entry {
        out.legacy_package("pkgs.python", key, value);
    }
    Ok(())
}

pub(super) fn wheel(file: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    let mut archive = open(content)?;
    // At the top: a wheel may carry the metadata of what it bundles further down.
    let is_metadata = |name: &str| {
        name.strip_suffix(".dist-info/METADATA").is_some_and(|directory| !directory.contains('/'))
    };
    let name = archive.file_names().filter_map(Result::ok).find(|name| is_metadata(name));
    let metadata = match name.map(Cow::into_owned) {
        Some(name) => member(&mut archive, &name)?,
        None => None,
    };
    let metadata = metadata.ok_or_else(|| Error::new("a wheel without `METADATA`"))?;
    let package = super::package(&text(metadata.into()), file)?;
    out.package(crate::Package { evidence: Evidence::Archive, ..package });
    Ok(())
}

fn open(content: &dyn Content) -> Result<Archive<'_>> {
    ZipArchive::new(Reader::new(content)).map_err(not_understood)
}

/// The content of one member; `None` where there is none.
fn member(archive: &mut Archive<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    let member = match archive.by_name(name) {
        Ok(member) => member,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(not_understood(error)),
    };
    let mut bytes = Vec::new();
    let count = member.take(MAX_SIZE + 1).read_to_end(&mut bytes)? as u64;
    if count > MAX_SIZE {
        return Err(Error::new(format!("`{name}` in it is larger than {MAX_SIZE} bytes")));
    }
    Ok(Some(bytes))
}

fn not_understood(error: impl std::fmt::Display) -> Error {
    Error::new(format!("could not read the zip archive: {error}"))
}
