//! What an analyzer's author reads: what an analyzer is, which files it may want,
//! what it is given, and which facts it may state.

#![warn(missing_docs, clippy::missing_errors_doc)]

pub mod config;
mod content;
mod facts;
mod files;
#[cfg(feature = "testing")]
pub mod testing;
mod want;
mod weight;

pub use config::Config;
pub use content::{FileHead, START_LEN};
pub use facts::{Fact, Facts, Legacy, LegacyValue, Match, Problem, Room};
pub use files::{FileInfo, FileKind, Files};
pub use inscan_facts::content::Content;
pub use inscan_facts::format::{Error, Result};
pub use inscan_facts::package::{
    Certainty, Distribution, Evidence, Identity, Package, PackageFile, Role, SourcePackage,
};
pub use inscan_facts::part::Part;
pub use inscan_facts::path;
pub use inscan_facts::problem::{self, Hides};
pub use inscan_facts::secret::{Secret, Severity};
pub use want::{Matcher, Pattern, Use, Want};

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
    ///
    /// # Errors
    ///
    /// If the file cannot be understood. Becomes a problem with the file's path.
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
    ///
    /// # Errors
    ///
    /// If the image cannot be understood as a whole. What concerns one file is
    /// [`Facts::problem_at`], so that the others are still read.
    fn analyze(&self, _image: &dyn Files, _out: &mut Facts) -> Result<()> {
        Ok(())
    }

    /// The part of the analysis that it makes: it runs where that is asked for.
    fn part(&self) -> Part {
        Part::Packages
    }

    /// What a file that it wanted and could not be given may hide.
    fn hides(&self) -> Hides {
        Hides::Packages
    }

    /// Whether a file of this name, of the many that match a wide want, may say anything to it. What
    /// is left alone is not read a second time by a name that only a link gives it.
    fn may_read(&self, _path: &[u8]) -> bool {
        true
    }

    /// Whether what it makes of a file takes many times the file's size: large ones are shown to such
    /// analyzers one at a time.
    fn takes_memory(&self) -> bool {
        false
    }

    /// True where several packages share one file (a package database): the
    /// core then runs `analyze` after each layer that changed one of its files,
    /// to learn which layer brought each package.
    fn is_database(&self) -> bool {
        false
    }
}
