//! Packages that the maker of an image lists in it by hand: `anchore_hints.json`
//! at its root, a habit of the legacy engine.
//!
//! The file is one JSON object; its member `packages` is a list of objects with
//! `type`, `name`, `version` and what else the type has. Whoever makes the image
//! can claim anything there, so it is read only if the user says so.
//! The engine is the only specification: <https://github.com/anchore/anchore-engine>

mod legacy;

use serde_json::Value;

use crate::os::distribution::{self, Flavor};
use crate::parse::json;
use crate::{
    Analyzer, Config, Error, Evidence, Facts, Files, Package, Pattern, Result, SourcePackage, Want,
};

const FILE: &str = "anchore_hints.json";
const MAX_FILE: u64 = 16 << 20;
/// Further problems are only counted.
const MAX_PROBLEMS: usize = 50;

pub(crate) struct Hints {
    is_enabled: bool,
}

impl Hints {
    pub(crate) fn new(config: &Config) -> Self {
        Hints { is_enabled: config.hints }
    }
}

impl Analyzer for Hints {
    fn name(&self) -> &'static str {
        "hints"
    }

    fn about(&self) -> &'static str {
        "Packages listed by hand in anchore_hints.json; only with `--hints`"
    }

    fn wants(&self) -> Vec<Want> {
        if !self.is_enabled {
            return Vec::new();
        }
        // The distribution decides which hints on OS packages count.
        let mut wants = distribution::wants();
        wants.push(Want::keep(Pattern::path(FILE), MAX_FILE));
        wants
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        if !self.is_enabled {
            return Ok(());
        }
        let read = image.read(FILE.as_bytes()).and_then(|text| match text {
            Some(text) => hints(&text),
            None => Ok(Vec::new()),
        });
        let hints = match read {
            Ok(hints) => hints,
            Err(error) => {
                out.problem_at(FILE, error);
                return Ok(());
            }
        };
        let flavor = distribution::flavor_of(image);
        let mut refused = 0;
        for (number, hint) in hints.iter().enumerate() {
            if let Err(error) = state(hint, flavor, out) {
                refused += 1;
                if refused <= MAX_PROBLEMS {
                    out.problem_at(FILE, format!("package {}: {error}", number + 1));
                }
            }
        }
        if refused > MAX_PROBLEMS {
            out.problem_at(FILE, format!("{} more problems", refused - MAX_PROBLEMS));
        }
        Ok(())
    }
}

fn hints(text: &[u8]) -> Result<Vec<Value>> {
    match json::parse(text)?.get_mut("packages").map(Value::take) {
        Some(Value::Array(hints)) => Ok(hints),
        _ => Err(Error::new("the list `packages` is missing")),
    }
}

fn state(hint: &Value, flavor: Flavor, out: &mut Facts) -> Result<()> {
    let kind = HintKind::of(hint)?;
    if kind.flavor().is_some_and(|needed| needed != flavor) {
        return Err(Error::new(format!(
            "packages of type `{}` do not belong to this distribution",
            kind.word()
        )));
    }
    let hint = Hint::new(kind, hint)?;
    legacy::state(&hint, out);
    out.package(hint.package());
    Ok(())
}

/// What a hint calls its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HintKind {
    Apk,
    Binary,
    Deb,
    Gem,
    Go,
    Java,
    Npm,
    Python,
    Rpm,
}

impl HintKind {
    const ALL: [HintKind; 9] = [
        HintKind::Apk,
        HintKind::Binary,
        HintKind::Deb,
        HintKind::Gem,
        HintKind::Go,
        HintKind::Java,
        HintKind::Npm,
        HintKind::Python,
        HintKind::Rpm,
    ];

    fn of(hint: &Value) -> Result<HintKind> {
        let word = json::text(hint, "type").ok_or_else(|| Error::new("no type"))?;
        let kind = HintKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word));
        kind.ok_or_else(|| Error::new(format!("unknown type `{word}`")))
    }

    /// What the file calls it.
    fn word(self) -> &'static str {
        match self {
            HintKind::Apk => "apkg",
            HintKind::Binary => "binary",
            HintKind::Deb => "dpkg",
            HintKind::Gem => "gem",
            HintKind::Go => "go",
            HintKind::Java => "java",
            HintKind::Npm => "npm",
            HintKind::Python => "python",
            HintKind::Rpm => "rpm",
        }
    }

    /// The type of its purl.
    fn purl(self) -> &'static str {
        match self {
            HintKind::Apk => "apk",
            HintKind::Binary => "generic",
            HintKind::Deb => "deb",
            HintKind::Gem => "gem",
            HintKind::Go => "golang",
            HintKind::Java => "maven",
            HintKind::Npm => "npm",
            HintKind::Python => "pypi",
            HintKind::Rpm => "rpm",
        }
    }

    /// The flavor of distribution that such hints are limited to; `None` for any.
    fn flavor(self) -> Option<Flavor> {
        match self {
            HintKind::Apk => Some(Flavor::Alpine),
            HintKind::Deb => Some(Flavor::Deb),
            HintKind::Rpm => Some(Flavor::Rhel),
            _ => None,
        }
    }
}

/// One hint with all that it needs.
struct Hint<'a> {
    kind: HintKind,
    name: &'a str,
    versions: Vec<&'a str>,
    origins: Vec<&'a str>,
    licenses: Vec<&'a str>,
    files: Vec<&'a str>,
    /// All its members.
    members: &'a Value,
}

