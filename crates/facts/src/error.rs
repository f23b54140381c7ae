//! Errors in the kinds a caller has to tell apart, and names made safe for their texts.

use std::io;

use crate::escape;

/// Who has to do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The user named something that is not there or that we do not read: wrong parameters.
    Usage,
    /// What was named is not there, or there is no such place: another one may have it.
    Absent,
    /// The image, or the world around it, is at fault: could not finish.
    Broken,
}

/// An error at the border of a part: for people its text, its details and what to do, for
/// programs its kind and a code that stays.
pub trait Coded: std::error::Error + Send + Sync + 'static {
    /// Stable, in kebab case: `image-not-found`.
    fn code(&self) -> &'static str;

    /// Who has to act.
    fn kind(&self) -> Kind;

    /// What belongs to the error, a line each.
    fn details(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the user can do about it: one sentence, with the command in backticks.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// An error with its kind; everywhere it is wrapped in [`anyhow::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: Kind,
    code: Option<&'static str>,
    message: String,
}

impl Error {
    /// The kind of any error. One without a kind comes from the world: [`Kind::Broken`].
    pub fn kind_of(error: &anyhow::Error) -> Kind {
        error.downcast_ref::<Error>().map_or(Kind::Broken, |error| error.kind)
    }

    /// The code of any error that was given one, also where it went through a reader.
    pub fn code_of(error: &anyhow::Error) -> Option<&'static str> {
        let within = |cause: &(dyn std::error::Error + 'static)| {
            let within = cause.downcast_ref::<io::Error>()?.get_ref()?;
            within.downcast_ref::<Error>().and_then(|error| error.code)
        };
        let own = error.downcast_ref::<Error>().and_then(|error| error.code);
        own.or_else(|| error.chain().find_map(within))
    }

    /// An error with a code of its own.
    pub fn coded(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Error { kind, code: Some(code), message: message.into() }
    }
}

/// An error with a code of its own.
pub fn coded(kind: Kind, code: &'static str, message: impl Into<String>) -> anyhow::Error {
    Error::coded(kind, code, message).into()
}

pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Error { kind: Kind::Usage, code: None, message: message.into() }.into()
}

pub fn absent(message: impl Into<String>) -> anyhow::Error {
    Error { kind: Kind::Absent, code: None, message: message.into() }.into()
}

pub fn broken(message: impl Into<String>) -> anyhow::Error {
    Error { kind: Kind::Broken, code: None, message: message.into() }.into()
}

/// A name from an image or a command line, safe to show: no control characters, not endless.
pub fn shown(name: impl AsRef<[u8]>) -> String {
    const MAX_LENGTH: usize = 200;
    escape::cut(name, MAX_LENGTH)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_kind_survives_context() {
        let error = Err::<(), _>(usage("no such file")).context("could not open").unwrap_err();
        assert_eq!(Error::kind_of(&error), Kind::Usage);
        assert_eq!(Error::kind_of(&anyhow::anyhow!("disk on fire")), Kind::Broken);
    }

    #[test]
    fn a_code_is_found_behind_a_reader() {
        let error = io::Error::other(Error::coded(Kind::Broken, "too-much", "too much"));
        let error = anyhow::Error::from(error).context("could not read");
        assert_eq!(Error::code_of(&error), Some("too-much"));
        assert_eq!(Error::code_of(&io::Error::other("disk on fire").into()), None);
    }

    #[test]
    fn names_are_shown_without_control_characters_and_cut() {
        assert_eq!(shown("a\x1b[31m\u{202e}b"), r"a\x1b[31m\u{202e}b");
        assert_eq!(shown("x".repeat(1000)).chars().count(), 201);
    }
}
