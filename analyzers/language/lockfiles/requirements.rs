//! `requirements.txt` of pip: one requirement a line. Only `==` names a version; any
//! other requirement is stated as a range, without a version.
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    // A line that ends with a backslash goes on in the next.
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in text.lines() {
        match requirement(line) {
            Some((name, Requirement::Version(version))) => out.add(name, version),
            Some((name, Requirement::Range(range))) => out.add_range(name, range),
            None => {}
        }
    }
    Ok(())
}

/// Which versions a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Requirement<'a> {
    Version(&'a str),
    /// `>=1,<2`; empty for any.
    Range(&'a str),
}

/// Name and what is asked for of `name[extra]==1.0 ; marker  # comment`. `None` for
/// options, addresses and directories.
fn requirement(line: &str) -> Option<(&str, Requirement<'_>)> {
    let line = line.trim();
    let line = line.split('#').next()?.split(';').next()?.split(" -").next()?.trim();
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let end = line.find(|character| !is_part(character)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']')?.1.trim_start(),
        None => rest,
    };
    let version = rest.strip_prefix("==").map(|rest| rest.trim_start_matches('=').trim());
    let asked = match version {
        Some("") => return None,
        Some(version) if version.contains(['*', ',']) => Requirement::Range(rest),
        Some(version) => Requirement::Version(version.split_whitespace().next()?),
        None if rest.is_empty() || rest.starts_with(['<', '>', '~', '!']) => {
            Requirement::Range(rest)
        }
        None => return None,
    };
    Some((name, asked))
}

#[cfg(test)]
mod tests {
    use super::Requirement::{Range, Version};
    use super::*;

    #[test]
    fn only_an_exact_requirement_has_a_version() {
        for (line, expected) in [
            ("a==1.0", Some(("a", Version("1.0")))),
            ("a.b-c [x, y] === 1.0 ; python_version < '3' # why", Some(("a.b-c", Version("1.0")))),
            ("a==1.0 --hash=sha256:x", Some(("a", Version("1.0")))),
            ("a", Some(("a", Range("")))),
            ("a>=1,<2", Some(("a", Range(">=1,<2")))),
            ("a ~= 1.1 # why", Some(("a", Range("~= 1.1")))),
            ("a==1.*", Some(("a", Range("==1.*")))),
            ("a==", None),
            ("a 1.0", None),
            ("a @ https://example.org/a.zip", None),
            ("-r other.txt", None),
            ("./a.whl", None),
            ("https://example.org/a.whl", None),
            ("a==1.0#why", Some(("a", Version("1.0")))),
            ("# a", None),
            ("", None),
        ] {
            assert_eq!(requirement(line), expected, "{line}");
        }
    }
}
