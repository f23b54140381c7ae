//! Eggs and wheels that were left zipped, and applications in one zip archive.

use super::{has_suffix, legacy, text};
use crate::problem::{MALFORMED, OPAQUE, OVER_LIMIT};
use crate::{Content, Error, Evidence, Facts, FileHead, Package, Result, path};
use inscan_zip::{Data, Member, Zip};

/// More than any real `METADATA` or `RECORD`.
const MAX_SIZE: u64 = 16 << 20;

/// Distributions and wheels that are read of one application; large ones have some hundred.
const MAX_PARTS: usize = 5_000;
/// What the metadata and the wheels of one application may have, inflated.
const MAX_INFLATED: usize = 256 << 20;
/// Of the record at the end of a zip archive that has no remark, as Python writes them.
const END_LEN: u64 = 22;

/// Python imports from a zipped egg, so it counts as installed.
pub(super) fn egg(file: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    let archive = Zip::open(content)?;
    let Some(metadata) = member(&archive, |name| name == b"EGG-INFO/PKG-INFO") else {
        return Err(Error::new("an egg without `EGG-INFO/PKG-INFO`"));
    };
    let metadata = text(archive.read(metadata, MAX_SIZE)?.into());
    out.package(super::package(&metadata, file)?);
    let record = member(&archive, |name| name == b"EGG-INFO/RECORD");
    let record = record.map(|record| archive.read(record, MAX_SIZE)).transpose()?;
    let record = record.map(|bytes| text(bytes.into()));
    let entry =
        legacy::describe(path::name(file), path::parent(file), Some(metadata), record.as_deref());
    if let Some((key, value)) = entry {
        out.legacy_package("pkgs.python", key, value);
    }
    Ok(())
}

pub(super) fn wheel(file: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    let package = metadata_of_wheel(file, content)?;
    out.package(Package { evidence: Evidence::Archive, ..package });
    Ok(())
}

fn metadata_of_wheel(file: &[u8], content: &dyn Content) -> Result<Package> {
    let archive = Zip::open(content)?;
    // At the top level: deeper metadata belongs to what the wheel bundles.
    let is_metadata = |name: &[u8]| {
        name.strip_suffix(b".dist-info/METADATA")
            .is_some_and(|directory| !directory.contains(&b'/'))
    };
    let metadata =
        member(&archive, is_metadata).ok_or_else(|| Error::new("a wheel without `METADATA`"))?;
    let metadata = archive.read(metadata, MAX_SIZE)?;
    super::package(&text(metadata.into()), file)
}

/// Whether a file is an archive that Python runs: by its suffix, or a script's first line
/// before an archive. <https://docs.python.org/3/library/zipapp.html#the-python-zip-application-archive-format>
pub(super) fn is_application(file: &FileHead<'_>, content: &dyn Content) -> Result<bool> {
    let is_named = [".pyz", ".pyzw", ".pex"].iter().any(|suffix| has_suffix(file.path, suffix));
    if (is_named || is_on_path(file.path)) && file.start.starts_with(b"PK") {
        return Ok(true);
    }
    if !file.start.starts_with(b"#!") || content.len() <= END_LEN {
        return Ok(false);
    }
    let mut end = [0; END_LEN as usize];
    content.read_at(content.len() - END_LEN, &mut end)?;
    Ok(end.starts_with(b"PK\x05\x06") || is_named)
}

/// Archives that interpreters and frozen programs have on their path: `python311.zip`, and what
/// cx_Freeze and py2exe make.
fn is_on_path(file: &[u8]) -> bool {
    let stem = path::name(file).strip_suffix(b".zip").unwrap_or_default();
    let number = stem.strip_prefix(b"python");
    stem == b"library"
        || number.is_some_and(|it| !it.is_empty() && it.iter().all(u8::is_ascii_digit))
}

/// Distributions lie in it as they are installed, below any directory (`site-packages`,
/// `.deps/NAME.whl`), or as wheels.
pub(super) fn application(file: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    let archive = match Zip::open(content) {
        Ok(archive) => archive,
        Err(error) => {
            out.hidden_here(OPAQUE, error);
            return Ok(());
        }
    };
    // A shell script may carry an archive of another kind.
    let is_main = |name: &[u8]| name == b"__main__.py" || name == b"__main__.pyc";
    if member(&archive, is_main).is_none() && !is_on_path(file) {
        return Ok(());
    }
    let (mut parts, mut inflated) = (0, 0);
    for member in &archive.members {
        let is_wheel = has_suffix(&member.name, ".whl");
        let is_metadata = [".dist-info/METADATA", ".egg-info/PKG-INFO", "EGG-INFO/PKG-INFO"]
            .iter()
            .any(|end| member.name.ends_with(end.as_bytes()));
        if !is_wheel && !is_metadata {
            continue;
        }
        parts += 1;
        if parts > MAX_PARTS || inflated > MAX_INFLATED || out.is_overworked() {
            let message = format!("more parts than are read: `{}` and all after it", member.name);
            out.hidden_here(OVER_LIMIT, message);
            break;
        }
        let location = [file, b":", &member.name[..]].concat();
        let before = inflated;
        let mut found = || -> Result<Package> {
            if !is_wheel {
                let bytes = archive.read(member, MAX_SIZE)?;
                inflated += bytes.len();
                return super::package(&text(bytes.into()), &location);
            }
            match archive.data(member, (MAX_INFLATED - inflated) as u64)? {
                Data::Stored(window) => metadata_of_wheel(&location, &window),
                Data::Inflated(bytes) => {
                    inflated += bytes.len();
                    metadata_of_wheel(&location, &bytes.as_slice())
                }
            }
        };
        let package = found();
        out.inflated((inflated - before) as u64);
        match package {
            Ok(package) => out.package(Package { evidence: Evidence::Archive, ..package }),
            Err(error) => out.hidden_here(MALFORMED, format!("{}: {error}", member.name)),
        }
    }
    Ok(())
}

/// Of several members of one name the last counts, as for Python itself.
fn member<'a>(archive: &'a Zip<'_>, is_meant: impl Fn(&[u8]) -> bool) -> Option<&'a Member> {
    archive.members.iter().rfind(|member| is_meant(&member.name))
}
