//! What is found package by package beside what is found in whole documents: it is the same.

#![allow(clippy::print_stdout, reason = "figures for who runs it with --nocapture")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use inscan_document::{self as document, Section};
use inscan_evaluate::{Data, Options};
use inscan_facts::progress::Silent;
use inscan_judge::subjects::{self, Subject};
use inscan_judge::vulnerable::{self, Item, Package};
use inscan_test_support::oracle::{bytes_or_gz, oracle};
use inscan_vulndb::Database;
use inscan_vulndb::build::{Dates, build};
use jiff::Timestamp;

const THEN: &str = "2026-11-22T12:00:00Z";

/// All of an item but where its package lies and how often it is there.
fn plain(item: &Item) -> String {
    let package = Package { path: String::new(), ..item.package.clone() };
    format!("{:?}", Item { index: 0, package, ..item.clone() })
}

fn all(items: &[Item]) -> BTreeSet<String> {
    items.iter().map(plain).collect()
}

/// Both ways, for documents together as a server has them. Returns how many items there are.
fn compare(documents: &[(String, Section)], database: &Database) -> usize {
    let then: Timestamp = THEN.parse().unwrap();
    let data = Data { database, source: "test" };
    let options = Options { today: "2026-11-22".parse().unwrap(), ..Options::default() };
    let of_all: Vec<Vec<Subject>> =
        documents.iter().map(|(_, section)| subjects::of_document(section)).collect();
    let together: Vec<Subject> = of_all.iter().flatten().cloned().collect();
    let found = subjects::matches(&together, data, &options, then).unwrap();
    assert_eq!(found.len(), together.len());
    let mut found = found.into_iter();
    let mut count = 0;
    for ((name, section), subjects) in documents.iter().zip(&of_all) {
        let items: Vec<Item> = found.by_ref().take(subjects.len()).flatten().collect();
        let whole = vulnerable::judge(section, data, &options, then).unwrap();
        let (ours, expected) = (all(&items), all(&whole.items));
        let more: Vec<_> = ours.difference(&expected).take(3).collect();
        let less: Vec<_> = expected.difference(&ours).take(3).collect();
        assert!(more.is_empty() && less.is_empty(), "{name}: more {more:#?}, less {less:#?}");
        count += expected.len();
    }
    count
}

fn read(paths: &[PathBuf]) -> Vec<(String, Section)> {
    let read = |path: &PathBuf| {
        let section = document::read(&bytes_or_gz(path).unwrap()).unwrap();
        (path.display().to_string(), section)
    };
    paths.iter().map(read).collect()
}

#[test]
fn packages_of_the_legacy_engines_documents_match_as_the_documents_do() {
    let Some(oracle) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feeds.db");
    let dates = Dates { now: THEN.parse().unwrap(), built: None };
    build(&[oracle.join("feed")], &file, dates, &Silent).unwrap();
    let images = fs::read_dir(oracle.join("images")).unwrap();
    let mut paths: Vec<PathBuf> =
        images.map(|entry| entry.unwrap().path().join("analysis.json")).collect();
    paths.retain(|path| bytes_or_gz(path).is_some());
    assert!(paths.len() >= 10, "{}", paths.len());
    let count = compare(&read(&paths), &Database::open(&file).unwrap());
    assert!(count > 100, "{count}");
}

/// Documents and a database of one's own: `INSCAN_DOCUMENTS` (a folder of them) and `INSCAN_DB`.
#[test]
#[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
fn packages_of_given_documents_match_as_the_documents_do() {
    let given = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(folder), Some(file)) = (given("INSCAN_DOCUMENTS"), given("INSCAN_DB")) else {
        return;
    };
    let is_document = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(is_document);
    let count = compare(&read(&paths), &Database::open(&file).unwrap());
    println!("{} documents, {count} items", paths.len());
    assert!(count > 0);
}
