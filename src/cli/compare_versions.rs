use std::fmt::Display;
use std::io::{self, BufRead};

use anyhow::{Context, anyhow};
use clap::ValueEnum;

use super::{Failure, Result, Session, broken_output};
use crate::output::Destination;
use crate::output::file::Sink;
use inscan_evaluate::versions::range::{self, Syntax};
use inscan_evaluate::versions::{self, Scheme};

/// Compare pairs of versions as an ecosystem orders them
///
/// Reads lines from stdin, two versions with a tab between them, and prints for
/// each -1, 0 or 1: the first is earlier than, equal to or later than the second;
/// or ERR where the ecosystem cannot read one of them, which is then said on stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  Compare as Debian does, pair by pair:
      inscan compare-versions dpkg < pairs.tsv
  Say which versions are in which ranges of npm:
      inscan compare-versions npm --ranges npm < versions-and-ranges.tsv")]
pub(super) struct Args {
    /// Whose order: a name such as dpkg, rpm, npm, pep440, or an ecosystem of OSV
    #[arg(value_name = "SCHEME")]
    scheme: String,

    /// Behind the tab stands a range in this language; print true, false or ERR
    #[arg(long, value_name = "LANGUAGE")]
    ranges: Option<Language>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// As `^1.2.3 || 2.x`
    Npm,
    /// As `>=1.0,!=1.5.*`
    Pep440,
    /// As `~1.2 || ^2.0`
    Composer,
    /// As `>= 1.0, < 1.2 || = 2.0`, in the order of the scheme
    Feed,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let scheme = Scheme::named(&args.scheme)
        .or_else(|| versions::of_ecosystem(&args.scheme))
        .ok_or_else(|| unknown(&args.scheme))?;
    let syntax = args.ranges.map(|language| match language {
        Language::Npm => Syntax::Npm,
        Language::Pep440 => Syntax::Pep440,
        Language::Composer => Syntax::Composer,
        Language::Feed => Syntax::Feed(scheme),
    });
    let mut answers = String::new();
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let at = || format!("line {} of standard input", number + 1);
        let line = line.with_context(at).map_err(Failure::broken)?;
        let (a, b) = line
            .split_once('\t')
            .ok_or_else(|| anyhow!("there is no tab"))
            .with_context(at)
            .map_err(Failure::usage)?;
        let answer = match syntax {
            None => answer(versions::compare(scheme, a, b).map(|order| order as i8)),
            Some(syntax) => answer(range::satisfies(syntax, a, b)),
        };
        match answer {
            Ok(answer) => answers.push_str(&answer),
            Err(error) => {
                session.warn(&format!("{}: {error}", at()));
                answers.push_str("ERR");
            }
        }
        answers.push('\n');
    }
    Sink::Stdout
        .write(|out| out.write_all(answers.as_bytes()))
        .map_err(|error| broken_output(&Destination::Stdout, error))
}

fn answer(found: Result<impl Display, impl Display>) -> Result<String, String> {
    found.map(|answer| answer.to_string()).map_err(|error| error.to_string())
}

fn unknown(scheme: &str) -> Failure {
    let names: Vec<_> = Scheme::ALL.iter().map(|scheme| scheme.name()).collect();
    Failure::usage(anyhow!("no version order is known for `{scheme}`"))
        .hint(format!("known are: {}; and the ecosystems of OSV, as `Debian:12`", names.join(", ")))
}
