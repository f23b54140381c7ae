//! A second look into a layer, for content that has other names in the flattened image than its
//! entry: hard links, and names through symbolic links, are known only when all layers are.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use inscan_analyzers::{Content, Facts, START_LEN, Use};
use inscan_tar::{Archive, Kind, Stream};

use super::decompress::Blob;
use super::kept::Kept;
use super::read::LIMITS;
use super::scan::{EntryKind, LayerScan, Skipped};
use super::segment::{HeadOnly, Look, Pass, look};
use super::spool::{Spool, Spools};
use crate::source::walk;
use inscan_facts::digest::Sha256;

const CHANGED: &str = "it has changed since it was read before";

/// Names of one content, each with the analyzers that want it by that name.
pub type NamesOfOne = Vec<(Vec<u8>, Vec<usize>)>;
/// The same of several, by entry.
pub type Names = BTreeMap<u32, NamesOfOne>;

/// What analyzers made of one content by its other names.
#[derive(Debug, Default)]
pub struct Again {
    pub facts: Vec<(u16, Facts)>,
    pub kept: Option<Arc<Kept>>,
    pub skipped: Vec<Skipped>,
    pub is_by_chance: bool,
}

/// Reads some entries of a layer once more.
///
/// # Errors
/// It cannot be read any more, or is another than before.
pub fn read_again(
    pass: &Pass<'_>,
    blob: Box<dyn Read + Send + '_>,
    scan: &LayerScan,
    names: &Names,
) -> Result<BTreeMap<u32, Again>> {
    let blob = Blob::new(blob, Box::new(|_| ()))?;
    let mut archive = Archive::new(Stream(blob), LIMITS);
    let mut found = BTreeMap::new();
    let mut number = 0;
    // What lies behind the last of them is not needed.
    while found.len() < names.len()
        && let Some(entry) = archive.next_entry()?
    {
        if matches!(entry.kind, Kind::Global | Kind::Other(_)) {
            continue;
        }
        let (id, is_file) = (number, entry.kind == Kind::File);
        number += 1;
        if let Some(names) = names.get(&id).filter(|_| is_file) {
            let mut content = Hashing { inner: &mut archive, sha256: Sha256::new() };
            let again = seen(pass, scan, id, names, &mut content)?;
            io::copy(&mut content, &mut io::sink())?;
            let known = scan.entries.get(id as usize).and_then(|entry| scan.digests(entry));
            if known.is_none_or(|known| known.sha256 != content.sha256.finish().0) {
                bail!(CHANGED);
            }
            found.insert(id, again);
        }
    }
    match found.len() == names.len() {
        true => Ok(found),
        false => bail!(CHANGED),
    }
}

/// The same of a root file system.
///
/// # Errors
/// As [`read_again`].
pub fn read_tree_again(
    root: &Path,
    pass: &Pass<'_>,
    scan: &LayerScan,
    names: &Names,
    one_file_system: bool,
) -> Result<BTreeMap<u32, Again>> {
    let ids = names.keys().filter_map(|id| Some((scan.path(scan.entries.get(*id as usize)?), *id)));
    let ids: BTreeMap<&[u8], u32> = ids.collect();
    let mut found = BTreeMap::new();
    walk(root, one_file_system, &mut |entry| {
        let Some(id) = ids.get(&entry.path[..]) else { return Ok(()) };
        if let (EntryKind::File, Some(mut content)) = (entry.kind, entry.content) {
            found.insert(*id, seen(pass, scan, *id, &names[id], &mut content)?);
        }
        Ok(())
    })?;
    match found.len() == ids.len() {
        true => Ok(found),
        false => bail!(CHANGED),
    }
}

/// Shows one content by its names; an analyzer that finds something is asked no more.
fn seen(
    pass: &Pass<'_>,
    scan: &LayerScan,
    id: u32,
    names: &[(Vec<u8>, Vec<usize>)],
    content: &mut dyn Read,
) -> Result<Again> {
    let entry = &scan.entries[id as usize];
    let mut start = Vec::new();
    (&mut *content).take(START_LEN as u64).read_to_end(&mut start)?;
    let wants = names.iter().flat_map(|(name, analyzers)| {
        let matches = pass.matcher.matches(name, &start).into_iter();
        matches.filter(|(analyzer, _)| analyzers.contains(analyzer))
    });
    let most = wants.map(|(_, want)| want.content_up_to).max().unwrap_or(0);
    let mut again = Again::default();
    let (spool, head_only);
    let content: &dyn Content = match entry.size <= most {
        true => {
            spool = spooled(entry.size, &start, content, &pass.spools)
                .context("could not be put aside")?;
            &spool
        }
        false => {
            head_only = HeadOnly(entry.size);
            &head_only
        }
    };
    for (name, analyzers) in names {
        let done = |analyzer: usize| {
            again
                .facts
                .iter()
                .any(|(of, facts)| usize::from(*of) == analyzer && !facts.facts.is_empty())
        };
        let asked: Vec<usize> = analyzers.iter().copied().filter(|one| !done(*one)).collect();
        let one = Look { entry: id, path: name, size: entry.size, mode: entry.mode, start: &start };
        let seen = look(pass, &one, Ok(content), |analyzer, want| {
            asked.contains(&analyzer) && (want.use_ == Use::Inspect || again.kept.is_none())
        });
        again.is_by_chance |= seen.is_by_chance;
        again.kept = again.kept.take().or(seen.kept);
        again.skipped.extend(seen.skipped);
        again.facts.extend(seen.facts.into_iter().map(|(analyzer, mut facts)| {
            if facts.facts.is_empty() {
                // What is wrong with it was said by its own name.
                facts.problems.retain(|problem| !problem.hides.is_nothing());
            }
            (analyzer, facts)
        }));
    }
    again.facts.retain(|(_, facts)| *facts != Facts::default());
    again.skipped.dedup();
    Ok(again)
}

fn spooled<'a>(
    size: u64,
    start: &[u8],
    content: &mut dyn Read,
    spools: &'a Spools,
) -> io::Result<Spool<'a>> {
    let mut spool = Spool::new(size, spools);
    spool.push(start)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(spool),
            Ok(count) => spool.push(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Passes bytes on, and hashes them.
struct Hashing<R> {
    inner: R,
    sha256: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sha256.update(&buffer[..count]);
        Ok(count)
    }
}
