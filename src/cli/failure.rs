//! How a run ends when it does not end well: an exit code, the chain of what
//! went wrong, and what to type instead.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use inscan_facts::error::{Coded, Kind};
use inscan_report::text;

/// The exit codes, an interface: see the README's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Success = 0,
    /// The image was judged, and fails.
    Fail = 1,
    /// The parameters are wrong: something else has to be typed.
    Usage = 2,
    /// The parameters are right, and it could not be finished.
    Broken = 3,
}

/// Why a command did not finish, or what the image fails by.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    /// Stable, in kebab case; without it, the exit code's own.
    code: Option<&'static str>,
    error: anyhow::Error,
    /// What belongs to the error, a line each.
    details: Vec<String>,
    hint: Option<String>,
    format: ErrorFormat,
}

/// How a failure is written on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ErrorFormat {
    /// For people
    #[default]
    Text,
    /// One line of JSON: code, message, details, hint, exit
    Json,
}

#[derive(Debug, thiserror::Error)]
#[error("it was said")]
struct AlreadyReported;

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Failure {
            exit,
            code: None,
            error: error.into(),
            details: Vec::new(),
            hint: None,
            format: ErrorFormat::Text,
        }
    }

    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Failure::new(Exit::Usage, error)
    }

    pub fn broken(error: impl Into<anyhow::Error>) -> Self {
        Failure::new(Exit::Broken, error)
    }

    /// An error of the library, which knows its code and what to do about it. Here alone its
    /// kind becomes an exit code.
    pub fn of(error: impl Coded) -> Self {
        let exit = match error.kind() {
            Kind::Usage | Kind::Absent => Exit::Usage,
            Kind::Broken => Exit::Broken,
        };
        let (code, details, hint) = (Some(error.code()), error.details(), error.hint());
        Failure { code, details, hint, ..Failure::new(exit, error) }
    }

    /// Whatever there is to say was said, in another form than ours.
    pub fn told(exit: Exit) -> Self {
        Failure::new(exit, AlreadyReported)
    }

    pub fn details(mut self, lines: Vec<String>) -> Self {
        self.details = lines;
        self
    }

    /// Everything went well, and the image fails.
    pub fn fail(reasons: impl Into<anyhow::Error>) -> Self {
        Failure::new(Exit::Fail, reasons)
    }

    /// What the user can do about it: one sentence, with the command in backticks.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// How it is to be written.
    pub(super) fn format(mut self, format: ErrorFormat) -> Self {
        self.format = format;
        self
    }

    /// What programs tell it by; stable, in kebab case.
    pub fn code(&self) -> &'static str {
        self.code.unwrap_or(match self.exit {
            Exit::Success => "success",
            Exit::Fail => "image-fails",
            Exit::Usage => "wrong-parameters",
            Exit::Broken => "could-not-finish",
        })
    }

    /// Says it on stderr, and returns the code to end with. clap's own errors
    /// (and `--help`, which is one to clap) are printed as clap lays them out.
    pub fn report(&self) -> ExitCode {
        if self.format == ErrorFormat::Json
            && self.exit != Exit::Success
            && !self.error.is::<AlreadyReported>()
        {
            let _ = writeln!(io::stderr().lock(), "{}", self.json());
            return ExitCode::from(self.exit as u8);
        }
        // Nobody is left to be told if stderr is gone.
        let _ = match self.error.downcast_ref::<clap::Error>() {
            Some(error) => error.print(),
            None if self.error.is::<AlreadyReported>() => Ok(()),
            None => io::stderr().lock().write_all(self.to_string().as_bytes()),
        };
        ExitCode::from(self.exit as u8)
    }

    fn json(&self) -> serde_json::Value {
        let message = match self.error.downcast_ref::<clap::Error>() {
            Some(error) => error.render().to_string(),
            None => format!("{:#}", self.error),
        };
        serde_json::json!({
            "code": self.code(),
            "message": text::printable(message.trim().trim_start_matches("error: ")),
            "details": self.details.iter().map(|line| text::printable(line)).collect::<Vec<_>>(),
            "hint": self.hint.as_deref().map(text::printable),
            "exit": self.exit as u8,
        })
    }
}

impl Display for Failure {
    /// The chain on one line, outermost first; then its details. Parts may come from an image or an archive.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.exit == Exit::Fail { "the image fails" } else { "error" };
        writeln!(f, "{what}: {}", text::printable(&format!("{:#}", self.error)))?;
        for line in &self.details {
            writeln!(f, "  {}", text::printable(line))?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, " hint: {}", text::printable(hint)),
            None => Ok(()),
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
        Failure::new(exit, error)
    }
}
