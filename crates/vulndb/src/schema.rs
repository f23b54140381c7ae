//! The tables of the database file. docs/database.md explains them.

/// Who reads an older file builds or fetches a new one; a newer one needs a newer inscan.
pub const SCHEMA: u32 = 1;

/// `insc`, in the header of the file: <https://sqlite.org/pragma.html#pragma_application_id>.
pub const APPLICATION_ID: i32 = 0x696e_7363;

/// What makes the tables, word for word: a file with any other is not ours.
pub(super) const TABLES: &[(&str, &str)] = &[
    ("about", "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"),
    ("dictionary", "CREATE TABLE dictionary (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"),
    (
        "ecosystem",
        "CREATE TABLE ecosystem (number INTEGER PRIMARY KEY, name TEXT NOT NULL, \
         records INTEGER NOT NULL, packages INTEGER NOT NULL, newest INTEGER)",
    ),
    (
        "package",
        "CREATE TABLE package (ecosystem INTEGER NOT NULL, key TEXT NOT NULL, \
         affected BLOB NOT NULL, PRIMARY KEY (ecosystem, key)) WITHOUT ROWID",
    ),
    (
        "advisory",
        "CREATE TABLE advisory (number INTEGER PRIMARY KEY, id TEXT NOT NULL, head BLOB NOT NULL)",
    ),
    ("text", "CREATE TABLE text (number INTEGER PRIMARY KEY, body BLOB NOT NULL)"),
    ("alias", "CREATE TABLE alias (id TEXT PRIMARY KEY, family INTEGER NOT NULL) WITHOUT ROWID"),
    ("kev", "CREATE TABLE kev (cve TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID"),
    ("epss", "CREATE TABLE epss (cve INTEGER PRIMARY KEY, score INTEGER NOT NULL)"),
    ("rating", "CREATE TABLE rating (cve INTEGER PRIMARY KEY, entry TEXT NOT NULL)"),
    (
        "end_of_life",
        "CREATE TABLE end_of_life (product TEXT NOT NULL, release TEXT NOT NULL, \
         entry TEXT NOT NULL, PRIMARY KEY (product, release)) WITHOUT ROWID",
    ),
    (
        "listed",
        "CREATE TABLE listed (feed TEXT NOT NULL, name TEXT NOT NULL, entry TEXT NOT NULL, \
         PRIMARY KEY (feed, name)) WITHOUT ROWID",
    ),
    ("advisory_id", "CREATE INDEX advisory_id ON advisory (id)"),
    ("alias_family", "CREATE INDEX alias_family ON alias (family, id)"),
];

/// The dictionaries, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dictionary {
    Head = 1,
    Text = 2,
    Package = 3,
}

/// A CVE as a number: year and sequence number. None for what is no CVE.
pub(super) fn cve_number(id: &str) -> Option<i64> {
    let (year, sequence) = id.strip_prefix("CVE-")?.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if year.len() != 4 || !digits(year) || !digits(sequence) || sequence.len() > 10 {
        return None;
    }
    Some(year.parse::<i64>().ok()? * 10_000_000_000 + sequence.parse::<i64>().ok()?)
}

/// Scores have five decimals at most.
pub(super) const SCORE_SCALE: i64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cve_is_a_number() {
        assert_eq!(cve_number("CVE-2021-44228"), Some(20_210_000_044_228));
        for wrong in ["CVE-2021-", "GHSA-2021-1", "CVE-21-1", "CVE-2021-+1", "CVE-2021-12345678901"]
        {
            assert_eq!(cve_number(wrong), None, "{wrong}");
        }
    }
}
