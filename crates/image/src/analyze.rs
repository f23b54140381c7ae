//! Runs the analyzers over the flattened image, and stamps what they find.

mod configuration;
mod join;
mod origin;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bstr::BString;
use inscan_analyzers::problem::{BY_CHANCE, DEFECT, MALFORMED, OVER_LIMIT};
use inscan_analyzers::{
    Analyzer, Distribution, Error, Fact, Facts, FileInfo, FileKind, Files, Hides, Legacy, Package,
    Part, Problem, Role, Room, Secret,
};
use rayon::prelude::*;

use crate::flatten::{At, File, ImageFs, flatten_with};
use crate::layer::{EntryKind, LayerScan};
use crate::malware::Scanner;
use crate::names::Extra;
use crate::source::{Image, ImageConfig};
use crate::threads::Threads;
use crate::timings::Times;
use inscan_facts::error::shown;

/// All that is known about an image: what the document is written from.
pub struct Analysis<'a> {
    pub image: &'a Image,
    /// The image's configuration; what is wrong with it is in its `problems`.
    pub config: ImageConfig,
    /// The configuration as it is shown: what is known to be a secret in it is masked.
    pub shown: ImageConfig,
    pub layers: &'a [LayerScan],
    pub fs: ImageFs<'a>,
    /// The analyzers that ran; facts of a layer name them by position.
    pub analyzers: &'a [Box<dyn Analyzer>],
    /// Parts that were not made, sorted.
    pub left_out: Vec<Part>,
    pub distribution: Option<Distribution>,
    /// Sorted by kind, name, version, location.
    pub packages: Vec<FoundPackage<'a>>,
    /// Secrets of all layers, also of files that later layers replace or delete.
    pub secrets: Vec<FoundSecret>,
    /// `None`: nobody looked for any.
    pub malware: Option<Malware>,
    /// Values for the legacy part, in the order of the analyzers.
    pub legacy: Vec<Cow<'a, Legacy>>,
    pub problems: Vec<FoundProblem>,
    pub skipped: Vec<FoundSkip>,
    /// Something failed on our side, such as a temporary file: the next run may find more.
    pub by_chance: Option<String>,
    /// About this run alone.
    pub times: Times,
    /// Who makes the rows of the document.
    pub threads: Threads,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPackage<'a> {
    pub analyzer: &'static str,
    /// The layer that brought it: position in `layers`.
    pub layer: Option<usize>,
    /// Its place among what `analyze` stated: the order of a package database.
    pub order: usize,
    /// Borrowed from the layer where `inspect` stated it.
    pub package: Cow<'a, Box<Package>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSecret {
    pub analyzer: &'static str,
    pub layer: Option<usize>,
    /// `None`: in the image's configuration.
    pub path: Option<Vec<u8>>,
    /// False: a later layer replaces or deletes the file; it can still be taken from the image.
    pub visible: bool,
    /// The published package whose file it is in: everyone can have it.
    pub origin: Option<String>,
    pub secret: Secret,
}

/// What a malware scanner found, and which it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malware {
    pub version: String,
    /// Version of the daily database, where there is one.
    pub daily: Option<String>,
    /// What the configuration says of it; inscan itself updates no database.
    pub db_update_enabled: bool,
    /// Sorted by path. Of all layers, also in files that later layers replace or delete.
    pub findings: Vec<FoundMalware>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundMalware {
    pub path: Vec<u8>,
    pub layer: usize,
    pub visible: bool,
    pub signature: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundProblem {
    pub analyzer: Option<&'static str>,
    pub layer: Option<usize>,
    pub path: Option<Vec<u8>>,
    pub message: String,
    /// See [`Problem`].
    pub code: Cow<'static, str>,
    pub hides: Hides,
}

/// A file that an analyzer wanted and did not get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundSkip {
    pub analyzer: &'static str,
    pub layer: usize,
    pub path: Vec<u8>,
    pub reason: String,
    /// As of a problem.
    pub code: Cow<'static, str>,
    pub hides: Hides,
}

impl FoundProblem {
    /// A problem of a layer as a whole, where it has no path.
    fn of(analyzer: Option<&'static str>, layer: Option<usize>, problem: Problem) -> Self {
        let Problem { path, code, hides, message } = problem;
        FoundProblem { analyzer, layer, path: path.map(Vec::from), message, code, hides }
    }
}

