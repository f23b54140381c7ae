use std::path::PathBuf;

use super::verify::SignatureArgs;
use super::{DatabaseArg, refused};
use crate::cli::{Failure, Result, Session};
use inscan_vulndb::place;

/// Copy a database file to where scans look for it
///
/// It is verified first; scans that run go on with the one that was there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  On the machine without a network, from what was carried there:
      inscan db import /media/usb/vulnerabilities.db
  Only where it is signed (vulnerabilities.db.sig lies beside it):
      inscan db import vulnerabilities.db --verify-key key.pub.pem")]
pub(super) struct Args {
    /// The database file
    file: PathBuf,

    #[command(flatten)]
    database: DatabaseArg,

    #[command(flatten)]
    signed: SignatureArgs,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let place = args.database.place()?;
    let (key, signature) = args.signed.read(&args.file)?;
    if !args.file.is_file() {
        let error = anyhow::anyhow!("there is no file `{}`", args.file.display());
        return Err(
            Failure::usage(error).hint("`inscan db export FILE` or `inscan db build` make one")
        );
    }
    place::import(&args.file, &place, key.as_ref(), signature.as_deref()).map_err(refused)?;
    session.say(&format!("the database is at `{}`", place.display()));
    Ok(())
}
