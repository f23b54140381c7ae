//! A request as handlers see it: who asks, the parts of its path, its query and its body.

use std::fs::File;
use std::sync::Arc;

use axum::http::HeaderMap;
use inscan_facts::percent;
use serde_json::Value as Json;

use super::answer::{Problem, Result};
use super::app::App;
use super::login::Actor;

pub(crate) struct Asked {
    pub(crate) app: Arc<App>,
    /// An administrator who asks for another account acts for it.
    pub(crate) actor: Actor,
    pub(crate) parts: Vec<(String, String)>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Content,
}

/// What came with a request.
#[derive(Debug, Default)]
pub(crate) enum Content {
    #[default]
    Nothing,
    Bytes(Vec<u8>),
    /// An upload, in a file without a name.
    File(File),
}

/// The parameters behind the `?`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Leniently, as forms are encoded: nothing that stands there is an error.
    pub(crate) fn parse(text: &str) -> Query {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decoded = |text: &str| percent::decoded(&text.replace('+', " "));
        Query(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
        )
    }

    /// None where it is not there, or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// Python writes `True`, others `true`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Problem::bad(format!("`{name}` is neither true nor false"))),
        }
    }

    /// At least `least`, and no more than `most`.
    pub(crate) fn number(&self, name: &str, usual: i64, least: i64, most: i64) -> Result<i64> {
        match self.get(name) {
            None => Ok(usual),
            Some(text) => match text.parse::<i64>() {
                Ok(number) if number >= least => Ok(number.min(most)),
                _ => Err(Problem::bad(format!("`{name}` is not a number from {least}"))),
            },
        }
    }
}

impl Asked {
    pub(crate) fn account(&self) -> &str {
        &self.actor.account
    }

    /// A part of the path, by its name in the table of routes.
    pub(crate) fn part(&self, name: &str) -> &str {
        let found = self.parts.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).filter(|it| !it.is_empty())
    }

    /// The body as JSON; null where there is none.
    pub(crate) fn json(&self) -> Result<Json> {
        match &self.body {
            Content::Bytes(bytes) if !bytes.trim_ascii().is_empty() => {
                serde_json::from_slice(bytes)
                    .map_err(|error| Problem::bad(format!("the body is not JSON: {error}")))
            }
            _ => Ok(Json::Null),
        }
    }

    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<Json> {
        match self.json()? {
            object @ Json::Object(_) => Ok(object),
            _ => Err(Problem::bad("the body is not a JSON object")),
        }
    }

    /// What was uploaded.
    pub(crate) fn file(&mut self) -> Result<File> {
        match std::mem::take(&mut self.body) {
            Content::File(file) => Ok(file),
            _ => Err(Problem::bad("no file was sent")),
        }
    }
}

/// A text of an object, none where it is missing or null.
pub(crate) fn text<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Json::as_str)
}

/// A text of an object that has to be there.
pub(crate) fn needed<'a>(object: &'a Json, name: &str) -> Result<&'a str> {
    let found = text(object, name).filter(|text| !text.is_empty());
    found.ok_or_else(|| Problem::bad(format!("`{name}` is missing, or is not a text")))
}

/// True or false, with what holds where it is missing or null.
pub(crate) fn truth(object: &Json, name: &str, usual: bool) -> bool {
    object.get(name).and_then(Json::as_bool).unwrap_or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_clients_write_it() {
        let query = Query::parse("tag=docker.io/a/b:1&force=True&&name=x%2By+z&empty=");
        assert_eq!(query.get("tag"), Some("docker.io/a/b:1"));
        assert_eq!(query.flag("force").unwrap(), Some(true));
        assert_eq!(query.get("name"), Some("x+y z"));
        assert_eq!(query.get("empty"), None);
        assert_eq!(query.flag("detail").unwrap(), None);
        assert!(query.flag("name").is_err());
        assert_eq!(Query::parse("limit=5000").number("limit", 10, 1, 1000).unwrap(), 1000);
        assert!(Query::parse("limit=-5").number("limit", 10, 0, 1000).is_err());
    }
}
