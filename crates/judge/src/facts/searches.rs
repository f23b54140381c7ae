//! What the searches through files found: `regexp_matches.all` of the modules
//! `secret_search` and `content_search`. A value is JSON, from the expression
//! in base64 to the numbers of lines.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Lookup;
use super::source::Source;

/// An expression that a file has a match of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: String,
    /// `NAME=regular expression`, as configured; the name may be missing.
    pub expression: String,
    /// The expression as the document has it: in base64, with line feeds.
    pub key: String,
    /// The numbers of the lines that match, from 0.
    pub lines: Vec<u64>,
}

impl Found {
    /// Empty where the expression was given none.
    pub fn name(&self) -> &str {
        self.expression.split_once('=').map_or("", |(name, _)| name)
    }

    /// Without the name.
    pub fn regex(&self) -> &str {
        self.expression.split_once('=').map_or(&*self.expression, |(_, regex)| regex)
    }
}

/// A search: its module, and our analyzer of that kind.
pub(super) struct Search {
    module: &'static str,
    analyzer: &'static str,
    what: &'static str,
}

pub(super) const SECRETS: Search =
    Search { module: "secret_search", analyzer: "secret-search", what: "secrets in files" };
pub(super) const CONTENT: Search =
    Search { module: "content_search", analyzer: "content-search", what: "content of files" };
const OUTPUT: &str = "regexp_matches.all";

pub(super) fn read(source: &Source<'_>, search: Search) -> Lookup<Vec<Found>> {
    let Search { module, analyzer, what } = search;
    if matches!(source, Source::Section(_) | Source::Nothing) {
        return Err(source.lacks(what));
    }
    source.needs(analyzer)?;
    let mut found = Vec::new();
    source.each(module, OUTPUT, &mut |path, value| {
        let misread = |error: &dyn std::fmt::Display| {
            format!("`{module}/{OUTPUT}` in the document cannot be understood: {error}")
        };
        let lines: BTreeMap<String, Value> =
            serde_json::from_str(value).map_err(|error| misread(&error))?;
        for (key, lines) in lines {
            let text: String = key.split_ascii_whitespace().collect();
            let expression = STANDARD.decode(text).map_err(|error| misread(&error))?;
            let expression = String::from_utf8(expression).map_err(|error| misread(&error))?;
            let lines = lines.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            found.push(Found { path: path.to_string(), expression, key, lines });
        }
        Ok(())
    })?;
    Ok(found)
}
