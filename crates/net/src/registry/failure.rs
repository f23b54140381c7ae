//! Why a registry did not give what it was asked for.

use std::time::Duration;

use serde::Deserialize;

use crate::{self as net, Cause, Outcome, Response, StatusCode, retry_after};
use inscan_facts::error::{Kind, coded, shown};
use inscan_facts::json::{self, Form};

/// A registry's own words, and no more.
const MAX_ERROR_BYTES: u64 = 64 << 10;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    #[error("{0}")]
    Net(#[from] net::Error),
    /// Any status that is no success and does not ask for credentials.
    #[error("{text}")]
    Status { code: u16, retry_after: Option<Duration>, text: String },
    /// It does not let us in.
    #[error("{0}")]
    Access(String),
    /// An answer that is not what it should be. Another may be.
    #[error("{0}")]
    Wrong(String),
    /// Asking again was of no use, or would be.
    #[error("{0}")]
    GivenUp(String),
}

/// What registries answer with when something is wrong
/// (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>).
const BODY: Form = Form::Object(&[(
    "errors",
    Form::List(&Form::Object(&[("code", Form::Text), ("message", Form::Text)])),
)]);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    errors: Vec<Said>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    code: String,
    message: String,
}

impl Failed {
    /// Of an answer without success.
    pub(super) fn of(response: Response) -> Self {
        let (status, after) = (response.status(), retry_after(response.headers()));
        let text = described(status, response);
        Failed::Status { code: status.as_u16(), retry_after: after, text }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Failed::Net(error) => Outcome::Failed(error.cause),
            Failed::Status { code, retry_after, .. } => {
                Outcome::Status { code: *code, retry_after: *retry_after }
            }
            Failed::Access(_) | Failed::GivenUp(_) => Outcome::Failed(Cause::Other),
            Failed::Wrong(_) => Outcome::Failed(Cause::Cut),
        }
    }

    /// The same, told after so many attempts.
    pub(super) fn after(self, attempts: u32) -> Self {
        match self {
            failed if attempts < 2 => failed,
            Failed::Status { code, retry_after, text } => {
                let text = format!("{text} (given up after {attempts} attempts)");
                Failed::Status { code, retry_after, text }
            }
            failed => Failed::GivenUp(format!("{failed} (given up after {attempts} attempts)")),
        }
    }

    /// As an error of an image: what is not there, and what was forbidden, was the wrong thing to type.
    pub fn told(self) -> anyhow::Error {
        let kind = match self.is_not_found() || self.is_offline() {
            true => Kind::Usage,
            false => Kind::Broken,
        };
        coded(kind, self.code(), self.to_string())
    }

    /// Stable, in kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Failed::Net(error) => error.cause.code(),
            Failed::Status { code: 404, .. } => "image-not-found",
            Failed::Status { code: 401 | 403, .. } | Failed::Access(_) => "authentication-required",
            Failed::Status { code: 429, .. } => "rate-limited",
            Failed::Status { .. } => "registry-error",
            Failed::Wrong(_) => "registry-answer-wrong",
            Failed::GivenUp(_) => "registry-not-reachable",
        }
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Failed::Status { code: 404, .. })
    }

    pub(super) fn is_offline(&self) -> bool {
        matches!(self, Failed::Net(error) if error.cause == Cause::Offline)
    }
}

/// `404 Not Found: manifest unknown (MANIFEST_UNKNOWN)`
pub(super) fn described(status: StatusCode, response: Response) -> String {
    let said = response.text(MAX_ERROR_BYTES).unwrap_or_default();
    let said = json::parse::<Body>(&said, &BODY).unwrap_or_default().errors.into_iter().next();
    match said {
        Some(Said { code, message }) if !message.is_empty() => {
            format!("{status}: {} ({})", shown(message), shown(code))
        }
        Some(Said { code, .. }) if !code.is_empty() => format!("{status}: {}", shown(code)),
        _ => status.to_string(),
    }
}
