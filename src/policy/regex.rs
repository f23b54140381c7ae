//! Regular expressions as bundles have them: in Python's dialect, and from
//! people who may be careless or hostile. Every match has a limit.

mod literal;
mod python;

use std::fmt;
use std::sync::OnceLock;

use python::Translated;

/// So many steps back, and the match is given up.
const MAX_STEPS: usize = 1_000_000;

/// Longer ones are no expression that a person wrote.
const MAX_LENGTH: usize = 16 << 10;

/// The size of the compiled program.
const MAX_SIZE: usize = 4 << 20;

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("not a regular expression: {0}")]
    Syntax(String),
    #[error("the regular expression is longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("the regular expression takes too many steps: write it without nested repetition")]
    TooManySteps,
}

/// A pattern that was compiled.
pub struct Pattern {
    text: String,
    translated: Translated,
    anywhere: Engine,
    /// Compiled when they are needed: not all patterns are used in all ways.
    at_start: OnceLock<Result<Engine, PatternError>>,
    exact_anywhere: OnceLock<Result<Engine, PatternError>>,
    exact_at_start: OnceLock<Result<Engine, PatternError>>,
}

enum Engine {
    /// In time that is in proportion to the text.
    Linear(regex::Regex),
    /// With look-around: it goes back and tries again, up to a limit.
    Backtracking(fancy_regex::Regex),
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl Pattern {
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_LENGTH {
            return Err(PatternError::TooLong);
        }
        let translated = python::translate(text).map_err(PatternError::Syntax)?;
        let anywhere = match translated.needs_look_around {
            true => Engine::backtracking(&translated.exact)?,
            false => Engine::linear(&translated.plain)?,
        };
        Ok(Pattern {
            text: text.to_owned(),
            translated,
            anywhere,
            at_start: OnceLock::new(),
            exact_anywhere: OnceLock::new(),
            exact_at_start: OnceLock::new(),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Texts that are in everything it matches, the longest first, as far as they are easily seen.
    pub fn required(&self) -> Vec<String> {
        literal::required(&self.text)
    }

    /// Whether it matches at the start of the text; the end may be anywhere.
    pub fn is_match_at_start(&self, text: &str) -> Result<bool, PatternError> {
        let Translated { plain, exact, needs_look_around, .. } = &self.translated;
        if *needs_look_around || self.has_to_be_exact(text) {
            let compile = || Engine::backtracking(&at_start(exact));
            return engine(&self.exact_at_start, compile)?.is_match(text);
        }
        engine(&self.at_start, || Engine::linear(&at_start(plain)))?.is_match(text)
    }

    /// Whether it matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> Result<bool, PatternError> {
        if !self.translated.needs_look_around && self.has_to_be_exact(text) {
            let compile = || Engine::backtracking(&self.translated.exact);
            return engine(&self.exact_anywhere, compile)?.is_match(text);
        }
        self.anywhere.is_match(text)
    }

    /// Only then is there a difference.
    fn has_to_be_exact(&self, text: &str) -> bool {
        self.translated.has_end && text.ends_with('\n')
    }
}

fn at_start(pattern: &str) -> String {
    format!(r"\A(?:{pattern})")
}

fn engine(
    place: &OnceLock<Result<Engine, PatternError>>,
    compile: impl FnOnce() -> Result<Engine, PatternError>,
) -> Result<&Engine, PatternError> {
    place.get_or_init(compile).as_ref().map_err(PatternError::clone)
}

impl Engine {
    fn linear(pattern: &str) -> Result<Engine, PatternError> {
        let built = regex::RegexBuilder::new(pattern).size_limit(MAX_SIZE).build();
        built.map(Engine::Linear).map_err(|error| PatternError::Syntax(last_line(&error)))
    }

    fn backtracking(pattern: &str) -> Result<Engine, PatternError> {
        let built = fancy_regex::RegexBuilder::new(pattern)
            .backtrack_limit(MAX_STEPS)
            .delegate_size_limit(MAX_SIZE)
            .build();
        built.map(Engine::Backtracking).map_err(|error| PatternError::Syntax(last_line(&error)))
    }

    fn is_match(&self, text: &str) -> Result<bool, PatternError> {
        match self {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Backtracking(regex) => {
                regex.is_match(text).map_err(|_| PatternError::TooManySteps)
            }
        }
    }
}

/// Above it is a picture of the pattern, which is not the one that was written.
fn last_line(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_at_the_start_or_anywhere() {
        let pattern = Pattern::new("b+|c").unwrap();
        assert_eq!(pattern.is_match_at_start("bba"), Ok(true));
        assert_eq!(pattern.is_match_at_start("abc"), Ok(false));
        assert_eq!(pattern.is_match("abc"), Ok(true));
        assert_eq!(pattern.as_str(), "b+|c");
    }

    #[test]
    fn looks_around_within_a_limit() {
        let pattern = Pattern::new(r"(?!/usr)/.*\.key$").unwrap();
        assert_eq!(pattern.is_match_at_start("/etc/a.key"), Ok(true));
        assert_eq!(pattern.is_match_at_start("/usr/a.key"), Ok(false));
        let slow = Pattern::new(r"(a+)+\1$").unwrap();
        let text = "a".repeat(60) + "b";
        assert_eq!(slow.is_match(&text), Err(PatternError::TooManySteps));
    }

    #[test]
    fn a_dollar_is_also_before_the_last_line_feed() {
        for (pattern, text, expected) in [
            ("a$", "a\n", true),
            ("a$", "a\n\n", false),
            (r"a\Z", "a\n", false),
            ("a$\n", "a\n", true),
            ("(?m)^b$", "a\nb\nc", true),
            ("^b$", "a\nb", false),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.is_match(text), Ok(expected), "{pattern:?} {text:?}");
        }
        assert_eq!(Pattern::new("a$").unwrap().is_match_at_start("a\n"), Ok(true));
        assert_eq!(Pattern::new("(?i)A$|b").unwrap().is_match_at_start("a"), Ok(true));
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        assert!(matches!(Pattern::new("(a{60000}){60000}"), Err(PatternError::Syntax(_))));
        assert!(matches!(Pattern::new("(unclosed"), Err(PatternError::Syntax(_))));
        assert_eq!(Pattern::new(&"a".repeat(MAX_LENGTH + 1)).err(), Some(PatternError::TooLong));
    }
}
