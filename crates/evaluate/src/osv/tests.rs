use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use inscan_zip::Zip;
use rayon::prelude::*;
use serde_json::Value;

use super::*;

fn introduced(version: &str) -> Event {
    Event::Introduced(version.into())
}

fn fixed(version: &str) -> Event {
    Event::Fixed(version.into())
}

fn last_affected(version: &str) -> Event {
    Event::LastAffected(version.into())
}

fn entry(events: impl IntoIterator<Item = Event>) -> Affected {
    let range = Range { kind: RangeKind::Ecosystem, events: events.into_iter().collect() };
    Affected { ranges: vec![range], ..Affected::default() }
}

/// Of each version whether it is affected.
#[track_caller]
fn check(affected: &Affected, scheme: Scheme, expected: &[(&str, bool)]) {
    for (version, is_affected) in expected {
        let found = judge(affected, scheme, version).unwrap();
        let matches = matches!(found, Judgement::Affected { .. });
        assert_eq!(matches, *is_affected, "{version}: {found:?}");
    }
}

fn fix_of(affected: &Affected, version: &str) -> Option<String> {
    match judge(affected, Scheme::Npm, version).unwrap() {
        Judgement::Affected { fixed, .. } => fixed,
        not => panic!("{version}: {not:?}"),
    }
}

#[test]
fn a_fix_ends_a_range_and_the_last_affected_is_in_it() {
    let affected = entry([introduced("1.0.0"), fixed("1.2.0")]);
    check(&affected, Scheme::Npm, &[("0.9.0", false), ("1.0.0", true), ("1.2.0", false)]);
    let affected = entry([introduced("0"), last_affected("1.2.0")]);
    check(&affected, Scheme::Npm, &[("0.0.0-alpha", true), ("1.2.0", true), ("1.2.1", false)]);
}

/// Maven's own order has cycles, and so have pacman's and Conan's: a standard sort may panic.
#[test]
fn an_order_with_cycles_is_no_reason_to_panic() {
    let parts =
        ["0", "1", "a", "--", "-", ".", "final", "rc", "_p", "sp", "GA", "+", "beta", "dev"];
    for scheme in [Scheme::Maven, Scheme::Pacman, Scheme::Conan] {
        let mut state = 1u64;
        let mut chance = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % most
        };
        let mut version = || -> String { (0..6).map(|_| parts[chance(parts.len())]).collect() };
        let affected = entry((0..400).flat_map(|_| [introduced(&version()), fixed(&version())]));
        let first = judge(&affected, scheme, "1.0");
        assert!(first.is_ok(), "{first:?}");
        assert_eq!(judge(&affected, scheme, "1.0"), first);
    }
}

#[test]
fn events_are_sorted_by_the_ecosystem() {
    let affected = entry([fixed("1.10"), introduced("1.9"), fixed("1.8"), introduced("0")]);
    let expected = [("1.7", true), ("1.8", false), ("1.9.1", true), ("1.10", false)];
    check(&affected, Scheme::Pep440, &expected);
}

#[test]
fn each_branch_has_its_own_fix() {
    let affected = entry([
        introduced("1.0.0"),
        fixed("1.5.0"),
        introduced("2.0.0"),
        fixed("2.5.0"),
        introduced("3.0.0"),
    ]);
    assert_eq!(fix_of(&affected, "1.1.0").as_deref(), Some("1.5.0"));
    assert_eq!(fix_of(&affected, "2.1.0").as_deref(), Some("2.5.0"));
    assert_eq!(fix_of(&affected, "9.0.0"), None);
    let range = judge(&affected, Scheme::Npm, "2.5.0").unwrap();
    let text = ">= 1.0.0, < 1.5.0 or >= 2.0.0, < 2.5.0 or >= 3.0.0".to_owned();
    assert_eq!(range, Judgement::NotAffected { range: text });
    assert_eq!(fixed_versions(&affected), ["1.5.0", "2.5.0"]);
}

#[test]
fn a_range_that_begins_where_another_ends_goes_on() {
    let affected =
        entry([introduced("1.0.0"), last_affected("2.0.0"), introduced("2.0.0"), fixed("3.0.0")]);
    check(&affected, Scheme::Npm, &[("2.0.0", true), ("2.1.0", true), ("3.0.0", false)]);
    assert_eq!(fix_of(&affected, "2.0.0").as_deref(), Some("3.0.0"));
}

