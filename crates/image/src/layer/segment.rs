//! What is done with a stretch of a layer's bytes once it is in memory: every
//! file in it is hashed and shown to the analyzers that want it, in parallel.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use inscan_analyzers::problem::{BY_CHANCE, DEFECT, OVER_LIMIT};
use inscan_analyzers::{
    Analyzer, Content, Facts, FileHead, Matcher, Problem, START_LEN, Use, Want,
};
use rayon::prelude::*;

use super::SMALL;
use super::cache::Cache;
use super::hash::{self, Hasher, MANY_THREADS};
use super::kept::{Keeper, Kept};
use super::scan::{Compression, LayerScan, Skipped};
use super::spool::{Spool, Spools};
use crate::budget::{Amounts, Budget, Share};
use crate::malware::Scanner;
use crate::threads::Threads;
use crate::timings::Clocks;
use inscan_facts::digest::{BlobHash, Digest, FileDigests, MoreDigests};
use inscan_facts::error::Error;
use inscan_hash::Content as Hashed;
use inscan_hash::{Digests, Outer, Parts, is_one_loop, of_each};

/// Small files that one task takes together.
const GROUP: usize = 512 << 10;
/// A file from this size on is hashed in one loop with its layer. Smaller ones go side by side, where enough
/// of about one length are in a group.
pub(super) const LONG: usize = 32 << 10;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// What every pass of a run shares.
pub struct Pass<'a> {
    pub analyzers: &'a [Box<dyn Analyzer>],
    pub matcher: Matcher,
    /// Whether every file has digests; else only those in which something was found.
    pub hashes_all: bool,
    pub more_digests: Vec<MoreDigests>,
    pub keeper: Keeper,
    /// Where files that are not held in memory are put together.
    pub spools: Spools,
    /// Asked about every file, if there is one.
    pub malware: Option<Scanner>,
    /// What is known of layers from earlier runs.
    pub cache: Option<Cache>,
    pub clocks: Clocks,
    /// Who works on the content.
    pub threads: Threads,
    /// What all layers may ask for.
    pub budget: Arc<Budget>,
    /// Whose turn it is of analyzers that take much memory.
    turn: Mutex<()>,
}

/// Holes of sparse files are hashed as the zeros they stand for, up to so many bytes in a layer: they
/// cost nothing to store, and as much as others to hash.
const MAX_LAYER_HOLES: u64 = 64 << 20;

/// Memory of a file that is kept for `analyze`, beside its content: its names for each analyzer, who
/// wants it, what these make of it while they work.
const OF_KEPT: u64 = 1024;

impl<'a> Pass<'a> {
    /// The cache, where what it has is the answer: nobody has looked for malware with
    /// today's database.
    pub(super) fn usable_cache(&self) -> Option<&Cache> {
        self.cache.as_ref().filter(|_| self.malware.is_none())
    }

    pub fn new(analyzers: &'a [Box<dyn Analyzer>], more_digests: Vec<MoreDigests>) -> Self {
        let matcher = Matcher::new(analyzers.iter().map(|analyzer| analyzer.wants()));
        Pass {
            analyzers,
            matcher,
            hashes_all: true,
            more_digests,
            keeper: Keeper::default(),
            spools: Spools::default(),
            malware: None,
            cache: None,
            clocks: Clocks::new(analyzers.len()),
            threads: Threads::default(),
            budget: Arc::default(),
            turn: Mutex::default(),
        }
    }

    /// Counts a layer that is known from an earlier run, so that the same image always comes to
    /// the same end.
    ///
    /// # Errors
    ///
    /// The layers have more than an image may.
    pub(super) fn count_known(&self, scan: &LayerScan, stored: u64) -> Result<(), Error> {
        count_again(&self.budget, scan, stored)
    }
}

/// Counts a layer with all that is known of it.
///
/// # Errors
///
/// The layers have more than an image may.
pub fn count_again(budget: &Budget, scan: &LayerScan, stored: u64) -> Result<(), Error> {
    let facts = scan.facts.values().flatten();
    let size = facts.map(|(_, facts)| facts.size()).sum::<u64>();
    let size = size + OF_KEPT * scan.kept.len() as u64;
    budget.count(&mut Share::default(), scan.amounts(scan.tar_size, stored))?;
    budget.room.take(size);
    budget.check_room()
}

