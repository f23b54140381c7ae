//! From a header to a package: which tag becomes which field.

use std::collections::BTreeMap;

use super::header::{Header, Tag};
use super::package_files;
use crate::{Error, Package, Result, SourcePackage};

/// How much one database may state. The tags of a header may all point to the same
/// bytes, and a directory is named once for many files, so a small database could
/// otherwise fill the memory.
pub(super) struct DatabaseAllowance {
    pub(super) files: usize,
    pub(super) text: usize,
    /// Memory that is left for all of the image, in bytes.
    pub(super) room: u64,
    /// Something was left out as there was no memory for it.
    pub(super) is_short: bool,
}

impl DatabaseAllowance {
    /// The largest installations have some hundred thousand files, and a file
    /// has some 130 bytes of text: its path and its digest.
    pub(super) fn of_database() -> Self {
        DatabaseAllowance { files: 1_000_000, text: 256 << 20, room: u64::MAX, is_short: false }
    }

    /// False where there is no memory for so many bytes.
    pub(super) fn takes(&mut self, bytes: usize) -> bool {
        match self.room.checked_sub(bytes as u64) {
            Some(room) => self.room = room,
            None => self.is_short = true,
        }
        !self.is_short
    }
}

/// Bytes of one string. The longest in real packages, licenses, have some kilobytes.
const MAX_TEXT: usize = 64 << 10;

/// The attribute with the file name of the source package.
pub(super) const SOURCE_RPM: &str = "source-rpm";

/// The name of records that are not packages but keys that rpm trusts. They are stated,
/// as `rpm -qa` does, with an attribute that marks them.
const SIGNING_KEY: &str = "gpg-pubkey";

pub(super) struct Installed {
    pub(super) package: Package,
    /// As in the header. The legacy document distinguishes an empty one from a missing one.
    pub(super) vendor: Option<String>,
}

/// The package of a header. Tags that cannot be read become problems.
///
/// # Errors
///
/// If name, version or release is missing.
pub(super) fn installed(
    blob: &[u8],
    allowance: &mut DatabaseAllowance,
    problems: &mut Vec<Error>,
) -> Result<Installed> {
    let mut tags = Tags { header: Header::parse(blob)?, allowance, problems: Vec::new() };
    let name = tags.required(Tag::NAME, "name")?;
    let of_package = |error| Error::new(format!("package `{name}`: {error}"));
    let version = tags.required(Tag::VERSION, "version").map_err(of_package)?;
    let release = tags.required(Tag::RELEASE, "release").map_err(of_package)?;
    let version = format!("{version}-{release}");
    let vendor = tags.text(Tag::VENDOR);
    // rpm writes `(none)` for a signing key, which has no architecture.
    let source_rpm = tags.filled_text(Tag::SOURCE_RPM).filter(|file| file != "(none)");
    let source = source_rpm.as_deref().map(|file| source(file, &version));
    let attributes = [
        ("homepage", tags.filled_text(Tag::URL)),
        ("modularity-label", tags.filled_text(Tag::MODULARITY_LABEL)),
        ("signing-key", (name == SIGNING_KEY).then(|| "true".to_owned())),
        (SOURCE_RPM, source_rpm),
    ];
    let package = Package {
        kind: "rpm".into(),
        name: name.clone(),
        epoch: tags.number(Tag::EPOCH),
        arch: tags.filled_text(Tag::ARCH),
        licenses: tags.filled_text(Tag::LICENSE).into_iter().collect(),
        // `(none)` is how rpm prints a tag that is not there, and how some tools copy it.
        origin: vendor.clone().filter(|vendor| !vendor.is_empty() && vendor != "(none)"),
        size: tags.number(Tag::LONG_SIZE).or_else(|| tags.number(Tag::SIZE)),
        files: package_files::files(&mut tags),
        attributes: present(attributes),
        source,
        version,
        ..Package::default()
    };
    problems.extend(tags.problems.into_iter().map(of_package));
    Ok(Installed { package, vendor })
}

fn present<const N: usize>(attributes: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    let present = |(key, value): (&str, Option<String>)| Some((key.to_owned(), value?));
    attributes.into_iter().filter_map(present).collect()
}

/// `util-linux-2.32.1-42.el8_8.src.rpm`.
pub(super) fn source(file: &str, package_version: &str) -> SourcePackage {
    let stem = file.strip_suffix(".rpm").unwrap_or(file);
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc")).unwrap_or(stem);
    let mut parts = stem.rsplitn(3, '-');
    let (release, version, name) = (parts.next(), parts.next(), parts.next());
    match (name, version, release) {
        (Some(name), Some(version), Some(release)) => {
            let version = format!("{version}-{release}");
            let version = (version != package_version).then_some(version);
            SourcePackage { name: name.to_owned(), version }
        }
        _ => SourcePackage { name: stem.to_owned(), version: None },
    }
}

/// Reads optional tags: one that cannot be read becomes a problem, and the rest is read.
pub(super) struct Tags<'a, 'd> {
    header: Header<'a>,
    pub(super) allowance: &'d mut DatabaseAllowance,
    problems: Vec<Error>,
}