#[test]
fn limits_bound_every_range() {
    let mut affected = entry([introduced("0"), Event::Limit("2.0.0".into())]);
    check(&affected, Scheme::Npm, &[("1.0.0", true), ("2.0.0", false)]);
    affected.ranges[0].events.push(Event::Limit("3.0.0".into()));
    check(&affected, Scheme::Npm, &[("2.0.0", true), ("3.0.0", false)]);
    affected.ranges[0].events.push(Event::Limit("*".into()));
    check(&affected, Scheme::Npm, &[("9.0.0", true)]);
}

#[test]
fn listed_versions_hold_beside_the_ranges() {
    let mut affected = entry([introduced("2.0"), fixed("2.1")]);
    affected.versions = vec!["1.0".into(), "weird".into()];
    let expected = [("1.0.0", true), ("weird", true), ("1.1", false), ("2.0.5", true)];
    check(&affected, Scheme::Pep440, &expected);
    affected.ranges.clear();
    check(&affected, Scheme::Pep440, &[("1.0", true), ("2.0.5", false), ("odd", false)]);
}

#[test]
fn git_ranges_are_skipped() {
    let git = Range { kind: RangeKind::Git, events: vec![introduced("0"), fixed("abcdef")] };
    let mut affected = entry([introduced("0"), fixed("2.0")]);
    affected.ranges.insert(0, git.clone());
    check(&affected, Scheme::Pep440, &[("1.0", true), ("2.0", false)]);
    affected.ranges = vec![git];
    assert_eq!(judge(&affected, Scheme::Pep440, "1.0"), Err(CannotSay::OnlyGit));
    affected.versions = vec!["1.0".into()];
    check(&affected, Scheme::Pep440, &[("1.0", true), ("1.1", false)]);
}

#[test]
fn what_names_no_versions_says_nothing() {
    for affected in [Affected::default(), entry([])] {
        assert_eq!(judge(&affected, Scheme::Npm, "1.0.0"), Err(CannotSay::NoVersions));
    }
    let mut affected = entry([introduced("0")]);
    affected.ranges[0].kind = RangeKind::Other;
    assert_eq!(judge(&affected, Scheme::Npm, "1.0.0"), Err(CannotSay::UnknownKind));
}

#[test]
fn a_version_that_cannot_be_read_is_judged_only_where_it_does_not_matter() {
    check(&entry([introduced("0")]), Scheme::Go, &[("(devel)", true)]);
    let bounded = entry([introduced("0"), fixed("1.0.0")]);
    let error = judge(&bounded, Scheme::Go, "(devel)").unwrap_err();
    assert!(matches!(error, CannotSay::Unreadable(ref it) if it.version == "(devel)"), "{error}");
}

#[test]
fn an_event_that_cannot_be_read_hides_nothing() {
    let affected = entry([introduced("1.0"), fixed("one-point-five")]);
    check(&affected, Scheme::Pep440, &[("0.9", false), ("1.2", true), ("9.0", true)]);
    let affected =
        entry([introduced("0"), fixed("1.0"), introduced("two"), fixed("3.0"), fixed("four")]);
    check(&affected, Scheme::Pep440, &[("0.5", true), ("1.5", true), ("3.0", false)]);
    let Ok(Judgement::NotAffected { range }) = judge(&affected, Scheme::Pep440, "3.0") else {
        panic!("3.0 is affected")
    };
    assert_eq!(range, "< 1.0 or >= 1.0, < 3.0 (not read: introduced `two`, fixed `four`)");
}

#[test]
fn a_feed_s_expression_stands_in_place_of_ranges() {
    let mut affected = Affected::default();
    affected.specific.expression = Some(">= 1.0, < 1.2 || = 2.0".into());
    affected.specific.fix = Some("1.2".into());
    check(&affected, Scheme::Gem, &[("1.1.9.9", true), ("1.2", false), ("2.0.0", true)]);
    assert_eq!(fix_of(&affected, "1.1.0").as_deref(), Some("1.2"));
    assert!(judge(&affected, Scheme::Gem, "N/A").is_err());
    affected.specific.expression = Some("[1.0,2.0)".into());
    assert!(matches!(judge(&affected, Scheme::Maven, "1.2.3"), Err(CannotSay::Expression(_))));
}

/// A record of the real data: its entries by package, as JSON and as our types.
struct Record {
    id: String,
    packages: BTreeMap<(String, String), Vec<(Value, Affected)>>,
}

/// Every version that any record names of a package and that can be read, at its place.
#[derive(Default)]
struct Universe {
    rank: BTreeMap<String, usize>,
}

