//! The database of shared installations: a PostgreSQL server, by some connections that are kept.

mod tls;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as _;
use std::str::FromStr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use postgres::error::SqlState;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, IsolationLevel, Statement, Transaction};

use self::tls::{Asked, Connector};
use crate::dialect::Dialect;
use crate::tx::Arm;
use crate::{Error, Failed, Result, Row, Tx, Value};

/// Connections of one process.
const MOST: usize = 16;
const CONNECT: Duration = Duration::from_secs(10);
/// What was sent and is not taken for so long: nobody is there any longer.
const SILENT: Duration = Duration::from_secs(30);
/// Nothing that the server asks takes longer, and a unit of work that waits holds no rows.
const SESSION: &str = "SET statement_timeout = '120s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET lock_timeout = '60s'";
/// Statements that one connection keeps prepared.
const PREPARED: usize = 512;

pub(crate) struct Postgres {
    config: Config,
    tls: Connector,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    /// Those that are lent included.
    count: usize,
}

struct Connection {
    client: Client,
    prepared: RefCell<HashMap<String, Statement>>,
}

/// What a transaction is asked, without its lifetimes.
pub(crate) trait Asks {
    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>>;
    fn run(&self, sql: &str, values: &[Value]) -> Result<u64>;
    fn script(&self, sql: &str) -> Result<()>;
}

struct Work<'a> {
    transaction: RefCell<Transaction<'a>>,
    prepared: &'a RefCell<HashMap<String, Statement>>,
    /// Something was changed, or may have been.
    changed: Cell<bool>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address has a password in it.
        f.write_str("Postgres")
    }
}

impl Postgres {
    pub(crate) fn open(address: &str) -> Result<Postgres> {
        let asked = Asked::parse(address)?;
        let mut config = Config::from_str(&asked.rest)?;
        config.connect_timeout(CONNECT).tcp_user_timeout(SILENT).application_name("inscan");
        config.ssl_mode(asked.mode());
        let tls = asked.connector()?;
        let postgres = Postgres { config, tls, pool: Mutex::default(), returned: Condvar::new() };
        let connection = postgres.connect()?;
        let mut pool = postgres.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.idle.push(connection);
        pool.count = 1;
        drop(pool);
        Ok(postgres)
    }

    fn connect(&self) -> Result<Connection> {
        let mut client = self.config.connect(self.tls.clone())?;
        client.batch_execute(SESSION)?;
        Ok(Connection { client, prepared: RefCell::default() })
    }

    /// One that is idle, or a new one; waits where there are many.
    fn lend(&self) -> Result<Connection> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = pool.idle.pop() {
                if !connection.client.is_closed() {
                    return Ok(connection);
                }
                pool.count -= 1;
                continue;
            }
            if pool.count < MOST {
                pool.count += 1;
                break;
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        drop(pool);
        self.connect().inspect_err(|_| self.forget())
    }

