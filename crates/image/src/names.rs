//! Under which names of the flattened image analyzers want content that they were not given by
//! the name of its entry: behind hard links, links to files and to directories, and what a layer
//! writes through a link.
//!
//! A container sees no difference between the names of a file, so nothing may hide behind one.

use std::collections::{BTreeMap, HashSet};

use inscan_analyzers::problem::OVER_LIMIT;
use inscan_analyzers::{Analyzer, Facts, Hides, Matcher, Pattern, Problem, Use, Want, path};

use crate::flatten::{At, File, ImageFs};
use crate::layer::{Again, EntryKind, Kept, LayerScan, Names, NamesOfOne};

/// An analyzer's pattern says something of this many names at the end of a path at most, unless
/// it names its beginning.
const NEAR: usize = 3;
/// Names below links to directories that are looked at, in all. The largest images have some
/// hundred thousand files.
const MAX_NAMES: usize = 2_000_000;
/// Bytes that are shown again, in all: so many, and more for each stored byte of the image.
const MIN_BYTES: u64 = 64 << 20;
const BYTES_OF_STORED: u64 = 4;
const MAX_BYTES: u64 = 1 << 30;
/// What showing a content by one more name costs beside its bytes.
const COST_OF_NAME: u64 = 4096;

/// What an analyzer was not shown.
#[derive(Debug, Default)]
pub struct Requests {
    /// Names of each content, with the analyzers that want it by that name.
    pub by_content: BTreeMap<At, NamesOfOne>,
    /// Names that are no entry's and no hard link's: they lead through symbolic links.
    aliases: BTreeMap<At, Vec<Vec<u8>>>,
    bytes: u64,
    pub problems: Vec<Problem>,
}

/// What is known of content by its other names.
#[derive(Debug, Default)]
pub struct Extra {
    pub by_content: BTreeMap<At, More>,
    pub problems: Vec<Problem>,
    /// Something failed on our side.
    pub by_chance: Option<String>,
}

/// Of one content.
#[derive(Debug, Default)]
pub struct More {
    pub again: Again,
    /// Analyzers that are given it by a name that it has.
    pub wanted: Vec<u16>,
    /// Names through symbolic links.
    pub aliases: Vec<Vec<u8>>,
}

impl Extra {
    pub fn kept<'a>(&'a self, layers: &'a [LayerScan], at: At) -> Option<&'a Kept> {
        let kept = layers[at.layer as usize].kept.get(&at.entry);
        let more = || self.by_content.get(&at)?.again.kept.as_ref();
        kept.or_else(more).map(|kept| &**kept)
    }

    /// What an analyzer's `inspect` stated of a content.
    pub fn facts<'a>(
        &'a self,
        layers: &'a [LayerScan],
        at: At,
        analyzer: u16,
    ) -> Option<&'a Facts> {
        let of = |all: &'a Vec<(u16, Facts)>| all.iter().find(|(by, _)| *by == analyzer);
        let more = self.by_content.get(&at).and_then(|more| of(&more.again.facts));
        let own = layers[at.layer as usize].facts.get(&at.entry).and_then(of);
        more.or(own).map(|(_, facts)| facts)
    }

    pub fn wants(&self, layers: &[LayerScan], at: At, analyzer: u16) -> bool {
        let own = layers[at.layer as usize].wanted.get(&at.entry);
        let more = self.by_content.get(&at).map(|more| &more.wanted);
        own.is_some_and(|wanted| wanted.contains(&analyzer))
            || more.is_some_and(|wanted| wanted.contains(&analyzer))
    }
}

/// How a name leads to a content.
#[derive(Clone, Copy)]
enum Through<'a> {
    /// A name of the file itself.
    Name,
    /// A link to the file.
    Link,
    /// A link to a directory, so many names above; with the file's own path.
    Directory(usize, &'a [u8]),
}

/// Asks for what analyzers would want by names that they were not asked by.
pub fn requests(fs: &ImageFs<'_>, matcher: &Matcher, analyzers: &[Box<dyn Analyzer>]) -> Requests {
    let stored = fs.layers().iter().map(|layer| layer.blob_size).sum::<u64>();
    let max_bytes = match stored {
        // A root file system, which is as large as its files.
        0 => MAX_BYTES,
        stored => MIN_BYTES.saturating_add(BYTES_OF_STORED.saturating_mul(stored)).min(MAX_BYTES),
    };
    let requests = Requests::default();
    let mut asking = Asking { fs, matcher, analyzers, requests, names: 0, max_bytes };
    let mut links = Vec::new();
    fs.walk(|path, file| match file.kind() {
        EntryKind::File => {
            if let Some((at, entry)) = file.content
                && fs.layers()[at.layer as usize].path(entry) != path
            {
                asking.consider(at, entry.size, path, Through::Name);
            }
        }
        EntryKind::Symlink => links.push(path.to_vec()),
        _ => {}
    });
    for link in links {
        let Some(target) = fs.resolve(&link) else {
            if fs.leads_too_far(&link) {
                asking.over_limit(
                    &link,
                    "a link leads through targets that are too long to be followed",
                );
            }
            continue;
        };
        match (target.kind(), target.content) {
            (EntryKind::File, Some((at, entry))) => {
                asking.consider(at, entry.size, &link, Through::Link);
            }
            (EntryKind::Directory, _) => asking.below(&link, &target),
            _ => {}
        }
    }
    asking.requests
}

