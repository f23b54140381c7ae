//! Reading an image: the options that every command has that does it, as typed
//! and as meant, and the way from the image's name to its analysis.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use inscan_analyzers::Config;
use inscan_analyzers::config::ClamAv;

use super::cache::CacheArgs;
use super::failure::{Failure, Result};
use super::network::NetArgs;
use super::registry::RegistryArgs;
use super::{ProgressStyle, Session, analyzer_config, settings};
use crate::output::progress::{self, Bars, Lines};
use inscan_document::{Identity, Overrides, Section};
use inscan_facts::digest::{Digest, MoreDigests};
use inscan_image::allocator;
use inscan_image::analyze::{self, Analysis};
use inscan_image::layer::{self, LayerScan, Pass};
use inscan_image::malware::Scanner;
use inscan_image::progress::{Progress, Silent};
use inscan_image::source::{
    self as image, Image, Kind, NotFound, OpenOptions, Opened, Platform, Reference, RegistryOptions,
};
use inscan_judge as policy;
use inscan_net::{Listener, NetOptions};
use inscan_python_regex::text::Pattern;

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

    /// The platform to take from an image made for several, as OS/ARCH[/VARIANT]
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

    /// Believe the packages that the image itself lists in /anchore_hints.json
    ///
    /// Whoever made the image may claim anything there. The legacy engine's
    /// variable ANCHORE_HINTS_ENABLED=true says the same.
    #[arg(long, value_parser = BoolishValueParser::new())]
    hints: bool,

    /// More digests of every file, beside md5, sha1 and sha256
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = more_digests())]
    digests: Vec<MoreDigests>,

    /// Have every file looked at by a running clamd (ClamAV)
    ///
    /// As `malware.clamav.enabled` in the analyzer configuration does. clamd's own limits hold:
    /// with `AlertExceedsMax yes` in its configuration it says what it passes over.
    #[arg(long, value_parser = BoolishValueParser::new())]
    malware: bool,

    /// Where clamd listens: a socket, or HOST:PORT [default: where Debian has it]
    #[arg(long, value_name = "SOCKET")]
    clamd: Option<String>,

    /// How many threads to work with [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Show on stderr where the time went: by layer, by analyzer, by step
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

impl ImageArgs {
    /// Whether to show where the time went.
    pub(super) fn timings(&self) -> bool {
        self.timings
    }

    /// How policies know the image of a document: what was typed stands above what it says.
    pub(super) fn named(&self, section: &Section) -> policy::Image {
        let said = &section.image;
        let digest = self.image_digest.as_ref().map(ToString::to_string);
        policy::Image {
            tag: self.tag.clone().unwrap_or_else(|| said.reference.clone()),
            digest: digest.unwrap_or_else(|| said.digest.clone()),
            id: self.image_id.as_ref().map_or_else(|| said.id.clone(), Digest::hex),
        }
    }

    /// For what is fetched beside the image.
    pub(super) fn network(&self) -> Result<(NetOptions, RegistryOptions)> {
        Ok((self.net.clone().meant()?, self.registry.for_others()))
    }
}

fn image_id(text: &str) -> Result<Digest, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    format!("sha256:{digits}").parse().map_err(|_| "expected 64 lower-case hex digits".to_owned())
}

/// What the arguments mean: checked, and every named file read.
#[derive(Debug)]
pub(super) struct Request {
    pub reference: Reference,
    pub options: OpenOptions,
    pub overrides: Overrides,
    pub config: Config,
    pub digests: Vec<MoreDigests>,
    pub threads: Option<NonZeroUsize>,
    /// Whether files are looked at by clamd.
    pub malware: bool,
    pub clamd: Option<String>,
    /// Paths, and directories with all below them, in which malware does not count.
    pub malware_exclude: Option<Pattern>,
    pub cache: CacheArgs,
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

