//! What is in one archive, as the analyzers see it: an image of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bstr::{BString, ByteSlice};

use crate::problem::MALFORMED;
use crate::{
    Analyzer, Content, Distribution, Fact, Facts, FileHead, FileInfo, FileKind, Files, Hides,
    Package, Problem, Result, Role, path,
};
use inscan_facts::package_type;

/// A member in memory, beside its name.
const OF_MEMBER: usize = 96;

/// The members of one archive, and what each analyzer wanted of them and stated.
pub(super) struct Inside {
    sizes: BTreeMap<BString, u64>,
    kept: HashMap<BString, Vec<u8>>,
    /// By analyzer.
    seen: Vec<Seen>,
}

/// What one analyzer wanted, with what its `inspect` stated of each.
type Seen = BTreeMap<BString, Facts>;

impl Inside {
    /// For so many analyzers.
    pub(super) fn of(analyzers: usize) -> Self {
        let seen = (0..analyzers).map(|_| Seen::default()).collect();
        Inside { sizes: BTreeMap::new(), kept: HashMap::new(), seen }
    }

    pub(super) fn add(&mut self, name: &[u8], size: u64, out: &mut Facts) {
        if out.hold(name.len() + OF_MEMBER) {
            self.sizes.insert(name.into(), size);
        }
    }

    pub(super) fn keep(
        &mut self,
        analyzer: usize,
        name: &[u8],
        content: &dyn Content,
        out: &mut Facts,
    ) {
        let len = usize::try_from(content.len()).unwrap_or(usize::MAX);
        if !self.kept.contains_key(name.as_bstr()) {
            if !out.hold(len) {
                return;
            }
            match content.bytes() {
                Ok(bytes) => drop(self.kept.insert(name.into(), bytes.into_owned())),
                Err(error) => return out.hidden_here(MALFORMED, error),
            }
        }
        self.seen[analyzer].entry(name.into()).or_insert_with(|| out.beside());
    }

    pub(super) fn inspect(
        &mut self,
        number: usize,
        analyzer: &dyn Analyzer,
        file: &FileHead<'_>,
        content: &dyn Content,
        out: &mut Facts,
    ) {
        let mut facts = out.beside();
        if let Err(error) = analyzer.inspect(file, content, &mut facts) {
            facts.problems.push(of_error(&error, analyzer));
        }
        for problem in &mut facts.problems {
            problem.path.get_or_insert_with(|| file.path.into());
        }
        if !facts.facts.is_empty() || !facts.problems.is_empty() {
            self.seen[number].insert(file.path.into(), facts);
        }
    }

    /// Packages and problems, by their places below that of the archive.
    pub(super) fn state(
        self,
        analyzers: &[Box<dyn Analyzer>],
        place: &[u8],
        is_fixture: bool,
        out: &mut Facts,
    ) -> Facts {
        let mut all = out.beside();
        for (number, analyzer) in analyzers.iter().enumerate() {
            if self.seen[number].is_empty() {
                continue;
            }
            let mut found = out.beside();
            let view = View { inside: &self, seen: &self.seen[number] };
            if let Err(error) = analyzer.analyze(&view, &mut found) {
                found.problems.push(of_error(&error, &**analyzer));
            }
            all.facts.extend(revised(&self.seen[number], found.facts));
            all.problems.extend(found.problems);
            let stated = self.seen[number].values();
            all.problems.extend(stated.flat_map(|facts| facts.problems.iter().cloned()));
        }
        let distribution = all.facts.iter().find_map(|fact| match fact {
            Fact::Distribution(distribution) => Some(distribution.clone()),
            _ => None,
        });
        let distribution = distribution.unwrap_or_default();
        let packages = all.facts.into_iter().filter_map(|fact| match fact {
            Fact::Package(package) => Some(*package),
            _ => None,
        });
        let packages = packages.map(|it| in_archive(it, place, &distribution, is_fixture));
        all.facts = packages.map(|package| Fact::Package(Box::new(package))).collect();
        for problem in &mut all.problems {
            if let Some(path) = problem.path.take() {
                problem.message = format!("`{path}`: {}", problem.message);
            }
            if is_fixture {
                problem.hides = Hides::Nothing;
            }
        }
        all
    }
}

