//! The store itself: which database, and how a unit of work is done in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::migrate::{self, OWN, Schema};
#[cfg(feature = "postgres")]
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{Error, Failed, Millis, Result, Tx};

/// How often a unit of work is begun again where two were in each other's way.
const TRIES: u32 = 25;
/// Two that begin at once do a step of the schema once.
const SCHEMA: i64 = 747_371;

/// Where the rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder with a file of SQLite.
    Folder(PathBuf),
    /// The address of a PostgreSQL server, with the name of the database.
    Postgres(String),
}

/// Rows, in one of two databases.
#[derive(Debug)]
pub struct Store {
    arm: Database,
}

#[derive(Debug)]
enum Database {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

impl Place {
    /// # Errors
    /// For an address of another kind of database.
    pub fn parse(text: &str) -> Result<Place> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Place::Postgres(text.to_owned())),
            Some(_) => Err(Error::Place(text.split("://").next().unwrap_or_default().to_owned())),
            None => Ok(Place::Folder(PathBuf::from(text))),
        }
    }
}

impl Store {
    /// Opens a database and brings it to the form of `schemas`. Before a change to one that has
    /// something in it, SQLite's is copied to `before-N.db` beside it.
    ///
    /// # Errors
    /// Where it cannot be reached, is used by somebody else, or is of a newer program.
    pub fn open(place: &Place, schemas: &[Schema]) -> Result<Store> {
        Store::open_counting(place, schemas).map(|(store, _)| store)
    }

    /// As [`Store::open`], but it changes nothing.
    ///
    /// # Errors
    /// Also where the form is an older one.
    pub fn open_as_it_is(place: &Place, schemas: &[Schema]) -> Result<Store> {
        let schemas: Vec<Schema> = std::iter::once(OWN).chain(schemas.iter().copied()).collect();
        let store = Store { arm: Database::open(place)? };
        let words = store.words();
        match store.write(|tx| migrate::missing(tx, &schemas, words))? {
            0 => Ok(store),
            missing => Err(Error::Older(missing)),
        }
    }

    /// What is wrong with the database itself, a line for each: SQLite reads its whole file. Where a
    /// PostgreSQL server is damaged, whoever runs it has the programs to tell.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn faults(&self) -> Result<Vec<String>> {
        match &self.arm {
            Database::Sqlite(_) => self.read(|tx| {
                let rows = tx.rows("PRAGMA integrity_check(100)", &[])?;
                let told: Vec<String> =
                    rows.into_iter().map(crate::Row::text).collect::<Result<_>>()?;
                Ok(told.into_iter().filter(|line| line != "ok").collect())
            }),
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// As [`Store::open`], with how many steps were done.
    ///
    /// # Errors
    /// The same.
    pub fn open_counting(place: &Place, schemas: &[Schema]) -> Result<(Store, usize)> {
        let schemas: Vec<Schema> = std::iter::once(OWN).chain(schemas.iter().copied()).collect();
        let store = Store { arm: Database::open(place)? };
        let words = store.words();
        // By `add`: it must see what another has done while it waited for the lock.
        let missing = store.add(|tx| {
            tx.alone(SCHEMA)?;
            migrate::missing(tx, &schemas, words)
        })?;
        let all: usize = schemas.iter().map(|schema| schema.steps.len()).sum();
        if missing > 0 {
            if missing < all {
                store.back_up(all - missing)?;
            }
            store.add(|tx| {
                tx.alone(SCHEMA)?;
                migrate::run(tx, &schemas, words, now())
            })?;
        }
        Ok((store, missing))
    }

    /// Reads: what it sees is as it was at its first question. Where the connection goes, `work` is
    /// done again.
    ///
    /// # Errors
    /// Those of `work`, and where the database refuses.
    pub fn read<T, E: Failed>(
        &self,
        mut work: impl FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        patiently(|| match &self.arm {
            Database::Sqlite(sqlite) => sqlite.read(&mut work),
            #[cfg(feature = "postgres")]
            Database::Postgres(postgres) => postgres.read(&mut work),
        })
    }

    /// As [`Store::read`], but never again: for what cannot be taken back.
    pub(crate) fn read_once<T>(&self, mut work: impl FnMut(&Tx<'_>) -> Result<T>) -> Result<T> {
        match &self.arm {
            Database::Sqlite(sqlite) => sqlite.read(&mut work),
            #[cfg(feature = "postgres")]
            Database::Postgres(postgres) => postgres.read(&mut work),
        }
    }

    /// Changes, all or nothing. It sees what was there at its first question; where another
    /// changes the same row meanwhile, `work` is done again: it must change nothing but rows.
    ///
    /// # Errors
    /// Those of `work`, and where the database refuses.
    pub fn write<T, E: Failed>(
        &self,
        mut work: impl FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        patiently(|| match &self.arm {
            Database::Sqlite(sqlite) => sqlite.write(&mut work),
            #[cfg(feature = "postgres")]
            Database::Postgres(postgres) => postgres.write(&mut work),
        })
    }

    /// Adds rows that are the same whoever adds them, with `ON CONFLICT DO NOTHING`: many may do so
    /// at once, and see what others have added meanwhile. In an order that all keep to.
    ///
    /// # Errors
    /// Those of `work`, and where the database refuses.
    pub fn add<T, E: Failed>(&self, mut work: impl FnMut(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        patiently(|| match &self.arm {
            Database::Sqlite(sqlite) => sqlite.write(&mut work),
            #[cfg(feature = "postgres")]
            Database::Postgres(postgres) => postgres.add(&mut work),
        })
    }

    /// In bytes.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn size(&self) -> Result<u64> {
        match &self.arm {
            Database::Sqlite(sqlite) => Ok(sqlite.size()),
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => {
                let size = self.read(|tx| {
                    let row = tx.row("SELECT pg_database_size(current_database())", &[])?;
                    row.map_or(Ok(0), crate::Row::int)
                })?;
                Ok(u64::try_from(size).unwrap_or_default())
            }
        }
    }

    /// Whether each statement goes to another process.
    pub(crate) fn is_remote(&self) -> bool {
        !matches!(self.arm, Database::Sqlite(_))
    }

    /// `SQLite` or `PostgreSQL`.
    pub fn kind(&self) -> &'static str {
        match &self.arm {
            Database::Sqlite(_) => "SQLite",
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => "PostgreSQL",
        }
    }

    /// Gives the space of deleted rows back, a piece at a time. PostgreSQL does so by itself.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn give_back(&self) -> Result<()> {
        match &self.arm {
            Database::Sqlite(sqlite) => sqlite.give_back(),
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => Ok(()),
        }
    }

