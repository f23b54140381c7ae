//! `inscan serve`: the arguments, and what they mean.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use inscan_net::NetOptions;
#[cfg(feature = "s3")]
use inscan_net::Secret;
#[cfg(feature = "s3")]
use inscan_store::{BucketPlace, Credentials, Usual};
use inscan_store::{Contents, Place};

use super::environment::Environment;
use super::network::NetArgs;
use super::registry::RegistryFiles;
use super::{Failure, Result, Session, cache, settings};
use crate::server::{self, Fault, Settings, Start, Tls, Unknown};

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
      inscan serve --data /var/lib/inscan --database postgres://inscan@db.example/inscan")]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// The address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

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

    /// What an admission controller is told about an image that is not known
    #[arg(long, value_name = "WHAT", default_value = "deny")]
    unknown_images: UnknownImages,

    #[command(flatten)]
    registry: RegistryFiles,

    #[command(flatten)]
    net: NetArgs,
}

/// Where everything is kept.
#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME
    ///
    /// The variable INSCAN_DATABASE is the better place for an address with a password in it.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// Where contents are kept.
#[derive(Debug, clap::Args)]
struct ObjectsArgs {
    /// Keep contents in this bucket instead of the folder: s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME&path-style=BOOL
    ///
    /// Without `endpoint` it is one of Amazon's, or of AWS_ENDPOINT_URL. Keys are those of
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or of `--objects-credentials`.
    #[arg(long, value_name = "URL")]
    objects: Option<String>,

