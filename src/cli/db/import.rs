use std::path::PathBuf;

use super::{DatabaseArg, key, refused, verify};
use crate::cli::{Failure, Result, Session};
use crate::vulndb::place;

/// Put a database file to where scans look for it
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

    /// Verify the signature with this public key: Ed25519 or ECDSA P-256, as PEM
    #[arg(long, value_name = "FILE")]
    verify_key: Option<PathBuf>,

    /// The file with the signature [default: the database's name and `.sig`]
    #[arg(long, value_name = "FILE", requires = "verify_key")]
    signature: Option<PathBuf>,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let place = args.database.place()?;
    let key = args.verify_key.as_deref().map(key).transpose()?;
    let signature = match &key {
        Some(_) => Some(verify::signature(args.signature, &args.file)?),
        None => None,
    };
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
