//! Analyzers: bytes of an image in, facts out.
//!
//! An analyzer finds one kind of thing (the packages of one package manager,
//! secrets, the distribution …). It never walks, opens or stats anything: it
//! *declares* which files it wants, and states facts about what it is given.
//! The core stamps each fact with the analyzer, the layer and the history line
//! that brought the file.
//!
//! Adding one = one new file, two alphabetical lines below, and its fixtures.

mod allowance;
pub mod config;
mod content;
mod control;
mod error;
mod executable;
mod facts;
mod files;
mod headers;
mod json;
pub mod legacy_files;
pub mod path;
pub mod purl;
mod tally;
#[cfg(test)]
mod testing;
mod url;
mod want;
mod window;
pub mod zip;

pub use config::Config;
pub use content::{Content, FileHead, START_LEN};
pub use error::{Error, Result};
pub use facts::{
    Distribution, Evidence, Fact, Facts, Legacy, LegacyValue, Match, Package, PackageFile, Problem,
    Secret, Severity, Source,
};
pub use files::{FileInfo, FileKind, Files};
pub use want::{Matcher, Pattern, Use, Want};

// Alphabetical: one line for each analyzer.
mod apk;
mod binary_classifier;
mod conda;
mod dart;
pub mod distribution;
mod dotnet;
mod dpkg;
mod erlang;
mod flatpak;
mod go_binary;
mod haskell;
mod hints;
mod homebrew;
mod java;
mod julia;
mod lockfiles;
mod lua;
mod nix;
mod node;
mod ocaml;
mod opkg;
mod pacman;
mod pear;
mod perl;
mod php;
mod portage;
mod python;
mod r;
mod retrieve_files;
pub mod rpm;
mod ruby;
mod rust_binary;
pub mod sbom;
pub mod search;
pub mod secrets;
mod snap;
mod swift;

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
        Box::new(apk::Apk),
        Box::new(binary_classifier::BinaryClassifier::new()),
        Box::new(conda::Conda),
        Box::new(search::LineSearch::new(search::Section::Content, config)),
        Box::new(dart::Dart),
        Box::new(distribution::Distribution),
        Box::new(dotnet::Dotnet),
        Box::new(dpkg::Dpkg),
        Box::new(erlang::Erlang),
        Box::new(flatpak::Flatpak),
        Box::new(go_binary::GoBinary),
        Box::new(haskell::Haskell),
        Box::new(hints::Hints::new(config)),
        Box::new(homebrew::Homebrew),
        Box::new(java::Java),
        Box::new(julia::Julia),
        Box::new(lockfiles::Lockfiles),
        Box::new(lua::Lua),
        Box::new(nix::Nix),
        Box::new(node::Node),
        Box::new(ocaml::Ocaml),
        Box::new(opkg::Opkg),
        Box::new(pacman::Pacman),
        Box::new(pear::Pear),
        Box::new(perl::Perl),
        Box::new(php::Php),
        Box::new(portage::Portage),
        Box::new(python::Python),
        Box::new(r::R),
        Box::new(retrieve_files::RetrieveFiles::new(config)),
        Box::new(rpm::Rpm),
        Box::new(ruby::Ruby),
        Box::new(rust_binary::RustBinary),
        Box::new(sbom::Sbom),
        Box::new(search::LineSearch::new(search::Section::Secret, config)),
        Box::new(secrets::Secrets::new(config)),
        Box::new(snap::Snap),
        Box::new(swift::Swift),
    ]
}
