//! Dart's `pubspec.lock`: YAML as pub writes it, below `packages:` a name indented
//! by two, and its fields by four. <https://dart.dev/tools/pub/package-layout>

use super::Locked;
use crate::{Error, Result};

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut is_packages = false;
    let mut name = None;
    let mut is_dev = false;
    let (mut is_path, mut is_sdk) = (false, false);
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let Some((key, value)) = content.split_once(':') else {
            return Err(Error::at_line(number + 1, "not a field"));
        };
        match indent {
            0 => is_packages = key == "packages",
            1 | 2 if is_packages => {
                name = Some(key.trim_matches('"'));
                is_dev = false;
                (is_path, is_sdk) = (false, false);
            }
            // Comes before the version: fields are in the order of their names.
            4 if is_packages && key == "dependency" => is_dev = value.contains("direct dev"),
            // The parts of an SDK, as Flutter's, have no version of their own.
            4 if is_packages && key == "source" => {
                (is_path, is_sdk) = (value.trim() == "path", value.trim() == "sdk");
            }
            4 if is_packages && key == "version" => {
                if let Some(name) = name {
                    let version = value.trim().trim_matches('"');
                    match is_dev {
                        _ if is_path => out.add_local(name, version),
                        _ if is_sdk => out.add_directory(name, version),
                        true => out.add_for_development(name, version),
                        false => out.add(name, version),
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