impl<'a> Hint<'a> {
    fn new(kind: HintKind, members: &'a Value) -> Result<Self> {
        let name = json::text(members, "name").ok_or_else(|| Error::new("no name"))?;
        let in_hint = |error: Error| Error::new(format!("`{name}`: {error}"));
        let hint = Hint {
            kind,
            name,
            versions: one_or_many(members, "version").map_err(in_hint)?,
            origins: one_or_many(members, "origin").map_err(in_hint)?,
            licenses: one_or_many(members, "license").map_err(in_hint)?,
            files: texts(members, "files").map_err(in_hint)?,
            members,
        };
        match hint.versions.is_empty() {
            true => Err(Error::new(format!("`{name}`: no version"))),
            false => Ok(hint),
        }
    }

    fn version(&self) -> &'a str {
        self.versions.first().copied().unwrap_or_default()
    }

    fn text(&self, member: &str) -> Option<&'a str> {
        json::text(self.members, member)
    }

    fn package(&self) -> Package {
        let (epoch, version) = match self.version().split_once(':') {
            Some((epoch, version)) if self.kind == HintKind::Rpm => (epoch.parse().ok(), version),
            _ => (None, self.version()),
        };
        let scope = self
            .name
            .split_once('/')
            .filter(|(scope, _)| self.kind == HintKind::Npm && scope.starts_with('@'));
        let is_os_package = self.kind.flavor().is_some();
        Package {
            kind: self.kind.purl().into(),
            namespace: scope.map(|(scope, _)| scope.to_owned()),
            name: scope.map_or(self.name, |(_, name)| name).to_owned(),
            version: version.to_owned(),
            epoch,
            arch: self.text("arch").filter(|_| is_os_package).map(str::to_owned),
            source: self
                .text("source")
                .filter(|_| is_os_package)
                .map(|name| SourcePackage { name: name.to_owned(), version: None }),
            licenses: self.licenses.iter().map(|text| (*text).to_owned()).collect(),
            origin: self.origins.first().map(|text| (*text).to_owned()),
            // The hints file is a list of packages, as an SBOM is.
            evidence: Evidence::Sbom,
            location: FILE.into(),
            ..Package::default()
        }
    }
}

/// A list under the plural of a member's name, or else one text under the name itself.
fn one_or_many<'a>(hint: &'a Value, member: &str) -> Result<Vec<&'a str>> {
    let many = texts(hint, &format!("{member}s"))?;
    Ok(if many.is_empty() { json::text(hint, member).into_iter().collect() } else { many })
}

fn texts<'a>(hint: &'a Value, member: &str) -> Result<Vec<&'a str>> {
    let wrong = || Error::new(format!("`{member}` is not a list of strings"));
    match hint.get(member) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;

    fn run(hints: &str) -> Facts {
        let files = [("anchore_hints.json", hints), ("etc/os-release", "ID=debian\n")];
        Image::new(files).run(&Hints { is_enabled: true })
    }

    #[track_caller]
    fn check(hints: &str, expected: &[&str], problems: &[&str]) {
        let found = run(hints);
        let packages: Vec<String> =
            found.packages().map(|it| format!("{} {} {}", it.kind, it.name, it.version)).collect();
        let messages: Vec<&str> = found.problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(
            (packages, &messages[..]),
            (expected.iter().map(|it| (*it).to_owned()).collect(), problems)
        );
    }

    #[test]
    fn every_hint_is_a_package() {
        check(
            r#"{"packages": [
                {"type": "dpkg", "name": "a", "version": "1:2-3"},
                {"type": "npm", "name": "@s/b", "versions": ["1", "2"]},
                {"type": "go", "name": "example.org/c", "version": "v1.2.3"},
                {"type": "binary", "name": "d", "version": "4"}
            ]}"#,
            &["deb a 1:2-3", "npm b 1", "golang example.org/c v1.2.3", "generic d 4"],
            &[],
        );
    }

    #[test]
    fn says_why_a_hint_is_refused() {
        check(
            r#"{"packages": [
                {"name": "a", "version": "1"},
                {"type": "cargo", "name": "a", "version": "1"},
                {"type": "gem", "version": "1"},
                {"type": "gem", "name": "a"},
                {"type": "gem", "name": "a", "version": "1", "licenses": "MIT"},
                {"type": "rpm", "name": "a", "version": "1-1"},
                7
            ]}"#,
            &[],
            &[
                "package 1: no type",
                "package 2: unknown type `cargo`",
                "package 3: no name",
                "package 4: `a`: no version",
                "package 5: `a`: `licenses` is not a list of strings",
                "package 6: packages of type `rpm` do not belong to this distribution",
                "package 7: no type",
            ],
        );
        check("{", &[], &["line 1: JSON ends too early"]);
        check("[]", &[], &["the list `packages` is missing"]);
    }

    #[test]
    fn nothing_is_read_unless_the_user_says_so() {
        let hints = Hints::new(&Config::default());
        assert_eq!(hints.wants(), []);
        let image = Image::new([("anchore_hints.json", "{")]);
        assert_eq!(image.run(&hints), Facts::default());
    }

    #[test]
    fn survives_a_file_cut_anywhere() {
        let whole = r#"{"packages": [{"type": "rpm", "name": "é", "versions": ["1"]}]}"#;
        for cut in 0..whole.len() {
            let files = [("anchore_hints.json", &whole.as_bytes()[..cut])];
            let found = Image::new(files).run(&Hints { is_enabled: true });
            assert_eq!(found.problems.len(), 1, "{cut}");
        }
    }
}
