use std::path::PathBuf;

use super::update::failed_at_registry;
use crate::cli::network::NetArgs;
use crate::cli::registry::RegistryArgs;
use crate::cli::{Failure, Result, Session};
use inscan_net::Listener;
use inscan_net::registry::artifact::{self, NewFile};
use inscan_vulndb::update::{ARTIFACT_TYPE, DATABASE_TYPE, SIGNATURE_TYPE};

/// Push a database to a registry, for `inscan db update oci://…`
///
/// As an artifact with a media type of its own; with its signature, where one is named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan db push vulnerabilities.db oci://registry.example/security/database:latest
  Signed, as docs/database.md shows:
      inscan db push vulnerabilities.db oci://registry.example/security/database \\
          --signature vulnerabilities.db.sig")]
pub(super) struct Args {
    /// The database file
    file: PathBuf,

    /// Where to: `oci://REGISTRY/REPOSITORY[:TAG]`
    to: String,

    /// The file with its signature
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,

    #[command(flatten)]
    registry: RegistryArgs,

    #[command(flatten)]
    net: NetArgs,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let Some(name) = args.to.strip_prefix("oci://") else {
        let error = anyhow::anyhow!("`{}` is not a place in a registry", args.to);
        return Err(Failure::usage(error).hint("as in `oci://registry.example/repository:tag`"));
    };
    // What nobody could use is not pushed.
    super::opened(&args.file)?.verify().map_err(super::unreadable)?;
    let mut files =
        vec![NewFile { media_type: DATABASE_TYPE, path: &args.file, title: "vulnerabilities.db" }];
    files.extend(args.signature.as_deref().map(|path| NewFile {
        media_type: SIGNATURE_TYPE,
        path,
        title: "vulnerabilities.db.sig",
    }));
    let (mut net, registry) = (args.net.resolve()?, args.registry.resolve(false)?);
    let progress = session.reporter_of("");
    net.retry.listener = Listener::of(&progress);
    let pushed = artifact::push(name, ARTIFACT_TYPE, &files, &net, &registry);
    drop(progress);
    let digest = pushed.map_err(failed_at_registry)?;
    session.say(&format!("pushed to `oci://{name}` as {digest}"));
    Ok(())
}
