//! What package managers recorded of the files they brought:
//! `file_package_verify/distro.pkgfilemeta`.

use serde_json::Value;

use super::Lookup;
use super::source::Source;

/// One file of one package, as it should be. What was not recorded is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    pub path: Box<str>,
    pub package: Box<str>,
    /// In hex, and by which algorithm.
    pub digest: Option<Box<str>>,
    pub algorithm: Box<str>,
    /// In octal, with or without type bits and leading zeros.
    pub mode: Option<Box<str>>,
    pub size: Option<u64>,
    /// It is there to be changed.
    pub is_config: bool,
}

const MODULE: &str = "file_package_verify";
const META: &str = "distro.pkgfilemeta";

pub(super) fn read(source: &Source<'_>) -> Lookup<Vec<PackageFile>> {
    let mut files = Vec::new();
    match source {
        Source::Section(_) | Source::Nothing => {
            return Err(source.lacks("what package managers recorded of files"));
        }
        Source::Analysis(outputs) => outputs.package_files(&mut |key, values| {
            files.extend(values.iter().map(|value| of_value(key, value)));
        }),
        Source::Document(_) => source.each(MODULE, META, &mut |key, value| {
            let values: Vec<Value> = serde_json::from_str(value).map_err(|error| {
                format!("`{MODULE}/{META}` in the document cannot be understood: {error}")
            })?;
            files.extend(values.iter().map(|value| of_value(&key, value)));
            Ok(())
        })?,
    }
    Ok(files)
}

fn of_value(path: &str, value: &Value) -> PackageFile {
    let text = |key: &str| value[key].as_str().map(Box::from);
    PackageFile {
        path: path.into(),
        package: text("package").unwrap_or_default(),
        digest: text("digest"),
        algorithm: text("digestalgo").unwrap_or_default(),
        mode: text("mode"),
        size: match &value["size"] {
            Value::String(size) => size.parse().ok(),
            other => other.as_u64(),
        },
        is_config: value["conffile"].as_bool().unwrap_or(false),
    }
}
