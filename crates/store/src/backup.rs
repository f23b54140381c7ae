//! All rows of some tables as lines of JSON, which no database has a say in: for backups, and for
//! moving from one database to another.
//!
//! The first line says what it is; each other line is `["table", value, …]`, with bytes as
//! `{"hex": "…"}`.

use std::io::{BufRead, Write};

use serde_json::{Value as Json, json};

use crate::{Error, Result, Row, Store, Tx, Value};

/// A table whose rows are written and read back.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    /// How many of the columns, from the first, are the key by which rows are in order.
    pub keys: usize,
    pub columns: &'static [&'static str],
    /// The database counts `id` up by itself.
    pub counts: bool,
}

/// Those of the store itself that are worth it. What contents there are is known by the others.
pub const OWN: &[Table] = &[
    Table {
        name: "blob",
        keys: 1,
        columns: &["digest", "size", "stored", "made_at"],
        counts: false,
    },
    Table {
        name: "job",
        keys: 1,
        columns: &[
            "id",
            "kind",
            "key",
            "payload",
            "priority",
            "run_at",
            "lease",
            "worker",
            "tries",
            "max_tries",
            "problem",
            "made_at",
        ],
        counts: true,
    },
];

/// In rows, of one question and of one unit of work.
const PIECE: usize = 5_000;
/// Of one statement that adds rows.
const PARAMETERS: usize = 1_000;
const FORMAT: &str = "inscan rows 1";

fn broken(line: u64) -> Error {
    Error::Backup { line }
}

/// Writes all rows as they are at one moment. Returns how many.
///
/// # Errors
/// Where the database refuses or `out` cannot be written.
pub fn write(store: &Store, tables: &[Table], out: &mut dyn Write) -> Result<u64> {
    let mut count = 0;
    writeln!(out, "{}", json!([FORMAT])).map_err(Error::io("cannot write the backup"))?;
    store.read_once(|tx| {
        for table in tables {
            count += table.write(tx, out)?;
        }
        Ok(())
    })?;
    Ok(count)
}

impl Table {
    fn key(&self) -> String {
        self.columns.iter().take(self.keys).copied().collect::<Vec<_>>().join(", ")
    }

    fn write(&self, tx: &Tx<'_>, out: &mut dyn Write) -> Result<u64> {
        let (columns, key) = (self.columns.join(", "), self.key());
        let marks: Vec<String> = (1..=self.keys).map(|number| format!("${number}")).collect();
        let first = format!("SELECT {columns} FROM {} ORDER BY {key} LIMIT {PIECE}", self.name);
        let next = format!(
            "SELECT {columns} FROM {} WHERE ({key}) > ({}) ORDER BY {key} LIMIT {PIECE}",
            self.name,
            marks.join(", ")
        );
        let mut count = 0;
        let mut after: Option<Vec<Value>> = None;
        loop {
            let rows = match &after {
                None => tx.rows(&first, &[])?,
                Some(after) => tx.rows(&next, after)?,
            };
            for Row(values) in &rows {
                let shown = values.iter().map(shown);
                let line: Vec<Json> = std::iter::once(self.name.into()).chain(shown).collect();
                writeln!(out, "{}", Json::Array(line))
                    .map_err(Error::io("cannot write the backup"))?;
            }
            count += rows.len() as u64;
            if rows.len() < PIECE {
                return Ok(count);
            }
            after = rows.into_iter().last().map(|Row(mut values)| {
                values.truncate(self.keys);
                values
            });
        }
    }

    /// For so many rows.
    fn insert(&self, rows: usize) -> String {
        let width = self.columns.len();
        let marks = |row: usize| {
            let marks: Vec<String> =
                (1..=width).map(|number| format!("${}", row * width + number)).collect();
            format!("({})", marks.join(", "))
        };
        let all: Vec<String> = (0..rows).map(marks).collect();
        format!("INSERT INTO {} ({}) VALUES {}", self.name, self.columns.join(", "), all.join(", "))
    }

    /// Rows that one statement adds: many where each statement goes over a network.
    fn at_once(&self, store: &Store) -> usize {
        match store.is_remote() {
            true => (PARAMETERS / self.columns.len().max(1)).max(1),
            false => 1,
        }
    }
}

fn shown(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => json!({"hex": crate::blobs::hex(bytes)}),
    }
}

fn read_value(value: &Json) -> Option<Value> {
    match value {
        Json::Null => Some(Value::Null),
        Json::Number(number) => number.as_i64().map(Value::Int),
        Json::String(text) => Some(Value::from(text)),
        Json::Object(object) => {
            let hex = object.get("hex")?.as_str()?.as_bytes();
            let pairs = hex.chunks(2).map(|pair| std::str::from_utf8(pair).ok());
            let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok());
            bytes.collect::<Option<Vec<u8>>>().map(Value::Bytes)
        }
        _ => None,
    }
}

/// Reads rows into tables that have none. Returns how many.
///
/// # Errors
/// Where a table has rows already, a line is not understood, or the database refuses.
pub fn read(store: &Store, tables: &[Table], lines: &mut dyn BufRead) -> Result<u64> {
    store.read(|tx| {
        for table in tables {
            if tx.row(&format!("SELECT 1 FROM {} LIMIT 1", table.name), &[])?.is_some() {
                return Err(Error::NotEmpty(table.name));
            }
        }
        Ok(())
    })?;
    let mut piece: Vec<(usize, Vec<Value>)> = Vec::new();
    let mut count = 0;
    for (number, line) in (1u64..).zip(lines.lines()) {
        let line = line.map_err(Error::io("cannot read the backup"))?;
        let values: Vec<Json> = serde_json::from_str(&line).map_err(|_| broken(number))?;
        if number == 1 {
            if values != [json!(FORMAT)] {
                return Err(broken(number));
            }
            continue;
        }
        let (name, values) = values.split_first().ok_or_else(|| broken(number))?;
        let place = tables.iter().position(|table| *name == table.name);
        let place = place.ok_or_else(|| broken(number))?;
        let values: Option<Vec<Value>> = values.iter().map(read_value).collect();
        let values = values.filter(|values| values.len() == tables[place].columns.len());
        piece.push((place, values.ok_or_else(|| broken(number))?));
        count += 1;
        if piece.len() >= PIECE {
            keep(store, tables, &std::mem::take(&mut piece))?;
        }
    }
    if count == 0 {
        return Err(broken(1));
    }
    keep(store, tables, &piece)?;
    store.go_on_counting(tables)?;
    Ok(count)
}

/// Rows of one table that follow each other are added together: a server of a database is asked
/// over a network.
fn keep(store: &Store, tables: &[Table], piece: &[(usize, Vec<Value>)]) -> Result<()> {
    store.write(|tx| {
        for run in piece.chunk_by(|one, next| one.0 == next.0) {
            let Some(table) = run.first().and_then(|(place, _)| tables.get(*place)) else {
                continue;
            };
            let most = table.at_once(store);
            for rows in run.chunks(most) {
                // A last short one row by row, so that there are two statements for each table.
                let each = if rows.len() == most { most } else { 1 };
                let sql = table.insert(each);
                for rows in rows.chunks(each) {
                    let values: Vec<Value> =
                        rows.iter().flat_map(|(_, values)| values.iter().cloned()).collect();
                    tx.run(&sql, &values)?;
                }
            }
        }
        Ok(())
    })
}