    fn forget(&self) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.count = pool.count.saturating_sub(1);
        drop(pool);
        self.returned.notify_one();
    }

    fn take_back(&self, connection: Connection) {
        if connection.client.is_closed() {
            // The others went with it, more often than not: they are tried one by one otherwise.
            let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            pool.count = pool.count.saturating_sub(1 + pool.idle.len());
            pool.idle.clear();
            drop(pool);
            return self.returned.notify_all();
        }
        if connection.prepared.borrow().len() > PREPARED {
            connection.prepared.borrow_mut().clear();
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.idle.push(connection);
        drop(pool);
        self.returned.notify_one();
    }

    pub(crate) fn write<T, E: Failed>(
        &self,
        work: &mut dyn FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.within(IsolationLevel::RepeatableRead, false, work)
    }

    pub(crate) fn add<T, E: Failed>(
        &self,
        work: &mut dyn FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.within(IsolationLevel::ReadCommitted, false, work)
    }

    pub(crate) fn read<T, E: Failed>(
        &self,
        work: &mut dyn FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.within(IsolationLevel::RepeatableRead, true, work)
    }

    fn within<T, E: Failed>(
        &self,
        level: IsolationLevel,
        read_only: bool,
        work: &mut dyn FnMut(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lend()?;
        let done = (|| {
            let builder = connection.client.build_transaction();
            let transaction =
                builder.isolation_level(level).read_only(read_only).start().map_err(Error::from)?;
            let asked = Work {
                transaction: RefCell::new(transaction),
                prepared: &connection.prepared,
                changed: Cell::new(false),
            };
            let done = work(&Tx::new(Arm::Postgres(&asked)))?;
            // Where the end of the connection comes before the answer, it can be asked for by this.
            let number = if asked.changed.get() { asked.number()? } else { None };
            match (asked.transaction.into_inner().commit(), number) {
                (Err(error), Some(number)) if is_of_connection(&error) => {
                    if self.was_committed(&number)? {
                        Ok(done)
                    } else {
                        Err(Error::from(error).into())
                    }
                }
                (ended, _) => ended.map(|()| done).map_err(|error| Error::from(error).into()),
            }
        })();
        self.take_back(connection);
        done
    }
}

/// How often an unclear end is asked about, and the time between.
const UNCLEAR: (u32, Duration) = (100, Duration::from_millis(100));

impl Postgres {
    /// What became of a unit of work whose connection went while it was ended.
    fn was_committed(&self, number: &str) -> Result<bool> {
        let mut last = None;
        for _ in 0..UNCLEAR.0 {
            let asked = self.connect().and_then(|mut connection| {
                let sql = "SELECT pg_xact_status(CAST(CAST($1 AS TEXT) AS xid8))";
                let row = connection.client.query_one(sql, &[&number])?;
                Ok(row.try_get::<_, Option<String>>(0)?)
            });
            match asked.as_ref().map(|status| status.as_deref()) {
                Ok(Some("committed")) => return Ok(true),
                Ok(Some("aborted")) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.may_pass() => last = asked.err(),
                Err(_) => return asked.map(|_| false),
            }
            std::thread::sleep(UNCLEAR.1);
        }
        Err(last.unwrap_or(Error::Unclear))
    }
}

impl Work<'_> {
    /// Of the unit of work, where the database gave it one.
    fn number(&self) -> Result<Option<String>> {
        let statement = self.prepared("SELECT CAST(pg_current_xact_id_if_assigned() AS TEXT)")?;
        let row = self.transaction.borrow_mut().query_one(&statement, &[])?;
        Ok(row.try_get(0)?)
    }

    fn prepared(&self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.prepared.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let text = Dialect::Postgres.translated(sql);
        let statement = self.transaction.borrow_mut().prepare(&text)?;
        self.prepared.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// As many as the statement has: one that it does not use is left out, as in the other database.
fn parameters<'a>(
    statement: &Statement,
    values: &'a [Value],
) -> Result<Vec<&'a (dyn ToSql + Sync)>> {
    let count = statement.params().len();
    let used = values.get(..count).ok_or(Error::Shape { column: count })?;
    Ok(used.iter().map(|value| value as &(dyn ToSql + Sync)).collect())
}

impl Asks for Work<'_> {
    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        if !sql.trim_start().starts_with("SELECT") {
            self.changed.set(true);
        }
        let statement = self.prepared(sql)?;
        let parameters = parameters(&statement, values)?;
        let rows = self.transaction.borrow_mut().query(&statement, &parameters);
        let rows = rows.map_err(|error| Error::from(error).sorted())?;
        rows.iter().map(row).collect()
    }

    fn run(&self, sql: &str, values: &[Value]) -> Result<u64> {
        self.changed.set(true);
        let statement = self.prepared(sql)?;
        let parameters = parameters(&statement, values)?;
        let changed = self.transaction.borrow_mut().execute(&statement, &parameters);
        changed.map_err(|error| Error::from(error).sorted())
    }

    fn script(&self, sql: &str) -> Result<()> {
        Ok(self.transaction.borrow_mut().batch_execute(sql)?)
    }
}

fn row(row: &postgres::Row) -> Result<Row> {
    let column = |(index, column): (usize, &postgres::Column)| -> Result<Value> {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(i64::from).into(),
            Type::BOOL => row.try_get::<_, Option<bool>>(index)?.into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
            Type::TEXT | Type::VARCHAR | Type::NAME => {
                row.try_get::<_, Option<String>>(index)?.into()
            }
            _ => return Err(Error::Shape { column: index + 1 }),
        })
    };
    Ok(Row(row.columns().iter().enumerate().map(column).collect::<Result<_>>()?))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Value::Int(number) if *ty == Type::BOOL => (*number != 0).to_sql(ty, out),
            Value::Int(number) => number.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// With what the server says, which the error itself leaves out.
pub(crate) fn told(error: &postgres::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Two units of work were in each other's way, or the connection went.
pub(crate) fn may_pass(error: &postgres::Error) -> bool {
    let passing = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CONNECTION_FAILURE,
        SqlState::CONNECTION_EXCEPTION,
        SqlState::CONNECTION_DOES_NOT_EXIST,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    error.code().is_some_and(|code| passing.contains(code)) || is_of_connection(error)
}

/// The connection went, or there was none.
fn is_of_connection(error: &postgres::Error) -> bool {
    // What a certificate is refused for is of this kind as well, and stays so.
    let is_io = |source: &(dyn std::error::Error + 'static)| {
        source.downcast_ref::<std::io::Error>().is_some_and(|error| {
            !matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::Other)
        })
    };
    let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
    error.is_closed()
        || error.source().is_some_and(is_io)
        || error.code().is_some_and(|code| ended.contains(code))
}

pub(crate) fn conflicts(error: &postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("23"))
}
