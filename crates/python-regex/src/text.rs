//! Matching in text, as with a pattern of Python's type `str`. Patterns may be
//! from people who are careless or hostile: length, size and steps have limits.

use std::fmt;
use std::sync::OnceLock;

use crate::parse::parse;
use crate::required::required;
use crate::write::{Engine, write};
use crate::{Kind, MAX_SIZE, PatternError, backtracking, syntax};

/// Longer ones, in bytes, are no expression that a person wrote.
pub(crate) const MAX_LENGTH: usize = 16 << 10;

/// So many steps back, and the match is given up.
const MAX_STEPS: usize = 1_000_000;

/// A pattern that was compiled.
pub struct Pattern {
    text: String,
    required: Vec<String>,
    /// None for patterns that need look-around.
    linear: Option<String>,
    backtracking: String,
    has_unicode_boundary: bool,
    /// Compiled when they are needed: not all patterns are used in all ways.
    linear_anywhere: OnceLock<Result<regex::Regex, PatternError>>,
    linear_at_start: OnceLock<Result<regex::Regex, PatternError>>,
    backtracking_anywhere: OnceLock<Result<fancy_regex::Regex, PatternError>>,
    backtracking_at_start: OnceLock<Result<fancy_regex::Regex, PatternError>>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

/// Where a match has to begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Anywhere,
    AtStart,
}

impl Pattern {
    /// # Errors
    ///
    /// Where it is no pattern, longer than 16 KiB, or too large when compiled.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_LENGTH {
            return Err(PatternError::TooLong);
        }
        let node = parse(text, Kind::Text).map_err(PatternError::Syntax)?;
        let is_regular = node.is_regular(true);
        let pattern = Pattern {
            text: text.to_owned(),
            required: required(&node),
            linear: is_regular.then(|| write(&node, Kind::Text, Engine::Linear)),
            backtracking: write(&node, Kind::Text, Engine::Backtracking),
            has_unicode_boundary: node.has_unicode_boundary(),
            linear_anywhere: OnceLock::new(),
            linear_at_start: OnceLock::new(),
            backtracking_anywhere: OnceLock::new(),
            backtracking_at_start: OnceLock::new(),
        };
        // Says now what an engine does not take.
        pattern.is_match("")?;
        Ok(pattern)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Texts that are in everything it matches, the longest first, as far as they are easily seen.
    pub fn required(&self) -> &[String] {
        &self.required
    }

    /// Whether it matches at the start of the text, as `re.match`; the end may be anywhere.
    ///
    /// # Errors
    ///
    /// Where the match takes too many steps.
    pub fn is_match_at_start(&self, text: &str) -> Result<bool, PatternError> {
        self.matches(text, Start::AtStart)
    }

    /// Whether it matches anywhere in the text, as `re.search`.
    ///
    /// # Errors
    ///
    /// Where the match takes too many steps.
    pub fn is_match(&self, text: &str) -> Result<bool, PatternError> {
        self.matches(text, Start::Anywhere)
    }

    fn matches(&self, text: &str, start: Start) -> Result<bool, PatternError> {
        let anchored = |pattern: &str| match start {
            Start::Anywhere => pattern.to_owned(),
            Start::AtStart => format!(r"\A(?:{pattern})"),
        };
        // Only between letters that are not ASCII do the engines see boundaries otherwise.
        if let Some(linear) = &self.linear
            && (!self.has_unicode_boundary || text.is_ascii())
        {
            let place = match start {
                Start::Anywhere => &self.linear_anywhere,
                Start::AtStart => &self.linear_at_start,
            };
            let regex = compiled(place, || linear_engine(&anchored(linear)))?;
            return Ok(regex.is_match(text));
        }
        let place = match start {
            Start::Anywhere => &self.backtracking_anywhere,
            Start::AtStart => &self.backtracking_at_start,
        };
        let regex = compiled(place, || backtracking(&anchored(&self.backtracking), MAX_STEPS))?;
        regex.is_match(text).map_err(|_| PatternError::TooManySteps)
    }
}

fn compiled<R>(
    place: &OnceLock<Result<R, PatternError>>,
    compile: impl FnOnce() -> Result<R, PatternError>,
) -> Result<&R, PatternError> {
    place.get_or_init(compile).as_ref().map_err(PatternError::clone)
}

fn linear_engine(pattern: &str) -> Result<regex::Regex, PatternError> {
    let built = regex::RegexBuilder::new(pattern).size_limit(MAX_SIZE).build();
    built.map_err(|error| syntax(&error))
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
    fn takes_linear_time_where_nothing_needs_look_around() {
        for (pattern, is_linear) in [
            (r"(a+)+$", true),
            (r"(a$|b$)", true),
            (r"(?i:\bé[^\W\d])*?\Z", true),
            (r"a$\n", false),
            (r"(a$)?", false),
            (r"a++", false),
            (r"(?>a)", false),
            (r"(a)\1", false),
            (r"(?=a)", false),
            (r"(a)?(?(1)b)", false),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().linear.is_some(), is_linear, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        assert!(matches!(Pattern::new("(a{60000}){60000}"), Err(PatternError::Syntax(_))));
        assert!(matches!(Pattern::new("(unclosed"), Err(PatternError::Syntax(_))));
        assert_eq!(Pattern::new(&"a".repeat(MAX_LENGTH + 1)).err(), Some(PatternError::TooLong));
    }
}
