use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::{DatabaseArg, key, opened, refused, tell};
use crate::cli::network::NetArgs;
use crate::cli::registry::RegistryArgs;
use crate::cli::{Failure, Result, Session};
use inscan_image::source::{self as image, Kind};
use inscan_net::Listener;
use inscan_report::text;
use inscan_vulndb::place::State;
use inscan_vulndb::public;
use inscan_vulndb::update::{Error, Outcome, Update};

/// Fetch a newer database, or what one is built of
///
/// A source is a ready database at an https address or in a registry (`oci://`, where
/// `inscan db push` puts one), a mirror of OSV's bucket (its address
/// ends in `/`, and `ecosystems.txt` lies there), or any single file that `inscan db build`
/// understands. Several sources make one database. What has not changed is not fetched again,
/// and what broke off is taken up where it did. FILE.sha256 beside a file is verified where
/// it is there.
///
/// Without any source, public data is fetched: OSV's bucket, CISA's catalogue, EPSS, endoflife.date,
/// and the security databases of Alpine, Wolfi and Chainguard. `--ecosystem` takes only some of the
/// bucket; `--mirror` asks a mirror for each of them, at the public address's host and path. What
/// cannot be fetched is said, and the rest is used.
///
/// Sources are remembered, and asked at most once a day; scans go on with the old database
/// until the new one is whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  Public data, all of it or for some languages and distributions:
      inscan db update
      inscan db update --ecosystem Debian --ecosystem PyPI --ecosystem npm
  A database that somebody builds for all, signed:
      inscan db update https://mirror.example/vulnerabilities.db --verify-key key.pub.pem
  A mirror of OSV's bucket, and what it does not have:
      inscan db update https://mirror.example/osv/ https://mirror.example/epss.csv.gz
  From a registry:
      inscan db update oci://registry.example/security/database
  As before, from the same sources:
      inscan db update")]
pub(super) struct Args {
    /// Where to fetch from [default: as the last time, else public sources]
    #[arg(value_name = "URL")]
    sources: Vec<String>,

    /// Of the public sources' advisories only this ecosystem, as OSV calls it; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "sources")]
    ecosystem: Vec<String>,

    /// A mirror of the public sources: each is asked at MIRROR/HOST/PATH
    #[arg(long, value_name = "URL", conflicts_with = "sources")]
    mirror: Option<String>,

    #[command(flatten)]
    database: DatabaseArg,

    /// Verify the signature (URL.sig) with this public key: Ed25519 or ECDSA P-256, as PEM
    #[arg(long, value_name = "FILE")]
    verify_key: Option<PathBuf>,

    /// Check the source even if that was done within a day
    #[arg(long, value_parser = clap::builder::BoolishValueParser::new())]
    force: bool,

    /// Give up after so many seconds; what has come by then is kept for the next time
    #[arg(long, value_name = "SECONDS")]
    deadline: Option<u64>,

    #[command(flatten)]
    registry: RegistryArgs,

    #[command(flatten)]
    net: NetArgs,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    let place = args.database.place()?;
    let known = State::read(&place);
    let names_public = !args.ecosystem.is_empty() || args.mirror.is_some();
    let is_public =
        args.sources.is_empty() && (names_public || known.sources.is_empty() || known.public);
    let sources = match (args.sources.is_empty(), is_public) {
        (false, _) => args.sources,
        (true, true) if names_public || known.sources.is_empty() => {
            public::addresses(&args.ecosystem, args.mirror.as_deref())
        }
        (true, _) => known.sources,
    };
    let key = args.verify_key.as_deref().map(key).transpose()?;
    let mut net = args.net.resolve()?;
    let registry = args.registry.resolve(false)?;
    let progress = session.reporter_of("");
    net.retry.listener = Listener::of(&progress);
    let update = Update {
        sources: &sources,
        place: &place,
        key: key.as_ref(),
        net: &net,
        registry: &registry,
        now: Timestamp::now(),
        force: args.force,
        deadline: args.deadline.map(Duration::from_secs),
        builds: true,
        public: is_public,
    };
    let outcome = update.run(&*progress).map_err(failed)?;
    drop(progress);
    let skipped = match outcome {
        Outcome::Recent(since) => {
            let ago = tell::age(since);
            session.say(&format!("already checked {ago} ago; use `--force` to check again"));
            return Ok(());
        }
        Outcome::Unchanged => {
            session.say("the database is up to date");
            Vec::new()
        }
        Outcome::Installed(skipped) => skipped,
    };
    for one in skipped {
        session.warn(&format!("{}: {}", one.input, one.reason));
    }
    let about = opened(&place)?.about().map_err(super::unreadable)?;
    let advisories = text::count(about.advisories);
    let age = tell::age(about.age(Timestamp::now()));
    session.say(&format!(
        "{advisories} advisories in `{}`, data of {}, {age} old",
        place.display(),
        tell::day(about.built)
    ));
    Ok(())
}

pub(in crate::cli) fn failed(error: Error) -> Failure {
    match error {
        Error::Source(_) | Error::Several(_) | Error::NothingSigned => {
            Failure::usage(error).hint("`inscan db update --help` says what a source may be")
        }
        Error::Plain(_) => Failure::usage(error)
            .hint("use https, verify a signature (`--verify-key`), or say `--plain-http`"),
        Error::Busy(_) => Failure::broken(error).hint("wait for it, and ask again"),
        Error::NoBucket(_) => Failure::broken(error)
            .hint("for a single file, leave the `/` at the end of its address away"),
        Error::Place(error) => refused(error),
        Error::Registry(error) => failed_at_registry(error),
        error => Failure::broken(error),
    }
}

/// The exit code is the error's own affair: it knows whether something else has to be typed.
pub(super) fn failed_at_registry(error: anyhow::Error) -> Failure {
    match image::kind_of(&error) {
        Kind::Usage | Kind::Absent => Failure::usage(error)
            .hint("a database's place is named as `oci://registry.example/repository:tag`"),
        Kind::Broken => Failure::broken(error),
    }
}