struct Asking<'a, 'f> {
    fs: &'a ImageFs<'f>,
    matcher: &'a Matcher,
    analyzers: &'a [Box<dyn Analyzer>],
    requests: Requests,
    names: usize,
    max_bytes: u64,
}

impl Asking<'_, '_> {
    /// All names that a link to a directory gives.
    fn below(&mut self, link: &[u8], directory: &File<'_>) {
        let (fs, real) = (self.fs, self.fs.path(directory));
        // The walk follows no link, so that it ends also where the link leads to a directory above.
        fs.walk_from(directory, &mut |rest, file| {
            self.names += 1;
            if self.names > MAX_NAMES {
                return;
            }
            if let (EntryKind::File, Some((at, entry))) = (file.kind(), file.content) {
                let depth = path::parts(rest).count();
                let (name, real) = (path::join(link, rest), path::join(&real, rest));
                self.consider(at, entry.size, &name, Through::Directory(depth, &real));
            }
        });
        if self.names > MAX_NAMES {
            self.over_limit(link, "more names lead through links than are looked at");
        }
    }

    fn consider(&mut self, at: At, size: u64, name: &[u8], through: Through<'_>) {
        let wants = self.matcher.matches(name, &[]);
        let mut wants: Vec<_> = wants.into_iter().filter(|(_, want)| is_by_name(want)).collect();
        wants.retain(|(analyzer, _)| {
            let analyzer = &self.analyzers[*analyzer];
            // What the legacy engine lists goes by the entries of layers.
            !matches!(analyzer.hides(), Hides::Nothing | Hides::Files) && analyzer.may_read(name)
        });
        if wants.is_empty() {
            return;
        }
        if let Through::Directory(depth, real) = through {
            let of_real: HashSet<_> =
                self.matcher.matches(real, &[]).into_iter().map(key).collect();
            wants.retain(|want| depth < NEAR || !of_real.contains(&key(*want)));
        }
        let scan = &self.fs.layers()[at.layer as usize];
        wants.retain(|(analyzer, want)| !is_known(scan, at.entry, *analyzer, want, through));
        if wants.is_empty() {
            return;
        }
        self.requests.bytes += size + COST_OF_NAME;
        if self.requests.bytes > self.max_bytes {
            return self.over_limit(name, "more content has several names than is read again");
        }
        let analyzers = wants.into_iter().map(|(analyzer, _)| analyzer).collect();
        self.requests.by_content.entry(at).or_default().push((name.to_vec(), analyzers));
        if !matches!(through, Through::Name) {
            self.requests.aliases.entry(at).or_default().push(name.to_vec());
        }
    }

    fn over_limit(&mut self, name: &[u8], message: &str) {
        if self.requests.problems.is_empty() {
            let problem = Problem::new(Some(name.into()), message);
            self.requests.problems.push(problem.hiding(Hides::Packages, OVER_LIMIT));
        }
    }
}

fn key((analyzer, want): (usize, &Want)) -> (usize, bool) {
    (analyzer, want.use_ == Use::Keep)
}

/// Others were shown the content by whatever name it has.
fn is_by_name(want: &Want) -> bool {
    !matches!(want.pattern, Pattern::Any | Pattern::Magic(_) | Pattern::Text)
}

/// Whether the analyzer made something of it already.
fn is_known(
    scan: &LayerScan,
    entry: u32,
    analyzer: usize,
    want: &Want,
    through: Through<'_>,
) -> bool {
    let is_it = |one: u16| usize::from(one) == analyzer;
    match want.use_ {
        Use::Inspect => {
            let facts = scan.facts.get(&entry).into_iter().flatten();
            facts.into_iter().any(|(by, facts)| is_it(*by) && !facts.facts.is_empty())
        }
        // By a name of its own it is among those that are wanted; by another it is not.
        Use::Keep => {
            matches!(through, Through::Name)
                && scan.kept.contains_key(&entry)
                && scan
                    .wanted
                    .get(&entry)
                    .is_some_and(|wanted| wanted.iter().any(|one| is_it(*one)))
        }
    }
}

impl Requests {
    pub fn is_empty(&self) -> bool {
        self.by_content.is_empty()
    }

    /// By layer, what has to be read again for them: of the rest enough is known.
    pub fn to_read(&self, layers: &[LayerScan], matcher: &Matcher) -> BTreeMap<u32, Names> {
        let mut to_read: BTreeMap<u32, Names> = BTreeMap::new();
        for (at, names) in &self.by_content {
            let is_kept = layers[at.layer as usize].kept.contains_key(&at.entry);
            let is_needed = |(name, analyzers): &&(Vec<u8>, Vec<usize>)| {
                let matches = matcher.matches(name, &[]).into_iter();
                let mut asked = matches.filter(|(analyzer, _)| analyzers.contains(analyzer));
                asked.any(|(_, want)| want.use_ == Use::Inspect || !is_kept)
            };
            let names: Vec<_> = names.iter().filter(is_needed).cloned().collect();
            if !names.is_empty() {
                to_read.entry(at.layer).or_default().insert(at.entry, names);
            }
        }
        to_read
    }

