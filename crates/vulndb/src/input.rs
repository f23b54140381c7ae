//! Reading the inputs of a build. What a file is, its content says; its name
//! does only where the content cannot.

use inscan_facts::progress::Progress;
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use inscan_facts::content::Content;
use inscan_tar::Packing;
use inscan_zip::Zip;
use rayon::prelude::*;
use serde_json::Value;

use super::gathered::{Gathered, Rank};
use super::staging::{self, Packed};
use super::{end_of_life, epss, feed, json, kev, osv, rating, secdb};

/// A record, or a file with one, is not larger.
const MAX_MEMBER: u64 = 32 << 20;
/// Text files with many records; pages of a feed are the largest.
const MAX_TEXT: u64 = 512 << 20;
/// Folders within folders.
const MAX_DEPTH: usize = 16;
/// JSON in an archive is a tenth of its size at best; a bomb is a thousandth.
const MAX_RATIO: u64 = 200;
/// Members that are in memory at a time.
const BATCH: usize = 512;

/// A file of the inputs.
pub(super) struct Input {
    path: PathBuf,
    size: u64,
}

/// All files of the inputs, in order. Folders are walked; links in them are followed to files only.
pub(super) fn files(paths: &[PathBuf], gathered: &mut Gathered) -> io::Result<Vec<Input>> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            walk(path, 0, &mut found, gathered);
        } else {
            found.push(Input { path: path.clone(), size: metadata.len() });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

pub(super) fn total(inputs: &[Input]) -> u64 {
    inputs.iter().map(|input| input.size).sum()
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<Input>, gathered: &mut Gathered) {
    let entries = match fs::read_dir(folder) {
        Ok(_) if depth > MAX_DEPTH => {
            return gathered.skip(&shown(folder), "folders lie too deep in each other", "");
        }
        Ok(entries) => entries,
        Err(error) => return gathered.skip(&shown(folder), &error.to_string(), ""),
    };
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                gathered.skip(&shown(folder), &error.to_string(), "");
                continue;
            }
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && path.is_symlink() => {
                gathered.skip(&shown(&path), "a link to a folder", "");
            }
            Ok(metadata) if metadata.is_dir() => walk(&path, depth + 1, found, gathered),
            Ok(metadata) if metadata.is_file() => found.push(Input { path, size: metadata.len() }),
            Ok(_) => gathered.skip(&shown(&path), "no regular file", ""),
            Err(error) => gathered.skip(&shown(&path), &error.to_string(), ""),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Reads one file into what is gathered.
pub(super) fn read(input: &Input, gathered: &mut Gathered, watch: &dyn Progress) -> io::Result<()> {
    let place =
        InputLocation { input: shown(&input.path), stem: stem(&input.path), member: String::new() };
    let file = match File::open(&input.path) {
        Ok(file) => file,
        Err(error) => {
            gathered.skip(&place.input, &error.to_string(), "");
            return Ok(());
        }
    };
    let mut start = [0; 16];
    let filled = file.read_at(&mut start, 0).unwrap_or(0);
    let start = start.get(..filled).unwrap_or_default();
    if is_zip(start) {
        let content = Archive { file, len: input.size };
        return read_zip(&content, &place, gathered, watch);
    }
    let text = match Packing::of(start) {
        Packing::Gzip => whole(&mut MultiGzDecoder::new(io::BufReader::new(file)), MAX_TEXT),
        _ => whole(&mut &file, MAX_TEXT),
    };
    match text {
        Ok(bytes) => read_bytes(&bytes, &place, gathered),
        Err(error) => {
            gathered.skip(&place.input, &error.to_string(), "");
            Ok(())
        }
    }
    .inspect(|()| watch.step_advances(input.size))
}

/// Where something is: for messages, and for what only a name says.
struct InputLocation {
    input: String,
    stem: String,
    /// In an archive; empty where it is the file itself.
    member: String,
}

fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.trim_end_matches(".gz");
    name.strip_suffix(".json").or_else(|| name.strip_suffix(".csv")).unwrap_or(name).to_owned()
}

fn is_zip(start: &[u8]) -> bool {
    // The second is an empty archive.
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

fn whole(reader: &mut dyn Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {} MiB", limit >> 20)));
    }
    Ok(bytes)
}

/// A file as the reader of archives wants it.
struct Archive {
    file: File,
    len: u64,
}

impl Content for Archive {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        whole(&mut &self.file, MAX_TEXT).map(Cow::Owned)
    }
}

/// What a member of an archive is: most are one record each, made ready on all cores.
enum Member {
    Record {
        source: String,
        newest: Option<jiff::Timestamp>,
        packed: Packed,
        repaired: bool,
    },
    /// Something else, to be looked at in order.
    Other(Vec<u8>),
    Wrong(String),
}

