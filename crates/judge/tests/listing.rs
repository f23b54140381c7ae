//! Our list of what is vulnerable beside that of the legacy engine, for the same
//! documents and the same feeds.
//!
//! Differences that are
//! meant are listed in COMPATIBILITY.md, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use inscan_document as document;
use inscan_evaluate::{Data, Options};
use inscan_facts::progress::Silent;
use inscan_judge::vulnerable::{self, listing::Which};
use inscan_test_support::in_project;
use inscan_test_support::oracle::{bytes_or_gz, oracle};
use inscan_vulndb::Database;
use inscan_vulndb::build::{Dates, build};
use jiff::Timestamp;
use serde_json::Value;

/// When the engine was asked.
const THEN: &str = "2026-11-22T12:00:00Z";

#[test]
fn the_list_equals_the_engines_but_for_what_is_listed() {
    let Some(oracle) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feeds.db");
    let then: Timestamp = THEN.parse().unwrap();
    let dates = Dates { now: then, built: None };
    build(&[oracle.join("feed")], &file, dates, &Silent).unwrap();
    let database = Database::open(&file).unwrap();
    let mut found = BTreeSet::new();
    let samples = samples(&oracle);
    assert!(samples.len() >= 14, "only {} samples", samples.len());
    for sample in samples {
        let section = document::read(&document_of(&oracle, &sample.image)).unwrap();
        let data = Data { database: &database, source: "feeds.db" };
        let options = Options { today: "2026-11-22".parse().unwrap(), ..Options::default() };
        let vulnerable = vulnerable::judge(&section, data, &options, then).unwrap();
        let digest = sample.expected["imageDigest"].as_str().unwrap();
        let ours = vulnerable.listing(sample.which, digest, sample.vendor_only);
        for field in ["imageDigest", "vulnerability_type"] {
            assert_eq!(ours[field], sample.expected[field], "{}", sample.name);
        }
        let differences = differences(&sample.expected, &ours);
        found.extend(differences.into_iter().map(|it| (sample.image.clone(), it)));
    }
    let meant = meant();
    let not_meant: Vec<_> = found.difference(&meant).collect();
    let gone: Vec<_> = meant.difference(&found).collect();
    assert!(not_meant.is_empty() && gone.is_empty(), "not listed: {not_meant:#?}\ngone: {gone:#?}");
}

struct Sample {
    name: String,
    image: String,
    which: Which,
    vendor_only: bool,
    expected: Value,
}

/// `vuln-IMAGE-WHICH[-vendoronly-BOOL].json`: what the engine answered.
fn samples(oracle: &Path) -> Vec<Sample> {
    let mut samples = Vec::new();
    for entry in fs::read_dir(oracle.join("http-samples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix("vuln-") else { continue };
        let (rest, vendor_only) = match rest.split_once("-vendoronly-") {
            Some((rest, said)) => (rest, said.eq_ignore_ascii_case("true")),
            None => (rest, true),
        };
        let kinds = [("-non-os", Which::NonOs), ("-os", Which::Os), ("-all", Which::All)];
        let kind = kinds.iter().find_map(|(end, which)| Some((rest.strip_suffix(end)?, *which)));
        // The others are about the API itself.
        let Some((image, which)) = kind else { continue };
        let mut answer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let image = image.to_owned();
        samples.push(Sample { name, image, which, vendor_only, expected: answer["body"].take() });
    }
    samples
}

/// `+ ID PACKAGE`: ours alone; `- ID PACKAGE`: the engine's alone; `~ ID PACKAGE FIELD`: it
/// differs there.
fn differences(expected: &Value, ours: &Value) -> Vec<String> {
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    let by_key = |answer: &Value| {
        let mut items: BTreeMap<(String, String, String), Vec<Value>> = BTreeMap::new();
        for item in answer["vulnerabilities"].as_array().unwrap() {
            let key = (text(item, "vuln"), text(item, "package"), text(item, "package_path"));
            items.entry(key).or_default().push(item.clone());
        }
        items
    };
    let (expected, ours) = (by_key(expected), by_key(ours));
    let keys: BTreeSet<_> = expected.keys().chain(ours.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        let none = Vec::new();
        let (theirs, own) = (expected.get(key).unwrap_or(&none), ours.get(key).unwrap_or(&none));
        let what = format!("{} {}", key.0, key.1);
        for pair in 0..theirs.len().max(own.len()) {
            match (theirs.get(pair), own.get(pair)) {
                (Some(theirs), Some(own)) => {
                    let (theirs, own) = (theirs.as_object().unwrap(), own.as_object().unwrap());
                    let fields: BTreeSet<_> = theirs.keys().chain(own.keys()).collect();
                    let different = fields.iter().filter(|it| theirs.get(**it) != own.get(**it));
                    found.extend(different.map(|field| format!("~ {what} {field}")));
                }
                (Some(_), None) => found.push(format!("- {what}")),
                (None, _) => found.push(format!("+ {what}")),
            }
        }
    }
    found
}

/// The rows of the table of vulnerabilities in COMPATIBILITY.md.
fn meant() -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(in_project("COMPATIBILITY.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| image |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cells: Vec<_> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
        assert!(cells.len() == 3 && !cells[2].is_empty(), "a line without a reason: {row}");
        let image = cells[0].to_owned();
        let each = cells[1].split(", ").map(|what| what.trim_matches('`').to_owned());
        each.map(move |what| (image.clone(), what)).collect::<Vec<_>>()
    })
    .collect()
}

fn document_of(oracle: &Path, image: &str) -> Vec<u8> {
    bytes_or_gz(&oracle.join("images").join(image).join("analysis.json")).unwrap()
}