    /// With what was read, by layer.
    pub fn answered(mut self, read: BTreeMap<u32, BTreeMap<u32, Again>>) -> Extra {
        let mut extra = Extra { problems: self.problems, ..Extra::default() };
        for (at, names) in self.by_content {
            let mut wanted: Vec<u16> =
                names.iter().flat_map(|(_, all)| all).map(|one| *one as u16).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let aliases = self.aliases.remove(&at).unwrap_or_default();
            extra.by_content.insert(at, More { wanted, aliases, ..More::default() });
        }
        for (layer, entries) in read {
            for (entry, again) in entries {
                if again.is_by_chance {
                    let reason = again.skipped.first().map(|skipped| skipped.reason.clone());
                    extra.by_chance = reason.or(extra.by_chance);
                }
                extra.by_content.entry(At { layer, entry }).or_default().again = again;
            }
        }
        extra
    }
}

#[cfg(test)]
mod tests {
    use inscan_analyzers::{Config, Room};

    use super::*;
    use crate::analyze::analyze_with;
    use crate::layer::testing::{Directory, File, HardLink, Make, Symlink, tar};
    use crate::layer::{Pass, read, read_again};
    use crate::source::Image;

    const LODASH: &[u8] = br#"{"name": "lodash", "version": "1.0.0"}"#;
    const DJANGO: &[u8] = b"Metadata-Version: 2.1\nName: django\nVersion: 1.0\n\n";
    const STATUS: &[u8] =
        b"Package: openssl\nStatus: install ok installed\nVersion: 3\nArchitecture: amd64\n";

    /// The packages of an image, by name.
    #[track_caller]
    fn check(layers: &[&[Make<'_>]], expected: &[&str]) {
        let analyzers = inscan_analyzers::all(&Config::default());
        let pass = Pass::new(&analyzers, Vec::new());
        let blobs: Vec<_> = layers.iter().map(|layer| tar(layer)).collect();
        let read_first = |blob: &Vec<u8>| read(&pass, Box::new(&blob[..]), Box::new(|_| ()));
        let scans: Vec<_> = blobs.iter().map(|blob| read_first(blob).unwrap()).collect();
        let image = Image::default();
        let analysis =
            analyze_with(&image, &scans, &analyzers, &Room::of(u64::MAX, u64::MAX), |fs| {
                let requests = requests(fs, &pass.matcher, &analyzers);
                let to_read = requests.to_read(fs.layers(), &pass.matcher).into_iter();
                let read = to_read.map(|(layer, names)| {
                    let blob = Box::new(&blobs[layer as usize][..]);
                    (layer, read_again(&pass, blob, &fs.layers()[layer as usize], &names).unwrap())
                });
                let read = read.collect();
                requests.answered(read)
            });
        let found: Vec<_> = analysis.packages.iter().map(|it| it.package.name.clone()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_hides_behind_a_hard_link() {
        let link = HardLink("app/node_modules/lodash/package.json", "opt/x");
        check(&[&[File("opt/x", LODASH), link]], &["lodash"]);
        let link = HardLink("app/node_modules/lodash/package.json", "opt/x");
        check(&[&[File("opt/x", LODASH)], &[link]], &["lodash"]);
        let link = HardLink("var/lib/dpkg/status", "opt/x");
        check(&[&[File("opt/x", STATUS)], &[link]], &["openssl"]);
    }

    #[test]
    fn nothing_hides_behind_a_symbolic_link() {
        let link = Symlink("app/node_modules/lodash/package.json", "/opt/x");
        check(&[&[File("opt/x", LODASH), link]], &["lodash"]);
        let link = Symlink("usr/lib/python3/site-packages/django-1.0.dist-info", "/opt/y");
        check(&[&[File("opt/y/METADATA", DJANGO), link]], &["django"]);
        check(&[&[File("db/status", STATUS), Symlink("var/lib/dpkg", "/db")]], &["openssl"]);
        let pinned = File("app/reqs/base.txt", b"flask==3.0.0\n");
        check(&[&[pinned, Symlink("app/requirements", "reqs")]], &["flask"]);
        let written = [File("lnk/status", STATUS)];
        check(
            &[&[Directory("var/lib/dpkg"), Symlink("lnk", "var/lib/dpkg")], &written],
            &["openssl"],
        );
    }

    #[test]
    fn what_was_found_by_its_own_name_is_found_once() {
        let file = File("app/node_modules/lodash/package.json", LODASH);
        let other = HardLink("store/lodash/package.json", "app/node_modules/lodash/package.json");
        check(&[&[file, other, Symlink("link", "app")]], &["lodash"]);
        check(
            &[&[File("usr/lib/apk/db/installed", b"P:musl\nV:1\n"), Symlink("lib", "usr/lib")]],
            &["musl"],
        );
    }
}
