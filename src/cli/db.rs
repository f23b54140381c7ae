//! `inscan db …`: one file for each of its commands.

mod build;
mod progress;
mod tell;

use clap::Subcommand;

use super::{Result, Session};

/// Build, fetch and look into the vulnerability database
///
/// The database is one file, and every report says how old its data is. Nothing
/// else is ever needed: build or fetch it here, carry it, and scan without a network.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  Build a database from a mirror of OSV's bucket and other sources:
      inscan db build --from mirror/ -o vulnerabilities.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Args),
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Command::Build(args) => build::run(args, session),
    }
}