/// Flattens the layers and runs every analyzer, without what only other names tell.
pub fn analyze<'a>(
    image: &'a Image,
    layers: &'a [LayerScan],
    analyzers: &'a [Box<dyn Analyzer>],
) -> Analysis<'a> {
    analyze_with(image, layers, analyzers, &Room::of(u64::MAX, u64::MAX), |_| Extra::default())
}

/// Flattens the layers, asks for what is known of contents by the names they have then, and runs
/// every analyzer. Where there is no room for all that is found, something is missing.
pub fn analyze_with<'a>(
    image: &'a Image,
    layers: &'a [LayerScan],
    analyzers: &'a [Box<dyn Analyzer>],
    room: &Room,
    extra: impl FnOnce(&ImageFs<'a>) -> Extra,
) -> Analysis<'a> {
    let begun = Instant::now();
    let mut history = DatabaseHistory::new(analyzers, layers, room);
    let fs = flatten_with(layers, |number, fs| history.record(number, fs));
    let extra = extra(&fs);
    let mut times = Times { analyze: history.times.clone(), ..Times::default() };
    let flattened = begun.elapsed();
    times.flattening = flattened.saturating_sub(times.analyze.iter().sum());
    let visible = Visible::of(&fs, &extra);
    let by_chance = Mutex::new(extra.by_chance.clone());
    let found: Vec<(Facts, Duration)> = (0..analyzers.len())
        .into_par_iter()
        .map(|number| {
            let begun = Instant::now();
            let view = View::new(&fs, number as u16, &visible, &extra, room, &by_chance);
            (run(&*analyzers[number], &view, room), begun.elapsed())
        })
        .collect();

    let config = ImageConfig::read(&image.config);
    let mut analysis = Analysis {
        image,
        shown: configuration::masked(&config),
        config,
        layers,
        fs,
        analyzers,
        left_out: Vec::new(),
        distribution: None,
        packages: Vec::new(),
        secrets: Vec::new(),
        malware: None,
        legacy: Vec::new(),
        problems: Vec::new(),
        skipped: Vec::new(),
        by_chance: by_chance.into_inner().unwrap_or_else(PoisonError::into_inner),
        times,
        threads: Threads::default(),
    };
    analysis.collect_problems_of_layers();
    analysis.collect_problems_of_names(&extra);
    let mut later = Later::default();
    for (number, (facts, time)) in found.into_iter().enumerate() {
        analysis.times.analyze[number] += time;
        analysis.take_found(number, facts, &history, &mut later);
    }
    analysis.problems.extend(history.problems());
    analysis.take_files(&visible, &extra);
    analysis.revise(&later);
    analysis.join();
    analysis.sort();
    analysis.times.analyzing = begun.elapsed().saturating_sub(analysis.times.flattening);
    analysis
}

/// What `analyze` adds to what `inspect` stated, by analyzer and path.
#[derive(Default)]
struct Later {
    roles: HashMap<(&'static str, BString), Role>,
    revised: HashMap<(&'static str, BString), Vec<(Package, Package)>>,
}

/// Runs one analyzer over the image; a panic in it is a problem, not the end.
fn run(analyzer: &dyn Analyzer, view: &View<'_, '_>, room: &Room) -> Facts {
    let mut facts = Facts::within(room);
    let outcome = catch_unwind(AssertUnwindSafe(|| analyzer.analyze(view, &mut facts)));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            facts.problems.push(Problem::new(None, error).hiding(analyzer.hides(), MALFORMED));
        }
        Err(_) => {
            let message = "the analyzer failed (a defect of inscan: please report it)";
            facts.problems.push(Problem::new(None, message).hiding(analyzer.hides(), DEFECT));
        }
    }
    facts.settle();
    facts
}

impl<'a> Analysis<'a> {
    /// Takes from the layers what this scanner found while they were read.
    pub fn take_malware(&mut self, scanner: &Scanner, db_update_enabled: bool) {
        let mut findings = Vec::new();
        let mut shown = HashSet::new();
        self.fs.walk(|path, file| {
            let Some((at, _)) = file.content else { return };
            if let Some(signature) = self.layers[at.layer as usize].malware.get(&at.entry) {
                shown.insert(at);
                let (path, layer, signature) =
                    (path.to_vec(), at.layer as usize, signature.clone());
                findings.push(FoundMalware { path, layer, visible: true, signature });
            }
        });
        for (layer, scan) in self.layers.iter().enumerate() {
            let hidden = scan
                .malware
                .iter()
                .filter(|(entry, _)| !shown.contains(&At { layer: layer as u32, entry: **entry }));
            findings.extend(hidden.map(|(entry, signature)| FoundMalware {
                path: scan.path(&scan.entries[*entry as usize]).to_vec(),
                layer,
                visible: false,
                signature: signature.clone(),
            }));
        }
        findings.sort();
        let (version, daily) = (scanner.version.clone(), scanner.daily().map(str::to_owned));
        self.malware = Some(Malware { version, daily, db_update_enabled, findings });
    }

