//! The vocabulary in which analyzers speak. Small on purpose: a new kind of
//! package needs no new word.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bstr::BString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One statement of an analyzer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// Which distribution the image is: at most one in an image.
    Distribution(Distribution),
    /// A value of the legacy document alone.
    Legacy(Legacy),
    /// Licenses a file states (Debian's copyright files), in order, as written.
    Licenses(Vec<String>),
    /// Lines that a configured expression matches.
    Match(Match),
    /// A package, installed or only named by a file.
    Package(Box<Package>),
    /// A secret in the file under inspection.
    Secret(Secret),
}

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

/// A secret in a file. Never the secret itself: a masked excerpt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Id of the rule: `github-token`.
    pub rule: String,
    /// As the rule grades it; lower in documentation and tests.
    pub severity: Severity,
    /// Counts from 1.
    pub line: u32,
    /// Counts from 1, in bytes.
    pub column: u32,
    /// The line around it with the secret masked, printable, at most 120 characters.
    pub excerpt: String,
}

/// How bad it is that a secret lies there, as its rule grades it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What identifies and does not open; and anything in documentation, tests and examples.
    Low,
    /// Known by the words around it, or by a form that other values share.
    Medium,
    /// The credential of one service.
    High,
    /// What opens much: a whole account, a private key.
    Critical,
}

/// Lines of one file that match one configured expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// `NAME=regex`, as configured.
    pub expression: String,
    /// Line numbers, counting from 0 as the legacy document does.
    pub lines: Vec<u32>,
}

/// One value of the legacy document: `analysis_report.<module>.<output>.base.<key>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Legacy {
    /// `package_list`, `retrieve_files`, …
    pub module: Cow<'static, str>,
    /// `pkgs.java`, `file_content.all`, …
    pub output: Cow<'static, str>,
    /// Often the absolute path of the file.
    pub key: BString,
    /// What stands under the key.
    pub value: LegacyValue,
}

/// A value as the legacy document has it. As text: a tree of JSON takes several times the memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegacyValue {
    /// A string, which is written as it is.
    String(Box<str>),
    /// Anything else, which is JSON text inside a string.
    Json(Box<str>),
}

impl From<Value> for LegacyValue {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::String(text.into()),
            other => Self::Json(other.to_string().into()),
        }
    }
}

impl LegacyValue {
    /// The text that stands in the document, before it is escaped as JSON.
    pub fn text(&self) -> &str {
        let (Self::String(text) | Self::Json(text)) = self;
        text
    }

    /// The value that the text was made from. Null if the text, which may come from a
    /// cache, is not JSON.
    pub fn parsed(&self) -> Value {
        match self {
            Self::String(text) => Value::from(&**text),
            Self::Json(text) => serde_json::from_str(text).unwrap_or_default(),
        }
    }
}

/// One thing that could not be understood. The core adds analyzer and layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file concerned; `None` for the file under inspection, or none at all.
    pub path: Option<BString>,
    /// A lowercase fragment, with line or offset where that is known.
    pub message: String,
}

/// Where an analyzer puts what it finds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// In the order in which they were stated.
    pub facts: Vec<Fact>,
    /// In the order in which they were met.
    pub problems: Vec<Problem>,
    #[serde(skip)]
    taken: Taken,
}

/// What the packages take in memory. A list of a few megabytes may name millions of them.
#[derive(Clone, Default)]
struct Taken(usize);

/// The count is left out, as in equality: facts that come from the cache have none.
impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Taken")
    }
}

/// Always equal: two `Facts` are equal if they state the same.
impl PartialEq for Taken {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// In bytes. As much as a distribution with a million files takes.
const MAX_TAKEN: usize = 512 << 20;

impl Facts {
    /// Adds a fact as it is. Packages go through [`package`](Facts::package).
    pub fn push(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Adds a package. After 512 MiB of packages the others are left out,
    /// with one problem that names the first of them.
    pub fn package(&mut self, mut package: Package) {
        package.files.shrink_to_fit();
        let before = self.taken.0;
        self.taken.0 = before.saturating_add(size_of_package(&package));
        if self.taken.0 > MAX_TAKEN {
            if before <= MAX_TAKEN {
                let name = package.name.escape_debug();
                self.problem_at(
                    package.location,
                    format!("too many packages: `{name}` and all after it are skipped"),
                );
            }
            self.taken.0 = usize::MAX;
            return;
        }
        self.push(Fact::Package(Box::new(package)));
    }

    /// A value of the legacy document's `package_list` module.
    pub fn legacy_package(
        &mut self,
        output: &'static str,
        key: impl Into<BString>,
        value: impl Into<Value>,
    ) {
        self.legacy("package_list", output, key, value);
    }

    /// A value of the legacy document.
    pub fn legacy(
        &mut self,
        module: &'static str,
        output: &'static str,
        key: impl Into<BString>,
        value: impl Into<Value>,
    ) {
        self.push(Fact::Legacy(Legacy {
            module: module.into(),
            output: output.into(),
            key: key.into(),
            value: value.into().into(),
        }));
    }

    /// A problem with the file under inspection, or with the image as a whole.
    pub fn problem(&mut self, message: impl fmt::Display) {
        self.problems.push(Problem { path: None, message: message.to_string() });
    }

    /// A problem with one file of the image.
    pub fn problem_at(&mut self, path: impl Into<BString>, message: impl fmt::Display) {
        self.problems.push(Problem { path: Some(path.into()), message: message.to_string() });
    }

    /// The packages among the facts, in order.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Package(package) => Some(&**package),
            _ => None,
        })
    }
}

fn size_of_package(package: &Package) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let map = |map: &BTreeMap<String, String>| -> usize {
        map.iter().map(|(key, value)| size_of::<[String; 2]>() + key.len() + value.len()).sum()
    };
    let file = |file: &PackageFile| size_of::<PackageFile>() + file.path.len() + text(&file.digest);
    size_of::<Package>()
        + package.name.len()
        + text(&package.namespace)
        + package.version.len()
        + package.location.len()
        + package.licenses.iter().map(|license| size_of::<String>() + license.len()).sum::<usize>()
        + text(&package.origin)
        + package.files.iter().map(file).sum::<usize>()
        + map(&package.qualifiers)
        + map(&package.attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_beyond_any_real_list_are_left_out_with_one_problem() {
        let mut facts = Facts::default();
        let location = BString::from(vec![b'd'; 1 << 20]);
        for number in 0..600 {
            let (name, location) = (number.to_string(), location.clone());
            facts.package(Package { name, location, ..Package::default() });
        }
        assert_eq!(facts.packages().count(), 511);
        assert_eq!(facts.problems.len(), 1);
        let expected = "too many packages: `511` and all after it are skipped";
        assert_eq!(facts.problems[0].message, expected);
    }
}