/// Holds `judge` against a slow evaluation that is written another way, over all that is
/// published: for each record, many of the versions that are known of its packages.
#[test]
fn agrees_with_a_slow_evaluation_of_every_record() {
    for (ecosystem, least, most) in
        [("AlmaLinux", 5_600, 8), ("crates.io", 1_200, 60), ("Go", 4_200, 40), ("PyPI", 7_000, 16)]
    {
        let Some(records) = records(ecosystem) else { return };
        assert!(records.len() >= least, "{ecosystem}: only {} records", records.len());
        let universes = universes(&records);
        let (compared, wrong) = records
            .par_iter()
            .map(|record| compare_record(record, &universes, most))
            .reduce(|| (0, Vec::new()), |a, b| (a.0 + b.0, [a.1, b.1].concat()));
        say(&format!("{ecosystem}: {} records, {compared} judgements", records.len()));
        assert!(
            wrong.is_empty(),
            "{ecosystem}: {} wrong: {:#?}",
            wrong.len(),
            &wrong[..wrong.len().min(5)]
        );
    }
}

fn compare_record(
    record: &Record,
    universes: &BTreeMap<(String, String), Universe>,
    most: usize,
) -> (usize, Vec<String>) {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (package, entries) in &record.packages {
        let Some(scheme) = versions::of_ecosystem(&package.0) else { continue };
        let universe = &universes[package];
        let own: BTreeSet<&str> = entries.iter().flat_map(|(json, _)| named(json)).collect();
        let step = universe.rank.len().div_ceil(most).max(1);
        let spread = universe.rank.keys().map(String::as_str).step_by(step);
        let step = own.len().div_ceil(most).max(1);
        for version in own.into_iter().step_by(step).chain(spread) {
            let Some(rank) = universe.rank.get(version) else { continue };
            let expected = entries.iter().any(|(json, _)| holds(json, version, *rank, universe));
            let found = entries.iter().any(|(_, affected)| {
                matches!(judge(affected, scheme, version), Ok(Judgement::Affected { .. }))
            });
            compared += 1;
            if expected != found {
                wrong.push(format!("{package:?} {version}: expected {expected}, found {found}"));
            }
        }
    }
    (compared, wrong)
}

/// The slow evaluation: no sorting and no walk; of the events that concern a version, the
/// highest has the word.
fn holds(entry: &Value, version: &str, rank: usize, universe: &Universe) -> bool {
    let place = |version: &str| universe.rank.get(version).copied();
    let listed = strings(&entry["versions"]);
    if listed.into_iter().any(|other| other == version || place(other) == Some(rank)) {
        return true;
    }
    list(&entry["ranges"]).iter().any(|range| {
        let events = list(&range["events"]).iter().flat_map(|event| event.as_object().unwrap());
        let highest = events
            .enumerate()
            .filter_map(|(number, (kind, at))| {
                let at = at.as_str().unwrap();
                let from = if at == "0" && kind == "introduced" { 0 } else { place(at)? };
                let concerns = if kind == "last_affected" { from < rank } else { from <= rank };
                concerns.then_some((from, number, kind == "introduced"))
            })
            .max();
        range["type"] != "GIT" && highest.is_some_and(|(_, _, opens)| opens)
    })
}

/// Records whose list has versions that lie outside their own ranges.
const LISTS_MORE: [&str; 2] = ["PYSEC-2021-114", "PYSEC-2023-61"];

/// PyPI's records list the affected versions beside the ranges, as OSV itself has evaluated
/// them. (Not every one: what was published after the record is in its ranges alone.)
#[test]
fn agrees_with_what_osv_lists_for_pypi() {
    let Some(records) = records("PyPI") else { return };
    let found = records.par_iter().flat_map_iter(|record| {
        let entries = record.packages.iter().filter(|((ecosystem, _), _)| ecosystem == "PyPI");
        let single = entries.filter_map(|(_, entries)| match &entries[..] {
            [(_, affected)] => Some(affected),
            _ => None,
        });
        let has_ranges =
            |it: &&Affected| it.ranges.iter().any(|range| range.kind == RangeKind::Ecosystem);
        single.filter(has_ranges).flat_map(|affected| {
            let by_range = Affected { versions: Vec::new(), ..affected.clone() };
            let step = affected.versions.len().div_ceil(30).max(1);
            let some = affected.versions.iter().step_by(step);
            some.map(|version| (&record.id, version, judge(&by_range, Scheme::Pep440, version)))
                .collect::<Vec<_>>()
        })
    });
    let found: Vec<_> = found.collect();
    let unreadable = |it: &CannotSay| matches!(it, CannotSay::Unreadable(_));
    let skipped = found.iter().filter(|(_, _, it)| it.as_ref().is_err_and(unreadable)).count();
    let differ: Vec<_> = found
        .iter()
        .filter(|(id, _, _)| !LISTS_MORE.contains(&id.as_str()))
        .filter(|(_, _, it)| !matches!(it, Ok(Judgement::Affected { .. })))
        .filter(|(_, _, it)| !it.as_ref().is_err_and(unreadable))
        .collect();
    say(&format!("PyPI: {} listed versions, {skipped} of them no versions to Python", found.len()));
    assert!(found.len() > 100_000 && skipped < 100, "{} {skipped}", found.len());
    assert!(differ.is_empty(), "{} differ: {:#?}", differ.len(), differ.first());
}

