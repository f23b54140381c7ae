//! Lock files: what a package manager resolved, and would install.
//!
//! One module a format, each a function from text to packages; the table
//! [`FORMATS`] says which file is of which format. A lock file proves nothing
//! about what is installed: its packages have [`Evidence::Lockfile`]. A manifest is not
//! even resolved: its packages have [`Evidence::Manifest`]. Packages for development only
//! have the attribute `dev`; what is a directory or a file and comes from no registry has
//! [`Role::Local`]. docs/lock-files.md lists the formats.

mod bun;
mod cargo;
mod cocoapods;
mod composer;
mod conan;
mod conda_explicit;
mod conda_lock;
mod deno;
mod gemfile;
mod go_mod;
mod gradle;
mod haskell;
mod julia;
mod maven;
mod mix;
mod npm;
mod nuget;
mod packages_config;
mod paket;
mod pipfile;
mod pixi;
mod pnpm;
mod poetry;
mod project_assets;
mod pub_;
mod renv;
mod requirements;
mod sbt;
mod swift;
mod terraform;
mod yarn;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use bstr::ByteSlice;
use inscan_facts::encoding::from_utf16;

use crate::parse::fixtures::is_fixtures;
use crate::parse::json;
use crate::problem::{MALFORMED, OPAQUE};
use crate::{
    Analyzer, Certainty, Content, Error, Evidence, Fact, Facts, FileHead, Hides, Identity, Package,
    Pattern, Problem, Result, Role, Want, path,
};

/// The largest seen are some 10 MB.
const MAX_SIZE: u64 = 64 << 20;

struct Format {
    /// The name of the file, in any directory.
    file: &'static str,
    /// Type of the purl.
    kind: &'static str,
    read: fn(&str, &mut Locked<'_>) -> Result<()>,
}

// Alphabetical by file.
const FORMATS: [Format; 39] = [
    Format { file: ".terraform.lock.hcl", kind: "terraform", read: terraform::read },
    Format { file: "Cargo.lock", kind: "cargo", read: cargo::read },
    Format { file: "Gemfile.lock", kind: "gem", read: gemfile::read },
    Format { file: "Manifest.toml", kind: "julia", read: julia::read },
    Format { file: "Package.resolved", kind: "swift", read: swift::read },
    Format { file: "Pipfile.lock", kind: "pypi", read: pipfile::read },
    Format { file: "Podfile.lock", kind: "cocoapods", read: cocoapods::read },
    Format { file: "build.sbt.lock", kind: "maven", read: sbt::read },
    Format { file: "buildscript-gradle.lockfile", kind: "maven", read: gradle::read },
    Format { file: "bun.lock", kind: "npm", read: bun::read },
    Format { file: "cabal.project.freeze", kind: "hackage", read: haskell::freeze },
    Format { file: "composer.lock", kind: "composer", read: composer::read },
    Format { file: "conan.lock", kind: "conan", read: conan::read },
    Format { file: conda_explicit::NAME, kind: "conda", read: conda_explicit::read },
    Format { file: "conda-lock.yml", kind: "conda", read: conda_lock::read },
    Format { file: "deno.lock", kind: "npm", read: deno::read },
    Format { file: "gems.locked", kind: "gem", read: gemfile::read },
    Format { file: "go.mod", kind: "golang", read: go_mod::read },
    Format { file: "gradle.lockfile", kind: "maven", read: gradle::read },
    Format { file: "mix.lock", kind: "hex", read: mix::read },
    Format { file: "modules.txt", kind: "golang", read: go_mod::vendored },
    Format { file: "npm-shrinkwrap.json", kind: "npm", read: npm::read },
    Format { file: "package-lock.json", kind: "npm", read: npm::read },
    Format { file: "packages.config", kind: "nuget", read: packages_config::read },
    Format { file: "packages.lock.json", kind: "nuget", read: nuget::read },
    Format { file: "paket.lock", kind: "nuget", read: paket::read },
    Format { file: "pdm.lock", kind: "pypi", read: poetry::read },
    Format { file: "pixi.lock", kind: "conda", read: pixi::read },
    Format { file: "pnpm-lock.yaml", kind: "npm", read: pnpm::read },
    Format { file: "poetry.lock", kind: "pypi", read: poetry::read },
    Format { file: "pom.xml", kind: "maven", read: maven::read },
    Format { file: "project.assets.json", kind: "nuget", read: project_assets::read },
    Format { file: "pubspec.lock", kind: "pub", read: pub_::read },
    Format { file: "pylock.toml", kind: "pypi", read: poetry::read },
    Format { file: "renv.lock", kind: "cran", read: renv::read },
    Format { file: "requirements.txt", kind: "pypi", read: requirements::read },
    Format { file: "stack.yaml.lock", kind: "hackage", read: haskell::stack },
    Format { file: "uv.lock", kind: "pypi", read: poetry::read },
    Format { file: "yarn.lock", kind: "npm", read: yarn::read },
];

pub(crate) struct Lockfiles;

impl Analyzer for Lockfiles {
    fn name(&self) -> &'static str {
        "lockfiles"
    }

