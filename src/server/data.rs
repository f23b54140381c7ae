//! The vulnerability database that everything is judged with: the file of the command line. A
//! newer file in its place is a new generation; who reads goes on with what it has.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use inscan_store::Millis;
use inscan_vulndb::Database;

use super::answer::{Problem, Result};
use super::tell;

/// Which file lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: Option<SystemTime>,
}

#[derive(Default)]
struct Pool {
    stamp: Option<Stamp>,
    /// Of its content: the same content is the same generation.
    generation: String,
    built: Millis,
    advisories: i64,
    idle: Vec<Database>,
}

pub(crate) struct Data {
    path: Option<PathBuf>,
    /// As it is named in reports.
    source: String,
    pool: Mutex<Pool>,
}

/// A database for one piece of work.
pub(crate) struct Lent<'a> {
    data: &'a Data,
    stamp: Stamp,
    database: Option<Database>,
    pub(crate) generation: String,
    /// When its newest advisory changed.
    pub(crate) built: Millis,
    pub(crate) advisories: i64,
}

/// What stands for the generation where there is no database.
pub(crate) const NONE: &str = "none";

impl Data {
    pub(crate) fn new(path: Option<PathBuf>) -> Data {
        let source = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        Data { path, source, pool: Mutex::default() }
    }

    /// None where no database was given, or there is none at its place yet.
    pub(crate) fn lend(&self) -> Result<Option<Lent<'_>>> {
        let Some(path) = &self.path else { return Ok(None) };
        let Ok(about) = std::fs::metadata(path) else { return Ok(None) };
        let stamp = Stamp { length: about.len(), changed: about.modified().ok() };
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.stamp.as_ref() != Some(&stamp) {
            let database = Database::open(path).map_err(Problem::internal)?;
            let about = database.about().map_err(Problem::internal)?;
            tell::info(
                "the vulnerability database",
                serde_json::json!({"file": self.source, "generation": about.digest,
                    "advisories": about.advisories, "built": about.built.to_string()}),
            );
            pool.idle = vec![database];
            pool.built = about.built.as_millisecond();
            pool.advisories = i64::try_from(about.advisories).unwrap_or(i64::MAX);
            pool.generation = match about.digest {
                // One that does not say what it is: then it is its file.
                digest if digest.is_empty() => format!("{stamp:?}"),
                digest => digest,
            };
            pool.stamp = Some(stamp.clone());
        }
        let (generation, built, advisories) =
            (pool.generation.clone(), pool.built, pool.advisories);
        let idle = pool.idle.pop();
        drop(pool);
        let database = match idle {
            Some(database) => database,
            None => Database::open(path).map_err(Problem::internal)?,
        };
        Ok(Some(Lent {
            data: self,
            stamp,
            database: Some(database),
            generation,
            built,
            advisories,
        }))
    }

    /// Of the data that is there now.
    pub(crate) fn generation(&self) -> Result<String> {
        Ok(self.lend()?.map_or_else(|| NONE.to_owned(), |lent| lent.generation.clone()))
    }
}

impl Lent<'_> {
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("it is there until it is given back")
    }

    pub(crate) fn data(&self) -> inscan_evaluate::Data<'_> {
        inscan_evaluate::Data { database: self.database(), source: &self.data.source }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.data.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.stamp.as_ref() == Some(&self.stamp) && pool.idle.len() < 8 {
            pool.idle.extend(self.database.take());
        }
    }
}
