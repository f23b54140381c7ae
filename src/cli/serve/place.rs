//! Where a server keeps what it has, as it is typed.

use std::path::{Path, PathBuf};

use inscan_net::NetOptions;
#[cfg(feature = "s3")]
use inscan_net::Secret;
#[cfg(feature = "s3")]
use inscan_store::{BucketPlace, Credentials, Usual};
use inscan_store::{Contents, Place};

use super::super::environment::Environment;
use super::super::{Failure, Result};

/// Where everything is kept.
#[derive(Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// The folder for everything that is kept [default: inscan/server in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// Keep rows in this database instead of the folder: postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full
    ///
    /// The variable INSCAN_DATABASE is the better place for an address with a password in it.
    #[arg(long, value_name = "URL")]
    database: Option<String>,

    /// Read the password of the database from this file
    #[arg(long, value_name = "FILE")]
    database_password_file: Option<PathBuf>,

    /// The key for passwords of registries and options of channels [default: key in the folder]
    ///
    /// All servers of one database need the same one.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Where contents are kept.
#[derive(Debug, clap::Args)]
pub(super) struct ObjectsArgs {
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

impl PlaceArgs {
    pub(super) fn resolve(&self) -> Result<(PathBuf, Place)> {
        let usual = || Some(Environment::get().data_directory()?.join("inscan/server"));
        let folder = self.data.clone().or_else(usual).ok_or_else(|| {
            Failure::usage(anyhow::anyhow!("it is not known where data is to be kept"))
                .hint("name a folder: `--data DIRECTORY`")
        })?;
        let database = match &self.database {
            Some(address) => Place::parse(&self.with_password(address)?).map_err(|error| {
                Failure::usage(anyhow::Error::new(error))
                    .hint("as in `--database postgres://inscan@db.example/inscan`")
            })?,
            None => Place::Folder(folder.clone()),
        };
        Ok((folder, database))
    }
}

impl PlaceArgs {
    pub(super) fn key(&self, folder: &Path) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| folder.join("key"))
    }

    /// The address with the password of the file.
    fn with_password(&self, address: &str) -> Result<String> {
        let Some(file) = &self.database_password_file else { return Ok(address.to_owned()) };
        let password = secret_in(file)?;
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let separator = if address.contains('?') { '&' } else { '?' };
        Ok(format!("{address}{separator}password={encoded}"))
    }
}

/// What a file holds, without the end of its line; `-` is standard input.
pub(super) fn secret_in(file: &Path) -> Result<String> {
    let read = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(file),
    };
    let text = read.map_err(|error| {
        let what = format!("could not read `{}`", file.display());
        Failure::usage(anyhow::Error::new(error).context(what))
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.is_empty() {
        true => Err(Failure::usage(anyhow::anyhow!("`{}` is empty", file.display()))),
        false => Ok(text.to_owned()),
    }
}

impl ObjectsArgs {
    pub(super) fn resolve(&self, folder: &Path, net: &NetOptions) -> Result<Contents> {
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
