//! Building a database: all inputs are read, records with the same id are put
//! together, and everything is written in a fixed order. The same inputs give
//! the same bytes, in whatever order they are named.

use inscan_facts::progress::Progress;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::facts::{About, Coverage};
use super::gathered::{Gathered, Skipped};
use super::read::{self, Database};
use super::{input, write};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read `{}`", path.display())]
    Input { path: PathBuf, source: io::Error },
    #[error("the inputs hold nothing that a database is made of")]
    Nothing,
    #[error("could not write the database `{}`", path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error("could not write the database")]
    Sqlite(#[from] rusqlite::Error),
    #[error("could not keep records on the way")]
    Staging(#[source] io::Error),
    #[error("the database that was built cannot be read")]
    Unreadable(#[from] read::Error),
}

/// What a build did.
#[derive(Debug)]
pub struct Report {
    pub about: About,
    pub coverages: Vec<Coverage>,
    pub skipped: Vec<Skipped>,
    /// Of the file, in bytes.
    pub size: u64,
}

/// When it is, and which date the database is given (`SOURCE_DATE_EPOCH`); without
/// one, the date of the newest change in the inputs.
#[derive(Clone, Copy, Debug)]
pub struct Dates {
    pub now: Timestamp,
    pub built: Option<Timestamp>,
}

pub fn build(
    inputs: &[PathBuf],
    output: &Path,
    dates: Dates,
    watch: &dyn Progress,
) -> Result<Report, Error> {
    build_after(None, inputs, output, dates, watch)
}

/// With the database before it, which knows when a feed's records were first seen.
pub fn build_after(
    before: Option<&Database>,
    inputs: &[PathBuf],
    output: &Path,
    dates: Dates,
    watch: &dyn Progress,
) -> Result<Report, Error> {
    let mut gathered = Gathered::new(dates.now.as_second()).map_err(Error::Staging)?;
    for path in inputs {
        std::fs::metadata(path).map_err(|source| Error::Input { path: path.clone(), source })?;
    }
    let files = input::files(inputs, &mut gathered).map_err(Error::Staging)?;
    watch.step_begins("reading", Some(input::total(&files)));
    for file in &files {
        input::read(file, &mut gathered, watch).map_err(Error::Staging)?;
    }
    if gathered.sources.is_empty() && gathered.groups.is_empty() {
        return Err(Error::Nothing);
    }
    let skipped = std::mem::take(&mut gathered.skipped).into_values().collect();
    let size = write::database(gathered, before, output, dates, watch)?;
    let database = Database::open(output)?;
    Ok(Report { about: database.about()?, coverages: database.coverages()?, skipped, size })
}
