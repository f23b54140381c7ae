//! Packages installed by dpkg, with the files they brought.
//!
//! `var/lib/dpkg/status` holds one paragraph of `Name: value` lines for each
//! package; images without dpkg (distroless) have one file for each package in
//! `status.d` instead, and those made by chisel a manifest. `info/NAME.list` names a
//! package's files, one a line, `info/NAME.md5sums` their digests,
//! `usr/share/doc/NAME/copyright` its licenses.
//! <https://man7.org/linux/man-pages/man1/dpkg-query.1.html>,
//! <https://www.debian.org/doc/debian-policy/ch-controlfields.html>

mod chisel;
mod copyright;
mod files;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bstr::{BStr, BString, ByteSlice};
use serde_json::json;

use crate::os::{add_on, distribution, systems};
use crate::parse::control::{Paragraph, paragraphs};
use crate::parse::tally::Tally;
use crate::problem::{AMBIGUOUS, DATABASE_MISSING, OVER_LIMIT, UNREADABLE};
use crate::{
    Analyzer, Content, Evidence, Fact, Facts, FileHead, Files, Package, Pattern, Result,
    SourcePackage, Want, path,
};

pub(crate) struct Dpkg;

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_D: &str = "var/lib/dpkg/status.d";
const INFO: &str = "var/lib/dpkg/info";
const DIVERSIONS: &str = "var/lib/dpkg/diversions";

/// All 60,000 packages of Debian would have a status file of about this size.
const MAX_STATUS: u64 = 128 << 20;
/// A distribution has some ten thousand packages in all.
const MAX_PACKAGES: usize = 100_000;
/// Enough for a list of 200,000 files.
const MAX_INFO: u64 = 32 << 20;
/// Chromium's is the longest known, about 3 MiB.
const MAX_COPYRIGHT: u64 = 16 << 20;

/// Suffixes of the files in `status.d` that are not paragraphs.
const PARTS: [&str; 9] = [
    "md5sums",
    "list",
    "conffiles",
    "preinst",
    "postinst",
    "prerm",
    "postrm",
    "triggers",
    "shlibs",
];

impl Analyzer for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn about(&self) -> &'static str {
        "Packages installed by dpkg, their files and licenses, from var/lib/dpkg"
    }

    fn wants(&self) -> Vec<Want> {
        let mut wants = vec![
            Want::keep(Pattern::within("dpkg", "status"), MAX_STATUS),
            Want::keep(Pattern::within("status.d", ""), MAX_INFO),
            Want::keep(Pattern::within("dpkg", "diversions"), MAX_INFO),
            Want::keep(Pattern::name(chisel::NAME), MAX_INFO),
            Want::inspect(Pattern::under("usr/share/doc", "/copyright"), MAX_COPYRIGHT),
        ];
        for suffix in [".list", ".md5sums", ".conffiles"] {
            wants.push(Want::keep(Pattern::within("info", suffix), MAX_INFO));
        }
        wants.extend(distribution::wants_of_systems());
        wants
    }

    fn inspect(&self, _: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        // Also where it states none: it is known then, and no link to it is read again.
        out.push(Fact::Licenses(copyright::stated(&content.bytes()?)));
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        systems::each(image, &[STATUS, STATUS_D], out, read)
    }

    fn is_database(&self) -> bool {
        true
    }
}

/// The database of one system.
fn read(image: &dyn Files, out: &mut Facts) -> Result<()> {
    let mut found = Vec::new();
    match image.read(STATUS.as_bytes()) {
        Ok(Some(text)) => read_status(&text, STATUS.into(), &mut found, out),
        Ok(None) => {}
        Err(error) => out.hidden(STATUS, UNREADABLE, error),
    }
    for location in status_d(image) {
        match image.read(&location) {
            Ok(text) => {
                read_status(&text.unwrap_or_default(), location.as_bstr(), &mut found, out);
            }
            Err(error) => out.hidden(location, UNREADABLE, error),
        }
    }
    for manifest in image.wanted().into_iter().map(|file| file.path) {
        if path::name(&manifest) != chisel::NAME.as_bytes() {
            continue;
        }
        let text = image.read(&manifest).map(Option::unwrap_or_default);
        match text.and_then(|text| chisel::packages(&text, manifest.as_bstr(), out)) {
            Ok(packages) => found.extend(packages),
            Err(error) => out.hidden(manifest, UNREADABLE, error),
        }
    }
    if out.is_full() {
        return Ok(());
    }
    not_recorded(image, &found, out);
    add_files(image, &mut found, out);
    let stated: Vec<_> = found.iter().map(|one| copyright::of(image, &one.name)).collect();
    for (package, stated) in found.iter_mut().zip(&stated) {
        package.licenses = copyright::licenses(stated);
    }
    // The legacy engine lists only what is set up.
    let whole = found.iter().zip(&stated).filter(|(package, _)| is_set_up(package));
    legacy(whole, out);
    found.into_iter().for_each(|package| out.package(package));
    Ok(())
}