fn universes(records: &[Record]) -> BTreeMap<(String, String), Universe> {
    let mut all: BTreeMap<&(String, String), BTreeSet<&str>> = BTreeMap::new();
    for (package, entries) in records.iter().flat_map(|record| &record.packages) {
        all.entry(package).or_default().extend(entries.iter().flat_map(|(json, _)| named(json)));
    }
    all.into_par_iter()
        .filter_map(|(package, names)| {
            let scheme = versions::of_ecosystem(&package.0)?;
            let mut universe = Universe::default();
            let mut readable: Vec<_> =
                names.into_iter().filter(|name| versions::check(scheme, name).is_ok()).collect();
            let order = |a: &str, b: &str| versions::compare(scheme, a, b).unwrap();
            readable.sort_by(|a, b| order(a, b));
            // From 1: 0 is before every version.
            let mut rank = 1;
            for (at, name) in readable.iter().enumerate() {
                rank += usize::from(at > 0 && order(readable[at - 1], name).is_ne());
                universe.rank.insert((*name).to_owned(), rank);
            }
            Some((package.clone(), universe))
        })
        .collect()
}

/// Every version an entry names.
fn named(entry: &Value) -> Vec<&str> {
    let ranges = list(&entry["ranges"]).iter().filter(|range| range["type"] != "GIT");
    let events = ranges.flat_map(|range| list(&range["events"]));
    let bounds = events.flat_map(|event| event.as_object().unwrap().values());
    let bounds = bounds.filter_map(Value::as_str).filter(|version| *version != "0");
    strings(&entry["versions"]).into_iter().chain(bounds).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}

/// All records of an ecosystem, straight from the archive.
fn records(ecosystem: &str) -> Option<Vec<Record>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared =
        std::env::var_os("INSCAN_SHARED").map_or_else(|| root.join("../../../shared"), Into::into);
    let archive = shared.join("osv.tar");
    if !archive.exists() {
        say(&format!("skipped: there is no {}", archive.display()));
        return None;
    }
    let member = format!("./{ecosystem}/all.zip");
    let tar = Command::new("tar").arg("-xOf").arg(&archive).arg(&member).output().unwrap();
    assert!(tar.status.success(), "{member}: {}", String::from_utf8_lossy(&tar.stderr));
    let bytes = tar.stdout.as_slice();
    let zip = Zip::open(&bytes).unwrap();
    let texts: Vec<_> =
        zip.members.iter().map(|member| zip.read(member, 32 << 20).unwrap()).collect();
    Some(texts.par_iter().map(|text| record(text)).collect())
}

fn record(json: &[u8]) -> Record {
    let record: Value = serde_json::from_slice(json).unwrap();
    let mut packages: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in list(&record["affected"]) {
        let package = &entry["package"];
        let part = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let both = (entry.clone(), affected(entry));
        packages.entry((part("ecosystem"), part("name"))).or_default().push(both);
    }
    Record { id: record["id"].as_str().unwrap().to_owned(), packages }
}

fn affected(entry: &Value) -> Affected {
    let event = |(kind, at): (&String, &Value)| {
        let at = at.as_str().unwrap().to_owned();
        match kind.as_str() {
            "introduced" => Event::Introduced(at),
            "fixed" => Event::Fixed(at),
            "last_affected" => Event::LastAffected(at),
            "limit" => Event::Limit(at),
            other => panic!("event {other}"),
        }
    };
    let ranges = list(&entry["ranges"]).iter().map(|range| Range {
        kind: match range["type"].as_str().unwrap() {
            "SEMVER" => RangeKind::Semver,
            "ECOSYSTEM" => RangeKind::Ecosystem,
            "GIT" => RangeKind::Git,
            other => panic!("range {other}"),
        },
        events: list(&range["events"])
            .iter()
            .flat_map(|it| it.as_object().unwrap())
            .map(event)
            .collect(),
    });
    Affected {
        ranges: ranges.collect(),
        versions: strings(&entry["versions"]).into_iter().map(str::to_owned).collect(),
        ..Affected::default()
    }
}

#[expect(clippy::print_stderr, reason = "numbers, and that a test is skipped")]
fn say(line: &str) {
    eprintln!("{line}");
}
