//! Python's regular expressions (<https://docs.python.org/3/library/re.html>) on engines with limits.
//!
//! A pattern is parsed once, to a tree; from there it is written for the engine that is to match it:
//! one in time that is in proportion to the text, or, for what needs look-around, one that backtracks
//! within a limit of steps. [`text`] matches as patterns of type `str` do, [`bytes`] as patterns of type
//! `bytes`. Known differences: flags such as `(?i)` may stand anywhere, as before Python 3.11; `\N{…}`,
//! surrogates, the flag `L` and more than 65,535 repetitions are errors; `\B` matches in an empty text,
//! as since Python 3.14.

pub mod bytes;
pub mod text;

mod parse;
mod required;
mod tree;
mod write;

use std::fmt;

/// The size of a compiled pattern, in bytes.
const MAX_SIZE: usize = 4 << 20;

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("not a regular expression: {0}")]
    Syntax(String),
    #[error("the regular expression is longer than {} bytes", text::MAX_LENGTH)]
    TooLong,
    #[error("the regular expression takes too many steps: write it without nested repetition")]
    TooManySteps,
}

/// What a pattern is matched with: texts or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bytes,
}

fn backtracking(pattern: &str, max_steps: usize) -> Result<fancy_regex::Regex, PatternError> {
    fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(max_steps)
        .delegate_size_limit(MAX_SIZE)
        .build()
        .map_err(|error| syntax(&error))
}

/// The last line of an engine's error: above it is a picture of the pattern as it was written for the
/// engine, which is not the one that the user wrote.
fn syntax(error: &dyn fmt::Display) -> PatternError {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    PatternError::Syntax(line.trim_start_matches("error: ").to_owned())
}
