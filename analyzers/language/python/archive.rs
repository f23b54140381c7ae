//! Eggs and wheels that were left zipped.

use super::{legacy, text};
use crate::{Content, Error, Evidence, Facts, Package, Result, path};
use inscan_zip::{Member, Zip};

/// More than any real `METADATA` or `RECORD`.
const MAX_SIZE: u64 = 16 << 20;

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
    let archive = Zip::open(content)?;
    // At the top level: deeper metadata belongs to what the wheel bundles.
    let is_metadata = |name: &[u8]| {
        name.strip_suffix(b".dist-info/METADATA")
            .is_some_and(|directory| !directory.contains(&b'/'))
    };
    let metadata =
        member(&archive, is_metadata).ok_or_else(|| Error::new("a wheel without `METADATA`"))?;
    let metadata = archive.read(metadata, MAX_SIZE)?;
    let package = super::package(&text(metadata.into()), file)?;
    out.package(Package { evidence: Evidence::Archive, ..package });
    Ok(())
}

/// Of several members of one name the last counts, as for Python itself.
fn member<'a>(archive: &'a Zip<'_>, is_meant: impl Fn(&[u8]) -> bool) -> Option<&'a Member> {
    archive.members.iter().rfind(|member| is_meant(&member.name))
}