/// dpkg has a list of files for each package it has a record of, removed ones too as long as
/// configuration is left. A list without a record: the record was taken away.
fn not_recorded(image: &dyn Files, found: &[Package], out: &mut Facts) {
    let status = image.read(STATUS.as_bytes()).ok().flatten().unwrap_or_default();
    let stated = paragraphs(&status);
    let mut recorded: HashSet<String> = stated.filter_map(|it| it.get("Package")).collect();
    recorded.extend(found.iter().map(|package| package.name.clone()));
    let lists = image.wanted().into_iter().map(|file| file.path);
    let lists = lists.filter(|list| path::parent(list) == INFO.as_bytes());
    let names = lists.filter_map(|list| {
        let stem = path::name(&list).strip_suffix(b".list")?.to_str().ok()?.to_owned();
        Some(stem.split(':').next().unwrap_or_default().to_owned())
    });
    let missing: BTreeSet<String> = names.filter(|name| !recorded.contains(name)).collect();
    if let Some(first) = missing.first() {
        let count = missing.len();
        let message =
            format!("no record of {count} packages that have a list of files, such as `{first}`");
        out.hidden(STATUS, DATABASE_MISSING, message);
    }
}

/// The files in `status.d` that hold a paragraph.
fn status_d(image: &dyn Files) -> impl Iterator<Item = BString> {
    let is_paragraph = |file: &BString| {
        let name = path::name(file);
        let part = name.rsplit_once_str(".").map(|(_, part)| part);
        path::parent(file) == STATUS_D.as_bytes()
            && !part.is_some_and(|part| PARTS.iter().any(|known| known.as_bytes() == part))
    };
    image.wanted().into_iter().map(|file| file.path).filter(is_paragraph)
}

fn read_status(text: &[u8], location: &BStr, found: &mut Vec<Package>, out: &mut Facts) {
    // Distroless images state no status: all their packages are installed.
    let unstated = if location == STATUS { State::Removed } else { State::Installed };
    installed(text, location, unstated, out, &mut |_, package, _| found.push(package));
}

