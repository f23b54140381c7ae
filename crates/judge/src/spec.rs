//! What can be written in a rule: gates, their triggers, and the parameters of
//! each. A gate is one value of this kind, in a file of its own below `gates/`.

use super::facts::DocumentFacts;
use super::params::{Invalid, Params};
use inscan_python_regex::PatternError;

/// A group of triggers about one kind of fact.
#[derive(Debug)]
pub struct Gate {
    /// In lower case; rules may write it otherwise.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    pub triggers: &'static [Trigger],
}

/// One question about an image, which fires for each thing it finds.
#[derive(Debug)]
pub struct Trigger {
    /// In lower case; rules may write it otherwise. It is in the result, and in the ids of matches.
    pub name: &'static str,
    /// What later versions of the engine call it.
    pub aliases: &'static [&'static str],
    /// One sentence.
    pub about: &'static str,
    pub params: &'static [Param],
    /// What holds between parameters, where each is valid by itself.
    pub check: Option<Check>,
    pub fire: Fire,
}

pub type Check = fn(&Params) -> Result<(), Invalid>;

pub type Fire = fn(&DocumentFacts<'_>, &Params) -> Result<Vec<Match>, TriggerError>;

/// A parameter of a trigger. All values are texts in a bundle.
#[derive(Debug)]
pub struct Param {
    /// In lower case; rules may write it otherwise.
    pub name: &'static str,
    /// What earlier or later versions of the engine call it.
    pub aliases: &'static [&'static str],
    /// One sentence.
    pub about: &'static str,
    pub kind: Kind,
    pub required: bool,
    /// The value where a rule has none.
    pub default: Option<&'static str>,
    pub example: &'static str,
}

impl Param {
    pub const fn required(
        name: &'static str,
        kind: Kind,
        example: &'static str,
        about: &'static str,
    ) -> Self {
        Param { name, aliases: &[], about, kind, required: true, default: None, example }
    }

    pub const fn optional(
        name: &'static str,
        kind: Kind,
        example: &'static str,
        about: &'static str,
    ) -> Self {
        Param { required: false, ..Param::required(name, kind, example, about) }
    }

    /// With the value that a rule without one has.
    pub const fn or(self, default: &'static str) -> Self {
        Param { default: Some(default), ..self }
    }

    pub const fn also_called(self, aliases: &'static [&'static str]) -> Self {
        Param { aliases, ..self }
    }
}

/// What a value has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Exactly one of these words.
    OneOf(&'static [&'static str]),
    /// `true` or `false`, in any case.
    Boolean,
    /// Digits; blanks around them are ignored.
    Integer,
    /// A number with or without a fraction.
    Float,
    /// Texts between commas; blanks around them are ignored.
    List,
    /// Numbers between commas.
    Numbers,
    /// Bytes, or with a unit as `10mb`.
    Size,
    /// A regular expression in Python's dialect.
    Regex,
}

/// What a trigger found, once for each thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What exceptions name it by; where there is none it is made of gate, trigger and message.
    pub id: Option<String>,
    pub message: String,
    /// Somebody has decided about it before any policy was asked.
    pub excused: Option<Excused>,
}

/// By which exception that is none of the bundle's: of `--ignore`, or a VEX statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excused {
    /// The file it stands in.
    pub list: String,
    /// One sentence.
    pub name: String,
    /// Which of the file's.
    pub rule: Option<String>,
    pub notes: Option<String>,
}

impl Match {
    pub fn of(message: impl Into<String>) -> Self {
        Match { id: None, message: message.into(), excused: None }
    }

    pub fn with_id(id: impl Into<String>, message: impl Into<String>) -> Self {
        Match { id: Some(id.into()), message: message.into(), excused: None }
    }
}

/// Why a trigger has no answer for this image: never a pass.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// The facts are not such that the question makes sense; what to do about it is said.
    #[error("{0}")]
    NotAnswerable(String),
    #[error("parameter `{param}`: {error}")]
    Pattern { param: &'static str, error: PatternError },
}