    pub(super) fn meant(self, session: &Session) -> Result<Request> {
        let mut config = match &self.analyzer_config {
            None => Config::default(),
            Some(path) => {
                let (config, warnings) = analyzer_config::read(path)?;
                warnings.iter().for_each(|warning| session.warn(warning));
                config
            }
        };
        let overrides = self.overrides()?;
        config.hints = self.hints || settings::legacy_hints();
        let mut digests = self.digests;
        digests.sort_by_key(|digest| *digest as u8);
        digests.dedup();
        let reference = Reference::parse(&self.image).map_err(failed)?;
        let stdin_is_taken = matches!(reference, Reference::Stdin { .. });
        let net = self.net.meant()?;
        if let Some(clamd) = self.clamd.as_ref().filter(|clamd| net.offline && !clamd.contains('/'))
        {
            let error =
                anyhow::anyhow!("`--offline` forbids the network, and clamd is at `{clamd}`");
            return Err(
                Failure::usage(error).hint("name a socket of this machine: `--clamd /run/…`")
            );
        }
        let registry = self.registry.meant(stdin_is_taken)?;
        Ok(Request {
            reference,
            options: OpenOptions {
                platform: self.platform,
                net,
                registry,
                containerd_namespace: self.containerd_namespace,
            },
            overrides,
            malware: self.malware || clamav(&config).is_some_and(|clamav| clamav.enabled),
            clamd: self.clamd,
            malware_exclude: None,
            config,
            digests,
            threads: self.threads,
            cache: self.cache,
        })
    }
}

fn clamav(config: &Config) -> Option<&ClamAv> {
    config.malware.as_ref()?.clamav.as_ref()
}

fn dockerfile(path: PathBuf) -> Result<String> {
    settings::text(&path, "Dockerfile")
        .map_err(|failure| failure.hint("leave `--dockerfile` out to have one guessed"))
}

