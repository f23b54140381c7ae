//! Fetching a newer database, or what one is built of. Whoever reads the old one
//! meanwhile goes on reading it.

use inscan_facts::progress::Progress;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::build::{self, Dates};
use super::download::{self, Fetched};
use super::fetch::{Fetch, with_ending};
use super::gathered::Skipped;
use super::place::{self, DAY, State, beside};
use super::read::Database;
use super::signature::Key;
use inscan_facts::digest::{Digest, Sha256};
use inscan_net::registry::RegistryOptions;
use inscan_net::registry::artifact;
use inscan_net::{self as net, Http, NetOptions, Url};

const MAX_SIGNATURE: u64 = 64 << 10;
/// What a database is in a registry, and its parts.
pub const ARTIFACT_TYPE: &str = "application/vnd.inscan.database.v1";
pub const DATABASE_TYPE: &str = "application/vnd.inscan.database.v1+sqlite3";
pub const SIGNATURE_TYPE: &str = "application/vnd.inscan.database.signature.v1";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is not a source: expected an https address or `oci://REGISTRY/REPOSITORY`")]
    Source(String),
    #[error("a database in a registry is the only source: `{0}` cannot be one of several")]
    Several(String),
    #[error("`{0}` has no database in it")]
    NoDatabase(String),
    #[error(transparent)]
    Registry(anyhow::Error),
    #[error("`{0}` is plain http, which others on the network can change")]
    Plain(String),
    #[error("another update of `{}` is running", .0.display())]
    Busy(PathBuf),
    #[error(transparent)]
    Download(#[from] download::Error),
    #[error(transparent)]
    Net(#[from] net::Error),
    #[error("{address}: the file has the digest {found}, and {address}.sha256 says {expected}")]
    Digest { address: String, found: Digest, expected: Digest },
    #[error("{0}.sha256 holds no digest")]
    NoDigest(String),
    #[error("none of the public sources could be fetched: {0}")]
    NothingPublic(String),
    #[error("a database that is built here has no signature to verify")]
    NothingSigned,
    #[error("{0} is no list of ecosystems, as a mirror of OSV's bucket has one")]
    NoBucket(String),
    #[error(transparent)]
    Place(#[from] place::Error),
    #[error(transparent)]
    Build(#[from] build::Error),
    #[error("could not write beside `{}`", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl Error {
    /// As when the deadline passes.
    pub fn too_late() -> Error {
        download::Error::Deadline.into()
    }
}

pub struct Update<'a> {
    /// Addresses: of a ready database, or of what one is built of.
    pub sources: &'a [String],
    /// Where the database lies.
    pub place: &'a Path,
    pub key: Option<&'a Key>,
    pub net: &'a NetOptions,
    /// For sources in registries.
    pub registry: &'a RegistryOptions,
    pub now: Timestamp,
    /// Asks also where that was done within a day.
    pub force: bool,
    /// The whole may take so long; what has come by then is kept for the next time.
    pub deadline: Option<Duration>,
    /// Whether one may be built here of what the source has.
    pub builds: bool,
    /// The sources are public ones: what fails is skipped, and the rest is used.
    pub public: bool,
}

#[derive(Debug)]
pub enum Outcome {
    /// Asked so long ago that it is not worth asking again.
    Recent(Duration),
    /// The newest is here already.
    Unchanged,
    /// A new one is here. What was skipped is of one that was built here.
    Installed(Vec<Skipped>),
}

impl Update<'_> {
    pub fn run(&self, watch: &dyn Progress) -> Result<Outcome, Error> {
        let sources: Vec<Source<'_>> =
            self.sources.iter().map(|source| self.source(source)).collect::<Result<_, _>>()?;
        place::folder_of(self.place)?;
        let _lock = self.lock()?;
        let state = State::read(self.place);
        let is_here = Database::open(self.place).is_ok();
        if let Some(since) = state.since_checked(self.sources, self.now)
            && is_here
            && since < DAY
            && !self.force
        {
            return Ok(Outcome::Recent(since));
        }
        // What is here came from elsewhere: its version says nothing about these sources.
        let known = state.version.filter(|_| is_here && state.sources == self.sources);
        let net = self.bounded_net();
        let http = Http::new(&net);
        let fetch = Fetch {
            http: &http,
            deadline: self.deadline.map(|deadline| Instant::now() + deadline),
            watch,
        };
        let (outcome, version) = match sources.as_slice() {
            [Source::Registry(name)] => self.registry_source(&fetch, name, known.as_deref())?,
            [Source::Address(one)] if !one.path().ends_with('/') => {
                self.file_source(&fetch, one, known.as_deref(), watch)?
            }
            several => {
                let addresses = several.iter().map(|source| match source {
                    Source::Address(url) => Ok(url.clone()),
                    Source::Registry(name) => Err(Error::Several(format!("oci://{name}"))),
                });
                let addresses: Vec<Url> = addresses.collect::<Result<_, _>>()?;
                (self.input_sources(&fetch, &addresses, is_here, watch)?, None)
            }
        };
        let state = State {
            sources: self.sources.to_vec(),
            public: self.public,
            checked: self.now.as_second(),
            version: version.or(known),
            failed: None,
        };
        // Without it the next update asks once more: no reason to fail.
        let _ = state.write(self.place);
        Ok(outcome)
    }

    /// No single wait is longer than the whole may take.
    fn bounded_net(&self) -> NetOptions {
        let mut net = self.net.clone();
        if let Some(deadline) = self.deadline {
            net.connect_timeout = net.connect_timeout.min(deadline);
            net.stall_timeout = net.stall_timeout.min(deadline);
            net.retry.longest_wait = net.retry.longest_wait.min(deadline);
        }
        net
    }

    fn source<'s>(&self, source: &'s str) -> Result<Source<'s>, Error> {
        if let Some(name) = source.strip_prefix("oci://") {
            return Ok(Source::Registry(name));
        }
        let url = Url::parse(source).map_err(|_| Error::Source(source.to_owned()))?;
        match url.scheme() {
            "https" => Ok(Source::Address(url)),
            // What is signed may come any way.
            "http" if self.net.plain_http || self.key.is_some() || net::is_loopback(&url) => {
                Ok(Source::Address(url))
            }
            "http" => Err(Error::Plain(net::origin(&url))),
            _ => Err(Error::Source(source.to_owned())),
        }
    }

    /// Two updates would write to the same unfinished file.
    fn lock(&self) -> Result<Option<File>, Error> {
        use rustix::fs::{FlockOperation, flock};
        let path = beside(self.place, ".lock");
        let Ok(file) = File::create(&path) else { return Ok(None) };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Busy(self.place.to_owned())),
            // A file system without locks: whoever comes second is refused by the digest.
            Err(_) => Ok(None),
        }
    }

    /// A database that was pushed to a registry. Its manifest's digest is its version.
    fn registry_source(
        &self,
        fetch: &Fetch<'_>,
        name: &str,
        known: Option<&str>,
    ) -> Result<(Outcome, Option<String>), Error> {
        let net = fetch.http.options();
        let found = artifact::open(name, ARTIFACT_TYPE, net, self.registry);
        let found = found.map_err(Error::Registry)?;
        let version = found.digest.to_string();
        if known == Some(version.as_str()) {
            return Ok((Outcome::Unchanged, None));
        }
        let missing = || Error::NoDatabase(format!("oci://{name}"));
        let of_type = |wanted: &str| found.files.iter().find(|file| file.media_type == wanted);
        let database = of_type(DATABASE_TYPE).ok_or_else(missing)?;
        let part = beside(self.place, ".part");
        fetch.blob(&found, database, &part)?;
        let signature = match (self.key, of_type(SIGNATURE_TYPE)) {
            (Some(_), Some(file)) => {
                let mut bytes = Vec::new();
                let reader = found.read(file, 0, MAX_SIGNATURE).map_err(Error::Registry)?;
                let mut reader = reader.take(MAX_SIGNATURE);
                reader.read_to_end(&mut bytes).map_err(|error| Error::Registry(error.into()))?;
                Some(bytes)
            }
            _ => None,
        };
        let installed = self.take_in(&part, signature.as_deref());
        let _ = fs::remove_file(&part);
        installed.map(|()| (Outcome::Installed(Vec::new()), Some(version)))
    }

    /// A ready database, or a single file that one is built of.
    fn file_source(
        &self,
        fetch: &Fetch<'_>,
        url: &Url,
        known: Option<&str>,
        watch: &dyn Progress,
    ) -> Result<(Outcome, Option<String>), Error> {
        let part = beside(self.place, ".part");
        let version = match fetch.file(url, &part, known)? {
            Fetched::Unchanged => return Ok((Outcome::Unchanged, None)),
            Fetched::New { version } => version,
        };
        let installed = self.install(fetch, url, &part, watch);
        // Whatever it was, it is used up: installed, built into one, or wrong.
        let _ = fs::remove_file(&part);
        Ok((Outcome::Installed(installed?), version))
    }

    fn install(
        &self,
        fetch: &Fetch<'_>,
        url: &Url,
        part: &Path,
        watch: &dyn Progress,
    ) -> Result<Vec<Skipped>, Error> {
        fetch.check_digest(url, part)?;
        let signature = match self.key {
            Some(_) => fetch.small(&with_ending(url, ".sig"), MAX_SIGNATURE)?,
            None => None,
        };
        if self.key.is_none() && !is_database(part) {
            if !self.builds {
                return Err(Error::NoDatabase(format!("{}{}", net::origin(url), url.path())));
            }
            let dates = Dates { now: self.now, built: None };
            let report = build::build(&[part.to_owned()], self.place, dates, watch)?;
            return Ok(report.skipped);
        }
        self.take_in(part, signature.as_deref())?;
        Ok(Vec::new())
    }

    /// Verifies a whole file, and puts it into the database's place.
    fn take_in(&self, part: &Path, signature: Option<&[u8]>) -> Result<(), Error> {
        place::verify(part, self.key, signature)?;
        let failed = |source| Error::Io { path: self.place.to_owned(), source };
        File::open(part).and_then(|file| file.sync_all()).map_err(failed)?;
        fs::rename(part, self.place).map_err(failed)
    }

    /// Everything that a database is built of, kept beside it so that the next time only what
    /// has changed is fetched.
    fn input_sources(
        &self,
        fetch: &Fetch<'_>,
        sources: &[Url],
        is_here: bool,
        watch: &dyn Progress,
    ) -> Result<Outcome, Error> {
        if self.key.is_some() {
            return Err(Error::NothingSigned);
        }
        let folder = beside(self.place, ".inputs");
        let failed = |source| Error::Io { path: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut skipped = Vec::new();
        let files = self.input_files(fetch, sources, &folder, &mut skipped)?;
        let notes = folder.join("versions.json");
        let mut versions: BTreeMap<String, String> = fs::read(&notes)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let mut is_new = !is_here;
        let mut inputs = Vec::new();
        for (url, path) in files {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            let known = versions.get(url.as_str()).filter(|_| path.is_file()).cloned();
            let part = beside(&path, ".part");
            match fetch.file(&url, &part, known.as_deref()) {
                Ok(Fetched::Unchanged) => {}
                Ok(Fetched::New { version }) => {
                    fs::rename(&part, &path).map_err(failed)?;
                    match version {
                        Some(version) => versions.insert(url.to_string(), version),
                        None => versions.remove(url.as_str()),
                    };
                    let text = serde_json::to_vec(&versions).unwrap_or_default();
                    fs::write(&notes, text).map_err(failed)?;
                    is_new = true;
                }
                Err(error) if error.is_missing() => {
                    skipped.push(Skipped {
                        input: format!("{}{}", net::origin(&url), url.path()),
                        reason: "is not there".to_owned(),
                        count: 1,
                        example: String::new(),
                    });
                    continue;
                }
                Err(download::Error::Deadline) => return Err(download::Error::Deadline.into()),
                Err(error) if self.public => {
                    let is_here = path.is_file();
                    skipped.push(failed_source(&url, &error, is_here));
                    if !is_here {
                        continue;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            inputs.push(path);
        }
        if let (true, Some(first)) = (inputs.is_empty() && self.public, skipped.first()) {
            return Err(Error::NothingPublic(format!("{}: {}", first.input, first.reason)));
        }
        if !is_new {
            return Ok(Outcome::Unchanged);
        }
        let dates = Dates { now: self.now, built: None };
        let report = build::build(&inputs, self.place, dates, watch)?;
        skipped.extend(report.skipped);
        Ok(Outcome::Installed(skipped))
    }

    /// Which files a database is built of, and where each is kept: an ecosystem's archive for each
    /// that a folder of OSV's layout lists, or the file itself.
    fn input_files(
        &self,
        fetch: &Fetch<'_>,
        sources: &[Url],
        folder: &Path,
        skipped: &mut Vec<Skipped>,
    ) -> Result<Vec<(Url, PathBuf)>, Error> {
        let mut files = Vec::new();
        for source in sources {
            // The name of the file is our own: what an address holds is nobody's path.
            let own =
                folder.join(Sha256::of(source.as_str().as_bytes()).hex().get(..16).unwrap_or("0"));
            if source.path().ends_with('/') {
                let ecosystems = match fetch.ecosystems(source) {
                    Err(error) if self.public => {
                        skipped.push(failed_source(source, &error, false));
                        continue;
                    }
                    ecosystems => ecosystems?,
                };
                for ecosystem in ecosystems {
                    let mut url = source.clone();
                    if let Ok(mut parts) = url.path_segments_mut() {
                        parts.pop_if_empty().push(&ecosystem).push("all.zip");
                    }
                    files.push((url, own.join(&ecosystem).join("all.zip")));
                }
            } else {
                let name = source.path().rsplit('/').next().unwrap_or_default();
                let is_plain = |char: &char| char.is_ascii_alphanumeric() || "-_.:".contains(*char);
                let name: String = name.chars().filter(is_plain).collect();
                files.push((source.clone(), own.join(format!("x-{name}"))));
            }
        }
        Ok(files)
    }
}

/// Something of the public sources that did not come; what came before is used.
fn failed_source(url: &Url, error: &dyn std::fmt::Display, is_here: bool) -> Skipped {
    let then = if is_here { "what came before is used" } else { "the rest is used" };
    Skipped {
        input: format!("{}{}", net::origin(url), url.path()),
        reason: format!("could not be fetched: {error}; {then}"),
        count: 1,
        example: String::new(),
    }
}

enum Source<'a> {
    Address(Url),
    /// The name of an artifact.
    Registry(&'a str),
}

fn is_database(path: &Path) -> bool {
    let mut start = [0; 16];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *b"SQLite format 3\0"
}
