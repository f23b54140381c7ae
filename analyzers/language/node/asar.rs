//! Archives of Electron's programs (`app.asar`): a JSON header that names the files, and their
//! bytes one behind another. What is marked `unpacked` lies beside the archive as files.
//! <https://github.com/electron/asar#format>

use inscan_facts::window::read_exact_at;
use serde_json::{Map, Value};

use super::{MAX_MANIFEST, package, place};
use crate::parse::json;
use crate::problem::{CUT, MALFORMED, OVER_LIMIT};
use crate::{Content, Error, Facts, FileHead, Result, path};

/// Four numbers of 4 bytes: the size of the next, that of the header as it is packed, that of
/// its text and its padding, and that of its text.
const START: u64 = 16;
/// 100,000 files have some 20 MB.
const MAX_HEADER: u64 = 64 << 20;
const MAX_DEPTH: usize = 128;
/// Many entries may lie at the same bytes. A large program has some thousand packages.
const MAX_PACKAGES: usize = 20_000;
/// Of all manifests of an archive.
const MAX_TEXT: u64 = 128 << 20;

pub(super) fn is_packed(file: &FileHead<'_>) -> bool {
    file.path.ends_with(b".asar")
}

/// States the packages in an archive, each by its path behind that of the archive.
pub(super) fn packages(location: &[u8], content: &dyn Content, out: &mut Facts) -> Result<()> {
    let (files, data) = match header(content, out) {
        Ok(found) => found,
        Err(error) => {
            out.hidden_here(MALFORMED, format!("asar archive: {error}"));
            return Ok(());
        }
    };
    let mut found = Vec::new();
    collect(&files, &mut Vec::new(), &mut found, 0)?;
    let mut text = 0u64;
    for (number, Manifest { inner, offset, size }) in found.into_iter().enumerate() {
        let location = [location, b":", &inner].concat();
        text = text.saturating_add(size.min(MAX_MANIFEST));
        if number >= MAX_PACKAGES || text > MAX_TEXT {
            out.hidden(location, OVER_LIMIT, "more packages than are read: this and all after");
            break;
        }
        let place = place(&inner);
        let bytes = data.checked_add(offset).filter(|_| size <= MAX_MANIFEST);
        let bytes = bytes.map(|at| read_exact_at(content, at, size));
        let Some(Ok(bytes)) = bytes else {
            out.hidden(location, CUT, "lies beyond the end of the archive, or is too large");
            continue;
        };
        match json::parse(&bytes).and_then(|manifest| package(&manifest, &location, place)) {
            Ok(package) => package.into_iter().for_each(|package| out.package(package)),
            Err(_) if place == super::Place::Inner => {}
            Err(error) => out.hidden(location, MALFORMED, error),
        }
    }
    Ok(())
}

/// The tree of files, and where their bytes begin.
fn header(content: &dyn Content, out: &mut Facts) -> Result<(Map<String, Value>, u64)> {
    let cut = || Error::new("its header is cut");
    let start = read_exact_at(content, 0, START.min(content.len()))?;
    let number = |at: usize| {
        let bytes = start.get(at..).and_then(<[u8]>::first_chunk::<4>);
        bytes.map(|bytes| u64::from(u32::from_le_bytes(*bytes))).ok_or_else(cut)
    };
    let (packed, text) = (number(4)?, number(12)?);
    if number(0)? != 4 || text > packed {
        return Err(Error::new("not an asar archive"));
    }
    if text > MAX_HEADER {
        return Err(Error::new(format!("its header of {text} bytes is too large")));
    }
    let bytes = read_exact_at(content, START, text).map_err(|_| cut())?;
    if !json::hold_tree(&bytes, out) {
        return Err(Error::over_limit("its header is too much to be read"));
    }
    let mut header = json::parse(&bytes)?;
    match header.get_mut("files").map(Value::take) {
        Some(Value::Object(files)) => Ok((files, 8 + packed)),
        _ => Err(Error::new("its header has no `files`")),
    }
}

/// A `package.json` in an archive; its offset counts from where the files begin.
struct Manifest {
    inner: Vec<u8>,
    offset: u64,
    size: u64,
}

fn collect(
    files: &Map<String, Value>,
    parent: &mut Vec<u8>,
    found: &mut Vec<Manifest>,
    depth: usize,
) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::new(format!("directories deeper than {MAX_DEPTH}")));
    }
    for (name, file) in files {
        let len = parent.len();
        if !parent.is_empty() {
            parent.push(b'/');
        }
        parent.extend(name.as_bytes());
        if let Some(files) = file.get("files").and_then(Value::as_object) {
            collect(files, parent, found, depth + 1)?;
        } else if path::name(parent) == b"package.json" && file.get("unpacked").is_none() {
            // As text, since JavaScript's numbers do not hold every one.
            let offset = file.get("offset").and_then(Value::as_str).and_then(|it| it.parse().ok());
            let size = file.get("size").and_then(Value::as_u64);
            if let (Some(offset), Some(size)) = (offset, size) {
                found.push(Manifest { inner: parent.clone(), offset, size });
            }
        }
        parent.truncate(len);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Node;
    use crate::testing::Image;

    const LODASH: &str = r#"{"name": "lodash", "version": "4.17.20"}"#;

    fn archive(header: &str, data: &str) -> Vec<u8> {
        let len = header.len() as u32;
        let padded = len.next_multiple_of(4);
        let numbers = [4, padded + 8, padded + 4, len].map(u32::to_le_bytes).concat();
        let padding = vec![0; (padded - len) as usize];
        [&numbers, header.as_bytes(), &padding, data.as_bytes()].concat()
    }

    fn with_lodash(size: usize) -> Vec<u8> {
        let file = format!(r#"{{"size": {size}, "offset": "2"}}"#);
        let header = format!(
            r#"{{"files": {{"main.js": {{"size": 2, "offset": "0"}}, "node_modules":
            {{"files": {{"lodash": {{"files": {{"package.json": {file}}}}}}}}}}}}}"#
        );
        archive(&header, &format!("//{LODASH}"))
    }

    #[track_caller]
    fn check(archive: &[u8], packages: &[&str], hidden: usize) {
        let found = Image::new([("opt/App/resources/app.asar", archive)]).run(&Node);
        let named: Vec<_> =
            found.packages().map(|it| format!("{} {}", it.location, it.version)).collect();
        assert_eq!(named, packages);
        let said = found.problems.iter().filter(|problem| !problem.hides.is_nothing());
        assert_eq!(said.count(), hidden, "{:?}", found.problems);
    }

    #[test]
    fn packages_in_an_asar_archive_are_found() {
        let location = "opt/App/resources/app.asar:node_modules/lodash/package.json";
        check(&with_lodash(LODASH.len()), &[&format!("{location} 4.17.20")], 0);
    }

    #[test]
    fn an_asar_archive_that_cannot_be_read_hides_packages() {
        check(b"", &[], 1);
        check(b"no archive, whatever its name", &[], 1);
        check(&archive("{}", ""), &[], 1);
        check(&with_lodash(1000), &[], 1);
        let whole = with_lodash(LODASH.len());
        for cut in 0..whole.len() {
            check(&whole[..cut], &[], 1);
        }
        let deep =
            format!("{}{}", r#"{"files": {"a": "#.repeat(200), "1".to_owned() + &"}}".repeat(200));
        Image::new([("app.asar", archive(&deep, ""))]).run(&Node);
    }
}
