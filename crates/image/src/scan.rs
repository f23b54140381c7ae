//! The use case of this crate: from what was asked for to the analysis of an image.
//!
//! Nothing here prints, ends the process or changes a setting of it; two scans may run at
//! the same time.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use inscan_analyzers::problem::UNREADABLE;
use inscan_analyzers::{Analyzer, Config, Hides, Part, Problem};
use inscan_document::{Identity, LegacyPart, Overrides, Run, Section};
use inscan_facts::digest::MoreDigests;
use inscan_facts::error::{Coded, Kind};
use self_cell::self_cell;

use crate::allocator;
use crate::analyze::{Analysis, FoundMalware, analyze_with};
use crate::budget::{Budget, Factor};
use crate::document;
use crate::flatten::ImageFs;
use crate::layer::{self, Cache, CacheKey, LayerScan, Pass, Passed};
use crate::malware::Scanner;
use crate::names::{self, Extra};
use crate::progress::Progress;
use crate::source::{self, Blobs, Image, NotFound, OpenOptions, Opened, Reference};
use crate::threads::Threads;

/// What to scan, and how. The default is everything that needs nothing installed, without a
/// layer cache.
#[derive(Debug)]
pub struct Request {
    /// Where the image is.
    pub reference: Reference,
    pub options: OpenOptions,
    /// What the image is called in the document, where that is not taken from the image.
    pub overrides: Overrides,
    /// What the analyzers look for.
    pub config: Config,
    /// Digests of every file beside md5, sha1 and sha256.
    pub digests: Vec<MoreDigests>,
    /// As many as there are cores, where none is said.
    pub threads: Option<NonZeroUsize>,
    pub malware: Option<Malware>,
    /// Parts beside the packages that are not made: they cost no time then, and are not in the
    /// document.
    pub left_out: Vec<Part>,
    /// Where layers that were read before are kept.
    pub cache: Option<CacheRequest>,
    /// Of a root file system, leave out what is mounted in it.
    pub one_file_system: bool,
    /// How much an image may ask for.
    pub budget: Factor,
}

/// To have every file looked at by clamd.
#[derive(Clone, Debug, Default)]
pub struct Malware {
    /// A socket, or HOST:PORT; without it, where Debian has it.
    pub clamd: Option<String>,
}

/// A layer cache.
#[derive(Clone, Debug)]
pub struct CacheRequest {
    /// Need not be there.
    pub directory: PathBuf,
    /// In bytes.
    pub limit: u64,
    /// What entries are sealed with: only those that have its seal are believed.
    pub key: CacheKey,
}

/// Threads wait for bytes as well: a few more than cores may help, many more only cost memory.
const THREADS_A_CORE: usize = 4;

impl Request {
    /// Of an image by its name alone.
    pub fn new(reference: Reference) -> Self {
        Request {
            reference,
            options: OpenOptions::default(),
            overrides: Overrides::default(),
            config: Config::default(),
            digests: Vec::new(),
            threads: None,
            malware: None,
            left_out: Vec::new(),
            cache: None,
            one_file_system: false,
            budget: Factor::default(),
        }
    }

    /// Whatever is asked for, no more than the machine can use: more would only wait for it.
    fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or(cores, NonZeroUsize::get).min(THREADS_A_CORE * cores.max(2))
    }
}

/// Why there is no analysis. Its text is the whole chain of causes.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub struct ScanError {
    error: anyhow::Error,
    code: Option<&'static str>,
    hint: Option<String>,
}

/// The code of what failed while bytes were read.
fn code_of_read(error: &anyhow::Error) -> Option<&'static str> {
    if error.chain().any(|cause| cause.is::<inscan_tar::Error>()) {
        return Some("image-damaged");
    }
    let error = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>())?;
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Some("image-damaged"),
        io::ErrorKind::InvalidInput => Some("image-damaged"),
        io::ErrorKind::NotFound => Some("image-incomplete"),
        io::ErrorKind::PermissionDenied => Some("permission-denied"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("no-space-left"),
        io::ErrorKind::Unsupported => Some("not-supported"),
        _ => None,
    }
}

