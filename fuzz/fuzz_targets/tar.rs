//! Walking a tar: by the reader, and by the walk that is given its bytes in pieces. Both have to
//! find the same, and to end.
#![no_main]

use std::io::Read;

use inscan_tar::{Archive, Entry, Found, Limits, Piece, Walk};

/// Most bytes of one content that are looked at: a hole costs nothing to write.
const MOST: u64 = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    name: Vec<u8>,
    link: Vec<u8>,
    flag: u8,
    size: u64,
    offset: u64,
}

impl Seen {
    fn of(entry: &Entry) -> Self {
        let Entry { name, link, flag, size, offset, .. } = entry;
        Seen { name: name.clone(), link: link.clone(), flag: *flag, size: *size, offset: *offset }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&step, data)) = data.split_first() else { return };
    let (read, read_ends_well) = by_reader(data);
    let (walked, walk_ends_well) = by_walk(data, usize::from(step) * 7 + 1);
    assert_eq!((read, read_ends_well), (walked, walk_ends_well));
});

fn by_reader(data: &[u8]) -> (Vec<Seen>, bool) {
    let mut archive = Archive::new(data, Limits::GO);
    let mut seen = Vec::new();
    loop {
        match archive.next_entry() {
            Ok(Some(entry)) => seen.push(Seen::of(entry)),
            Ok(None) => return (seen, true),
            Err(_) => return (seen, false),
        }
        // Some of it, as what is looked at; the rest is skipped.
        let _ = std::io::copy(&mut archive.by_ref().take(MOST), &mut std::io::sink());
    }
}

fn by_walk(data: &[u8], step: usize) -> (Vec<Seen>, bool) {
    let mut walk = Walk::new(Limits::GO);
    let (mut at, mut known, mut seen) = (0, 0, Vec::new());
    loop {
        let last = known == data.len();
        let mut wants_more = false;
        match walk.piece() {
            Some(Piece::Hole(length)) => walk.advance(length),
            Some(Piece::Stored(length)) => {
                let length = length.min((known - at) as u64);
                if length == 0 && last {
                    return (seen, false);
                }
                walk.advance(length);
                at += length as usize;
                wants_more = length == 0;
            }
            None => match walk.header(&data[at..known], last) {
                Err(_) => return (seen, false),
                Ok((taken, found)) => {
                    at += taken;
                    match found {
                        Found::End => return (seen, true),
                        Found::Entry => seen.push(Seen::of(walk.entry())),
                        Found::Needs(_) => wants_more = true,
                    }
                }
            },
        }
        if wants_more {
            assert!(!last, "it wants more at the end");
            known = (known + step).min(data.len());
        }
    }
}
