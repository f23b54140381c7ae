//! What is known of a package and of the distribution: the words in which analyzers,
//! SBOMs and the document speak of both.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bstr::BString;
use serde::{Deserialize, Serialize};

/// Which distribution the image is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// `ID` of os-release: `debian`.
    pub id: String,
    /// `VERSION_ID`: `12`. Empty where the distribution states none.
    pub version: String,
    /// `ID_LIKE`, split.
    pub like: Vec<String>,
    /// `VERSION_CODENAME`: `bookworm`.
    pub codename: Option<String>,
    /// `PRETTY_NAME`.
    pub name: Option<String>,
    /// The file that states it, without a leading slash.
    pub location: BString,
}

/// A package, of whatever manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The type of its purl: `deb`, `apk`, `rpm`, `pypi`, `npm`, `gem`, `maven`,
    /// `golang`, `cargo`, `composer`, `nuget`, … (<https://github.com/package-url/purl-spec>).
    pub kind: Cow<'static, str>,
    /// What the ecosystem calls it: npm scope and maven group are in `namespace`.
    pub name: String,
    /// Maven group, npm scope (with `@`), composer vendor. The distribution's
    /// namespace (`debian`) is filled in by the core.
    pub namespace: Option<String>,
    /// The whole version as the ecosystem compares it: `1:2.3-4` (dpkg),
    /// `2.3-4.el8` without epoch (rpm), `1.2.3-r4` (apk).
    pub version: String,
    /// Of rpm, where the header has one. Other kinds have it in `version`.
    pub epoch: Option<u64>,
    /// As the ecosystem writes it: `amd64` (dpkg), `x86_64` (rpm, apk), `noarch`.
    pub arch: Option<String>,
    /// `None` where none is stated, or where the ecosystem has no source packages.
    pub source: Option<SourcePackage>,
    /// As the package writes them, one for each statement: names, expressions, prose.
    pub licenses: Vec<String>,
    /// Maintainer, vendor or author, as the package writes it.
    pub origin: Option<String>,
    /// Installed size in bytes, as the package states it.
    pub size: Option<u64>,
    /// What kind of record proves it.
    pub evidence: Evidence,
    /// The file that proves it, without a leading slash. Nested archives
    /// are written `outer.war:WEB-INF/lib/inner.jar`.
    pub location: BString,
    /// The files it brought, as its manager recorded them.
    pub files: Vec<PackageFile>,
    /// Qualifiers of the purl beside those the core knows (`arch`, `distro`, `epoch`, `upstream`).
    pub qualifiers: BTreeMap<String, String>,
    /// What else it states, by name: `homepage`, `modularity-label`, `sha1`, `main-class` …
    pub attributes: BTreeMap<String, String>,
}

/// The source package that a package was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePackage {
    /// As the ecosystem writes it, without version.
    pub name: String,
    /// `None` where it is the version of the package itself.
    pub version: Option<String>,
}

/// How sure it is that the package is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The record of an OS package manager.
    #[default]
    InstalledDb,
    /// The metadata that a language's package manager leaves beside the code.
    InstalledPackage,
    /// A jar or similar archive.
    Archive,
    /// Build information or a version inside an executable.
    Binary,
    /// An SBOM found in the image.
    Sbom,
    /// A lock file: says what would be installed.
    Lockfile,
    /// A manifest: says what is asked for.
    Manifest,
}

/// A file as its package manager recorded it; `None` where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFile {
    /// Without a leading slash.
    pub path: BString,
    /// In lower-case hex, by `algorithm`.
    pub digest: Option<String>,
    /// `md5`, `sha1`, `sha256`, …
    pub algorithm: Option<Cow<'static, str>>,
    /// Permission bits, with the type bits where the manager records them (rpm).
    pub mode: Option<u32>,
    /// Name of its owner.
    pub user: Option<String>,
    /// Name of its group.
    pub group: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
    /// Whether the manager marks it as configuration, which users may change.
    pub conffile: bool,
}