    fn about(&self) -> &'static str {
        "What lock files and manifests of package managers would install"
    }

    fn wants(&self) -> Vec<Want> {
        let names = FORMATS.iter().map(|format| Pattern::name(format.file));
        let mut wants: Vec<Want> = names.map(|name| Want::inspect(name, MAX_SIZE)).collect();
        wants.push(Want::inspect(Pattern::within("dependency-locks", ".lockfile"), MAX_SIZE));
        // `requirements-dev.txt`; most files of text are others, of any size.
        wants.push(Want::inspect(Pattern::suffix(".txt"), u64::MAX));
        wants.push(Want::inspect(Pattern::suffix(".toml"), u64::MAX));
        // `conda-linux-64.lock`, and what other programs keep under such names.
        wants.push(Want::inspect(Pattern::suffix(".lock"), u64::MAX));
        wants.push(Want::inspect_heads(Pattern::suffix("bun.lockb"), 0));
        wants
    }

    fn hides(&self) -> Hides {
        Hides::Lockfiles
    }

    fn may_read(&self, path: &[u8]) -> bool {
        format(path).is_some()
    }

    /// Most formats are read as a tree.
    fn takes_memory(&self) -> bool {
        true
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        // The lock file that a dependency published has no effect.
        if path::parts(file.path).any(|part| part == b"node_modules") {
            return Ok(());
        }
        let name = path::name(file.path);
        // Otherwise it is an unrelated text file.
        if name == b"modules.txt" && path::name(path::parent(file.path)) != b"vendor" {
            return Ok(());
        }
        if name == b"bun.lockb" {
            let message = "the binary form of Bun's lock file is not read; `bun install --save-text-lockfile` writes bun.lock";
            hidden(file.path, OPAQUE, message, out);
            return Ok(());
        }
        let explicit = conda_explicit::is_one(file.start).then_some(conda_explicit::NAME);
        let by_content = FORMATS.iter().find(|format| Some(format.file) == explicit);
        let Some(format) = by_content.or_else(|| format(file.path)) else { return Ok(()) };
        if file.size > MAX_SIZE {
            return Err(Error::over_limit(format!("larger than {MAX_SIZE} bytes")));
        }
        let Format { kind, read, .. } = *format;
        let evidence = match format.file {
            "go.mod" | "packages.config" | "pom.xml" | "requirements.txt" => Evidence::Manifest,
            _ => Evidence::Lockfile,
        };
        let bytes = content.bytes()?;
        if !json::hold_tree(&bytes, out) {
            return Ok(());
        }
        let location = file.path;
        let mut locked = Locked { kind, location, evidence, stated: BTreeMap::new(), out };
        match read(&text(&bytes), &mut locked) {
            Err(error) if !error.is_over_limit() => {
                hidden(location, MALFORMED, error, out);
                Ok(())
            }
            read => read,
        }
    }
}

/// What a lock file names is not known; those below tests are there to be broken.
fn hidden(file: &[u8], code: &'static str, message: impl fmt::Display, out: &mut Facts) {
    let problem = Problem::new(None, message);
    let is_fixture = path::parts(path::parent(file)).any(is_fixtures);
    out.problems.push(match is_fixture {
        true => problem,
        false => problem.hiding(Hides::Lockfiles, code),
    });
}

/// The format of a file: by its name, or by what such a name stands for.
fn format(file: &[u8]) -> Option<&'static Format> {
    let name = path::name(file);
    let called = |name: &[u8]| FORMATS.iter().find(|format| format.file.as_bytes() == name);
    if let Some(format) = called(name) {
        return Some(format);
    }
    let folder = path::name(path::parent(file));
    match name.rsplit_once_str(".")? {
        (stem, b"txt") if folder == b"requirements" || is_requirements(stem) => {
            called(b"requirements.txt")
        }
        // `pylock.NAME.toml`.
        (stem, b"toml") if stem.starts_with(b"pylock.") => called(b"pylock.toml"),
        (_, b"lockfile") if folder == b"dependency-locks" => called(b"gradle.lockfile"),
        _ => None,
    }
}

