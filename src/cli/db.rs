//! `inscan db …`: one file for each of its commands.

mod build;
mod diff;
mod export;
mod import;
mod push;
mod search;
mod show;
mod status;
pub(super) mod tell;
pub(super) mod update;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Failure, Result, Session, settings};
use inscan_vulndb::signature::Key;
use inscan_vulndb::{self as vulndb, Database, place};

/// Build, fetch and inspect the vulnerability database
///
/// The database is one file, and every report says how old its data is. Nothing
/// else is ever needed: build or fetch it here, carry it, and scan without a network.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  Build a database from a mirror of OSV's bucket and other sources, and use it:
      inscan db build --from mirror/ -o vulnerabilities.db
      inscan db import vulnerabilities.db
  Fetch one that was built elsewhere, and say what is in it:
      inscan db update https://mirror.example/vulnerabilities.db
      inscan db status")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Args),
    Update(update::Args),
    Push(push::Args),
    Status(status::Args),
    Export(export::Args),
    Import(import::Args),
    Verify(verify::Args),
    Show(show::Args),
    Search(search::Args),
    Diff(diff::Args),
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Command::Build(args) => build::run(args, session),
        Command::Update(args) => update::run(args, session),
        Command::Push(args) => push::run(args, session),
        Command::Status(args) => status::run(args, session),
        Command::Export(args) => export::run(args, session),
        Command::Import(args) => import::run(args, session),
        Command::Verify(args) => verify::run(args, session),
        Command::Show(args) => show::run(args, session),
        Command::Search(args) => search::run(args, session),
        Command::Diff(args) => diff::run(args, session),
    }
}

/// Where the database is.
#[derive(Debug, clap::Args)]
pub(super) struct DatabaseArg {
    /// The database file [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
}

impl DatabaseArg {
    pub(super) fn place(&self) -> Result<PathBuf> {
        match &self.db {
            Some(place) => Ok(place.clone()),
            None => settings::database().ok_or_else(|| {
                Failure::usage(anyhow::anyhow!(
                    "neither XDG_DATA_HOME nor HOME says where data lies"
                ))
                .hint("name the database with `--db FILE`")
            }),
        }
    }
}

/// The database at its place, or what to do where there is none.
pub(in crate::cli) fn opened(place: &Path) -> Result<Database> {
    Database::open(place).map_err(|error| match &error {
        vulndb::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::usage(error).hint(
                "get one: `inscan db update URL`, `inscan db import FILE`, \
                 or `inscan db build --from PATH -o FILE`",
            )
        }
        _ => unreadable(error),
    })
}

/// What cannot be read was there, and is not what it should be.
fn unreadable(error: vulndb::Error) -> Failure {
    let hint = match &error {
        vulndb::Error::Schema { found, .. } if *found > vulndb::schema::SCHEMA => {
            "take a newer inscan, or a database of its age"
        }
        _ => "get another: `inscan db update URL` or `inscan db import FILE`",
    };
    Failure::broken(error).hint(hint)
}

/// A file that is not what it should be.
fn refused(error: place::Error) -> Failure {
    match error {
        place::Error::Database(error) => unreadable(error),
        place::Error::Io { .. } => Failure::broken(error),
        error => Failure::broken(error)
            .hint("fetch the file and its signature again, and ask who signs it"),
    }
}

/// The public key in a file.
pub(super) fn key(path: &Path) -> Result<Key> {
    let pem = settings::text(path, "public key")?;
    Key::from_pem(&pem).map_err(|error| {
        Failure::usage(anyhow::Error::new(error).context(format!("`{}`", path.display()))).hint(
            "`openssl pkey -in key.pem -pubout` writes one; docs/database.md shows how to sign",
        )
    })
}
