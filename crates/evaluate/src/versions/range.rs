//! Range languages: whether a version is in a range, as the language's own tool says.
//!
//! A range that cannot be read is an error. A version that cannot be read is in no
//! range, as the tools have it: who must know the difference asks
//! [`check`](super::check) first.

mod composer;
mod feed;
mod npm;
mod pep440;

use super::Scheme;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// `^1.2.3 || 2.x`, <https://github.com/npm/node-semver#ranges>.
    Npm,
    /// `>=1.0,!=1.5.*`, <https://packaging.python.org/en/latest/specifications/version-specifiers/>.
    /// Pre-releases are versions like others.
    Pep440,
    /// `~1.2 || ^2.0`, <https://getcomposer.org/doc/articles/versions.md>.
    Composer,
    /// `>= 1.0, < 1.2 || = 2.0`: how the legacy engine's feeds and GitHub's advisories write
    /// ranges, over the order of any ecosystem.
    Feed(Scheme),
}

/// A range of which a part cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range `{}` cannot be read: {reason}", super::shown(range))]
pub struct UnreadableRange {
    pub range: String,
    pub reason: &'static str,
}

/// As for versions; ranges list many.
const MAX_LENGTH: usize = 16 * 1024;

pub fn satisfies(syntax: Syntax, version: &str, range: &str) -> Result<bool, UnreadableRange> {
    let found = if range.len() > MAX_LENGTH {
        Err("it is too long")
    } else if version.len() > super::MAX_LENGTH {
        Ok(false)
    } else {
        match syntax {
            Syntax::Npm => npm::satisfies(version, range),
            Syntax::Pep440 => pep440::satisfies(version, range),
            Syntax::Composer => composer::satisfies(version, range),
            Syntax::Feed(scheme) => feed::satisfies(scheme, version, range),
        }
    };
    found.map_err(|reason| UnreadableRange { range: range.to_owned(), reason })
}

/// What stands between an operator and the next blank, comma or operator, with that operator:
/// `>= 1.0,<2` is `>=` and `1.0`, `<` and `2`.
fn terms<'a>(text: &'a str, operators: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let is_gap = |char: char| char.is_whitespace() || char == ',';
    let mut terms = Vec::new();
    let mut rest = text.trim_start_matches(is_gap);
    while !rest.is_empty() {
        let operator = operators.iter().find(|operator| rest.starts_with(**operator));
        let operator = operator.copied().unwrap_or_default();
        rest = rest[operator.len()..].trim_start();
        let end = rest
            .find(|char: char| is_gap(char) || "<>=!".contains(char))
            .filter(|end| *end > 0 || !operator.is_empty())
            .unwrap_or(rest.len());
        terms.push((operator, &rest[..end]));
        rest = rest[end..].trim_start_matches(is_gap);
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_bind_what_follows_them() {
        let operators = [">=", "<=", "<", ">", "="];
        assert_eq!(terms(">= 1.0,<2", &operators), [(">=", "1.0"), ("<", "2")]);
        assert_eq!(terms(" 1.0  =2 ", &operators), [("", "1.0"), ("=", "2")]);
        assert_eq!(terms(">=", &operators), [(">=", "")]);
        assert_eq!(terms("!1", &operators), [("", "!1")]);
        assert_eq!(terms("", &operators), []);
    }

    #[test]
    fn hostile_ranges_end_well_and_soon() {
        let parts = [
            "",
            "1",
            "1.2",
            "x",
            "*",
            ">",
            "<",
            "=",
            "~",
            "^",
            "!",
            "|",
            "||",
            " - ",
            ",",
            "-",
            ".",
            "é",
            "999999999999999999999",
        ];
        let syntaxes =
            [Syntax::Npm, Syntax::Pep440, Syntax::Composer, Syntax::Feed(Scheme::Semver)];
        for syntax in syntaxes {
            for a in parts {
                for b in parts {
                    for c in parts {
                        let _ = satisfies(syntax, "1.2.3", &format!("{a}{b}{c}"));
                    }
                }
            }
            for long in
                [">".repeat(MAX_LENGTH), "1 ".repeat(MAX_LENGTH / 2), "||".repeat(MAX_LENGTH / 2)]
            {
                let _ = satisfies(syntax, "1.2.3", &long);
            }
            assert!(satisfies(syntax, "1.2.3", &"1".repeat(MAX_LENGTH + 1)).is_err());
        }
    }

    #[test]
    fn pre_releases_are_in_a_range_as_the_language_has_it() {
        let check = |syntax, version, range, expected| {
            assert_eq!(satisfies(syntax, version, range), Ok(expected), "{version} {range}");
        };
        check(Syntax::Npm, "1.5.0-beta", ">=1.0.0", false);
        check(Syntax::Npm, "1.5.0-beta", ">=1.5.0-alpha", true);
        check(Syntax::Pep440, "1.5b1", ">=1.0", true);
        check(Syntax::Pep440, "1.5b1", "<1.5", false);
        check(Syntax::Pep440, "1.5.post1", ">1.5", false);
        check(Syntax::Pep440, "1.4.5", "~=1.4.2", true);
        check(Syntax::Pep440, "1.5", "~=1.4.2", false);
        check(Syntax::Pep440, "1.5.1", "!=1.5.*", false);
        check(Syntax::Composer, "2.0.0-beta1", "^1.0", false);
        check(Syntax::Feed(Scheme::Npm), "1.5.0-beta", ">= 1.0.0", true);
        check(Syntax::Feed(Scheme::Maven), "5.1.3.RELEASE", "= 5.1.3", true);
        check(Syntax::Feed(Scheme::Gem), "5.2.4.3", "< 5.2.4.4 || > 6", true);
    }
}
