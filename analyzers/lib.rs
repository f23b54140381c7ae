//! Analyzers: bytes of an image in, facts out.
//!
//! An analyzer finds one kind of thing (the packages of one package manager,
//! secrets, the distribution …). It never walks, opens or stats anything: it
//! *declares* which files it wants, and states facts about what it is given.
//! The core stamps each fact with the analyzer, the layer and the history line
//! that brought the file.
//!
//! Adding one = one new file, two alphabetical lines below, and its fixtures.

pub mod config;
mod content;
mod control;
mod error;
mod executable;
mod facts;
mod files;
pub mod legacy_files;
mod headers;
mod json;
pub mod path;
mod purl;
mod tally;
#[cfg(test)]
mod testing;
mod url;
mod want;
mod window;
mod zip;

pub use config::Config;
pub use content::{Content, FileHead, Reader, START_LEN};
pub use error::{Error, Result};
pub use facts::{
    Distribution, Evidence, Fact, Facts, Legacy, Match, Package, PackageFile, Problem, Secret,
    Severity, Source,
    Distribution, Evidence, Fact, Facts, Legacy, Match, Package, PackageFile, Problem, Secret, Severity,
    Source,
};
pub use files::{FileInfo, FileKind, Files};
pub use want::{Matcher, Pattern, Use, Want};

// Alphabetical: one line for each analyzer.
pub mod rpm;
mod apk;
pub mod distribution;
mod dpkg;
mod homebrew;
mod nix;
mod opkg;
mod pacman;
mod portage;
mod retrieve_files;
mod sbom;
mod snap;
mod conda;
mod dart;
mod erlang;
mod haskell;
mod julia;
mod lockfiles;
mod lua;
mod node;
mod ocaml;
mod pear;
mod perl;
mod php;
mod python;
mod r;
mod ruby;
mod binary_classifier;
mod dotnet;
mod go_binary;
mod java;
mod rust_binary;
pub mod search;
pub mod secrets;

/// One analyzer: what it wants to see, and what it makes of it.
///
/// Input is hostile. No indexing on trust, no recursion without a depth, no
/// size believed. An error ends the work on *this* file (or image) only, and
/// facts pushed before it are kept; a panic is caught and becomes a problem.
pub trait Analyzer: Send + Sync {
    /// Its name in the document and on the command line: `kebab-case`.
    fn name(&self) -> &'static str;

    /// One sentence for `inscan analyzers`: what it finds, and where.
    fn about(&self) -> &'static str;

    /// The files it wants to see. A file larger than the want's `max_size` is
    /// not handed over, and becomes a problem in the document.
    fn wants(&self) -> Vec<Want>;

    /// Looks at one file alone, while its layer passes by. Called for every
    /// regular file of every layer that matches a [`Use::Inspect`] want, also
    /// for files that a later layer replaces or deletes. What it states is a
    /// pure function of the path and the bytes, and is stored on the file.
    fn inspect(
        &self,
        _file: &FileHead<'_>,
        _content: &dyn Content,
        _out: &mut Facts,
    ) -> Result<()> {
        Ok(())
    }

    /// Looks at the flattened image. May read every file it wanted with
    /// [`Use::Keep`], and the facts its own `inspect` stored.
    fn analyze(&self, _image: &dyn Files, _out: &mut Facts) -> Result<()> {
        Ok(())
    }

    /// True where several packages share one file (a package database): the
    /// core then runs `analyze` after each layer that changed one of its files,
    /// to learn which layer brought each package.
    fn is_database(&self) -> bool {
        false
    }
}

/// All analyzers, in the order of their names.
pub fn all(config: &Config) -> Vec<Box<dyn Analyzer>> {
    vec![
        // Alphabetical: one line for each analyzer.
        Box::new(rpm::Rpm),
        Box::new(apk::Apk),
        Box::new(distribution::Distribution),
        Box::new(dpkg::Dpkg),
        Box::new(homebrew::Homebrew),
        Box::new(nix::Nix),
        Box::new(opkg::Opkg),
        Box::new(pacman::Pacman),
        Box::new(portage::Portage),
        Box::new(retrieve_files::RetrieveFiles::new(config)),
        Box::new(sbom::Sbom),
        Box::new(snap::Snap),
        Box::new(conda::Conda),
        Box::new(dart::Dart),
        Box::new(erlang::Erlang),
        Box::new(haskell::Haskell),
        Box::new(julia::Julia),
        Box::new(lockfiles::Lockfiles),
        Box::new(lua::Lua),
        Box::new(node::Node),
        Box::new(ocaml::Ocaml),
        Box::new(pear::Pear),
        Box::new(perl::Perl),
        Box::new(php::Php),
        Box::new(python::Python),
        Box::new(r::R),
        Box::new(ruby::Ruby),
        Box::new(binary_classifier::BinaryClassifier::new()),
        Box::new(dotnet::Dotnet),
        Box::new(go_binary::GoBinary),
        Box::new(java::Java),
        Box::new(rust_binary::RustBinary),
        Box::new(search::LineSearch::new(search::Section::Content, config)),
        Box::new(search::LineSearch::new(search::Section::Secret, config)),
        Box::new(secrets::Secrets::new(config)),
    ]
}
