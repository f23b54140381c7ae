//! The digest of a database's content: of every row, whatever the file around it.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use inscan_facts::digest::{Digest, Sha256};

/// The tables and the order of their rows. Of `about` everything but the digest itself.
const ROWS: &[&str] = &[
    "SELECT key, value FROM about WHERE key <> 'digest' ORDER BY key",
    "SELECT number, bytes FROM dictionary ORDER BY number",
    "SELECT number, name, records, packages, newest FROM ecosystem ORDER BY number",
    "SELECT ecosystem, key, affected FROM package ORDER BY ecosystem, key",
    "SELECT number, id, head FROM advisory ORDER BY number",
    "SELECT number, body FROM text ORDER BY number",
    "SELECT id, family FROM alias ORDER BY id",
    "SELECT cve, entry FROM kev ORDER BY cve",
    "SELECT cve, score FROM epss ORDER BY cve",
    "SELECT cve, entry FROM rating ORDER BY cve",
    "SELECT product, release, entry FROM end_of_life ORDER BY product, release",
    "SELECT feed, name, entry FROM listed ORDER BY feed, name",
];

pub(super) fn of(connection: &Connection) -> rusqlite::Result<Digest> {
    let mut digest = Sha256::new();
    for rows in ROWS {
        // Each value is preceded by its kind and length, so that none runs into the next.
        let mut add = |kind: u8, bytes: &[u8]| {
            digest.update(&[kind]);
            digest.update(&(bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(b'T', rows.as_bytes());
        let mut statement = connection.prepare(rows)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => add(b'n', b""),
                    ValueRef::Integer(number) => add(b'i', &number.to_le_bytes()),
                    ValueRef::Real(number) => add(b'r', &number.to_le_bytes()),
                    ValueRef::Text(text) => add(b't', text),
                    ValueRef::Blob(bytes) => add(b'b', bytes),
                }
            }
        }
    }
    Ok(digest.finish())
}
