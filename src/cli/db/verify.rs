use std::fs;
use std::path::{Path, PathBuf};

use super::{DatabaseArg, key, refused};
use crate::cli::{Failure, Result, Session};
use inscan_vulndb::place;
use inscan_vulndb::signature::Key;

/// Verify a database: its checksum, structure and signature
///
/// With `--verify-key`, its signature is verified too: the file FILE.sig beside it, or the one
/// that `--signature` names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  The database that scans use:
      inscan db verify
  A file from elsewhere, signed with `openssl pkeyutl -sign -rawin -inkey key.pem`:
      inscan db verify --db vulnerabilities.db --verify-key key.pub.pem")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArg,

    #[command(flatten)]
    signed: SignatureArgs,
}

/// By whom a database has to be signed.
#[derive(Debug, clap::Args)]
pub(super) struct SignatureArgs {
    /// Verify the signature with this public key: Ed25519 or ECDSA P-256, as PEM
    #[arg(long, value_name = "FILE")]
    verify_key: Option<PathBuf>,

    /// The file with the signature [default: the database's name and `.sig`]
    #[arg(long, value_name = "FILE", requires = "verify_key")]
    signature: Option<PathBuf>,
}

impl SignatureArgs {
    /// The key and the signature, where a key is named.
    pub(super) fn read(self, database: &Path) -> Result<(Option<Key>, Option<Vec<u8>>)> {
        let key = self.verify_key.as_deref().map(key).transpose()?;
        let signature = key.as_ref().map(|_| signature(self.signature, database)).transpose()?;
        Ok((key, signature))
    }
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let place = args.database.place()?;
    let (key, signature) = args.signed.read(&place)?;
    // Said as elsewhere where there is none.
    super::opened(&place)?;
    place::verify(&place, key.as_ref(), signature.as_deref()).map_err(refused)?;
    session.say(&format!(
        "{}: OK (checksum{} valid)",
        place.display(),
        if key.is_some() { " and signature" } else { "" }
    ));
    Ok(())
}

/// The signature as named, or as it lies beside the file.
fn signature(named: Option<PathBuf>, database: &Path) -> Result<Vec<u8>> {
    let path = named.unwrap_or_else(|| {
        let mut path = database.as_os_str().to_owned();
        path.push(".sig");
        PathBuf::from(path)
    });
    fs::read(&path).map_err(|error| {
        let message = format!("could not read the signature `{}`", path.display());
        Failure::usage(anyhow::Error::new(error).context(message))
            .hint("name it with `--signature FILE`")
    })
}