    fn collect_problems_of_layers(&mut self) {
        for (layer, scan) in self.layers.iter().enumerate() {
            let of_blob = scan.blob_remark.iter().map(|remark| Problem::new(None, remark));
            let problems = scan.problems.iter().cloned().chain(of_blob);
            let found = problems.map(|problem| FoundProblem::of(None, Some(layer), problem));
            self.problems.extend(found);
            for skipped in &scan.skipped {
                let Some(entry) = scan.entries.get(skipped.entry as usize) else { continue };
                let analyzer = &self.analyzers[usize::from(skipped.analyzer)];
                self.skipped.push(FoundSkip {
                    analyzer: analyzer.name(),
                    layer,
                    path: scan.path(entry).to_vec(),
                    reason: skipped.reason.clone(),
                    code: skipped.code.clone(),
                    hides: analyzer.hides(),
                });
            }
        }
        let is_by_chance = |scan: &&LayerScan| scan.is_by_chance && self.by_chance.is_none();
        if let Some(scan) = self.layers.iter().find(is_by_chance) {
            let of_chance = scan.skipped.iter().find(|skipped| skipped.code == BY_CHANCE);
            let reason = of_chance.map(|skipped| skipped.reason.clone());
            self.by_chance =
                Some(reason.unwrap_or_else(|| "content could not be read back".into()));
        }
        let problems = self.fs.problems().iter();
        let found = problems.map(|(layer, one)| FoundProblem::of(None, Some(*layer), one.clone()));
        self.problems.extend(found);
    }

    fn collect_problems_of_names(&mut self, extra: &Extra) {
        let problems = extra.problems.iter().cloned();
        self.problems.extend(problems.map(|problem| FoundProblem::of(None, None, problem)));
        for (at, more) in &extra.by_content {
            let scan = &self.layers[at.layer as usize];
            for skipped in &more.again.skipped {
                let analyzer = &self.analyzers[usize::from(skipped.analyzer)];
                self.skipped.push(FoundSkip {
                    analyzer: analyzer.name(),
                    layer: at.layer as usize,
                    path: scan.path(&scan.entries[at.entry as usize]).to_vec(),
                    reason: skipped.reason.clone(),
                    code: skipped.code.clone(),
                    hides: analyzer.hides(),
                });
            }
        }
    }

    /// What an analyzer's `analyze` said.
    fn take_found(
        &mut self,
        number: usize,
        facts: Facts,
        history: &DatabaseHistory<'_>,
        later: &mut Later,
    ) {
        let analyzer = self.analyzers[number].name();
        for problem in facts.problems {
            let layer = problem.path.as_deref().and_then(|path| self.layer_of(path));
            self.problems.push(FoundProblem::of(Some(analyzer), layer, problem));
        }
        for (order, fact) in facts.facts.into_iter().enumerate() {
            match fact {
                Fact::Package(package) => {
                    let layer = match history.layer(number, &package) {
                        Brought::By(layer) => Some(layer),
                        Brought::Open => None,
                        Brought::WithItsFile => self.layer_of(&package.location),
                    };
                    let package = Cow::Owned(package);
                    self.packages.push(FoundPackage { analyzer, layer, order, package });
                }
                Fact::Distribution(distribution) => self.distribution = Some(distribution),
                Fact::Legacy(legacy) => self.legacy.push(Cow::Owned(legacy)),
                Fact::Secret(secret) => self.secrets.push(FoundSecret {
                    analyzer,
                    layer: None,
                    path: None,
                    visible: true,
                    origin: None,
                    secret,
                }),
                Fact::Role(path, role) => drop(later.roles.insert((analyzer, path), role)),
                Fact::Revised(both) => {
                    let place = (analyzer, both.0.location.clone());
                    later.revised.entry(place).or_default().push(*both);
                }
                Fact::Licenses(_) | Fact::Match(_) => {}
            }
        }
    }