impl Coded for ScanError {
    fn code(&self) -> &'static str {
        match (self.code, self.kind()) {
            (Some(code), _) => code,
            (None, _) if self.error.is::<NotFound>() => "image-not-found",
            (None, kind) => inscan_facts::error::Error::code_of(&self.error)
                .or_else(|| inscan_net::Error::code_in(&self.error))
                .or_else(|| code_of_read(&self.error))
                .unwrap_or(match kind {
                    Kind::Usage => "wrong-image-name",
                    Kind::Absent => "image-not-found",
                    Kind::Broken => "image-unreadable",
                }),
        }
    }

    fn kind(&self) -> Kind {
        source::kind_of(&self.error)
    }

    fn details(&self) -> Vec<String> {
        self.error.downcast_ref::<NotFound>().map(NotFound::lines).unwrap_or_default()
    }

    fn hint(&self) -> Option<String> {
        let names = || match self.kind() {
            Kind::Usage | Kind::Absent => {
                Some("`inscan scan --help` shows how an image is named, with examples".to_owned())
            }
            Kind::Broken => None,
        };
        let not_found = self.error.downcast_ref::<NotFound>().map(NotFound::hint);
        self.hint.clone().or(not_found).or_else(names)
    }
}

impl From<anyhow::Error> for ScanError {
    fn from(error: anyhow::Error) -> Self {
        ScanError { error, code: None, hint: None }
    }
}

/// What an analysis is made from, and lives as long as.
struct Read {
    image: Image,
    layers: Vec<LayerScan>,
    analyzers: Arc<Vec<Box<dyn Analyzer>>>,
}

self_cell!(
    struct Analyzed {
        owner: Read,
        #[covariant]
        dependent: Analysis,
    }
);

/// An image that was scanned.
pub struct Scan {
    analyzed: Analyzed,
    identity: Identity,
}

impl Scan {
    /// All that is known about the image.
    pub fn analysis(&self) -> &Analysis<'_> {
        self.analyzed.borrow_dependent()
    }

    /// What it is called.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Calls the image something else from now on.
    pub fn set_identity(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// Writes the analysis document, with a line feed at its end.
    ///
    /// # Errors
    /// Where `to` fails.
    pub fn write_document(&self, run: &Run, to: impl Write) -> io::Result<()> {
        document::write(self.analysis(), &self.identity, run, to)
    }

    /// Our own part of the document, without the files that are no package.
    pub fn section(&self, run: &Run) -> Section {
        document::section(self.analysis(), &self.identity, run)
    }

    /// The legacy part of the document, without its text.
    pub fn legacy_part(&self) -> impl LegacyPart {
        document::Outputs::of(self.analysis(), &self.identity)
    }

    /// Leaves out malware in these paths, which are without a leading slash.
    pub fn exclude_malware(&mut self, is_excluded: impl Fn(&[u8]) -> bool) {
        let counts = |found: &FoundMalware| !is_excluded(&found.path);
        self.analyzed.with_dependent_mut(|_, analysis| {
            if let Some(malware) = &mut analysis.malware {
                malware.findings.retain(counts);
            }
        });
    }
}

/// Scans an image: opens it, reads its layers, flattens them and runs the analyzers.
///
/// # Errors
/// Where the image cannot be found, read or verified, or where a part that was asked for (clamd,
/// threads) is not there. What only concerns one file is a problem in the analysis.
pub fn scan(request: &Request, progress: &dyn Progress) -> Result<Scan, ScanError> {
    read(request, open(request, progress)?, progress)
}

