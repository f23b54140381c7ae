//! `go.mod`: one directive a line, or several in parentheses behind its name;
//! `require` names the modules a program needs, `replace` puts others in their
//! place, `exclude` forbids a version. <https://go.dev/ref/mod#go-mod-file>

use std::collections::{HashMap, HashSet};

use super::Locked;
use crate::{Error, Result};

pub(super) fn read(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut file = GoMod::default();
    let outcome = file.read(text);
    for required in &file.requires {
        if file.excludes.contains(required) {
            // Another version is taken then, which only the module graph tells.
            continue;
        }
        match file.replacement(required) {
            None => out.add(required.path, required.version),
            // A directory of the project's own has no version.
            Some(module) if module.version.is_empty() => {}
            Some(module) => out.add(module.path, module.version),
        }
    }
    outcome
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Module<'a> {
    path: &'a str,
    version: &'a str,
}

#[derive(Default)]
struct GoMod<'a> {
    requires: Vec<Module<'a>>,
    excludes: HashSet<Module<'a>>,
    /// What is replaced (any version where it states none), and by what.
    replaces: HashMap<Module<'a>, Module<'a>>,
}

impl<'a> GoMod<'a> {
    fn read(&mut self, text: &'a str) -> Result<()> {
        let mut block = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default().trim();
            let mut words = line.split_whitespace().map(unquoted);
            match (block, line) {
                (_, "") => {}
                (Some(_), ")") => block = None,
                (Some(directive), _) => self.directive(directive, words, number)?,
                (None, _) => {
                    let directive = words.next().unwrap_or_default();
                    match directive.strip_suffix('(') {
                        Some(directive) => block = Some(directive),
                        None if words.clone().next() == Some("(") => block = Some(directive),
                        None => self.directive(directive, words, number)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn directive(
        &mut self,
        directive: &str,
        mut words: impl Iterator<Item = &'a str>,
        number: usize,
    ) -> Result<()> {
        let broken = || Error::at_line(number + 1, format!("`{directive}` without its module"));
        match directive {
            "require" | "exclude" => {
                let (path, version) = words.next().zip(words.next()).ok_or_else(broken)?;
                let module = Module { path, version };
                match directive {
                    "require" => self.requires.push(module),
                    _ => drop(self.excludes.insert(module)),
                }
            }
            "replace" => {
                let (replaced, by) = replacement(words).ok_or_else(broken)?;
                self.replaces.entry(replaced).or_insert(by);
            }
            _ => {}
        }
        Ok(())
    }

    /// A replacement of just this version goes before one of all versions.
    fn replacement(&self, module: &Module<'_>) -> Option<Module<'a>> {
        let of_all = Module { path: module.path, version: "" };
        self.replaces.get(module).or_else(|| self.replaces.get(&of_all)).copied()
    }
}

/// The words of `path [version] => path [version]`.
fn replacement<'a>(words: impl Iterator<Item = &'a str>) -> Option<(Module<'a>, Module<'a>)> {
    let mut sides = [Module::default(); 2];
    let mut side = 0;
    for word in words {
        if word == "=>" {
            side += 1;
        } else {
            let module = sides.get_mut(side)?;
            let part = if module.path.is_empty() { &mut module.path } else { &mut module.version };
            *part = word;
        }
    }
    let [replaced, by] = sides;
    (side == 1 && !replaced.path.is_empty() && !by.path.is_empty()).then_some((replaced, by))
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '`'])
}

/// `vendor/modules.txt`, as `go` itself reads it: `# path version`, perhaps with
/// ` => path version` of its replacement, lines of remarks behind `## `, then a line for each
/// package of the module that is vendored. What is neither is skipped.
/// <https://go.dev/ref/mod#go-mod-vendor>
pub(super) fn vendored(text: &str, out: &mut Locked<'_>) -> Result<()> {
    let mut open = None;
    for line in text.lines() {
        if let Some(header) = line.strip_prefix("# ") {
            // A module without packages is in the module graph only: nothing of it is here.
            open = vendored_module(header);
        } else if is_import_path(line)
            && let Some((Module { path, version }, is_directory)) = open.take()
        {
            match is_directory {
                true => out.add_directory(path, version),
                false => out.add(path, version),
            }
        }
    }
    Ok(())
}

/// What a header says is vendored, and whether it is from a directory. `None` where it states no
/// version of it.
fn vendored_module(header: &str) -> Option<(Module<'_>, bool)> {
    let words: Vec<&str> = header.split_whitespace().collect();
    match *words.as_slice() {
        [_, "=>", path, version] | [_, _, "=>", path, version]
            if is_version(version) && (words[1] == "=>" || is_version(words[1])) =>
        {
            Some((Module { path, version }, false))
        }
        // The code of a directory stands under the name of what it replaces.
        [path, version, ref rest @ ..] if is_version(version) => {
            Some((Module { path, version }, rest.first() == Some(&"=>")))
        }
        _ => None,
    }
}

/// `v1.2.3`, also with what stands behind the numbers; `v1` and `v1.2` are short for it.
fn is_version(text: &str) -> bool {
    let Some(numbers) = text.strip_prefix('v') else { return false };
    let numbers = numbers.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| {
        let is_padded = part.len() > 1 && part.starts_with('0');
        !part.is_empty() && !is_padded && part.bytes().all(|it| it.is_ascii_digit())
    };
    (1..=3).contains(&numbers.split('.').count()) && numbers.split('.').all(is_number)
}

/// One word of the letters that import paths have.
fn is_import_path(line: &str) -> bool {
    let path = line.trim();
    let is_allowed = |it: u8| it.is_ascii_alphanumeric() || b"-._~/+".contains(&it);
    let is_element = |it: &str| !it.is_empty() && !it.starts_with('.') && !it.ends_with('.');
    !path.starts_with('-') && path.bytes().all(is_allowed) && path.split('/').all(is_element)
}
