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
    /// The distribution it was made for, where it is said of it alone: its SBOM may be of another
    /// one than the image. `None`: the image's. Without a version: which release is not said.
    pub distribution: Option<Distribution>,
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
    /// How far name, namespace, source and version can be believed.
    pub identity: Identity,
    /// `None` for an ordinary package, which its registry knows.
    pub role: Option<Role>,
}

/// How far the parts of a package's identity can be believed. What nothing is said of is stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    pub name: Certainty,
    pub namespace: Certainty,
    pub source: Certainty,
    pub version: Certainty,
}

/// Where a part of a package's identity comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// A file or a record of the package says so, or says that there is none.
    #[default]
    Stated,
    /// Concluded from something else, by the rule of this name: `file-name`,
    /// `manifest-symbolic-name`, `package-names-inside`, `ldflags` …
    Derived(Cow<'static, str>),
    /// Not known; what stands in its place is empty or only a placeholder.
    Unknown,
}

/// What a package is, where it is not simply one that its ecosystem's registry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The image's own application, or a member of its workspace.
    Application,
    /// From a directory or a file, not from a registry.
    Local,
    /// An example or a test fixture inside another package.
    Fixture,
    /// A reference that only compilers use: no file of it is there.
    Reference,
    /// An extension of an editor.
    EditorExtension,
    /// Needed to develop or to build, not to run.
    Development,
}

impl Identity {
    /// Whether there is nothing to doubt.
    pub fn is_stated(&self) -> bool {
        self.doubts().next().is_none()
    }

    /// The parts that are not stated, by their names.
    pub fn doubts(&self) -> impl Iterator<Item = (&'static str, &Certainty)> {
        [
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("source", &self.source),
            ("version", &self.version),
        ]
        .into_iter()
        .filter(|(_, certainty)| **certainty != Certainty::Stated)
    }
}

impl Certainty {
    pub const fn derived(rule: &'static str) -> Self {
        Certainty::Derived(Cow::Borrowed(rule))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_stated_is_in_doubt() {
        let mut identity = Identity::default();
        assert!(identity.is_stated());
        identity.version = Certainty::Unknown;
        identity.namespace = Certainty::derived("file-name");
        let doubts: Vec<_> = identity.doubts().collect();
        let derived = Certainty::Derived("file-name".into());
        assert_eq!(doubts, [("namespace", &derived), ("version", &Certainty::Unknown)]);
    }
}
