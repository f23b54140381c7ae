use std::path::PathBuf;

use super::{DatabaseArg, refused};
use crate::cli::{Failure, Result, Session};
use inscan_vulndb::place;

/// Copy the database to a file, for another machine
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  On a machine with a network; `inscan db import` takes it in on the other:
      inscan db export /media/usb/vulnerabilities.db")]
pub(super) struct Args {
    /// Where to write it
    file: PathBuf,

    #[command(flatten)]
    database: DatabaseArg,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let place = args.database.place()?;
    super::opened(&place)?;
    place::import(&place, &args.file, None, None).map_err(|error| match error {
        place::Error::Io { .. } => {
            Failure::usage(error).hint("`inscan db export FILE` needs a folder that can be written")
        }
        error => refused(error),
    })?;
    session.say(&format!("the database is in `{}`", args.file.display()));
    Ok(())
}