/// Bytes of a layer, and what is to be done with them.
#[derive(Default)]
pub(super) struct Segment {
    /// The buffer, of which the first `end` bytes are in use: it is not cleared between uses.
    pub(super) bytes: Vec<u8>,
    pub(super) end: usize,
    /// Where the bytes begin that no segment before had.
    pub(super) fresh: usize,
    pub(super) whole: Vec<Whole>,
    pub(super) pieces: Vec<Piece>,
}

impl Segment {
    /// Room for more bytes behind those in use.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        let needed = self.end + length;
        if self.bytes.len() < needed {
            self.bytes.reserve_exact(needed - self.bytes.len());
            self.bytes.resize(needed, 0);
        }
        &mut self.bytes[self.end..needed]
    }

    /// Begins anew, with these bytes that were in the segment before.
    pub(super) fn restart(&mut self, carried: &[u8]) {
        self.end = 0;
        self.room(carried.len()).copy_from_slice(carried);
        self.end = carried.len();
        self.fresh = carried.len();
        self.whole.clear();
        self.pieces.clear();
    }

    pub(super) fn used(&self) -> &[u8] {
        &self.bytes[..self.end]
    }
}

/// A regular file all of whose content is in the segment.
pub(super) struct Whole {
    pub(super) entry: u32,
    pub(super) content: Range<usize>,
}

/// A piece of a large file.
pub(super) struct Piece {
    pub(super) large: LargeFile,
    pub(super) part: Part,
}

/// Which large file: its number among them, and its entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct LargeFile {
    number: usize,
    pub(super) entry: u32,
}

pub(super) enum Part {
    Bytes(Range<usize>),
    /// A hole of a sparse file.
    Zeros(u64),
    End,
}

/// A large file in the middle of being read.
pub(super) struct Large<'a> {
    entry: u32,
    /// `None`: nobody asks for its digests.
    hasher: Option<Hasher>,
    spool: Option<Spool<'a>>,
    /// Why the spool could not be filled.
    spool_error: Option<String>,
    start: Vec<u8>,
}

/// What was learned of one file.
struct Learned {
    entry: u32,
    digests: Option<FileDigests>,
    seen: Seen,
}

/// What the analyzers made of one file.
#[derive(Default)]
pub(super) struct Seen {
    wanted: Vec<u16>,
    pub(super) facts: Vec<(u16, Facts)>,
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) skipped: Vec<Skipped>,
    /// See [`LayerScan::is_by_chance`].
    pub(super) is_by_chance: bool,
}

/// One file as analyzers are shown it.
pub(super) struct Look<'a> {
    pub(super) entry: u32,
    pub(super) path: &'a [u8],
    pub(super) size: u64,
    pub(super) mode: u16,
    /// Its first bytes.
    pub(super) start: &'a [u8],
}

impl<'a> Look<'a> {
    fn at(scan: &'a LayerScan, entry: u32, start: &'a [u8]) -> Self {
        let file = &scan.entries[entry as usize];
        Look { entry, path: scan.path(file), size: file.size, mode: file.mode, start }
    }
}

impl Seen {
    fn skip(&mut self, entry: u32, analyzer: u16, code: &'static str, reason: String) {
        self.skipped.push(Skipped { entry, analyzer, code: Cow::Borrowed(code), reason });
    }

    fn want(&mut self, analyzer: u16) {
        if self.wanted.last() != Some(&analyzer) {
            self.wanted.push(analyzer);
        }
    }
}

/// The layer as far as it has been read.
pub(super) struct Progressing<'a> {
    pass: &'a Pass<'a>,
    pub(super) scan: LayerScan,
    diff_id: Outer,
    /// Where the image goes by sha512.
    pub(super) sha512: Option<BlobHash>,
    large: Vec<Option<Large<'a>>>,
    share: Share,
}

impl<'a> Progressing<'a> {
    pub(super) fn new(pass: &'a Pass<'a>) -> Self {
        Progressing {
            pass,
            scan: LayerScan::default(),
            diff_id: Outer::default(),
            sha512: None,
            large: Vec::new(),
            share: Share::default(),
        }
    }

    /// Whether all digests of a long content are taken on one thread, with the layer's own: that is the least
    /// work. It is slower than the layer's digest alone, which matters only where there are
    /// threads to spare and the bytes come faster than gzip makes them.
    fn is_in_one_loop(&self) -> bool {
        let is_as_fast = is_one_loop() && self.scan.compression == Compression::Gzip;
        is_as_fast || self.pass.threads.count() < MANY_THREADS
    }

