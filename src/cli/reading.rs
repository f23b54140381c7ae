//! Reading an image: the options that every command has that does it, as typed
//! and as meant, and the way from the image's name to its analysis.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use inscan_analyzers::{Config, Part};
use inscan_document::{Identity, Overrides};
use inscan_facts::digest::{Digest, MoreDigests};
use inscan_image::budget::Factor;
use inscan_image::progress::{Progress, Silent};
use inscan_image::source::{OpenOptions, Opened, Platform, Reference};
use inscan_image::{Malware, Request, Scan, ScanError};
use inscan_net::registry::RegistryOptions;
use inscan_net::{Listener, NetOptions};

use super::cache::CacheArgs;
use super::environment::Environment;
use super::failure::{Failure, Result};
use super::judging::Named;
use super::network::NetArgs;
use super::registry::RegistryArgs;
use super::{ProgressStyle, Session, analyzer_config, settings};
use crate::output::progress::{Bars, JsonLines, Lines};

/// Which image, and how to look at it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Image")]
pub(super) struct ImageArgs {
    /// The image, as TRANSPORT:PLACE[:REF], a path, or `-` for an archive on standard input
    ///
    ///   docker://HOST/NAME:TAG     an image in a registry; also @sha256:DIGEST
    ///   docker-daemon:REF          an image of Docker, sent by its daemon
    ///   podman:REF                 an image of podman, sent by its service
    ///   containers-storage:REF     the storage of podman, buildah and CRI-O
    ///   containerd:REF             the storage of containerd
    ///   docker-archive:FILE[:REF]  what `docker save` writes
    ///   oci-archive:FILE[:REF]     an OCI layout in a tar
    ///   oci:DIR[:REF]              an OCI layout in a directory
    ///   dir:PATH                   a root file system
    ///
    /// REF picks one of several images: a name, a digest, or a position (`@0`).
    /// A bare path is recognised by looking at it. A bare name is looked for in Docker, podman,
    /// containers-storage, containerd, and then in its registry.
    #[arg(value_name = "IMAGE", verbatim_doc_comment)]
    image: String,

    /// The platform to take from an image made for several, as OS/ARCH[/VARIANT][:VERSION]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// The namespace of containerd that has the image [default: whichever has it]
    #[arg(long, value_name = "NAME")]
    containerd_namespace: Option<String>,

    /// The full name to give the image: registry, repository and tag
    #[arg(long, value_name = "FULLTAG")]
    tag: Option<String>,

    /// The manifest digest to give the image, instead of the one it has
    #[arg(long, value_name = "DIGEST")]
    image_digest: Option<Digest>,

    /// The image id to give the image, instead of the one it has: 64 hex digits
    #[arg(long, value_name = "ID", value_parser = image_id)]
    image_id: Option<Digest>,

    /// The Dockerfile that made the image; without it, one is guessed from its history
    #[arg(long, value_name = "FILE")]
    dockerfile: Option<PathBuf>,

    /// What the analyzers look for: the legacy engine's analyzer_config.yaml
    #[arg(long, value_name = "FILE")]
    analyzer_config: Option<PathBuf>,

    /// Trust the package list in the image (/anchore_hints.json)
    ///
    /// Whoever made the image may claim anything there. The legacy engine's
    /// variable ANCHORE_HINTS_ENABLED=true says the same.
    #[arg(long, value_parser = BoolishValueParser::new())]
    hints: bool,

    /// Analyze only these parts, in less time: packages, secrets, files; several with commas
    ///
    /// The packages are always among them. `packages` takes no digests of files and searches no
    /// texts. The document says what was left out; a gate, a policy or an upload that needs it is
    /// refused.
    #[arg(long, value_name = "PARTS", value_delimiter = ',', value_parser = part())]
    only: Vec<Part>,

