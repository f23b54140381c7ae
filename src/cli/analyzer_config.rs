//! The legacy engine's `analyzer_config.yaml`, as `--analyzer-config` takes it.
//!
//! A section that the file lacks is switched off, and a search without
//! `regexp_match` searches nothing: the file stands for all of the defaults.

use std::path::Path;

use inscan_analyzers::Config;
use inscan_analyzers::config::{Malware, RetrieveFiles, Search, Secrets};
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::failure::{Failure, Result};
use super::settings;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    retrieve_files: Option<RetrieveFiles>,
    secret_search: Option<FileSearch>,
    content_search: Option<FileSearch>,
    malware: Option<Malware>,
    secrets: Option<Secrets>,
}

/// [`Search`] with the line of each expression.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FileSearch {
    match_params: Option<Vec<String>>,
    regexp_match: Option<Vec<Spanned<String>>>,
}

/// The keys that mean something, with the sections they are in.
const KNOWN: &[&str] = &[
    "retrieve_files.file_list",
    "retrieve_files.max_file_size_kb",
    "secret_search.match_params",
    "secret_search.regexp_match",
    "content_search.match_params",
    "content_search.regexp_match",
    "malware.clamav.enabled",
    "malware.clamav.db_update_enabled",
    "malware.clamav.clamscan_args",
    "malware.clamav.freshclam_args",
    "secrets.enabled",
    "secrets.max_file_size",
];

/// The configuration in a file, and warnings about what in it means nothing.
pub(super) fn read(path: &Path) -> Result<(Config, Vec<String>)> {
    let text = settings::text(path, "analyzer configuration")?;
    let place = format!("analyzer configuration `{}`", path.display());
    let (config, warnings) =
        parse(&text).map_err(|error| Failure::usage(error.context(place.clone())))?;
    Ok((config, warnings.into_iter().map(|warning| format!("{place}: {warning}")).collect()))
}

fn parse(text: &str) -> anyhow::Result<(Config, Vec<String>)> {
    // An empty YAML document is null, and switches everything off as an empty mapping does.
    let value: Option<Value> = serde_saphyr::from_str(text)?;
    let file: Option<File> = serde_saphyr::from_str(text)?;
    let file = file.unwrap_or_default();
    let mut unknown = Vec::new();
    find_unknown("", &value.unwrap_or_default(), &mut unknown);
    let config = Config {
        retrieve_files: file.retrieve_files,
        secret_search: search(file.secret_search, |search| Config {
            secret_search: Some(search),
            ..off()
        })?,
        content_search: search(file.content_search, |search| Config {
            content_search: Some(search),
            ..off()
        })?,
        malware: file.malware,
        hints: false,
        secrets: file.secrets.unwrap_or_default(),
    };
    Ok((config, unknown))
}

fn off() -> Config {
    Config {
        retrieve_files: None,
        secret_search: None,
        content_search: None,
        malware: None,
        hints: false,
        secrets: Secrets::default(),
    }
}

/// Judges each expression alone, so that the line of a wrong one is known.
fn search(
    section: Option<FileSearch>,
    configured: impl Fn(Search) -> Config,
) -> anyhow::Result<Option<Search>> {
    let Some(FileSearch { match_params, regexp_match }) = section else { return Ok(None) };
    let mut expressions = Vec::new();
    for expression in regexp_match.unwrap_or_default() {
        let alone = Search {
            match_params: match_params.clone(),
            regexp_match: Some(vec![expression.value.clone()]),
        };
        inscan_analyzers::search::check(&configured(alone))
            .map_err(|error| anyhow::anyhow!("line {}: {error}", expression.defined.line()))?;
        expressions.push(expression.value);
    }
    Ok(Some(Search { match_params, regexp_match: Some(expressions) }))
}

fn find_unknown(prefix: &str, value: &Value, unknown: &mut Vec<String>) {
    let Value::Object(section) = value else { return };
    for (key, value) in section {
        let key = format!("{prefix}{key}");
        let below = format!("{key}.");
        if KNOWN.iter().any(|known| known.starts_with(&below)) {
            find_unknown(&below, value, unknown);
        } else if !KNOWN.contains(&key.as_str()) {
            unknown.push(format!("unknown key `{key}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_that_is_not_there_is_off() {
        let (config, warnings) = parse("retrieve_files: {file_list: [/etc/group]}\n").unwrap();
        let files = config.retrieve_files.unwrap();
        assert_eq!(files.file_list, Some(vec!["/etc/group".to_owned()]));
        assert_eq!((config.secret_search, config.content_search), (None, None));
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn a_search_without_expressions_searches_nothing() {
        let (config, _) = parse("secret_search: {match_params: [MAXFILESIZE=1]}").unwrap();
        assert_eq!(config.secret_search.unwrap().regexp_match, Some(Vec::new()));
    }

    #[test]
    fn json_and_an_empty_file_are_read_too() {
        let json = r#"{"content_search": {"regexp_match": ["A=b+"]}}"#;
        let (config, _) = parse(json).unwrap();
        assert_eq!(config.content_search.unwrap().regexp_match, Some(vec!["A=b+".to_owned()]));
        assert_eq!(parse("").unwrap().0.retrieve_files, None);
    }

    #[test]
    fn unknown_keys_are_warnings_and_wrong_shapes_are_errors() {
        let (_, warnings) = parse("hints: {a: b}\nmalware: {clamav: {enabld: true}}").unwrap();
        assert_eq!(warnings, ["unknown key `hints`", "unknown key `malware.clamav.enabld`"]);
        assert!(parse("retrieve_files: [1, 2]").is_err());
        assert!(parse("secret_search: {regexp_match: {a: b}}").is_err());
    }
}
