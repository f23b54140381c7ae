//! Judging by policies: the options that name a bundle, as typed and as meant,
//! and how its verdict becomes an exit code.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;

use super::{Failure, Result, Session};
use crate::cli::environment::Environment;
use inscan_judge::builtin::{self, Builtin};
use inscan_judge::{Bundle, JudgeError, Mode, Policies, Problem};
use inscan_report::report::Format;

/// Above the options about policies.
pub(super) const POLICY: &str = "Policy: what else fails (exit code 1)";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = POLICY)]
pub(super) struct PolicyArgs {
    /// Judge also by this bundle of policies: a built-in name, a file of JSON or YAML, or `-`
    ///
    /// `inscan policy list` shows the names; a file of such a name is `./NAME`, and `-` is standard
    /// input. A file has the form of Anchore Engine's and Sysdig's bundles. Its mappings say which policies
    /// are asked of which image; a match of a rule with the action STOP fails.
    #[arg(long, value_name = "BUNDLE")]
    policy: Option<PathBuf>,

    /// Ask this policy of the bundle, instead of those that its mappings choose
    #[arg(long, value_name = "ID", requires = "policy")]
    policy_id: Option<String>,

    /// Refuse a bundle with any error, even in parts that this image does not use
    #[arg(long, value_parser = BoolishValueParser::new(), requires = "policy")]
    policy_strict: bool,

    /// List every match of every rule in the table, not only the first few
    #[arg(long, value_parser = BoolishValueParser::new(), requires = "policy")]
    policy_all: bool,
}

impl PolicyArgs {
    /// Whether standard input is taken by the bundle.
    pub(super) fn reads_stdin(&self) -> bool {
        self.policy.as_deref() == Some(Path::new("-"))
    }

    /// `formats` are those that are to be written: some tell of policies only.
    pub(super) fn resolve(
        self,
        formats: impl IntoIterator<Item = Format>,
        session: &Session,
    ) -> Result<Option<Policies>> {
        let Some(path) = self.policy else {
            return match formats.into_iter().find(|format| format.needs_policy()) {
                None => Ok(None),
                Some(format) => {
                    let name = format!("{format:?}").to_lowercase();
                    let error = anyhow::anyhow!("`-o {name}` tells what policies say");
                    Err(Failure::usage(error).hint("`--policy BUNDLE` names a bundle of them"))
                }
            };
        };
        let (text, source) = BundleFile::named(&path).read()?;
        let mode = if self.policy_strict { Mode::Strict } else { Mode::Tolerant };
        let bundle =
            Bundle::read(&text, mode).map_err(|problems| refused(source.clone(), problems))?;
        for warning in &bundle.warnings {
            session.warn(&format!("bundle `{source}`: {warning}"));
        }
        if let Some(id) = &self.policy_id {
            known_policy(&bundle, &source, id)?;
        }
        let when = Environment::get().now()?;
        Ok(Some(Policies { bundle, source, only: self.policy_id, when }))
    }

    /// Whether all that rules found is listed.
    pub(super) fn every_match(&self) -> bool {
        self.policy_all
    }
}

fn known_policy(bundle: &Bundle, source: &str, id: &str) -> Result<()> {
    let known: Vec<_> = bundle.policies.iter().map(|policy| policy.id.as_str()).collect();
    if known.contains(&id) {
        return Ok(());
    }
    let error = anyhow::anyhow!("the bundle `{source}` has no policy `{id}`");
    Err(Failure::usage(error).hint(format!("it has {}", known.join(", "))))
}

fn refused(source_name: String, problems: Vec<Problem>) -> Failure {
    Failure::of(JudgeError::Bundle { source_name, problems })
}

/// What the name of a bundle stands for.
#[derive(Clone, Copy)]
pub(super) enum BundleFile<'a> {
    Builtin(&'static Builtin),
    Stdin,
    File(&'a Path),
}

impl<'a> BundleFile<'a> {
    /// A name that is built in stands above a file of that name, which is `./NAME`.
    pub(super) fn named(name: &'a Path) -> Self {
        match name.to_str().and_then(builtin::named) {
            Some(builtin) => BundleFile::Builtin(builtin),
            None if name == Path::new("-") => BundleFile::Stdin,
            None => BundleFile::File(name),
        }
    }

    /// As the legacy scanner does: a file that is there stands above a name that is built in.
    pub(super) fn file_or_named(name: &'a Path) -> Self {
        if name.exists() { BundleFile::File(name) } else { BundleFile::named(name) }
    }

    /// The bundle's text, and what it is called in messages.
    pub(super) fn read(self) -> Result<(Vec<u8>, String)> {
        let mut bytes = Vec::new();
        let (read, source) = match self {
            BundleFile::Builtin(builtin) => {
                return Ok((builtin.text().into_owned().into_bytes(), builtin.name.to_owned()));
            }
            BundleFile::Stdin => {
                let read = io::stdin().lock().take(MAX_BUNDLE + 1).read_to_end(&mut bytes);
                (read, "standard input".to_owned())
            }
            BundleFile::File(path) => {
                let file = File::open(path);
                let read = file.and_then(|file| file.take(MAX_BUNDLE + 1).read_to_end(&mut bytes));
                (read, path.display().to_string())
            }
        };
        read.map(|_| (bytes, source.clone())).map_err(|error| {
            let message = format!("could not read the bundle `{source}`");
            Failure::usage(anyhow::Error::from(error).context(message)).hint(
                "a bundle is a name that `inscan policy list` shows, what `inscan policy init` \
                 begins, or what `anchore-cli policy get ID --detail` writes",
            )
        })
    }
}

/// In bytes: of a file that may have no end; the library's own limit says the rest.
const MAX_BUNDLE: u64 = 64 << 20;