fn read_zip(
    content: &Archive,
    place: &InputLocation,
    gathered: &mut Gathered,
    watch: &dyn Progress,
) -> io::Result<()> {
    let zip = match Zip::open(content) {
        Ok(zip) => zip,
        Err(error) => {
            gathered.skip(&place.input, &error.to_string(), "");
            return Ok(());
        }
    };
    let most = content.len.saturating_mul(MAX_RATIO).saturating_add(MAX_MEMBER);
    let mut inflated = 0u64;
    let members: Vec<_> =
        zip.members.iter().filter(|member| !member.name.ends_with(b"/")).collect();
    let mut told = 0;
    for (number, batch) in members.chunks(BATCH).enumerate() {
        let mut bytes = Vec::with_capacity(batch.len());
        for member in batch {
            let read = zip.read(member, MAX_MEMBER).map_err(|error| error.to_string());
            inflated += read.as_ref().map_or(0, |bytes| bytes.len() as u64);
            if inflated > most {
                let reason =
                    format!("the rest of an archive that becomes {MAX_RATIO} times its size");
                gathered.skip(&place.input, &reason, &member.name.to_string());
                return Ok(());
            }
            bytes.push(read);
        }
        let done: Vec<Member> = bytes.into_par_iter().map(member).collect();
        for (member, done) in batch.iter().zip(done) {
            let name = member.name.to_string();
            match done {
                Member::Record { source, newest, packed, repaired } => {
                    if repaired {
                        gathered.skip(&place.input, "bytes that are not UTF-8, replaced", &name);
                    }
                    gathered.advisory(&source, newest, packed)?;
                }
                Member::Wrong(reason) => gathered.skip(&place.input, &reason, &name),
                Member::Other(bytes) => {
                    let stem = stem(Path::new(&name));
                    let place = InputLocation { input: place.input.clone(), stem, member: name };
                    read_bytes(&bytes, &place, gathered)?;
                }
            }
        }
        let position = content.len * ((number + 1) * BATCH).min(members.len()) as u64
            / members.len().max(1) as u64;
        watch.step_advances(position.saturating_sub(told));
        told = position;
    }
    watch.step_advances(content.len.saturating_sub(told));
    Ok(())
}

fn member(bytes: Result<Vec<u8>, String>) -> Member {
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(reason) => return Member::Wrong(reason),
    };
    let (text, repaired) = json::text(&bytes);
    let record = match serde_json::from_str::<Value>(&text) {
        Ok(value) if osv::is_record(&value) => osv::advisory(&value),
        _ => return Member::Other(bytes),
    };
    let packed = |advisory| Ok((staging::pack(&advisory, false)?, advisory));
    match record.map(packed) {
        Ok(Ok((packed, advisory))) => {
            Member::Record { source: advisory.source, newest: advisory.modified, packed, repaired }
        }
        Ok(Err::<_, io::Error>(error)) => Member::Wrong(error.to_string()),
        Err(reason) => Member::Wrong(format!("a record {reason}")),
    }
}

/// Any file that is no archive: JSON, lines of JSON, or a table.
fn read_bytes(bytes: &[u8], place: &InputLocation, gathered: &mut Gathered) -> io::Result<()> {
    let mut skip = |reason: &str| gathered.skip(&place.input, reason, &place.member);
    if bytes.starts_with(b"SQLite format 3\0") {
        skip("a database: take `inscan db import` for one of inscan");
        return Ok(());
    }
    if is_zip(bytes) || Packing::of(bytes) == Packing::Gzip {
        skip("an archive within an archive");
        return Ok(());
    }
    let (text, repaired) = json::text(bytes);
    if repaired && bytes.contains(&0) {
        skip("not recognised");
        return Ok(());
    }
    if repaired {
        skip("bytes that are not UTF-8, replaced");
    }
    if text.trim_start().starts_with(['{', '[']) {
        return read_json(&text, place, gathered);
    }
    if epss::is_scores(&text) {
        let scores = epss::scores(&text);
        gathered.epss(scores.date, &scores.scores);
        gathered.count("epss", scores.scores.len() as u64, scores.date);
        if let Some((line, count)) = scores.wrong {
            for _ in 0..count {
                gathered.skip(&place.input, "lines that are no score", &format!("line {line}"));
            }
        }
    } else if kev::is_csv(&text) {
        // It states no date of its own.
        let entries = kev::entries_of_csv(&text);
        gathered.count("cisa-kev", entries.len() as u64, None);
        entries.into_iter().for_each(|entry| gathered.kev(None, entry));
    } else if end_of_life::is_distro_info(&text) {
        let entries = end_of_life::distro_info(&text);
        gathered.count("distro-info", entries.len() as u64, None);
        entries.into_iter().for_each(|entry| gathered.end_of_life(Rank::DistroInfo, entry));
    } else {
        skip("not recognised");
    }
    Ok(())
}

