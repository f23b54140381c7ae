//! Writing what was gathered into the database file.

use inscan_facts::progress::Progress;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use jiff::Timestamp;
use rayon::prelude::*;
use rusqlite::{Connection, params};

use super::advisory::Advisory;
use super::build::{Dates, Error};
use super::compression::{Shrinker, trained};
use super::digest;
use super::family::Families;
use super::gathered::{Gathered, merged_release};
use super::name;
use super::read::{self, Database, Text};
use super::schema::{APPLICATION_ID, Dictionary, SCHEMA, TABLES};
use super::seen::Before;
use super::staging::{self, RecordLocation, Staged};

/// Records of which the dictionaries are trained, and the sizes of these.
const SAMPLES: usize = 6000;
const HEAD_DICTIONARY: usize = 48 << 10;
const TEXT_DICTIONARY: usize = 112 << 10;
const PACKAGE_DICTIONARY: usize = 64 << 10;

/// Records that are in memory at a time.
const BATCH: usize = 2048;

/// Writes the database and returns its size. Where it fails, what was at the place is still there.
pub(super) fn database(
    gathered: Gathered,
    before: Option<&Database>,
    output: &Path,
    dates: Dates,
    watch: &dyn Progress,
) -> Result<u64, Error> {
    let failed = |source| Error::Output { path: output.to_owned(), source };
    let folder = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Two files: VACUUM INTO writes tables without gaps, and wants a file that is not there yet.
    let work = tempfile::Builder::new().prefix(".inscan-db-").tempdir_in(folder).map_err(failed)?;
    let mut connection = Connection::open(work.path().join("work"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA locking_mode = exclusive; \
         PRAGMA cache_size = -16000; PRAGMA temp_store = memory;",
    )?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA)?;
    let transaction = connection.transaction()?;
    for (_, table) in TABLES {
        transaction.execute_batch(table)?;
    }
    fill(&transaction, gathered, before, dates, watch)?;
    transaction.commit()?;
    watch.step_begins("writing the file", None);
    let packed = work.path().join("packed");
    connection.execute("VACUUM INTO ?1", [packed.to_string_lossy()])?;
    drop(connection);
    let file = File::open(&packed).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    std::fs::rename(&packed, output).map_err(failed)?;
    Ok(size)
}

fn fill(
    to: &Connection,
    gathered: Gathered,
    before: Option<&Database>,
    dates: Dates,
    watch: &dyn Progress,
) -> Result<(), Error> {
    let Gathered { staging, kev, epss, ratings, end_of_life, listed, groups, sources, now, .. } =
        gathered;
    let staged = staging.finish().map_err(Error::Staging)?;
    let by_id = staged.groups();
    let mut before = before.map(Before::new);
    let mut date = |advisory: &mut Advisory| match &mut before {
        Some(before) => before.date(advisory, &sources),
        None => Ok(()),
    };
    let (advisories, packages) = fill_advisories(to, &staged, &by_id, &mut date, watch)?;
    fill_packages(to, packages, groups, now, watch)?;

    let mut insert = to.prepare("INSERT INTO kev VALUES (?1, ?2)")?;
    for (cve, (_, entry)) in &kev {
        insert.execute(params![cve, json(entry)])?;
    }
    let mut insert = to.prepare("INSERT INTO epss VALUES (?1, ?2)")?;
    for (cve, (_, score)) in &epss {
        insert.execute(params![cve, score])?;
    }
    let mut insert = to.prepare("INSERT INTO rating VALUES (?1, ?2)")?;
    for (cve, rating) in &ratings {
        insert.execute(params![cve, json(rating)])?;
    }
    let mut insert = to.prepare("INSERT INTO end_of_life VALUES (?1, ?2, ?3)")?;
    for ((product, release), ranks) in &end_of_life {
        if let Some(merged) = merged_release(ranks) {
            insert.execute(params![product, release, json(&merged)])?;
        }
    }
    let mut insert = to.prepare("INSERT INTO listed VALUES (?1, ?2, ?3)")?;
    for ((feed, name), entry) in &listed {
        insert.execute(params![feed, name, entry])?;
    }

    let newest = sources.values().filter_map(|source| source.newest).max();
    let built = dates.built.map(Timestamp::as_second).or(newest).unwrap_or(now);
    let sources: Vec<_> = sources.into_values().collect();
    let mut insert = to.prepare("INSERT INTO about VALUES (?1, ?2)")?;
    insert.execute(params!["advisories", advisories.to_string()])?;
    insert.execute(params!["built", built.to_string()])?;
    insert.execute(params!["sources", json(&sources)])?;
    insert.execute(params!["digest", digest::of(to)?.to_string()])?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("names are texts, and nothing fails to be written")
}

/// One advisory as it is written.
struct Written {
    head: Vec<u8>,
    text: Vec<u8>,
    entries: Vec<Entry>,
    advisory: Advisory,
}