impl<'a> Tags<'a, '_> {
    fn required(&mut self, tag: Tag, what: &str) -> Result<String> {
        let text = self.header.string(tag)?.filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Error::new(format!("a package without a {what}")))?;
        self.copy(text).ok_or_else(|| Error::new(format!("a {what} of `{}` bytes", text.len())))
    }

    /// `None` also where the text is empty.
    fn filled_text(&mut self, tag: Tag) -> Option<String> {
        self.text(tag).filter(|text| !text.is_empty())
    }

    fn text(&mut self, tag: Tag) -> Option<String> {
        let text = self.header.string(tag);
        let text = self.or_problem(text)?;
        let copy = self.copy(text);
        if copy.is_none() {
            self.problem(format!("tag `{}`: text of `{}` bytes is skipped", tag.0, text.len()));
        }
        copy
    }

    /// The text. `None` if it is too long, by itself or together with all others.
    /// Headers of old packages hold Latin-1 here and there.
    pub(super) fn copy(&mut self, text: &[u8]) -> Option<String> {
        if text.len() > MAX_TEXT || !self.allowance.takes(text.len()) {
            return None;
        }
        self.allowance.text = self.allowance.text.checked_sub(text.len())?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    pub(super) fn number(&mut self, tag: Tag) -> Option<u64> {
        let number = self.header.number(tag);
        self.or_problem(number)
    }

    pub(super) fn texts(&mut self, tag: Tag) -> Vec<&'a [u8]> {
        let texts = self.header.strings(tag);
        self.or_problem(texts).unwrap_or_default()
    }

    pub(super) fn numbers(&mut self, tag: Tag) -> Vec<u64> {
        let numbers = self.header.numbers(tag);
        self.or_problem(numbers).unwrap_or_default()
    }

    fn or_problem<T>(&mut self, value: Result<Option<T>>) -> Option<T> {
        value.unwrap_or_else(|error| {
            self.problems.push(error);
            None
        })
    }

    pub(super) fn problem(&mut self, message: String) {
        self.problems.push(Error::new(message));
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::{Tagged, header};
    use super::super::tests::identity;
    use super::*;

    /// A record and what becomes of it.
    #[track_caller]
    fn check_record(tags: &[Tagged<'_>], expected: &[&str]) {
        check_within(&mut DatabaseAllowance::of_database(), tags, expected);
    }

    #[track_caller]
    fn check_within(allowance: &mut DatabaseAllowance, tags: &[Tagged<'_>], expected: &[&str]) {
        let mut problems = Vec::new();
        let mut got = Vec::new();
        match installed(&header(tags), allowance, &mut problems) {
            Ok(Installed { package, .. }) => {
                got.extend(package.files.iter().map(|file| file.path.to_string()));
                got.push(identity(&package));
            }
            Err(error) => got.push(error.to_string()),
        }
        got.extend(problems.iter().map(Error::to_string));
        assert_eq!(got, expected);
    }

    const NEEDED: [Tagged<'static>; 3] =
        [(Tag::NAME, 6, 1, b"a\0"), (Tag::VERSION, 6, 1, b"1\0"), (Tag::RELEASE, 6, 1, b"2\0")];

    #[test]
    fn a_package_needs_a_name_and_a_version_only() {
        check_record(&NEEDED, &["a 1-2 -"]);
        check_record(&NEEDED[..2], &["package `a`: a package without a release"]);
        check_record(&NEEDED[1..], &["a package without a name"]);
        let broken = [&NEEDED[..], &[(Tag::EPOCH, 6, 1, b"1\0"), (Tag::ARCH, 6, 1, b"x")]].concat();
        check_record(
            &broken,
            &[
                "a 1-2 -",
                "package `a`: offset 94: tag `1003`: type `6` is not a number",
                "package `a`: offset 96: tag `1022`: strings go beyond the data",
            ],
        );
    }

    #[test]
    fn a_file_without_a_directory_is_a_problem_and_the_others_are_stated() {
        let files: [Tagged<'_>; 3] = [
            (Tag::BASE_NAMES, 8, 3, b"one\0two\0three\0"),
            (Tag::DIR_NAMES, 8, 2, b"/\0/usr/\0"),
            (Tag::DIR_INDEXES, 4, 3, &[0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0]),
        ];
        check_record(
            &[&NEEDED[..], &files].concat(),
            &["usr/one", "three", "a 1-2 -", "package `a`: 1 files have no directory"],
        );
    }

    #[test]
    fn headers_older_than_rpm_4_hold_whole_paths() {
        let files: Tagged<'_> = (Tag::OLD_FILE_NAMES, 8, 2, b"/a/b\0/c\0");
        check_record(&[&NEEDED[..], &[files]].concat(), &["a/b", "c", "a 1-2 -"]);
    }

    #[test]
    fn no_more_files_are_taken_than_a_database_may_bring() {
        let blob = [
            &NEEDED[..],
            &[(Tag::OLD_FILE_NAMES, 8, 3, b"/a\0/b\0/c\0"), (Tag::URL, 6, 1, b"http://x\0")],
        ]
        .concat();
        check_within(
            &mut DatabaseAllowance { files: 2, text: 10, ..DatabaseAllowance::of_database() },
            &blob,
            &[
                "a",
                "b",
                "a 1-2 -",
                "package `a`: tag `1020`: text of `8` bytes is skipped",
                "package `a`: too many files in this database, from number 2 on",
            ],
        );
    }

    #[test]
    fn a_source_package_is_named_by_its_file() {
        let check = |file, expected: (&str, Option<&str>)| {
            let source = super::source(file, "1-2");
            assert_eq!((source.name.as_str(), source.version.as_deref()), expected);
        };
        check("a-b-1-2.src.rpm", ("a-b", None));
        check("a-3-4.nosrc.rpm", ("a", Some("3-4")));
        check("a", ("a", None));
    }
}