/// Reads and analyzes the image, and hands over the analysis.
pub(super) fn with_analysis<T>(
    args: ImageArgs,
    session: &Session,
    then: impl FnOnce(&Analysis<'_>, &Identity) -> Result<T>,
) -> Result<T> {
    with_analysis_unless(args, session, |_| Ok(None), then)
}

/// The same, unless what is known before any layer is read makes that needless. `unless` is not
/// asked where the image's digest is known only after it was read.
pub(super) fn with_analysis_unless<T>(
    args: ImageArgs,
    session: &Session,
    unless: impl FnOnce(&Identity) -> Result<Option<T>>,
    then: impl FnOnce(&Analysis<'_>, &Identity) -> Result<T>,
) -> Result<T> {
    let mut request = args.meant(session)?;
    let progress = session.reporter();
    request.options.net.retry.listener = listener(&progress);
    let identity =
        |image: &Image| inscan_image::document::identity(image, request.overrides.clone());
    let opened = open(&request, &*progress)?;
    if let Opened::Image { image, .. } = &opened
        && image.manifest.is_some()
        && let Some(known) = unless(&identity(image))?
    {
        return Ok(known);
    }
    let then = |analysis: &Analysis<'_>| then(analysis, &identity(analysis.image));
    analyze(&request, progress, |_, _| Ok(opened), then)
}

/// All of the image but its layers.
pub(super) fn open(request: &Request, progress: &dyn Progress) -> Result<Opened> {
    image::open(&request.reference, &request.options, &|text| progress.note(text)).map_err(failed)
}

/// From the image's name to its analysis. `progress` is off the terminal before `then` begins.
pub(super) fn analyze<T>(
    request: &Request,
    progress: Reporter,
    open: impl FnOnce(&Request, &dyn Progress) -> Result<Opened>,
    then: impl FnOnce(&Analysis<'_>) -> Result<T>,
) -> Result<T> {
    let threads = request.threads.or_else(|| thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get);
    // Fails only where it was done before: once is enough.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    let analyzers = inscan_analyzers::all(&request.config);
    let mut pass = Pass::new(&analyzers, request.digests.clone());
    pass.malware = request.malware.then(|| scanner(request.clamd.as_deref())).transpose()?;
    pass.cache = request.cache.open(&analyzers, &request.config, &request.digests, &*progress);
    let opened = open(request, &*progress)?;
    let begun = Instant::now();
    let (image, layers) =
        read(opened, &pass, request.options.platform.as_ref(), threads, &*progress)
            .map_err(failed)?;
    let reading = begun.elapsed();
    allocator::return_freed_memory();
    progress.analysis_begins();
    let mut analysis = analyze::analyze(&image, &layers, &analyzers);
    analysis.times.take_reading(&pass.clocks, reading);
    if let Some(scanner) = &pass.malware {
        let update = clamav(&request.config).and_then(|clamav| clamav.db_update_enabled);
        analysis.take_malware(scanner, update.unwrap_or(true));
    }
    if let (Some(exclude), Some(malware)) = (&request.malware_exclude, &mut analysis.malware) {
        malware.findings.retain(|finding| !is_excluded(&finding.path, exclude));
    }
    drop(progress);
    allocator::return_freed_memory();
    then(&analysis)
}

/// As ClamAV's `--exclude` and `--exclude-dir` with one expression. What cannot be decided counts.
fn is_excluded(path: &[u8], exclude: &Pattern) -> bool {
    let path = format!("/{}", String::from_utf8_lossy(path));
    let ends = path.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).any(|part| exclude.is_match(part).unwrap_or(false))
}

pub(super) fn scanner(clamd: Option<&str>) -> Result<Scanner> {
    Scanner::find(clamd).map_err(|error| {
        Failure::broken(error).hint(
            "install and start it (`apt-get install clamav-daemon`), \
             or name where it listens: `--clamd SOCKET`",
        )
    })
}

fn read(
    opened: Opened,
    pass: &Pass<'_>,
    platform: Option<&Platform>,
    threads: usize,
    progress: &dyn Progress,
) -> anyhow::Result<(Image, Vec<LayerScan>)> {
    match opened {
        Opened::Image { mut image, blobs } => {
            let layers = layer::read_all(&image, &*blobs, pass, threads, progress)?;
            image::complete(&mut image, &layers)?;
            Ok((image, layers))
        }
        Opened::Stream(stream) => {
            let mut number = 0;
            progress.reading_begins(0, None);
            image::read_stream(stream, &mut |name, stored| {
                let this = number;
                number += 1;
                layer::read_passing(name, stored, this, pass, progress)
            })
        }
        Opened::Directory(root) => {
            let scan = layer::read_tree(&root, pass, progress)?;
            let source = format!("dir:{}", root.display());
            let image = image::directory_image(&source, platform, scan.diff_id);
            Ok((image, vec![scan]))
        }
    }
}

/// The exit code is the error's own affair: it knows whether something else has to be typed.
pub(super) fn failed(error: anyhow::Error) -> Failure {
    let kind = image::kind_of(&error);
    if let Some(not_found) = error.downcast_ref::<NotFound>() {
        let (lines, hint) = (not_found.lines(), not_found.hint());
        let failed = match kind {
            Kind::Usage | Kind::Absent => Failure::usage(error),
            Kind::Broken => Failure::broken(error),
        };
        return failed.details(lines).hint(hint);
    }
    match kind {
        Kind::Usage | Kind::Absent => Failure::usage(error)
            .hint("`inscan scan --help` shows how an image is named, with examples"),
        Kind::Broken => Failure::broken(error),
    }
}

/// Who tells the user how far it is.
pub(super) type Reporter = Arc<dyn Progress + Send + Sync>;

/// What the network waits for is told by the reporter, as long as it is there.
pub(super) fn listener(reporter: &Reporter) -> Listener {
    let reporter = Arc::downgrade(reporter);
    Listener::new(move |text| {
        if let Some(reporter) = reporter.upgrade() {
            reporter.note(text);
        }
    })
}

impl Session {
    pub(super) fn reporter(&self) -> Reporter {
        match self.progress {
            _ if self.quiet => Arc::new(Silent),
            ProgressStyle::None => Arc::new(Silent),
            ProgressStyle::Auto if progress::on_terminal() => Arc::new(Bars::new()),
            ProgressStyle::Auto | ProgressStyle::Plain => Arc::new(Lines::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_excluded_with_all_below_it() {
        let is_excluded = |path: &str, pattern: &str| {
            super::is_excluded(path.as_bytes(), &Pattern::new(pattern).unwrap())
        };
        assert!(is_excluded("opt/test/a", "^/opt/test$"));
        assert!(is_excluded("opt/test/a.bin", "\\.bin$"));
        assert!(is_excluded("opt/testing/a", "/opt/test"));
        assert!(!is_excluded("opt/testing/a", "^/opt/test$"));
        assert!(!is_excluded("usr/bin/a", "^/opt"));
    }
}
