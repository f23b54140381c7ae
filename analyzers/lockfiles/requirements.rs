//! `requirements.txt` of pip: one requirement a line. Only `==` names a version;
//! of anything else it is said that it was asked for, without one.
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>

use super::Locked;
use crate::Result;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    // A line that ends with a backslash goes on in the next.
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in text.lines() {
        if let Some((name, version)) = requirement(line) {
            out.add(name, version);
        }
    }
    Ok(())
}

/// Name and version of `name[extra]==1.0 ; marker  # comment`. `None` for options,
/// addresses and directories.
fn requirement(line: &str) -> Option<(&str, &str)> {
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
    if rest.is_empty() {
        return Some((name, ""));
    }
    let version = rest.strip_prefix("==").map(|rest| rest.trim_start_matches('=').trim());
    match version {
        Some("") => None,
        Some(version) if version.contains(['*', ',']) => Some((name, "")),
        Some(version) => version.split_whitespace().next().map(|version| (name, version)),
        None => rest.starts_with(['<', '>', '~', '!']).then_some((name, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exact_requirement_has_a_version() {
        for (line, expected) in [
            ("a==1.0", Some(("a", "1.0"))),
            ("a.b-c [x, y] === 1.0 ; python_version < '3' # why", Some(("a.b-c", "1.0"))),
            ("a==1.0 --hash=sha256:x", Some(("a", "1.0"))),
            ("a", Some(("a", ""))),
            ("a>=1,<2", Some(("a", ""))),
            ("a==1.*", Some(("a", ""))),
            ("a==", None),
            ("a 1.0", None),
            ("a @ https://example.org/a.zip", None),
            ("-r other.txt", None),
            ("./a.whl", None),
            ("https://example.org/a.whl", None),
            ("a==1.0#why", Some(("a", "1.0"))),
            ("# a", None),
            ("", None),
        ] {
            assert_eq!(requirement(line), expected, "{line}");
        }
    }
}
