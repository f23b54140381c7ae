//! Held against Go's `archive/tar`: what it lists is listed here with the same names, links,
//! types, sizes, modes, owners and content, and what it refuses is refused here.
//!
//! Archives are generated and damaged from a seed, so that every run has the same. There are
//! 5,000 of them; `INSCAN_TAR_ARCHIVES` sets another number, `INSCAN_TAR_SEED` another seed.

mod generate;
mod random;

use std::collections::BTreeMap;
use std::io::Read;

use generate::archive;
use inscan_tar::{Archive, Entry, Found, Kind, Limits, Piece, ReadError, Walk};
use inscan_test_support::go::Go;
use inscan_test_support::{need_programs, setting};
use random::Random;

/// As in the lister: most bytes of one entry's content that are read.
const MAX_COUNT: u64 = 4 << 20;

/// What a reader made of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listing {
    /// One line for each entry, as the lister prints it.
    entries: Vec<String>,
    end: End,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Whole,
    /// A content was too big to be read here.
    Big,
    Error(String),
}

#[test]
#[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
fn lists_what_go_lists_and_refuses_what_go_refuses() {
    if !need_programs(&["go"]) {
        return;
    }
    let (count, seed) = (setting("INSCAN_TAR_ARCHIVES", 5000), setting("INSCAN_TAR_SEED", 1));
    let inputs = (0..count).map(move |number| archive(seed, number));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/go");
    let mut go = Go::asked(folder, env!("CARGO_TARGET_TMPDIR"), "tar-lister", inputs);
    let mut lines = go.lines();
    let mut tally = Tally::default();
    for number in 0..count {
        let bytes = archive(seed, number);
        let theirs = next_listing(&mut lines);
        let ours = by_reader(&bytes);
        let in_pieces = by_walk(&bytes, &mut Random::new(seed ^ number));
        assert_eq!(in_pieces, ours, "archive {number} of seed {seed}, in pieces");
        if let Some(difference) = difference(&theirs, &ours) {
            let file = std::env::temp_dir().join(format!("inscan-tar-{seed}-{number}.tar"));
            std::fs::write(&file, &bytes).unwrap();
            panic!("archive {number} of seed {seed} ({}): {difference}", file.display());
        }
        tally.add(&theirs, &ours);
    }
    drop(lines);
    go.ends();
    println!("{count} archives of seed {seed}: {tally:#?}");
    tally.check(count);
}

/// What makes two listings differ, where that may not be.
fn difference(theirs: &Listing, ours: &Listing) -> Option<String> {
    // Global records, in one of which a number is none: chance decides which of them Go took.
    let by_chance = |line: &str| line.starts_with("entry [?] [] 103 ");
    let same = |(theirs, ours): (&String, &String)| {
        theirs == ours || by_chance(theirs) && ours.contains("] [] 103 ")
    };
    let pairs = theirs.entries.iter().zip(&ours.entries);
    let are_same = pairs.clone().all(same) && theirs.entries.len() == ours.entries.len();
    let fine = match (&theirs.end, &ours.end) {
        (End::Whole, End::Whole) | (End::Big, End::Big) => are_same,
        // Refused by both. Ours tells earlier of a map that does not fit its content.
        (End::Error(_), End::Error(_)) => pairs.clone().all(same),
        // Go's reader would tell at the end of a content that is too big to be read here.
        (End::Big, End::Error(code)) => code == "tar-map-size" && pairs.clone().all(same),
        _ => false,
    };
    (!fine).then(|| format!("Go has {theirs:#?}, we have {ours:#?}"))
}

/// How many archives there were of which kind, so that a generator that makes only one is seen.
#[derive(Debug, Default)]
struct Tally {
    whole: u64,
    big: u64,
    refused: u64,
    entries: u64,
    /// Of our errors, by their codes.
    codes: BTreeMap<String, u64>,
    /// Of entries, by their types.
    types: BTreeMap<char, u64>,
}

impl Tally {
    fn add(&mut self, theirs: &Listing, ours: &Listing) {
        match &ours.end {
            End::Whole => self.whole += 1,
            End::Big => self.big += 1,
            End::Error(code) => {
                self.refused += 1;
                *self.codes.entry(code.clone()).or_default() += 1;
            }
        }
        self.entries += theirs.entries.len() as u64;
        for entry in &theirs.entries {
            let flag = entry.split(' ').nth(3).unwrap().parse().unwrap();
            *self.types.entry(char::from_u32(flag).unwrap()).or_default() += 1;
        }
    }

    fn check(&self, count: u64) {
        assert!(self.whole * 4 > count, "too few archives are whole");
        assert!(self.refused * 10 > count, "too few archives are refused");
        assert!(self.entries > count / 2, "too few entries");
        if count >= 5000 {
            assert!("0123456Sg".chars().all(|flag| self.types.contains_key(&flag)));
            let codes = "checksum number negative-size lone-zero-block cut-header cut-record \
                cut-content cut-map record record-number map map-size record-too-long";
            for code in codes.split_whitespace() {
                assert!(self.codes.contains_key(&format!("tar-{code}")), "no tar-{code}");
            }
        }
    }
}