    /// More digests of every file, in addition to md5, sha1 and sha256
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = more_digests())]
    digests: Vec<MoreDigests>,

    /// Scan every file with a running clamd (ClamAV)
    ///
    /// As `malware.clamav.enabled` in the analyzer configuration does. clamd's own limits hold:
    /// with `AlertExceedsMax yes` in its configuration it reports the files that it skips.
    #[arg(long, value_parser = BoolishValueParser::new())]
    malware: bool,

    /// Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]
    #[arg(long, value_name = "SOCKET")]
    clamd: Option<String>,

    /// Of a root file system (`dir:`), leave out what other file systems hold that are mounted in it
    ///
    /// It counts as hidden then. What the kernel makes up (`/proc`, `/sys`) is always left out.
    #[arg(long, value_parser = BoolishValueParser::new())]
    one_file_system: bool,

    /// How many times as much as usual an image may ask for: bytes that its layers unpack to, entries, packages
    ///
    /// An image that asks for more is refused (exit code 3), so that a small one cannot take all time
    /// and memory. docs/limits.md has the numbers.
    #[arg(long, value_name = "N")]
    image_budget: Option<Factor>,

    /// How many threads to work with [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Show on stderr how long each layer, analyzer and step took
    ///
    /// The same is in the document, in its `run` block.
    #[arg(long, value_parser = BoolishValueParser::new())]
    timings: bool,

    #[command(flatten)]
    cache: CacheArgs,

    #[command(flatten)]
    registry: RegistryArgs,

    #[command(flatten)]
    net: NetArgs,
}

fn more_digests() -> impl TypedValueParser<Value = MoreDigests> {
    let named = |name: String| MoreDigests::ALL.into_iter().find(|it| it.name() == name);
    PossibleValuesParser::new(MoreDigests::ALL.map(MoreDigests::name))
        .try_map(move |name| named(name).ok_or("no such digest"))
}

fn part() -> impl TypedValueParser<Value = Part> {
    let named = |name: String| Part::ALL.into_iter().find(|it| it.name() == name);
    PossibleValuesParser::new(Part::ALL.map(Part::name))
        .try_map(move |name| named(name).ok_or("no such part"))
}

impl ImageArgs {
    /// The parts that are not asked for.
    pub(super) fn left_out(&self) -> Vec<Part> {
        let is_asked = |part: &Part| *part == Part::Packages || self.only.contains(part);
        match self.only.is_empty() {
            true => Vec::new(),
            false => Part::ALL.into_iter().filter(|part| !is_asked(part)).collect(),
        }
    }

    /// # Errors
    /// `--only` leaves out one of the parts that `what` needs.
    pub(super) fn needs(&self, parts: &[Part], what: &str) -> Result<()> {
        let left_out = self.left_out();
        let Some(missing) = parts.iter().find(|part| left_out.contains(part)) else {
            return Ok(());
        };
        let missing = missing.name();
        let error = anyhow::anyhow!("{what} needs the {missing}, which `--only` leaves out");
        Err(Failure::usage(error).hint(format!("leave `--only` out, or add `{missing}` to it")))
    }

    /// Whether to show where the time went.
    pub(super) fn timings(&self) -> bool {
        self.timings
    }

    /// What was said of an image's name: it stands above what a document says.
    pub(super) fn named(&self) -> Named {
        let (tag, digest, id) = (self.tag.clone(), self.image_digest, self.image_id);
        Named { tag, digest, id }
    }

    /// For what is fetched beside the image.
    pub(super) fn network(&self) -> Result<(NetOptions, RegistryOptions)> {
        Ok((self.net.clone().resolve()?, self.registry.for_others()))
    }
}

fn image_id(text: &str) -> Result<Digest, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    format!("sha256:{digits}").parse().map_err(|_| "expected 64 lower-case hex digits".to_owned())
}

impl ImageArgs {
    /// What was typed for the image.
    pub(super) fn place(&self) -> &str {
        &self.image
    }

    /// What the image is to be called.
    pub(super) fn overrides(&self) -> Result<Overrides> {
        Ok(Overrides {
            tag: self.tag.clone(),
            image_digest: self.image_digest.as_ref().map(Digest::to_string),
            image_id: self.image_id.as_ref().map(Digest::hex),
            dockerfile: self.dockerfile.clone().map(dockerfile).transpose()?,
        })
    }

    /// Where clamd was said to be.
    pub(super) fn clamd(&self) -> Option<&str> {
        self.clamd.as_deref()
    }