    /// What `inspect` said of each file: of all files for secrets, else of the visible ones.
    fn take_files(&mut self, visible: &Visible, extra: &Extra) {
        for (at, more) in &extra.by_content {
            let layer = at.layer as usize;
            let scan = &self.layers[layer];
            let names = visible.names.get(at);
            let path = scan.path(&scan.entries[at.entry as usize]);
            let path = names.and_then(|names| names.first()).map_or(path, |name| name);
            for (analyzer, facts) in &more.again.facts {
                let analyzer = self.analyzers[usize::from(*analyzer)].name();
                let found = FromFile { analyzer, layer, path, visible: true };
                let packages = facts.packages().map(|package| FoundPackage {
                    analyzer,
                    layer: Some(layer),
                    order: 0,
                    package: Cow::Owned(Box::new(package.clone())),
                });
                self.packages.extend(packages);
                self.legacy.extend(facts.facts.iter().filter_map(|fact| match fact {
                    Fact::Legacy(value) => Some(Cow::Owned(value.clone())),
                    _ => None,
                }));
                found.problems(facts, &mut self.problems);
            }
        }
        let layers: &'a [LayerScan] = self.layers;
        for (layer, scan) in layers.iter().enumerate() {
            for (&entry, facts) in &scan.facts {
                let at = At { layer: layer as u32, entry };
                let entry = &scan.entries[entry as usize];
                let shown = visible.names.get(&at);
                let path =
                    shown.and_then(|names| names.first()).map_or(scan.path(entry), |name| name);
                for (analyzer, facts) in facts {
                    let analyzer = self.analyzers[usize::from(*analyzer)].name();
                    let found = FromFile { analyzer, layer, path, visible: shown.is_some() };
                    found.put(
                        facts,
                        &mut self.packages,
                        &mut self.secrets,
                        &mut self.legacy,
                        &mut self.problems,
                    );
                }
            }
        }
    }

    /// What a package's own file states of its role stands above what its surroundings tell.
    fn revise(&mut self, later: &Later) {
        if later.roles.is_empty() && later.revised.is_empty() {
            return;
        }
        for found in &mut self.packages {
            let place = (found.analyzer, found.package.location.clone());
            let revised = later.revised.get(&place).into_iter().flatten();
            if let Some((_, by)) = revised.into_iter().find(|(it, _)| *it == **found.package) {
                found.package = Cow::Owned(Box::new(by.clone()));
            }
            if let (None, Some(role)) = (found.package.role, later.roles.get(&place)) {
                found.package.to_mut().role = Some(*role);
            }
        }
    }

    fn sort(&mut self) {
        let key = |found: &FoundPackage<'_>| {
            let Package { kind, name, version, location, .. } = &**found.package;
            (kind.clone(), name.clone(), version.clone(), location.clone())
        };
        self.packages.sort_by_cached_key(key);
        self.secrets.sort_by_cached_key(|found| {
            let Secret { line, column, rule, .. } = &found.secret;
            (found.path.clone(), found.layer, *line, *column, rule.clone())
        });
        self.problems.sort();
        self.skipped.sort();
    }

    fn layer_of(&self, location: &[u8]) -> Option<usize> {
        // A nested archive's location is `outer.jar:inner.jar`.
        let outer = location.split(|&byte| byte == b':').next().unwrap_or_default();
        let file = self.fs.resolve(location).or_else(|| self.fs.resolve(outer))?;
        file.content.or(file.own).map(|(at, _)| at.layer as usize)
    }
}

/// Stamps for the facts of one file.
struct FromFile<'a> {
    analyzer: &'static str,
    layer: usize,
    path: &'a [u8],
    visible: bool,
}

