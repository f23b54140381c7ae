//! A unit of work, whichever database does it.

use crate::{Result, Row, Value, values};

/// What is asked and changed within one unit of work. It ends with the closure that got it: by
/// `Ok` what was changed holds, by `Err` nothing does.
pub struct Tx<'a> {
    arm: Arm<'a>,
}

pub(crate) enum Arm<'a> {
    Sqlite(&'a rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(&'a dyn crate::postgres::Asks),
}

impl<'a> Tx<'a> {
    pub(crate) fn new(arm: Arm<'a>) -> Self {
        Tx { arm }
    }

    /// All rows of an answer. `values` are the parameters `$1`, `$2` and so on.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        match &self.arm {
            Arm::Sqlite(connection) => crate::sqlite::rows(connection, sql, values),
            #[cfg(feature = "postgres")]
            Arm::Postgres(transaction) => transaction.rows(sql, values),
        }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn row(&self, sql: &str, values: &[Value]) -> Result<Option<Row>> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }

    /// Changes rows, and says how many.
    ///
    /// # Errors
    /// Where the database refuses: [`crate::Error::Conflict`] for a row that is there already.
    pub fn run(&self, sql: &str, values: &[Value]) -> Result<u64> {
        match &self.arm {
            Arm::Sqlite(connection) => crate::sqlite::run(connection, sql, values),
            #[cfg(feature = "postgres")]
            Arm::Postgres(transaction) => transaction.run(sql, values),
        }
    }

    /// Waits until nobody else is in a unit of work that said the same number, and keeps others out
    /// until this one ends. To be said first, within [`crate::Store::add`]: what is read afterwards
    /// is what those before have left. In SQLite whoever changes is alone anyway.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn alone(&self, number: i64) -> Result<()> {
        match &self.arm {
            Arm::Sqlite(_) => {
                let _ = number;
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Arm::Postgres(transaction) => transaction
                .rows("SELECT 1 FROM pg_advisory_xact_lock($1)", &[Value::Int(number)])
                .map(drop),
        }
    }

    pub(crate) fn has_table(&self, name: &str) -> Result<bool> {
        let sql = match &self.arm {
            Arm::Sqlite(_) => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
            // As names are looked up: where `search_path` says.
            #[cfg(feature = "postgres")]
            Arm::Postgres(_) => "SELECT 1 WHERE to_regclass(CAST($1 AS TEXT)) IS NOT NULL",
        };
        Ok(self.row(sql, values![name])?.is_some())
    }

    /// Several statements without parameters, as a step of a schema is.
    pub(crate) fn script(&self, sql: &str) -> Result<()> {
        match &self.arm {
            Arm::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            #[cfg(feature = "postgres")]
            Arm::Postgres(transaction) => transaction.script(sql),
        }
    }
}

/// The parameters of a query: `values![digest, 7, None::<i64>]`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::Value::from($value)),*] };
}
