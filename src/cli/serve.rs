//! `inscan serve`: the arguments, and what they mean.

mod manage;
mod place;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use inscan_store::Place;

use self::place::{ObjectsArgs, PlaceArgs};
use super::network::NetArgs;
use super::registry::RegistryFiles;
use super::{Failure, Result, Session, cache, settings};
use crate::server::{self, Fault, Listen, Role, Settings, Start, Tls, Unknown};

/// Be a backend: keep the analysis of images, judge them, answer the clients that teams have
///
/// It speaks Sysdig's scanning API and Anchore's API of version 1. Images come by
/// `inscan upload`, `inscan scan --upload`, the legacy scanners, and from registries; they are
/// judged with the code and the vulnerability database of the command line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  On this machine, with the data in $XDG_DATA_HOME/inscan/server:
      inscan serve
      inscan upload image.tar --url http://127.0.0.1:8080 --token-file token
  For others, with the administrator's token in a file and data in a folder of its own:
      inscan serve --listen 0.0.0.0:8080 --data /var/lib/inscan --admin-token-file /run/secrets/token
  With rows in PostgreSQL, and moving there:
      inscan serve backup --data /var/lib/inscan rows.zst
      inscan serve restore --data /var/lib/inscan --database postgres://inscan@db.example/inscan rows.zst
      inscan serve --data /var/lib/inscan --database postgres://inscan@db.example/inscan
  Several that answer and several that work, with one database, one bucket and one key:
      inscan serve --role web --listen 0.0.0.0:8080 --key-file /run/secrets/key
      inscan serve --role worker --key-file /run/secrets/key
    where INSCAN_DATABASE is 'postgres://inscan@db.example/inscan?sslmode=verify-full',
    and INSCAN_OBJECTS is 's3://inscan?endpoint=https://s3.example'
  For a program on this machine:
      inscan serve --listen unix:/run/inscan/socket
      curl --unix-socket /run/inscan/socket http://localhost/healthz")]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<manage::Command>,

    /// The address to listen on, or unix:PATH [default: 127.0.0.1:8080, and none for workers]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen)]
    listen: Option<Listen>,

    /// What this process does: answer requests, do the jobs, or both
    ///
    /// Apart they need a database and a bucket that they share (`--database`, `--objects`) and the same key
    /// (`--key-file`). A worker that listens answers /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ROLE", default_value = "all")]
    role: RoleArg,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    objects: ObjectsArgs,

    /// The administrator's token: read from this file, or written to it where it is not there yet
    ///
    /// Without it a token is made at the first start, and shown once.
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,

    /// Speak https with this certificate (PEM), with those up to its authority behind it
    ///
    /// The files are read again when they change.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// The vulnerability database [default: inscan/vulnerabilities.db in $XDG_DATA_HOME or ~/.local/share]
    ///
    /// A newer file in its place is used from then on, and all images are looked at again.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,

    /// How many jobs to do at a time
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(0..=256))]
    workers: u16,

    /// After how long a job whose process died is another one's
    ///
    /// It gives a word of itself four times in it.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u32).range(4..=3_600))]
    lease: u32,

    /// The largest archive that is taken
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = cache::size)]
    max_upload: u64,

    /// How many archives are taken at a time
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_uploads: u16,

    /// How long the analysis of an image here may take
    #[arg(long, value_name = "SECONDS", default_value = "1800", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    scan_time: u64,

    /// How much memory the analysis of an image here may take
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = cache::size)]
    scan_memory: u64,

    /// How often watched tags and repositories are looked at
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = clap::value_parser!(u32).range(10..=86_400))]
    watch_every: u32,

    /// For how many days former verdicts, former analyses and events are kept
    #[arg(long, value_name = "DAYS", default_value = "90", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    keep: u32,

    /// Of each name, how many images before the newest are kept, also those older than `--keep`
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    keep_versions: u32,

    /// For how many days an image is kept that is neither analyzed nor judged any longer
    #[arg(long, value_name = "DAYS", default_value = "400", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    keep_images: u32,

    /// What an admission controller is told about an image that is not known
    #[arg(long, value_name = "WHAT", default_value = "deny")]
    unknown_images: UnknownImages,

    /// Send webhooks also to private addresses and to this machine
    ///
    /// Without it, whoever may add a channel cannot make the server ask what only the server can reach.
    #[arg(long, value_parser = clap::builder::BoolishValueParser::new())]
    allow_private_webhooks: bool,

    #[command(flatten)]
    registry: RegistryFiles,

    #[command(flatten)]
    net: NetArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleArg {
    /// Answer requests and do jobs
    All,
    /// Answer requests
    Web,
    /// Do jobs
    Worker,
}