    /// Begins a file that comes in pieces. `start` is its first bytes.
    pub(super) fn begin_large(&mut self, entry: u32, start: &[u8]) -> LargeFile {
        let file = &self.scan.entries[entry as usize];
        let matches = self.pass.matcher.matches(self.scan.path(file), start);
        let is_wanted = matches.iter().any(|(_, want)| file.size <= want.content_up_to);
        let is_hashed = self.pass.hashes_all || is_wanted;
        let hasher = || Hasher::new(&self.pass.more_digests, self.is_in_one_loop());
        self.large.push(Some(Large {
            entry,
            hasher: is_hashed.then(hasher),
            spool: is_wanted.then(|| Spool::new(file.size, &self.pass.spools)),
            spool_error: None,
            start: start.to_vec(),
        }));
        LargeFile { number: self.large.len() - 1, entry }
    }

    /// Counts the holes of a file; false where the layer has too many for it to be read.
    pub(super) fn take_holes(&mut self, bytes: u64) -> bool {
        let is_read = self.scan.holes + bytes <= MAX_LAYER_HOLES;
        if is_read {
            self.scan.holes += bytes;
        }
        is_read
    }

    /// Counts what was read: so many bytes of the tar, from so many stored ones.
    ///
    /// # Errors
    ///
    /// The layers have more than an image may.
    pub(super) fn count(&mut self, tar_size: u64, stored: u64) -> Result<(), Error> {
        let now = self.scan.amounts(tar_size, stored);
        self.pass.budget.count(&mut self.share, now)
    }

    /// The same of a root file system, of which only what is found is limited.
    ///
    /// # Errors
    ///
    /// More was found than in so many bytes of files may be.
    pub(super) fn count_found(&mut self, stored: u64) -> Result<(), Error> {
        self.pass.budget.count(&mut self.share, Amounts { stored, ..Amounts::default() })
    }

    /// Tells everyone who wants a file by its name that it is too much to be read.
    pub(super) fn skip(&mut self, entry: u32, reason: &str) {
        let file = &self.scan.entries[entry as usize];
        let matches = self.pass.matcher.matches(self.scan.path(file), &[]);
        let mut analyzers: Vec<u16> =
            matches.iter().map(|(analyzer, _)| *analyzer as u16).collect();
        analyzers.dedup();
        let skipped = analyzers.into_iter().map(|analyzer| Skipped {
            entry,
            analyzer,
            code: Cow::Borrowed(OVER_LIMIT),
            reason: reason.to_owned(),
        });
        self.scan.skipped.extend(skipped);
    }

    /// Does all the work of a segment, on the threads of the pass.
    pub(super) fn process(&mut self, segment: &Segment) {
        let threads = self.pass.threads.clone();
        threads.run(|| self.process_here(segment));
    }

    fn process_here(&mut self, segment: &Segment) {
        let long = self.long_files(segment);
        let Progressing { pass, scan, diff_id, sha512, large, .. } = self;
        let learned = Mutex::new(Vec::new());
        let mut digests = Vec::new();
        rayon::scope(|scope| {
            let bytes = segment.used();
            let large = pieces_by_file(large, &segment.pieces).into_iter();
            let large = large.filter_map(|(large, pieces)| {
                beside(scope, large, pieces, bytes).map(|hashed| InOrder::Large(hashed, pieces))
            });
            let mut files: Vec<_> = large.chain(long.each().map(InOrder::Whole)).collect();
            files.sort_by_key(InOrder::start);
            scope.spawn(|_| digests = in_order(diff_id, files, bytes, segment.fresh));
            if let Some(sha512) = sha512 {
                scope.spawn(move |_| sha512.update(&bytes[segment.fresh..]));
            }
            let scan = &*scan;
            for group in groups(&segment.whole) {
                scope.spawn(|_| {
                    let group = learn(pass, scan, bytes, group, long);
                    learned.lock().unwrap_or_else(PoisonError::into_inner).extend(group);
                });
            }
        });
        let mut learned = learned.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended: Vec<Large<'_>> = segment
            .pieces
            .iter()
            .filter(|piece| matches!(piece.part, Part::End))
            .filter_map(|piece| large[piece.large.number].take())
            .collect();
        let scan_so_far = &*scan;
        learned.par_extend(ended.into_par_iter().map(|large| finish(pass, scan_so_far, large)));
        learned.into_iter().for_each(|learned| store(scan, learned));
        for (entry, digests) in digests {
            store_digests(scan, entry, hash::digests(&[], digests, &[]));
        }
    }