/// Gives the installed packages of a database, opkg's too, with the paragraphs that state them, as
/// far as there is memory for them.
pub(crate) fn installed(
    text: &[u8],
    location: &BStr,
    unstated: State,
    out: &mut Facts,
    put: &mut dyn FnMut(&Paragraph<'_>, Package, &mut Facts),
) {
    let mut found = 0;
    let mut tally = Tally::default();
    let mut repeated = None;
    for paragraph in paragraphs(text) {
        if let Some(line) = paragraph.broken {
            tally.add("neither a field nor a continuation", line);
        }
        let line = paragraph.line;
        if let Some(field) = paragraph.repeated(IDENTIFYING) {
            repeated.get_or_insert((field, line));
        }
        match paragraph.get("Status").map_or(unstated, |status| State::of(&status)) {
            State::Removed => {}
            State::Unknown => tally.add("a state that dpkg does not have", line),
            State::Installed if found >= MAX_PACKAGES => {
                let message = format!(
                    "line {line}: more than {MAX_PACKAGES} packages, of which no more are read"
                );
                out.hidden(location, OVER_LIMIT, message);
                break;
            }
            State::Installed => match package(&paragraph, out) {
                Some(package) if package.name.contains('/') => tally.add("not a name", line),
                Some(package) => {
                    let package = Package { location: location.into(), ..package };
                    if !out.hold_package(&package) {
                        break;
                    }
                    found += 1;
                    put(&paragraph, package, out);
                }
                None => tally.add("a package without name or version", line),
            },
        }
    }
    tally.report_hidden(location, out);
    if let Some((field, line)) = repeated {
        let message = format!("line {line}: the field `{field}` twice in one paragraph");
        out.hidden(location, AMBIGUOUS, message);
    }
}

/// What says which package it is, and whether it is there.
const IDENTIFYING: &[&str] = &["Package", "Version", "Status", "Source", "Architecture"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Files of it are there. Not all of them have to be, or it was not set up (`unpacked`,
    /// `half-configured`, `half-installed`): what is there can be vulnerable.
    Installed,
    /// Removed; configuration files may be left.
    Removed,
    /// None that dpkg has.
    Unknown,
}

/// States of a package whose files are there, or some of them, and that is not set up.
const HALFWAY: [&str; 3] = ["unpacked", "half-installed", "half-configured"];

impl State {
    /// From a status such as `install ok installed`: the wanted state, an error flag, the
    /// actual state. Only the last word counts: a package on hold is installed.
    pub(crate) fn of(status: &str) -> Self {
        // dpkg ignores the case of these words.
        let actual = status.split_whitespace().nth(2).map(str::to_ascii_lowercase);
        match actual.as_deref() {
            Some("installed" | "triggers-awaited" | "triggers-pending") => State::Installed,
            Some(actual) if HALFWAY.contains(&actual) => State::Installed,
            Some("config-files" | "not-installed") => State::Removed,
            _ => State::Unknown,
        }
    }
}

/// `None` if name or version is missing.
fn package(paragraph: &Paragraph, out: &mut Facts) -> Option<Package> {
    let name = paragraph.get("Package")?;
    let version = paragraph.get("Version")?;
    let source = paragraph
        .get("Source")
        .map_or_else(|| SourcePackage { name: name.clone(), version: None }, |text| source(&text));
    let kibibytes: Option<u64> = paragraph.get("Installed-Size").and_then(|size| size.parse().ok());
    // No package of a distribution states a vendor; those that fpm makes do.
    let fields = [
        ("homepage", "Homepage"),
        ("section", "Section"),
        ("status", "Status"),
        ("vendor", "Vendor"),
    ];
    let attributes = fields
        .into_iter()
        .filter_map(|(key, field)| Some((key.to_owned(), paragraph.get(field)?)))
        .filter(|(_, value)| !value.eq_ignore_ascii_case("install ok installed"))
        .collect();
    Some(Package {
        kind: "deb".into(),
        arch: paragraph.get("Architecture"),
        source: Some(source),
        origin: paragraph.get("Maintainer"),
        size: kibibytes.and_then(|size| size.checked_mul(1024)),
        evidence: Evidence::InstalledDb,
        files: files::conffiles(paragraph, out),
        attributes,
        name,
        version,
        ..Package::default()
    })
}

/// `foo`, or `foo (1.2)` if the source package has another version.
fn source(text: &str) -> SourcePackage {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let version = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    SourcePackage { name: name.to_owned(), version: version.map(str::to_owned) }
}

fn add_files(image: &dyn Files, found: &mut [Package], out: &mut Facts) {
    let diversions = files::diversions(image, out);
    let mut without = Vec::new();
    for package in found.iter_mut() {
        let is_main = package.location == STATUS;
        let is_listed = files::add_listed(image, package, &diversions, out);
        if is_main && !is_listed {
            without.push(package.name.clone());
        }
        if !is_main {
            // Distroless images have the list beside the paragraph, others that use `status.d`
            // have it in dpkg's own place.
            let md5sums = [&package.location[..], b".md5sums"].concat();
            files::add_md5sums(image, package, &md5sums, &diversions, out);
        }
        package.files.sort_by(|a, b| a.path.cmp(&b.path));
        add_on::mark(package);
    }
    if let Some(first) = without.first() {
        let count = without.len();
        out.problem_at(INFO, format!("no list of files of {count} packages, such as `{first}`"));
    }
    // In place: they may take much.
    found.sort_unstable_by(|a, b| sorted_by(a).cmp(&sorted_by(b)));
}

fn sorted_by(it: &Package) -> (&str, Option<&str>, &str, &BStr) {
    (&it.name, it.arch.as_deref(), &it.version, it.location.as_bstr())
}

fn is_set_up(package: &Package) -> bool {
    let status = package.attributes.get("status");
    let actual = status.and_then(|status| status.split_whitespace().nth(2));
    !actual.is_some_and(|actual| HALFWAY.iter().any(|state| actual.eq_ignore_ascii_case(state)))
}

/// What the legacy document has of each package. It knows one architecture of
/// a package only: the first by name, as dpkg-query prints them.
fn legacy<'a>(found: impl Iterator<Item = (&'a Package, &'a Vec<String>)>, out: &mut Facts) {
    let mut versions = BTreeMap::new();
    let mut sources = BTreeMap::new();
    for (package, stated) in found {
        let source = package.source.clone().unwrap_or_default();
        let source_version = source.version.unwrap_or_else(|| package.version.clone());
        if !versions.contains_key(package.name.as_str()) {
            versions.insert(package.name.as_str(), package.version.as_str());
            let origin = package.origin.as_deref().unwrap_or_default();
            let info = json!({
                "version": package.version,
                "release": "N/A",
                "arch": package.arch.as_deref().unwrap_or_default(),
                "size": (package.size.unwrap_or_default() / 1024 * 1000).to_string(),
                "origin": format!("{origin} (maintainer)"),
                "license": copyright::legacy(stated),
                "sourcepkg": format!("{}-{source_version}", source.name),
                "type": "dpkg",
            });
            out.legacy_package("pkgs.allinfo", package.name.as_str(), info);
        }
        sources.entry(source.name).or_insert(source_version);
    }
    for (name, version) in &versions {
        out.legacy_package("pkgs.all", *name, *version);
        if !sources.contains_key(*name) {
            out.legacy_package("pkgs_plus_source.all", *name, *version);
        }
    }
    for (name, version) in sources {
        out.legacy_package("pkgs_plus_source.all", name, version);
    }
}

#[cfg(test)]
mod tests;
