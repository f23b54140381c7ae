//! `requirements.txt` of pip: one requirement a line. Only `==` names a version; any
//! other requirement is stated as a range, without a version.
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>

use super::Locked;
use crate::Result;
use crate::parse::tally::Tally;

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    // A line that ends with a backslash goes on in the next.
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut tally = Tally::default();
    for (number, line) in text.lines().enumerate() {
        match requirement(line) {
            Some((name, Requirement::Version(version))) => out.add(name, version),
            Some((name, Requirement::Range(range))) => out.add_range(name, range),
            None if is_of_pip(line) => {}
            None => tally.add("not a requirement", number + 1),
        }
    }
    tally.report(out.location, out.out);
    Ok(())
}

/// Which versions a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Requirement<'a> {
    Version(&'a str),
    /// `>=1,<2`; empty for any.
    Range(&'a str),
}

/// Lines that name no package of an index: none at all, options, addresses and paths.
fn is_of_pip(line: &str) -> bool {
    let line = line.trim().trim_start_matches('\u{feff}');
    let is_path = line.starts_with(['.', '/', '~']) || line.contains("://");
    let is_file = [".whl", ".tar.gz", ".zip"].iter().any(|end| line.ends_with(end));
    line.is_empty() || line.starts_with(['#', '-']) || is_path || is_file || line.contains(" @ ")
}

/// What may follow the numbers of a version, without separators and digits.
const WORDS: [&str; 13] =
    ["", "a", "alpha", "b", "beta", "c", "dev", "post", "pre", "preview", "r", "rc", "rev"];

/// A version as PEP 440 has it, or with `.*` at its end.
/// <https://packaging.python.org/en/latest/specifications/version-specifiers/>
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let text = text.strip_suffix(".*").unwrap_or(text);
    let (public, local) = text.split_once('+').unwrap_or((text, "0"));
    let public = public.split_once('!').map_or(public, |(_epoch, rest)| rest);
    let end = public.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(public.len());
    let (release, suffix) = public.split_at(end);
    let is_number = |number: &str| !number.is_empty();
    let is_separator = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    release.strip_suffix('.').unwrap_or(release).split('.').all(is_number)
        && suffix
            .split(is_separator)
            .all(|word| WORDS.contains(&word.to_ascii_lowercase().as_str()))
        && local
            .split(['.', '-', '_'])
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// `>=1,<2`, perhaps in parentheses. `===` takes any text.
fn is_range(text: &str) -> bool {
    let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    let is_clause = |clause: &str| {
        let clause = clause.trim();
        if let Some(any) = clause.strip_prefix("===") {
            return !any.trim().is_empty();
        }
        let operators = ["~=", "==", "!=", "<=", ">=", "<", ">"];
        let version = operators.iter().find_map(|operator| clause.strip_prefix(operator));
        version.is_some_and(|version| is_version(version.trim()))
    };
    text.is_empty() || text.trim_end_matches(',').split(',').all(is_clause)
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
    if !is_range(rest) || name.ends_with(['-', '_', '.']) {
        return None;
    }
    let version = rest.strip_prefix("==").map(|rest| rest.trim_start_matches('=').trim());
    let asked = match version {
        Some(version) if !version.contains(['*', ',']) => Requirement::Version(version),
        _ => Requirement::Range(rest),
    };
    Some((name, asked))
}

#[cfg(test)]
mod tests {
    use super::Requirement::{Range, Version};
    use super::*;

    #[test]
    fn lines_of_pip_that_name_no_package_are_no_problem() {
        for (line, expected) in [
            ("", true),
            ("# a", true),
            ("--index-url https://registry.example/simple", true),
            ("-e .", true),
            ("./a.whl", true),
            ("a @ https://example.org/a.zip", true),
            ("git+https://example.org/a.git", true),
            ("a 1.0", false),
            ("{{ package }}==1.0", false),
            ("a==", false),
        ] {
            assert_eq!(is_of_pip(line), expected, "{line}");
        }
    }

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
            ("a (>=1, <2)", Some(("a", Range("(>=1, <2)")))),
            ("a==1!2.0rc1.post2.dev3+cu.1", Some(("a", Version("1!2.0rc1.post2.dev3+cu.1")))),
            ("a==2.0-1", Some(("a", Version("2.0-1")))),
            ("a===any thing", Some(("a", Version("any thing")))),
            ("a==1.0 b==2.0", None),
            ("a==one", None),
            ("a==1.0.x", None),
            ("a=>1", None),
            ("a>=", None),
            ("a-==1", None),
            ("# a", None),
            ("", None),
        ] {
            assert_eq!(requirement(line), expected, "{line}");
        }
    }
}