    /// Which of the whole files of a segment are hashed with the layer.
    fn long_files<'s>(&self, segment: &'s Segment) -> Long<'s> {
        let Pass { hashes_all, more_digests, .. } = self.pass;
        let is_taken =
            *hashes_all && more_digests.is_empty() && is_one_loop() && self.is_in_one_loop();
        let files = if is_taken { &segment.whole[..] } else { &[] };
        Long { files, fresh: segment.fresh }
    }

    pub(super) fn finish(mut self) -> LayerScan {
        self.scan.diff_id = Digest(self.diff_id.finish());
        self.scan.sha512.tar = self.sha512.map(BlobHash::finish);
        // Groups end in any order; what is in lists is put into that of the entries.
        self.scan.skipped.sort_by_key(|skipped| (skipped.entry, skipped.analyzer));
        self.scan.shrink();
        self.scan
    }
}

/// The files with pieces in this segment, each with its pieces. A file's pieces stand together.
fn pieces_by_file<'l, 'p, 'a>(
    large: &'l mut [Option<Large<'a>>],
    pieces: &'p [Piece],
) -> Vec<(&'l mut Large<'a>, &'p [Piece])> {
    let mut files = Vec::new();
    let mut rest = large;
    let mut passed = 0;
    for run in pieces.chunk_by(|a, b| a.large == b.large) {
        let (_, from) = std::mem::take(&mut rest).split_at_mut(run[0].large.number - passed);
        let Some((first, after)) = from.split_first_mut() else { break };
        passed = run[0].large.number + 1;
        rest = after;
        files.extend(first.as_mut().map(|large| (large, run)));
    }
    files
}

/// Which whole files of a segment are hashed with their layer: long ones, with bytes that the layer's digest has
/// not taken yet. Without `files` none is.
#[derive(Clone, Copy)]
struct Long<'a> {
    files: &'a [Whole],
    fresh: usize,
}

impl<'a> Long<'a> {
    fn has(&self, whole: &Whole) -> bool {
        !self.files.is_empty() && whole.content.len() >= LONG && whole.content.end > self.fresh
    }

    fn each(self) -> impl Iterator<Item = &'a Whole> {
        self.files.iter().filter(move |whole| self.has(whole))
    }
}

/// A file that is hashed with the layer.
enum InOrder<'a> {
    Large(&'a mut Hashed, &'a [Piece]),
    Whole(&'a Whole),
}

impl InOrder<'_> {
    /// Where its bytes begin, if it has any here.
    fn start(&self) -> usize {
        let start = |piece: &Piece| match &piece.part {
            Part::Bytes(range) => Some(range.start),
            _ => None,
        };
        match self {
            InOrder::Large(_, pieces) => pieces.iter().find_map(start).unwrap_or_default(),
            InOrder::Whole(whole) => whole.content.start,
        }
    }
}

/// The layer's bytes from `fresh` on for its digest, and those of its long files for theirs. The files
/// stand in the order of the layer. Digests of whole files by their entry.
fn in_order(
    diff_id: &mut Outer,
    files: Vec<InOrder<'_>>,
    bytes: &[u8],
    fresh: usize,
) -> Vec<(u32, Digests)> {
    let mut at = fresh;
    let mut digests = Vec::new();
    let mut take = |hashed: &mut Hashed, range: &Range<usize>| {
        diff_id.update(&bytes[at..range.start.max(at)]);
        // What came with the segment before is known to the layer's digest.
        let from = at.clamp(range.start, range.end);
        hashed.update(&bytes[range.start..from]);
        hashed.update_within(diff_id, &bytes[from..range.end]);
        at = at.max(range.end);
    };
    for file in files {
        match file {
            InOrder::Whole(whole) => {
                let mut hashed = Hashed::new(Parts::All);
                take(&mut hashed, &whole.content);
                digests.push((whole.entry, hashed.finish()));
            }
            InOrder::Large(hashed, pieces) => {
                for piece in pieces {
                    match &piece.part {
                        Part::Bytes(range) => take(hashed, range),
                        Part::Zeros(count) => zeros(*count, |zeros| hashed.update(zeros)),
                        Part::End => {}
                    }
                }
            }
        }
    }
    diff_id.update(&bytes[at..]);
    digests
}