/// What it says of one package.
struct Entry {
    ecosystem: String,
    key: String,
    json: Vec<u8>,
}

/// Head and text of an advisory, before compression.
fn parts(mut advisory: Advisory) -> (Vec<u8>, Vec<u8>, Vec<Entry>, Advisory) {
    let mut packages = Vec::new();
    let mut entries = Vec::new();
    for mut affected in std::mem::take(&mut advisory.affected) {
        let ecosystem = std::mem::take(&mut affected.ecosystem);
        let key = name::key(&ecosystem, &affected.name).into_owned();
        if affected.name == key {
            affected.name.clear();
        }
        let package = (ecosystem.clone(), key.clone());
        if !packages.contains(&package) {
            packages.push(package);
        }
        entries.push(Entry { ecosystem, key, json: json(&affected).into_bytes() });
    }
    let text = Text {
        details: std::mem::take(&mut advisory.details),
        references: std::mem::take(&mut advisory.references),
        packages,
    };
    (json(&advisory).into_bytes(), json(&text).into_bytes(), entries, advisory)
}

/// Writes advisories in the order of their ids, and returns how many they are and
/// what they say of packages.
fn fill_advisories(
    to: &Connection,
    staged: &Staged,
    by_id: &[&[RecordLocation]],
    date: &mut dyn FnMut(&mut Advisory) -> read::Result<()>,
    watch: &dyn Progress,
) -> Result<(u64, Packages), Error> {
    let (heads, texts) = dictionaries(staged, by_id).map_err(Error::Staging)?;
    let mut insert = to.prepare("INSERT INTO dictionary VALUES (?1, ?2)")?;
    insert.execute(params![Dictionary::Head as i64, heads])?;
    insert.execute(params![Dictionary::Text as i64, texts])?;

    watch.step_begins("writing advisories", Some(by_id.len() as u64));
    let mut insert = to.prepare("INSERT INTO advisory VALUES (?1, ?2, ?3)")?;
    let mut insert_text = to.prepare("INSERT INTO text VALUES (?1, ?2)")?;
    let mut packages = Packages::new().map_err(Error::Staging)?;
    let mut families = Families::default();
    let mut number = 0i64;
    for batch in by_id.chunks(BATCH) {
        let merged = batch.par_iter().map(|places| staging::merge(staged, places));
        let mut merged = merged.collect::<io::Result<Vec<_>>>().map_err(Error::Staging)?;
        for advisory in &mut merged {
            date(advisory)?;
        }
        let shrinkers = || Ok((Shrinker::new(&heads)?, Shrinker::new(&texts)?));
        let written: io::Result<Vec<Written>> = merged
            .into_par_iter()
            .map_init(shrinkers, |shrinkers: &mut io::Result<(Shrinker, Shrinker)>, advisory| {
                let (for_heads, for_texts) =
                    shrinkers.as_mut().map_err(|error| io::Error::other(error.to_string()))?;
                let (head, text, entries, advisory) = parts(advisory);
                let (head, text) = (for_heads.shrink(&head)?, for_texts.shrink(&text)?);
                Ok(Written { head, text, entries, advisory })
            })
            .collect();
        for Written { head, text, entries, advisory } in written.map_err(Error::Staging)? {
            number += 1;
            insert.execute(params![number, advisory.id, head])?;
            insert_text.execute(params![number, text])?;
            families.add(&advisory);
            let changed = advisory.modified.map(Timestamp::as_second);
            for entry in entries {
                packages.add(number, changed, entry).map_err(Error::Staging)?;
            }
        }
        watch.step_advances(batch.len() as u64);
    }
    let mut insert = to.prepare("INSERT INTO alias VALUES (?1, ?2)")?;
    for (id, family) in families.finish() {
        insert.execute(params![id, family])?;
    }
    Ok((number as u64, packages))
}

/// The dictionaries of heads and texts, from records at equal distances.
fn dictionaries(staged: &Staged, by_id: &[&[RecordLocation]]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let step = by_id.len().div_ceil(SAMPLES).max(1);
    let (mut heads, mut texts) = (Vec::new(), Vec::new());
    for places in by_id.iter().step_by(step) {
        let (head, text, _, _) = parts(staging::merge(staged, places)?);
        heads.push(head);
        texts.push(text);
    }
    Ok(rayon::join(|| trained(&heads, HEAD_DICTIONARY), || trained(&texts, TEXT_DICTIONARY)))
}

/// What advisories say of packages, waiting in a nameless file until all of a package is known.
struct Packages {
    ecosystems: BTreeMap<String, u32>,
    places: Vec<PackagePlace>,
    file: BufWriter<File>,
    end: u64,
}

struct PackagePlace {
    ecosystem: u32,
    key: Box<str>,
    number: i64,
    changed: Option<i64>,
    offset: u64,
    len: u32,
}

impl Packages {
    fn new() -> io::Result<Packages> {
        let file = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
        Ok(Packages { ecosystems: BTreeMap::new(), places: Vec::new(), file, end: 0 })
    }