    /// After rows came with their numbers: the next one gets a new one. SQLite knows by itself.
    pub(crate) fn go_on_counting(&self, tables: &[crate::backup::Table]) -> Result<()> {
        match &self.arm {
            Database::Sqlite(_) => {
                let _ = tables;
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => self.write(|tx| {
                for table in tables.iter().filter(|table| table.counts) {
                    let name = table.name;
                    let sql = format!(
                        "SELECT setval(pg_get_serial_sequence('{name}', 'id'), \
                         (SELECT COALESCE(MAX(id), 0) + 1 FROM {name}), false)"
                    );
                    tx.rows(&sql, &[])?;
                }
                Ok(())
            }),
        }
    }

    fn words(&self) -> migrate::Words {
        match &self.arm {
            Database::Sqlite(_) => |step| step.sqlite,
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => |step| step.postgres,
        }
    }

    fn back_up(&self, steps: usize) -> Result<()> {
        match &self.arm {
            Database::Sqlite(sqlite) => {
                let path: PathBuf = sqlite.folder().join(format!("before-{steps}.db"));
                remove(&path)?;
                sqlite.copy_to(&path)
            }
            // Whoever runs such a server has backups of it.
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => Ok(()),
        }
    }
}

impl Database {
    fn open(place: &Place) -> Result<Database> {
        match place {
            Place::Folder(folder) => Ok(Database::Sqlite(Sqlite::open(folder)?)),
            #[cfg(feature = "postgres")]
            Place::Postgres(address) => Ok(Database::Postgres(Postgres::open(address)?)),
            #[cfg(not(feature = "postgres"))]
            Place::Postgres(_) => {
                Err(Error::Place("postgres (this program was built without it)".to_owned()))
            }
        }
    }
}

/// Again where two were in each other's way, later and later, and not at the same moment.
fn patiently<T, E: Failed>(mut attempt: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut tries = 1;
    loop {
        match attempt() {
            Err(error) if tries < TRIES && error.of_store().is_some_and(Error::may_pass) => {
                let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let chance = u64::from(nanos.subsec_micros() % 16);
                std::thread::sleep(Duration::from_millis(chance + u64::from(tries * tries)));
                tries += 1;
            }
            done => return done,
        }
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("cannot replace `{}`", path.display()))(error))
        }
        _ => Ok(()),
    }
}

/// The time of this machine.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