    /// The file with the keys of the bucket, as Amazon's tools have it [default: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials]
    ///
    /// The profile is that of AWS_PROFILE, or `default`. The file may change while the server runs.
    #[arg(long, value_name = "FILE")]
    objects_credentials: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write all rows to a file: a backup, or to move to another database
    ///
    /// What is in the folder beside the database (contents, key) is not in it: copy that. With rows in
    /// the folder, the server has to be stopped.
    Backup {
        #[command(flatten)]
        place: PlaceArgs,
        /// The file to write
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Read all rows of a backup into an empty database, of either kind
    Restore {
        #[command(flatten)]
        place: PlaceArgs,
        /// The file to read
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
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
    match &args.command {
        None => {}
        Some(Command::Backup { place, file }) => {
            let (_, database) = place.resolve()?;
            let count = server::back_up(&database, file).map_err(failed)?;
            session.say(&format!("wrote {count} rows to {}", file.display()));
            return Ok(());
        }
        Some(Command::Restore { place, file }) => {
            let (_, database) = place.resolve()?;
            let count = server::restore(&database, file).map_err(failed)?;
            session.say(&format!("read {count} rows of {}", file.display()));
            return Ok(());
        }
    }
    let start = resolve(args)?;
    inscan_image::interrupt::leave_to_program();
    let folder = start.folder.display().to_string();
    let token_file = start.token_file.clone();
    let scheme = if start.tls.is_some() { "https" } else { "http" };
    let ready = |address: SocketAddr, token: Option<&str>| {
        session
            .table(&format!("inscan serves at {scheme}://{address}, with its data in {folder}\n"));
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

fn failed(fault: Fault) -> Failure {
    let is_place = matches!(
        fault,
        Fault::Token(_)
            | Fault::Store(
                inscan_store::Error::Place(_)
                    | inscan_store::Error::ObjectsPlace(_)
                    | inscan_store::Error::Locked(_)
            )
    );
    let error = anyhow::Error::new(fault);
    if is_place { Failure::usage(error) } else { Failure::broken(error) }
}

impl PlaceArgs {
    fn resolve(&self) -> Result<(PathBuf, Place)> {
        let usual = || Some(Environment::get().data_directory()?.join("inscan/server"));
        let folder = self.data.clone().or_else(usual).ok_or_else(|| {
            Failure::usage(anyhow::anyhow!("it is not known where data is to be kept"))
                .hint("name a folder: `--data DIRECTORY`")
        })?;
        let database = match &self.database {
            Some(address) => Place::parse(address).map_err(|error| {
                Failure::usage(anyhow::Error::new(error))
                    .hint("as in `--database postgres://inscan@db.example/inscan`")
            })?,
            None => Place::Folder(folder.clone()),
        };
        Ok((folder, database))
    }
}

impl ObjectsArgs {
    fn resolve(&self, folder: &Path, net: &NetOptions) -> Result<Contents> {
        match &self.objects {
            None => Ok(Contents::Folder(folder.join("contents"))),
            Some(objects) => self.bucket(objects, net),
        }
    }

    #[cfg(not(feature = "s3"))]
    fn bucket(&self, _: &str, _: &NetOptions) -> Result<Contents> {
        Err(Failure::usage(anyhow::anyhow!("this program was built without object storage")))
    }

    #[cfg(feature = "s3")]
    fn bucket(&self, objects: &str, net: &NetOptions) -> Result<Contents> {
        let environment = Environment::get();
        let first = |names: [&str; 2]| {
            names.iter().find_map(|name| environment.text(name)).map(str::to_owned)
        };
        let usual = Usual {
            endpoint: first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
            region: first(["AWS_REGION", "AWS_DEFAULT_REGION"]),
        };
        let place = BucketPlace::parse(objects, usual, self.credentials(environment)?, net.clone());
        let place = place.map_err(|error| {
            Failure::usage(anyhow::Error::new(error)).hint(
                "as in `--objects 's3://inscan?endpoint=https://s3.example&region=eu-west-1'`",
            )
        })?;
        Ok(Contents::Bucket(Box::new(place)))
    }

    #[cfg(feature = "s3")]
    fn credentials(&self, environment: &Environment) -> Result<Credentials> {
        let secret = |name: &str| environment.text(name).map(Secret::new);
        let id = environment.text("AWS_ACCESS_KEY_ID");
        if let (None, Some(id), Some(secret_key)) =
            (&self.objects_credentials, id, secret("AWS_SECRET_ACCESS_KEY"))
        {
            let token = secret("AWS_SESSION_TOKEN");
            return Ok(Credentials::Keys { id: id.to_owned(), secret: secret_key, token });
        }
        let usual = || Some(environment.path("HOME")?.join(".aws/credentials"));
        let named = self.objects_credentials.clone();
        let path = named.or_else(|| environment.path("AWS_SHARED_CREDENTIALS_FILE")).or_else(usual);
        let path = path.filter(|path| path.exists()).ok_or_else(|| {
            Failure::usage(anyhow::anyhow!("there are no keys for object storage")).hint(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file: `--objects-credentials FILE`",
            )
        })?;
        let profile = environment.text("AWS_PROFILE").unwrap_or("default").to_owned();
        Ok(Credentials::File { path, profile })
    }
}

fn resolve(args: Args) -> Result<Start> {
    let (folder, database) = args.place.resolve()?;
    let net = args.net.resolve()?;
    let contents = args.objects.resolve(&folder, &net)?;
    let program = std::env::current_exe().map_err(|error| {
        Failure::broken(anyhow::Error::new(error).context("cannot find this program"))
    })?;
    let settings = Settings {
        temporary: folder.join("temporary"),
        max_upload: args.max_upload,
        workers: usize::from(args.workers),
        program,
        scan_time: Duration::from_secs(args.scan_time),
        scan_memory: args.scan_memory,
        net,
        registry: args.registry.resolve(),
        watch_every: i64::from(args.watch_every) * 1_000,
        keep: i64::from(args.keep) * 86_400_000,
        unknown_images: match args.unknown_images {
            UnknownImages::Allow => Unknown::Allow,
            UnknownImages::Deny => Unknown::Deny,
            UnknownImages::Scan => Unknown::Scan,
        },
    };
    let tls = match (args.tls_cert, args.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::open(&certificate, &key).map_err(|error| {
            Failure::usage(anyhow::Error::new(error).context("the certificate cannot be used"))
        })?),
        _ => None,
    };
    Ok(Start {
        folder,
        tls,
        database,
        contents,
        listen: args.listen,
        data: args.db.or_else(settings::database),
        token_file: args.admin_token_file,
        uploads: usize::from(args.max_uploads),
        settings,
    })
}
