//! The database of one machine: a file, with one writer and some readers that never wait for it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, TransactionBehavior};

use crate::dialect::Dialect;
use crate::tx::Arm;
use crate::{Error, Failed, Result, Row, Tx, Value};

/// How long one waits for another process, such as a backup.
const BUSY: Duration = Duration::from_secs(30);
/// Connections that are kept for the next reader.
const READERS: usize = 8;

#[derive(Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Held for as long as the folder is used.
    _lock: File,
}

impl Sqlite {
    /// Opens the file in the folder, which is made where it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Sqlite> {
        let shown = folder.display();
        fs::create_dir_all(folder).map_err(Error::io(format!("cannot make `{shown}`")))?;
        let lock = File::create(folder.join("lock"))
            .map_err(Error::io(format!("cannot write below `{shown}`")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(folder.to_owned())),
            Err(TryLockError::Error(error)) => {
                return Err(Error::io(format!("cannot lock `{shown}`"))(error));
            }
        }
        let path = folder.join("server.db");
        let writer = Connection::open(&path)?;
        writer.busy_timeout(BUSY)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        // What was acknowledged is there after a power failure.
        writer.pragma_update(None, "synchronous", "FULL")?;
        // Space of what was deleted can be given back while the server runs. Before any table.
        writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        writer.pragma_update(None, "journal_size_limit", 64 << 20)?;
        writer.set_prepared_statement_cache_capacity(256);
        Ok(Sqlite {
            path,
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
            _lock: lock,
        })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write<T, E: Failed>(
        &self,
        work: &mut dyn FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer();
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::from)?;
        let done = work(&Tx::new(Arm::Sqlite(&transaction)))?;
        transaction.commit().map_err(Error::from)?;
        Ok(done)
    }

    pub(crate) fn read<T, E: Failed>(
        &self,
        work: &mut dyn FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = self.reader()?;
        let transaction = reader.transaction().map_err(Error::from)?;
        let done = work(&Tx::new(Arm::Sqlite(&transaction)));
        drop(transaction);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(reader);
        }
        done
    }

    fn reader(&self) -> Result<Connection> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.path, flags)?;
        reader.busy_timeout(BUSY)?;
        reader.set_prepared_statement_cache_capacity(256);
        Ok(reader)
    }

    /// A copy of everything as it is now, beside the file.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<()> {
        let text = path.to_str().ok_or_else(|| Error::Place(path.display().to_string()))?;
        self.writer().execute("VACUUM INTO $1", [text])?;
        Ok(())
    }

    /// In bytes, with what is not yet in the file itself.
    pub(crate) fn size(&self) -> u64 {
        let wal = self.path.with_extension("db-wal");
        [&self.path, &wal]
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|it| it.len())
            .sum()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // No column has a fraction; one that has all the same is as near as it gets.
        ValueRef::Real(number) => Value::Int(number as i64),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
    }
}

/// By name: a parameter that a query has not is left out.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, values: &[Value]) -> Result<()> {
    for (number, value) in values.iter().enumerate() {
        let name = format!("${}", number + 1);
        if let Some(index) = statement.parameter_index(&name)? {
            statement.raw_bind_parameter(index, value)?;
        }
    }
    Ok(())
}

pub(crate) fn rows(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&Dialect::Sqlite.translated(sql))?;
    bind(&mut statement, values)?;
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|error| Error::from(error).sorted())? {
        let read = (0..columns).map(|column| row.get_ref(column).map(value));
        found.push(Row(read.collect::<rusqlite::Result<_>>()?));
    }
    Ok(found)
}

pub(crate) fn run(connection: &Connection, sql: &str, values: &[Value]) -> Result<u64> {
    let mut statement = connection.prepare_cached(&Dialect::Sqlite.translated(sql))?;
    bind(&mut statement, values)?;
    let changed = statement.raw_execute().map_err(|error| Error::from(error).sorted())?;
    Ok(changed as u64)
}

impl Sqlite {
    /// Some thousand pages at once, so that no writer waits for long.
    pub(crate) fn give_back(&self) -> Result<()> {
        for _ in 0..64 {
            let writer = self.writer();
            let free: i64 = writer.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
            if free == 0 {
                return Ok(());
            }
            writer.execute_batch("PRAGMA incremental_vacuum(2000)")?;
        }
        Ok(())
    }
}
