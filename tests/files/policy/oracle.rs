//! All policy cases that the legacy engine has answered, asked of inscan.
//!
//! Differences that are
//! meant are listed in COMPATIBILITY.md, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use inscan_test_support::oracle::{bytes_or_gz, oracle};
use inscan_test_support::{Run, in_project};
use serde_json::{Value, json};

/// As many as there are cores on the smallest machines that build this.
const AT_A_TIME: usize = 2;

/// When the records of the feed were loaded, and when they were in an aged database.
const LOADED: &str = "2026-11-22";
const AGED: &str = "2026-11-12";

#[test]
#[expect(clippy::print_stderr, reason = "the counts are what the test is about")]
fn policies_give_the_engines_answers_but_for_what_is_listed() {
    let Some(oracle) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    let databases = databases(&oracle, folder.path());
    let cases = cases(&oracle);
    let documents = documents(&oracle, &cases, folder.path());
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let database = &databases[case.told["db_state"].as_str().unwrap()];
                    let document = &documents[case.told["image"].as_str().unwrap()];
                    let differences = differences(case, &answer(case, document, database));
                    outcomes.lock().unwrap().insert(case.name.clone(), differences);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let equal = outcomes.values().filter(|differences| differences.is_empty()).count();
    eprintln!("{equal} of {} cases are equal", outcomes.len());
    let wrong = judge(&outcomes, &meant());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal * 100 >= outcomes.len() * 95, "only {equal} of {}", outcomes.len());
}

struct Case {
    name: String,
    folder: PathBuf,
    told: Value,
    expected: Value,
}

