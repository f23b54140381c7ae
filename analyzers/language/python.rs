//! Python distributions, as installed.
//!
//! An installer leaves a directory beside the code: `NAME-VERSION.dist-info`
//! (wheels) or `NAME.egg-info` (setuptools; Debian and others write a single
//! file of that name). In it, `METADATA` or `PKG-INFO` is a header block, and
//! `RECORD` or `installed-files.txt` lists the files. Eggs hold the same in
//! `EGG-INFO`, as a directory or as a zip; wheels that were not installed are zips too, and
//! so are programs with all they need in one file (zipapp, shiv, pex).
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>

mod archive;
mod legacy;
mod record;
mod surroundings;
mod version;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bstr::{BString, ByteSlice};

use crate::parse::allowance::Allowance;
use crate::parse::headers::Headers;
use crate::parse::json;
use crate::parse::url::without_credentials;
use crate::problem::MALFORMED;
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, FileInfo, Files, Package, Pattern, Result,
    Role, Want, path,
};

pub(crate) struct Python;

impl Analyzer for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn about(&self) -> &'static str {
        "Python distributions by their dist-info, egg-info, eggs and wheels"
    }

    fn wants(&self) -> Vec<Want> {
        const MIB: u64 = 1 << 20;
        vec![
            Want::keep(Pattern::name("METADATA"), 16 * MIB),
            Want::keep(Pattern::name("PKG-INFO"), 16 * MIB),
            Want::keep(Pattern::suffix(".egg-info"), 16 * MIB),
            Want::keep(Pattern::suffix(".egg-link"), MIB),
            Want::keep(Pattern::name("RECORD"), 64 * MIB),
            Want::keep(Pattern::name("installed-files.txt"), 64 * MIB),
            Want::keep(Pattern::name("direct_url.json"), MIB),
            Want::keep(Pattern::name("INSTALLER"), MIB),
            // Read in place, so that size does not matter.
            Want::inspect(Pattern::suffix(".egg"), u64::MAX),
            Want::inspect(Pattern::suffix(".whl"), u64::MAX),
        ]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if file.start.starts_with(b"PK") {
            if has_suffix(file.path, ".egg") {
                return archive::egg(file.path, content, out);
            }
            if has_suffix(file.path, ".whl") {
                return archive::wheel(file.path, content, out);
            }
        }
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        let layout = Layout::of(image.wanted());
        let editable = editable_directories(image, &layout, out);
        for directory in layout.directories.keys() {
            if let Some(mut package) = in_directory(image, directory, out) {
                mark_editable(&mut package, directory, &editable);
                package.role = package.role.or_else(|| surroundings::role(image, directory));
                out.package(package);
            }
        }
        for file in &layout.egg_info_files {
            match read(image, file, out).map(|text| package(&text, file)) {
                Some(Ok(package)) => {
                    out.package(Package { role: surroundings::role(image, file), ..package });
                }
                Some(Err(error)) if is_fixture(image, file) => out.problem_at(file.clone(), error),
                // Whatever is installed there is not known.
                Some(Err(error)) => out.hidden(file.clone(), MALFORMED, error),
                None => {}
            }
        }
        out.facts.retain(|fact| !is_interpreter(fact));
        legacy::state(image, &layout, out);
        Ok(())
    }
}

/// Python's own standard library leaves an egg-info; the interpreter is not a
/// distribution of the index, and is found by its binary.
fn is_interpreter(fact: &crate::Fact) -> bool {
    matches!(fact, crate::Fact::Package(package) if package.name == "Python")
}

/// Where metadata lies in an image.
#[derive(Default)]
struct Layout {
    /// Directories of metadata: `*.dist-info`, `*.egg-info`, `EGG-INFO`; with
    /// the names of the files in them that we know.
    directories: BTreeMap<BString, BTreeSet<BString>>,
    egg_info_files: Vec<BString>,
    egg_links: Vec<BString>,
}

impl Layout {
    fn of(files: Vec<FileInfo>) -> Self {
        let mut layout = Layout::default();
        for FileInfo { path: file, .. } in files {
            let directory = path::parent(&file);
            if has_suffix(&file, ".egg-info") {
                layout.egg_info_files.push(file);
            } else if has_suffix(&file, ".egg-link") {
                layout.egg_links.push(file);
            } else if has_suffix(directory, "dist-info") || has_suffix(directory, "egg-info") {
                let names = layout.directories.entry(directory.into()).or_default();
                names.insert(path::name(&file).into());
            }
        }
        layout
    }
}