impl FromFile<'_> {
    fn put<'a>(
        &self,
        facts: &'a Facts,
        packages: &mut Vec<FoundPackage<'a>>,
        secrets: &mut Vec<FoundSecret>,
        legacy: &mut Vec<Cow<'a, Legacy>>,
        problems: &mut Vec<FoundProblem>,
    ) {
        let FromFile { analyzer, layer, path, visible } = *self;
        for fact in &facts.facts {
            match fact {
                Fact::Secret(secret) => secrets.push(FoundSecret {
                    analyzer,
                    layer: Some(layer),
                    path: Some(path.to_vec()),
                    visible,
                    origin: None,
                    secret: secret.clone(),
                }),
                Fact::Package(package) if visible => packages.push(FoundPackage {
                    analyzer,
                    layer: Some(layer),
                    order: 0,
                    package: Cow::Borrowed(package),
                }),
                Fact::Legacy(value) if visible => legacy.push(Cow::Borrowed(value)),
                _ => {}
            }
        }
        self.problems(facts, problems);
    }

    fn problems(&self, facts: &Facts, problems: &mut Vec<FoundProblem>) {
        let FromFile { analyzer, layer, path, visible } = *self;
        problems.extend(facts.problems.iter().filter(|_| visible).map(|problem| {
            let at = Some(problem.path.clone().unwrap_or_else(|| path.into()));
            let problem = Problem { path: at, ..problem.clone() };
            FoundProblem::of(Some(analyzer), Some(layer), problem)
        }));
    }
}

/// Room for the one name that nearly every file has.
fn one() -> Vec<Vec<u8>> {
    Vec::with_capacity(1)
}

/// The entries with facts or wants that can be seen in the flattened image, with their names there.
struct Visible {
    names: BTreeMap<At, Vec<Vec<u8>>>,
}

impl Visible {
    fn of(fs: &ImageFs<'_>, extra: &Extra) -> Self {
        let mut names: BTreeMap<At, Vec<Vec<u8>>> = BTreeMap::new();
        fs.walk(|path, file| {
            if let Some((at, _)) = file.content {
                let scan = &fs.layers()[at.layer as usize];
                if scan.facts.contains_key(&at.entry)
                    || scan.wanted.contains_key(&at.entry)
                    || extra.by_content.contains_key(&at)
                {
                    names.entry(at).or_insert_with(one).push(path.to_vec());
                }
            }
        });
        Visible { names }
    }

    /// The visible regular files an analyzer wants, in path order.
    fn wanted(&self, fs: &ImageFs<'_>, extra: &Extra, analyzer: u16) -> Vec<FileInfo> {
        let mut found = Vec::new();
        for (at, names) in &self.names {
            if !extra.wants(fs.layers(), *at, analyzer) {
                continue;
            }
            found.extend(names.iter().filter_map(|name| Some(info(fs, &fs.find(name)?))));
            let aliases = extra.by_content.get(at).into_iter().flat_map(|more| &more.aliases);
            found.extend(aliases.filter_map(|alias| {
                let file = info(fs, &fs.resolve(alias)?);
                Some(FileInfo { path: alias.as_slice().into(), ..file })
            }));
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }
}

/// Which layer brought each package of a database that several layers wrote to:
/// the analyzer is run on the image as it was after each of them.
struct DatabaseHistory<'a> {
    analyzers: &'a [Box<dyn Analyzer>],
    databases: BTreeMap<usize, History>,
    /// Bytes that one state may take.
    most: u64,
    /// What that took, by analyzer.
    times: Vec<Duration>,
}

#[derive(Default)]
struct History {
    /// Files of the database that several layers wrote.
    several: HashSet<Vec<u8>>,
    /// Packages that are there now, by identity, each with the layer since which it is.
    since: HashMap<u64, usize>,
    /// Bytes that were read.
    read: u64,
    is_given_up: bool,
}

/// Which layer a package is from.
enum Brought {
    By(usize),
    /// The one that wrote its file, which is the only one.
    WithItsFile,
    /// Nobody knows: it would take too long to tell.
    Open,
}

/// Bytes of databases that are read to know which layer brought what, for each analyzer: as much
/// as its database has, this many times, within these bounds.
const MAX_TIMES: u64 = 16;
const MIN_HISTORY: u64 = 16 << 20;
const MAX_HISTORY: u64 = 256 << 20;
/// Bytes that the packages of one state take in memory, where the image has as much left.
const MAX_STATE: u64 = 128 << 20;

impl<'a> DatabaseHistory<'a> {
    fn new(analyzers: &'a [Box<dyn Analyzer>], layers: &[LayerScan], room: &Room) -> Self {
        let databases = analyzers.iter().enumerate().filter(|(_, analyzer)| analyzer.is_database());
        let history = |number: usize| History {
            several: written_by_several(layers, number as u16),
            ..History::default()
        };
        let databases = databases.map(|(number, _)| (number, history(number))).collect();
        let most = room.left().min(MAX_STATE);
        DatabaseHistory { analyzers, databases, most, times: vec![Duration::ZERO; analyzers.len()] }
    }