/// All of the image but its layers.
///
/// # Errors
/// Where the image cannot be found, or what describes it cannot be read or verified.
pub fn open(request: &Request, progress: &dyn Progress) -> Result<Opened, ScanError> {
    Ok(source::open(&request.reference, &request.options, progress)?)
}

/// What an opened image is called, as far as that is known before its layers are read.
pub fn identity(request: &Request, image: &Image) -> Identity {
    document::identity(image, request.overrides.clone())
}

/// From an opened image to its analysis.
///
/// # Errors
/// As [`scan`].
pub fn read(request: &Request, opened: Opened, progress: &dyn Progress) -> Result<Scan, ScanError> {
    let count = request.threads();
    let threads = threads(count)?;
    let mut analyzers = inscan_analyzers::all(&request.config);
    analyzers.retain(|analyzer| !request.left_out.contains(&analyzer.part()));
    let analyzers = Arc::new(analyzers);
    let mut pass = Pass::new(&analyzers, request.digests.clone());
    pass.hashes_all = !request.left_out.contains(&Part::Files);
    pass.threads = threads.clone();
    pass.budget = Arc::new(Budget::new(request.budget));
    pass.malware = request.malware.as_ref().map(scanner).transpose()?;
    pass.cache = cache(request, &analyzers, progress);
    let begun = Instant::now();
    let Layers { image, layers, origin } = layers(opened, &pass, request, count, progress)?;
    let reading = begun.elapsed();
    allocator::return_freed_memory();
    progress.analysis_begins();
    let identity = identity(request, &image);
    let read = Read { image, layers, analyzers: Arc::clone(&analyzers) };
    let analyzed = Analyzed::try_new(read, |read| -> anyhow::Result<_> {
        let look_again = |fs: &ImageFs<'_>| origin.look_again(&pass, &read.image, fs);
        let (image, layers, room) = (&read.image, &read.layers, &pass.budget.room);
        let mut analysis =
            threads.run(|| analyze_with(image, layers, &read.analyzers, room, look_again));
        pass.budget.check_room()?;
        analysis.threads = threads.clone();
        analysis.left_out.clone_from(&request.left_out);
        analysis.times.take_reading(&pass.clocks, reading);
        if let Some(scanner) = &pass.malware {
            let update = request.config.clamav().and_then(|clamav| clamav.db_update_enabled);
            analysis.take_malware(scanner, update.unwrap_or(true));
        }
        Ok(analysis)
    })?;
    allocator::return_freed_memory();
    Ok(Scan { analyzed, identity })
}

fn threads(count: usize) -> Result<Threads, ScanError> {
    Threads::new(count).map_err(|error| {
        let message = format!("cannot start {count} threads");
        ScanError {
            error: anyhow::Error::new(error).context(message),
            code: Some("no-threads"),
            hint: Some("`--threads N` starts fewer".to_owned()),
        }
    })
}

/// The running clamd.
///
/// # Errors
/// Where nothing answers at its place.
pub fn scanner(malware: &Malware) -> Result<Scanner, ScanError> {
    Scanner::find(malware.clamd.as_deref()).map_err(|error| ScanError {
        error,
        code: Some("clamd-not-reachable"),
        hint: Some(
            "install and start it (`apt-get install clamav-daemon`), \
             or name where it listens: `--clamd SOCKET`"
                .to_owned(),
        ),
    })
}

/// A cache that cannot be used is said, and done without.
fn cache(
    request: &Request,
    analyzers: &[Box<dyn Analyzer>],
    progress: &dyn Progress,
) -> Option<Cache> {
    let CacheRequest { directory, limit, key } = request.cache.as_ref()?;
    Cache::open(directory, *limit, key.clone(), analyzers, &request.config, &request.digests)
        .inspect_err(|error| {
            let directory = directory.display();
            progress.note(&format!("the layer cache in `{directory}` is not used: {error}"));
        })
        .ok()
}

struct Layers {
    image: Image,
    layers: Vec<LayerScan>,
    origin: Origin,
}

