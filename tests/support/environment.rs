//! The binary, started where nothing of whoever runs the tests can reach it.

use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A command with an empty environment, apart from `PATH`, and with a temporary home, which is its working directory too.
/// The XDG directories are those below that home. No settings, caches, databases, logins or proxies are inherited, nor is
/// anything read from the terminal. The home is removed when this is dropped: after the run has ended.
#[derive(Debug)]
pub struct Inscan {
    command: Command,
    home: TempDir,
}

impl Inscan {
    /// Of the binary; or of a program that starts the binary, such as `timeout`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let temporary = home.path().join("tmp");
        std::fs::create_dir(&temporary).expect("it is empty");
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TMPDIR", temporary)
            .current_dir(home.path())
            .stdin(Stdio::null());
        Inscan { command, home }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// As of [`Command`], for chains that end with [`Inscan::run`]; and so the next two.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.command.arg(argument);
        self
    }

    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.command.args(arguments);
        self
    }

    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it cannot be started, a signal ends it, or it prints anything that is not UTF-8.
    #[track_caller]
    pub fn run(&mut self) -> Run {
        let output = self.command.output();
        let output = output.unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        Run::of(&self.command, output)
    }
}

impl Deref for Inscan {
    type Target = Command;

    fn deref(&self) -> &Command {
        &self.command
    }
}

impl DerefMut for Inscan {
    fn deref_mut(&mut self) -> &mut Command {
        &mut self.command
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    typed: String,
}

impl Run {
    /// # Panics
    /// Where a signal ended it, or what it printed is not UTF-8.
    #[track_caller]
    pub fn of(command: &Command, Output { status, stdout, stderr }: Output) -> Self {
        let words = command.get_args().map(|word| word.to_string_lossy());
        let typed = words.fold("inscan".to_owned(), |typed, word| format!("{typed} {word}"));
        let text = |bytes, name| {
            String::from_utf8(bytes).unwrap_or_else(|error| panic!("{typed}: {name}: {error}"))
        };
        let (stdout, stderr) = (text(stdout, "stdout"), text(stderr, "stderr"));
        let code = status.code().unwrap_or_else(|| panic!("{typed}: {status}\n{stderr}"));
        Run { code, stdout, stderr, typed }
    }

    /// It ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.told());
        self
    }

    /// It said all of the words on stderr.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in stderr of {}", self.told());
        }
        self
    }

    /// It printed nothing on stdout.
    #[track_caller]
    pub fn prints_nothing(self) -> Self {
        assert_eq!(self.stdout, "", "{}", self.told());
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.told()))
    }

    /// One line of JSON on stdout, and nothing on stderr.
    #[track_caller]
    pub fn object(&self) -> Value {
        assert_eq!(self.stderr, "", "{}", self.told());
        assert_eq!(self.stdout.matches('\n').count(), 1, "{}", self.told());
        self.json()
    }

    /// All of it, for a failed test.
    fn told(&self) -> String {
        let Run { code, stdout, stderr, typed } = self;
        format!("`{typed}`, which ended with {code}\nstdout: {stdout}\nstderr: {stderr}")
    }
}
