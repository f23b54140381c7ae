//! How fast files are searched for secrets: bytes a second over JavaScript, other text and binary
//! files, made from a seed or found below `$INSCAN_BENCH_FILES`. CONTRIBUTING.md says how it is run.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use inscan_contract::{Analyzer, Config, Facts, FileHead};
use inscan_secrets::Secrets;

/// Bytes of each kind, at most.
const MOST: usize = 64 << 20;
/// Files above that size are not searched, but for binary ones.
const MAX_FILE: u64 = 4 << 20;
/// Bytes of each kind that are made from a seed.
const MADE: usize = 16 << 20;
/// Each kind is searched so often; the fastest counts.
const TIMES: usize = 5;

type Files = Vec<(String, Vec<u8>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let kinds = match std::env::var_os("INSCAN_BENCH_FILES") {
        Some(directory) => found(Path::new(&directory))?,
        None => made(),
    };
    let secrets = Secrets::new(&Config::default());
    for (name, files) in ["JavaScript", "text", "binary"].into_iter().zip(kinds) {
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let runs = (0..=TIMES).map(|_| search(&secrets, &files));
        let runs: Vec<_> = runs.collect();
        let fastest = runs[1..].iter().map(|(time, _)| *time).min().unwrap_or_default();
        let speed = bytes as f64 / fastest.as_secs_f64() / 1e9;
        let (count, found) = (files.len(), runs[0].1);
        println!("{name:10} {speed:6.3} GB/s, {count} files of {bytes} bytes, {found} found");
    }
    Ok(())
}

/// The time for all files, and how many secrets are in them.
fn search(secrets: &Secrets, files: &Files) -> (Duration, usize) {
    let begun = Instant::now();
    let mut found = 0;
    for (path, bytes) in files {
        let mut facts = Facts::default();
        let start = &bytes[..bytes.len().min(8 << 10)];
        let head = FileHead { path: path.as_bytes(), mode: 0o644, size: bytes.len() as u64, start };
        drop(secrets.inspect(&head, &&bytes[..], &mut facts));
        found += black_box(facts).facts.len();
    }
    (begun.elapsed(), found)
}

/// The files below a directory, without following links.
fn found(directory: &Path) -> std::io::Result<[Files; 3]> {
    let mut kinds = [Files::new(), Files::new(), Files::new()];
    let mut sizes = [0; 3];
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let mut entries = std::fs::read_dir(&directory)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() && entry.metadata()?.len() <= MAX_FILE {
                let bytes = std::fs::read(&path)?;
                let kind = kind_of(&path, &bytes);
                if !bytes.is_empty() && sizes[kind] + bytes.len() <= MOST {
                    sizes[kind] += bytes.len();
                    kinds[kind].push((path.to_string_lossy().into_owned(), bytes));
                }
            }
        }
    }
    Ok(kinds)
}

fn kind_of(path: &Path, bytes: &[u8]) -> usize {
    let ending = path.extension().unwrap_or_default();
    if bytes[..bytes.len().min(8 << 10)].contains(&0) {
        2
    } else {
        usize::from(!["cjs", "js", "mjs", "ts"].iter().any(|one| ending == *one))
    }
}

/// Words in the order that a seed gives, with the signs of a program or of prose between them.
fn made() -> [Files; 3] {
    const WORDS: &str = "function return const key value length token this exports module require undefined \
        password secret index object prototype call apply string number license access path pattern default \
        the of and to in is that for with as on be at by from or an are not have it which all can will has";
    let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut text = |signs: &[&str]| {
        let mut text = String::new();
        while text.len() < 256 << 10 {
            text.push_str(words[next() as usize % words.len()]);
            text.push_str(signs[next() as usize % signs.len()]);
        }
        text.into_bytes()
    };
    let script = text(&[".", "(", ");", " = ", ", ", ":", "{", "}\n", " => ", "[0]", "\"", "_"]);
    let prose = text(&[" ", " ", " ", " ", ", ", ".\n", ": ", " (", ") ", "\n\n"]);
    let binary = (0..(256 << 10) / 8).flat_map(|_| next().to_le_bytes()).collect();
    [("a.js", script), ("a.txt", prose), ("a.bin", binary)].map(|(name, bytes): (_, Vec<u8>)| {
        (0..MADE / bytes.len()).map(|_| (name.to_owned(), bytes.clone())).collect()
    })
}
