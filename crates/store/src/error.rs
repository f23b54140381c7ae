//! Why something is not kept or not found.

use std::io;
use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("the database refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[cfg(feature = "postgres")]
    #[error("the database refused: {}", crate::postgres::told(.0))]
    Postgres(#[from] postgres::Error),
    /// The connection went while a unit of work was ended, and nobody can say how it did.
    #[error("the database did not say whether it kept what was changed")]
    Unclear,
    /// Somebody else works on the same folder.
    #[error("another process uses `{}`: a folder is for one server", .0.display())]
    Locked(PathBuf),
    #[error(
        "the data is of a newer version of this program (step {found}, known are {known}): use that one"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "the data is not there, or of an older version: {0} steps are missing; `inscan serve migrate` does them"
    )]
    Older(usize),
    #[error(
        "step {0} of the schema is not what this program would have made: is it another program's database?"
    )]
    Changed(i64),
    /// A row has another shape than the query says: a fault of the program.
    #[error("column {column} of a row is not what was asked for")]
    Shape { column: usize },
    /// A row that is there already, or that another row needs.
    #[error("it is there already")]
    Conflict,
    #[error("content {0} is not there")]
    NoBlob(String),
    #[error("content {0} is damaged")]
    BlobDamaged(String),
    /// Somebody removes it at this moment, and takes long.
    #[error("content {0} is being removed: try again in some minutes")]
    BlobGoes(String),
    /// Object storage does not do what it is asked to, or cannot be reached.
    #[error("object storage: {0}")]
    Objects(String),
    /// For whoever typed it.
    #[error("the place for contents is not understood: {0}")]
    ObjectsPlace(String),
    #[error("the backup is not understood, at line {line}")]
    Backup { line: u64 },
    #[error("the table `{0}` has rows already: a backup is read into an empty database")]
    NotEmpty(&'static str),
    #[error("`{0}` names no database that can be used: expected a folder, or `postgres://…`")]
    Place(String),
}

/// An error of a unit of work: one of the store's, or one that has it as its cause.
pub trait Failed: From<Error> {
    /// The store's, if it is that: some are worth another try.
    fn of_store(&self) -> Option<&Error>;
}

impl Failed for Error {
    fn of_store(&self) -> Option<&Error> {
        Some(self)
    }
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    /// Whether the same again may succeed: two units of work were in each other's way, or the
    /// database could not be reached.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                matches!(error.code, rusqlite::ErrorCode::DatabaseBusy)
            }
            #[cfg(feature = "postgres")]
            Error::Postgres(error) => crate::postgres::may_pass(error),
            _ => false,
        }
    }

    /// What it needs is not there at the moment: space, a disk, a database, object storage.
    pub fn is_of_place(&self) -> bool {
        match self {
            Error::Io { .. } | Error::Objects(_) | Error::BlobGoes(_) | Error::Unclear => true,
            Error::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                use rusqlite::ErrorCode::{CannotOpen, DiskFull, SystemIoFailure};
                self.may_pass() || matches!(error.code, CannotOpen | DiskFull | SystemIoFailure)
            }
            _ => self.may_pass(),
        }
    }

    /// A row that is there already is told as such, whichever database says so.
    pub(crate) fn sorted(self) -> Error {
        let conflicts = match &self {
            Error::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                error.code == rusqlite::ErrorCode::ConstraintViolation
            }
            #[cfg(feature = "postgres")]
            Error::Postgres(error) => crate::postgres::conflicts(error),
            _ => false,
        };
        if conflicts { Error::Conflict } else { self }
    }
}
