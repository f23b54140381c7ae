//! Packages in zip archives, as Yarn's Plug'n'Play runs them from `.yarn/cache`: each archive has
//! one package at `node_modules/NAME`. <https://yarnpkg.com/features/caching>

use inscan_zip::Zip;

use super::{MAX_MANIFEST, Place, place};
use crate::parse::json;
use crate::problem::{MALFORMED, OPAQUE, OVER_LIMIT};
use crate::{Content, Facts, FileHead, Package, Result, path};

const FOLDER: &[u8] = b"node_modules/";
/// Length of a local header before the member's name.
const HEADER: usize = 30;
/// Yarn puts one package into an archive; a bundle of a whole application has some thousands.
const MAX_PACKAGES: usize = 20_000;
/// Of all manifests of an archive, inflated.
const MAX_TEXT: usize = 128 << 20;

/// Whether the file is an archive that begins with a folder `node_modules`.
pub(super) fn is_packed(file: &FileHead<'_>) -> bool {
    let is_zip = file.start.starts_with(b"PK\x03\x04");
    is_zip && file.start.get(HEADER..).is_some_and(|name| name.starts_with(FOLDER))
}

/// Whether it is one of the archives that Yarn keeps beside a project, or for all of a user.
pub(super) fn is_in_cache(file: &[u8]) -> bool {
    let directory = path::parent(file);
    let is_cache = directory.ends_with(b".yarn/cache") || directory.ends_with(b".yarn/berry/cache");
    is_cache && file.ends_with(b".zip")
}

pub(super) fn packages(file: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    let archive = match Zip::open(content) {
        Ok(archive) => archive,
        Err(error) => {
            out.hidden_here(OPAQUE, error);
            return Ok(());
        }
    };
    let (mut found, mut text) = (0, 0);
    for member in &archive.members {
        let is_manifest = member.name.ends_with(b"/package.json");
        if !is_manifest || place(&member.name) != Place::Installed {
            continue;
        }
        found += 1;
        if found > MAX_PACKAGES || text > MAX_TEXT || out.is_overworked() {
            let message = format!("more packages than are read: `{}` and all after", member.name);
            out.hidden_here(OVER_LIMIT, message);
            break;
        }
        let location = [file, b":", &member.name[..]].concat();
        let before = text;
        let package = archive.read(member, MAX_MANIFEST).and_then(|bytes| {
            text += bytes.len();
            super::package(&json::parse(&bytes)?, &location, Place::Installed)
        });
        out.inflated((text - before) as u64);
        match package {
            Ok(Some(package)) => out.package(Package { location: location.into(), ..package }),
            Ok(None) => {}
            Err(error) => out.hidden_here(MALFORMED, format!("{}: {error}", member.name)),
        }
    }
    Ok(())
}
