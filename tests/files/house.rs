//! The house is in order: who may know whom, and what is generated is fresh.

use std::fs;
use std::path::{Path, PathBuf};

use inscan_analyzers::Config;
use inscan_test_support::root;

fn text(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// All files below a folder of the project, by path from its root.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default();
            if path.is_symlink() || name == "target" || name == ".git" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Which crates each crate may use; one that is not here, none. The compiler keeps to the
/// manifests; this keeps the manifests to ARCHITECTURE.md.
const MAY_USE: &[(&str, &[&str])] = &[
    ("analyzers", &["archives", "contract", "facts", "python-regex", "sbom", "secrets", "zip"]),
    ("crates/archives", &["facts", "tar", "zip"]),
    ("crates/contract", &["facts"]),
    ("crates/document", &["facts", "sbom"]),
    ("crates/evaluate", &["document", "facts", "vulndb"]),
    ("crates/facts", &[]),
    ("crates/hash", &[]),
    ("crates/image", &["analyzers", "document", "facts", "hash", "net", "tar"]),
    ("crates/judge", &["document", "evaluate", "facts", "python-regex", "vulndb"]),
    ("crates/net", &["facts"]),
    ("crates/python-regex", &[]),
    ("crates/report", &["document", "evaluate", "facts", "judge"]),
    ("crates/sbom", &["facts"]),
    ("crates/secrets", &["archives", "contract", "facts"]),
    ("crates/store", &["net"]),
    ("crates/tar", &[]),
    ("crates/vulndb", &["facts", "net", "tar", "zip"]),
    ("crates/zip", &["facts"]),
];

#[test]
fn crates_use_only_what_lies_before_them() {
    let crates = files("crates").into_iter().chain([PathBuf::from("analyzers/Cargo.toml")]);
    for manifest in crates.filter(|file| file.ends_with("Cargo.toml")) {
        let name = manifest.parent().unwrap().to_str().unwrap();
        let allowed = MAY_USE.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, uses)| uses);
        let text = text(&manifest);
        let dependencies = text.split("[dev-dependencies]").next().unwrap();
        let used = dependencies.lines().filter_map(|line| line.strip_prefix("inscan-"));
        for used in used.map(|line| line.split(['.', ' ']).next().unwrap()) {
            assert!(allowed.contains(&used), "{name} must not use `{used}`");
        }
    }
}

/// So that `--offline`, certificates and proxies hold for all there is.
#[test]
fn connections_are_made_in_one_place() {
    // clamd is asked over its own protocol, on this machine.
    let may = ["crates/net", "crates/image/src/malware.rs"];
    let sources = ["src", "crates"].into_iter().flat_map(files);
    let sources = sources.filter(|file| file.extension().is_some_and(|it| it == "rs"));
    for file in
        &sources.filter(|file| !may.iter().any(|place| file.starts_with(place))).collect::<Vec<_>>()
    {
        for (number, line) in text(file).lines().enumerate() {
            let made = ["reqwest", "TcpStream", "UdpSocket"].iter().any(|name| line.contains(name));
            let comment = line.trim_start().starts_with("//");
            assert!(comment || !made, "{}:{}: use `crate::net`", file.display(), number + 1);
        }
    }
}

#[test]
fn analyzers_know_nothing_of_images_threads_and_the_network() {
    for path in ["analyzers", "crates/contract", "crates/secrets"] {
        let manifest = text(&Path::new(path).join("Cargo.toml"));
        for unwanted in ["inscan =", "tokio", "reqwest", "rayon", "clap", "anyhow"] {
            let used = manifest.lines().any(|line| line.starts_with(unwanted));
            assert!(!used, "{path}/Cargo.toml: `{unwanted}`");
        }
    }
}

#[test]
fn parsers_know_no_analyzer() {
    let of_parsers = |file: &PathBuf| file.to_string_lossy().starts_with("analyzers/parse");
    for file in files("analyzers").into_iter().filter(of_parsers) {
        for (number, line) in text(&file).lines().enumerate() {
            let rooms = ["content", "language", "os"];
            let used = rooms.iter().find(|room| line.contains(&format!("crate::{room}")));
            assert_eq!(used, None, "{}:{}", file.display(), number + 1);
        }
    }
}

#[test]
fn analyzers_are_in_order_and_in_the_readme() {
    let analyzers = inscan_analyzers::all(&Config::default());
    let names: Vec<_> = analyzers.iter().map(|analyzer| analyzer.name()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(names, sorted, "in order, and each name once");

    let row = |name: &str, about: &str| format!("| `{name}` | {about} |");
    let expected: Vec<String> =
        analyzers.iter().map(|analyzer| row(analyzer.name(), analyzer.about())).collect();
    let readme = text(Path::new("README.md"));
    let table = readme.split("<!-- analyzers -->").nth(1).expect("the table is between its marks");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows, expected, "README.md: the rows are to be:\n{}\n", expected.join("\n"));
}

