//! Writes the project's fixtures, and the files in the folders named, as first inputs
//! for the targets: `cargo run --example corpus -- [FOLDER ...]`.

use std::fs;
use std::path::{Path, PathBuf};

use inscan_analyzers::{Matcher, Pattern, START_LEN};

/// As many bytes as the targets are given (`-max_len` in CONTRIBUTING.md).
const MAX_LEN: u64 = 1 << 18;

const TARGETS: [&str; 12] = [
    "advisories",
    "analyzer",
    "database",
    "document",
    "exceptions",
    "image",
    "layer",
    "policy",
    "sbom",
    "tar",
    "versions",
    "vex",
];

/// First inputs that no fixture is.
const WRITTEN: [(&str, &[&str]); 3] = [
    (
        "exceptions",
        &[
            "ignore:\n- {id: CVE-2024-1234, package: openssl, reason: agreed, expires: 2026-12-31}\n",
            "- purl: pkg:npm/minimist@1.2.5\n  path: app/**/package.json\n  reason: of tests\n",
            "CVE-2024-1234\nGHSA-jjg7-2v4v-x38h  # a list\n",
        ],
    ),
    (
        "versions",
        &[
            "\u{0}1.2.3_alpha2-r1\n1.2.3_p1\n>=1.0, <2",
            "\u{5}1:2.5.0~rc1-1+deb12u1\n2.5.0-1\n^1.2 || ~2.0",
            "\u{9}1.0-alpha-1\n1.0.0.Final\n[1.0,2.0)",
            "\u{c}1.2.3-beta.1+x\nv1.2\n1.x || >=2.5.0 <3 || 1 - 2",
            "\u{11}1!2.0.post1.dev3+local\n2.0rc1\n~=2.2, !=2.3.*",
            "\u{f}dev-main#abc\n1.0.x-dev\n^2.0@beta | ~1.2",
        ],
    ),
    (
        "vex",
        &[
            r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"a","author":"b","timestamp":"2025-01-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-2024-1"},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/debian/libexpat1@2.5.0-1"}]}],"status":"not_affected","justification":"component_not_present"}]}"#,
            r#"{"document":{"csaf_version":"2.0","category":"csaf_vex","tracking":{"current_release_date":"2025-01-01T00:00:00Z"}},"product_tree":{"branches":[{"category":"vendor","name":"v","branches":[{"category":"product_version","name":"p","product":{"product_id":"P","name":"p","product_identification_helper":{"purl":"pkg:deb/debian/expat@2.5.0-1"}}}]}]},"vulnerabilities":[{"cve":"CVE-2024-1","product_status":{"known_not_affected":["P"]},"flags":[{"label":"component_not_present","product_ids":["P"]}]}]}"#,
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"bom-ref":"c","purl":"pkg:npm/minimist@1.2.5"}],"vulnerabilities":[{"id":"CVE-2024-1","affects":[{"ref":"c"}],"analysis":{"state":"not_affected","justification":"code_not_present"}}]}"#,
        ],
    ),
];

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    list(&root.join("../fixtures"), &mut files)?;
    for folder in std::env::args_os().skip(1) {
        list(Path::new(&folder), &mut files)?;
    }
    let corpus = root.join("corpus");
    for target in TARGETS {
        fs::create_dir_all(corpus.join(target))?;
    }
    let mut number = 0;
    for file in files {
        let content = fs::read(&file)?;
        for input in analyzer_inputs(&file, &content) {
            number += 1;
            fs::write(corpus.join("analyzer").join(number.to_string()), input)?;
        }
        let extension = file.extension().unwrap_or_default().to_string_lossy().into_owned();
        let targets: &[&str] = match extension.as_str() {
            "tar" => &["image", "layer", "tar"],
            "json" => &["advisories", "document", "policy", "sbom", "vex"],
            "csv" | "gz" | "zip" => &["advisories"],
            "db" => &["database"],
            "yaml" | "yml" => &["exceptions", "policy"],
            _ => &[],
        };
        number += 1;
        for target in targets {
            fs::write(corpus.join(target).join(format!("{number}.{extension}")), &content)?;
        }
    }
    for (target, inputs) in WRITTEN {
        for (number, input) in inputs.iter().enumerate() {
            fs::write(corpus.join(target).join(format!("written-{number}")), input)?;
        }
    }
    println!("{number} files");
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
                Pattern::Any | Pattern::Text => continue,
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
