//! The few words in which the two databases differ. A query is written once, with parameters as
//! `$1`, `$2`, and these tokens where they have no common form:
//!
//! - `{skip}` after a `SELECT`: leave out rows that somebody else is about to change.
//! - `{list:$n}` after `IN`: the texts of a list, handed in as JSON; `{numbers:$n}`: its numbers.
//! - `{rows:$n}` after `FROM`: the rows of a list of lists, handed in as JSON; `(value ->> 0)` is the
//!   first of a row, as text.
//!
//! SQLite numbers `$2 … $1` by the order in which they stand, so parameters are bound by name.

use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "one of the two only"))]
    Postgres,
}

impl Dialect {
    pub(crate) fn translated(self, sql: &str) -> Cow<'_, str> {
        if !sql.contains('{') {
            return Cow::Borrowed(sql);
        }
        let mut text = String::with_capacity(sql.len() + 64);
        let mut rest = sql;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (token, after) = after.split_once('}').unwrap_or((after, ""));
            self.token(token, &mut text);
            rest = after;
        }
        text.push_str(rest);
        Cow::Owned(text)
    }

    fn token(self, token: &str, text: &mut String) {
        let (name, of) = token.split_once(':').unwrap_or((token, ""));
        match (self, name) {
            (Dialect::Postgres, "skip") => text.push_str("FOR UPDATE SKIP LOCKED"),
            (Dialect::Sqlite, "list" | "numbers") => {
                text.push_str(&format!("(SELECT value FROM json_each({of}))"));
            }
            (Dialect::Sqlite, "rows") => text.push_str(&format!("json_each({of})")),
            (Dialect::Postgres, "rows") => {
                text.push_str(&format!(
                    "json_array_elements(CAST(CAST({of} AS TEXT) AS JSON)) AS each(value)"
                ));
            }
            (Dialect::Postgres, "list") => {
                text.push_str(&format!(
                    "(SELECT json_array_elements_text(CAST(CAST({of} AS TEXT) AS JSON)))"
                ));
            }
            (Dialect::Postgres, "numbers") => {
                text.push_str(&format!(
                    "(SELECT CAST(json_array_elements_text(CAST(CAST({of} AS TEXT) AS JSON)) AS BIGINT))"
                ));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_what_each_database_says() {
        let sql = "SELECT a FROM b WHERE c IN {list:$1} {skip}";
        assert_eq!(
            Dialect::Sqlite.translated(sql),
            "SELECT a FROM b WHERE c IN (SELECT value FROM json_each($1)) "
        );
        let postgres = Dialect::Postgres.translated(sql);
        assert!(postgres.ends_with("AS JSON))) FOR UPDATE SKIP LOCKED"), "{postgres}");
        assert!(matches!(Dialect::Sqlite.translated("SELECT 1"), Cow::Borrowed(_)));
    }
}