fn listen(text: &str) -> std::result::Result<Listen, String> {
    match text.strip_prefix("unix:") {
        Some("") => Err("expected a path behind `unix:`".to_owned()),
        Some(path) => Ok(Listen::Unix(PathBuf::from(path))),
        None => text
            .parse()
            .map(Listen::Tcp)
            .map_err(|_| "expected an address with a port, or `unix:PATH`".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UnknownImages {
    /// It may run, with a warning
    Allow,
    /// It may not run
    Deny,
    /// It may not run, and is analyzed here
    Scan,
}

pub(super) fn run(args: Args, session: &Session) -> Result<()> {
    if let Some(command) = &args.command {
        return manage::run(command, session);
    }
    let start = resolve(args)?;
    inscan_image::interrupt::leave_to_program();
    let folder = start.folder.display().to_string();
    let token_file = start.token_file.clone();
    let ready = |address: Option<&str>, token: Option<&str>| {
        match address {
            Some(address) => {
                session.table(&format!("inscan serves at {address}, with its data in {folder}\n"))
            }
            None => session.table(&format!("inscan works, with its data in {folder}\n")),
        }
        match (token, &token_file) {
            (Some(token), _) => session.table(&format!(
                "The administrator is `admin`. This token is shown once:\n\n    {token}\n\n"
            )),
            (None, Some(file)) => {
                session.table(&format!("The administrator's token is in {}\n", file.display()));
            }
            (None, None) => {}
        }
    };
    server::run(start, &ready).map_err(failed)
}

impl RoleArg {
    fn resolve(self, database: &Place) -> Result<Role> {
        let role = match self {
            RoleArg::All => Role::All,
            RoleArg::Web => Role::Web,
            RoleArg::Worker => Role::Worker,
        };
        match database {
            Place::Folder(_) if role != Role::All => {
                let error =
                    anyhow::anyhow!("rows in a folder are for one process that does everything");
                Err(Failure::usage(error)
                    .hint("name a database that several share: `--database postgres://…`"))
            }
            _ => Ok(role),
        }
    }
}

fn failed(fault: Fault) -> Failure {
    let is_place = matches!(
        fault,
        Fault::Token(_)
            | Fault::Asked(_)
            | Fault::Store(
                inscan_store::Error::Place(_)
                    | inscan_store::Error::ObjectsPlace(_)
                    | inscan_store::Error::Locked(_)
            )
    );
    let error = anyhow::Error::new(fault);
    if is_place { Failure::usage(error) } else { Failure::broken(error) }
}

fn resolve(args: Args) -> Result<Start> {
    let (folder, database) = args.place.resolve()?;
    let role = args.role.resolve(&database)?;
    let net = args.net.resolve()?;
    let contents = args.objects.resolve(&folder, &net)?;
    let program = std::env::current_exe().map_err(|error| {
        Failure::broken(anyhow::Error::new(error).context("cannot find this program"))
    })?;
    let settings = Settings {
        role,
        temporary: folder.join("temporary"),
        max_upload: args.max_upload,
        workers: usize::from(args.workers),
        lease: i64::from(args.lease) * 1_000,
        program,
        speaks_tls: args.tls_cert.is_some(),
        scan_time: Duration::from_secs(args.scan_time),
        scan_memory: args.scan_memory,
        net,
        registry: args.registry.resolve(),
        watch_every: i64::from(args.watch_every) * 1_000,
        keep: i64::from(args.keep) * 86_400_000,
        private_webhooks: args.allow_private_webhooks,
        keep_versions: i64::from(args.keep_versions),
        keep_images: i64::from(args.keep_images) * 86_400_000,
        unknown_images: match args.unknown_images {
            UnknownImages::Allow => Unknown::Allow,
            UnknownImages::Deny => Unknown::Deny,
            UnknownImages::Scan => Unknown::Scan,
        },
    };
    let usual = || Listen::Tcp(([127, 0, 0, 1], 8080).into());
    let listen = args.listen.or_else(|| (role != Role::Worker).then(usual));
    let tls = match (args.tls_cert, args.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::open(&certificate, &key).map_err(|error| {
            Failure::usage(anyhow::Error::new(error).context("the certificate cannot be used"))
        })?),
        _ => None,
    };
    Ok(Start {
        key: args.place.key(&folder),
        folder,
        tls,
        database,
        contents,
        listen,
        data: args.db.or_else(settings::database),
        token_file: args.admin_token_file,
        uploads: usize::from(args.max_uploads),
        settings,
    })
}
