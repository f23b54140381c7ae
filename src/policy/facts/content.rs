//! Contents of files that the analysis kept: `retrieve_files/file_content.all`,
//! from the path, as it was configured, to base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Answer;
use super::source::Source;

const MODULE: &str = "retrieve_files";
const OUTPUT: &str = "file_content.all";

/// What the legacy engine writes for nothing, also where it should be base64 of nothing.
const NOTHING: &str = "none";

pub(super) fn read(source: &Source<'_>, path: &str) -> Answer<Option<Vec<u8>>> {
    if matches!(source, Source::Sbom(_) | Source::Nothing) {
        return Err(source.lacks("contents of files"));
    }
    let mut found = None;
    source.each(MODULE, OUTPUT, &mut |key, value| {
        if key == path {
            let text = if value == NOTHING { "" } else { value };
            let text: String = text.split_ascii_whitespace().collect();
            let content = STANDARD.decode(text).map_err(|error| {
                format!("the content of `{path}` in the document cannot be understood: {error}")
            })?;
            found = Some(content);
        }
        Ok(())
    })?;
    Ok(found)
}
