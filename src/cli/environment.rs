//! The environment of the process, read once. Nothing else of the command line looks at it, but
//! clap for the variables of flags (see [`super::settings`]).

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::failure::{Failure, Result};

/// All variables. One that is set to nothing counts as not set, but in [`Environment::raw`].
pub(super) struct Environment(HashMap<String, OsString>);

static PROCESS: LazyLock<Environment> = LazyLock::new(|| {
    let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
    Environment(std::env::vars_os().filter_map(named).collect())
});

impl Environment {
    /// Of this process.
    pub(super) fn get() -> &'static Environment {
        &PROCESS
    }

    /// A variable as it is, also one that is set to nothing.
    pub(super) fn raw(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }

    fn set(&self, name: &str) -> Option<&OsString> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.set(name).map(PathBuf::from)
    }

    /// What decides where images of engines are looked for.
    pub(super) fn of_engines(&self) -> inscan_image::source::Environment {
        inscan_image::source::Environment::new(self.0.clone())
    }

    /// A variable that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.set(name)?.to_str()
    }

    /// `$XDG_CONFIG_HOME`, or where it is without it.
    pub(super) fn config_directory(&self) -> Option<PathBuf> {
        self.path("XDG_CONFIG_HOME").or_else(|| Some(self.path("HOME")?.join(".config")))
    }

    /// `$XDG_DATA_HOME`, or where it is without it.
    pub(super) fn data_directory(&self) -> Option<PathBuf> {
        self.path("XDG_DATA_HOME").or_else(|| Some(self.path("HOME")?.join(".local/share")))
    }

    /// `$XDG_CACHE_HOME`, or where it is without it. A relative path is none:
    /// <https://specifications.freedesktop.org/basedir-spec/latest/>.
    pub(super) fn cache_directory(&self) -> Option<PathBuf> {
        let absolute = |name: &str| self.path(name).filter(|path| path.is_absolute());
        let below = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(below)))
    }

    /// The date that builds are to carry: <https://reproducible-builds.org/specs/source-date-epoch/>.
    ///
    /// # Errors
    /// Where it is set to what is no number of seconds: a document that is to be reproducible
    /// would not be.
    pub(super) fn source_date(&self) -> Result<Option<Timestamp>> {
        let Some(seconds) = self.raw("SOURCE_DATE_EPOCH") else { return Ok(None) };
        let date = seconds.to_str().and_then(|seconds| seconds.trim().parse().ok());
        match date.map(Timestamp::from_second) {
            Some(Ok(date)) => Ok(Some(date)),
            _ => Err(Failure::usage(anyhow::anyhow!("SOURCE_DATE_EPOCH is no number of seconds"))
                .hint("unset it, or set it as in `SOURCE_DATE_EPOCH=$(date +%s)`")),
        }
    }

    /// The moment that evaluations hold for.
    ///
    /// # Errors
    /// As [`Self::source_date`].
    pub(super) fn now(&self) -> Result<Timestamp> {
        Ok(self.source_date()?.unwrap_or_else(Timestamp::now))
    }

    /// What the legacy engine's users set to have hints read.
    pub(super) fn legacy_hints(&self) -> bool {
        self.text("ANCHORE_HINTS_ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// <https://no-color.org>
    pub(super) fn forbids_color(&self) -> bool {
        self.set("NO_COLOR").is_some()
    }

    /// True where progress bars can be drawn on stderr: on a terminal that can move its cursor,
    /// and not in CI, which may give its jobs a terminal whose every move ends in a log.
    pub(super) fn has_terminal(&self) -> bool {
        let in_ci = self.text("CI").is_some_and(|value| value != "false" && value != "0");
        io::stderr().is_terminal() && !in_ci && self.text("TERM") != Some("dumb")
    }
}