fn has_suffix(path: &[u8], suffix: &str) -> bool {
    path.len() >= suffix.len()
        && path[path.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
}

/// The distribution that a directory of metadata describes.
fn in_directory(image: &dyn Files, directory: &[u8], out: &mut Facts) -> Option<Package> {
    let (mut package, mut problem) = (None, None);
    for name in ["METADATA", "PKG-INFO"] {
        let file = path::join(directory, name.as_bytes());
        if let Some(text) = read(image, &file, out) {
            match self::package(&text, &file) {
                Ok(found) => package = Some(found),
                Err(error) => problem = Some((file, error)),
            }
            break;
        }
    }
    // Without readable metadata, the name of the directory states name and version.
    let by_name = package.is_none().then(|| by_name(image, directory)).flatten();
    match problem {
        Some((file, error)) if by_name.is_none() && !is_fixture(image, directory) => {
            out.hidden(file, MALFORMED, error)
        }
        Some((file, error)) => out.problem_at(file, error),
        None => {}
    }
    let mut package = package.or(by_name)?;
    let below = path::parent(directory);
    for (name, base) in [("RECORD", below), ("installed-files.txt", directory)] {
        let file = path::join(directory, name.as_bytes());
        if let Some(text) = read(image, &file, out) {
            let mut allowance = Allowance::of_record(text.len());
            let lines = text.lines();
            let lines = lines.filter(|line| allowance.admits(base.len() + line.len(), out));
            package.files = if name == "RECORD" {
                lines.filter_map(|line| record::file(line, base)).collect()
            } else {
                lines.map(|line| record::installed(line, base)).collect()
            };
            allowance.report(file, out);
            break;
        }
    }
    if let Some(installer) = read(image, &path::join(directory, b"INSTALLER"), out) {
        let installer = installer.trim();
        if !installer.is_empty() && installer.len() < 100 {
            package.attributes.insert("installer".into(), installer.into());
        }
    }
    let file = path::join(directory, b"direct_url.json");
    if let Some(text) = read(image, &file, out)
        && let Err(error) = direct_url(&text, &mut package)
    {
        out.problem_at(file, error);
    }
    Some(package)
}

fn is_fixture(image: &dyn Files, directory: &[u8]) -> bool {
    surroundings::role(image, directory) == Some(Role::Fixture)
}

/// Name and version out of `NAME-VERSION.dist-info`, where metadata is missing.
fn by_name(image: &dyn Files, directory: &[u8]) -> Option<Package> {
    let has = |name: &[u8]| image.get(&path::join(directory, name)).is_some();
    let name = path::name(directory);
    let stem = name.strip_suffix(b".dist-info").or_else(|| name.strip_suffix(b".egg-info"))?;
    let (name, version) = stem.to_str().ok()?.split_once('-')?;
    if name.is_empty() || !(has(b"RECORD") || has(b"METADATA") || has(b"PKG-INFO")) {
        return None;
    }
    Some(Package {
        kind: "pypi".into(),
        name: name.into(),
        version: version.into(),
        evidence: Evidence::InstalledPackage,
        location: directory.into(),
        ..Package::default()
    })
}

/// The distribution that a header block describes.
fn package(text: &str, location: &[u8]) -> Result<Package> {
    let headers = Headers::parse(text);
    let name = headers.get("Name").ok_or_else(|| Error::new("no `Name` in the metadata"))?;
    let mut attributes = BTreeMap::new();
    if let Some(homepage) = homepage(&headers) {
        attributes.insert("homepage".to_owned(), without_credentials(homepage));
    }
    if let Some(summary) = stated(headers.get("Summary")) {
        attributes.insert("summary".to_owned(), first_line(summary).to_owned());
    }
    Ok(Package {
        kind: "pypi".into(),
        name: name.into(),
        version: headers.get("Version").unwrap_or_default().into(),
        licenses: licenses(&headers),
        origin: origin(&headers),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        attributes,
        ..Package::default()
    })
}

fn first_line(value: &str) -> &str {
    value.lines().next().unwrap_or_default().trim()
}

/// `None` also for `UNKNOWN`, which old tools write for missing values.
fn stated(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty() && *value != "UNKNOWN")
}