fn cases(oracle: &Path) -> Vec<Case> {
    let entries = fs::read_dir(oracle.join("policy-cases")).unwrap();
    let mut cases: Vec<_> = entries
        .map(|entry| {
            let folder = entry.unwrap().path();
            Case {
                name: folder.file_name().unwrap().to_string_lossy().into_owned(),
                told: json_of(&folder.join("case.json")),
                expected: json_of(&folder.join("expected.json")),
                folder,
            }
        })
        .collect();
    assert!(cases.len() >= 305, "only {} cases in {}", cases.len(), oracle.display());
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

pub(super) fn json_of(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The document of each image, unpacked.
fn documents(oracle: &Path, cases: &[Case], folder: &Path) -> BTreeMap<String, PathBuf> {
    let images: BTreeSet<_> =
        cases.iter().map(|case| case.told["image"].as_str().unwrap()).collect();
    let document = |image: &str| {
        let plain = oracle.join("images").join(image).join("analysis.json");
        if plain.exists() {
            return plain;
        }
        let unpacked = bytes_or_gz(&plain).unwrap();
        let path = folder.join(format!("{image}.json"));
        fs::write(&path, unpacked).unwrap();
        path
    };
    images.into_iter().map(|image| (image.to_owned(), document(image))).collect()
}

fn answer(case: &Case, document: &Path, database: &Path) -> Run {
    let mut command = crate::inscan(&["evaluate"]);
    command.arg(document).args(["-o", "anchore", "--policy"]);
    command.arg(case.folder.join("bundle.json")).arg("--db").arg(database);
    command.args(["--image-digest", case.told["image_digest"].as_str().unwrap()]);
    // What is not sent to the engine's API is no name; without `--tag` it would be the document's.
    command.args(["--tag", case.told["tag"].as_str().unwrap_or_default()]);
    // Without an answer of the engine there is no time either.
    let when = case.expected["evaluation"]["created_at"].as_i64().unwrap_or(1_795_343_530);
    command.env("SOURCE_DATE_EPOCH", when.to_string());
    command.run()
}

/// Names of what differs, with both sides for people.
type Differences = BTreeMap<&'static str, String>;

fn differences(case: &Case, answer: &Run) -> Differences {
    let Run { code, stdout, stderr, .. } = answer;
    let failed = case.expected["http_status"] != 200;
    if failed {
        // Our answer to what the engine cannot do is an error that says why.
        let is_clear = *code == 2 && stdout.is_empty() && stderr.contains("error: ");
        let told = format!("the engine fails: {}; got {code:?} {stderr}", case.expected);
        return if is_clear { Differences::new() } else { Differences::from([("status", told)]) };
    }
    let Ok(response) = serde_json::from_str::<Value>(stdout) else {
        return Differences::from([("status", format!("got {code:?} {stderr}"))]);
    };
    let digest = case.told["image_digest"].as_str().unwrap();
    let tag = case.expected["evaluation"]["tag"].as_str().unwrap();
    let check = &response[0][digest][tag][0];
    let mut found = Differences::new();
    let mut compare = |what, expected: Value, ours: Value| {
        if expected != ours {
            found.entry(what).or_insert_with(|| shown(&expected, &ours));
        }
    };
    let status = |action: &Value| if action == "stop" { "fail" } else { "pass" };
    let expected = &case.expected["evaluation"];
    let ours = &check["detail"]["result"];
    compare("status", json!(status(&expected["final_action"])), check["status"].clone());
    compare("status", json!(i32::from(expected["final_action"] == "stop")), json!(code));
    compare("detail", check["detail"]["policy"].clone(), json_of(&case.folder.join("bundle.json")));
    for (what, field) in [
        ("final action", "final_action"),
        ("reason", "final_action_reason"),
        ("mapping", "matched_mapping_rule"),
        ("whitelisted", "matched_whitelisted_images_rule"),
        ("blacklisted", "matched_blacklisted_images_rule"),
        ("image", "image_id"),
        ("image", "tag"),
        ("image", "user_id"),
    ] {
        compare(what, expected[field].clone(), ours[field].clone());
    }
    compare("problems", problems(expected), problems(ours));
    let (expected, ours) = (table(expected), table(ours));
    for (what, field) in [
        ("rows", "rows"),
        ("rows", "row_count"),
        ("policy action", "final_action"),
        ("header", "header"),
    ] {
        compare(what, expected[field].clone(), ours[field].clone());
    }
    found
}

fn shown(expected: &Value, ours: &Value) -> String {
    let (Value::Array(left), Value::Array(right)) = (expected, ours) else {
        return format!("expected {expected}, got {ours}");
    };
    let only = |these: &[Value], those: &[Value]| {
        let only = these.iter().filter(|one| !those.contains(one)).map(Value::to_string);
        only.take(20).collect::<Vec<_>>().join("\n      ")
    };
    format!("only there:\n      {}\n    only here:\n      {}", only(left, right), only(right, left))
}

/// The order of rows has no meaning.
fn table(evaluation: &Value) -> Value {
    let image = evaluation["image_id"].as_str().unwrap_or_default();
    let mut table = evaluation["result"][image]["result"].clone();
    if let Some(rows) = table["rows"].as_array_mut() {
        rows.sort_by_key(Value::to_string);
    }
    table
}

/// Without the lists of what there is at all: of gates and triggers we have more.
fn problems(evaluation: &Value) -> Value {
    let mut problems: Vec<Value> = evaluation["evaluation_problems"].as_array().unwrap().clone();
    for problem in &mut problems {
        let details = problem["details"].as_str().unwrap();
        let lists = ["valid_gates=", "valid_parameters=", "Valid triggers are: "];
        let details = lists.iter().fold(details.to_owned(), |details, list| {
            let Some((before, rest)) = details.split_once(list) else { return details };
            let end = rest.find(']').map_or(0, |end| end + 1);
            format!("{before}{list}{}", &rest[end..])
        });
        problem["details"] = json!(details);
    }
    problems.sort_by_key(Value::to_string);
    json!(problems)
}

/// Differences that no line of the table allows, and lines that allow none.
fn judge(
    outcomes: &BTreeMap<String, Differences>,
    meant: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (case, differences) in outcomes {
        let none = BTreeSet::new();
        let meant = meant.get(case).unwrap_or(&none);
        for (what, told) in differences {
            if !meant.contains(*what) {
                wrong.push(format!("{case}: {what}: {told}"));
            }
        }
        for what in meant.iter().filter(|what| !differences.contains_key(what.as_str())) {
            wrong.push(format!("listed, but no longer different: {case}: {what}"));
        }
    }
    let unknown = meant.keys().filter(|case| !outcomes.contains_key(*case));
    wrong.extend(unknown.map(|case| format!("listed, and no case: {case}")));
    wrong
}

/// What may differ, by case: the table in COMPATIBILITY.md.
fn meant() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(in_project("COMPATIBILITY.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| policy case |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let mut meant: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').splitn(3, '|').map(str::trim).collect();
        assert!(cells.len() == 3 && !cells[2].is_empty(), "a line without a reason: {row}");
        for case in cells[0].split(", ") {
            let whats = cells[1].split(", ").map(str::to_owned);
            meant.entry(case.to_owned()).or_default().extend(whats);
        }
    }
    meant
}

/// By the state that a case asks for.
fn databases(oracle: &Path, folder: &Path) -> BTreeMap<&'static str, PathBuf> {
    let aged = folder.join("aged");
    copy_aged(&oracle.join("feed"), &aged);
    let none = folder.join("none");
    copy_unsynced(&oracle.join("feed"), &none);
    [("base", oracle.join("feed")), ("aged10d", aged), ("nofeeds", none)]
        .into_iter()
        .map(|(state, feed)| {
            let path = folder.join(format!("{state}.db"));
            let mut command = crate::inscan(&["db", "build", "--from"]);
            command.arg(&feed).arg("-o").arg(&path);
            let time = format!("{LOADED}T10:17:00Z").parse::<jiff::Timestamp>().unwrap();
            command.env("SOURCE_DATE_EPOCH", time.as_second().to_string());
            command.run().ends(0);
            (state, path)
        })
        .collect()
}

/// Each file of the feed, as `change` has it.
fn copy(from: &Path, to: &Path, change: &dyn Fn(&str, &mut Value)) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            copy(&path, &to.join(&name), change);
            continue;
        }
        let mut value = json_of(&path);
        change(&name, &mut value);
        fs::write(to.join(&name), value.to_string()).unwrap();
    }
}

