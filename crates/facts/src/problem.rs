//! What a problem is called, and what it can hide. A gate must not pass for what nobody
//! looked at, so whoever notices a problem says which it is.

use serde::{Deserialize, Serialize};

/// What may be there and was not seen, because of a problem.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Hides {
    /// Everything that counts was seen.
    #[default]
    Nothing,
    /// Packages.
    Packages,
    /// Secrets.
    Secrets,
    /// Files, or lines in them, that policies ask for.
    Files,
    /// Packages that only lock files and manifests name.
    Lockfiles,
    /// Packages, secrets and files.
    Content,
}

impl Hides {
    /// Whether it is the default, which documents leave out.
    pub fn is_nothing(&self) -> bool {
        *self == Hides::Nothing
    }
}

/// The code of a problem of which nothing else is said, and which documents leave out.
pub const MALFORMED: &str = "malformed";
/// There, and cannot be read: no permission, an error of the disk.
pub const UNREADABLE: &str = "unreadable";
/// There, and not what may be there: an entry of an unknown type, a link that leads nowhere.
pub const REFUSED: &str = "refused";
/// It ends before its end.
pub const CUT: &str = "cut";
/// Larger, deeper or more than is read.
pub const OVER_LIMIT: &str = "over-limit";
/// It can be read and not understood: encrypted, packed, of an unknown format.
pub const OPAQUE: &str = "opaque";
/// There are packages, and what lists them is not there.
pub const DATABASE_MISSING: &str = "database-missing";
/// There are packages of a distribution, and nothing says of which.
pub const DISTRIBUTION_MISSING: &str = "distribution-missing";
/// Of another file system, which was not asked for.
pub const OTHER_FILE_SYSTEM: &str = "other-file-system";
/// Engines differ in what they make of it.
pub const AMBIGUOUS: &str = "ambiguous";
/// A fault of inscan itself.
pub const DEFECT: &str = "defect";
/// No room, no memory, no thread: it may not fail the next time.
pub const BY_CHANCE: &str = "by-chance";

/// A code as it is said after a number: `2 over a limit`.
pub fn named(code: &str) -> String {
    match code {
        OVER_LIMIT => "over a limit".to_owned(),
        DATABASE_MISSING => "without the database".to_owned(),
        OTHER_FILE_SYSTEM => "on another file system".to_owned(),
        DEFECT => "after a defect".to_owned(),
        BY_CHANCE => "for want of room".to_owned(),
        "" => MALFORMED.to_owned(),
        other => other.replace('-', " "),
    }
}
