//! Ruby gems, as installed, also those that come with Ruby itself.
//!
//! RubyGems writes `specifications/NAME-VERSION.gemspec` (`specifications/default/`
//! for the default gems) in each gem home: Ruby code, but always in the same form,
//! one assignment a line: `s.name = "rake".freeze`.
//! <https://github.com/ruby/rubygems/blob/master/lib/rubygems/specification.rb>

mod legacy;
mod literal;
mod source;

use std::collections::BTreeMap;

use bstr::ByteSlice;

use crate::parse::legacy_files;
use crate::parse::url::without_credentials;
use crate::problem::{AMBIGUOUS, MALFORMED};
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Files, Package, Pattern, Result, Want,
    path,
};

pub(crate) struct Ruby;

impl Analyzer for Ruby {
    fn name(&self) -> &'static str {
        "ruby"
    }

    fn about(&self) -> &'static str {
        "Ruby gems by specifications/*.gemspec, or by the gemspec of their source"
    }

    fn wants(&self) -> Vec<Want> {
        vec![
            Want::inspect(Pattern::suffix(".gemspec"), 8 << 20),
            Want::keep(Pattern::suffix(".gemspec"), 8 << 20),
            Want::keep(Pattern::name("version.rb"), 1 << 20),
        ]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let bytes = content.bytes()?;
        let text = String::from_utf8_lossy(&bytes);
        if legacy::counts(file.path)
            && let Some(value) = legacy::entry(&text)
        {
            out.legacy_package("pkgs.gems", [b"/", file.path].concat(), value);
        }
        if is_installed(file.path) && !text.trim().is_empty() {
            match package(assigned(&text), file.path) {
                Ok(package) => {
                    if let Some(message) = is_called_otherwise(file.path, &package) {
                        out.hidden_here(AMBIGUOUS, message);
                    }
                    out.package(package);
                }
                // Whatever is installed there is not known.
                Err(error) => out.hidden_here(MALFORMED, error),
            }
        }
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        legacy_files::state_hard_links(image, out);
        for file in image.wanted() {
            let is_source = file.path.ends_with(b".gemspec") && !is_installed(&file.path);
            if !is_source || !source::speaks_alone(&file.path, image) {
                continue;
            }
            let Some(text) = image.read(&file.path)? else { continue };
            match source::package(&text.to_str_lossy(), &file.path, image) {
                Ok(package) => out.package(package),
                Err(error) => out.problem_at(file.path, error),
            }
        }
        Ok(())
    }
}

/// RubyGems calls a specification by the gem's name and version. One that is called otherwise may
/// compute what it states, and is run to be read.
fn is_called_otherwise(file: &[u8], package: &Package) -> Option<String> {
    let called = path::name(file).to_str_lossy();
    let stated = format!("{}-{}", package.name, package.version);
    let other = !called.starts_with(&stated);
    other.then(|| format!("it states `{stated}`, and is called otherwise: it may be another gem"))
}

/// In `specifications` RubyGems says what is installed. A gemspec beside its source
/// code says what could be built from it, and may compute its version.
fn is_installed(file: &[u8]) -> bool {
    let directory = path::parent(file);
    match path::name(directory) {
        b"specifications" => true,
        b"default" => path::name(path::parent(directory)) == b"specifications",
        _ => false,
    }
}

type Values = BTreeMap<&'static str, Vec<String>>;

/// The first value of each attribute that we know.
fn assigned(text: &str) -> Values {
    let mut values = Values::new();
    let variable = variable(text);
    for line in text.lines() {
        if let Some((attribute, value)) = assignment(line, variable) {
            let strings = literal::strings(value);
            if !strings.is_empty() {
                values.entry(attribute).or_insert(strings);
            }
        }
    }
    values
}

fn package(mut values: Values, location: &[u8]) -> Result<Package> {
    let first = |name: &str| values.get(name).and_then(|list| list.first()).cloned();
    let name = first("name");
    let version = first("version");
    let missing = |what| Error::new(format!("no {what} in the specification"));
    let mut attributes = BTreeMap::new();
    if let Some(homepage) = first("homepage") {
        attributes.insert("homepage".to_owned(), without_credentials(&homepage));
    }
    if path::name(path::parent(location)) == b"default" {
        attributes.insert("default-gem".to_owned(), "true".to_owned());
    }
    let platform = first("platform").filter(|platform| platform != "ruby");
    Ok(Package {
        kind: "gem".into(),
        name: name.ok_or_else(|| missing("name"))?,
        version: version.ok_or_else(|| missing("version"))?,
        licenses: values
            .remove("licenses")
            .or_else(|| values.remove("license"))
            .unwrap_or_default(),
        origin: values
            .remove("authors")
            .or_else(|| values.remove("author"))
            .map(|list| list.join(", ")),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        qualifiers: platform
            .map(|platform| ("platform".to_owned(), platform))
            .into_iter()
            .collect(),
        attributes,
        ..Package::default()
    })
}

/// `spec` of `Gem::Specification.new do |spec|`: other objects have names and versions, too.
fn variable(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("Specification.new")?;
    let (before, rest) = rest.split_once('|')?;
    let (variable, _) = rest.split_once('|')?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_block = before.trim_end().ends_with("do") || before.trim_end().ends_with('{');
    let variable = variable.trim();
    (is_block && !variable.is_empty() && variable.bytes().all(is_word)).then_some(variable)
}

/// `name` and the code right of it, of `s.name = "rake".freeze`.
/// Of any object where no block names one.
fn assignment<'a>(line: &'a str, variable: Option<&str>) -> Option<(&'static str, &'a str)> {
    const ATTRIBUTES: [&str; 8] =
        ["author", "authors", "homepage", "license", "licenses", "name", "platform", "version"];
    let (left, value) = line.split_once('=')?;
    let (object, attribute) = left.trim().split_once('.')?;
    let is_word = match variable {
        Some(variable) => object == variable,
        None => object.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
    };
    let known = ATTRIBUTES.into_iter().find(|known| *known == attribute)?;
    (is_word && !value.starts_with(['=', '~'])).then_some((known, value))
}

#[cfg(test)]
mod tests;
