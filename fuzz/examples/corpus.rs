//! Writes the project's fixtures, and the files in the folders named, as first inputs
//! for the targets: `cargo run --example corpus -- [FOLDER ...]`.

use std::fs;
use std::path::{Path, PathBuf};

use inscan_analyzers::{Matcher, Pattern, START_LEN};

/// As many bytes as the targets are given (`-max_len` in CONTRIBUTING.md).
const MAX_LEN: u64 = 1 << 18;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    list(&root.join("../fixtures"), &mut files)?;
    for folder in std::env::args_os().skip(1) {
        list(Path::new(&folder), &mut files)?;
    }
    let corpus = root.join("corpus");
    for target in ["analyzer", "image", "layer", "tar"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    let mut number = 0;
    for file in files {
        let content = fs::read(&file)?;
        for input in analyzer_inputs(&file, &content) {
            number += 1;
            fs::write(corpus.join("analyzer").join(number.to_string()), input)?;
        }
        if file.extension().is_some_and(|extension| extension == "tar") {
            let name = format!("{number}.tar");
            for target in ["image", "layer", "tar"] {
                fs::copy(&file, corpus.join(target).join(&name))?;
            }
        }
    }
    println!("{number} files for the analyzers");
    Ok(())
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else if entry.metadata()?.len() <= MAX_LEN {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The file for each want that it meets, in the form that `one_file` takes.
fn analyzer_inputs(file: &Path, content: &[u8]) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    // Somewhere along the path an image begins.
    let parts: Vec<_> = file.iter().collect();
    let paths: Vec<PathBuf> = (0..parts.len()).map(|at| parts[at..].iter().collect()).collect();
    for (analyzer, wanting) in inscan_fuzz::analyzers().iter().enumerate() {
        for (number, want) in wanting.wants().into_iter().enumerate() {
            let magic: &[u8] = match want.pattern {
                Pattern::Any => continue,
                Pattern::Magic(magic) => magic,
                _ => b"",
            };
            let matcher = Matcher::new([vec![want]]);
            let start = &content[..content.len().min(START_LEN)];
            let is_wanted = |path: &PathBuf| {
                !matcher.matches(path.to_string_lossy().as_bytes(), start).is_empty()
            };
            let (Ok(analyzer), Ok(number)) = (u8::try_from(analyzer), u8::try_from(number)) else {
                continue;
            };
            if paths.iter().any(is_wanted) {
                inputs.push([&[analyzer, number], &content[magic.len()..]].concat());
            }
        }
    }
    inputs
}