    fn record(&mut self, layer: usize, fs: &ImageFs<'_>) {
        let scan = &fs.layers()[layer];
        for (&number, history) in &mut self.databases {
            let analyzer = number as u16;
            let is_changed = !history.is_given_up
                && wanted_paths(scan, analyzer).any(|path| history.several.contains(path));
            // The last state is what `analyze` finds anyway, but not known to be the last yet.
            if !is_changed {
                continue;
            }
            let begun = Instant::now();
            let visible = Visible { names: wanted_names(fs, analyzer) };
            let size = |at: &At| fs.layers()[at.layer as usize].entries[at.entry as usize].size;
            let sizes = visible.names.iter().map(|(at, names)| size(at) * names.len() as u64);
            let size = sizes.sum::<u64>();
            history.read += size;
            let most = size.saturating_mul(MAX_TIMES).clamp(MIN_HISTORY, MAX_HISTORY);
            history.is_given_up = history.read > most;
            if history.is_given_up {
                continue;
            }
            let (extra, by_chance) = (Extra::default(), Mutex::default());
            // What is found is let go again.
            let room = Room::of(self.most, 0);
            let view = View::new(fs, analyzer, &visible, &extra, &room, &by_chance);
            let facts = run(&*self.analyzers[number], &view, &room);
            if room.is_full() {
                history.is_given_up = true;
                continue;
            }
            let since = |id: u64| (id, history.since.get(&id).copied().unwrap_or(layer));
            history.since = facts.packages().map(identity).map(since).collect();
            self.times[number] += begun.elapsed();
        }
    }

    /// The first layer since which the package has been there all along.
    fn layer(&self, analyzer: usize, package: &Package) -> Brought {
        match self.databases.get(&analyzer) {
            Some(history) if history.several.contains(package.location.as_slice()) => {
                match history.since.get(&identity(package)) {
                    _ if history.is_given_up => Brought::Open,
                    Some(layer) => Brought::By(*layer),
                    None => Brought::WithItsFile,
                }
            }
            _ => Brought::WithItsFile,
        }
    }

    /// Said once for each database.
    fn problems(&self) -> impl Iterator<Item = FoundProblem> {
        let given_up = self.databases.iter().filter(|(_, history)| history.is_given_up);
        given_up.map(|(number, _)| {
            let message =
                "so many layers wrote the database that it is not known which brought what";
            let problem = Problem::new(None, message).hiding(Hides::Nothing, OVER_LIMIT);
            FoundProblem::of(Some(self.analyzers[*number].name()), None, problem)
        })
    }
}

fn wanted_paths(scan: &LayerScan, analyzer: u16) -> impl Iterator<Item = &[u8]> {
    let wanted = scan.wanted.iter().filter(move |(_, wanted)| wanted.contains(&analyzer));
    wanted.map(|(entry, _)| scan.path(&scan.entries[*entry as usize]))
}

fn written_by_several(layers: &[LayerScan], analyzer: u16) -> HashSet<Vec<u8>> {
    let mut first: HashMap<&[u8], usize> = HashMap::new();
    let mut several = HashSet::new();
    for (number, scan) in layers.iter().enumerate() {
        for path in wanted_paths(scan, analyzer) {
            if *first.entry(path).or_insert(number) != number {
                several.insert(path.to_vec());
            }
        }
    }
    several
}

/// Of one database, and for one run: no two of some thousand packages will meet.
fn identity(package: &Package) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&package.name, &package.version, &package.arch, &package.location).hash(&mut hasher);
    hasher.finish()
}

/// The names of what an analyzer wants, in the layers applied so far.
fn wanted_names(fs: &ImageFs<'_>, analyzer: u16) -> BTreeMap<At, Vec<Vec<u8>>> {
    let mut names: BTreeMap<At, Vec<Vec<u8>>> = BTreeMap::new();
    for (layer, scan) in fs.layers().iter().enumerate() {
        for (&entry, wanted) in &scan.wanted {
            let at = At { layer: layer as u32, entry };
            if !wanted.contains(&analyzer) {
                continue;
            }
            let Some(file) = fs.find(scan.path(&scan.entries[entry as usize])) else { continue };
            if file.content.is_some_and(|(content, _)| content == at) {
                names.entry(at).or_insert_with(one).push(fs.path(&file));
            }
        }
    }
    names
}