/// The feed ten days later, with the records that were there ten days before. NVD's
/// CVE-2099-50101 was as well, but the engine has other dates for matches by CPE name.
fn copy_aged(from: &Path, to: &Path) {
    const CREATED: [&str; 3] = ["CVE-2019-14697", "CVE-2018-0501", "GHSA-req0-0000-0001"];
    const FIXED: [&str; 3] = ["CVE-2019-14697", "CVE-2018-0506", "GHSA-req0-0000-0001"];
    copy(from, to, &|name, value| {
        if name == "feed_groups.json" {
            for group in value.as_array_mut().unwrap() {
                let synced = group["last_sync"].as_str().unwrap_or_default();
                group["last_sync"] = json!(synced.replace(LOADED, AGED));
            }
        }
        let records = value.get_mut("data").and_then(Value::as_array_mut);
        for record in records.into_iter().flatten() {
            let is = |id: &Value, ids: &[&str]| ids.iter().any(|known| id == known);
            let of_nvd = record["cve"]["CVE_data_meta"]["ID"].clone();
            let inner =
                ["Vulnerability", "Advisory"].into_iter().find(|key| record.get(key).is_some());
            let (id, dated) = match inner {
                Some(key) => {
                    let inner = &mut record[key];
                    let id = if key == "Advisory" { "ghsaId" } else { "Name" };
                    (inner[id].clone(), inner)
                }
                None => (of_nvd, record),
            };
            let created = if is(&id, &CREATED) { AGED } else { LOADED };
            dated["published"] = json!(created);
            dated["publishedDate"] = json!(created);
            if dated["Metadata"].is_object() {
                dated["Metadata"]["Issued"] = json!(created);
            }
            let fixed = if is(&id, &FIXED) { AGED } else { LOADED };
            for fix in dated["FixedIn"].as_array_mut().into_iter().flatten() {
                fix["Available"] = json!({"Date": fixed});
            }
        }
    });
}

/// A feed whose groups are known and were never synchronized; of the lists of packages nothing
/// was ever loaded.
fn copy_unsynced(from: &Path, to: &Path) {
    copy(from, to, &|name, value| {
        if name == "feed_groups.json" {
            for group in value.as_array_mut().unwrap() {
                group["last_sync"] = Value::Null;
            }
        }
        let is_list = ["gem.json", "npm.json"].contains(&name);
        if let Some(data) = value.get_mut("data").filter(|_| is_list) {
            *data = json!([]);
        }
    });
}

#[test]
fn what_is_not_listed_and_what_no_longer_differs_is_wrong() {
    let differs = |what| Differences::from([(what, "x".to_owned())]);
    let outcomes = BTreeMap::from([
        ("a".to_owned(), differs("rows")),
        ("b".to_owned(), differs("rows")),
        ("c".to_owned(), Differences::new()),
    ]);
    let listed = |what: &str| BTreeSet::from([what.to_owned()]);
    let meant = BTreeMap::from([
        ("a".to_owned(), listed("rows")),
        ("c".to_owned(), listed("rows")),
        ("d".to_owned(), listed("rows")),
    ]);
    assert_eq!(
        judge(&outcomes, &meant),
        ["b: rows: x", "listed, but no longer different: c: rows", "listed, and no case: d"]
    );
}
