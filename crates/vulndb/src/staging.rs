//! Where records wait while all inputs are read: in a nameless file, so that
//! the size of the inputs does not matter. What is in memory is where each lies.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use super::advisory::Advisory;

/// Larger is no record: the largest real ones are below 1 MiB.
pub(super) const MAX_STAGED: usize = 64 << 20;

pub(super) struct Staging {
    places: Vec<RecordLocation>,
    file: BufWriter<File>,
    end: u64,
}

/// One record, and what decides which of several with the same id holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordLocation {
    pub id: String,
    /// Ids are unique within one: empty for what is public, and the group of a feed.
    pub space: String,
    /// False for what says only a part, as a file of a security database does.
    pub partial: bool,
    /// The newest first: negated seconds.
    age: i64,
    offset: u64,
    len: u32,
}

/// A record ready to be staged: made on any thread.
pub(super) struct Packed {
    id: String,
    space: String,
    partial: bool,
    age: i64,
    bytes: Vec<u8>,
}

/// The record in the form in which it waits.
pub(super) fn pack(advisory: &Advisory, partial: bool) -> io::Result<Packed> {
    let json = serde_json::to_vec(advisory)?;
    Ok(Packed {
        id: advisory.id.clone(),
        space: advisory.source.strip_prefix("feed:").unwrap_or_default().to_owned(),
        partial,
        age: advisory.modified.map_or(i64::MAX, |date| -date.as_second()),
        bytes: zstd::bulk::compress(&json, 1)?,
    })
}

impl Staging {
    pub(super) fn new() -> io::Result<Staging> {
        let file = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
        Ok(Staging { places: Vec::new(), file, end: 0 })
    }

    pub(super) fn add(&mut self, packed: Packed) -> io::Result<()> {
        let Packed { id, space, partial, age, bytes } = packed;
        self.file.write_all(&bytes)?;
        let len = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.places.push(RecordLocation { id, space, partial, age, offset: self.end, len });
        self.end += u64::from(len);
        Ok(())
    }

    /// The records by id; those of one id together, the newest first.
    pub(super) fn finish(self) -> io::Result<Staged> {
        let Staging { mut places, file, .. } = self;
        places.sort_unstable();
        Ok(Staged { places, file: file.into_inner().map_err(|error| error.into_error())? })
    }
}

pub(super) struct Staged {
    places: Vec<RecordLocation>,
    file: File,
}

impl Staged {
    /// The places of each id.
    pub(super) fn groups(&self) -> Vec<&[RecordLocation]> {
        self.places.chunk_by(|a, b| a.id == b.id && a.space == b.space).collect()
    }

    pub(super) fn read(&self, place: &RecordLocation) -> io::Result<Advisory> {
        let mut bytes = vec![0; place.len as usize];
        self.file.read_exact_at(&mut bytes, place.offset)?;
        Ok(serde_json::from_slice(&zstd::bulk::decompress(&bytes, MAX_STAGED)?)?)
    }
}

/// One record of several with the same id. The newest holds; where several are as
/// new, and where a source says only a part, what they say is put together.
pub(super) fn merge(staged: &Staged, places: &[RecordLocation]) -> io::Result<Advisory> {
    let mut records = Vec::new();
    for place in places {
        records.push((place, staged.read(place)?));
    }
    // The order of the inputs must not matter.
    let written = |advisory: &Advisory| serde_json::to_string(advisory).unwrap_or_default();
    records.sort_by_cached_key(|(place, advisory)| (place.partial, place.age, written(advisory)));
    let mut records = records.into_iter();
    let Some((first, mut merged)) = records.next() else {
        return Err(io::Error::other("no record"));
    };
    for (place, record) in records {
        if place.partial {
            add_part(&mut merged, record, first.partial);
        } else if place.age == first.age && record != merged {
            add_equal(&mut merged, record);
        }
    }
    Ok(merged)
}

/// A part adds the packages of which the whole record says nothing.
fn add_part(merged: &mut Advisory, part: Advisory, is_part: bool) {
    let known: Vec<(String, String)> = merged
        .affected
        .iter()
        .filter(|_| !is_part)
        .map(|affected| (affected.ecosystem.clone(), affected.name.clone()))
        .collect();
    for affected in part.affected {
        let said = known
            .iter()
            .any(|(ecosystem, name)| *ecosystem == affected.ecosystem && *name == affected.name);
        if !said && !merged.affected.contains(&affected) {
            merged.affected.push(affected);
        }
    }
    add_missing(&mut merged.upstream, part.upstream);
}

fn add_equal(merged: &mut Advisory, other: Advisory) {
    add_missing(&mut merged.affected, other.affected);
    add_missing(&mut merged.aliases, other.aliases);
    add_missing(&mut merged.upstream, other.upstream);
    add_missing(&mut merged.related, other.related);
    add_missing(&mut merged.severities, other.severities);
    add_missing(&mut merged.references, other.references);
    // Taken back by one of two: what is not sure is kept.
    if other.withdrawn.is_none() {
        merged.withdrawn = None;
    }
}

fn add_missing<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) {
    for one in from {
        if !to.contains(&one) {
            to.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::advisory::Affected;
    use super::*;

    fn record(modified: i64, packages: &[&str]) -> Advisory {
        let affected = packages.iter().map(|name| Affected {
            ecosystem: "npm".into(),
            name: (*name).into(),
            ..Affected::default()
        });
        Advisory {
            id: "X-1".into(),
            modified: jiff::Timestamp::from_second(modified).ok(),
            affected: affected.collect(),
            ..Advisory::default()
        }
    }

    /// The packages of what is merged, the same in every order.
    fn merged(records: &[(Advisory, bool)]) -> Vec<String> {
        let in_order = |order: &mut dyn Iterator<Item = &(Advisory, bool)>| {
            let mut staging = Staging::new().unwrap();
            for (record, partial) in order {
                staging.add(pack(record, *partial).unwrap()).unwrap();
            }
            let staged = staging.finish().unwrap();
            let groups = staged.groups();
            assert_eq!(groups.len(), 1);
            merge(&staged, groups[0]).unwrap()
        };
        let first = in_order(&mut records.iter());
        assert_eq!(first, in_order(&mut records.iter().rev()));
        first.affected.into_iter().map(|affected| affected.name).collect()
    }

    #[test]
    fn the_newest_record_holds() {
        assert_eq!(merged(&[(record(1, &["old"]), false), (record(2, &["new"]), false)]), ["new"]);
    }

    #[test]
    fn records_as_new_as_each_other_are_put_together() {
        let records = [(record(1, &["a", "b"]), false), (record(1, &["b", "c"]), false)];
        assert_eq!(merged(&records), ["a", "b", "c"]);
    }

    #[test]
    fn a_part_adds_what_the_record_does_not_say() {
        let mut part = record(0, &["a", "b"]);
        part.modified = None;
        part.affected[0].versions.push("1".into());
        let whole = record(5, &["a"]);
        assert_eq!(merged(&[(part.clone(), true), (whole, false)]), ["a", "b"]);
        let mut other = record(0, &["a"]);
        other.modified = None;
        assert_eq!(merged(&[(part, true), (other, true)]), ["a", "b", "a"]);
    }
}
