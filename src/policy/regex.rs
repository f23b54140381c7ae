//! Regular expressions as bundles have them: in Python's dialect, and from
//! people who may be careless or hostile. Every match has a limit.

use std::fmt;

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
    anywhere: fancy_regex::Regex,
    at_start: fancy_regex::Regex,
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
        let anywhere = compiled(text)?;
        let at_start = compiled(&format!(r"\A(?:{text})"))?;
        Ok(Pattern { text: text.to_owned(), anywhere, at_start })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches at the start of the text; the end may be anywhere.
    pub fn is_match_at_start(&self, text: &str) -> Result<bool, PatternError> {
        self.at_start.is_match(text).map_err(|_| PatternError::TooManySteps)
    }

    /// Whether it matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> Result<bool, PatternError> {
        self.anywhere.is_match(text).map_err(|_| PatternError::TooManySteps)
    }
}

fn compiled(text: &str) -> Result<fancy_regex::Regex, PatternError> {
    fancy_regex::RegexBuilder::new(text)
        .backtrack_limit(MAX_STEPS)
        .delegate_size_limit(MAX_SIZE)
        .build()
        .map_err(|error| PatternError::Syntax(error.to_string()))
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
    fn what_is_no_pattern_is_an_error() {
        assert!(matches!(Pattern::new("(unclosed"), Err(PatternError::Syntax(_))));
        assert_eq!(Pattern::new(&"a".repeat(MAX_LENGTH + 1)).err(), Some(PatternError::TooLong));
    }
}
