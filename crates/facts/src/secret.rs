//! A secret that lies in an image, and how bad that is.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// A secret in a file. Never the secret itself: a masked excerpt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Id of the rule: `github-token`.
    pub rule: String,
    /// As the rule grades it; lower in documentation and tests.
    pub severity: Severity,
    /// Known by the words beside it, and not by a form of its own.
    pub by_name: bool,
    /// Counts from 1.
    pub line: u32,
    /// Counts from 1, in bytes.
    pub column: u32,
    /// The line around it with the secret masked, printable, at most 120 characters.
    pub excerpt: String,
    /// The member of an archive that it is in, of one in another with `:` between them.
    pub member: Option<BString>,
    /// Five hex digits of a hash over rule, path and text: another secret has most likely
    /// another one, and they are too few to find the text by trying.
    pub fingerprint: String,
}

/// How bad it is that a secret lies there, as its rule grades it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What identifies and does not open; and anything in documentation, tests and examples.
    Low,
    /// Known by the words around it, or by a form that other values share.
    Medium,
    /// The credential of one service.
    High,
    /// What opens much: a whole account, a private key.
    Critical,
}
