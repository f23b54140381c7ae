//! PEAR and PECL packages of PHP, as installed.
//!
//! The installer keeps `.registry/[.channel.CHANNEL/]NAME.reg` for each package:
//! the package description as PHP's `serialize` writes it, values after a letter
//! for their type and their length. <https://www.php.net/manual/en/function.serialize.php>

use crate::problem::MALFORMED;
use crate::{
    Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path,
};
use inscan_facts::window::bytes_up_to;

/// The description names every file; the largest are some 100 KB.
const MAX_SIZE: u64 = 8 << 20;

/// Descriptions nest about ten deep.
const MAX_DEPTH: usize = 64;

pub(crate) struct Pear;

impl Analyzer for Pear {
    fn name(&self) -> &'static str {
        "pear"
    }

    fn about(&self) -> &'static str {
        "PEAR and PECL packages of PHP by .registry/*.reg"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::suffix(".reg"), MAX_SIZE)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let mut directories = path::parts(path::parent(file.path));
        if !directories.any(|part| part == b".registry") {
            return Ok(());
        }
        let bytes = bytes_up_to(content, MAX_SIZE)?;
        let mut reader = Serialized { bytes: &bytes, offset: 0 };
        match reader.value(0).and_then(|description| package(&description, file.path)) {
            Ok(package) => out.package(package),
            // Whatever is installed there is not known.
            Err(error) => out.hidden_here(MALFORMED, error),
        }
        Ok(())
    }
}

fn package(description: &PhpValue<'_>, location: &[u8]) -> Result<Package> {
    let needed = |what, value: Option<String>| {
        value.ok_or_else(|| Error::new(format!("no {what} in the description")))
    };
    // The second form of descriptions has the release below `version`.
    let version = description.get("version");
    let version = version.and_then(|version| version.get("release").or(Some(version)));
    let license = description.get("license");
    let license = license.and_then(|license| license.get("_content").or(Some(license)));
    let lead =
        description.get("lead").and_then(|lead| lead.get("name").or(lead.get("0")?.get("name")));
    Ok(Package {
        kind: "pear".into(),
        name: needed("name", description.get("name").and_then(PhpValue::text))?,
        namespace: description.get("channel").and_then(PhpValue::text),
        version: needed("version", version.and_then(PhpValue::text))?,
        licenses: license.and_then(PhpValue::text).into_iter().collect(),
        origin: lead.and_then(PhpValue::text),
        evidence: Evidence::InstalledPackage,
        location: location.into(),
        ..Package::default()
    })
}

/// A value of PHP, as far as descriptions hold them.
enum PhpValue<'a> {
    Text(&'a [u8]),
    Array(Vec<(&'a [u8], PhpValue<'a>)>),
    /// Numbers, truth values and null.
    Other,
}

impl PhpValue<'_> {
    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            PhpValue::Array(members) => {
                members.iter().find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            PhpValue::Text(text) => Some(String::from_utf8_lossy(text).trim().to_owned()),
            _ => None,
        }
        .filter(|text| !text.is_empty())
    }
}

struct Serialized<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Serialized<'a> {
    fn value(&mut self, depth: usize) -> Result<PhpValue<'a>> {
        if depth > MAX_DEPTH {
            return Err(self.error("values nested too deep"));
        }
        match self.up_to(b":;")? {
            b"N" => Ok(PhpValue::Other),
            b"s" => {
                let length = self.number(b':')?;
                self.expect(b"\"")?;
                let end = self.offset.checked_add(length);
                let text = end.and_then(|end| self.bytes.get(self.offset..end));
                let text = text.ok_or_else(|| self.error("a text longer than the file"))?;
                self.offset += length;
                self.expect(b"\";")?;
                Ok(PhpValue::Text(text))
            }
            b"a" => {
                let count = self.number(b':')?;
                self.expect(b"{")?;
                // The count is not believed: each member takes bytes, and ends with them.
                let mut members = Vec::new();
                for _ in 0..count {
                    let key = self.key()?;
                    members.push((key, self.value(depth + 1)?));
                }
                self.expect(b"}")?;
                Ok(PhpValue::Array(members))
            }
            b"i" | b"b" | b"d" => {
                self.up_to(b";")?;
                Ok(PhpValue::Other)
            }
            _ => Err(self.error("a value of unknown type")),
        }
    }

    fn key(&mut self) -> Result<&'a [u8]> {
        if self.bytes.get(self.offset) == Some(&b'i') {
            self.expect(b"i:")?;
            return self.up_to(b";");
        }
        match self.value(MAX_DEPTH)? {
            PhpValue::Text(text) => Ok(text),
            _ => Err(self.error("a key that is not a string")),
        }
    }

    fn number(&mut self, end: u8) -> Result<usize> {
        let digits = self.up_to(&[end])?;
        let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        number.ok_or_else(|| self.error("not a number"))
    }

    /// The bytes up to the first one of `ends`, which is skipped.
    fn up_to(&mut self, ends: &[u8]) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.offset..];
        let length = rest.iter().position(|byte| ends.contains(byte));
        let length = length.ok_or_else(|| self.error("ends too early"))?;
        self.offset += length + 1;
        Ok(&rest[..length])
    }

    fn expect(&mut self, text: &[u8]) -> Result<()> {
        if !self.bytes[self.offset..].starts_with(text) {
            return Err(self.error(&format!("expected `{}`", String::from_utf8_lossy(text))));
        }
        self.offset += text.len();
        Ok(())
    }

    fn error(&self, message: &str) -> Error {
        Error::at_offset(self.offset as u64, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_what_the_installer_writes() {
        let facts = Image::fixture("pear").run(&Pear);
        assert_eq!(facts.problems, []);
        let package = facts.packages().next().unwrap();
        assert_eq!(package.namespace.as_deref(), Some("pecl.example"));
        assert_eq!((&*package.name, &*package.version), ("redis", "5.3.7"));
        assert_eq!(package.licenses, ["PHP"]);
        assert_eq!(package.origin.as_deref(), Some("Jo Doe"));
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Pear, "pear");
    }

    #[test]
    fn forged_descriptions_are_errors() {
        let nested = "a:1:{i:0;".repeat(100_000);
        for (content, expected) in [
            ("s:99999999999999999999:\"", "offset 23: not a number"),
            ("s:18446744073709551615:\"", "offset 24: a text longer than the file"),
            ("a:4000000000:{", "offset 14: ends too early"),
            (nested.as_str(), "offset 585: values nested too deep"),
            ("O:8:\"stdClass\":0:{}", "offset 2: a value of unknown type"),
            ("a:0:{}", "no name in the description"),
        ] {
            let facts = Image::new([("usr/share/php/.registry/a.reg", content)]).run(&Pear);
            assert_eq!(facts.problems[0].message, expected);
        }
    }
}