fn next_listing(lines: &mut impl Iterator<Item = String>) -> Listing {
    let mut entries = Vec::new();
    loop {
        let line = lines.next().expect("the lister ended early");
        let end = match line.split_once(' ') {
            Some(("entry", _)) => {
                entries.push(line);
                continue;
            }
            Some(("error", text)) => End::Error(text.to_owned()),
            _ if line == "end" => End::Whole,
            _ if line == "big" => End::Big,
            _ => panic!("the lister says `{line}`"),
        };
        return Listing { entries, end };
    }
}

fn line(entry: &Entry, hash: u64) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let capability = entry.xattr(b"security.capability").unwrap_or_default();
    // Of global records, Go's reader gives no more than the name and all of the records.
    format!(
        "entry [{}] [{}] {} {} {} {} {} {hash:x} [{}]",
        hex(&entry.name),
        hex(&entry.link),
        entry.flag,
        entry.size,
        entry.mode,
        entry.uid,
        entry.gid,
        hex(capability)
    )
}

/// Lists through the reader.
fn by_reader(bytes: &[u8]) -> Listing {
    let mut archive = Archive::new(bytes, Limits::GO);
    let mut listing = Listing::default();
    let mut buffer = [0; 700];
    listing.end = loop {
        match archive.next_entry() {
            Ok(None) => break End::Whole,
            Ok(Some(_)) => {}
            Err(ReadError::Tar(error)) => break End::Error(error.fault.code().to_owned()),
            Err(ReadError::Io(error)) => panic!("{error}"),
        }
        let mut hash = Fnv::default();
        let end = loop {
            match archive.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => hash.update(&buffer[..count]),
                Err(_) => break Some(End::Error("tar-cut-content".to_owned())),
            }
            if hash.size >= MAX_COUNT {
                break Some(End::Big);
            }
        };
        if let Some(end) = end {
            break end;
        }
        assert_eq!(hash.size, archive.entry().size);
        listing.entries.push(line(archive.entry(), hash.state));
    };
    listing
}

/// Lists through the walk, which is given the bytes in pieces of any length.
fn by_walk(bytes: &[u8], random: &mut Random) -> Listing {
    let mut walk = Walk::new(Limits::GO);
    let mut listing = Listing::default();
    let mut hash = Fnv::default();
    let (mut at, mut known) = (0, 0);
    let mut in_entry = false;
    listing.end = loop {
        assert_eq!(walk.offset(), at as u64);
        let last = known == bytes.len();
        if let Some(piece) = walk.piece() {
            let length = match piece {
                Piece::Hole(length) => length.min(MAX_COUNT),
                Piece::Stored(length) => length.min((known - at) as u64),
            };
            match piece {
                Piece::Stored(_) if length == 0 && last => {
                    break End::Error(walk.cut().fault.code().to_owned());
                }
                Piece::Stored(_) => {
                    hash.update(&bytes[at..at + length as usize]);
                    at += length as usize;
                }
                Piece::Hole(_) => hash.zeros(length),
            }
            if hash.size >= MAX_COUNT {
                break End::Big;
            }
            walk.advance(length);
            if length == 0 {
                known = (known + 1 + random.below(1500)).min(bytes.len());
            }
            continue;
        }
        if std::mem::take(&mut in_entry) {
            listing.entries.push(line(walk.entry(), std::mem::take(&mut hash).state));
        }
        match walk.header(&bytes[at..known], last) {
            Err(error) => break End::Error(error.fault.code().to_owned()),
            Ok((taken, found)) => {
                at += taken;
                match found {
                    Found::End => break End::Whole,
                    Found::Entry => in_entry = true,
                    Found::Needs(_) => {
                        assert!(!last, "it wants more at the end");
                        known = (known + 1 + random.below(1500)).min(bytes.len());
                    }
                }
            }
        }
    };
    listing
}

/// FNV-1a of 64 bits.
struct Fnv {
    state: u64,
    size: u64,
}

impl Default for Fnv {
    fn default() -> Self {
        Fnv { state: 0xcbf2_9ce4_8422_2325, size: 0 }
    }
}

impl Fnv {
    fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        for &byte in bytes {
            self.state = (self.state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn zeros(&mut self, count: u64) {
        self.size += count;
        for _ in 0..count {
            self.state = self.state.wrapping_mul(0x100_0000_01b3);
        }
    }
}

#[test]
fn global_records_are_an_entry_without_content() {
    let mut tar = generate::Tar::default();
    tar.extended(b'g', b"15 path=global\n");
    let mut walk = Walk::new(Limits::GO);
    let (_, found) = walk.header(&tar.bytes, true).unwrap();
    assert_eq!((found, walk.entry().kind), (Found::Entry, Kind::Global));
    assert_eq!((walk.entry().name.as_slice(), walk.piece()), (&b"global"[..], None));
}