fn of_error(error: &crate::Error, analyzer: &dyn Analyzer) -> Problem {
    let problem = Problem::new(None, error);
    match error.is_over_limit() {
        true => problem.hiding(analyzer.hides(), crate::problem::OVER_LIMIT),
        false => problem,
    }
}

/// The packages of `inspect`, with what `analyze` adds to them, and its own.
fn revised(seen: &Seen, later: Vec<Fact>) -> Vec<Fact> {
    let (mut roles, mut told, mut facts) = (HashMap::new(), Vec::new(), Vec::new());
    for fact in later {
        match fact {
            Fact::Role(path, role) => drop(roles.insert(path, role)),
            Fact::Revised(both) => told.push(*both),
            other => facts.push(other),
        }
    }
    let stated = seen.values().flat_map(|facts| facts.packages());
    facts.extend(stated.map(|package| {
        let revised = told.iter().find(|(it, _)| it == package).map(|(_, by)| by);
        let mut package = revised.unwrap_or(package).clone();
        package.role = package.role.or_else(|| roles.get(&package.location).copied());
        Fact::Package(Box::new(package))
    }));
    facts
}

/// Its files are no files of the image.
fn in_archive(
    mut package: Package,
    place: &[u8],
    distribution: &Distribution,
    is_fixture: bool,
) -> Package {
    package.location = [place, &package.location[..]].concat().into();
    package.files = Vec::new();
    if package_type::is_system(&package.kind) && package.distribution.is_none() {
        package.distribution = Some(distribution.clone());
    }
    if is_fixture {
        package.role = Some(Role::Fixture);
    }
    package
}

/// The archive as one analyzer sees it.
struct View<'a> {
    inside: &'a Inside,
    seen: &'a Seen,
}

impl Files for View<'_> {
    fn get(&self, path: &[u8]) -> Option<FileInfo> {
        let info =
            |kind, size| FileInfo { path: path.into(), kind, size, mode: 0o644, uid: 0, gid: 0 };
        if let Some(size) = self.inside.sizes.get(path.as_bstr()) {
            return Some(info(FileKind::Regular, *size));
        }
        let is_directory = path.is_empty() || self.below(path).next().is_some();
        is_directory.then(|| info(FileKind::Directory, 0))
    }

    fn entry(&self, path: &[u8]) -> Option<FileInfo> {
        self.get(path)
    }

    fn read(&self, path: &[u8]) -> Result<Option<Cow<'_, [u8]>>> {
        Ok(self.inside.kept.get(path.as_bstr()).map(|bytes| Cow::Borrowed(&bytes[..])))
    }

    fn wanted(&self) -> Vec<FileInfo> {
        self.seen.keys().filter_map(|name| self.get(name)).collect()
    }

    fn list(&self, directory: &[u8]) -> Vec<BString> {
        let mut names: Vec<BString> = self.below(directory).map(BString::from).collect();
        names.dedup();
        names
    }

    fn facts(&self, path: &[u8]) -> &[Fact] {
        self.seen.get(path.as_bstr()).map_or(&[], |facts| &facts.facts)
    }
}

impl View<'_> {
    /// The next part of the name of each file below a directory.
    fn below(&self, directory: &[u8]) -> impl Iterator<Item = &[u8]> {
        let start = match directory.is_empty() {
            true => BString::default(),
            false => BString::from([directory, b"/"].concat()),
        };
        let from = (Bound::Included(start.clone()), Bound::Unbounded);
        let names = self.inside.sizes.range::<BString, _>(from);
        names.map_while(move |(name, _)| path::parts(name.strip_prefix(&start[..])?).next())
    }
}