fn homepage<'a>(headers: &Headers<'a>) -> Option<&'a str> {
    let labelled = || {
        headers.all("Project-URL").find_map(|value| {
            let (label, url) = value.split_once(',')?;
            label.trim().eq_ignore_ascii_case("homepage").then(|| url.trim())
        })
    };
    stated(headers.get("Home-page")).or_else(labelled)
}

/// The license expression, if there is one; else the license field (its first line, because
/// some put the whole text there) and the classifiers.
fn licenses(headers: &Headers<'_>) -> Vec<String> {
    if let Some(expression) = stated(headers.get("License-Expression")) {
        return vec![expression.into()];
    }
    let field = stated(headers.get("License")).map(first_line);
    let classifiers = headers.all("Classifier").filter_map(|classifier| {
        let license = classifier.strip_prefix("License ::")?;
        license.rsplit("::").next().map(str::trim).filter(|name| *name != "OSI Approved")
    });
    let mut known = BTreeSet::new();
    let stated = field.into_iter().chain(classifiers).filter(|license| !license.is_empty());
    stated.filter(|license| known.insert(*license)).map(str::to_owned).collect()
}

/// `Author <author@example>`, else the maintainer.
fn origin(headers: &Headers<'_>) -> Option<String> {
    [("Author", "Author-email"), ("Maintainer", "Maintainer-email")].iter().find_map(
        |(name, email)| {
            let name = stated(headers.get(name)).map(first_line);
            let email = stated(headers.get(email)).map(first_line);
            match (name, email) {
                // New tools write `Name <address>` into the address.
                (None, Some(email)) => Some(email.to_owned()),
                (Some(name), Some(email)) if email.contains('<') => Some(if email.contains(name) {
                    email.to_owned()
                } else {
                    format!("{name}, {email}")
                }),
                (Some(name), Some(email)) => Some(format!("{name} <{email}>")),
                (Some(name), None) => Some(name.to_owned()),
                (None, None) => None,
            }
        },
    )
}

/// The address it was installed from, if not from an index.
/// <https://packaging.python.org/en/latest/specifications/direct-url/>
fn direct_url(text: &str, package: &mut Package) -> Result<()> {
    let document = json::parse(text.as_bytes())?;
    if let Some(url) = json::text(&document, "url") {
        package.attributes.insert("direct-url".into(), without_credentials(url));
        // A directory or an archive beside the project, not the index.
        if url.starts_with("file:") {
            package.role = Some(Role::Local);
        }
    }
    let vcs = document.get("vcs_info");
    if let Some(commit) = vcs.and_then(|vcs| json::text(vcs, "commit_id")) {
        package.attributes.insert("commit".into(), commit.into());
    }
    let editable = document.get("dir_info").and_then(|info| info.get("editable"));
    if editable.and_then(serde_json::Value::as_bool) == Some(true) {
        package.attributes.insert("editable".into(), "true".into());
    }
    Ok(())
}

/// The source directories that `setup.py develop` linked into site-packages.
fn editable_directories(image: &dyn Files, layout: &Layout, out: &mut Facts) -> BTreeSet<Vec<u8>> {
    let links = layout.egg_links.iter();
    links
        .filter_map(|link| {
            let text = read(image, link, out)?;
            let target = text.lines().next()?.trim().strip_prefix('/')?;
            Some(target.trim_end_matches('/').as_bytes().to_vec())
        })
        .collect()
}

fn mark_editable(package: &mut Package, directory: &[u8], editable: &BTreeSet<Vec<u8>>) {
    if editable.contains(path::parent(directory)) {
        package.attributes.insert("editable".into(), "true".into());
        package.role = Some(Role::Local);
    }
}

/// The text of a file; `None` where there is none, or it could not be read.
fn read<'a>(image: &'a dyn Files, file: &[u8], out: &mut Facts) -> Option<Cow<'a, str>> {
    match image.read(file) {
        Ok(bytes) => bytes.map(text),
        Err(error) => {
            out.problem_at(file, error);
            None
        }
    }
}

/// Bytes as text; what is not UTF-8 is replaced.
fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(bytes.to_str_lossy().into_owned()),
    }
}

#[cfg(test)]
mod tests;
