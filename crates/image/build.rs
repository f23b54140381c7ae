//! Makes a number of all sources that decide what is found in a layer. What the layer
//! cache has from another number is not believed, so that no changed rule is ever
//! answered by what an older one found.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The analyzers, the pass over a layer, and the versions of all libraries; from the workspace's root.
const SOURCES: [&str; 15] = [
    "analyzers",
    "crates/archives",
    "crates/contract",
    "crates/facts",
    "crates/hash",
    "crates/image/build.rs",
    "crates/image/src/layer",
    "crates/image/src/layer.rs",
    "crates/python-regex",
    "crates/sbom",
    "crates/secrets",
    "crates/tar",
    "crates/zip",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() {
    let root = Path::new("../..");
    let mut files = Vec::new();
    for source in SOURCES.map(|source| root.join(source)) {
        println!("cargo::rerun-if-changed={}", source.display());
        collect(&source, &mut files);
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        let content = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file.to_string_lossy(), content).hash(&mut hasher);
    }
    println!("cargo::rustc-env=INSCAN_LAYER_SOURCES={:016x}", hasher.finish());
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(path) else {
        // A lock file need not be there.
        return files.extend(path.is_file().then(|| path.to_owned()));
    };
    for entry in entries.flatten() {
        collect(&entry.path(), files);
    }
}
