//! What a person must find in what `scan`, `evaluate` and `explain` show.

use super::{DEMO, IMAGE, document, printed, text};

/// The part of the text between the first line that holds the one and the next that holds the other.
#[track_caller]
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("no `{start}` in:\n{text}"));
    let rest = &text[from..];
    &rest[..rest[start.len()..].find(end).map_or(rest.len(), |at| at + start.len())]
}

#[track_caller]
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in:\n{text}");
    }
}

#[test]
fn the_table_names_package_vulnerability_fix_and_layer() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let gate = ["-q", "--db", DEMO, "--fail-on", "high"];
    let table = printed(&[&["evaluate", text(&document)][..], &gate].concat(), 1);
    let blocks = [
        ("\n  expat ", ["libexpat1", "layer 1", "high", "CVE-2099-10001", "2.5.0-1+deb12u9"]),
        ("\n  minimist ", ["1.2.5", "layer 2", "critical", "CVE-2021-44906", "fixed in 1.2.6"]),
        ("\n  zlib ", ["zlib1g", "layer 1", "critical", "CVE-2023-45853", "no fix known"]),
        ("\n  idna ", ["3.6", "layer 2", "medium", "CVE-2024-3651", "fixed in 3.7"]),
    ];
    for (start, words) in blocks {
        holds(between(&table, start, "\n\n"), &words);
    }
    holds(between(&table, "\n  expat ", "\n\n"), &["exploited", "EPSS 0.71"]);
    // Which data, how old; what was not evaluated; what is suppressed; the verdict.
    let day = ["2025-11-21", "42 days old", "8 advisories"];
    holds(between(&table, "  database", "\n  evaluated"), &day);
    holds(between(&table, "\nNot evaluated", "\n\n"), &["golang", "1 package"]);
    holds(between(&table, "\nSuppressed", "\n\n"), &["1", "--show-suppressed"]);
    holds(between(&table, "\nBy layer", "\n\n"), &["COPY . /app", "1 critical, 1 medium"]);
    holds(
        between(&table, "\nUpgrades that fix the most findings", "\n\n"),
        &["minimist 1.2.5 → 1.2.6"],
    );
    let verdict = table.trim_end().rsplit("\n\n").next().unwrap();
    let not_counted = "not counted: 1 suppressed finding, 1 package that could not be evaluated";
    assert_eq!(verdict, format!("{not_counted}\nFAIL  3 findings of severity high or worse"));
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(!table.contains('\u{1b}'));

    // A scan shows the image first, and then the same table.
    let scanned = printed(&[&["scan", IMAGE][..], &gate].concat(), 1);
    assert!(scanned.starts_with("registry.example/inscan/demo:1.0"), "{scanned}");
    assert!(scanned.ends_with(&table), "{scanned}");

    // Colours only where they are asked for, and nothing is told by them alone.
    let colours = [&["evaluate", text(&document), "--color", "always"][..], &gate].concat();
    let coloured = printed(&colours, 1);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    for (number, piece) in coloured.split("\u{1b}[").enumerate() {
        plain += if number == 0 { piece } else { piece.split_once('m').unwrap().1 };
    }
    assert_eq!(plain, table);
}

#[test]
fn suppressed_findings_are_listed_with_their_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let table = printed(&["evaluate", "-q", text(&document), "--db", DEMO, "--show-suppressed"], 0);
    let suppressed = between(&table, "\nSuppressed", "\nNot evaluated");
    holds(suppressed, &["CVE-2099-10002", "libffi", "unimportant"]);
    let counted = printed(&["evaluate", "-q", text(&document), "--db", DEMO, "--unimportant"], 0);
    holds(between(&counted, "\n  libffi ", "\n\n"), &["negligible", "CVE-2099-10002", "layer 1"]);
}

#[test]
fn an_explanation_says_what_was_compared_with_what() {
    let folder = tempfile::tempdir().unwrap();
    let document = document(folder.path());
    let explain = |arguments: &[&str]| {
        printed(&[&["explain", "--db", DEMO, "-q"][..], arguments].concat(), 0)
    };
    let idna = explain(&["GHSA-jjg7-2v4v-x38h", text(&document)]);
    // Under its CVE, whichever name was typed.
    assert!(idna.starts_with("CVE-2024-3651\n"), "{idna}");
    let words = [
        "GHSA-jjg7-2v4v-x38h, PYSEC-2024-60",
        "medium, 6.2",
        "idna 3.6  affected",
        "pkg:pypi/idna@3.6",
        "/usr/lib/python3/dist-packages/idna-3.6.dist-info/METADATA",
        "COPY . /app",
        "3.6 is in the affected range `< 3.7`",
        "pep440",
        "data is of 2025-11-21",
    ];
    holds(&idna, &words);
    let field = |name: &str| between(&idna, name, "\n").trim_start_matches(name).trim();
    assert_eq!((field("\n  layer"), field("\n  upgrade to")), ("2", "3.7"));
    assert_eq!(explain(&["CVE-2024-3651", IMAGE]), idna);

    // By the source package, as Debian's advisories name it.
    let expat = explain(&["CVE-2099-10001", "expat", text(&document)]);
    let words = ["libexpat1", "source package `expat`", "Debian:12", "2.5.0-1+deb12u9", "dpkg"];
    holds(&expat, &words);
    assert!(
        expat.split_whitespace().collect::<Vec<_>>().join(" ").contains("exploited"),
        "{expat}"
    );

    let suppressed = explain(&["CVE-2099-10002", text(&document)]);
    holds(&suppressed, &["suppressed", "unimportant", "every version"]);
    let other = explain(&["CVE-2024-3651", "minimist", text(&document)]);
    holds(&other, &["no such package that could be compared"]);
    let unknown = explain(&["CVE-2000-1", text(&document)]);
    holds(&unknown, &["no advisory with this name"]);
}