    fn add(&mut self, number: i64, changed: Option<i64>, entry: Entry) -> io::Result<()> {
        let Entry { ecosystem, key, json } = entry;
        let next = self.ecosystems.len() as u32;
        let ecosystem = *self.ecosystems.entry(ecosystem).or_insert(next);
        self.file.write_all(&json)?;
        let len = u32::try_from(json.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let key = key.into_boxed_str();
        self.places.push(PackagePlace { ecosystem, key, number, changed, offset: self.end, len });
        self.end += u64::from(len);
        Ok(())
    }
}

/// The entries of one package, as one list.
fn package(file: &File, places: &[PackagePlace]) -> io::Result<Vec<u8>> {
    let mut list = vec![b'['];
    for place in places {
        if list.len() > 1 {
            list.push(b',');
        }
        write!(list, "[{},", place.number)?;
        let begin = list.len();
        list.resize(begin + place.len as usize, 0);
        file.read_exact_at(list.get_mut(begin..).unwrap_or_default(), place.offset)?;
        list.push(b']');
    }
    list.push(b']');
    Ok(list)
}

fn fill_packages(
    to: &Connection,
    packages: Packages,
    groups: std::collections::BTreeSet<String>,
    now: i64,
    watch: &dyn Progress,
) -> Result<(), Error> {
    let Packages { ecosystems, mut places, file, .. } = packages;
    let file = file.into_inner().map_err(|error| Error::Staging(error.into_error()))?;
    // By the names of the ecosystems, and not in the order in which they came.
    let mut ranks = vec![0u32; ecosystems.len()];
    let mut names: Vec<String> = ecosystems.keys().cloned().collect();
    names.extend(groups.into_iter().filter(|group| !ecosystems.contains_key(group)));
    names.sort();
    for (rank, name) in names.iter().enumerate() {
        if let Some(slot) = ecosystems.get(name).and_then(|at| ranks.get_mut(*at as usize)) {
            *slot = rank as u32;
        }
    }
    for place in &mut places {
        place.ecosystem = ranks.get(place.ecosystem as usize).copied().unwrap_or_default();
    }
    places.sort_by(|a, b| {
        (a.ecosystem, &a.key, a.number, a.offset).cmp(&(b.ecosystem, &b.key, b.number, b.offset))
    });
    let by_package: Vec<&[PackagePlace]> =
        places.chunk_by(|a, b| a.ecosystem == b.ecosystem && a.key == b.key).collect();

    let step = by_package.len().div_ceil(SAMPLES).max(1);
    let samples = by_package.iter().step_by(step).map(|places| package(&file, places));
    // A package with thousands of entries would fill the dictionary alone.
    let cut = |mut sample: Vec<u8>| {
        sample.truncate(4 << 10);
        sample
    };
    let samples: io::Result<Vec<Vec<u8>>> = samples.map(|sample| sample.map(cut)).collect();
    let dictionary = trained(&samples.map_err(Error::Staging)?, PACKAGE_DICTIONARY);
    let mut insert = to.prepare("INSERT INTO dictionary VALUES (?1, ?2)")?;
    insert.execute(params![Dictionary::Package as i64, dictionary])?;

    watch.step_begins("writing packages", Some(by_package.len() as u64));
    let mut insert = to.prepare("INSERT INTO package VALUES (?1, ?2, ?3)")?;
    for batch in by_package.chunks(BATCH) {
        let shrunk: io::Result<Vec<Vec<u8>>> = batch
            .par_iter()
            .map_init(
                || Shrinker::new(&dictionary),
                |shrinker, places| {
                    let shrinker =
                        shrinker.as_mut().map_err(|error| io::Error::other(error.to_string()))?;
                    shrinker.shrink(&package(&file, places)?)
                },
            )
            .collect();
        for (places, shrunk) in batch.iter().zip(shrunk.map_err(Error::Staging)?) {
            if let Some(first) = places.first() {
                insert.execute(params![first.ecosystem, &*first.key, shrunk])?;
            }
        }
        watch.step_advances(batch.len() as u64);
    }

    let mut insert = to.prepare("INSERT INTO ecosystem VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (number, name) in names.iter().enumerate() {
        let begin = places.partition_point(|place| (place.ecosystem as usize) < number);
        let end = places.partition_point(|place| (place.ecosystem as usize) <= number);
        let of_it = places.get(begin..end).unwrap_or_default();
        let mut advisories: Vec<i64> = of_it.iter().map(|place| place.number).collect();
        advisories.sort_unstable();
        advisories.dedup();
        let packages = of_it.chunk_by(|a, b| a.key == b.key).count();
        let newest =
            of_it.iter().filter_map(|place| place.changed).filter(|date| *date <= now).max();
        insert.execute(params![
            number as i64,
            name,
            advisories.len() as i64,
            packages as i64,
            newest
        ])?;
    }
    Ok(())
}
