//! Where the database lies, and how another takes its place: as a whole or not at
//! all, while any number of processes read the one that was there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::read::{self, Database};
use super::signature::{self, Key};

/// A source that was asked is not asked again for so long.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// A source that failed is not asked again by scans for so long.
const HOUR: Duration = Duration::from_secs(3600);
/// Larger is no database: it is read as a whole to verify its signature.
pub const MAX_DATABASE: u64 = 4 << 30;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not put the database to `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Database(#[from] read::Error),
    #[error("there is no signature to verify")]
    Unsigned,
    #[error(transparent)]
    Signature(#[from] signature::Error),
}

/// Verifies a file that is to become the database: that it is one, whole, and signed
/// where a key is given.
pub fn verify(file: &Path, key: Option<&Key>, signature: Option<&[u8]>) -> Result<(), Error> {
    // The signature first: what is not signed is not even opened.
    if let Some(key) = key {
        let signature = signature.ok_or(Error::Unsigned)?;
        let failed = |source| Error::Io { path: file.to_owned(), source };
        let mut content = Vec::new();
        let opened = File::open(file).map_err(failed)?;
        io::Read::read_to_end(&mut io::Read::take(opened, MAX_DATABASE), &mut content)
            .map_err(failed)?;
        key.verify(&content, signature)?;
    }
    Database::open(file)?.verify()?;
    Ok(())
}

/// A file beside the place of the database, to be filled and then [`Incoming::install`]ed.
pub struct Incoming {
    temporary: tempfile::NamedTempFile,
    place: PathBuf,
}

impl Incoming {
    pub fn new(place: &Path) -> Result<Incoming, Error> {
        let folder = folder_of(place)?;
        let made = tempfile::Builder::new().prefix(".inscan-db-").make_in(&folder, |path| {
            // With the mode any new file gets: temporary files are usually private.
            OpenOptions::new().read(true).write(true).create_new(true).open(path)
        });
        let failed = |source| Error::Io { path: place.to_owned(), source };
        Ok(Incoming { temporary: made.map_err(failed)?, place: place.to_owned() })
    }

    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    pub fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    pub fn install(self) -> Result<(), Error> {
        let failed = |source| Error::Io { path: self.place.clone(), source };
        self.temporary.as_file().sync_all().map_err(failed)?;
        self.temporary.persist(&self.place).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Copies a file to the place of the database, once it is verified there.
pub fn import(
    file: &Path,
    place: &Path,
    key: Option<&Key>,
    signature: Option<&[u8]>,
) -> Result<(), Error> {
    let mut incoming = Incoming::new(place)?;
    let failed = |source| Error::Io { path: file.to_owned(), source };
    let mut from = File::open(file).map_err(failed)?;
    io::copy(&mut from, incoming.file()).map_err(failed)?;
    verify(incoming.path(), key, signature)?;
    incoming.install()
}

/// The folder of a place, made where it is not there yet.
pub(super) fn folder_of(place: &Path) -> Result<PathBuf, Error> {
    let folder = match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&folder).map_err(|source| Error::Io { path: place.to_owned(), source })?;
    Ok(folder)
}

/// A file of the same name with something behind it: `vulnerabilities.db.state.json`.
pub(super) fn beside(place: &Path, ending: &str) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    place.with_file_name(name)
}

/// How long ago it was; a clock that was set back knows nothing.
fn since(seconds: i64, now: Timestamp) -> Option<Duration> {
    let ago = now.as_second().checked_sub(seconds)?;
    u64::try_from(ago).ok().map(Duration::from_secs)
}

/// When the source of the database was last asked, beside the database. Without it
/// nothing is lost but time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub sources: Vec<String>,
    /// Seconds since 1970.
    pub checked: i64,
    /// The sources are the public ones, of which some may fail.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
    /// What the source called the version that is here.
    pub version: Option<String>,
    /// The last time that a scan asked and it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub sources: Vec<String>,
    /// Seconds since 1970.
    pub at: i64,
}

impl State {
    pub fn read(place: &Path) -> State {
        let text = fs::read_to_string(beside(place, ".state.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(super) fn write(&self, place: &Path) -> io::Result<()> {
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        file.persist(beside(place, ".state.json")).map_err(|error| error.error)?;
        Ok(())
    }

    /// How long ago these sources were asked.
    pub fn since_checked(&self, sources: &[String], now: Timestamp) -> Option<Duration> {
        (self.sources == sources).then(|| since(self.checked, now)).flatten()
    }

    /// Whether a scan is to ask these sources, where a database is here: once a day, and not
    /// each time for as long as they cannot be reached.
    pub fn is_due(&self, sources: &[String], now: Timestamp) -> bool {
        let failed = self.failed.as_ref().filter(|failed| failed.sources == sources);
        let is_fresh = self.since_checked(sources, now).is_some_and(|since| since < DAY);
        let has_failed = failed.and_then(|failed| since(failed.at, now));
        !is_fresh && has_failed.is_none_or(|since| since >= HOUR)
    }

    pub fn note_failure(place: &Path, sources: &[String], now: Timestamp) -> io::Result<()> {
        let failed = Some(Failed { sources: sources.to_vec(), at: now.as_second() });
        State { failed, ..State::read(place) }.write(place)
    }
}