fn read_json(text: &str, place: &InputLocation, gathered: &mut Gathered) -> io::Result<()> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let Some(first) = values.next() else { return Ok(()) };
    let first = match first {
        Ok(first) => first,
        Err(error) => {
            gathered.skip(&place.input, "broken JSON", &format!("{}: {error}", place.member));
            return Ok(());
        }
    };
    // Several values: a line for each.
    let rest = text.get(values.byte_offset()..).unwrap_or_default();
    if rest.trim().is_empty() {
        return read_value(&first, place, gathered);
    }
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let member = format!("{}line {}", place.member, number + 1);
        let place = InputLocation { input: place.input.clone(), stem: place.stem.clone(), member };
        match serde_json::from_str::<Value>(line) {
            Ok(value) => read_value(&value, &place, gathered)?,
            Err(_) => gathered.skip(&place.input, "broken JSON", &place.member),
        }
    }
    Ok(())
}

fn read_value(value: &Value, place: &InputLocation, gathered: &mut Gathered) -> io::Result<()> {
    if osv::is_record(value) {
        match osv::advisory(value) {
            Ok(advisory) => gathered.whole(&advisory)?,
            Err(reason) => {
                gathered.skip(&place.input, &format!("a record {reason}"), &place.member);
            }
        }
    } else if rating::is_rating(value) {
        if rating::rating(value).is_some_and(|(cve, rating)| gathered.rating(&cve, rating)) {
            gathered.count("cve-severity", 1, None);
        } else {
            gathered.skip(&place.input, "a severity of no CVE", &place.member);
        }
    } else if rating::is_cve_record(value) {
        // Rejected ones, and those that say nothing of severity, count nothing.
        let rated = rating::of_cve_record(value);
        let is_taken = rated.is_some_and(|(cve, rating)| gathered.rating(&cve, rating));
        gathered.count("cve-records", u64::from(is_taken), None);
    } else if rating::is_nvd(value) {
        let ratings: Vec<_> = rating::of_nvd(value).collect();
        gathered.count("nvd-cves", ratings.len() as u64, None);
        for (cve, rating) in ratings {
            gathered.rating(&cve, rating);
        }
    } else if secdb::is_secdb(value) {
        let advisories = secdb::advisories(value);
        for advisory in &advisories {
            let packed = staging::pack(advisory, true)?;
            gathered.advisory(&advisory.source, None, packed)?;
        }
    } else if kev::is_catalog(value) {
        let released = kev::released(value);
        let entries: Vec<_> = kev::entries(value).collect();
        gathered.count("cisa-kev", entries.len() as u64, released);
        entries.into_iter().for_each(|entry| gathered.kev(released, entry));
    } else if feed::is_page(value) {
        read_page(value, place, gathered)?;
    } else if feed::is_group_list(value) {
        for (group, synchronised) in feed::groups(value) {
            gathered.group(group, synchronised);
        }
    } else if feed::is_mapping_list(value) {
        let reason = "distribution mappings: inscan has a table of its own";
        gathered.skip(&place.input, reason, &place.member);
    } else if end_of_life::is_products(value) {
        let entries = end_of_life::entries(value, &place.stem);
        gathered.count("endoflife.date", entries.len() as u64, None);
        entries.into_iter().for_each(|entry| gathered.end_of_life(Rank::EndOfLifeDate, entry));
    } else if let Some(values) = value.as_array().filter(|values| values.iter().any(osv::is_record))
    {
        for value in values {
            read_value(value, place, gathered)?;
        }
    } else {
        gathered.skip(&place.input, "not recognised", &place.member);
    }
    Ok(())
}

fn read_page(page: &Value, place: &InputLocation, gathered: &mut Gathered) -> io::Result<()> {
    gathered.groups.extend(feed::group_of_file(&place.stem).map(str::to_owned));
    for value in json::list(page, "data") {
        match feed::record(value) {
            Some(feed::Record::Advisory(advisory)) => gathered.whole(&advisory)?,
            Some(feed::Record::Rated(advisory, rating)) => {
                gathered.rating(&advisory.id, rating);
                gathered.whole(&advisory)?;
            }
            Some(feed::Record::Listed(name, entry)) => {
                let group = format!("{}:{}", feed::PACKAGES, place.stem);
                gathered.count(&format!("feed:{group}"), 1, None);
                gathered.groups.insert(group);
                gathered.listed(&place.stem, name, &entry);
            }
            None => gathered.skip(&place.input, "records of an unknown kind", &place.member),
        }
    }
    Ok(())
}
