//! The packages that registries are known to have: lists of all, as a feed service offers them.

use serde_json::Value;

use crate::spec::TriggerError;
use inscan_vulndb::Database;

/// Lists by the feed's names: `npm`, `gem`.
#[derive(Default)]
pub struct Listings<'a> {
    database: Option<&'a Database>,
}

/// What a list says of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub versions: Vec<String>,
    pub latest: Option<String>,
}

impl<'a> Listings<'a> {
    pub(super) fn of(database: &'a Database) -> Self {
        Listings { database: Some(database) }
    }

    /// Whether there is a list at all.
    pub fn has(&self, feed: &str) -> Result<bool, TriggerError> {
        self.database.map_or(Ok(false), |database| database.has_list(feed)).map_err(unreadable)
    }

    /// `None`: it is not in the list.
    pub fn get(&self, feed: &str, name: &str) -> Result<Option<Listed>, TriggerError> {
        let Some(database) = self.database else { return Ok(None) };
        let entry = database.listed(feed, name).map_err(unreadable)?;
        Ok(entry.map(|entry| Listed {
            versions: entry["versions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            latest: entry["latest"].as_str().map(str::to_owned),
        }))
    }
}

fn unreadable(error: inscan_vulndb::Error) -> TriggerError {
    TriggerError::NotAnswerable(format!("the list of packages cannot be read: {error}"))
}