fn layers(
    opened: Opened,
    pass: &Pass<'_>,
    request: &Request,
    threads: usize,
    progress: &dyn Progress,
) -> anyhow::Result<Layers> {
    match opened {
        Opened::Image { mut image, blobs } => {
            let layers = layer::read_all(&image, &*blobs, pass, threads, progress)?;
            source::complete(&mut image, &layers)?;
            Ok(Layers { image, layers, origin: Origin::Blobs(blobs) })
        }
        Opened::Stream(stream) => {
            let mut number = 0;
            let mut passed = Passed::default();
            progress.reading_begins(0, None);
            let (image, layers) =
                source::read_stream(stream, &pass.budget, &mut |name, layer, stored| {
                    let this = number;
                    number += 1;
                    let mut layer = passed.by(layer);
                    let scan = layer::read_passing(name, &mut layer, this, pass, stored, progress)?;
                    layer.end(scan.blob_digest);
                    Ok(scan)
                })?;
            Ok(Layers { image, layers, origin: Origin::Passed(passed) })
        }
        Opened::Directory(root) => {
            let one_file_system = request.one_file_system;
            let scan = layer::read_tree(&root, pass, one_file_system, progress)?;
            let source = format!("dir:{}", root.display());
            let platform = request.options.platform.as_ref();
            let image = source::directory_image(&source, platform, scan.diff_id);
            Ok(Layers { image, layers: vec![scan], origin: Origin::Tree { root, one_file_system } })
        }
    }
}

/// Where layers can be looked into once more.
enum Origin {
    Blobs(Box<dyn Blobs>),
    Tree {
        root: PathBuf,
        one_file_system: bool,
    },
    /// It passed by.
    Passed(Passed),
}

impl Origin {
    /// Has analyzers look at what is wanted by other names than that of its entry.
    fn look_again(&self, pass: &Pass<'_>, image: &Image, fs: &ImageFs<'_>) -> Extra {
        let requests = names::requests(fs, &pass.matcher, pass.analyzers);
        if requests.is_empty() && requests.problems.is_empty() {
            return Extra::default();
        }
        let layers = fs.layers();
        let mut read = BTreeMap::new();
        let mut problems = Vec::new();
        for (layer, wanted) in requests.to_read(layers, &pass.matcher) {
            let number = layer as usize;
            let first = wanted.values().flatten().map(|(name, _)| name.clone()).next();
            match self.read_again(pass, image, number, &layers[number], &wanted) {
                Ok(found) => drop(read.insert(layer, found)),
                Err(error) => {
                    let names = wanted.len();
                    let message = format!(
                        "{names} files have names that analyzers want, and could not be read again by these: {error:#}"
                    );
                    let problem = Problem::new(first.map(Into::into), message);
                    problems.push(problem.hiding(Hides::Packages, UNREADABLE));
                }
            }
        }
        let mut extra = requests.answered(read);
        extra.problems.extend(problems);
        extra
    }

    fn read_again(
        &self,
        pass: &Pass<'_>,
        image: &Image,
        number: usize,
        scan: &LayerScan,
        wanted: &layer::Names,
    ) -> anyhow::Result<BTreeMap<u32, layer::Again>> {
        match self {
            Origin::Blobs(blobs) => {
                let layer = image.layers.get(number).context("there is no such layer")?;
                layer::read_again(pass, blobs.open(layer)?, scan, wanted)
            }
            Origin::Tree { root, one_file_system } => {
                layer::read_tree_again(root, pass, scan, wanted, *one_file_system)
            }
            Origin::Passed(passed) => {
                let layer = passed.open(scan.blob_digest).context(
                    "the image passed by, and there was no room to put it aside: set TMPDIR to a directory that has it, or save the image to a file and scan that (`docker save app -o app.tar`)",
                )?;
                layer::read_again(pass, Box::new(layer), scan, wanted)
            }
        }
    }
}
