//! What of the process and its user decides where images are looked for: the
//! variables of container engines, the home directory, the user's number.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// What a caller says of it; without anything, the places are those of a user without a home.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<String, OsString>,
    /// Root finds images of the system, everybody else their own.
    pub(super) user: u32,
}

impl Environment {
    /// Of the user who runs this process, with the variables it was given.
    pub fn new(variables: HashMap<String, OsString>) -> Self {
        Environment { variables, user: rustix::process::geteuid().as_raw() }
    }

    /// A variable that is set to something.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// As [`Self::path`], of one that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    pub(super) fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }

    pub(super) fn is_root(&self) -> bool {
        self.user == 0
    }

    /// Where a user's services have their sockets.
    pub(super) fn runtime_directory(&self) -> PathBuf {
        self.path("XDG_RUNTIME_DIR")
            .unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", self.user)))
    }

    pub(super) fn config_directory(&self) -> Option<PathBuf> {
        self.path("XDG_CONFIG_HOME").or_else(|| Some(self.home()?.join(".config")))
    }

    pub(super) fn data_directory(&self) -> Option<PathBuf> {
        self.path("XDG_DATA_HOME").or_else(|| Some(self.home()?.join(".local/share")))
    }
}

/// Variables may hold passwords.
impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Environment").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Environment {
    pub(super) fn with(variables: &[(&str, &str)], user: u32) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), OsString::from(value));
        Environment { variables: variables.iter().map(owned).collect(), user }
    }
}
