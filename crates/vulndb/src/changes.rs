//! What one database has that another has not.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::read::{Database, PackageEntry, Result, parsed};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Added,
    Changed,
    Removed,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Ids, with the source of each record, in order.
    pub records: Vec<(String, String, Change)>,
    pub kev_added: Vec<String>,
}

/// Records by id and source, with a number that differs where anything in them does.
type Prints = BTreeMap<(String, String), u64>;

impl Database {
    pub fn changes_to(&self, newer: &Database) -> Result<Changes> {
        let (old, new) = (self.prints()?, newer.prints()?);
        let mut changes = Changes::default();
        for ((id, source), print) in &new {
            let change = match old.get(&(id.clone(), source.clone())) {
                None => Change::Added,
                Some(was) if was != print => Change::Changed,
                Some(_) => continue,
            };
            changes.records.push((id.clone(), source.clone(), change));
        }
        for (id, source) in old.keys() {
            if !new.contains_key(&(id.clone(), source.clone())) {
                changes.records.push((id.clone(), source.clone(), Change::Removed));
            }
        }
        changes.records.sort();
        let known = self.exploited()?;
        changes.kev_added = newer.exploited()?.difference(&known).cloned().collect();
        Ok(changes)
    }

    fn exploited(&self) -> Result<BTreeSet<String>> {
        let mut statement = self.connection.prepare("SELECT cve FROM kev")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn prints(&self) -> Result<Prints> {
        // By the number of the record, which means nothing in another database.
        let mut prints: BTreeMap<i64, ((String, String), u64)> = BTreeMap::new();
        let mut statement = self.connection.prepare(
            "SELECT advisory.number, head, body FROM advisory LEFT JOIN text USING (number)",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            let (head, body): (Vec<u8>, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
            let head = self.heads.expand(&head)?;
            let body = body.map(|body| self.texts.expand(&body)).transpose()?;
            let advisory: super::Advisory = parsed(&head)?;
            let print = print_of(&(head, body));
            prints.insert(number, ((advisory.id, advisory.source), print));
        }
        let mut statement =
            self.connection.prepare("SELECT ecosystem, key, affected FROM package")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let ecosystem = self.names.get(&row.get(0)?);
            let (key, affected): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
            let entries: Vec<PackageEntry> = parsed(&self.packages.expand(&affected)?)?;
            for (number, affected) in entries {
                let text = serde_json::to_string(&affected).unwrap_or_default();
                if let Some((_, print)) = prints.get_mut(&number) {
                    // In whatever order the packages come.
                    *print = print.wrapping_add(print_of(&(ecosystem, &key, text)));
                }
            }
        }
        Ok(prints.into_values().collect())
    }
}

fn print_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
