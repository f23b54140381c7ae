//! The version orders, held against the tables of the acceptance data (what the
//! ecosystems' own tests and tools say), and against the tools that are here.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use inscan_evaluate::versions::range::{self, Syntax};
use inscan_evaluate::versions::{self, Scheme};
use inscan_test_support::oracle::{cases, oracle};
use inscan_test_support::{in_project, need};

/// Each table, whose order it has, and how many pairs it has at least.
const TABLES: &[(&str, Scheme, usize)] = &[
    ("apk", Scheme::Apk, 8_700),
    ("conan", Scheme::Conan, 32),
    ("cran", Scheme::Cran, 40),
    ("deb", Scheme::Dpkg, 8_700),
    ("gem", Scheme::Gem, 2_500),
    ("golang", Scheme::Go, 1_700),
    ("hackage", Scheme::Hackage, 5),
    ("jvm", Scheme::Jvm, 18),
    ("maven", Scheme::Maven, 9_400),
    ("npm", Scheme::Npm, 1_800),
    ("nuget", Scheme::NuGet, 21),
    ("openssl", Scheme::OpenSsl, 13),
    ("packagist", Scheme::Packagist, 6_400),
    ("packagist", Scheme::Php, 6_400),
    ("pacman", Scheme::Pacman, 30),
    ("portage", Scheme::Portage, 17),
    ("pub", Scheme::Pub, 50),
    ("pypi", Scheme::Pep440, 8_100),
    ("rpm", Scheme::Rpm, 100),
    ("rpm-evr", Scheme::Rpm, 2_400),
    ("semver", Scheme::Semver, 49),
];

/// Rows that the ecosystem's own tool contradicts.
const WRONG_ROWS: &[(Scheme, &str)] = &[
    // `vercmp` of pacman 6.0.2 says the opposite; these rows are rpm's order.
    (Scheme::Pacman, "1.0.0alpha > 1.0.0"),
    (Scheme::Pacman, "1.0.0~rc1 < 1.0.0"),
    // PHP's version_compare alone; Composer makes 3.0 to 3.0.0.0 first.
    (Scheme::Packagist, "v3.0 < v3.0.0-beta"),
    (Scheme::Packagist, "v3.4 < v3.4.0-alpha"),
    (Scheme::Packagist, "v4-beta4 < v4.0-alpha"),
    (Scheme::Packagist, "v6.6 < v6.6.0-beta"),
];

