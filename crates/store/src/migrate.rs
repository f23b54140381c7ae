//! Brings a database to the form that this program knows, step by step. A step is written once
//! for each database, is never changed afterwards, and is kept with its checksum.

use aws_lc_rs::digest::{SHA256, digest};

use crate::{Error, Millis, Result, Tx, values};

/// The steps of one part of a program.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// In the list of what was done.
    pub part: &'static str,
    pub steps: &'static [Step],
}

/// One step, in the words of each database.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

/// What the store itself needs.
pub(crate) const OWN: Schema = Schema {
    part: "store",
    steps: &[Step {
        sqlite: include_str!("../schema/sqlite/1.sql"),
        postgres: include_str!("../schema/postgres/1.sql"),
    }],
};

/// Which text of a step is meant.
pub(crate) type Words = fn(&Step) -> &'static str;

const DONE: &str = "CREATE TABLE IF NOT EXISTS schema_step (part TEXT NOT NULL, number BIGINT NOT NULL, \
    sum TEXT NOT NULL, done_at BIGINT NOT NULL, PRIMARY KEY (part, number))";

/// How many steps are still to be done. Nothing is changed: whoever serves may not have the right to.
pub(crate) fn missing(tx: &Tx<'_>, schemas: &[Schema], words: Words) -> Result<usize> {
    if !tx.has_table("schema_step")? {
        return Ok(schemas.iter().map(|schema| schema.steps.len()).sum());
    }
    let mut missing = 0;
    for schema in schemas {
        missing += schema.steps.len() - done(tx, schema, words)?;
    }
    Ok(missing)
}

/// Does what is still to be done.
pub(crate) fn run(tx: &Tx<'_>, schemas: &[Schema], words: Words, now: Millis) -> Result<()> {
    tx.script(DONE)?;
    for schema in schemas {
        for (index, step) in schema.steps.iter().enumerate().skip(done(tx, schema, words)?) {
            let text = words(step);
            tx.script(text)?;
            tx.run(
                "INSERT INTO schema_step (part, number, sum, done_at) VALUES ($1, $2, $3, $4)",
                values![schema.part, number(index), sum(text), now],
            )?;
        }
    }
    Ok(())
}

/// How many were done, each as it is known here.
fn done(tx: &Tx<'_>, schema: &Schema, words: Words) -> Result<usize> {
    let rows = tx.rows(
        "SELECT number, sum FROM schema_step WHERE part = $1 ORDER BY number",
        values![schema.part],
    )?;
    let count = rows.len();
    for (index, row) in rows.into_iter().enumerate() {
        let mut fields = row.fields();
        let (number, kept) = (fields.int()?, fields.text()?);
        let Some(step) = schema.steps.get(index) else {
            return Err(Error::Newer {
                found: number,
                known: self::number(schema.steps.len()) - 1,
            });
        };
        if kept != sum(words(step)) {
            return Err(Error::Changed(number));
        }
    }
    Ok(count)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX - 1) + 1
}

fn sum(text: &str) -> String {
    crate::blobs::hex(digest(&SHA256, text.as_bytes()).as_ref())
}
