//! The options of what is sent to a backend: which one, and who we are to it.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::BoolishValueParser;

use super::environment::Environment;
use super::{Failure, Result, Session};
use crate::backend::{self, Backend, Credentials, Kind, Limits, Reason};
use inscan_net::{Cause, NetOptions, Secret};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Backend")]
pub(super) struct BackendArgs {
    /// Whose API the backend has
    #[arg(long, value_name = "KIND", default_value = "sysdig")]
    backend: BackendKind,

    /// Where it is, as https://HOST; also from SDC_URL, or ANCHORE_CLI_URL for an engine
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Who we are to an Anchore engine; also from ANCHORE_CLI_USER
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// The API token; for an Anchore engine the password
    ///
    /// Others on this machine can see it in the list of processes: the variable INSCAN_TOKEN is
    /// the better place for it, or SYSDIG_API_TOKEN, SDC_TOKEN, ANCHORE_CLI_PASS.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<Secret>,

    /// Read the token from this file, or from standard input as `-`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The result's address has `/secure` in it, as on premises
    #[arg(long, value_parser = BoolishValueParser::new())]
    on_premises: bool,

    /// Give up when there is no verdict within so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    timeout: Duration,

    /// Look so many seconds apart whether there is a verdict, 300 times at most
    ///
    /// After a look that failed it is ten times as long.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    poll_interval: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BackendKind {
    /// Sysdig's: a token
    Sysdig,
    /// Anchore's engine: a user and a password
    Anchore,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    match (0.001..=86_400.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("expected up to 86400 seconds".to_owned()),
    }
}

impl BackendArgs {
    pub(super) fn is_on_premises(&self) -> bool {
        self.on_premises
    }

    /// `stdin_is_taken`: the image itself is read from it.
    pub(super) fn resolve(
        &self,
        net: &NetOptions,
        stdin_is_taken: bool,
        session: &Session,
    ) -> Result<Backend> {
        let (kind, address, names): (_, _, &[&str]) = match self.backend {
            BackendKind::Sysdig => (Kind::Sysdig, "SDC_URL", &["SYSDIG_API_TOKEN", "SDC_TOKEN"]),
            BackendKind::Anchore => (Kind::Anchore, "ANCHORE_CLI_URL", &["ANCHORE_CLI_PASS"]),
        };
        let url = self.url.clone().or_else(|| variable(address)).ok_or_else(|| {
            Failure::usage(anyhow::anyhow!("no backend is named"))
                .hint("name it: `--url https://secure.example`, or INSCAN_URL")
        })?;
        let token = self.token(names, stdin_is_taken)?;
        if is_typed("--token") {
            session.warn(
                "a token on the command line can be seen by others on this machine: \
                 put it in INSCAN_TOKEN, or in a file for `--token-file`",
            );
        }
        let credentials = match kind {
            Kind::Sysdig => Credentials::Token(token),
            Kind::Anchore => {
                let user = self.user.clone().or_else(|| variable("ANCHORE_CLI_USER"));
                let user = user.ok_or_else(|| {
                    Failure::usage(anyhow::anyhow!("an Anchore engine wants a user and a password"))
                        .hint("add `--user USER`, or set INSCAN_USER")
                })?;
                Credentials::Basic { user, password: token }
            }
        };
        let limits = Limits {
            total: self.timeout,
            poll: self.poll_interval,
            poll_after_error: self.poll_interval * 10,
            ..Limits::default()
        };
        let backend = Backend::new(kind, &url, &credentials, net, limits).map_err(failed)?;
        if backend.is_in_the_open() {
            session.warn(&format!(
                "{} is asked over plain http: anybody between can read the token",
                backend.place()
            ));
        }
        Ok(backend)
    }

    fn token(&self, names: &[&str], stdin_is_taken: bool) -> Result<Secret> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => token_in(file, stdin_is_taken)?,
            (None, None) => {
                let set = names.iter().find_map(|name| variable(name)).unwrap_or_default();
                Secret::new(set.trim())
            }
        };
        match token.is_empty() {
            false => Ok(token),
            true => Err(Failure::usage(anyhow::anyhow!("there is no token for the backend")).hint(
                format!(
                    "set INSCAN_TOKEN or {}, or name a file: `--token-file FILE`",
                    names.join(", ")
                ),
            )),
        }
    }
}

/// Longer is no token.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

fn token_in(file: &Path, stdin_is_taken: bool) -> Result<Secret> {
    let from_stdin = file == Path::new("-");
    if from_stdin && stdin_is_taken {
        let error = anyhow::anyhow!("standard input has the image: it cannot have the token too");
        return Err(Failure::usage(error).hint("put the token in INSCAN_TOKEN"));
    }
    let mut text = String::new();
    let read = match from_stdin {
        true => io::stdin().take(MAX_TOKEN_BYTES).read_to_string(&mut text),
        false => {
            File::open(file).and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_string(&mut text))
        }
    };
    read.map_err(|error| {
        let message = format!("could not read the token from `{}`: {error}", file.display());
        Failure::usage(anyhow::anyhow!(message))
    })?;
    Ok(Secret::new(text.trim()))
}

fn variable(name: &str) -> Option<String> {
    Environment::get().text(name).map(str::to_owned)
}

/// In the arguments of the process, which others can see; not in the environment or a file.
fn is_typed(flag: &str) -> bool {
    env::args_os().any(|argument| {
        argument.to_str().is_some_and(|text| {
            text == flag || text.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
        })
    })
}

/// Whatever it was, there is no verdict.
pub(super) fn failed(error: backend::Error) -> Failure {
    let hint = match error.reason {
        Reason::Setup | Reason::Net(Cause::Offline | Cause::Setup) => return Failure::usage(error),
        Reason::Unauthorized => {
            "is the token right, still valid, and of this backend? INSCAN_TOKEN has it, or `--token-file`"
        }
        Reason::Status(404) => {
            "is the address right? an Anchore engine is asked with `--backend anchore`"
        }
        Reason::TooLate => {
            "`--timeout` sets the limit; where an earlier import broke off on the backend, `--replace` sends the image anew"
        }
        _ => return Failure::broken(error),
    };
    Failure::broken(error).hint(hint)
}