/// `requirements-dev`, `dev.requirements`, `constraints`.
fn is_requirements(stem: &[u8]) -> bool {
    let stem = stem.to_ascii_lowercase();
    let is_mark = |byte: Option<&u8>| byte.is_none_or(|byte| b"-_.".contains(byte));
    [&b"requirements"[..], b"constraints"].into_iter().any(|word| {
        stem.strip_prefix(word).is_some_and(|rest| is_mark(rest.first()))
            || stem.strip_suffix(word).is_some_and(|rest| is_mark(rest.last()))
    })
}

/// UTF-8, or UTF-16 with its mark, as PowerShell redirects it.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let Some(bytes) = bytes.strip_prefix(b"\xff\xfe") else {
        return String::from_utf8_lossy(bytes);
    };
    from_utf16(bytes, true).into()
}

/// Where a format puts what it finds. A package that is locked twice is stated once.
struct Locked<'a> {
    kind: &'static str,
    location: &'a [u8],
    evidence: Evidence,
    /// Where in `out` each name and version is.
    stated: BTreeMap<(String, String), usize>,
    out: &'a mut Facts,
}

impl Locked<'_> {
    /// `name` as the ecosystem writes it, with scope, vendor or group.
    fn add(&mut self, name: &str, version: &str) {
        self.state(self.kind, name, version, false);
    }

    /// A directory or a file that comes from no registry: a member of the workspace, a path.
    /// An empty version is one that is not stated.
    fn add_local(&mut self, name: &str, version: &str) {
        self.local(self.kind, name, version);
    }

    fn local(&mut self, kind: &'static str, name: &str, version: &str) {
        let before = self.out.facts.len();
        self.state(kind, name, version, false);
        // What Yarn writes for a member of the workspace, whatever its version.
        let is_unknown = matches!(version, "" | "0.0.0-use.local");
        self.mark_local(before, is_unknown);
    }

    /// A directory whose version is that of what it replaces, or none.
    fn add_directory(&mut self, name: &str, version: &str) {
        let before = self.out.facts.len();
        self.state(self.kind, name, version, false);
        self.mark_local(before, true);
    }

    fn mark_local(&mut self, stated: usize, is_unknown: bool) {
        if let Some(Fact::Package(package)) = self.out.facts.get_mut(stated) {
            package.role = Some(Role::Local);
            if is_unknown {
                package.identity = Identity { version: Certainty::Unknown, ..Identity::default() };
            }
        }
    }

    /// A package of which only a range of versions is known.
    fn add_range(&mut self, name: &str, range: &str) {
        let before = self.out.facts.len();
        self.state(self.kind, name, "", false);
        if let Some(Fact::Package(package)) = self.out.facts.get_mut(before)
            && !range.is_empty()
        {
            package.attributes.insert("requirement".to_owned(), range.to_owned());
        }
    }

    /// A package for development only.
    fn add_for_development(&mut self, name: &str, version: &str) {
        self.state(self.kind, name, version, true);
    }

    fn state(&mut self, kind: &'static str, name: &str, version: &str, is_dev: bool) {
        if name.is_empty() || self.out.is_full() {
            return;
        }
        match self.stated.entry((name.to_owned(), version.to_owned())) {
            Entry::Vacant(entry) => entry.insert(self.out.facts.len()),
            Entry::Occupied(entry) => {
                // Also needed by the program itself.
                if let Some(Fact::Package(package)) = self.out.facts.get_mut(*entry.get())
                    && !is_dev
                {
                    package.attributes.remove("dev");
                }
                return;
            }
        };
        let (namespace, name) = namespace_and_name(kind, name);
        let dev = is_dev.then(|| ("dev".to_owned(), "true".to_owned()));
        self.out.package(Package {
            kind: kind.into(),
            name: name.into(),
            namespace: namespace.map(Into::into),
            version: version.into(),
            evidence: self.evidence,
            location: self.location.into(),
            attributes: dev.into_iter().collect(),
            ..Package::default()
        });
    }
}

fn namespace_and_name<'a>(kind: &str, name: &'a str) -> (Option<&'a str>, &'a str) {
    let split = match kind {
        "npm" if !name.starts_with('@') => None,
        "maven" => name.split_once(':'),
        "composer" | "github" | "jsr" | "npm" | "terraform" => name.split_once('/'),
        "swift" => name.rsplit_once('/'),
        _ => None,
    };
    split.map_or((None, name), |(namespace, name)| (Some(namespace), name))
}

#[cfg(test)]
mod tests;
