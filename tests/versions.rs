//! The version orders, held against the tables of the acceptance data (what the
//! ecosystems' own tests and tools say), and against the tools that are here.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use inscan::versions::{self, Scheme};

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

/// The folder of the acceptance data, unpacked.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn cases() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared =
        std::env::var_os("INSCAN_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let archive = shared.join("cases.tar.xz");
    if !archive.exists() {
        eprintln!("skipped: there is no {}", archive.display());
        return None;
    }
    // Once for this binary's tests, which run in threads.
    static UNPACKED: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let target = UNPACKED.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("version-tables");
        fs::create_dir_all(&target).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-xJf").arg(&archive).arg("-C").arg(&target).arg("cases/versions");
        assert!(tar.status().unwrap().success(), "could not unpack {}", archive.display());
        target
    });
    Some(target.join("cases"))
}