#[test]
fn every_pair_of_the_tables_is_in_order() {
    let Some(cases) = cases() else { return };
    for (table, scheme, least) in TABLES {
        let pairs = pairs(&cases, table);
        assert!(pairs.len() >= *least, "{table}: only {} pairs", pairs.len());
        let wrong: Vec<_> = pairs
            .iter()
            .filter_map(|[a, operator, b]| {
                let found = versions::compare(*scheme, a, b);
                let row = format!("{a} {operator} {b}");
                let is_wrong = WRONG_ROWS.contains(&(*scheme, &*row));
                let holds = found.as_ref().is_ok_and(|order| holds(*order, operator));
                (holds == is_wrong).then(|| format!("{row}: {found:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{table}: {} of {}: {wrong:#?}", wrong.len(), pairs.len());
    }
}

fn holds(order: Ordering, operator: &str) -> bool {
    match operator {
        "<" => order.is_lt(),
        "=" => order.is_eq(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        ">=" => order.is_ge(),
        "!=" => order.is_ne(),
        _ => panic!("operator {operator}"),
    }
}

/// Sorted by `compare` itself, every pair must agree with its places: only a total order can.
#[test]
fn each_order_is_total() {
    let Some(cases) = cases() else { return };
    for (table, scheme, _) in TABLES {
        let mut all: Vec<String> = pairs(&cases, table)
            .into_iter()
            .flat_map(|[a, _, b]| [a, b])
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        // Every nth, spread over the table: the number of pairs grows with the square.
        let step = all.len().div_ceil(300);
        all = all.into_iter().step_by(step).collect();
        if *scheme == Scheme::Pacman {
            // A release counts only where both have one: 1-1 = 1 = 1-2.
            all.retain(|version| version.contains('-'));
        }
        let order = |a: &str, b: &str| versions::compare(*scheme, a, b).unwrap();
        merge_sort(&mut all, &order);
        let mut class = 0;
        let mut places = vec![0];
        for pair in all.windows(2) {
            class += usize::from(order(&pair[0], &pair[1]).is_ne());
            places.push(class);
        }
        for (at, a) in all.iter().enumerate() {
            for (other, b) in all.iter().enumerate() {
                let expected = places[at].cmp(&places[other]);
                assert_eq!(order(a, b), expected, "{table}: {a} and {b}");
            }
        }
    }
}

/// The library's sort may panic where the order is none.
fn merge_sort(all: &mut Vec<String>, order: &impl Fn(&str, &str) -> Ordering) {
    if all.len() < 2 {
        return;
    }
    let mut right = all.split_off(all.len() / 2);
    merge_sort(all, order);
    merge_sort(&mut right, order);
    let left = std::mem::take(all);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        all.extend(if order(a, b).is_le() { left.next() } else { right.next() });
    }
    all.extend(left.chain(right));
}

/// A row of the table of ranges; `syntax` is whose language it is in.
#[derive(serde::Deserialize)]
struct RangeRow {
    version: String,
    range: String,
    satisfied: bool,
    syntax: String,
}

#[test]
fn every_range_of_the_tables_holds() {
    let Some(cases) = cases() else { return };
    let text = fs::read_to_string(cases.join("versions/ranges.jsonl")).unwrap();
    let mut held = 0;
    for line in text.lines() {
        let row: RangeRow = serde_json::from_str(line).unwrap();
        let syntax = match row.syntax.as_str() {
            "npm-semver" => Syntax::Npm,
            "pep440" => Syntax::Pep440,
            "composer" => Syntax::Composer,
            _ => continue,
        };
        let found = range::satisfies(syntax, &row.version, &row.range);
        assert_eq!(found, Ok(row.satisfied), "{} {}", row.version, row.range);
        held += 1;
    }
    assert!(held >= 190, "only {held} ranges");
}

/// What an ecosystem's own tool says of pairs with a tab between them: -1, 0 or 1 a line.
const TOOLS: &[(&str, Scheme, &[&str])] = &[
    ("deb", Scheme::Dpkg, &["sh", "-c", DPKG]),
    ("gem", Scheme::Gem, &["ruby", "-e", RUBY]),
    ("npm", Scheme::Npm, &["node", "-e", NODE]),
    ("packagist", Scheme::Php, &["php", "-r", PHP]),
    ("pacman", Scheme::Pacman, &["sh", "-c", VERCMP]),
    ("pypi", Scheme::Pep440, &["python3", "-c", PYTHON]),
];

const DPKG: &str = "command -v dpkg >&2 || exit 9
while IFS='\t' read -r a b; do
  if dpkg --compare-versions \"$a\" lt \"$b\"; then echo -1
  elif dpkg --compare-versions \"$a\" eq \"$b\"; then echo 0
  else echo 1; fi
done";

const VERCMP: &str = "command -v vercmp >&2 || exit 9
while IFS='\t' read -r a b; do vercmp \"$a\" \"$b\"; done";

const RUBY: &str = "$stdin.each_line { |line| a, b = line.chomp.split(\"\\t\")
  puts Gem::Version.new(a) <=> Gem::Version.new(b) }";

const PYTHON: &str = "import sys
try: from packaging.version import Version
except ImportError: sys.exit(9)
for line in sys.stdin:
    a, b = map(Version, line.rstrip('\\n').split('\\t'))
    print((a > b) - (a < b))";

const NODE: &str = "let semver;
const beside = require('path').dirname(process.execPath) + '/../lib/node_modules/npm/node_modules/semver';
try { semver = require(beside) } catch { try { semver = require('semver') } catch { process.exit(9) } }
for (const line of require('fs').readFileSync(0, 'utf8').trim().split('\\n'))
  console.log(semver.compare(...line.split('\\t')))";

const PHP: &str = "while (($line = fgets(STDIN)) !== false) {
  [$a, $b] = array_map(fn($it) => preg_replace('/^v/i', '', $it), explode(\"\\t\", rtrim($line)));
  echo version_compare($a, $b), \"\\n\"; }";

/// Versions far apart in a table, where its own pairs are neighbours.
#[test]
fn agrees_with_the_tools_that_are_here() {
    let Some(cases) = cases() else { return };
    for (table, scheme, command) in TOOLS {
        let versions: Vec<String> =
            pairs(&cases, table).into_iter().flat_map(|[a, _, b]| [a, b]).collect();
        let count = versions.len();
        // Starting a process for each pair takes its time.
        let most = if command[0] == "sh" { 100 } else { 3_000 };
        let far = (0..most).map(|at| (&versions[at * 7 % count], &versions[(at * 31 + 5) % count]));
        let far: Vec<_> = far.collect();
        let lines: String = far.iter().map(|(a, b)| format!("{a}\t{b}\n")).collect();
        let Some(said) = ask(command, lines) else { continue };
        assert_eq!(said.len(), far.len(), "{table}: {} answers", said.len());
        for ((a, b), said) in far.iter().zip(said) {
            let found = versions::compare(*scheme, a, b).unwrap();
            assert_eq!((found as i8).to_string(), said, "{table}: {a} and {b}");
        }
    }
}

/// None: the tool is not here.
fn ask(command: &[&str], lines: String) -> Option<Vec<String>> {
    let pipe = || std::process::Stdio::piped();
    let mut process = Command::new(command[0]);
    process.args(&command[1..]).stdin(pipe()).stdout(pipe()).stderr(pipe());
    let started = process.spawn();
    if !need(format!("the program {}", command[0]), started.is_ok()) {
        return None;
    }
    let mut child = started.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end without reading; its output must be read while it is written to.
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    let has_library = output.status.code() != Some(9);
    if !need(format!("what `{}` takes: see the script", command[0]), has_library) {
        return None;
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", command[0]);
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// The legacy engine's answers: where ours differ, COMPATIBILITY.md has a row, and no other.
#[test]
fn differs_from_the_engine_only_where_it_is_said() {
    let Some(oracle) = oracle() else { return };
    let text = fs::read_to_string(oracle.join("version-vectors.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut differ = BTreeSet::new();
    for (kind, scheme) in [("rpm", Scheme::Rpm), ("deb", Scheme::Dpkg), ("apk", Scheme::Apk)] {
        let list = vectors[kind].as_array().unwrap();
        assert!(list.len() >= 30, "{kind}: {}", list.len());
        for vector in list {
            let side = |name: &str| vector[name].as_str().unwrap();
            let engine = match vector["result"].as_i64() {
                Some(order) => order.cmp(&0),
                None if vector["lt"] == true => Ordering::Less,
                None if vector["gt"] == true => Ordering::Greater,
                None => Ordering::Equal,
            };
            let ours = versions::compare(scheme, side("a"), side("b")).unwrap();
            if ours != engine {
                let word = |order| ["<", "=", ">"][(order as i8 + 1) as usize];
                let [a, b] = [side("a"), side("b")];
                differ.insert(format!("{kind} | `{a}` {} `{b}` | {}", word(ours), word(engine)));
            }
        }
    }
    for vector in vectors["langpack"].as_array().unwrap() {
        let side = |name: &str| vector[name].as_str().unwrap();
        let scheme = match side("language") {
            "java" | "maven" => Scheme::Maven,
            "npm" | "js" => Scheme::Npm,
            "gem" => Scheme::Gem,
            "python" => Scheme::Pep440,
            "nuget" => Scheme::NuGet,
            _ => continue,
        };
        // Where the engine raises, it has no answer.
        let Some(engine) = vector["result"].as_bool() else { continue };
        let (version, range) = (side("version"), side("range"));
        let ours = match range::satisfies(Syntax::Feed(scheme), version, range) {
            Ok(_) if versions::check(scheme, version).is_err() => "not readable".to_owned(),
            Ok(ours) => ours.to_string(),
            Err(_) => "not readable".to_owned(),
        };
        if ours != engine.to_string() {
            differ.insert(format!(
                "{} | `{version}` in `{range}`: {ours} | {engine}",
                side("language")
            ));
        }
    }
    let page = fs::read_to_string(in_project("COMPATIBILITY.md")).unwrap();
    let table = page.split("<!-- version-order -->").nth(1).expect("the table is between marks");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let listed: BTreeSet<String> = rows
        .map(|row| {
            row.trim_matches(['|', ' ']).split(" | ").take(3).collect::<Vec<_>>().join(" | ")
        })
        .collect();
    assert_eq!(listed, differ, "COMPATIBILITY.md: the rows are to be:\n{differ:#?}");
}

fn pairs(cases: &Path, table: &str) -> Vec<[String; 3]> {
    let path = cases.join("versions").join(table).with_extension("txt");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().take(3).map(str::to_owned).collect();
            words.try_into().unwrap_or_else(|words| panic!("{table}: {words:?}"))
        })
        .collect()
}
