//! Why something in a known format could not be understood: what, and where in the file.

use std::fmt;
use std::io;

/// What a reader of a format returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A lowercase fragment with the value in backticks, and the position in the file.
/// The path is added by the caller, who knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    position: Option<Position>,
    is_over_limit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Line(usize),
    Offset(u64),
}

impl Error {
    /// About the file as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Error { message: message.into(), position: None, is_over_limit: false }
    }

    /// It may well be in order, but is larger or denser than what is read.
    pub fn over_limit(message: impl Into<String>) -> Self {
        Error { is_over_limit: true, ..Error::new(message) }
    }

    /// The same: whoever else reads it may have no trouble with it.
    #[must_use]
    pub fn read_by_others(self) -> Self {
        Error { is_over_limit: true, ..self }
    }

    /// The same of something within what is spoken of.
    #[must_use]
    pub fn within(self, name: impl fmt::Display) -> Self {
        let message = format!("`{name}`: {self}");
        Error { message, position: None, is_over_limit: self.is_over_limit }
    }

    pub fn is_over_limit(&self) -> bool {
        self.is_over_limit
    }

    /// `line` counts from 1.
    pub fn at_line(line: usize, message: impl Into<String>) -> Self {
        Error { position: Some(Position::Line(line)), ..Error::new(message) }
    }

    /// `offset` counts bytes from the beginning of the file.
    pub fn at_offset(offset: u64, message: impl Into<String>) -> Self {
        Error { position: Some(Position::Offset(offset)), ..Error::new(message) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            None => f.write_str(&self.message),
            Some(Position::Line(line)) => write!(f, "line {line}: {}", self.message),
            Some(Position::Offset(offset)) => write!(f, "offset {offset}: {}", self.message),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::new(format!("could not read the content: {error}"))
    }
}
