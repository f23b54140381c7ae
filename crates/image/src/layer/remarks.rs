//! What is said about entries that are not taken as they stand: in a few words each, and no
//! more than a hundred times, for an image can have millions of them.

use inscan_analyzers::problem::{AMBIGUOUS, OVER_LIMIT, REFUSED};
use inscan_analyzers::{Hides, Problem};
use inscan_tar::{Entry, Kind};

use super::scan::LayerScan;

/// Of one kind of remark, so many are told; more are counted.
const MAX_TOLD: u64 = 100;
/// Bytes of a name that are shown.
const MAX_SHOWN: usize = 200;

/// Why an analyzer was not given a file.
pub(super) const TOO_MANY_HOLES: &str = "a sparse file with too much in holes";

/// How many there were of each kind.
#[derive(Default)]
pub(super) struct Remarks {
    unknown: u64,
    global: u64,
    escapes: u64,
    holes: u64,
}

impl Remarks {
    /// An entry that is no file of the image. Global records are said only where an engine may
    /// take them for a file of their name: docker removes what is there.
    pub(super) fn skipped(&mut self, scan: &mut LayerScan, entry: &Entry) {
        match entry.kind {
            Kind::Other(flag) => tell(&mut self.unknown, scan, UNKNOWN, || {
                let flag = flag.escape_ascii();
                format!("{} is of the unknown type `{flag}`: skipped", place(entry))
            }),
            _ if is_usual_global(&entry.name) => {}
            _ => tell(&mut self.global, scan, GLOBAL, || {
                format!(
                    "{} are global records that have the name of a file: some engines remove that file",
                    place(entry)
                )
            }),
        }
    }

    pub(super) fn escape(&mut self, scan: &mut LayerScan, entry: &Entry, taken_as: &[u8]) {
        tell(&mut self.escapes, scan, ESCAPE, || {
            format!("{} leads out of the image: taken as `{}`", place(entry), shown(taken_as))
        });
    }

    /// A sparse file of `size` bytes, `holes` of them in holes.
    pub(super) fn too_many_holes(
        &mut self,
        scan: &mut LayerScan,
        place: &str,
        size: u64,
        holes: u64,
    ) {
        tell(&mut self.holes, scan, HOLES, || {
            format!(
                "{place} is a sparse file of {size} bytes with {holes} in holes: its content was not read"
            )
        });
    }

    /// Tells of those that were only counted.
    pub(super) fn finish(&self, scan: &mut LayerScan) {
        let kinds = [
            (self.unknown, UNKNOWN, "entries of an unknown type were skipped"),
            (self.global, GLOBAL, "global records have the name of a file"),
            (self.escapes, ESCAPE, "names lead out of the image"),
            (self.holes, HOLES, "sparse files were not read"),
        ];
        for (count, what, more) in kinds.into_iter().filter(|(count, ..)| *count > MAX_TOLD) {
            push(scan, what, format!("{} more {more}", count - MAX_TOLD));
        }
    }
}

/// What a remark says of what was seen: its code, and what it hides.
type What = (&'static str, Hides);
const UNKNOWN: What = (REFUSED, Hides::Content);
const GLOBAL: What = (AMBIGUOUS, Hides::Content);
/// Whoever unpacks it at all takes it by this name.
const ESCAPE: What = (AMBIGUOUS, Hides::Nothing);
const HOLES: What = (OVER_LIMIT, Hides::Content);

fn tell(count: &mut u64, scan: &mut LayerScan, what: What, message: impl FnOnce() -> String) {
    *count += 1;
    if *count <= MAX_TOLD {
        push(scan, what, message());
    }
}

fn push(scan: &mut LayerScan, (code, hides): What, message: String) {
    scan.problems.push(Problem::new(None, message).hiding(hides, code));
}

/// Which entry, and where it is in the layer's tar.
pub(super) fn place(entry: &Entry) -> String {
    format!("`{}` (at offset {})", shown(&entry.name), entry.offset)
}

/// A name without control characters, and not endless.
pub(super) fn shown(name: &[u8]) -> String {
    match name.get(..MAX_SHOWN) {
        Some(start) if name.len() > MAX_SHOWN => format!("{}…", start.escape_ascii()),
        _ => name.escape_ascii().to_string(),
    }
}

/// The names that git, GNU tar and Python give to global records.
fn is_usual_global(name: &[u8]) -> bool {
    let last = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    last == b"pax_global_header" || last == b"@PaxHeader" || last.starts_with(b"GlobalHead.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: Kind) -> Entry {
        let mut entry = Entry::default();
        entry.name = name.into();
        entry.kind = kind;
        entry
    }

    #[test]
    fn a_hundred_of_a_kind_are_told_and_the_others_counted() {
        let (mut remarks, mut scan) = (Remarks::default(), LayerScan::default());
        for _ in 0..250 {
            remarks.skipped(&mut scan, &entry(&"x".repeat(1000), Kind::Other(b'Z')));
        }
        remarks.finish(&mut scan);
        assert_eq!(scan.problems.len(), 101);
        assert!(scan.problems[0].message.len() < 300, "{:?}", scan.problems[0]);
        assert_eq!(scan.problems[100].hides, Hides::Content);
        assert_eq!(scan.problems[100].message, "150 more entries of an unknown type were skipped");
    }

    #[test]
    fn global_records_are_told_where_they_have_a_files_name() {
        let told = |name: &str| {
            let mut scan = LayerScan::default();
            Remarks::default().skipped(&mut scan, &entry(name, Kind::Global));
            scan.problems.len()
        };
        assert_eq!(told("pax_global_header"), 0);
        assert_eq!(told("/tmp/GlobalHead.12.1"), 0);
        assert_eq!(told("././@PaxHeader"), 0);
        assert_eq!(told("var/lib/dpkg/status"), 1);
        assert_eq!(told("var/lib/dpkg/.wh.status"), 1);
    }
}