/// What is done with a large file on other threads than its first digests, which are left.
fn beside<'s>(
    scope: &rayon::Scope<'s>,
    large: &'s mut Large<'_>,
    pieces: &'s [Piece],
    bytes: &'s [u8],
) -> Option<&'s mut Hashed> {
    let Large { hasher, spool, spool_error, .. } = large;
    let within = hasher.as_mut().map(|Hasher { within, beside, more }| {
        if let Some(beside) = beside {
            scope.spawn(move |_| each_part(pieces, bytes, |part| beside.update(part)));
        }
        for context in more {
            scope.spawn(move |_| each_part(pieces, bytes, |part| context.update(part)));
        }
        within
    });
    if spool_error.is_none()
        && let Some(spool) = spool
    {
        scope.spawn(move |_| {
            each_part(pieces, bytes, |part| {
                if spool_error.is_none()
                    && let Err(error) = spool.push(part)
                {
                    *spool_error = Some(format!("cannot write a temporary file for analysis: {error} (TMPDIR sets the directory)"));
                }
            });
        });
    }
    within
}

pub(super) fn each_part(pieces: &[Piece], bytes: &[u8], mut take: impl FnMut(&[u8])) {
    for piece in pieces {
        match &piece.part {
            Part::Bytes(range) => take(&bytes[range.clone()]),
            Part::Zeros(count) => zeros(*count, &mut take),
            Part::End => {}
        }
    }
}

fn zeros(mut count: u64, mut take: impl FnMut(&[u8])) {
    while count > 0 {
        let length = count.min(ZEROS.len() as u64);
        take(&ZEROS[..length as usize]);
        count -= length;
    }
}

/// Files in groups of about one size, so that a task is worth its while.
fn groups(files: &[Whole]) -> Vec<&[Whole]> {
    let mut groups = Vec::new();
    let mut start = 0;
    let mut size = 0;
    for (i, file) in files.iter().enumerate() {
        // An empty file is work too: its name is matched.
        size += file.content.len() + 512;
        if size >= GROUP {
            groups.push(&files[start..=i]);
            start = i + 1;
            size = 0;
        }
    }
    if start < files.len() {
        groups.push(&files[start..]);
    }
    groups
}

/// What there is to know of a group of files, but for the digests of long ones.
fn learn(
    pass: &Pass<'_>,
    scan: &LayerScan,
    bytes: &[u8],
    group: &[Whole],
    long: Long<'_>,
) -> Vec<Learned> {
    let content = |whole: &Whole| &bytes[whole.content.clone()];
    let seen = group.iter().map(|whole| {
        let content = content(whole);
        let start = &content[..content.len().min(START_LEN)];
        let seen = look(pass, &Look::at(scan, whole.entry, start), Ok(&content), |_, _| true);
        Learned { entry: whole.entry, digests: None, seen }
    });
    let mut learned: Vec<Learned> = seen.collect();
    let is_hashed = |learned: &Learned| pass.hashes_all || !learned.seen.wanted.is_empty();
    let hashed = group
        .iter()
        .zip(&mut learned)
        .filter(|(whole, learned)| is_hashed(learned) && !long.has(whole));
    let (contents, hashed): (Vec<&[u8]>, Vec<_>) =
        hashed.map(|(whole, learned)| (content(whole), learned)).unzip();
    for ((content, learned), digests) in contents.iter().zip(hashed).zip(of_each(&contents)) {
        learned.digests = Some(hash::digests(content, digests, &pass.more_digests));
    }
    learned
}

fn finish(pass: &Pass<'_>, scan: &LayerScan, large: Large<'_>) -> Learned {
    let content = match (&large.spool, large.spool_error) {
        (_, Some(error)) => Err(error),
        (Some(spool), None) => Ok(spool as &dyn Content),
        (None, None) => Ok(&HeadOnly(scan.entries[large.entry as usize].size) as &dyn Content),
    };
    let file = Look::at(scan, large.entry, &large.start);
    let mut seen = look(pass, &file, content, |_, _| true);
    seen.is_by_chance |= large.spool.as_ref().is_some_and(Spool::has_failed);
    Learned { entry: large.entry, digests: large.hasher.map(Hasher::finish), seen }
}