/// The flattened image as one analyzer sees it.
struct View<'v, 'a> {
    fs: &'v ImageFs<'a>,
    analyzer: u16,
    wanted: Vec<FileInfo>,
    extra: &'v Extra,
    /// What was read, by the path it was read by first.
    read: RefCell<HashMap<At, Vec<u8>>>,
    /// Bytes of contents that were read by several names.
    repeated: Cell<u64>,
    room: &'v Room,
    by_chance: &'v Mutex<Option<String>>,
}

/// Bytes that one analyzer may read again by another name: links cost an image nothing.
const MAX_REPEATED: u64 = 4 << 20;
/// Contents of more bytes are counted as memory: they are read as a whole.
const LARGE: u64 = 1 << 20;

impl<'v, 'a> View<'v, 'a> {
    fn new(
        fs: &'v ImageFs<'a>,
        analyzer: u16,
        visible: &Visible,
        extra: &'v Extra,
        room: &'v Room,
        by_chance: &'v Mutex<Option<String>>,
    ) -> Self {
        let wanted = visible.wanted(fs, extra, analyzer);
        let (read, repeated) = (RefCell::default(), Cell::new(0));
        View { fs, analyzer, wanted, extra, read, repeated, room, by_chance }
    }

    /// One content is read once, but for a few names more, and where there is memory for it.
    fn count(&self, at: At, path: Vec<u8>, size: u64) -> Result<(), Error> {
        let mut read = self.read.borrow_mut();
        if size > LARGE && !read.contains_key(&at) && !self.room.take(size) {
            return Err(Error::over_limit("the image has too much to be read as a whole"));
        }
        let first = read.entry(at).or_insert_with(|| path.clone());
        if *first != path {
            self.repeated.set(self.repeated.get() + size);
        }
        match self.repeated.get() > MAX_REPEATED && *first != path {
            false => Ok(()),
            true => {
                let first = shown(&*first);
                Err(Error::new(format!("too many names of files: it is `{first}`, read before")))
            }
        }
    }
}

impl Files for View<'_, '_> {
    fn get(&self, path: &[u8]) -> Option<FileInfo> {
        self.fs.resolve(path).map(|file| info(self.fs, &file))
    }

    fn entry(&self, path: &[u8]) -> Option<FileInfo> {
        self.fs.find(path).map(|file| info(self.fs, &file))
    }

    fn read(&self, path: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Error> {
        let Some(file) = self.fs.resolve(path) else { return Ok(None) };
        let Some((at, entry)) = file.content else { return Ok(None) };
        if entry.kind != EntryKind::File {
            return Ok(None);
        }
        self.count(at, self.fs.path(&file), entry.size)?;
        match self.extra.kept(self.fs.layers(), at) {
            Some(kept) => Ok(Some(kept.bytes().inspect_err(|error| {
                let mut by_chance = self.by_chance.lock().unwrap_or_else(PoisonError::into_inner);
                *by_chance = Some(format!("could not read back what was put aside: {error}"));
            })?)),
            None => {
                let path = BString::from(self.fs.path(&file));
                Err(Error::new(format!("the content of `{path}` was not kept")))
            }
        }
    }

    fn wanted(&self) -> Vec<FileInfo> {
        self.wanted.clone()
    }

    fn list(&self, directory: &[u8]) -> Vec<BString> {
        self.fs.list(directory).into_iter().map(BString::from).collect()
    }

    fn facts(&self, path: &[u8]) -> &[Fact] {
        let Some((at, _)) = self.fs.resolve(path).and_then(|file| file.content) else {
            return &[];
        };
        let facts = self.extra.facts(self.fs.layers(), at, self.analyzer);
        facts.map_or(&[], |facts| &facts.facts)
    }
}

fn info(fs: &ImageFs<'_>, file: &File<'_>) -> FileInfo {
    let kind = match file.kind() {
        EntryKind::File | EntryKind::HardLink => FileKind::Regular,
        EntryKind::Directory => FileKind::Directory,
        EntryKind::Symlink => FileKind::Symlink,
        EntryKind::CharDevice | EntryKind::BlockDevice | EntryKind::Fifo => FileKind::Special,
    };
    FileInfo {
        path: fs.path(file).into(),
        kind,
        size: file.size(),
        mode: file.mode(),
        uid: file.uid().into(),
        gid: file.gid().into(),
    }
}
