//! Gems that lie in a gem home as their source: what Bundler takes from a repository
//! has no entry in `specifications`, only the gemspec that its author wrote, in
//! `bundler/gems/NAME-COMMIT/`. There the version is a constant, as a rule, of a file
//! `version.rb` that `require_relative` names.
//! <https://bundler.io/guides/git.html>

use std::borrow::Cow;

use bstr::BString;

use super::{assigned, assignment, literal};
use crate::{Error, Files, Package, Result, path};

/// Lines of one `require_relative`.
const MAX_LINES: usize = 8;
const KEYWORD: &str = "require_relative";

/// True for a gemspec at the root of a gem in a gem home (`3.1.0/gems`, or Bundler's
/// `bundler/gems` in it), if no specification speaks for that gem.
pub(super) fn speaks_alone(file: &[u8], image: &dyn Files) -> bool {
    let gem = path::parent(file);
    let gems = path::parent(gem);
    let home = path::parent(gems);
    let is_home =
        path::name(home) == b"bundler" || path::name(home).first().is_some_and(u8::is_ascii_digit);
    if path::name(gems) != b"gems" || !is_home {
        return false;
    }
    let specification = [b"specifications/", path::name(gem), b".gemspec"].concat();
    image.get(&path::join(home, &specification)).is_none()
}

/// The gem, with the version that its constant has.
pub(super) fn package(text: &str, location: &[u8], image: &dyn Files) -> Result<Package> {
    let mut values = assigned(text);
    let variable = super::variable(text);
    let assignments = text.lines().filter_map(|line| assignment(line, variable));
    let stated = assignments.into_iter().find(|(name, _)| *name == "version");
    let stated = stated.map_or("", |(_, value)| value.trim());
    if !stated.starts_with(['"', '\'']) {
        let constant = constant(stated).ok_or_else(|| {
            Error::new("the version in the gemspec is neither a string nor a constant")
        })?;
        let version = version(text, constant, location, image)?.ok_or_else(|| {
            Error::new(format!("the version `{constant}` of the gemspec was not found"))
        })?;
        values.insert("version", vec![version]);
    }
    super::package(values, location)
}

/// `VERSION` of `Sample::VERSION`.
fn constant(stated: &str) -> Option<&str> {
    let name = stated.rsplit("::").next()?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (name.starts_with(|first: char| first.is_ascii_uppercase()) && name.bytes().all(is_name))
        .then_some(name)
}

fn version(
    text: &str,
    constant: &str,
    location: &[u8],
    image: &dyn Files,
) -> Result<Option<String>> {
    if let Some(version) = assigned_constant(text, constant) {
        return Ok(Some(version));
    }
    for required in required(text, path::parent(location)) {
        let Some(code) = image.read(&required)? else { continue };
        let code: Cow<'_, str> = String::from_utf8_lossy(&code);
        let assigned = assigned_constant(&code, constant);
        if assigned.is_some() {
            return Ok(assigned);
        }
    }
    Ok(None)
}

/// The string of `VERSION = "1.0"`.
fn assigned_constant(code: &str, constant: &str) -> Option<String> {
    code.lines().find_map(|line| {
        let value = line.trim().strip_prefix(constant)?.trim_start().strip_prefix('=')?;
        literal::strings(value).into_iter().next()
    })
}

/// The files named: `require_relative "lib/a/version"`, also where the path is put
/// together by `File.join`, `File.expand_path` or `+`.
fn required(text: &str, directory: &[u8]) -> Vec<BString> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = (0..lines.len()).filter(|&at| lines[at].trim_start().starts_with(KEYWORD));
    // `require "a/version"`, where `lib` was put among the places that Ruby looks in.
    let has_lib = text.contains("$LOAD_PATH") || text.contains("$:.");
    let loaded = lines.iter().filter(|_| has_lib).filter_map(|line| {
        let name = literal::strings(line.trim_start().strip_prefix("require ")?).pop()?;
        let file = [&b"lib/"[..], &path::clean(name.as_bytes()), b".rb"].concat();
        Some(path::join(directory, &file).into())
    });
    starts
        .map(|at| {
            let statement = statement(&lines[at..]);
            let parts = literal::strings(statement.trim_start().trim_start_matches(KEYWORD));
            let path = path::clean(parts.join("/").as_bytes());
            let suffix: &[u8] = if path.ends_with(b".rb") { b"" } else { b".rb" };
            path::join(directory, &[&path, suffix].concat()).into()
        })
        .chain(loaded)
        .collect()
}

/// Lines up to the one that closes the parentheses.
fn statement(lines: &[&str]) -> String {
    let mut open = 0usize;
    let mut statement = String::new();
    for line in lines.iter().take(MAX_LINES) {
        statement.push_str(line);
        open = (open + line.matches('(').count()).saturating_sub(line.matches(')').count());
        if open == 0 {
            break;
        }
    }
    statement
}