    /// What the arguments mean: checked, and every named file read.
    pub(super) fn resolve(self, session: &Session, progress: &Reporter) -> Result<Request> {
        let overrides = self.overrides()?;
        let config = self.config(session)?;
        let malware = self.malware || config.clamav().is_some_and(|clamav| clamav.enabled);
        if malware {
            self.needs(&[Part::Files], "the scan for malware")?;
        }
        if !self.digests.is_empty() {
            self.needs(&[Part::Files], "`--digests`")?;
        }
        let left_out = self.left_out();
        let mut digests = self.digests;
        digests.sort_by_key(|digest| *digest as u8);
        digests.dedup();
        let reference = Reference::parse(&self.image).map_err(failed)?;
        let stdin_is_taken = matches!(reference, Reference::Stdin { .. });
        let mut net = self.net.resolve()?;
        net.retry.listener = Listener::of(progress);
        if let Some(clamd) = self.clamd.as_ref().filter(|clamd| net.offline && !clamd.contains('/'))
        {
            let error =
                anyhow::anyhow!("`--offline` forbids the network, and clamd is at `{clamd}`");
            return Err(
                Failure::usage(error).hint("name a socket of this machine: `--clamd /run/…`")
            );
        }
        let registry = self.registry.resolve(stdin_is_taken)?;
        Ok(Request {
            options: OpenOptions {
                platform: self.platform,
                net,
                registry,
                containerd_namespace: self.containerd_namespace,
                environment: Environment::get().of_engines(),
            },
            overrides,
            malware: malware.then_some(Malware { clamd: self.clamd }),
            config,
            digests,
            left_out,
            threads: self.threads,
            one_file_system: self.one_file_system,
            budget: self.image_budget.unwrap_or_default(),
            cache: self.cache.request(&**progress),
            ..Request::new(reference)
        })
    }

    fn config(&self, session: &Session) -> Result<Config> {
        let mut config = match &self.analyzer_config {
            None => Config::default(),
            Some(path) => {
                let (config, warnings) = analyzer_config::read(path)?;
                warnings.iter().for_each(|warning| session.warn(warning));
                config
            }
        };
        config.hints = self.hints || Environment::get().legacy_hints();
        Ok(config)
    }
}

fn dockerfile(path: PathBuf) -> Result<String> {
    settings::text(&path, "Dockerfile")
        .map_err(|failure| failure.hint("leave `--dockerfile` out to have one guessed"))
}

/// Scans the image. Progress is off the terminal when it is done.
pub(super) fn scanned(args: ImageArgs, session: &Session) -> Result<Scan> {
    let progress = session.reporter();
    let request = args.resolve(session, &progress)?;
    inscan_image::scan(&request, &*progress).map_err(Failure::of)
}

/// An image that was scanned, or what made that needless.
pub(super) enum Scanned<T> {
    Known(T),
    Scan(Scan),
}

/// Scans the image, unless what is known before any layer is read makes that needless. `unless`
/// is not asked where the image's digest is known only after it was read.
pub(super) fn scanned_unless<T>(
    args: ImageArgs,
    session: &Session,
    unless: impl FnOnce(&Identity) -> Result<Option<T>>,
) -> Result<Scanned<T>> {
    let progress = session.reporter();
    let request = args.resolve(session, &progress)?;
    let opened = inscan_image::open(&request, &*progress).map_err(Failure::of)?;
    if let Opened::Image { image, .. } = &opened
        && image.manifest.is_some()
        && let Some(known) = unless(&inscan_image::identity(&request, image))?
    {
        return Ok(Scanned::Known(known));
    }
    inscan_image::read(&request, opened, &*progress).map(Scanned::Scan).map_err(Failure::of)
}

/// An error of what is done with an image beside scanning it.
pub(super) fn failed(error: anyhow::Error) -> Failure {
    Failure::of(ScanError::from(error))
}

/// Who tells the user how far it is.
pub(super) type Reporter = Arc<dyn Progress>;

impl Session {
    /// For an image that is opened first.
    pub(super) fn reporter(&self) -> Reporter {
        self.reporter_of("opening the image")
    }

    /// `doing` is said until there is more to say; nothing, where it is empty.
    pub(super) fn reporter_of(&self, doing: &'static str) -> Reporter {
        match self.progress {
            _ if self.quiet => Arc::new(Silent),
            ProgressStyle::None => Arc::new(Silent),
            ProgressStyle::Json => Arc::new(JsonLines::default()),
            ProgressStyle::Auto if Environment::get().has_terminal() => Arc::new(Bars::new(doing)),
            ProgressStyle::Auto | ProgressStyle::Plain => Arc::new(Lines::new(doing)),
        }
    }
}
