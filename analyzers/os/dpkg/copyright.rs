//! Licenses from `usr/share/doc/NAME/copyright`: `License:` fields where it is
//! machine-readable (<https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/>),
//! else the names of the common licenses that its prose refers to.

use std::collections::HashSet;

use bstr::ByteSlice;

use crate::{Fact, Files};

const FIELD: &[u8] = b"License:";
const COMMON: &str = "/usr/share/common-licenses/";

/// Limits on hostile files: how many licenses are taken, and how many bytes of each.
const MAX_LICENSES: usize = 500;
const MAX_LENGTH: usize = 300;

/// What a copyright file states, in order, each once, as written: a field's
/// value with the blanks before it (beyond the one that is always there), or
/// the path of a common license.
pub(super) fn stated(text: &[u8]) -> Vec<String> {
    let fields = text.lines().filter_map(|line| line.trim_start().strip_prefix(FIELD));
    let stated = distinct(fields.map(|value| value.strip_prefix(b" ").unwrap_or(value)));
    if stated.is_empty() { distinct(references(text)) } else { stated }
}

fn distinct<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut seen = HashSet::new();
    let is_license = |value: &&[u8]| !value.is_empty() && value.len() <= MAX_LENGTH;
    let values = values.map(ByteSlice::trim_end).filter(is_license);
    let distinct = values.filter(|value| seen.insert(*value)).take(MAX_LICENSES);
    distinct.map(|value| value.to_str_lossy().into_owned()).collect()
}

fn references(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.find_iter(COMMON).map(|at| {
        let name = &text[at + COMMON.len()..];
        let is_name = |c: &u8| c.is_ascii_alphanumeric() || b"-.+".contains(c);
        let end = name.iter().position(|c| !is_name(c)).unwrap_or(name.len());
        // A full stop ends the sentence, not the name.
        let end = name[..end].trim_end_with(|c| c == '.').len();
        if end == 0 { b"" } else { &text[at..at + COMMON.len() + end] }
    })
}

/// The licenses that `inspect` stored on a package's copyright file.
pub(super) fn of(image: &dyn Files, package: &str) -> Vec<String> {
    let path = format!("usr/share/doc/{package}/copyright");
    let facts = image.facts(path.as_bytes()).iter();
    let stated = facts.filter_map(|fact| match fact {
        Fact::Licenses(stated) => Some(stated),
        _ => None,
    });
    stated.flatten().cloned().collect()
}

/// The licenses of a package, with the paths of common licenses cut to their names.
pub(super) fn licenses(stated: &[String]) -> Vec<String> {
    let names = stated.iter().map(|one| one.strip_prefix(COMMON).unwrap_or(one).trim().as_bytes());
    distinct(names)
}

/// The first words of the fields, of those that have one blank before it: what
/// the legacy engine's expression finds. It knows nothing of prose.
pub(super) fn legacy(stated: &[String]) -> String {
    let fields =
        stated.iter().filter(|one| !one.starts_with([' ', '\t']) && !one.starts_with(COMMON));
    let words = distinct(fields.filter_map(|one| one.split_whitespace().next()).map(str::as_bytes));
    if words.is_empty() { "Unknown".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, licenses: &[&str], legacy: &str) {
        let stated = stated(text.as_bytes());
        assert_eq!(super::licenses(&stated), licenses);
        assert_eq!(super::legacy(&stated), legacy);
    }

    #[test]
    fn fields_are_taken_in_order_and_once() {
        let text = "Format: x\nLicense: GPL-2+ or Artistic\n text\n\nLicense: MIT\r\nLicense: MIT\n\
                    \u{20} License: BSD-3-clause (new)\nLicense:\nLicense:   ISC\n";
        let licenses = ["GPL-2+ or Artistic", "MIT", "BSD-3-clause (new)", "ISC"];
        check(text, &licenses, "GPL-2+ MIT BSD-3-clause");
    }

    #[test]
    fn prose_names_common_licenses() {
        let text = "The GPL is in `/usr/share/common-licenses/GPL-2', the other one in\n\
                    /usr/share/common-licenses/LGPL-2.1. Also /usr/share/common-licenses/ and\n\
                    /usr/share/common-licenses/GPL-2";
        check(text, &["GPL-2", "LGPL-2.1"], "Unknown");
    }

    #[test]
    fn a_file_may_state_nothing() {
        check("This is free software.", &[], "Unknown");
        check("", &[], "Unknown");
    }

    #[test]
    fn what_is_too_long_for_a_license_is_none() {
        check(&format!("License: {}\nLicense: MIT", "x".repeat(301)), &["MIT"], "MIT");
    }
}