#[test]
fn the_glossary_is_in_order_and_has_each_term_once() {
    let glossary = text(Path::new("docs/glossary.md"));
    let rows = glossary.lines().filter_map(|line| line.strip_prefix("| ")).skip(2);
    let terms: Vec<_> =
        rows.map(|row| row.split(" | ").next().expect("a first column").to_lowercase()).collect();
    let mut sorted = terms.clone();
    sorted.sort();
    sorted.dedup();
    assert!(terms.len() > 50, "the table is read: {terms:?}");
    assert_eq!(terms, sorted, "in order, and each term once");
}

#[test]
fn every_command_teaches_with_an_example() {
    let inscan = inscan::cli::definition();
    for command in inscan.get_subcommands().chain([&inscan]) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let name = command.get_name();
        assert!(help.starts_with("Examples:") && help.contains("  inscan "), "`{name}`: {help}");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "`{name}`: {} has no help", argument.get_id());
        }
    }
}

/// Those that are kept are of the whole program.
#[cfg(feature = "http")]
#[test]
fn completions_are_fresh() {
    use clap_complete::Shell;
    let shells = [
        (Shell::Bash, "inscan.bash"),
        (Shell::Fish, "inscan.fish"),
        (Shell::PowerShell, "_inscan.ps1"),
        (Shell::Zsh, "_inscan"),
    ];
    for (shell, name) in shells {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut inscan::cli::definition(), "inscan", &mut script);
        let path = root().join("completions").join(name);
        if std::env::var_os("UPDATE_COMPLETIONS").is_some() {
            fs::write(&path, &script).unwrap();
        }
        let fresh = fs::read(&path).is_ok_and(|kept| kept == script);
        assert!(fresh, "completions/{name}: run `UPDATE_COMPLETIONS=1 cargo test --test files`");
    }
}

#[test]
fn every_fixture_says_where_it_is_from() {
    for entry in fs::read_dir(root().join("fixtures")).unwrap() {
        let folder = entry.unwrap().path();
        let said = !folder.is_dir() || folder.join("README.md").is_file();
        assert!(said, "{}: no README.md", folder.display());
    }
}

#[test]
fn links_and_named_files_are_there() {
    for page in files(".").iter().filter(|file| file.extension().is_some_and(|it| it == "md")) {
        let folder = root().join(page.parent().unwrap());
        for link in text(page).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let is_there = target.contains("://") || folder.join(target).exists();
            assert!(is_there, "{}: `{target}` is not there", page.display());
        }
    }
    let help = inscan::cli::definition()
        .find_subcommand_mut("analyze")
        .map(|analyze| analyze.render_long_help().to_string())
        .unwrap();
    let schema = "docs/analysis-document.schema.json";
    assert!(help.contains(schema) && root().join(schema).is_file());
}

#[test]
fn no_package_registry_is_named() {
    // In two pieces, so that this file does not name them either.
    let hosts = [
        ("registry.npm", "js.org"),
        ("registry.yarn", "pkg.com"),
        ("pypi", ".org"),
        ("files.python", "hosted.org"),
        ("crates", ".io/"),
        ("ruby", "gems.org"),
        ("repo1.maven", ".org"),
        ("repo.maven", ".apache.org"),
        ("proxy.go", "lang.org"),
        ("deb.deb", "ian.org"),
        ("security.deb", "ian.org"),
        ("archive.ub", "untu.com"),
        ("dl-cdn.alpine", "linux.org"),
        ("api.nu", "get.org"),
        ("packag", "ist.org"),
    ];
    for file in files(".") {
        // Cargo's own record of where its crates are from.
        if file.ends_with("Cargo.lock") {
            continue;
        }
        let content = fs::read(root().join(&file)).unwrap();
        let content = String::from_utf8_lossy(&content);
        for (host, end) in hosts {
            let name = format!("{host}{end}");
            assert!(!content.contains(&name), "{}: names `{name}`", file.display());
        }
    }
}

#[test]
fn every_code_of_an_image_is_documented() {
    let documented = text(Path::new("docs/errors.md"));
    let source = text(Path::new("crates/image/src/fault.rs"));
    let codes: Vec<&str> = source.split('"').skip(1).step_by(2).collect();
    assert!(codes.len() > 8, "{codes:?}");
    for code in codes {
        assert!(documented.contains(&format!("`{code}`")), "`{code}` is not in docs/errors.md");
    }
}
