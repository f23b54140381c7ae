//! The parts of an analysis that may be asked for alone.

use serde::{Deserialize, Serialize};

/// What an analysis consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The distribution and all packages. The other parts refer to them.
    Packages,
    /// Credentials in files of all layers and in the configuration.
    Secrets,
    /// Every file with its digests, lines and files that were searched for, and the legacy part of
    /// the document, which is made of these.
    Files,
}

impl Part {
    /// All, in the order of their names in the document.
    pub const ALL: [Part; 3] = [Part::Packages, Part::Secrets, Part::Files];

    /// Its name on the command line and in the document.
    pub fn name(self) -> &'static str {
        match self {
            Part::Packages => "packages",
            Part::Secrets => "secrets",
            Part::Files => "files",
        }
    }
}