/// Shows one file to whoever wants it and is asked.
pub(super) fn look(
    pass: &Pass<'_>,
    file: &Look<'_>,
    content: Result<&dyn Content, String>,
    is_asked: impl Fn(usize, &Want) -> bool,
) -> Seen {
    let Look { entry, path, start, .. } = *file;
    let mut seen = Seen::default();
    for (analyzer, want) in pass.matcher.matches(path, start) {
        if !is_asked(analyzer, want) {
            continue;
        }
        let number = analyzer as u16;
        if file.size > want.max_size {
            let reason = format!("{} bytes, more than the {} it reads", file.size, want.max_size);
            seen.skip(entry, number, OVER_LIMIT, reason);
            continue;
        }
        let content = match &content {
            Ok(content) => *content,
            Err(reason) => {
                seen.is_by_chance = true;
                seen.skip(entry, number, BY_CHANCE, reason.clone());
                continue;
            }
        };
        match want.use_ {
            Use::Inspect => {
                let head = FileHead { path, size: file.size, mode: u32::from(file.mode), start };
                let begun = Instant::now();
                let mut facts = inspect(pass, analyzer, &head, content);
                pass.clocks.inspected(analyzer, begun);
                for (code, reason) in facts.skipped.drain(..) {
                    seen.skip(entry, number, code, reason);
                }
                if facts != Facts::default() {
                    seen.facts.push((number, facts));
                    seen.want(number);
                }
            }
            Use::Keep if seen.kept.is_some() => seen.want(number),
            Use::Keep => {
                seen.want(number);
                let kept = content.bytes().and_then(|bytes| pass.keeper.keep(&bytes));
                match kept {
                    Ok(kept) => {
                        pass.budget.room.take(OF_KEPT);
                        seen.kept = Some(Arc::new(kept));
                    }
                    Err(error) => {
                        seen.is_by_chance = true;
                        seen.skip(entry, number, BY_CHANCE, format!("could not be kept: {error}"));
                    }
                }
            }
        }
    }
    seen
}

/// A file of which nobody asked for more than the head.
pub(super) struct HeadOnly(pub(super) u64);

impl Content for HeadOnly {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_at(&self, _offset: u64, _buf: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("larger than the analyzer's want allows"))
    }

    fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        Err(io::Error::other("larger than the analyzer's want allows"))
    }
}

fn inspect(pass: &Pass<'_>, analyzer: usize, head: &FileHead<'_>, content: &dyn Content) -> Facts {
    let analyzer = &*pass.analyzers[analyzer];
    let mut facts = Facts::within(&pass.budget.room);
    let is_large = analyzer.takes_memory() && content.len() > SMALL;
    let turn = is_large.then(|| pass.turn.lock().unwrap_or_else(PoisonError::into_inner));
    let outcome = catch_unwind(AssertUnwindSafe(|| analyzer.inspect(head, content, &mut facts)));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.is_over_limit() => {
            facts.problems.push(Problem::new(None, error).hiding(analyzer.hides(), OVER_LIMIT));
        }
        Ok(Err(error)) => facts.problem(error),
        Err(_) => {
            let message = "the analyzer failed on it (a defect of inscan: please report it)";
            facts.problems.push(Problem::new(None, message).hiding(analyzer.hides(), DEFECT));
        }
    }
    drop(turn);
    facts.settle();
    facts
}

/// A list takes room for four at first, and of most files there is one.
fn shrunk<T>(mut list: Vec<T>) -> Vec<T> {
    list.shrink_to_fit();
    list
}

fn store_digests(scan: &mut LayerScan, entry: u32, digests: FileDigests) {
    let slot = scan.entries[entry as usize].digests as usize;
    scan.digests.set(slot, digests);
}

fn store(scan: &mut LayerScan, learned: Learned) {
    let Learned { entry, digests, seen } = learned;
    if let Some(digests) = digests {
        store_digests(scan, entry, digests);
    }
    if !seen.wanted.is_empty() {
        scan.wanted.insert(entry, shrunk(seen.wanted));
    }
    if !seen.facts.is_empty() {
        scan.facts.insert(entry, shrunk(seen.facts));
    }
    scan.kept.extend(seen.kept.map(|kept| (entry, kept)));
    scan.skipped.extend(seen.skipped);
    scan.is_by_chance |= seen.is_by_chance;
}
