//! The files of a package: lists of equal length, one for each property.

use std::borrow::Cow;

use bstr::BString;

use super::header::Tag;
use super::package::Tags;
use crate::PackageFile;

/// The longest path Linux takes.
const MAX_PATH: usize = 4096;

const CONFIG_FILE: u64 = 1;

pub(super) fn files(tags: &mut Tags<'_, '_>) -> Vec<PackageFile> {
    let paths = paths(tags);
    if paths.is_empty() {
        return Vec::new();
    }
    let algorithm = digest_algorithm(tags);
    let digests = tags.texts(Tag::FILE_DIGESTS);
    let modes = tags.numbers(Tag::FILE_MODES);
    let flags = tags.numbers(Tag::FILE_FLAGS);
    let users = tags.texts(Tag::FILE_USER_NAME);
    let groups = tags.texts(Tag::FILE_GROUP_NAME);
    let mut sizes = tags.numbers(Tag::LONG_FILE_SIZES);
    if sizes.is_empty() {
        sizes = tags.numbers(Tag::FILE_SIZES);
    }
    let mut left_out = 0;
    let mut text = |texts: &[&[u8]], index: usize| {
        let text = texts.get(index).filter(|text| !text.is_empty())?;
        let copy = tags.copy(text);
        left_out += usize::from(copy.is_none());
        copy
    };
    let file = |(index, path)| PackageFile {
        path,
        digest: text(&digests, index),
        algorithm: algorithm.clone(),
        mode: modes.get(index).and_then(|&mode| u32::try_from(mode).ok()),
        user: text(&users, index),
        group: text(&groups, index),
        size: sizes.get(index).copied(),
        conffile: flags.get(index).is_some_and(|flags| flags & CONFIG_FILE != 0),
    };
    let files = paths.into_iter().map(file).collect();
    if left_out > 0 {
        tags.problem(format!("{left_out} digests or owners of files are too long and skipped"));
    }
    files
}

/// The paths with their positions in the other lists.
fn paths(tags: &mut Tags<'_, '_>) -> Vec<(usize, BString)> {
    let names = tags.texts(Tag::BASE_NAMES);
    let directories = tags.texts(Tag::DIR_NAMES);
    let indexes = tags.numbers(Tag::DIR_INDEXES);
    let old = if names.is_empty() { tags.texts(Tag::OLD_FILE_NAMES) } else { Vec::new() };
    let new = names.iter().enumerate().map(|(index, name)| {
        let directory = usize::try_from(*indexes.get(index)?).ok()?;
        Some((*directories.get(directory)?, *name))
    });
    let old = old.iter().map(|path| Some((&b""[..], *path)));

    let mut paths = Vec::new();
    let (mut unplaced, mut too_long) = (0, 0);
    for (index, path) in new.chain(old).enumerate() {
        let Some((directory, name)) = path else {
            unplaced += 1;
            continue;
        };
        let len = directory.len() + name.len();
        if len > MAX_PATH {
            too_long += 1;
            continue;
        }
        let allowance = &mut *tags.allowance;
        if !allowance.takes(size_of::<PackageFile>() + len) {
            break;
        }
        let left = allowance.files.checked_sub(1).zip(allowance.text.checked_sub(len));
        let Some((files, text)) = left else {
            tags.problem(format!("too many files in this database, from number {index} on"));
            break;
        };
        (allowance.files, allowance.text) = (files, text);
        let path = [directory, name].concat();
        paths.push((index, path.strip_prefix(b"/").unwrap_or(&path).into()));
    }
    for (count, what) in [(unplaced, "no directory"), (too_long, "too long a path")] {
        if count > 0 {
            tags.problem(format!("{count} files have {what}"));
        }
    }
    paths
}

/// RFC 4880, section 9.4, and RFC 9580 for SHA-3. Without the tag: MD5.
fn digest_algorithm(tags: &mut Tags<'_, '_>) -> Option<Cow<'static, str>> {
    let name = match tags.number(Tag::FILE_DIGEST_ALGO) {
        None | Some(1) => "md5",
        Some(2) => "sha1",
        Some(3) => "ripemd160",
        Some(5) => "md2",
        Some(6) => "tiger192",
        Some(7) => "haval5160",
        Some(8) => "sha256",
        Some(9) => "sha384",
        Some(10) => "sha512",
        Some(11) => "sha224",
        Some(12) => "sha3-256",
        Some(14) => "sha3-512",
        Some(other) => {
            tags.problem(format!("file digests of unknown kind `{other}`"));
            return None;
        }
    };
    Some(name.into())
}
