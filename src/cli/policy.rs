//! `inscan policy …`: one file for each of its commands.

mod check;
mod explain;
mod init;
mod list;
mod show;
mod spec;

use clap::Subcommand;

use super::{Result, Session};

/// List, show, check and write bundles of policies
///
/// A bundle of policies says what an image must be like: each rule asks one question (a trigger
/// of a gate), and says whether the image fails by it (STOP) or only whoever runs it is told
/// (WARN). The form is that of Anchore Engine's and Sysdig's bundles, in JSON or YAML.
/// `--policy BUNDLE` on `inscan scan` and `inscan evaluate` judges by one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  What is built in, and what it asks:
      inscan policy list
      inscan policy show default
  Your own, and what each of its rules says of an image:
      inscan policy init policy.yaml
      inscan policy check policy.yaml
      inscan policy explain image.json --policy policy.yaml
  What can be asked of an image at all, and what the trigger `package` takes:
      inscan policy spec
      inscan policy spec vulnerabilities.package")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Explain(Box<explain::Args>),
    Init(init::Args),
    List(list::Args),
    Show(show::Args),
    Spec(spec::Args),
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Command::Check(args) => check::run(args, session),
        Command::Explain(args) => explain::run(*args, session),
        Command::Init(args) => init::run(args, session),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args, session),
        Command::Spec(args) => spec::run(args, session),
    }
}
