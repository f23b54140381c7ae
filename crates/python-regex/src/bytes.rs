//! Matching in bytes, as with a pattern of Python's type `bytes`: only ASCII
//! has letters, digits, spaces and case.

use crate::parse::parse;
use crate::write::{Engine, shown, write};
use crate::{Kind, MAX_SIZE, PatternError, backtracking, syntax};

/// How many steps back one match may cost.
const MAX_STEPS: usize = 100_000;

/// A pattern that was compiled, for matches at the start of the bytes.
#[derive(Debug)]
pub struct Pattern {
    compiled: Compiled,
}

#[derive(Debug)]
enum Compiled {
    Linear(regex::bytes::Regex),
    Backtracking(fancy_regex::Regex),
}

impl Pattern {
    /// The pattern is taken as its bytes in UTF-8: `[é]` is a set of two bytes.
    ///
    /// # Errors
    ///
    /// Where it is no pattern, or too large when compiled.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let node = parse(text, Kind::Bytes).map_err(PatternError::Syntax)?;
        let anchored = |engine| format!(r"\A(?:{})", write(&node, Kind::Bytes, engine));
        let compiled = match node.is_regular(true) {
            true => regex::bytes::RegexBuilder::new(&anchored(Engine::Linear))
                .unicode(false)
                .size_limit(MAX_SIZE)
                .build()
                .map(Compiled::Linear)
                .map_err(|error| syntax(&error))?,
            false => {
                Compiled::Backtracking(backtracking(&anchored(Engine::Backtracking), MAX_STEPS)?)
            }
        };
        Ok(Pattern { compiled })
    }

    /// Whether it matches at the start of the bytes, as `re.match`; the end may be anywhere.
    ///
    /// # Errors
    ///
    /// Where the match takes too many steps.
    pub fn is_match_at_start(&self, bytes: &[u8]) -> Result<bool, PatternError> {
        match &self.compiled {
            Compiled::Linear(regex) => Ok(regex.is_match(bytes)),
            Compiled::Backtracking(regex) => {
                regex.is_match(&shown(bytes)).map_err(|_| PatternError::TooManySteps)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_that_costs_too_much_is_an_error() {
        let slow = Pattern::new(r"(a|a)*(?=b)c\1").unwrap();
        assert_eq!(slow.is_match_at_start(&[b'a'; 60]), Err(PatternError::TooManySteps));
    }

    #[test]
    fn what_is_no_pattern_is_an_error() {
        assert!(matches!(Pattern::new("("), Err(PatternError::Syntax(_))));
        assert!(matches!(Pattern::new("(a{60000}){60000}"), Err(PatternError::Syntax(_))));
    }
}
