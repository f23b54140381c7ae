//! Contents of files that the analysis kept: `retrieve_files/file_content.all`,
//! from the path, as it was configured, to base64.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Lookup;
use super::source::Source;

const MODULE: &str = "retrieve_files";
const OUTPUT: &str = "file_content.all";

/// What the legacy engine writes for nothing, also where it should be base64 of nothing.
const NOTHING: &str = "none";

/// Contents by path, each as it is written.
pub(super) type Contents = BTreeMap<String, String>;

pub(super) fn read(source: &Source<'_>) -> Lookup<Contents> {
    if matches!(source, Source::Section(_) | Source::Nothing) {
        return Err(source.lacks("contents of files"));
    }
    let mut contents = Contents::new();
    source.each(MODULE, OUTPUT, &mut |key, value| {
        contents.insert(key.into_owned(), value.to_owned());
        Ok(())
    })?;
    Ok(contents)
}

/// The content of one file. `None`: it was not kept.
pub(super) fn of(contents: &Contents, path: &str) -> Lookup<Option<Vec<u8>>> {
    let Some(text) = contents.get(path).filter(|text| *text != NOTHING) else {
        return Ok(contents.get(path).map(|_| Vec::new()));
    };
    let text: String = text.split_ascii_whitespace().collect();
    let content = STANDARD.decode(text).map_err(|error| {
        format!("the content of `{path}` in the document cannot be understood: {error}")
    })?;
    Ok(Some(content))
}
